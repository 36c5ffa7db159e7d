# SPDX-License-Identifier: GPL-2.0-only
"""Whatever an skb looks like, what leaves is to the byte what the stack would have sent; nothing else leaks out."""
import itertools
import struct

from natlab import (ADDR, Capture, Delta, Tcp, Udp, check, csum, equal, frame, inet, inject, ip, ip_packet, mac,
                    nft_counter, published, reachable, rule, run, select, tcp, udp, wait)

STATES = ("plain", "unnecessary", "complete", "partial")
KINDS = ("plain", "nonlinear", "cloned", "shared", "nonlinear,cloned")
TAG = b"natflow skb case"


class Nat:
    """A flow through SNAT with a new port, and its frames before and after."""

    def __init__(self, family, proto):
        self.family, self.proto = family, proto
        out = ADDR["r1", family]
        rule(family, f"-A POSTROUTING -o r1 -p {'udp' if proto == 17 else 'tcp'} -j SNAT --to-source " +
             (f"{out}:40000" if family == 4 else f"[{out}]:40000"), table="nat")
        select()
        if proto == 17:
            self.flow = Udp(family, dport=7000, sport=6000).learn()
        else:
            self.flow = Tcp(family, dport=7000, sport=6000)
            self.flow.settle()
            self.seq, self.ack = self.flow.numbers()
            # Nobody answers: answers would be hits too.
            rule(family, "-A INPUT -p tcp -j DROP", where="s")
        wait(lambda: len(published()) == 1, "flow published")
        self.before = ADDR["c", family], ADDR["s", family], 6000, 7000
        self.after = out, ADDR["s", family], 40000, 7000
        self.macs_in = mac("r", "r0"), mac("c", "c0")
        self.macs_out = mac("s", "s0"), mac("r", "r1")
        self.capture = Capture("s", "s0", lambda f: TAG in f)

    def l4(self, tuple4, data, partial=False, at=0, flags=0x18, zero=False):
        src, dst, sport, dport = tuple4
        if self.proto == 17:
            return udp(self.family, src, dst, sport, dport, data, partial=partial, zero=zero)
        return tcp(self.family, src, dst, sport, dport, self.seq + at, self.ack, flags, data, partial=partial)

    def pair(self, data, partial_in=False, partial_out=False, tos=0, zero=False, ident=0, **kw):
        """The frame that goes in and the one that must come out."""
        return (frame(*self.macs_in, ip_packet(self.family, *self.before[:2], self.proto,
                                               self.l4(self.before, data, partial_in, zero=zero, **kw),
                                               tos=tos, ident=ident)),
                frame(*self.macs_out, ip_packet(self.family, *self.after[:2], self.proto,
                                                self.l4(self.after, data, partial_out, zero=zero, **kw),
                                                tos=tos, ttl=63, ident=ident)))

    def passes(self, there, wanted, flags, what):
        d = Delta()
        inject("r0", there, flags)
        # The server's TCP, which hears no answer, may repeat itself meanwhile.
        check(d["hits"] == 1 or self.proto == 6 and d["hits"] > 1, f"hit, {what}: {d.changed()}")
        for w in wanted if isinstance(wanted, list) else [wanted]:
            equal(self.capture.next().hex(), w.hex(), f"frame, {what}")


def every(test):
    """One case a family and protocol."""
    def make(family, proto):
        def case():
            test(Nat(family, proto))
        return case
    return {f"{f}_{p}": make(v, n) for (f, v), (p, n) in
            itertools.product((("v4", 4), ("v6", 6)), (("udp", 17), ("tcp", 6)))}


def define(name, test):
    for key, case in every(test).items():
        globals()[f"case_{name}_{key}"] = case


def checksums(n):
    """All checksum states of all kinds of skb; the odd length leaves a byte over in every sum."""
    data = TAG + b"odd"
    for state, kind, finish in itertools.product(STATES, KINDS, ("off", "on")):
        run("r", f"ethtool -K r1 tx {finish} sg on")
        partial = state == "partial"
        # A device that finishes checksums gets the half-done one; otherwise it is finished in software.
        there, wanted = n.pair(data, partial, partial and finish == "on")
        n.passes(there, wanted, f"{state},{kind}", f"{state} {kind} tx {finish}")
    # Headers that nobody may make linear, because others hold the packet, are the stack's business.
    d = Delta()
    there, wanted = n.pair(data)
    inject("r0", there, "nonlinear,shared")
    equal(d["refuse.truncated"], 1, f"{d.changed()}")
    equal(n.capture.next().hex(), wanted.hex(), "frame, nonlinear and shared")


