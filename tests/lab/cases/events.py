# SPDX-License-Identifier: GPL-2.0-only
"""The network changes under an accelerated flow: the next packet goes the new way, and soon it is fast again.

The client's far address C and the server's far address S are both reached over two links; a case changes the
way to one of them. "Old" is the link that was used before the event.
"""
import re
import socket
import struct
import time

from natlab import (IPT, Capture, Delta, Udp, both, check, conntrack, ctl, equal, fast, flows, ip, learned, mac, ns, reachable, rule,
                    run, second_link, select, sh, start, stats, sysctl, wait)

FAR = {("c", 4): "10.8.8.8", ("s", 4): "10.9.9.9", ("c", 6): "fd08::8", ("s", 6): "fd09::9"}
NET = {("c", 4): "10.8.0.0/16", ("s", 4): "10.9.0.0/16", ("c", 6): "fd08::/32", ("s", 6): "fd09::/32"}
# The old and the new link of each side: the gateway's device, the host's device, the host's address.
WAYS = {"s": (("r1", "s0", "2"), ("r3", "s2", "4")), "c": (("r0", "c0", "1"), ("r2", "c2", "3"))}
ROUNDS = 6


def address(net, family, host=2):
    return f"10.0.{net}.{host}" if family == 4 else f"fd00:{net}::{host}"


class Side:
    """Where the way may change, with the words of its commands."""

    def __init__(self, where, family):
        self.where, self.family = where, family
        (self.dev, self.host_dev, self.net), (self.new_dev, self.new_host_dev, self.new_net) = WAYS[where]
        self.words = {"ip": f"ip -{family}", "dst": FAR[where, family], "net": NET[where, family],
                      "way": f"via {address(self.net, family)} dev {self.dev}",
                      "new_way": f"via {address(self.new_net, family)} dev {self.new_dev}",
                      "dev": self.dev, "new_dev": self.new_dev, "host_dev": self.host_dev, "new_host_dev": self.new_host_dev,
                      "host": where, "mark": 7 if where == "c" else 8,
                      "in": WAYS["c" if where == "s" else "s"][1][0], "id": f"{family}{self.net}", "new_id": f"{family}{self.new_net}",
                      "group": f"{family}{self.net}9", "ipt": IPT[family],
                      "gate": address(self.net, family), "new_gate": address(self.new_net, family)}

    def find(self, flow):
        """Which of two equal ways is in use? That is the old one."""
        outs = re.findall(r"out=(\S+)", flows()[0])
        if outs[self.where == "c"] == self.new_dev:
            self.dev, self.new_dev = self.new_dev, self.dev
            self.net, self.new_net = self.new_net, self.net
            for new in [w for w in self.words if w.startswith("new_")]:
                self.words[new], self.words[new[4:]] = self.words[new[4:]], self.words[new]
            far = FAR["c" if self.where == "s" else "s", self.family]
            run(self.where, f"ip -{self.family} route replace {far} via {address(self.new_net, self.family, 1)}")
            learned(flow)

    def run(self, script, where="r"):
        for line in script.format(**self.words).split(";"):
            run(where, line.strip())


def far_network(family):
    """Two links to each side, and their far addresses behind them; which link is used the case decides."""
    second_link("c", "c2", 3, "r2")
    second_link("s", "s2", 4, "r3")
    for where, dev in (("c", "c2"), ("s", "s2")):
        sysctl(where, f"net.ipv4.conf.{dev}.rp_filter", 0)
    for dev in ("r2", "r3"):
        sysctl("r", f"net.ipv4.conf.{dev}.rp_filter", 0)
    # The hosts send by the new links: what happens to the old ones is only about what the gateway sends.
    for here, there, net in (("c", "s", 3), ("s", "c", 4)):
        run(here, f"ip -{family} addr add {FAR[here, family]} dev lo")
        run(here, f"ip -{family} route add {FAR[there, family]} via {address(net, family, 1)}")


def far_flow(family):
    flow = Udp(family, to=(FAR["s", family], 7000), dport=7000, sport=7000, at=FAR["s", family])
    flow.client.close()
    with ns("c"):
        flow.client = socket.socket(flow.server.family, socket.SOCK_DGRAM)
    flow.client.settimeout(flow.server.gettimeout())
    flow.client.bind((FAR["c", family], 7000))
    flow.client.connect((FAR["s", family], 7000))
    return flow


def is_ours(data):
    """Frames of UDP from port 7000 to port 7000."""
    l4 = data[34:] if data[12:14] == b"\x08\x00" else data[54:]
    return l4[:4] == struct.pack("!HH", 7000, 7000)


def moves_to(flow, side, event, moves=True):
    """The event, and then: not one packet by the old link, all by the new one, fast again, nothing missed."""
    direct, back = (flow.send, flow.reply) if side.where == "s" else (flow.reply, flow.send)
    fast(flow)
    old, new = (Capture("r", d, is_ours, sent=True) for d in (side.dev, side.new_dev)[::1 if moves else -1])
    event()
    d = Delta()
    for i in range(ROUNDS):
        direct(b"after %d" % i)
    old.none()
    for i in range(ROUNDS):
        check(new.next().endswith(b"after %d" % i), f"packet {i} by the new link")
    back()
    flow.learn()
    fast(flow)
    check(d["hits"] > ROUNDS, f"fast again: {d.changed()}")
    equal(stats()["missed_event"], 0, "missed events")
    for capture in (old, new):
        capture.close()


