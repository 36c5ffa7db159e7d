# SPDX-License-Identifier: GPL-2.0-only
"""Events and flows in hardware, on cards that forward by rules (natnic.ko): the entry goes with what made it right, no packet
leaves by the old way afterwards, traffic goes on, and the flow comes back."""
import errno
import socket
import struct
import threading
import time

import cards
import links
import urls
from access import INFO, USER, ZONE, clock, lines
from cards import hwnat
from links import eth
from natlab import (AT_END, PATIENCE, Capture, bare, both, check, ctl, drain, equal, insmod, ip, mac, modprobe, netns_del, published, refuses,
                    rmmod, rule, run, start, stats, sysctl, wait)

BURST = 20              # round trips: 15 of them fall into one of natflow's half seconds
VETH = links.Link.wire     # a cable without cards
NFT = "table inet ft {\nflowtable f {\nhook ingress priority 0\ndevices = { %s, %s }\nflags offload\n}\n}\n"
SOON = 3                # seconds for what is told in atomic context, or by nobody


def load():
    insmod("/lab/natflow_hwnat.ko")
    AT_END.append(lambda: rmmod("natflow_hwnat"))


def home(lan=eth, wan=eth, driver="generic", ports=2, hw="--hw"):
    """A gateway between two cards, which selects all flows."""
    links.gateway()
    cards.insert(driver, ports)
    load()
    pair = links.make(lan, "c", 1, 1), links.make(wan, "s", 2, 1)
    for family in (4, 6):
        rule(family, f"-A FORWARD -j FLOWOFFLOAD {hw}")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    return pair


class Flow:
    """One flow of connected sockets, between two links' hosts."""

    def __init__(self, lan, wan, family, proto="udp", port=0, known=True):
        self.family, self.proto, self.lan, self.wan = family, proto, lan, wan
        self.server, self.client = cards.sockets(family, proto)
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind((wan.address(family, 2), port))
        self.port = self.server.getsockname()[1]
        if proto == "tcp":
            self.server.listen()
        self.client.bind((lan.address(family, 2), 0))
        self.client.connect((wan.address(family, 2), self.port))
        self.peer = None
        if proto == "tcp":
            self.server, self.peer = self.server.accept()
            self.server.settimeout(PATIENCE)
            for sock in (self.server, self.client):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data=b"forth"):
        self.client.send(data)
        got, peer = self.server.recvfrom(70000)
        equal(got, data, f"{self}: at the server")
        self.peer = peer or self.peer

    def reply(self, data=b"back"):
        if self.proto == "udp":
            self.server.sendto(data, self.peer)
        else:
            self.server.send(data)
        equal(self.client.recv(70000), data, f"{self}: at the client")

    def exchange(self, rounds=BURST):
        for i in range(rounds):
            self.send(b"forth %d" % i)
            self.reply(b"back %d" % i)
        return self

    def match(self, frame):
        """Is it a frame of this flow to the server?"""
        l3 = 14 + 4 * (frame[12:14] == b"\x81\0")
        l4 = l3 + (20 if self.family == 4 else 40)
        proto = frame[l3 + (9 if self.family == 4 else 6)] if len(frame) > l4 else 0
        return proto == (17 if self.proto == "udp" else 6) and frame[l4 + 2:l4 + 4] == struct.pack("!H", self.port)

    def __str__(self):
        return f"{self.proto} IPv{self.family}"


def in_hardware(*flows):
    """They are fast until all are bound; from then on no packet of theirs comes to the CPU."""
    def bound():
        for flow in flows:
            flow.exchange()
        return hwnat()["state.bound"] == len(flows) and len(cards.rules()) == 2 * len(flows)
    wait(bound, f"{len(flows)} flows are in hardware: { {k: v for k, v in hwnat().items() if v} }", 20)
    before = by_cards()
    for flow in flows:
        flow.exchange(5)
    passed, want = by_cards() - before, 10 * len(flows)
    check(passed == want or passed > want and flows[0].proto == "tcp", f"cards forwarded {passed} frames, want {want}, and TCP's ACKs")


def by_cards():
    """Frames that cards have forwarded without the CPU."""
    return cards.forwarded()[0]


def is_out(what):
    """No entry is left now; nothing is forwarded by one."""
    equal(cards.rules(), [], f"rules after {what}")


def goes_on(flow, what):
    """In software, bytes right: no frame more by a card, until it is offered again."""
    before = by_cards()
    flow.exchange(2)
    equal(by_cards() - before, 0, f"frames by cards after {what}")


