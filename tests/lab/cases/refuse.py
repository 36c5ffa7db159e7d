# SPDX-License-Identifier: GPL-2.0-only
"""Every reason why a packet goes up the stack: counted once under its name, and then exactly what the stack does."""
import struct
import time

from natlab import (ADDR, Capture, Delta, Tcp, Udp, check, ctl, equal, frame, inject, ip_packet, mac, no_memory,
                    published, rule, run, select, sh, stats, tcp, udp, wait)

DATA = b"natflow refuses politely"


class Wire:
    """A learned UDP flow and the frames that belong to it, put straight into the gateway's RX path."""

    def __init__(self, family=4, mtu=None):
        self.family = family
        if mtu:
            sh("r", f"ip link set r1 mtu {mtu}")
        select()
        self.flow = Udp(family, dport=7000, sport=6000).learn()
        wait(lambda: len(published()) == 1, "flow published")
        self.src, self.dst = ADDR["c", family], ADDR["s", family]
        self.router, self.client = mac("r", "r0"), mac("c", "c0")
        self.server, self.out = mac("s", "s0"), mac("r", "r1")
        kind = b"\x08\x00" if family == 4 else b"\x86\xdd"
        proto = 9 if family == 4 else 6
        self.capture = Capture("s", "s0", lambda f: f[12:14] == kind and f[14 + proto] not in (58, 1, 0)
                               or DATA in f)

    def packet(self, data=DATA, ttl=64, l4=None, proto=17, dport=7000, **kw):
        if l4 is None:
            l4 = udp(self.family, self.src, self.dst, 6000, dport, data)
        return ip_packet(self.family, self.src, self.dst, proto, l4, ttl=ttl, **kw)

    def rx(self, packet, dst=None, kind=None):
        return frame(dst or self.router, self.client, packet, kind)

    def tx(self, packet):
        return frame(self.server, self.out, packet)

    def refused(self, reason, data, flags="plain", out=None, count=1):
        """Inject; exactly @count refusals of that name, no hit, and @out (frames) at the server."""
        d = Delta()
        inject("r0", data, flags)
        equal(d["refuse." + reason], count, f"refuse.{reason}; {d.changed()}")
        equal(d["hits"], 0, f"hits with {reason}")
        for want in out or []:
            equal(self.capture.next().hex(), want.hex(), f"frame after {reason}")
        self.fast()

    def fast(self):
        """The flow itself still goes fast, and nothing else arrived before it."""
        d = Delta()
        inject("r0", self.rx(self.packet(b"fast")))
        equal(d["hits"], 1, f"hit after a refusal; {d.changed()}")
        equal(self.capture.next().hex(), self.tx(self.packet(b"fast", ttl=63)).hex(), "frame of the hit")


def both(test):
    def make(family):
        def case():
            test(Wire(family))
        return case
    return make(4), make(6)


def plain(w):
    w.fast()
    # A flow nobody knows.
    other = w.packet(dport=7001)
    w.refused("miss", w.rx(other), out=[w.tx(w.packet(dport=7001, ttl=63))])        # refuse.miss
    w.refused("not-ip", w.rx(b"\0" * 46, kind=0x88b5))                                # refuse.not-ip
    w.refused("not-for-us", w.rx(w.packet(), dst="02:de:ad:be:ef:00"))               # refuse.not-for-us
    w.refused("vlan-tag", w.rx(w.packet()), "vlan=5")                                # refuse.vlan-tag
    gone = [w.tx(w.packet(ttl=63))]
    w.refused("conntracked", w.rx(w.packet()), "nfct", out=gone)                     # refuse.conntracked
    w.refused("dst-attached", w.rx(w.packet()), "dst", out=gone)                     # refuse.dst-attached
    w.refused("encapsulated", w.rx(w.packet()), "encap", out=gone)                   # refuse.encapsulated


case_plain_v4, case_plain_v6 = both(plain)


