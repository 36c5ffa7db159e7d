# SPDX-License-Identifier: GPL-2.0-only
"""The network changes under an accelerated flow: the next packet goes the new way, and soon it is fast again.

The client's far address C and the server's far address S are both reached over two links; a case changes the
way to one of them. "Old" is the link that was used before the event.

The second of the two changes is made while a feature listens. It must have been told when the command has returned. No
event tells a module of these, so a feature hears of them later, or as the engine notices them at a packet:
  * conntrack entries that a program deletes or marks: conntrack has one consumer of events for each namespace, and
    ctnetlink is that one (net/netfilter/nf_conntrack_ecache.c:nf_conntrack_register_notifier()). A deleted entry ends
    its flow when the ageing walk comes by.
  * tables of iptables-legacy: net/netfilter/x_tables.c:xt_replace_table() swaps a pointer.
  * net.ipv4.ip_forward_use_pmtu and net.ipv6.conf.DEV.mtu, which are plain variables, and packet sockets
    (net/core/dev.c:dev_add_pack()).
  * XFRM policies and route/flush, which move a counter (net/ipv4/route.c:rt_cache_flush()): told at the next tick.
"""
import contextlib
import errno
import os
import re
import socket
import struct
import time

from natlab import (ADDR, IPT, Capture, Delta, Failure, Udp, carriers_reported, both, check, conntrack, ctl, equal,
                    exchange, fast, flows, frame, groups, ip, is_fast, learned, listener, mac, nft_counter, ns, on_each_cpu, reachable, rule, run,
                    second_link, select, stats, sysctl, wait)

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


def moves_to(flow, side, event, moves=True, shown=0, told=contextlib.nullcontext):
    """The event, and then: not one packet by the old link, all by the new one, fast again, nothing missed.

    Where rules classify, so many packets of each direction are shown to the stack before. A listener was told.
    """
    direct, back = (flow.send, flow.reply) if side.where == "s" else (flow.reply, flow.send)
    exchange(flow, shown)
    fast(flow)
    old, new = (Capture("r", d, is_ours, sent=True) for d in (side.dev, side.new_dev)[::1 if moves else -1])
    with told():
        event()
    d = Delta()
    for i in range(ROUNDS):
        direct(b"after %d" % i)
    old.none()
    for i in range(ROUNDS):
        check(new.next().endswith(b"after %d" % i), f"packet {i} by the new link")
    back()
    flow.learn()
    exchange(flow, shown)
    fast(flow)
    check(d["hits"] > ROUNDS, f"fast again: {d.changed()}")
    equal(stats()["missed_event"], 0, "missed events")
    for capture in (old, new):
        capture.close()


def case(prepare, event, moves=True, families=(4, 6), shown=0, told=True):
    """Cases for both families and both directions: the routes, then the event that changes the way."""
    def test(family):
        far_network(family)
        sides = {w: Side(w, family) for w in "cs"}
        for side in sides.values():
            side.run(prepare)
        select()
        flow = far_flow(family).learn()

        def change(side, *reported):
            if "nexthop" in prepare:
                side.find(flow)
            moves_to(flow, side, lambda: side.run(event) if isinstance(event, str) else event(side), moves, shown, *reported)
        change(sides["c"])
        with listener() as heard:
            heard.relearn(flow)
            change(sides["s"], lambda: heard.told(*[f"ip{family}", "killed"] if told else []))
    made = both(test)
    return made if families == (4, 6) else made[families[0] == 6]


# -- routes

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
    "{ip} rule add fwmark 7 table 100", shown=8)
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
    "{ipt} -w -t mangle -A PREROUTING -j CONNMARK --restore-mark", marked, told=False)


# -- firewall rules

