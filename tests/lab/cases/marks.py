# SPDX-License-Identifier: GPL-2.0-only
"""DSCP and priorities: of what comes by a link, and of frames with a VLAN tag."""
import errno
import socket

import links
from natlab import (ADDR, LONG, Capture, Delta, Udp, bare, both, check, ctl, equal, forwarded, ip, learned, refuses, rule, select, settings,
                    stats, wait)

QOS = "/dev/natflow_qos_ctl"
LINE = "link dev=r1,rx=100mbit"


def set_tos(sock, family, tos):
    sock.setsockopt(*((socket.IPPROTO_IP, socket.IP_TOS) if family == 4 else (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)), tos)


class Marked:
    """A flow whose packets are compared before and behind the gateway, to the byte."""

    def __init__(self, family):
        self.family, self.flow = family, Udp(family)
        self.up, self.down = ([Capture("r", dev, lambda f: b"mark" in f, sent=sent) for dev, sent in ((came, False), (left, True))]
                              for came, left in (("r0", "r1"), ("r1", "r0")))

    def sends(self, up, down):
        """DSCP of what both ends send from now on, with ECT(0)."""
        for sock, dscp in ((self.flow.client, up), (self.flow.server, down)):
            set_tos(sock, self.family, dscp << 2 | 2)

    def passes(self, up, down, fast, what):
        """A datagram each way, with the DSCP that they leave with (None: their own)."""
        hits = stats()["hits"]
        self.flow.send(b"mark")
        self.flow.reply(b"mark")
        check(fast is None or stats()["hits"] - hits == fast, f"{what}: {stats()['hits'] - hits} hits, want {fast}")
        for (came, left), dscp in ((self.up, up), (self.down, down)):
            equal(left.next()[14:].hex(), forwarded(came.next()[14:], dscp).hex(), f"{what}, DSCP {dscp}, hits {fast}")


def restored(family):
    """What comes by the link has the DSCP of its flow's packets towards it, on the stack and the fast path; ECN and all else stay."""
    select()
    flow, d = Marked(family), Delta()
    flow.sends(46, 8)
    flow.passes(None, None, 0, "without a line")
    learned(flow.flow)
    flow.passes(None, None, 2, "without a line")
    ctl(LINE, device=QOS)
    flow.passes(None, 46, 0, "first packets")
    learned(flow.flow)
    flow.passes(None, 46, 2, "the user's EF")
    # What differs takes the stack, and so does the next one that gets the other DSCP.
    flow.sends(10, 8)
    flow.passes(None, 10, 0, "the user has another one")
    flow.passes(None, 10, 2, "the user has another one")
    flow.sends(0, 46)
    flow.passes(None, 0, 0, "the user asks for nothing")
    flow.passes(None, 0, 2, "the user asks for nothing")
    flow.sends(0, 0)
    flow.passes(None, None, 1, "nothing is done")
    flow.passes(None, None, 2, "nothing is done")
    ctl(f"{LINE},dscp=wash", device=QOS)
    flow.sends(46, 34)
    flow.passes(None, 0, 0, "wash")
    flow.passes(None, 0, 2, "wash")
    ctl(f"{LINE},dscp=keep", device=QOS)
    flow.passes(None, None, 0, "keep")
    flow.passes(None, None, 2, "keep")
    ctl(f"{LINE},dscp=restore", device=QOS)
    equal([line for line in settings(device=QOS) if line.startswith("link")], [f"{LINE},dscp=restore"], "what reading shows")
    flow.passes(None, 46, 0, "restore")
    flow.passes(None, 46, 2, "restore")
    ctl("clear", device=QOS)
    flow.passes(None, None, 0, "clear")
    flow.passes(None, None, 2, "clear")
    equal((d["learn.rewritten"], d["bump.classify"]), (0, 0), "what learning thinks of it")
    for bad in ("dscp=", "dscp=set:1", "dscp=keep,dscp=keep"):
        refuses(lambda: ctl(f"{LINE},{bad}", device=QOS), errno.EINVAL)
    refuses(lambda: ctl("link dev=r1,tx=1mbit,dscp=keep", device=QOS), errno.EINVAL)


case_restored_v4, case_restored_v6 = both(restored)