define("checksums", checksums)


def padding(n):
    """A short frame's padding does not reach the other side; CHECKSUM_COMPLETE loses its share of it."""
    there, wanted = n.pair(TAG)
    for flags in ("plain", "complete", "nonlinear", "complete,nonlinear", "shared", "complete,cloned"):
        n.passes(there + b"\xa5" * 7, wanted, flags, "padded " + flags)
    if n.family == 4:
        return
    # Padding under an unfinished checksum is left to the stack.
    d = Delta()
    there, wanted = n.pair(TAG, partial_in=True, partial_out=True)
    inject("r0", there + b"\xa5" * 7, "partial")
    equal(d["hits"], 0, "hits")
    equal(d["refuse.csum-start"], 1, f"{d.changed()}")


define("padding", padding)


def fields(n):
    """TTL exactly minus one, ECN as it came, the IPv4 identification too."""
    for ecn in (1, 2, 3, 0):
        there, wanted = n.pair(TAG, tos=ecn, ident=0x1234)
        inject("r0", there)     # shown to the stack
        equal(n.capture.next().hex(), wanted.hex(), f"frame by the stack, ECN {ecn}")
        n.passes(there, wanted, "plain", f"ECN {ecn}")


define("fields", fields)


def case_udp_checksum_zero():
    """RFC 768: none stays none, and a sum that comes out as zero is sent as 0xffff."""
    for family in (4, 6):
        n = Nat(family, 17)
        if family == 4:
            for flags in KINDS:
                n.passes(*n.pair(TAG, zero=True), flags, "no checksum")
        # The word that makes the translated packet's sum 0xffff, so that its complement is 0.
        src, dst, sport, dport = n.after
        bare = struct.pack("!HHHH", sport, dport, 10 + len(TAG), 0) + TAG + b"\0\0"
        total = csum(inet(family, src) + inet(family, dst) + struct.pack("!HH", 17, len(bare)) + bare)
        there, wanted = n.pair(TAG + struct.pack("!H", 0xffff - total))
        equal(wanted[-len(TAG) - 4:-len(TAG) - 2], b"\xff\xff", "the vector is what it should be")
        n.passes(there, wanted, "plain", "sum zero")
        n.flow.close()
        run("r", "conntrack -F", ok=False)
        wait(lambda: not published(), "flow gone")


def segments(n, data, size, partial):
    """What the network sees of a super-packet."""
    src, dst = n.after[:2]
    out = []
    for i, at in enumerate(range(0, len(data), size)):
        piece = data[at:at + size]
        last = at + size >= len(data)
        l4 = n.l4(n.after, piece, partial, at=at, flags=0x18 if last else 0x10)
        out.append(frame(*n.macs_out, ip_packet(n.family, src, dst, n.proto, l4, ttl=63, ident=i)))
    return out


def gso(n):
    """Super-packets: split by software behind us, or passed on whole to a device that splits them."""
    data = b"".join(TAG + bytes([i]) * 984 for i in range(2)) + TAG + b"end"
    there, whole = n.pair(data, True, True)
    split = segments(n, data, 1000, False)
    run("r", "ethtool -K r1 tx off sg on", ok=False)
    run("s", "ethtool -K s0 gro off", ok=False)
    run("r", "ethtool -K r1 tso off gso on tx-udp-segmentation off", ok=False)
    for kind in KINDS:
        n.passes(there, split, f"partial,gso=1000,{kind}", f"split in software, {kind}")
    run("r", "ethtool -K r1 tx on tso on tx-udp-segmentation on", ok=False)
    n.passes(there, whole, "partial,gso=1000,nonlinear", "whole")
    # A segment that does not fit is the stack's business, however small the rest.
    ip("r", "link set r1 mtu 1300")
    inject("r0", n.pair(TAG)[0])
    n.capture.next()
    n.passes(n.pair(TAG)[0], n.pair(TAG)[1], "plain", "learned with the new MTU")
    d = Delta()
    inject("r0", there, "partial,gso=1290")
    equal(d["hits"], 0, f"{d.changed()}")
    equal(d["refuse.mtu"], 1, f"{d.changed()}")


define("gso", gso)