def rules_changed(family, command, bites):
    """A new DROP: established flows go on as before, or it bites on the next packet."""
    flow = learned(Udp(family))
    d = Delta()
    arrived = Capture("s", "s0", lambda f: f.endswith(b"dropped?"))
    run("r", command)
    for _ in range(ROUNDS):
        flow.client.send(b"dropped?")
    if bites:
        arrived.none()
        equal(d["hits"], 0, "hits")
        flow.server.settimeout(0.001)
        refused = False
        try:
            flow.server.recv(100)
        except OSError:
            refused = True
        check(refused, "nothing arrived")
    else:
        for _ in range(ROUNDS):
            arrived.next()
        equal(d["hits"], ROUNDS, f"hits {d.changed()}")
    arrived.close()
    return flow


def revalidate_case(add, remove):
    def test(family):
        words = {"legacy": f"{IPT[family]} -w", "nft": IPT[family].replace("legacy", "nft")}
        run("r", "nft add table inet other")
        run("r", "nft add chain inet other f { type filter hook forward priority 0; }")
        ctl("select=all") if "legacy" not in add else select()
        for revalidate in (0, 1):
            ctl(f"revalidate={revalidate}")
            flow = rules_changed(family, add.format(**words), revalidate)
            run("r", remove.format(**words))
            flow.close()
            fast(learned(Udp(family)))
        equal(stats()["missed_event"], 0, "missed events")
    return both(test)


case_revalidate_legacy_v4, case_revalidate_legacy_v6 = revalidate_case(
    "{legacy} -I FORWARD -p udp -j DROP", "{legacy} -D FORWARD -p udp -j DROP")
case_revalidate_iptables_nft_v4, case_revalidate_iptables_nft_v6 = revalidate_case(
    "{nft} -I FORWARD -p udp -j DROP", "{nft} -D FORWARD -p udp -j DROP")
case_revalidate_nft_v4, case_revalidate_nft_v6 = revalidate_case(
    "nft add rule inet other f meta l4proto udp drop", "nft flush chain inet other f")


def revalidate_table(table, chain):
    """Another legacy table than the one with the target, made only now: its DROP bites, and so do two changes at once."""
    def test(family):
        select()
        ctl("revalidate=1")
        rules_changed(family, f"{IPT[family]} -w -t {table} -I {chain} -p udp -j DROP", True).close()
        rule(family, f"-R {chain} 1 -p udp --dport 1 -j DROP", table=table)
        flow = Udp(family)
        flow.learn()
        # The tick finds the new table's hook, and sends each flow through the rules for that once more.
        wait(lambda: is_fast(flow), "fast")
        # The second change may put the table where the first one took it from.
        for port in (2, flow.server.getsockname()[1]):
            rule(family, f"-R {chain} 1 -p udp --dport {port} -j DROP", table=table)
        flow.server.settimeout(0.05)

        def is_dropped():
            flow.client.send(b"dropped?")
            try:
                return not flow.server.recv(100)
            except TimeoutError:
                return True
        wait(is_dropped, "the last rule bites", 3)
        equal(stats()["missed_event"], 0, "missed events")
    return both(test)


case_revalidate_mangle_v4, case_revalidate_mangle_v6 = revalidate_table("mangle", "FORWARD")
case_revalidate_raw_v4, case_revalidate_raw_v6 = revalidate_table("raw", "PREROUTING")


# -- neighbours

def frame_to(capture):
    return ":".join(f"{b:02x}" for b in capture.next()[:6])


def neighbour_edited(family):
    """The gateway's entry is replaced by hand: the next frame carries the new address."""
    select()
    flow = learned(Udp(family))
    sent = Capture("r", "r1", lambda f: f.endswith(b"where?"), sent=True)
    for lladdr in ("02:00:00:00:00:99", "02:00:00:00:00:77"):
        run("r", f"ip neigh replace {address(2, family)} lladdr {lladdr} dev r1 nud permanent")
        d = Delta()
        for _ in range(ROUNDS):
            flow.client.send(b"where?")
            equal(frame_to(sent), lladdr, "destination")
        equal(d["hits"], ROUNDS, f"hits {d.changed()}")
    equal(stats()["missed_event"], 0, "missed events")
    sent.close()


