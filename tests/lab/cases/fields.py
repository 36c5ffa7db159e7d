# SPDX-License-Identifier: GPL-2.0-only
"""What differs between packets of one flow: header fields, marks of tc's ingress, lengths. Each packet leaves as by the stack.

Rules that classify by packet come from the field: lynxthecat/cake-qos-simple#4 (ECN), openwrt/openwrt#547 (length),
hudra0/qosmate#65 and #83 (length, rate), cilium/cilium#3780 (marks of tc's ingress).
"""
import socket
import struct

from natlab import (ADDR, Capture, Delta, Tcp, Udp, both, check, equal, frame, inject, ip, ip_packet, mac, modprobe,
                    nft_counter, published, rule, run, select, sysctl, udp, wait)

ROUNDS = 8
DATA = b"natflow fields"
IP = {4: "ip", 6: "ip6"}


def tos_of(f):
    return f[15] if f[12:14] == b"\x08\x00" else (f[14] & 15) << 4 | f[15] >> 4


def ttl_of(f):
    return f[22] if f[12:14] == b"\x08\x00" else f[21]


def label_of(f):
    return struct.unpack("!I", f[14:18])[0] & 0xfffff


class Flow:
    """A learned UDP flow whose datagrams are made by hand, and what of them leaves."""

    def __init__(self, family, **fields):
        self.family = family
        self.flow = Udp(family, dport=7000, sport=6000).learn()
        self.seen = Capture("s", "s0", lambda f: DATA in f)
        for _ in range(2 if fields else 0):
            self.send(**fields)
        self.d = Delta()

    def send(self, size=len(DATA), flags="plain", **fields):
        """One datagram to the server; the frame that leaves."""
        c, s = ADDR["c", self.family], ADDR["s", self.family]
        data = DATA + bytes(size - len(DATA))
        packet = ip_packet(self.family, c, s, 17, udp(self.family, c, s, 6000, 7000, data), **fields)
        inject("r0", frame(mac("r", "r0"), mac("c", "c0"), packet), flags)
        return self.seen.next()

    def hits(self, want, what):
        equal(self.d["hits"], want, f"hits, {what}: {self.d.changed()}")


def nft(family, text, hook="postrouting", priority=-150):
    run("r", ["nft", "-f", "-"], text=f"table {IP[family]} fields {{ chain c {{ type filter hook {hook} "
                                      f"priority {priority}; {text}; }}; }}\n")


def watch_egress(**rules):
    """Count by nftables at r1's egress what skbs carry."""
    run("r", ["nft", "-f", "-"], text="table netdev watch { chain out { type filter hook egress device r1 priority 0; " +
        " ".join(f'{text} counter comment "{name}";' for name, text in rules.items()) + "}; }\n")


def counted(*names):
    return [nft_counter("watch", name) for name in names]


def rewritten(family, setup, of, before, after):
    """Rules that change a field by more than natflow would: all packets as by the stack, none fast, and it stays so."""
    setup()
    if of(Flow(family).send(**before)) != after:
        return      # without natflow neither: nft 1.0.6 writes IPv6's ECN and flow label on 6.1, but not on 7.3
    run("r", "conntrack -F")
    select()
    w = Flow(family, **before)
    equal([of(w.send(**before)) for _ in range(ROUNDS)], [after] * ROUNDS, f"field at the server {w.d.changed()}")
    w.hits(0, "rewritten")
    # refuse.rewritten, learn.rewritten
    equal([w.d["refuse.rewritten"], w.d["learn.rewritten"]], [ROUNDS, ROUNDS], f"{w.d.changed()}")


def tos_rule(family):
    """iptables' TOS writes the bits of its mask, here ECN's."""
    rewritten(family, lambda: rule(family, "-A POSTROUTING -o r1 -j TOS --set-tos 0/0x03", table="mangle"), tos_of,
              {"tos": 0x8a}, 0x88)


case_tos_rule_v4, case_tos_rule_v6 = both(tos_rule)


def ecn_rule(family):
    rewritten(family, lambda: nft(family, f"oifname r1 {IP[family]} ecn set not-ect"), tos_of, {"tos": 2}, 0)


case_ecn_rule_v4, case_ecn_rule_v6 = both(ecn_rule)


def ttl_raised(family):
    """TTL raised before routing: minus one it is what came in."""
    target = "TTL --ttl-inc 1" if family == 4 else "HL --hl-inc 1"
    rewritten(family, lambda: rule(family, f"-A PREROUTING -i r0 -p udp -j {target}", table="mangle"), ttl_of, {"ttl": 64}, 64)


