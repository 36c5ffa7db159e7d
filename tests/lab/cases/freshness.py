# SPDX-License-Identifier: GPL-2.0-only
"""What anybody may send moves a clock of the kernel, or makes a bridge forget: it costs the flows it concerns, and no other.

A Packet Too Big moves IPv6's counter (net/ipv6/route.c:rt6_insert_exception()), a router advertisement adds routes and
addresses, a frame teaches a bridge a station. A flow then asks for its own route, and stays fast if it is the same.
"""
import contextlib
import os
import socket
import struct
import threading
import time

import bench
from natlab import (ADDR, IPT, Capture, Delta, Tcp, Udp, bare, both, carriers_reported, check, csum, equal, exchange, fast, frame, inet, inject, ip,
                    ip_packet, learned, mac, ns, reachable, rule, run, second_link, select, stats, sysctl, udp_socket, wait)

ROUNDS, RATE = 20, 1000
KINDS = {}


def kind(make):
    """make(family) returns a function that makes the i-th event."""
    KINDS[make.__name__] = make
    return make


def icmp(family, src, dst, kind_code, rest, body, dmac, smac):
    """A frame with an ICMP message to the gateway."""
    l4 = struct.pack("!BBH", *kind_code, 0) + rest + body
    total = csum(l4) if family == 4 else csum(inet(6, src) + inet(6, dst) + struct.pack("!HH", 58, len(l4)) + l4)
    l4 = l4[:2] + struct.pack("!H", 0xffff ^ total) + l4[4:]
    return frame(dmac, smac, ip_packet(family, src, dst, 1 if family == 4 else 58, l4, ttl=255))


def from_server(family, kind_code, rest, body, src=None, dst=None):
    return icmp(family, src or ADDR["s", family], dst or ADDR["r1", family], kind_code, rest, body, mac("r", "r1"), mac("s", "s0"))


def quoted(family, i):
    """The beginning of a packet that the gateway is said to have sent to the i-th destination."""
    src, dst = ADDR["r1", family], f"10.0.2.{i % 200 + 20}" if family == 4 else f"fd00:2::bad:{i:x}"
    echo = struct.pack("!BBHHH", 8 if family == 4 else 128, 0, 0, 1, 1)
    return ip_packet(family, src, dst, 1 if family == 4 else 58, echo + bytes(32))


@kind
def too_big(family):
    """RFC 4443 section 3.2, RFC 1191."""
    if family == 4:
        return lambda i: inject("r1", from_server(4, (3, 4), struct.pack("!HH", 0, 1280), quoted(4, i)))
    return lambda i: inject("r1", from_server(6, (2, 0), struct.pack("!I", 1280), quoted(6, i)))


@kind
def redirect(family):
    """RFC 4861 section 4.5, RFC 792; a router ignores IPv6's, and IPv4's unless it is told otherwise."""
    for conf in ("all", "r1"):
        sysctl("r", f"net.ipv{family}.conf.{conf}.accept_redirects", 1)
    if family == 4:
        sysctl("r", "net.ipv4.conf.all.secure_redirects", 0)
        return lambda i: inject("r1", from_server(4, (5, 1), inet(4, "10.0.2.9"), quoted(4, i)))
    target = inet(6, "fe80::9") + inet(6, f"fd00:2::bad:0")
    return lambda i: inject("r1", from_server(6, (137, 0), bytes(4), target + quoted(6, i), src="fe80::1"))


@kind
def advertisement(family):
    """RFC 4861 section 4.2, with a prefix that adds a route and an address (section 4.6.2), and one that changes nothing."""
    for key, value in (("accept_ra", 2), ("accept_ra_defrtr", 1), ("accept_ra_pinfo", 1), ("autoconf", 1)):
        sysctl("r", f"net.ipv6.conf.r1.{key}", value)

    def event(i):
        prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600 + i, 3600, 0) + inet(6, f"fd77:{i // 2 % 8}::")
        inject("r1", icmp(6, "fe80::1", "ff02::1", (134, 0), struct.pack("!BBHII", 64, 0, i % 2 * 1800, 0, 0), prefix,
                          "33:33:00:00:00:01", mac("s", "s0")))
    return event


@kind
def membership(family):
    """A proxy of multicast on the gateway joins and leaves what a host reported (RFC 4605)."""
    sock = udp_socket("r", family)
    with ns("r"):
        number = socket.if_nametoindex("r1")

    def event(i):
        level, option, value = (socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, inet(4, f"239.1.1.{i // 2 % 200}") + struct.pack("=4xi", number)) \
            if family == 4 else (socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, inet(6, f"ff05::{i // 2 % 200 + 9:x}") + struct.pack("=i", number))
        sock.setsockopt(level, option + i % 2, value)
    return event