def takes(flow, event, what):
    """The entry is gone when the command returned; traffic goes on, and the flow comes back."""
    in_hardware(flow)
    event()
    is_out(what)
    goes_on(flow, what)


def takes_soon(flow, event, what):
    """The same of what is told in atomic context, or by nobody: the worker, or the poll, deletes the entry."""
    in_hardware(flow)
    removals = hwnat()["removals"]
    event()
    wait(lambda: hwnat()["removals"] > removals and not cards.rules(), f"the entry goes after {what}", SOON)
    goes_on(flow, what)


def leaves(flow, event, what):
    """The event is another one's: the entry stays, and every packet passes by the cards."""
    in_hardware(flow)
    removals, told = hwnat()["removals"], len(cards.calls())
    before = by_cards()
    event()
    flow.exchange(5)
    # The worker has run: it answers for the event before it takes an offer.
    other = Flow(flow.lan, flow.wan, flow.family)
    wait(lambda: other.exchange() and hwnat()["state.bound"] == 2, "another flow is in hardware")
    flow.exchange(5)
    check(by_cards() - before >= 20, f"frames by cards after {what}")
    equal((hwnat()["removals"], [c for c in cards.calls()[told:] if c[0] == "destroy"]), (removals, []), f"entries deleted after {what}")
    run("r", f"conntrack -D -f ipv{flow.family} -p udp --dport {other.port}")
    wait(lambda: len(cards.rules()) == 2, "the other flow is over", SOON)


def nothing_left():
    check(rmmod("natflow_hwnat"), "unloads")
    equal((cards.rules(), cards.callbacks()), ([], 0), "rules, callbacks at the end")


def each(test, families=(4, 6), **kind):
    """A case for the families, one after the other at one gateway; nothing is left at its end."""
    @bare
    def case():
        lan, wan = home(**kind)
        rule(4, "-F POSTROUTING", table="nat")
        for family in families:
            test(lan, wan, family)
            ctl("flush")
            is_out("flush")
        nothing_left()
    case.__doc__ = test.__doc__
    return case


# -- what natflow itself decides

def users(lan, wan):
    ctl("users=1")
    ctl(f"lan_zone 1={lan.dev}\nwan_zone 2={wan.dev}", device=ZONE)
    sysctl("r", "net.ipv4.icmp_ratelimit", 0)
    sysctl("r", "net.ipv6.icmp.ratelimit", 0)
    ctl("timezone=UTC0\ndisabled=0", device=USER)


def refused(flow, what):
    """Neither the CPU nor a card forwards it."""
    before = by_cards()
    drain(flow.client, flow.server)
    flow.client.send(b"no")
    refuses(lambda: flow.client.recv(1), errno.EHOSTUNREACH, errno.EACCES)
    equal(by_cards() - before, 0, f"frames by cards after {what}")
    flow.server.setblocking(False)
    refuses(lambda: flow.server.recv(1), errno.EAGAIN)
    flow.server.settimeout(PATIENCE)


def policies(lan, wan, family):
    """kick, flush, a policy, a status: each takes the entry before the write returned; who is let in again comes back."""
    if family == 4:
        users(lan, wan)
    flow = Flow(lan, wan, family)
    me = mac("c", lan.host_dev)
    for device, line in ((INFO, f"kick {lan.address(family, 2)}"), (INFO, "kickall"), ("/dev/natflow_ctl", "flush"),
                         ("/dev/natflow_ctl", "update_magic")):
        takes(flow, lambda: ctl(line, device=device), line)
    for device, block, free in ((USER, f"policy name=p,verdict=block\nbind policy=p,device={me}", "policy_clean"),
                                (INFO, f"set-status {lan.address(family, 2)} 6", f"set-status {lan.address(family, 2)} 0")):
        in_hardware(flow)
        ctl(block, device=device)
        is_out(block)
        refused(flow, block)
        ctl(free, device=device)
        drain(flow.client)
    in_hardware(flow)


case_policies = each(policies)