case_neighbour_edited_v4, case_neighbour_edited_v6 = both(neighbour_edited)


def neighbour_announced(family):
    """The server's address moves to another MAC, which announces itself, as VRRP does: no packet is lost."""
    select()
    flow = learned(Udp(family))
    sysctl("s", "net.ipv4.conf.s0.arp_notify", 1)
    sysctl("s", "net.ipv6.conf.s0.ndisc_notify", 1)
    for lladdr in ("02:00:00:00:00:99", "02:00:00:00:00:77"):
        run("s", f"ip link set s0 address {lladdr}")
        wait(lambda: lladdr in run("r", f"ip neigh show {address(2, family)} dev r1"), "announcement heard")
        sent = Capture("r", "r1", is_to(flow), sent=True)
        d = Delta()
        for i in range(ROUNDS):
            flow.send(b"to the new one %d" % i)
            equal(frame_to(sent), lladdr, "destination")
        equal(d["hits"], ROUNDS, f"hits {d.changed()}")
        sent.close()
    equal(stats()["missed_event"], 0, "missed events")


def is_to(flow):
    port = struct.pack("!H", flow.server.getsockname()[1])
    return lambda f: (f[36:38] if f[12:14] == b"\x08\x00" else f[56:58]) == port


case_neighbour_announced_v4, case_neighbour_announced_v6 = both(neighbour_announced)


def neighbour_lost(family):
    """Failed or deleted: the next packet takes the stack, which resolves it again."""
    select()
    flow = learned(Udp(family))
    for event in ("change {} dev r1 nud failed", "del {} dev r1"):
        run("r", "ip neigh " + event.format(address(2, family)))
        d = Delta()
        flow.send()
        equal(d["refuse.egress-down"], 1, f"{event}: {d.changed()}")
        learned(flow)
    equal(stats()["missed_event"], 0, "missed events")


case_neighbour_lost_v4, case_neighbour_lost_v6 = both(neighbour_lost)


def gateway_dies(family):
    """The next hop falls silent under accelerated one-way traffic: it is probed, found dead, and left.

    An IPv4 router with fib_multipath_use_neigh then takes the other one. An IPv6 router goes on trying (it asks for
    reachable next hops only as a host, net/ipv6/route.c:ip6_pol_route()); that is its stack's word, and ours.
    """
    far_network(family)
    side = Side("s", family)
    sysctl("r", "net.ipv4.fib_multipath_use_neigh", 1)
    for dev in ("r1", "r3"):
        for key, value in (("delay_first_probe_time", 3), ("base_reachable_time_ms", 10000), ("retrans_time_ms", 100)):
            sysctl("r", f"net.ipv{family}.neigh.{dev}.{key}", value)
    side.run("{ip} route add {dst} nexthop {way} nexthop {new_way}")
    run("r", f"ip -{family} route add {FAR['c', family]} via {address(3, family)}")
    select()
    flow = learned(far_flow(family))
    side.find(flow)
    # It swallows what it gets, and says nothing any more.
    run("s", ["nft", "-f", "-"], text="".join(f"""table netdev dead {{
        chain {hook} {{ type filter hook {hook} device {side.words["host_dev"]} priority 0; policy drop; }}
        }}
        """ for hook in ("ingress", "egress")))
    new = Capture("r", side.new_dev, is_ours, sent=True)
    d = Delta()

    def moved():
        flow.client.send(b"still there?")
        try:
            new.next(0.05)
        except Failure:
            return False
        return True
    wait(lambda: moved() or family == 6 and d["refuse.egress-down"], "the dead gateway is left")
    check(d["hits"] > 0, f"accelerated into the silence: {d.changed()}")
    if family == 6:
        return
    old = Capture("r", side.dev, is_ours, sent=True)
    flow.server.setblocking(True)
    for i in range(ROUNDS):
        flow.client.send(b"after %d" % i)
        check(new.next().endswith(b"after %d" % i), "by the other gateway")
    old.none()
    equal(stats()["missed_event"], 0, "missed events")
    old.close()
    new.close()