def rules_win(family):
    """A rule's DSCP, and one of the firewall, come before the line's; a limit beside it counts, too."""
    select()
    ctl("lan_zone 1=r0\nwan_zone 2=r1", device="/dev/natflow_zone_ctl")
    ctl(LINE, device=QOS)
    flow, d = Marked(family), Delta()
    flow.sends(46, 8)
    learned(flow.flow)
    whom = f"add user={ADDR['c', family]},user_port=,remote=,remote_port=,proto=,rxbytes=12500000,txbytes=12500000"
    ctl(f"{whom},dscp=set:12", device=QOS)
    flow.passes(12, 12, 0, "a rule")
    learned(flow.flow)
    flow.passes(12, 12, 2, "a rule")
    ctl(f"clear\n{LINE}\n{whom}", device=QOS)
    flow.passes(None, 46, 0, "a rate")
    learned(flow.flow)
    flow.passes(None, 46, 2, "a rate")
    equal((d["learn.rewritten"], d["drop.over"]), (0, 0), "rewritten, dropped")
    rule(family, "-A FORWARD -i r1 -j DSCP --set-dscp 20", table="mangle")
    ctl("flush")
    flow.passes(None, 20, 0, "the firewall")
    flow.passes(None, 20, None, "the firewall, behind what it taught")
    check(d["learn.rewritten"], "learn.rewritten")


case_rules_win_v4, case_rules_win_v6 = both(rules_win)


PRIORITIES = (0, 0, 2, 2, 6, 6, 4, 4)      # of IPv4, by the last bits of a DSCP: net/ipv4/route.c:ip_tos2prio


class Tagged:
    """A flow to a client behind a VLAN, whose tag shows the priority that frames leave with."""

    def __init__(self, family):
        links.gateway()
        self.lan, self.wan = links.make(links.vlan, "c", 1, 1), links.make(links.eth, "s", 2, 1)
        ip("r", f"link set {self.lan.dev} type vlan egress-qos-map {' '.join(f'{i}:{i}' for i in range(8))}")
        ctl(f"lan_zone 1={self.lan.dev}\nwan_zone 2={self.wan.dev}", device="/dev/natflow_zone_ctl")
        select()
        self.family, self.pair = family, links.Pair(self.lan, self.wan, family)
        self.capture = Capture("c", self.lan.h, lambda f: b"back" in f)
        self.capture.sock.setsockopt(263, 8, 1)      # SOL_PACKET, PACKET_AUXDATA

    def sends(self, up, down):
        for sock, dscp in ((self.pair.client, up), (self.pair.server, down)):
            set_tos(sock, self.family, dscp << 2)

    def tag(self):
        """A round, and how its answer comes: a hit or not, its DSCP, the priority in its tag."""
        hits = stats()["hits"]
        self.pair.round(b"tag")
        data, aux, _, _ = self.capture.sock.recvmsg(2000, 200)
        while b"back" not in data:
            data, aux, _, _ = self.capture.sock.recvmsg(2000, 200)
        tos = data[15] if self.family == 4 else (data[14] << 4 | data[15] >> 4) & 0xff
        return stats()["hits"] - hits == 2, tos >> 2, int.from_bytes(aux[0][2][16:18], "little") >> 13

    def both_paths(self, dscp, priority, what):
        """On the stack, then on the fast path."""
        equal(self.tag(), (False, dscp, priority), f"{what}, on the stack")
        seen = wait(lambda: [t for t in [self.tag()] if t[0]], f"{what}: fast")
        equal(seen[0], (True, dscp, priority), f"{what}, on the fast path")


def tagged(family):
    """The tag of a VLAN by an egress map: priorities of the stack, those of a restored DSCP, and of a rule."""
    t = Tagged(family)

    def of(dscp):
        return PRIORITIES[dscp & 7] if family == 4 else 0      # net/ipv6/ip6_output.c:ip6_forward() sets none
    for dscp in range(64) if LONG else (*range(8), 46):
        t.sends(0, dscp)
        t.both_paths(dscp, of(dscp), f"DSCP {dscp}")
    t.sends(46, 0)
    ctl(f"link dev={t.wan.dev},rx=100mbit,dscp=keep", device=QOS)
    wait(lambda: t.tag()[0], "fast by the VLAN's own queue")
    ctl(f"link dev={t.wan.dev},rx=100mbit", device=QOS)
    t.both_paths(46, of(46), "restored")
    t.sends(14, 0)
    t.both_paths(14, of(14), "restored, another one")
    ctl(f"clear\nadd user={t.lan.address(family, 2)},prio=5", device=QOS)
    t.both_paths(0, 5, "a rule")
    ctl(f"clear\nlink dev={t.wan.dev},rx=100mbit\nadd user={t.lan.address(family, 2)},prio=3", device=QOS)
    t.both_paths(14, 3, "a rule's priority, the link's DSCP")


case_tagged_v4, case_tagged_v6 = bare(lambda: tagged(4)), bare(lambda: tagged(6))