def relearning(w):
    """A TTL or DSCP that stays different is learned: the second packet of its kind is fast."""
    for kw, reason in (({"ttl": 33}, "refuse.ttl-differs"), ({"tos": 0x88}, "refuse.dscp-differs")):
        d = Delta()
        for _ in range(2):
            inject("r0", w.rx(w.packet(**kw)))
            sent = dict(kw, ttl=kw.get("ttl", 64) - 1)
            equal(w.capture.next().hex(), w.tx(w.packet(**sent)).hex(), "frame")
        equal(d["hits"], 1, f"hits {d.changed()}")
        equal(d[reason], 1, f"{d.changed()}")
        inject("r0", w.rx(w.packet()))
        w.capture.next()


case_relearn_v4, case_relearn_v6 = both(relearning)


def lengths(w):
    good = w.packet()
    for n in range(1, len(good) - len(DATA)):
        d = Delta()
        inject("r0", w.rx(good[:n]))
        check(d["refuse.truncated"] + d["refuse.ip-length"] == 1, f"{n} bytes: {d.changed()}")  # refuse.truncated
        inject("r0", w.rx(good[:n]), "nonlinear")
        check(d["refuse.truncated"] + d["refuse.ip-length"] == 2, f"{n} bytes in a page: {d.changed()}")
    w.fast()
    short = w.packet(l4=good[-len(DATA) - 8:][:7])
    w.refused("truncated", w.rx(short), out=[w.tx(w.packet(l4=good[-len(DATA) - 8:][:7], ttl=63))])


case_lengths_v4, case_lengths_v6 = both(lengths)


def lies(w):
    at = 2 if w.family == 4 else 4
    good = bytearray(w.packet())
    good[at:at + 2] = struct.pack("!H", struct.unpack("!H", good[at:at + 2])[0] + 1)
    if w.family == 4:
        head = w.packet(l4=w.packet()[20:] + b"!")
        good = bytearray(head[:20] + good[20:])
    w.refused("ip-length", w.rx(bytes(good)))                                         # refuse.ip-length
    bad = bytearray(w.packet())
    bad[0] ^= 0x10
    w.refused("ip-header", w.rx(bytes(bad), kind=0x0800 if w.family == 4 else 0x86dd))  # refuse.ip-header
    for length in (7, 8 + len(DATA) + 1, 0xffff):
        l4 = udp(w.family, w.src, w.dst, 6000, 7000, DATA, length=length)
        w.refused("l4-header", w.rx(w.packet(l4=l4)), out=[w.tx(w.packet(l4=l4, ttl=63))])  # refuse.l4-header
    # The server must not answer what it does not speak: its answer would be counted too.
    rule(w.family, "-A OUTPUT -p " + ("icmp" if w.family == 4 else "icmpv6 --icmpv6-type parameter-problem") +
         " -j DROP", where="s")
    w.refused("protocol", w.rx(w.packet(l4=b"\0\0" + DATA, proto=253)),
              out=[w.tx(w.packet(l4=b"\0\0" + DATA, proto=253, ttl=63))])             # refuse.protocol


case_lies_v4, case_lies_v6 = both(lies)


def case_ip4_only():
    w = Wire(4)
    bad = bytearray(w.packet())
    bad[11] ^= 1
    w.refused("ip-checksum", w.rx(bytes(bad)))                                        # refuse.ip-checksum
    nop = {"options": b"\1\1\1\1"}
    w.refused("ip-options", w.rx(w.packet(**nop)), out=[w.tx(w.packet(ttl=63, **nop))])  # refuse.ip-options
    l4 = udp(4, w.src, w.dst, 6000, 7000, DATA)
    first, second = w.packet(l4=l4[:16], frag=0x2000, ident=9), w.packet(l4=l4[16:], frag=2, ident=9)
    d = Delta()
    inject("r0", w.rx(first))
    inject("r0", w.rx(second))
    equal(d["refuse.fragment"], 2, "refuse.fragment")                                 # refuse.fragment
    equal(w.capture.next().hex(), w.tx(w.packet(l4=l4[:16], frag=0x2000, ident=9, ttl=63)).hex(), "first fragment")
    equal(w.capture.next().hex(), w.tx(w.packet(l4=l4[16:], frag=2, ident=9, ttl=63)).hex(), "second fragment")
    w.fast()


