# SPDX-License-Identifier: GPL-2.0-only
"""Rules of natflow_hwnat for drivers: equal to the kernel's own for the same flow, and what cards make of them."""
import re
import socket

import cards
import links
from links import bridge, bridge_on_vlan, eth, pppoe, pppoe_on_vlan, pvid, trunk, vlan, vlan_on_bridge
from natlab import AT_END, Failure, PATIENCE, bare, check, ctl, equal, ip, insmod, mac, modprobe, ns, rmmod, rule, run, stats, sysctl, wait

NFT = """table inet ft {
    flowtable f { hook ingress priority 0; devices = { DEVICES }; flags offload; }
    chain fl { type filter hook forward priority -10; meta l4proto { tcp, udp } flow add @f; }
}"""
ELSEWHERE = {4: "198.51.100.1", 6: "2001:db8::1"}       # whom clients think that they talk to, where DNAT is
TAGS = {"vlan": 1, "qinq": 2, "bridge_on_vlan": 1, "vlan_on_bridge": 1, "trunk": 1, "pppoe_on_vlan": 1}     # of frames
NUMBER = {"udp": 17, "tcp": 6}
# The halves of ports differ, so that a port in the wrong half or order shows.
NATS = {"route": (0x1b01, None, None), "snat": (0x1b02, 0xabcd, None), "dnat": (0x1b03, None, 0x1234),
        "both": (0x1b04, 0xcdab, 0x3412)}


def qinq(link):
    """802.1Q in 802.1Q: what nf_flow_table has rules for."""
    link.wire()
    ends = []
    for where, dev in ((link.host, link.h), ("r", link.g)):
        ends.append(link.vlan(where, link.vlan(where, dev, 100), 10))
    return ends


def bridge_of_its_own(link):
    """A bridge whose address is none of its ports'."""
    link.wire()
    br = link.bridge(link.g)
    ip("r", f"link set {br} address 02:00:00:00:00:77")
    return link.h, br


def host_port(family, address, port):
    return f"{address}:{port}" if family == 4 else f"[{address}]:{port}"


class Flow:
    """One flow over two links: proto, family, and which NAT it has."""

    def __init__(self, lan, wan, proto, family, nat, sport):
        self.lan, self.wan, self.proto, self.family = lan, wan, proto, family
        self.said, snat, dnat = NATS[nat]
        self.client_end = lan.address(family, 2), sport
        self.server_end = wan.address(family, 2), dnat or self.said
        self.called = (ELSEWHERE[family] if dnat else self.server_end[0]), self.said
        self.seen = (wan.address(family, 1), snat) if snat else self.client_end
        for chain, to, where in (("PREROUTING", dnat and self.server_end, f"-i {lan.dev}"),
                                 ("POSTROUTING", snat and self.seen, f"-o {wan.dev} --dport {self.server_end[1]}")):
            if to:
                target = "DNAT --to-destination" if chain == "PREROUTING" else "SNAT --to-source"
                port = f"--dport {self.said}" if chain == "PREROUTING" else ""
                rule(family, f"-A {chain} -p {proto} {port} {where} -j {target} {host_port(family, *to)}", table="nat")
        self.server, self.client = cards.sockets(family, proto)
        for sock, end in ((self.server, self.server_end), (self.client, self.client_end)):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(end)
        if proto == "tcp":
            self.server.listen()
        self.client.connect(self.called)
        if proto == "tcp":
            self.server, peer = self.server.accept()
            self.server.settimeout(PATIENCE)
            self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            equal(peer[:2], self.seen, f"{self}: the client as the server sees it")

    def exchange(self, rounds=2):
        for i in range(rounds):
            self.client.send(b"forth%d" % i)
            got, peer = self.server.recvfrom(100)
            equal(got, b"forth%d" % i, f"{self}: at the server")
            if self.proto == "udp":
                equal(peer[:2], self.seen, f"{self}: the client as the server sees it")
                self.server.sendto(b"back%d" % i, peer)
            else:
                self.server.send(b"back%d" % i)
            equal(self.client.recv(100), b"back%d" % i, f"{self}: at the client")

    def described(self, number):
        """The line for /proc/natrule."""
        tuples = [str(x) for end in (self.client_end, self.called, self.seen, self.server_end) for x in end]
        with ns("r"):
            g = {dev: socket.if_nametoindex(dev) for l in (self.lan, self.wan) for dev in (l.g, l.dev)}
        hop = {l: "00:00:00:00:00:00" if "pppoe" in l.kind else mac(l.host, l.host_dev) for l in (self.lan, self.wan)}
        ways = [f"{g[a.g]} {g[a.dev]} {g[b.dev]} {hop[b]}" for a, b in ((self.lan, self.wan), (self.wan, self.lan))]
        return f"add {number} {self.family} {NUMBER[self.proto]} {' '.join(tuples)} {' '.join(ways)}"

    def __str__(self):
        return f"{self.lan.kind} x {self.wan.kind} {self.proto} IPv{self.family} to {self.said:x}"