@bare
def case_quota():
    """A quota that is nearly used up takes the flow out of hardware (watched): its end is as exact as in software."""
    lan, wan = home()
    users(lan, wan)
    flow = Flow(lan, wan, 4)
    me = mac("c", lan.host_dev)
    ctl(f"policy name=p,volume=1000000000/day\nbind policy=p,device={me}", device=USER)
    in_hardware(flow)
    at, = {line.split("at=")[1].split()[0] for line in lines("restore") if f"device={me} period=day" in line}
    ctl(f"restore device={me} period=day at={at} volume=998000000 minutes=1", device=USER)
    wait(lambda: flow.exchange(1) and not cards.rules(), "the entry goes", SOON)
    wait(lambda: flow.exchange() and hwnat()["refused.watched"], "the reason")
    flow.server.settimeout(5)
    for _ in range(3000):
        try:
            flow.client.send(bytes(1400))
            flow.server.recv(2000)
        except OSError:
            break
    else:
        check(False, f"nothing was refused: {hwnat()}")
    is_out("the quota is used up")
    refused(flow, "the quota is used up")


@bare
def case_schedule():
    """A policy whose schedule begins takes the entry with the minute."""
    lan, wan = home()
    users(lan, wan)
    flow = Flow(lan, wan, 4)
    with clock() as at:
        at("2026-11-25 10:00:00")
        ctl(f"policy name=p,schedule=mon-sun 10:05-10:10,verdict=block\nbind policy=p,device={mac('c', lan.host_dev)}", device=USER)
        in_hardware(flow)
        at("2026-11-25 10:06:00")
        wait(lambda: not cards.rules(), "the entry goes", SOON)
        refused(flow, "the schedule began")
        at("2026-11-25 10:11:00")
        wait(lambda: stats()["hooked"] and not refuses_now(flow), "the schedule is over")
        in_hardware(flow)


def refuses_now(flow):
    drain(flow.client, flow.server)
    flow.server.settimeout(0.5)
    try:
        flow.client.send(b"?")
        return not flow.server.recv(1)
    except OSError:
        return True
    finally:
        flow.server.settimeout(PATIENCE)