case_gateway_dies_v4, case_gateway_dies_v6 = both(gateway_dies)


# -- devices

def mtu_lowered(family):
    """The next packet that does not fit any more is the stack's, which tells the sender."""
    select()
    flow = learned(Udp(family))
    flow.client.setsockopt(*((socket.IPPROTO_IP, 10) if family == 4 else (socket.IPPROTO_IPV6, 23)), 2)  # MTU_DISCOVER
    flow.send(bytes(1400))
    run("r", "ip link set r1 mtu 1300")
    sent = Capture("r", "r1", is_to(flow), sent=True)
    flow.client.send(bytes(1400))

    def told():
        try:
            flow.client.send(bytes(1400))
        except OSError as e:
            return e.errno == errno.EMSGSIZE
        return False
    wait(told, "too big")
    sent.none()
    sent.close()
    flow.client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)      # takes what was told later off
    learned(flow)
    flow.send(bytes(1200))
    equal(stats()["missed_event"], 0, "missed events")


case_mtu_lowered_v4, case_mtu_lowered_v6 = both(mtu_lowered)


def address_deleted(family):
    """The masquerading address goes: the conntrack is deleted, and within a tick nothing leaves with that source."""
    run("r", f"{IPT[family]} -w -t nat -A POSTROUTING -o r1 -j MASQUERADE")
    select()
    flow = learned(Udp(family))
    gone = ADDR["r1", family]
    run("r", f"ip addr del {gone}/{24 if family == 4 else 64} dev r1")
    run("r", f"ip addr add {address(2, family, 9)}/{24 if family == 4 else 64} dev r1" + (" nodad" if family == 6 else ""))
    wait(lambda: gone not in conntrack(f"-L -f ipv{family} -p udp"), "conntrack deleted")
    time.sleep(0.07)        # a tick, within which a deleted conntrack is noticed
    sent = Capture("r", "r1", lambda f: socket.inet_pton(flow.server.family, gone) in f[14:54] and f.endswith(b"whose?"),
                   sent=True)
    for _ in range(ROUNDS):
        flow.client.send(b"whose?")
    for _ in range(ROUNDS):
        got, peer = flow.server.recvfrom(100)
        equal((got, peer[0]), (b"whose?", address(2, family, 9)), "source")
    sent.none()
    sent.close()
    equal(stats()["missed_event"], 0, "missed events")


case_address_deleted_v4, case_address_deleted_v6 = both(address_deleted)


def renamed(family):
    """A new name means nothing to a flow; a device that was down comes back by itself."""
    select()
    flow = learned(Udp(family))
    ip("r", """link set r1 down
        link set r1 name wan
        link set wan up""")
    if family == 6:
        ip("r", "addr replace fd00:2::1/64 dev wan nodad")
    wait(lambda: reachable("r", family, ADDR["s", family]), "the link is back")
    learned(flow)
    check("out=wan" in flows()[0], flows())
    equal(stats()["missed_event"], 0, "missed events")


case_renamed_v4, case_renamed_v6 = both(renamed)


# -- bridges

def bridged(family):
    """The client moves behind a bridge of the gateway: two links to it, one MAC address. Returns the flow."""
    # The client's two devices are one station that roams between two ports.
    for words in ("iptables", "ip6tables"):
        if os.path.exists("/proc/sys/net/bridge"):
            sysctl("r", f"net.bridge.bridge-nf-call-{words}", 0)
    run("r", "ip link add br0 type bridge ageing_time 30000")
    ip(None, "link add c2 netns c type veth peer name r2 netns r")
    # The second is silent for now, but has a carrier.
    sysctl("c", "net.ipv6.conf.c2.disable_ipv6", 1)
    sysctl("c", "net.ipv4.conf.c2.arp_ignore", 1)
    ip("c", f"""link set c2 address {mac('c', 'c0')}
        link set c2 up""")
    ip("r", """addr flush dev r0
        link set r0 master br0
        link set r2 master br0
        addr add 10.0.1.1/24 dev br0
        addr add fd00:1::1/64 dev br0 nodad
        link set r2 up
        link set br0 up""")
    run("c", "ip neigh flush dev c0")
    wait(lambda: reachable("c", family, ADDR["r0", family]), "the bridge")
    wait(lambda: reachable("s", family, ADDR["c", family]), "the client")
    carriers_reported("r")
    select()
    return learned(Udp(family))