def word(line):
    """Tell natrule.ko something; what it says."""
    with ns("r"):
        with open("/proc/natrule", "w") as f:
            f.write(line)
    with open("/proc/natrule") as f:
        return f.read().split()


def two_links(lan, wan, driver="generic"):
    links.gateway()
    cards.insert(driver)
    insmod("/lab/natrule.ko")
    AT_END.append(lambda: rmmod("natrule"))
    pair = links.make(lan, "c", 1, 1), links.make(wan, "s", 2, 1)
    rule(4, "-F POSTROUTING", table="nat")
    return pair


def flows_of(lan, wan, nats=tuple(NATS), families=(4, 6), protos=("udp", "tcp")):
    return [Flow(lan, wan, proto, family, nat, 0x8001 + i)
            for i, nat in enumerate(nats) for family in families for proto in protos]


def kernels_rules(flows, lan, wan):
    """What nf_flow_table tells the cards of these flows: each rule to both, whose card is the one of META."""
    modprobe("nf_flow_table", "nf_flow_table_inet", "nft_flow_offload")
    run("r", ["nft", "-f", "-"], text=NFT.replace("DEVICES", f"{lan.g}, {wan.g}"))

    def all_told():
        for flow in flows:
            flow.exchange(1)
        return len(cards.rules()) == 4 * len(flows)
    wait(all_told, "nf_flow_table tells both cards of all flows")
    with ns("r"):
        own = [f"{link.g} meta={socket.if_nametoindex(link.g)}/" for link in (lan, wan)]
    told = [r for r in cards.rules() if r.startswith(tuple(own))]
    run("r", "nft delete table inet ft")
    wait(lambda: not cards.callbacks(), "nf_flow_table unbinds")
    cards.say("forget")     # it does so before it would delete its rules
    return told