def case_ip6_only():
    w = Wire(6)
    l4 = udp(6, w.src, w.dst, 6000, 7000, DATA)
    ext = b"\x11\0\1\4\0\0\0\0"
    w.refused("extension", w.rx(w.packet(l4=l4, proto=60, options=ext)),
              out=[w.tx(w.packet(l4=l4, proto=60, options=ext, ttl=63))])             # refuse.extension


def ttl(w):
    """TTL 1 dies here, with the ICMP error of the stack."""
    back = Capture("c", "c0", lambda f: DATA in f)
    w.refused("ttl", w.rx(w.packet(ttl=1)))                                           # refuse.ttl
    error = back.next()
    equal(error[14 + (20 if w.family == 4 else 40)], 11 if w.family == 4 else 3, "ICMP time exceeded")
    w.refused("ttl", w.rx(w.packet(ttl=0)))


case_ttl_v4, case_ttl_v6 = both(ttl)


def mtu(family):
    w = Wire(family, mtu=1300)
    # ICMPv6 above 127 is neighbour discovery, which may come at any time.
    back = Capture("c", "c0", lambda f: f[23] == 1 if family == 4 else f[20] == 58 and f[54] < 128)
    fits = w.packet(b"f" * (1300 - (28 if family == 4 else 48)))
    d = Delta()
    inject("r0", w.rx(fits))
    equal(d["hits"], 1, "the largest packet that fits is fast")
    equal(len(w.capture.next()), 1314, "its frame")
    big = b"b" * (1301 - (28 if family == 4 else 48))
    w.refused("mtu", w.rx(w.packet(big, **({"frag": 0x4000} if family == 4 else {}))))  # refuse.mtu
    error = back.next()
    equal((error[34], error[35]) if family == 4 else error[54], (3, 4) if family == 4 else 2, "ICMP too big")


def case_mtu_v4():
    mtu(4)


def case_mtu_v6():
    mtu(6)


def offload_types(w):
    sh("r", "ethtool -K r1 tx off")
    l4 = udp(w.family, w.src, w.dst, 6000, 7000, b"u" * 2400, partial=True)
    d = Delta()
    inject("r0", w.rx(w.packet(l4=l4)), "partial,ufo,gso=1200")
    equal(d["refuse.gso-type"], 1, f"refuse.gso-type {d.changed()}")                  # refuse.gso-type
    d = Delta()
    inject("r0", w.rx(w.packet()), "partial,badstart")
    equal(d["refuse.csum-start"], 1, f"refuse.csum-start {d.changed()}")              # refuse.csum-start
    equal(d["hits"], 0, "hits")


case_offload_types_v4, case_offload_types_v6 = both(offload_types)


def case_route_changed():
    """What no route lookup shows has changed: one packet takes the stack, finds its egress the same, the next is fast.

    A route elsewhere: see freshness.py.
    """
    for family in (4, 6):
        flow = Udp(family)
        select() if family == 4 else None
        flow.learn()
        ctl("update_magic")
        d = Delta()
        flow.send()
        flow.reply()
        equal(d["refuse.route-changed"], 2, f"v{family}: {d.changed()}")    # refuse.route-changed
        equal(d["hits"], 0, "hits")
        flow.send()
        flow.reply()
        equal(d["hits"], 2, f"v{family} hits afterwards {d.changed()}")


def case_egress_down():
    """The neighbour goes: packets take the stack, which resolves it; then the flow is fast again."""
    for family in (4, 6):
        flow = Udp(family)
        select() if family == 4 else None
        flow.learn()
        run("r", f"ip -{family} neigh flush dev r1")
        d = Delta()
        flow.send()
        equal(d["refuse.egress-down"], 1, f"v{family}: {d.changed()}")                # refuse.egress-down
        equal(d["hits"], 0, "hits")
        flow.send()
        wait(lambda: not flow.send() and d["hits"] > 0, "fast again")