def reply_leaves_by(flow, ports):
    """Packets to the client, accelerated but for one at most, and where they leave the bridge."""
    here, there = (Capture("r", dev, lambda f: f.endswith(b"roaming?"), sent=True) for dev in ("r0", "r2"))
    d = Delta()
    for _ in range(ROUNDS):
        flow.server.sendto(b"roaming?", flow.peer)
        for capture, dev in ((here, "r0"), (there, "r2")):
            if dev in ports:
                capture.next()
    here.none()
    there.none()
    check(d["hits"] >= ROUNDS - 1, f"hits {d.changed()}")
    here.close()
    there.close()


def roaming(family):
    """The forwarding table, its edits, a flush, a blocked port: the very next packet leaves by the right port."""
    flow = bridged(family)
    station = mac("c", "c0")
    reply_leaves_by(flow, ["r0"])
    run("r", f"bridge fdb replace {station} dev r2 master static sticky")
    reply_leaves_by(flow, ["r2"])
    run("r", f"bridge fdb del {station} dev r2 master")
    run("r", "ip link set br0 type bridge fdb_flush")
    reply_leaves_by(flow, ["r0", "r2"])
    run("r", "bridge link set dev r2 state 0")       # disabled; blocking is for whoever runs STP
    reply_leaves_by(flow, ["r0"])
    run("r", "bridge link set dev r2 state 3")
    # It roams: the link that it used goes, the same addresses appear on the other, and it speaks first.
    flow.client.setblocking(True)
    gate = ADDR["r0", family]
    run("c", "ip link set c0 down")
    sysctl("c", "net.ipv6.conf.c2.disable_ipv6", 0)
    run("c", "ip addr flush dev c0")
    run("c", f"ip addr add {ADDR['c', family]}/{24 if family == 4 else 64} dev c2" + (" nodad" if family == 6 else ""))
    run("c", f"ip -{family} route add default via {gate}")
    wait(lambda: reachable("c", family, gate), "the gateway, by the other port")
    reply_leaves_by(flow, ["r2"])
    equal(stats()["missed_event"], 0, "missed events")


case_roaming_v4, case_roaming_v6 = both(roaming)


def case_crowd():
    """Neighbours move on both CPUs at once: what is said of them says nothing about a bridge."""
    run(None, "rmmod br_netfilter", ok=False)       # with it, bridges are never skipped
    flow = bridged(4)
    for number in (0, 1):
        run("r", f"ip neigh replace 10.0.2.{50 + number} lladdr 02:00:00:00:00:01 nud stale dev r1")
    d = Delta()

    def move(number):
        """Gratuitous ARP replies (RFC 5227 section 3), each from another station."""
        with ns("s"), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("s0", 0))
            for i in range(5000):
                station = f"02:00:00:00:01:{i % 256:02x}"
                it_is = bytes.fromhex(station.replace(":", "")) + bytes([10, 0, 2, 50 + number])
                sock.send(frame("ff:ff:ff:ff:ff:ff", station, bytes.fromhex("0001080006040002") + it_is + it_is, 0x0806))

    on_each_cpu(move)
    fast(flow)
    equal(d["end.replaced"], 0, f"flows learned anew {d.changed()}")


# -- hooks and queues of others