def same(lan_kind, wan_kind):
    """Our rules are the kernel's; the cards forward all by them, right bytes, and nothing is left."""
    lan, wan = two_links(lan_kind, wan_kind)
    flows = flows_of(lan, wan)
    told = kernels_rules(flows, lan, wan)
    bind(lan, wan)
    for i, flow in enumerate(flows):
        equal(word(flow.described(i)), ["ok", "0", "0"], f"{flow}")
    ours = cards.rules()
    # nf_flow_rule_match() fills the keys of tags and does not say that they are used (6.1 to 7.3): ours says so.
    equal([re.sub(" c?vlan=[^ ]*", "", r) for r in ours], told, "our rules beside the kernel's")
    for link in (lan, wan):
        tags = sum(d.startswith(link.g + " ") and len(re.findall(" c?vlan=", d)) for d in ours)
        equal(tags, TAGS.get(link.kind, 0) * len(flows), f"tags that rules of {link.g} name")
    before = cards.counted()
    for flow in flows:
        if flow.proto == "udp":
            flow.exchange(5)
    after = cards.counted()
    for dev in (lan.g, wan.g):
        # A neighbour's probe may come between; a frame of ours may not.
        equal(after[dev][0] - before[dev][0], 5 * len(flows) // 2, f"frames that {dev} forwarded")
    for i in range(len(flows)):
        wanted = ["0", "0", "5", "5"] if flows[i].proto == "udp" else None
        got = word(f"stats {i}")
        check(not wanted or [got[j] for j in (0, 1, 2, 4)] == wanted, f"{flows[i]}: STATS says {got}")
        equal(word(f"del {i}")[:2], ["0", "0"], f"{flows[i]}: DESTROY")
    nothing_left(lan, wan)


for _lan, _wan in ((eth, eth), (vlan, qinq), (bridge, pppoe), (pvid, vlan), (trunk, pppoe_on_vlan),
                   (vlan_on_bridge, eth), (bridge_on_vlan, eth)):
    globals()[f"case_same_{_lan.__name__}_{_wan.__name__}"] = bare(lambda a=_lan, b=_wan: same(a, b))


def bind(*some):
    for link in some:
        equal(word(f"bind {link.g}"), ["ok"], f"bind {link.g}")


def nothing_left(*some):
    equal(cards.rules(), [], "rules at the end")
    for link in some:
        equal(word(f"unbind {link.g}"), ["ok"], f"unbind {link.g}")
    equal(cards.callbacks(), 0, "callbacks at the end")


def judged(driver, lan_kind, wan_kind, **wanted):
    """What check() says of each kind of flow; the driver takes all that it lets through."""
    lan, wan = two_links(lan_kind, wan_kind, driver)
    bind(lan, wan)
    flows = flows_of(lan, wan, ("route", "both"))
    for i, flow in enumerate(flows):
        flow.exchange(1)
        reason = wanted.get(f"v{flow.family}_{'nat' if flow.said & 4 else 'route'}", "ok")
        equal(word(flow.described(i)), [reason, "0", "0"], f"{driver}: {flow}")
        if reason == "ok":
            def forwards(flow=flow):
                flow.exchange(10)
                return cards.bound() == 2
            wait(forwards, f"{driver}: both directions of {flow} are forwarded")
            if flow.proto == "udp":
                before = cards.counted()
                flow.exchange(5)
                after = cards.counted()
                equal([after[l.g][0] - before[l.g][0] for l in (lan, wan)], [5, 5], f"{driver}: frames of {flow}")
            equal(word(f"del {i}")[:2], ["0", "0"], f"{driver}: DESTROY of {flow}")
    equal([c for c in cards.calls() if c[3]], [], f"{driver}: calls that failed")
    nothing_left(lan, wan)


@bare
def case_mtk():
    """Two headers; no NAT of IPv6; forwards after 30 packets in a second."""
    judged("mtk", vlan, pppoe_on_vlan, v6_nat="nat66")


@bare
def case_airoha():
    """As mtk; in IPv6 frames the card's own address is the source, which it is here."""
    judged("airoha", eth, qinq, v6_nat="nat66")


@bare
def case_mlx5():
    """NAT of IPv6, too."""
    judged("mlx5", vlan, qinq)


@bare
def case_mlx5_pppoe():
    """No PPPoE: in neither direction of any flow."""
    judged("mlx5", eth, pppoe, v4_route="encap", v4_nat="encap", v6_route="encap", v6_nat="encap")


@bare
def case_airoha_source():
    """A bridge with an address of its own: airoha would send the card's."""
    judged("airoha", eth, bridge_of_its_own, v6_nat="nat66", v6_route="source-mac")


@bare
def case_answers():
    """Every answer of a driver that may come: an error of REPLACE is told, a lost entry is gone, a foreign block is busy."""
    lan, wan = two_links(eth, eth)
    flow = flows_of(lan, wan, ("snat",), (4,), ("udp",))[0]
    flow.exchange(1)
    cards.say("fail bind 1 -16")
    equal(word(f"bind {lan.g}"), ["busy"], "BIND says EBUSY")
    cards.say("fail bind 1 -95")
    equal(word(f"bind {lan.g}"), ["no-ft"], "BIND says EOPNOTSUPP")
    bind(lan, wan)
    line = flow.described(1)
    equal(word(line.replace(" 4 17 ", " 4 47 ", 1)), ["protocol", "0", "0"], "GRE, which mtk_ppe_offload.c would store as TCP")
    for err in (-28, -12, -95):
        cards.say(f"fail replace 2 {err}")
        equal(word(line), ["ok", "0", str(err)], "the second REPLACE fails")
        equal(word("del 1")[:2], ["0", "0"], "DESTROY, of a cookie that the driver does not know, too")
    equal(word(line), ["ok", "0", "0"], "REPLACE")
    equal(word(line), ["ok", "0", "0"], "REPLACE of cookies that the driver has: EEXIST, DESTROY, REPLACE")
    equal(len(cards.rules()), 2, "rules")
    for err in (-2, -22):
        cards.say(f"fail stats 1 {err}")
        equal(word("stats 1")[:2], ["-2", "0"], "STATS of a lost entry")
    cards.say("fail destroy 1 -2")
    equal(word("del 1")[:2], ["0", "0"], "DESTROY of a lost entry")
    run("r", f"ethtool -K {lan.g} hw-tc-offload off")
    equal(word(line), ["hw-tc-off", "0", "0"], "hw-tc-offload off")
    run("r", f"ethtool -K {lan.g} hw-tc-offload on")
    equal(word(line), ["ok", "0", "0"], "hw-tc-offload on again")
    equal(word("del 1")[:2], ["0", "0"], "DESTROY")
    nothing_left(lan, wan)


@bare
def case_empty_bind():
    """A driver whose BIND succeeds and adds no callback has no flow table."""
    lan, _wan = two_links(eth, eth, "netdevsim")
    equal(word(f"bind {lan.g}"), ["no-ft"], "bind")


def sums(family):
    """Packets and bytes of both directions of every flow's conntrack."""
    lines = [l for l in run("r", f"conntrack -L -f ipv{family}").splitlines() if re.search(r"dport=691[3-6] ", l)]
    return sorted(re.findall(r"packets=(\d+) bytes=(\d+)", "\n".join(lines)))


def engine(lan_kind, wan_kind):
    """natflow_hwnat.ko itself: fast flows pass by the cards, bytes right, and are counted once; off, and no rule is left."""
    links.gateway()
    cards.insert()
    run(None, "insmod /lab/natflow_hwnat.ko backend=flowblk")
    AT_END.append(lambda: rmmod("natflow_hwnat"))
    lan, wan = links.make(lan_kind, "c", 1, 1), links.make(wan_kind, "s", 2, 1)
    rule(4, "-F POSTROUTING", table="nat")
    sysctl("r", "net.netfilter.nf_conntrack_acct", 1)
    for family in (4, 6):
        rule(family, "-A FORWARD -j FLOWOFFLOAD --hw")
    flows = flows_of(lan, wan, protos=("udp",))
    sent = 0

    def in_hardware():
        nonlocal sent
        for flow in flows:
            flow.exchange(20)
        sent += 20
        return stats("r", "natflow_hwnat")["state.bound"] == len(flows)
    try:
        wait(in_hardware, "all flows are in hardware")
    except Failure as e:
        raise Failure(f"{e}: {stats('r', 'natflow_hwnat')}") from None
    equal(len(cards.rules()), 2 * len(flows), "rules")
    before = cards.counted()
    for flow in flows:
        flow.exchange(10)
    sent += 10
    after = cards.counted()
    for link in (lan, wan):
        equal(after[link.g][0] - before[link.g][0], 10 * len(flows), f"frames that {link.g} forwarded")
    ctl("hwnat=0")
    equal(cards.rules(), [], "rules once hwnat=0 was written")
    # "forth%d" and "back%d" with the IP and UDP headers; each number of one or two digits.
    rounds = lambda word, header: sum(header + 8 + len(f"{word}{i}") for n in ([20] * ((sent - 10) // 20) + [10]) for i in range(n))
    for family, header in ((4, 20), (6, 40)):
        want = sorted((str(sent), str(rounds(w, header))) for w in ("forth", "back") for _ in range(len(flows) // 2))
        wait(lambda: sums(family) == want, f"IPv{family}: conntrack has {sums(family)}, sent were {want}", 20)


@bare
def case_engine_eth_eth():
    engine(eth, eth)


@bare
def case_engine_vlan_pppoe():
    engine(vlan, pppoe)


@bare
def case_engine_pvid_qinq():
    engine(pvid, qinq)