def case_conntrack_gone():
    """Deleted conntrack: not one packet by the old flow once a tick of 64 ms has passed, which is what is waited for."""
    select()
    flow = Udp()
    gone = 0
    for n in range(1, 9):
        flow.learn()
        flow.learn()
        run("r", "conntrack -D -p udp")
        time.sleep(0.07)
        d = Delta()
        flow.send()
        equal(d["hits"], 0, f"hits after the conntrack went: {d.changed()}")
        gone += d["refuse.conntrack-gone"]                                            # refuse.conntrack-gone
        wait(lambda: stats()["end.conntrack-gone"] == n, "flow ended")
    check(gone, "no packet ever noticed, only ageing did")


def case_mark_changed():
    """Somebody changes the conntrack's mark: within a tick each direction passes the stack, and its rules, once."""
    select()
    flow = Udp().learn()
    flow.learn()
    run("r", f"conntrack -U -f ipv4 -p udp --orig-port-src {flow.client.getsockname()[1]} --mark 5")
    time.sleep(0.07)
    d = Delta()
    flow.send()
    flow.reply()
    equal([d["refuse.mark-changed"], d["hits"]], [2, 0], f"{d.changed()}")            # refuse.mark-changed
    flow.send()
    flow.reply()
    equal(d["hits"], 2, f"{d.changed()}")


def case_tcp_flags():
    """SYN, RST, and a segment without ACK: conntrack sees them. Only the RST, which it accepts, ends the flow."""
    select()
    for flags in (0x02, 0x08, 0x14):
        conn = Tcp()
        wait(lambda: len(published()) == 1, "published")
        conn.settle()
        seq, ack = conn.numbers()
        d = Delta()
        peer = conn.client.getsockname()[1], conn.listener.getsockname()[1]
        c, s = ADDR["c", 4], ADDR["s", 4]
        inject("r0", frame(mac("r", "r0"), mac("c", "c0"), ip_packet(4, c, s, 6, tcp(4, c, s, *peer, seq, ack, flags))))
        equal(d["refuse.tcp-flags"], 1, f"{d.changed()}")                             # refuse.tcp-flags
        equal(d["end.tcp-flags"], flags == 0x14, f"{d.changed()}")
        conn.close()
        run("r", "conntrack -F")
        wait(lambda: not published(), "gone")


def case_zone_ambiguous():
    """One tuple, one port, two conntrack zones: neither is accelerated, both are delivered."""
    rule(4, "-A PREROUTING -m dscp --dscp 1 -j CT --zone 1", table="raw")
    w = Wire(4)
    back = Capture("c", "c0", lambda f: DATA in f)
    there = w.rx(w.packet(tos=4))
    reply = frame(mac("r", "r1"), mac("s", "s0"),
                  ip_packet(4, w.dst, w.src, 17, udp(4, w.dst, w.src, 7000, 6000, DATA), tos=4))
    d = Delta()
    for _ in range(3):
        inject("r0", there)
        equal(w.capture.next().hex(), w.tx(w.packet(tos=4, ttl=63)).hex(), "zone 1 at the server")
        inject("r1", reply)
        check(DATA in back.next(), "zone 1 at the client")
    check(d["learn.zone-ambiguous"] >= 1, f"{d.changed()}")
    d = Delta()
    for tos in (0, 4):
        inject("r0", w.rx(w.packet(tos=tos)))
        equal(w.capture.next().hex(), w.tx(w.packet(tos=tos, ttl=63)).hex(), "frame at the server")
    equal(d["refuse.zone-ambiguous"], 2, f"{d.changed()}")                            # refuse.zone-ambiguous
    equal(d["hits"], 0, "hits")


def no_memory_for_copy(w):
    """No memory for a private copy: the stack forwards the packet as it came, the next is fast."""
    frames = w.rx(w.packet()), w.tx(w.packet(ttl=63))
    for kind, function, value in (("cloned", "pskb_expand_head", -12), ("shared", "skb_copy_expand", 0)):
        with no_memory(function, 1, value) as works:
            if works:
                w.refused("no-memory", frames[0], kind, out=frames[1:])              # refuse.no-memory
        d = Delta()
        inject("r0", frames[0], kind)
        equal(d["hits"], 1, f"{kind}: {d.changed()}")
        equal(w.capture.next().hex(), frames[1].hex(), "frame of the copy")


case_no_memory_v4, case_no_memory_v6 = both(no_memory_for_copy)