def others(family):
    """Whatever is hung into the way of a live flow sees every packet from then on: tc, qdisc, nft, both ends."""
    select()
    flow = learned(Udp(family))
    run("r", "tc qdisc add dev r0 clsact")
    run("r", "tc filter add dev r0 ingress matchall action ok")
    run("r", "tc qdisc replace dev r1 root fq")
    run("r", "nft add table netdev look")
    for dev, hook in (("r0", "ingress"), ("r1", "egress")):
        run("r", f"nft add chain netdev look {hook} {{ type filter hook {hook} device {dev} priority 0; }}")
        run("r", f"nft add rule netdev look {hook} meta l4proto udp counter comment {hook}")

    def seen():
        """tc ingress, the queue, nft ingress, nft egress."""
        filters = run("r", "tc -s filter show dev r0 ingress")
        queue = run("r", "tc -s qdisc show dev r1")
        return [int(re.search(r"Sent \d+ bytes (\d+) pkt", filters).group(1)),
                int(re.search(r"qdisc fq .*?Sent \d+ bytes (\d+) pkt", queue, re.S).group(1)),
                nft_counter("look", "ingress"), nft_counter("look", "egress")]
    before, d = seen(), Delta()
    for i in range(20):
        flow.send(b"counted")
    equal(d["hits"], 20, f"hits {d.changed()}")
    after = seen()
    seen_now = [b - a for a, b in zip(before, after)]
    equal(seen_now[2:], [20, 20], "seen by nft, which looks for UDP")
    check(all(20 <= n <= 24 for n in seen_now[:2]), f"seen by tc, which sees neighbour discovery too: {seen_now}")
    run("r", "nft add rule netdev look ingress udp dport != 0 drop")
    d = Delta()
    flow.client.send(b"dropped")
    wait(lambda: nft_counter("look", "ingress") == after[2] + 1, "the dropped one counted")
    equal(d["hits"], 0, "hits")


case_others_v4, case_others_v6 = both(others)


# -- router advertisements

def advertise(dev, lifetime, preference):
    """A router advertisement (RFC 4861 section 4.2, preference: RFC 4191) of the server's end dev."""
    with ns("s"), socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, preference << 3, lifetime, 0, 0),
                    ("ff02::1", 0, 0, socket.if_nametoindex(dev)))


def case_router_advertisement_v6():
    """Two routers advertise themselves; the better one takes its word back, and later the other one."""
    far_network(6)
    for dev in ("r1", "r3"):
        sysctl("r", f"net.ipv6.conf.{dev}.accept_ra", 2)
        sysctl("r", f"net.ipv6.conf.{dev}.accept_ra_defrtr", 1)
    for where, dev in (("s", "s0"), ("s", "s2")):
        sysctl(where, f"net.ipv6.conf.{dev}.forwarding", 1)
    side = Side("s", 6)
    run("r", f"ip -6 route add {FAR['c', 6]} via {address(3, 6)}")

    def routes():
        return re.findall(r"default via \S+ dev (\S+) proto ra", run("r", "ip -6 route show default"))
    for dev, preference in (("s0", 1), ("s2", 0)):
        advertise(dev, 1800, preference)
    wait(lambda: sorted(routes()) == ["r1", "r3"], "both routers known")
    select()
    flow = learned(far_flow(6))

    def taken_back():
        advertise("s0", 0, 1)
        wait(lambda: routes() == ["r3"], "its route is gone")
    with listener() as heard:
        heard.relearn(flow)
        moves_to(flow, side, taken_back, told=lambda: heard.told("ip6"))
    # Again two, and the one that is not in use goes: nothing moves.
    advertise("s0", 1800, 3)
    wait(lambda: sorted(routes()) == ["r1", "r3"], "both routers known")
    learned(flow)

    def other_taken_back():
        advertise("s0", 0, 3)
        wait(lambda: routes() == ["r3"], "its route is gone")
    side.dev, side.new_dev = side.new_dev, side.dev
    moves_to(flow, side, other_taken_back, moves=False)


# -- what a feature is told