case_ttl_raised_v4, case_ttl_raised_v6 = both(ttl_raised)


def ttl_lowered(family):
    """...and lowered behind it."""
    target = "TTL --ttl-dec 3" if family == 4 else "HL --hl-dec 3"
    rewritten(family, lambda: rule(family, f"-A POSTROUTING -o r1 -p udp -j {target}", table="mangle"), ttl_of, {"ttl": 64}, 60)


case_ttl_lowered_v4, case_ttl_lowered_v6 = both(ttl_lowered)


def case_label_rule():
    """Flow labels cleared for privacy."""
    rewritten(6, lambda: nft(6, "oifname r1 ip6 flowlabel set 0"), label_of, {"flow": 0x12345}, 0)


def case_label_changes():
    """A sender that labels its packets anew: the first one takes the stack, which may send it another way."""
    select()
    w = Flow(6)
    w.send(flow=1)
    w.hits(0, "a new label")
    for _ in range(4):
        equal(label_of(w.send(flow=1)), 1, "label")
    w.hits(4, "the same label")
    equal(label_of(w.send(flow=2)), 2, "label")
    equal(w.d["refuse.flow-label-differs"], 2, f"{w.d.changed()}")                    # refuse.flow-label-differs


def ecn(family):
    """Codepoints that the stack was seen to leave alone are fast, in any order; a new one is shown to it once."""
    select()
    w = Flow(family)
    for tos in (2, 3, 0, 2, 3, 0, 0, 3, 2):
        equal(tos_of(w.send(tos=tos)), tos, "TOS")
    equal(w.d["refuse.ecn-differs"], 2, f"{w.d.changed()}")                           # refuse.ecn-differs
    w.hits(7, "codepoints")


case_ecn_v4, case_ecn_v6 = both(ecn)


def ce_rule(family):
    """A rule for congestion marks alone: what has none is fast until one came."""
    nft(family, f"oifname r1 {IP[family]} ecn ce {IP[family]} ecn set ect0")
    if tos_of(Flow(family).send(tos=3)) != 2:
        return      # as in rewritten()
    run("r", "conntrack -F")
    select()
    w = Flow(family, tos=2)
    equal([tos_of(w.send(tos=tos)) for tos in (2, 2, 3, 3, 2)], [2] * 5, "TOS")
    w.hits(2, "before the rule did anything")
    equal([w.d["refuse.ecn-differs"], w.d["learn.rewritten"]], [1, 3], f"{w.d.changed()}")


case_ce_rule_v4, case_ce_rule_v6 = both(ce_rule)


def tc_ingress(family):
    """Marks and priorities that tc's ingress gives to some packets are there at egress, as by the stack."""
    modprobe("cls_u32", "act_skbedit", "sch_ingress")
    run("r", "tc qdisc add dev r0 ingress")
    at, proto = (28, "ip") if family == 4 else (48, "ipv6")
    run("r", f"tc filter add dev r0 ingress protocol {proto} u32 match u32 0x6d61726b 0xffffffff at {at} "
             "action skbedit mark 7 priority 1:7")
    watch_egress(mark="meta mark 7", priority="meta priority 1:7")
    select()
    flow = Udp(family).learn()
    d = Delta()
    for _ in range(ROUNDS):
        flow.send(b"mark")
        flow.send(b"none")
    # IPv4 sets the priority by the TOS, whatever it was.
    equal(counted("mark", "priority"), [ROUNDS, 0 if family == 4 else ROUNDS], f"at egress {d.changed()}")
    check(d["refuse.mark-differs"] >= ROUNDS, f"{d.changed()}")                       # refuse.mark-differs
    for _ in range(ROUNDS):
        flow.send(b"mark")
    check(d["hits"] >= ROUNDS - 1, f"all marked alike: {d.changed()}")
    equal(counted("mark"), [2 * ROUNDS], f"at egress {d.changed()}")


case_tc_ingress_v4, case_tc_ingress_v6 = both(tc_ingress)


def by_length(family, what, sizes):
    """Packets below 100 bytes have a mark or class of their own, others none; @sizes of them, in turn."""
    watch_egress(small="meta mark 5" if what == "MARK --set-mark 5" else "meta priority 1:1")
    rule(family, f"-A POSTROUTING -o r1 -p udp -m length --length 0:100 -j {what}", table="mangle")
    select()
    # Another flow shows that there are such rules: from then on lengths count.
    Udp(family).learn()
    w = Flow(family)
    before, small = counted("small")[0], 0
    for size in sizes:
        w.send(size)
        small += size < 50
    equal(counted("small")[0] - before, small, f"small ones of {len(sizes)}: {w.d.changed()}")
    return w