def introduction(family, i, gate, gate_mac):
    """An ARP request or a neighbour solicitation of another neighbour each time."""
    station = f"02:aa:00:00:{i >> 8 & 255:02x}:{i & 255:02x}"
    lladdr = bytes.fromhex(station.replace(":", ""))
    if family == 4:
        request = bytes.fromhex("0001080006040001") + lladdr + inet(4, f"10.0.2.{i % 200 + 20}") + bytes(6) + inet(4, gate)
        return frame("ff:ff:ff:ff:ff:ff", station, request, 0x0806)
    return icmp(6, f"fd00:2::bad:{i:x}", gate, (135, 0), bytes(4), inet(6, gate) + b"\1\1" + lladdr, gate_mac, station)


@kind
def neighbour(family):
    """New neighbours introduce themselves."""
    return lambda i: inject("r1", introduction(family, i, ADDR["r1", family], mac("r", "r1")))


@kind
def route(family):
    """A routing daemon's: elsewhere."""
    def event(i):
        net = f"10.77.{i // 2 % 200}.0/24" if family == 4 else f"fd77:{i // 2}::/64"
        run("r", f"ip -{family} route {('add', 'del')[i % 2]} {net} dev r0")
    return event


def stays_fast(name, family):
    """Flows of both families, TCP and UDP, with and without NAT: every packet a hit, while events come."""
    for f in (4, 6):
        rule(f, f"-A POSTROUTING -o r1 -p udp -j MASQUERADE", table="nat")
    event = KINDS[name](family)
    select()
    flows = [learned(Udp(f)) for f in (4, 6)]
    conns = [Tcp(f) for f in (4, 6)]
    for conn in conns:
        conn.settle()
    event(0)
    for flow in flows:
        flow.learn()
    d = Delta()
    for i in range(1, ROUNDS + 1):
        event(i)
        for flow in flows:
            flow.send(b"forth %d" % i)
            flow.reply(b"back %d" % i)
    equal((d["hits"], d["refuse.route-changed"]), (4 * ROUNDS, 0), f"hits, sent to the stack: {d.changed()}")
    for conn in conns:
        conn.pass_data(conn.client, conn.server, b"still here")
        conn.settle()
    equal(d["refuse.route-changed"], 0, f"{d.changed()}")
    equal(stats()["missed_event"], 0, "missed events")
    return d


