# SPDX-License-Identifier: GPL-2.0-only
"""IPVS on the gateway (kube-proxy, LVS): it sees each packet of its flows, so that its timers and counters go on."""
from natlab import ADDR, Delta, Tcp, both, check, equal, ip, modprobe, read, run, select, sysctl, udp_socket

VIP = {4: "10.9.9.9", 6: "fd09::9"}
ROUNDS = 5
NAT, DIRECT, TUNNEL = "-m", "-g", "-i"


def own(where, family):
    """The virtual server's address becomes this host's."""
    ip(where, f"addr add {VIP[family]}/{32 if family == 4 else 128} dev lo")


def service(family, flag, method, conntrack):
    """One virtual server with one real server."""
    modprobe("ip_vs", "ip_vs_rr")
    sysctl("r", "net.ipv4.vs.conntrack", conntrack)
    own("r", family)
    vip, real = ((a if family == 4 else f"[{a}]") + ":7000" for a in (VIP[family], ADDR["s", family]))
    run("r", f"ipvsadm -A {flag} {vip} -s rr")
    run("r", f"ipvsadm -a {flag} {vip} -r {real} {method}")


def counted():
    """Packets that IPVS has seen: from clients, from servers. The services' own numbers are seconds old."""
    rows = [l.split() for l in read("/proc/net/ip_vs_stats_percpu").splitlines()]
    return [sum(int(r[n], 16) for r in rows if len(r) == 6 and r[0] not in "CPU~") for n in (2, 3)]


class Flow:
    """Datagrams between the client and the virtual server."""

    def __init__(self, family, at):
        self.family = family
        self.moves_to(at)
        self.client = udp_socket("c", family)
        self.client.connect((VIP[family], 7000))

    def moves_to(self, at):
        self.server = udp_socket("s", self.family, at, 7000)

    def rounds(self, count=ROUNDS):
        for i in range(count):
            self.client.send(b"ping %d" % i)
            data, peer = self.server.recvfrom(100)
            equal(data, b"ping %d" % i, "at the server")
            self.server.sendto(b"pong %d" % i, peer)
            equal(self.client.recv(100), b"pong %d" % i, "at the client")


def slow(flow, seen, learn):
    """IPVS counts so many packets of each direction, none is fast, all arrive."""
    d, before = Delta(), counted()
    flow.rounds()
    equal([b - a for a, b in zip(before, counted())], list(seen), f"packets IPVS counted; {d.changed()}")
    equal((d["hits"], d["learn.ipvs"]), (0, learn), f"{d.changed()}")                # learn.ipvs


def udp(conntrack):
    def test(family):
        """Without net.ipv4.vs.conntrack IPVS takes the conntrack off its packets."""
        service(family, "-u", NAT, conntrack)
        select()
        flow = Flow(family, ADDR["s", family])
        flow.rounds(2)
        slow(flow, (ROUNDS, ROUNDS), 2 * ROUNDS * conntrack)
    return test


case_udp_v4, case_udp_v6 = both(udp(1))
case_udp_without_conntrack_v4, case_udp_without_conntrack_v6 = both(udp(0))


def tcp(family):
    """A connection: IPVS counts each of its packets."""
    service(family, "-t", NAT, 1)
    select()
    conn = Tcp(family, to=(VIP[family], 7000), dport=7000)
    conn.settle()
    d, before, data = Delta(), counted(), bytes(range(256)) * 256
    conn.pass_data(conn.client, conn.server, data)
    conn.pass_data(conn.server, conn.client, data)
    conn.settle()
    seen = sum(counted()) - sum(before)
    equal(d["hits"], 0, f"{d.changed()}")
    check(d["learn.ipvs"] == seen > 0, f"IPVS counted {seen}: {d.changed()}")


case_tcp_v4, case_tcp_v6 = both(tcp)


def one_way(method):
    def test(family):
        """Direct routing and tunnels; the answers come from the virtual address, through the gateway."""
        service(family, "-u", method, 1)
        sysctl("r", "net.ipv4.conf.all.accept_local", 1)
        own("s", family)
        if method == TUNNEL:
            modprobe("ipip", "ip6_tunnel")
            ip("s", f"link add T type {'ipip' if family == 4 else 'ip6tnl'} local {ADDR['s', family]}\nlink set T up")
        select()
        flow = Flow(family, VIP[family])
        flow.rounds(2)
        # What IPVS has put into a tunnel passes the last hook without a conntrack.
        slow(flow, (ROUNDS, ROUNDS), ROUNDS if method == TUNNEL else 2 * ROUNDS)
    return test


case_direct_v4, case_direct_v6 = both(one_way(DIRECT))
case_tunnel_v4, case_tunnel_v6 = both(one_way(TUNNEL))


def takes_over(family):
    """A flow that is fast when its server's address becomes a virtual server's: the flow ends, IPVS sees all the rest."""
    own("s", family)
    ip("r", f"route add {VIP[family]} via {ADDR['s', family]}", family)
    select()
    flow = Flow(family, VIP[family])
    flow.rounds(2)
    d = Delta()
    flow.rounds()
    equal(d["hits"], 2 * ROUNDS, f"fast before: {d.changed()}")
    d = Delta()
    service(family, "-u", NAT, 1)
    flow.moves_to(ADDR["s", family])
    for i in range(ROUNDS):     # one way: on 7.3 the stack, too, drops answers, which clash with the old conntrack
        flow.client.send(b"more %d" % i)
        equal(flow.server.recv(100), b"more %d" % i, "at the real server")
    equal(counted()[0], ROUNDS, f"packets IPVS counted; {d.changed()}")
    equal((d["hits"], d["end.ipvs"]), (0, 1), f"{d.changed()}")                      # end.ipvs
    check(d["learn.ipvs"] >= 1, f"{d.changed()}")


case_takes_over_v4, case_takes_over_v6 = both(takes_over)