def case_mark_and_priority():
    """A mark that came in on the skb is kept as by the stack; what the stack's rules set is set on every packet."""
    run("r", ["nft", "-f", "-"], text="""table netdev watch {
        chain out {
            type filter hook egress device r1 priority 0
            meta mark 0x7 counter comment "came"
            meta mark 0x5 counter comment "mark"
            meta priority 1:5 counter comment "class"
        }
    }
    """)
    n = Nat(4, 17)
    there, wanted = n.pair(TAG)
    inject("r0", there, "mark=7")       # shown to the stack
    n.capture.next()
    for _ in range(5):
        n.passes(there, wanted, "mark=7", "marked by somebody else")
    equal(nft_counter("watch", "came"), 6, "packets with the mark they came with")
    rule(4, "-A FORWARD -i r0 -j MARK --set-mark 5", table="mangle")
    rule(4, "-A POSTROUTING -o r1 -j CLASSIFY --set-class 1:5", table="mangle")
    run("r", ["sh", "-c", "echo update_magic > /dev/natflow_ctl"])
    for _ in range(10):     # learned again; the first one says that rules classify
        inject("r0", there, "mark=7")
        n.capture.next()
    before = nft_counter("watch", "mark"), nft_counter("watch", "class")
    for _ in range(5):
        n.passes(there, wanted, "mark=7", "marked by the rules")
    equal(nft_counter("watch", "mark") - before[0], 5, "packets with the rules' mark")
    equal(nft_counter("watch", "class") - before[1], 5, "packets with the rules' priority")
    equal(nft_counter("watch", "came"), 6, "packets with the mark they came with")


def case_timestamp_does_not_leak():
    """A receive time stamp would be a departure time in the far future to fq, which drops those."""
    ip("r", "link set r1 txqueuelen 1000")
    run("r", "tc qdisc add dev r1 root fq")
    n = Nat(4, 17)
    there, wanted = n.pair(TAG)
    for _ in range(5):
        n.passes(there, wanted, "tstamp", "stamped")
    check("horizon_drops 0" in run("r", "tc -s qdisc show dev r1") or
          "horizon_drops" not in run("r", "tc -s qdisc show dev r1"), "fq dropped nothing")


def policy(family):
    """ip rule fwmark and ip rule iif: each direction leaves where the stack sends it."""
    width = 32 if family == 4 else 128
    target = "10.9.9.9" if family == 4 else "fd99::9"
    one, two = (ADDR["s", 4], "10.0.3.2") if family == 4 else (ADDR["s", 6], "fd00:3::2")
    mine, theirs = ("10.0.3.1", "10.0.3.2") if family == 4 else ("fd00:3::1", "fd00:3::2")
    length = 24 if family == 4 else 64
    ip("r", f"""link add r2 type veth peer name s1 netns s
        addr add {mine}/{length} dev r2
        link set r2 up""", family)
    ip("s", f"""addr add {theirs}/{length} dev s1
        link set s1 up
        addr add {target}/{width} dev lo
        rule add from {target} sport 7001 table 7""", family)
    wait(lambda: reachable("r", family, theirs), "second way")
    run("s", f"ip -{family} route add default via {mine} table 7")
    ip("r", f"""route add {target}/{width} via {one}
        route add {target}/{width} via {two} table 100
        rule add fwmark 1 table 100""", family)
    rule(family, "-A PREROUTING -p udp --dport 7001 -j MARK --set-mark 1", table="mangle")
    select()
    for port, dev, back in ((7000, "s0", "r1"), (7001, "s1", "r2")):
        flow = Udp(family, to=(target, port), dport=port, at=target).learn()
        line = wait(lambda: [f for f in published() if f" dport={port} " in f], "published")[0]
        check(f" out={'r1' if dev == 's0' else 'r2'} " in line.split(" reply ")[0], line)
        check(f" in={back} " in line.split(" reply ")[1], line)
        seen = Capture("s", dev, lambda f: b"by rule" in f)
        # Where rules mark, the first ones are shown to the stack.
        for _ in range(8):
            flow.send(b"by rule 0")
            flow.reply(b"back")
            seen.next()
        d = Delta()
        for i in range(5):
            flow.send(b"by rule %d" % i)
            flow.reply(b"back")
            seen.next()
        equal(d["hits"], 10, f"hits {d.changed()}")


def case_policy_routing_v4():
    policy(4)


def case_policy_routing_v6():
    policy(6)