def is_quiet(*conns):
    """No acknowledgement is due."""
    socks = [sock for conn in conns for sock in (conn.client, conn.server)]
    return not any(struct.unpack_from("=I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64), 24)[0] for sock in socks)


def block(lan, wan, family):
    """A name that is blocked later ends its connection in hardware before the write returned; another one goes on there."""
    urls.enable()
    log = urls.Log(version=3)
    conns = [Flow(lan, wan, family, "tcp") for _ in range(2)]
    for conn, name in zip(conns, (f"cut{family}.example", "stays.example")):
        conn.send(urls.hello(name))
        conn.reply()
    log.wait(2)
    in_hardware(*conns)
    wait(lambda: is_quiet(*conns), "all is acknowledged")
    urls.acl(f"add acl={family},2,cut{family}.example")
    equal(len(cards.rules()), 2, "rules after the block")
    before = by_cards()
    conns[0].client.send(b"more")
    refuses(lambda: conns[0].client.recv(1), errno.ECONNRESET)
    refuses(lambda: conns[0].server.recv(1), errno.ECONNRESET)
    equal(by_cards() - before, 0, "frames by cards after the block")
    conns[1].exchange(5)
    check(by_cards() > before, "the other connection passes by the cards")


case_block = each(block)


# -- routes, neighbours, devices

class Second:
    """Another way to the server, by a third card; made once."""
    link = None

    @classmethod
    def of(cls, family):
        if family == 4:
            cls.link = links.make(eth, "s", 2, 2)
            rule(4, "-F POSTROUTING", table="nat")
        return cls.link


def route(lan, wan, family):
    """A route elsewhere leaves the entry. Another next hop, another device, a rule take it: no frame leaves by the old way."""
    other = Second.of(family)
    wide = 24 if family == 4 else 64
    elsewhere = "10.77.0.0/24" if family == 4 else "fd77::/64"
    back = f"{lan.address(family, 2)}/{32 if family == 4 else 128}"
    flow = Flow(lan, wan, family)
    for command in (f"ip -{family} route add {elsewhere} dev {wan.dev}", f"ip -{family} route del {elsewhere} dev {wan.dev}",
                    f"ip -{family} rule add pref 700 to {elsewhere} table main", f"ip -{family} rule del pref 700"):
        leaves(flow, lambda: run("r", command), command)
    target = f"{wan.address(family, 2)}/{32 if family == 4 else 128}"
    # Another next hop, by another device; and replies take the same way, else hardware refuses the flow.
    in_hardware(flow)
    seen = Capture("s", wan.host_dev, flow.match)
    removals = hwnat()["removals"]
    run("r", f"ip -{family} route add {target} via {other.address(family, 2)} dev {other.dev}")
    wait(lambda: hwnat()["removals"] > removals, "the entry goes", SOON)
    run("s", f"ip -{family} route add {back} via {other.address(family, 1)} dev {other.host_dev}")
    in_hardware(flow)
    check(all(f"redirect={lan.g}" in r or f"redirect={other.g}" in r for r in cards.rules()), f"{cards.rules()}")
    seen.none()
    seen.close()
    # By policy, with the next hop of that table (T12).
    run("s", f"ip -{family} route del {back}")
    takes_by(flow, family, f"ip -{family} route del {target} via {other.address(family, 2)}", wan)
    run("r", f"ip -{family} route add {target} via {other.address(family, 2)} dev {other.dev} table 100")
    run("s", f"ip -{family} route add {back} via {other.address(family, 1)} dev {other.host_dev}")
    takes_by(flow, family, f"ip -{family} rule add pref 700 from {lan.address(family, 0)}/{wide} table 100", other)
    hop = mac("s", other.host_dev).replace(":", "")
    check(any(f"redirect={other.g}" in r and f"eth+0:{hop[:8]}" in r for r in cards.rules()), f"{hop}: {cards.rules()}")


def takes_by(flow, family, command, wan):
    """The command takes the entry; the next one is by that link."""
    removals = hwnat()["removals"]
    run("r", command)
    wait(lambda: hwnat()["removals"] > removals and not cards.rules(), f"the entry goes after {command}", SOON)
    in_hardware(flow)
    check(any(f"redirect={wan.g}" in r for r in cards.rules()), f"after {command}: {cards.rules()}")


case_route = each(route, ports=3)


def elsewhere(lan, wan, family):
    """Devices and neighbours that are no flow's come, change and go: the entry stays."""
    modprobe("dummy", "bridge", "veth")
    flow = Flow(lan, wan, family)
    other = ".".join(wan.address(4, 2).split(".")[:3]) + ".77" if family == 4 else wan.address(6, 2) + "77"

    def event():
        ip("r", """link add other type dummy
            link set other up
            addr add 10.77.0.1/24 dev other
            addr add fd77::1/64 dev other nodad
            link add other1 type veth peer name other2
            link set other1 up
            link set other2 up
            link add otherb type bridge
            link set other1 master otherb
            link set otherb up""")
        for n in (1, 2):
            run("r", f"ip neigh replace {other} lladdr 02:00:00:00:00:0{n} dev {wan.dev} nud permanent")
        ip("r", f"""neigh del {other} dev {wan.dev}
            link set other mtu 1400
            link set other address 02:00:00:00:00:07
            link set otherb down
            link set other down
            link del otherb
            link del other1
            link del other""")
    leaves(flow, event, "other devices and neighbours")


case_elsewhere = each(elsewhere)


def neighbour(lan, wan, family):
    """A next hop gets another address, and is forgotten: no frame goes to the old address."""
    flow, gate, new = Flow(lan, wan, family), wan.address(family, 2), f"02:00:00:00:00:9{family}"
    old = mac("s", wan.host_dev)
    in_hardware(flow)
    removals = hwnat()["removals"]
    ip("s", f"link set {wan.host_dev} promisc on address {new}")
    run("r", f"ip neigh replace {gate} lladdr {new} dev {wan.dev} nud permanent")
    wait(lambda: hwnat()["removals"] > removals, "the entry goes", SOON)
    seen = Capture("s", wan.host_dev, lambda f: flow.match(f) and f[:6].hex(":") == old)
    in_hardware(flow)
    check(any(new.replace(":", "")[:8] in r for r in cards.rules()), f"{cards.rules()}")
    seen.none()
    seen.close()
    takes_soon(flow, lambda: run("r", f"ip neigh del {gate} dev {wan.dev}"), "ip neigh del")
    in_hardware(flow)


case_neighbour = each(neighbour, families=(4,))


def mtu(lan, wan, family):
    """Packets above the MTU of a device get an answer from the stack; below the MTU of a route no card can be told: `mtu`."""
    flow, before = Flow(lan, wan, family), hwnat()["refused.mtu"]
    limit, option, value = (1300, 10, 2) if family == 4 else (1300, 23, 2)      # IP_MTU_DISCOVER, IPV6_MTU_DISCOVER: DO
    flow.client.setsockopt(socket.IPPROTO_IP if family == 4 else socket.IPPROTO_IPV6, option, value)
    big = bytes(1350)
    in_hardware(flow)
    flow.send(big)

    def too_big(what):
        before = by_cards()
        drain(flow.server)
        run("c", f"ip -{family} route flush cache", ok=False)
        flow.client.send(big)
        refuses(lambda: flow.client.recv(1), errno.EMSGSIZE)
        flow.server.setblocking(False)
        refuses(lambda: flow.server.recv(1), errno.EAGAIN)
        flow.server.settimeout(PATIENCE)
        equal(by_cards() - before, 0, f"frames by cards above {what}")
    takes(flow, lambda: run("r", f"ip link set {wan.dev} mtu {limit}"), "mtu")
    in_hardware(flow)
    too_big("the device's MTU")
    run("r", f"ip link set {wan.dev} mtu 1500")
    if family == 6:
        wait(lambda: links.reachable("r", 6, wan.address(6, 2)), "IPv6 is back")
    run("c", f"ip -{family} route flush cache", ok=False)
    in_hardware(flow)
    takes_soon(flow, lambda: run("r", f"ip -{family} route add {wan.address(family, 2)} dev {wan.dev} mtu {'lock' if family == 6 else ''} {limit}"), "a route's MTU")
    wait(lambda: flow.exchange() and hwnat()["refused.mtu"] > before, "the reason")
    too_big("the route's MTU")


case_mtu = each(mtu)


def devices(lan, wan, family):
    """Down, another address, and the end of a device under load: the entry goes before the command returned."""
    flow = Flow(lan, wan, family)
    in_hardware(flow)
    run("r", f"ip link set {wan.dev} address 02:00:00:00:77:0{family}")
    is_out("another address")
    run("s", "ip neigh flush all")
    wait(lambda: links.reachable("s", family, wan.address(family, 1)), "reachable again")
    in_hardware(flow)
    run("r", f"ip link set {wan.dev} down")
    is_out("down")
    # IPv6 addresses go with it.
    ip("r", f"link set {wan.dev} up\naddr replace {wan.address(6, 1)}/64 dev {wan.dev} nodad")
    wait(lambda: links.reachable("r", family, wan.address(family, 2)), "reachable again")
    in_hardware(flow)


case_devices = each(devices)


def roam(family):
    """A station moves to another port of the bridge: no frame goes to the old port any more."""
    lan, wan = home(links.bridge, ports=3)
    flow = Flow(lan, wan, family)
    ip(None, "link set nic2 netns r\nlink set wire2 netns c")
    # A bridge takes the least address of its ports, unless it was given one.
    ip("r", f"link set {lan.dev} address {mac('r', lan.dev)}\nlink set nic2 master {lan.dev} up")
    # The station has both radios on: what arrives at the old one is seen.
    me, address = mac("c", lan.host_dev), lan.address(family, 2)
    in_hardware(flow)
    removals = hwnat()["removals"]
    wide = 24 if family == 4 else 64
    ip("c", f"""addr del {address}/{wide} dev {lan.host_dev}
        link set wire2 address {me} up
        addr add {address}/{wide} dev wire2 {'nodad' if family == 6 else ''}
        route add default via {lan.address(family, 1)} dev wire2 metric 1""")
    sysctl("c", f"net.ipv6.conf.{lan.host_dev}.disable_ipv6", 1)        # its answers to neighbours would call the station back
    seen = Capture("c", lan.host_dev, lambda f: f[:6].hex(":") == me and f[12:14] in (b"\x08\0", b"\x86\xdd"))
    flow.send(b"from the new place")
    wait(lambda: hwnat()["removals"] > removals, "the entry goes", SOON)
    in_hardware(flow)
    check(any("redirect=nic2" in r for r in cards.rules()), f"{cards.rules()}")
    seen.none()
    seen.close()


case_roam_v4, case_roam_v6 = (bare(case) for case in both(roam))


@bare
def case_bridge_vlan():
    """A port of a filtering bridge loses its VLAN: the entry goes, and comes back with it."""
    lan, wan = home(links.pvid)
    flow = Flow(lan, wan, 4)
    in_hardware(flow)
    run("r", f"bridge vlan del dev {lan.g} vid 10")
    wait(lambda: not cards.rules(), "the entry goes", SOON)
    before = by_cards()
    flow.client.send(b"nowhere")
    run("r", f"bridge vlan add dev {lan.g} vid 10 pvid untagged")
    wait(lambda: links.reachable("r", 4, lan.address(4, 2)), "the VLAN is back")
    drain(flow.server)
    flow.send(b"somewhere")
    equal(by_cards() - before, 0, "frames by cards meanwhile")
    in_hardware(flow)


# -- conntrack and TCP

def conntracks(lan, wan, family):
    """conntrack -D and -F: nobody is told of them; the entry goes within a second and a half."""
    flow = Flow(lan, wan, family)
    for command in (f"conntrack -D -f ipv{family} -p udp --dport {flow.port}", "conntrack -F"):
        in_hardware(flow)
        begun = time.monotonic()
        run("r", command)
        wait(lambda: not cards.rules(), f"the entry goes after {command}", SOON)
        print(f"# {command}: {(time.monotonic() - begun) * 1000:.0f} ms", flush=True)
    in_hardware(flow)


case_conntracks = each(conntracks)


def tcp_left(conn):
    """Conntrack's state of a connection, and how many seconds it stays."""
    listed = run("r", f"conntrack -L -f ipv{conn.family} -p tcp --dport {conn.port}").splitlines()
    return next(((line.split()[3], int(line.split()[2])) for line in listed if line.startswith("tcp ")), ("gone", 0))


def tcp(lan, wan, family):
    """A connection goes on behind hardware without an INVALID segment; FIN and RST end it, in conntrack, too."""
    rule(family, "-I FORWARD 1 -m conntrack --ctstate INVALID -j DROP")
    for word in ("fin", "rst"):
        conn = Flow(lan, wan, family, "tcp")
        in_hardware(conn)
        for _ in range(30):
            conn.send(bytes(1400))
            conn.reply(bytes(1400))
        ctl("flush")
        is_out("flush")
        conn.exchange(5)
        in_hardware(conn)
        if word == "rst":
            conn.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        conn.client.close()
        if word == "fin":
            equal(conn.server.recv(1), b"", "the end")
        else:
            refuses(lambda: conn.server.recv(1), errno.ECONNRESET)
        conn.server.close()
        wait(lambda: not cards.rules(), f"both entries go after a {word}", SOON)
        # A RST whose number conntrack cannot judge leaves it ESTABLISHED, for net.netfilter.nf_conntrack_tcp_timeout_close or _max_retrans.
        wait(lambda: tcp_left(conn)[1] <= (300 if word == "rst" else 120), f"conntrack after a {word}: {tcp_left(conn)}", SOON)
    listed = run("r", f"{'iptables' if family == 4 else 'ip6tables'}-legacy -nvxL FORWARD").splitlines()
    equal([line.split()[0] for line in listed if " INVALID" in line], ["0"], "INVALID packets")


case_tcp = each(tcp)


@bare
def case_helper():
    """A connection with a helper is never offered."""
    modprobe("nf_conntrack_ftp", "nf_nat_ftp")
    lan, wan = home()
    rule(4, "-A PREROUTING -p tcp --dport 21 -j CT --helper ftp", table="raw")
    conn = Flow(lan, wan, 4, "tcp", port=21)
    for _ in range(4):
        conn.exchange()
    control = Flow(lan, wan, 4)
    in_hardware(control)
    equal((hwnat()["installs"], len(cards.rules())), (1, 2), "flows that were in hardware")


# -- what hardware cannot follow

def is_refused(flow, reason, before=0):
    """The reason counts it; nothing is in hardware, and traffic passes."""
    wait(lambda: flow.exchange() and hwnat()["refused." + reason] > before,
         f"{flow}, {flow.wan.kind}: refused.{reason}: { {k: v for k, v in hwnat().items() if v} } {published()}", 20)
    equal((hwnat()["installs"], cards.rules()), (0, []), f"in hardware, with {reason}")


@bare
def case_zone():
    """A conntrack zone is in no hardware's key."""
    lan, wan = home()
    rule(4, "-F POSTROUTING", table="nat")
    rule(4, "-A PREROUTING -j CT --zone 5", table="raw")
    is_refused(Flow(lan, wan, 4), "zone")


def vxlan(link):
    """One with both ends' addresses on a cable below."""
    modprobe("vxlan")
    link.wire()
    for where, dev, end in ((link.host, link.h, 2), ("r", link.g, 1)):
        ip(where, f"""addr add 10.9{link.side}.{link.number}.{end}/24 dev {dev}
            link add X{dev} type vxlan id 7 dstport 4789 remote 10.9{link.side}.{link.number}.{3 - end} dev {dev}
            link set X{dev} up mtu 1400""")
    return "X" + link.h, "X" + link.g


def gretap(link):
    modprobe("ip_gre")
    link.wire()
    for where, dev, end in ((link.host, link.h, 2), ("r", link.g, 1)):
        local, remote = (f"10.9{link.side}.{link.number}.{e}" for e in (end, 3 - end))
        ip(where, f"""addr add {local}/24 dev {dev}
            link add X{dev} type gretap local {local} remote {remote}
            link set X{dev} up mtu 1400""")
    return "X" + link.h, "X" + link.g


@bare
def case_links():
    """Tunnels (WireGuard has no Ethernet, VXLAN and GRE look like cards), macvlan, a bond; and a cable without a card."""
    lan, _ = home()
    links.Link.wire = VETH      # cards.insert() takes its own away at the end
    for number, (kind, reason) in enumerate(((links.wireguard, "tunnel"), (vxlan, "tunnel"), (gretap, "tunnel"), (links.macvlan, "path"),
                                             (links.bond, "path"), (eth, "no-ft")), 2):
        wan = links.make(kind, "s", 2, number)
        for family in (4, 6) if reason != "no-ft" else (4,):     # IPv6's replies take the first of the links
            before = hwnat()["refused." + reason]
            is_refused(Flow(lan, wan, family), reason, before)


@bare
def case_busy():
    """Another module has bound the card: nft's flags offload on a driver that takes one block; hw-tc-offload is off."""
    modprobe("nf_flow_table", "nf_flow_table_inet", "nft_flow_offload")
    lan, wan = home(driver="mlx5")
    run("r", ["nft", "-f", "-"], text=NFT % (lan.g, wan.g))
    equal(cards.callbacks(), 2, "nft's callbacks")
    flow = Flow(lan, wan, 4)
    is_refused(flow, "busy")
    run("r", "nft delete table inet ft")
    wait(lambda: not cards.callbacks(), "nft unbinds")
    ctl("hwnat=1")
    wait(lambda: flow.exchange() and hwnat()["state.bound"], "offered again", 20)
    run("r", f"ethtool -K {lan.g} hw-tc-offload off")
    run("r", f"ethtool -K {lan.g} hw-tc-offload on")


# -- the end of things, under load

class Load:
    """Round trips in a thread, until it ends."""

    def __init__(self, *flows):
        self.flows, self.stop, self.rounds, self.problem = flows, False, 0, None
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        try:
            while not self.stop:
                for flow in self.flows:
                    flow.exchange(1)
                self.rounds += 1
        except Exception as e:  # noqa: BLE001 - told at the end
            self.problem = e

    def end(self, lossy=False):
        self.stop = True
        self.thread.join()
        check(lossy or not self.problem, f"load: {self.problem}")
        return self.rounds


@bare
def case_unload():
    """The module goes under load, natflow before it cannot; flows that were fast before it came are offered, too."""
    lan, wan = home()
    flows = [Flow(lan, wan, 4), Flow(lan, wan, 6)]
    in_hardware(*flows)
    load_ = Load(*flows)
    check(not rmmod("natflow"), "natflow is in use")
    check(rmmod("natflow_hwnat"), "unloads")
    equal((cards.rules(), cards.callbacks()), ([], 0), "rules, callbacks")
    load_.end()
    before = by_cards()
    for flow in flows:
        flow.exchange(5)
    equal(by_cards() - before, 0, "frames by cards without the module")
    load()
    in_hardware(*flows)
    nothing_left()


@bare
def case_namespace():
    """A namespace goes with flows in hardware."""
    lan, wan = home()
    flow = Flow(lan, wan, 4)
    in_hardware(flow)
    netns_del("r")
    wait(lambda: not cards.rules() and not cards.callbacks(), "rules and callbacks go with the namespace")


@bare
def case_card():
    """A card goes under load."""
    lan, wan = home()
    flow = Flow(lan, wan, 4)
    in_hardware(flow)
    load_ = Load(flow)
    for sock in (flow.client, flow.server):
        sock.settimeout(2)
    check(rmmod("natnic"), "natnic unloads")
    load_.end(lossy=True)
    equal((hwnat()["flows"], stats()["hooked"]), (0, 1), "flows in hardware")
    equal([l for l in open("/proc/net/dev") if "nic" in l], [], "devices")