def small_first(family):
    """The first of each kind is shown to the stack."""
    w = by_length(family, "MARK --set-mark 5", [20] * 10 + [500] * 10 + [1100] * 2 + [700] * 3 + [20] * 2)
    check(w.d["hits"] >= 6, f"{w.d.changed()}")
    check(w.d["refuse.length-differs"] >= 3, f"{w.d.changed()}")                      # refuse.length-differs


case_small_first_v4, case_small_first_v6 = both(small_first)


def large_first(family):
    w = by_length(family, "CLASSIFY --set-class 1:1", [500] * 8 + [1300] * 4 + [1250] * 2 + [20] * 3 + [500])
    check(w.d["hits"] >= 5, f"{w.d.changed()}")


case_large_first_v4, case_large_first_v6 = both(large_first)


def varies(family):
    """Every third packet is marked, whatever it looks like: seen, and the flow stays with the stack."""
    watch_egress(third="meta mark 5")
    rule(family, "-A POSTROUTING -o r1 -p udp -m statistic --mode nth --every 3 --packet 0 -j MARK --set-mark 5", table="mangle")
    select()
    w = Flow(family)
    before = counted("third")[0]
    for _ in range(30):
        w.send()
    equal(counted("third")[0] - before, 10, f"marked ones of 30: {w.d.changed()}")
    w.hits(0, "every third is marked")
    check(w.d["refuse.varies"] > 20 and w.d["learn.varies"] > 20, f"{w.d.changed()}") # refuse.varies, learn.varies


case_varies_v4, case_varies_v6 = both(varies)


def case_rate():
    """What is below the rate has AF42, also when there was more meanwhile."""
    nft(4, "iifname r0 meta l4proto udp limit rate 10/hour burst 9 packets ip dscp set af42", "forward", 0)
    select()
    w = Flow(4)
    got = [tos_of(w.send()) for _ in range(20)]
    equal(got, [0x90] * 7 + [0] * 13, f"TOS {w.d.changed()}")
    run("r", "nft delete table ip fields")
    nft(4, "iifname r0 meta l4proto udp ip dscp set af42", "forward", 0)
    equal(tos_of(w.send()), 0x90, "TOS of a packet that the rule means again")
    w.hits(0, "rewritten once")


def case_sampled():
    """In a namespace where rules classify, one packet in five seconds takes the stack; rules that changed are seen."""
    rule(4, "-A POSTROUTING -o r1 -p udp --sport 6000 -j MARK --set-mark 5", table="mangle")
    watch_egress(five="meta mark 5", six="meta mark 6")
    select()
    w = Flow(4)
    for _ in range(10):
        w.send()
    check(w.d["hits"], f"fast {w.d.changed()}")
    equal(w.d["refuse.varies"], 0, f"{w.d.changed()}")
    w.d = Delta()
    rule(4, "-R POSTROUTING 1 -o r1 -p udp --sport 6000 -j MARK --set-mark 6", table="mangle")
    wait(lambda: w.send() and w.d["refuse.sampled"], "one is shown to the stack", 30) # refuse.sampled
    before = counted("six")[0]
    w.send()
    equal(counted("six")[0] - before, 1, f"marks of the new rule {w.d.changed()}")


def unnoted(family):
    """A datagram in fragments is not what came in: nothing is learned from it."""
    select()
    w = Flow(family)
    flow = w.flow
    ip("c", "link set c0 mtu 1280")
    flow.send(bytes(2000))
    equal(w.d["learn.unnoted"], 1, f"{w.d.changed()}")                                 # learn.unnoted
    w.send()
    w.hits(1, "a whole one")


case_unnoted_v4, case_unnoted_v6 = both(unnoted)


def case_relabels():
    """A TCP whose socket gives it another label, while it is fast: each label is shown to the stack once."""
    sysctl("c", "net.ipv6.auto_flowlabels", 1)
    select()
    conn = Tcp(6)
    wait(lambda: len(published()) == 1, "published")
    conn.settle()
    d = Delta()
    conn.client.setsockopt(socket.IPPROTO_IPV6, 70, 0)      # IPV6_AUTOFLOWLABEL: no label from now on
    for _ in range(3):
        Tcp.pass_data(conn.client, conn.server, bytes(3000))
        conn.settle()
    check(d["refuse.flow-label-differs"] >= 1 and d["hits"] >= 3, f"{d.changed()}")
    conn.close()