def moves(name, family, by):
    """Events that do move a clock: the flows have asked, and the cause is counted."""
    d = stays_fast(name, family)
    check(d["route_confirmed"] >= ROUNDS, f"flows asked: {d.changed()}")
    wait(lambda: d[by] >= ROUNDS // 2, f"{by} counted: {d.changed()}")


case_too_big_v4 = lambda: stays_fast("too_big", 4)
case_too_big_v6 = lambda: moves("too_big", 6, "bump.kernel-ipv6")
case_redirect_v4, case_redirect_v6 = both(lambda family: stays_fast("redirect", family))
case_neighbour_v4, case_neighbour_v6 = both(lambda family: stays_fast("neighbour", family))
case_membership_v4 = lambda: moves("membership", 4, "bump.kernel-ipv4")
case_membership_v6 = lambda: stays_fast("membership", 6)
case_route_v4 = lambda: moves("route", 4, "bump.kernel-ipv4")
case_route_v6 = lambda: moves("route", 6, "bump.route")


def case_advertisement_v6():
    """Routes and addresses came with them."""
    d = stays_fast("advertisement", 6)
    check("fd77:3::/64" in run("r", "ip -6 route show dev r1"), "routes of prefixes")
    check(d["bump.route"] >= 7 and d["bump.address"] >= 7, f"{d.changed()}")


@contextlib.contextmanager
def noise(event):
    """Events from another thread until the end; waits for the first."""
    over, first = threading.Event(), threading.Event()

    def rage():
        i = 0
        while not over.is_set():
            event(i)
            first.set()
            i += 1
    thread = threading.Thread(target=rage)
    thread.start()
    try:
        check(first.wait(10), "events come")
        yield
    finally:
        over.set()
        thread.join()


def real_change(family):
    """Among the noise the flow's own route is replaced, and again: not one packet goes the old way afterwards."""
    second_link("s", "s2", 4, "r3")
    far, ways = ("10.9.9.9", "fd09::9")[family == 6], [(f"10.0.{n}.2", f"fd00:{n}::2")[family == 6] for n in (2, 4)]
    run("s", f"ip -{family} addr add {far} dev lo")
    sysctl("s", "net.ipv4.conf.s2.rp_filter", 0)
    run("r", f"ip -{family} route add {far} via {ways[0]}")
    event = KINDS["membership" if family == 4 else "too_big"](family)
    select()
    flow = learned(Udp(family, to=(far, 7000), dport=7000, at=far))
    seen = [Capture("r", dev, lambda f: f.endswith(b"which way?"), sent=True) for dev in ("r1", "r3")]
    with noise(event):
        for turn in range(1, 9):
            run("r", f"ip -{family} route replace {far} via {ways[turn % 2]}")
            for _ in range(5):
                flow.send(b"which way?")
                seen[turn % 2].next()
            flow.reply()
            seen[1 - turn % 2].none()
    equal(stats()["missed_event"], 0, "missed events")
    for capture in seen:
        capture.close()


case_real_change_v4, case_real_change_v6 = both(real_change)


def nexthop(family):
    """Another gateway on the same link: the next frame carries its address."""
    event = KINDS["membership" if family == 4 else "too_big"](family)
    for n in (77, 88):
        gate = f"10.0.2.{n}" if family == 4 else f"fd00:2::{n}"
        run("r", f"ip neigh add {gate} lladdr 02:00:00:00:00:{n} dev r1 nud permanent")
    select()
    flow = learned(Udp(family))
    sent = Capture("r", "r1", lambda f: f.endswith(b"to whom?"), sent=True)
    for n in (77, 88):
        event(2 * n)
        flow.learn()
        run("r", f"ip -{family} route replace {ADDR['s', family]} via {gate.replace('88', str(n))} dev r1")
        event(2 * n + 1)
        for _ in range(3):
            flow.client.send(b"to whom?")
            equal(sent.next()[:6].hex(), f"0200000000{n}", "destination")
        run("r", f"ip -{family} route del {ADDR['s', family]}")
    equal(stats()["missed_event"], 0, "missed events")
    sent.close()


case_nexthop_v4, case_nexthop_v6 = both(nexthop)


def refused(family, *change):
    """What forbids forwarding bites at once, among events that move the clock for nothing."""
    event = KINDS["membership" if family == 4 else "too_big"](family)
    select()
    flow = learned(Udp(family))
    arrived = Capture("s", "s0", lambda f: f.endswith(b"forbidden"))
    for command in change:
        run("r", command.format(f=family, ipt=IPT[family], c=ADDR["c", family]))
    d = Delta()
    for i in range(5):
        event(i)
        with contextlib.suppress(OSError):      # the gateway may tell the client
            flow.client.send(b"forbidden")
    equal(d["hits"], 0, f"{change}: {d.changed()}")
    arrived.none()
    arrived.close()


def forbids(*change):
    return both(lambda family: refused(family, *change))


case_forwarding_v4, case_forwarding_v6 = forbids("sysctl -qw net.ipv{f}.conf.all.forwarding=0")
# The source is asked about by the kernel for IPv4, by rules for IPv6: its route has another device now.
case_source_v4 = forbids("sysctl -qw net.ipv4.conf.r0.rp_filter=1", "ip route add {c} dev r1")[0]
case_source_v6 = forbids("{ipt} -w -t raw -A PREROUTING -m rpfilter --invert -j DROP", "ip -6 route add {c} dev r1")[1]
case_blackhole_v4, case_blackhole_v6 = both(lambda family: refused(
    family, f"ip -{family} route add blackhole {ADDR['s', family]}"))
case_local_v4, case_local_v6 = both(lambda family: refused(
    family, f"ip -{family} addr add {ADDR['s', family]} dev lo" + (" nodad" if family == 6 else "")))


def by_mark(family):
    """While policy rules look at marks, natflow does not know the key of the lookup: one packet takes the stack."""
    run("r", f"ip -{family} rule add fwmark 7 table 100")
    event = KINDS["membership" if family == 4 else "too_big"](family)
    select()
    flow = learned(Udp(family))
    for i in range(5):
        event(i)
        d = Delta()
        flow.send()
        flow.send()
        equal((d["refuse.route-changed"], d["hits"]), (1, 1), f"{d.changed()}")
        flow.reply()


case_by_mark_v4, case_by_mark_v6 = both(by_mark)


def bridged():
    """The client's link is a port of a bridge."""
    run(None, "rmmod br_netfilter", ok=False)
    ip("r", f"""link add br0 type bridge ageing_time 30000
        link set r0 master br0
        addr flush dev r0
        link set br0 address {mac('r', 'r0')} up
        addr add {ADDR['r0', 4]}/24 dev br0
        addr add {ADDR['r0', 6]}/64 dev br0 nodad""")
    for family in (4, 6):
        wait(lambda: reachable("c", family, ADDR["s", family]), "the server")
    carriers_reported("r")


def case_stations():
    """Stations that a bridge learns and forgets cost the flows of others nothing, and their own flow one packet each way."""
    bridged()
    select()
    flows = [learned(Udp(family)) for family in (4, 6)]
    wait(lambda: is_bypassed(flows), "br0 is bypassed")
    d = Delta()
    for i in range(ROUNDS):
        station = f"02:bb:00:00:00:{i:02x}"
        inject("r0", frame("ff:ff:ff:ff:ff:ff", station, bytes(46), 0x88b5))
        run("r", f"bridge fdb del {station} dev r0 master")
        for flow in flows:
            flow.send()
            flow.reply()
    # One packet in 5 s goes up for the bridge, also in silence.
    equal((d["hits"] + d["refuse.station"], d["bump.station"], d["refuse.route-changed"]), (4 * ROUNDS, 0, 0), f"{d.changed()}")
    check(d["refuse.station"] <= ROUNDS // 2, f"{d.changed()}")
    # The flow's own station: its packet takes the stack, where the bridge learns it again.
    for flow in flows:
        flow.learn()
        d = Delta()
        run("r", f"bridge fdb del {mac('c', 'c0')} dev r0 master")
        flow.send()
        check(mac("c", "c0") in run("r", "bridge fdb show dev r0"), "the bridge knows it again")
        equal((d["bump.station"], d["refuse.station"], d["hits"]), (1, 1, 0), f"{d.changed()}")
        flow.learn()
        exchange(flow, 1)
        fast(flow)
    equal(stats()["missed_event"], 0, "missed events")


def is_bypassed(flows):
    d = Delta()
    for flow in flows:
        flow.send()
        flow.reply()
    return d["hits"] == 2 * len(flows) and not d["refuse.bridge-member"]



def flood(family, make):
    """A thousand events a second beside more than 20,000 packets a second: at least 95 % of these stay accelerated."""
    bench.setup()
    select()
    bench.nat()
    for f in (4, 6):
        bench.establish(f, 16)
    frames = [f"out0 plain {make(family, i).hex()}\n".encode() for i in range(4096)]
    d, begun, packets = Delta(), time.monotonic(), 0
    pid = os.fork()
    if not pid:
        with ns("r"), open("/proc/natlab_inject", "wb", buffering=0) as f:
            for i in range(2 * RATE):
                f.write(frames[i % len(frames)])
                time.sleep(max(0, begun + i / RATE - time.monotonic()))
        os._exit(0)
    while time.monotonic() < begun + 2:
        for f in (4, 6):
            bench.generate("in0", f, 16, 1024, bench.original(f))
            packets += 1024
    equal(os.waitpid(pid, 0)[1], 0, "the flood")
    spent, share = time.monotonic() - begun, d["hits"] / packets
    print(f"# flood {make.__name__} IPv{family}: {2 * RATE / spent:.0f} events/s, {packets / spent:.0f} packets/s, {share:.2%} accelerated, "
          f"{d['route_confirmed']} asked", flush=True)
    check(share >= 0.95, f"{share:.2%}: {d.changed()}")
    equal((d["refuse.route-changed"], stats()["missed_event"]), (0, 0), f"{d.changed()}")


def of_too_big(family, i):
    gate, far = bench.ADDR[family][2], f"10.0.2.{i % 200 + 20}" if family == 4 else f"fd00:2::bad:{i:x}"
    body = ip_packet(family, gate, far, 1 if family == 4 else 58, struct.pack("!BBHHH", 8 if family == 4 else 128, 0, 0, 1, 1) + bytes(32))
    rest = struct.pack("!HH", 0, 1280) if family == 4 else struct.pack("!I", 1280)
    return icmp(family, bench.ADDR[family][1], gate, (3, 4) if family == 4 else (2, 0), rest, body, bench.MAC["out0"], bench.PEER["out0"])


def of_neighbours(family, i):
    return introduction(family, i, bench.ADDR[family][2], bench.MAC["out0"])


case_flood_of_too_big_v4, case_flood_of_too_big_v6, case_flood_of_neighbours_v4, case_flood_of_neighbours_v6 = (
    bare(lambda family=family, make=make: flood(family, make)) for make in (of_too_big, of_neighbours) for family in (4, 6))