def case(prepare, event, moves=True, families=(4, 6)):
    """Cases for both families and both directions: the routes, then the event that changes the way."""
    def test(family):
        far_network(family)
        sides = {w: Side(w, family) for w in "cs"}
        for side in sides.values():
            side.run(prepare)
        select()
        flow = learned(far_flow(family))
        for side in sides.values():
            if "nexthop" in prepare:
                side.find(flow)
            moves_to(flow, side, lambda: side.run(event) if isinstance(event, str) else event(side), moves)
    made = both(test)
    return made if families == (4, 6) else made[families[0] == 6]


ONE = "{ip} route add {dst} {way}"
TWO = "{ip} route add {dst} {way} metric 10; {ip} route add {dst} {new_way} metric 20"

case_route_replace_v4, case_route_replace_v6 = case(ONE, "{ip} route replace {dst} {new_way}")
case_route_add_v4, case_route_add_v6 = case("{ip} route add {net} {way}", "{ip} route add {dst} {new_way}")
case_route_delete_v4, case_route_delete_v6 = case(ONE + "; {ip} route add {net} {new_way}", "{ip} route del {dst} {way}")
case_route_metric_delete_v4, case_route_metric_delete_v6 = case(TWO, "{ip} route del {dst} metric 10")
case_route_metric_add_v4, case_route_metric_add_v6 = case(TWO, "{ip} route add {dst} {new_way} metric 5")
case_route_elsewhere_v4, case_route_elsewhere_v6 = case(
    ONE, "{ip} route add {net} {new_way}; {ip} route del {net}", moves=False)
case_rule_iif_v4, case_rule_iif_v6 = case(
    ONE + "; {ip} route add {dst} {new_way} table 100", "{ip} rule add iif {in} table 100")
case_rule_delete_v4, case_rule_delete_v6 = case(
    "{ip} route add {dst} {new_way}; {ip} route add {dst} {way} table 100; {ip} rule add to {dst} table 100 priority 50",
    "{ip} rule del to {dst} table 100 priority 50")
case_device_down_v4, case_device_down_v6 = case(TWO, "ip link set {dev} down")
case_device_deleted_v4, case_device_deleted_v6 = case(TWO, "ip link del {dev}")
case_nexthop_replace_v4, case_nexthop_replace_v6 = case(
    "{ip} nexthop add id {id} {way}; {ip} route add {dst} nhid {id}",
    "{ip} nexthop replace id {id} {new_way}")

GROUP = ("{ip} nexthop add id {id} {way}; {ip} nexthop add id {new_id} {new_way}; "
         "ip nexthop add id {group} group {id}/{new_id}; {ip} route add {dst} nhid {group}")
case_group_member_deleted_v4, case_group_member_deleted_v6 = case(GROUP, "{ip} nexthop del id {id}")
case_group_replaced_v4, case_group_replaced_v6 = case(GROUP, "ip nexthop replace id {group} group {new_id}")
case_group_member_moved_v4, case_group_member_moved_v6 = case(
    GROUP, "{ip} nexthop del id {new_id}", moves=False)
case_ecmp_replaced_v4, case_ecmp_replaced_v6 = case(
    "{ip} route add {dst} nexthop {way} nexthop {new_way}", "{ip} route replace {dst} nexthop {new_way}")
case_ecmp_link_down_v4, case_ecmp_link_down_v6 = case(
    "{ip} route add {dst} nexthop {way} nexthop {new_way}", "ip link set {dev} down")
case_sibling_deleted_v6 = case(
    "{ip} route add {dst} nexthop {way} nexthop {new_way}", "{ip} route del {dst} {way}", families=(6,))

case_rule_fwmark_v4, case_rule_fwmark_v6 = case(
    ONE + "; {ip} route add {dst} {new_way} table 100; {ipt} -w -t mangle -A PREROUTING -d {dst} -j MARK --set-mark 7",
    "{ip} rule add fwmark 7 table 100")
case_device_moved_v4, case_device_moved_v6 = case(TWO, "ip link set {dev} netns {host}")


def carrier_lost(side):
    """Linkwatch reports it later than the command that caused it; the event is that report."""
    side.run("ip link set {host_dev} down", side.where)
    wait(lambda: " state UP" not in run("r", f"ip link show {side.dev}"), "loss of carrier reported")
    run("r", "ip link set lo up")       # behind the report, which is made under RTNL


case_carrier_lost_v4, case_carrier_lost_v6 = case(
    "sysctl -qw net.ipv4.conf.all.ignore_routes_with_linkdown=1; sysctl -qw net.ipv6.conf.all.ignore_routes_with_linkdown=1; "
    "sysctl -qw net.ipv6.conf.{dev}.ignore_routes_with_linkdown=1; " + TWO, carrier_lost)


def marked(side):
    """Only user space changes the mark: seen within a tick of 64 ms, which is waited for."""
    run("r", f"conntrack -U -f ipv{side.family} -p udp --orig-port-src 7000 --mark {side.words['mark']}")
    time.sleep(0.07)


case_connmark_v4, case_connmark_v6 = case(
    ONE + "; {ip} route add {dst} {new_way} table {mark}; {ip} rule add fwmark {mark} table {mark}; "
    "{ipt} -w -t mangle -A PREROUTING -j CONNMARK --restore-mark", marked)