# The client is behind two ports of br0. Each line: commands, and what has been reported when each returns.
ROUTED = (
    (("ip neigh replace {server} lladdr 02:00:00:00:00:77 dev r1 nud permanent", "rewritten"),
     ("ip neigh replace {server} lladdr {mac} dev r1 nud reachable", "rewritten")),
    (("ip neigh change {server} dev r1 nud failed", "killed"),),
    (("ip neigh del {server} dev r1", "killed"),),
    (("ip link set r1 mtu 1400", "device"),),
    (("ip link set r1 address 02:00:00:00:00:88", "device"), ("ip link set r1 address {gate}", "device")),
    (("ip addr add {other} dev r1", "{ip}"), ("ip addr del {other} dev r1", "{ip}")),
    (("ip -{family} rule add to {server} table 100", "{ip}"), ("ip -{family} rule del to {server} table 100", "{ip}")),
    (("sysctl -qw net.ipv{family}.conf.all.forwarding=0", "{ip}"), ("sysctl -qw net.ipv{family}.conf.all.forwarding=1", "{ip}")),
)
# The same for both families.
BELOW = (
    (("bridge fdb replace {station} dev r2 master static sticky", "killed"), ("bridge fdb del {station} dev r2 master", "{ip}")),
    (("ip link set br0 type bridge fdb_flush", "paths"),),
    (("bridge link set dev r0 state 0", "bridges"), ("bridge link set dev r0 state 3", "bridges")),
    (("tc qdisc replace dev br0 root fq", "killed"), ("tc qdisc del dev br0 root", "paths")),
    (("tc qdisc add dev r0 clsact", "paths"), ("tc filter add dev r0 ingress matchall action ok", "paths")),
    (("nft add table netdev look", "paths"),
     ("nft add chain netdev look in {{ type filter hook ingress device r0 priority 0; }}", "paths")),
    (("ethtool -K br0 tx off", "paths"),),
    (("ip link set r2 nomaster", "paths"), ("ip link set r2 down", "device")),
)


def reported(family):
    """A feature has been told of each event when its command returns; only a flush, or the end of all, ends the flow."""
    flow = bridged(family)
    # The bridge keeps its address when it loses a port: else the client would use the old one for half a minute.
    run("r", f"ip link set br0 address {mac('r', 'br0')}")
    unheard = groups()
    with listener() as heard:
        heard.relearn(flow)
        words = {"server": address(2, family), "other": address(2, family, 77) + ("/24" if family == 4 else "/64"),
                 "mac": mac("s", "s0"), "gate": mac("r", "r1"), "station": mac("c", "c0"), "family": family, "ip": f"ip{family}"}
        for row in ROUTED + (BELOW if family == 4 else ()):
            for command, key in row:
                with heard.told(key.format(**words)):
                    run("r", command.format(**words))
            wait(lambda: reachable("c", family, ADDR["s", family]), f"the server, after {row}")
            flow.learn()
        for text in ("update_magic", "ifname_group_type=1", "ifname_group_type=0"):
            with heard.told(f"ip{family}"):
                ctl(text)
        ctl("revalidate=1")
        with heard.told(f"ip{family}"):
            run("r", "nft add table inet changed")
        ctl("revalidate=0")
        learned(flow)
        with heard.told(ends=1):
            ctl("flush")
        learned(flow)
        with heard.told(ends=1):
            ctl("disabled=1")
        # No message reports this one, only a counter.
        ctl("disabled=0")
        learned(flow)
        before = heard.counts()[f"ip{family}"]
        run("r", f"ip xfrm policy add src {address(9, family)} dst {address(9, family)} dir fwd action block")
        wait(lambda: heard.counts()[f"ip{family}"] > before, "the policy, a tick later")
        check(groups() != unheard, "IPv4 routes are heard")
    equal(groups(), unheard, "the groups while nobody listens")
    check(not any(g & 0xc0 for g in unheard), f"IPv4 routes and rules are not among them: {unheard}")
    equal(stats()["missed_event"], 0, "missed events")


case_reported_v4, case_reported_v6 = both(reported)
