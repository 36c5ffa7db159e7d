# SPDX-License-Identifier: GPL-2.0-only
"""What must not be mixed up: namespaces, zones and VRFs with the same addresses; floods and the flows beside them."""
import re

import bench
from natlab import (ADDR, Delta, Udp, bare, check, conntrack, ctl, equal, fast, first_rule, flows, ip, kernel_wide, learned,
                    netns_add, netns_del, reachable, rule, run, select, stats, sysctl, udp_socket, wait)

MANY = 64


def gateway(name):
    bench.setup(name)
    # Until the last of many is ready, on a slow machine.
    sysctl(name, "net.netfilter.nf_conntrack_udp_timeout", 600)
    first_rule(4, "-A FORWARD -j FLOWOFFLOAD", name)
    first_rule(4, "-A POSTROUTING -o out0 -j MASQUERADE", name, "nat")


def inject(name, count, how=bench.generate):
    return how("in0", 4, 4, count, bench.original(4), where=name)


@bare
def case_many_namespaces():
    """64 gateways, alike to the last bit: each forwards its own; half of them go while packets are on their way.

    Takes long: each namespace is set up as any other gateway.
    """
    names = [f"n{i}" for i in range(MANY)]
    for name in names:
        gateway(name)
    for name in names:
        wait(lambda: stats(name)["hooked"] == 1, "hooks in place")
        bench.establish(4, 4, where=name)
    before = {name: stats(name)["hits"] for name in names}
    for i, name in enumerate(names):
        inject(name, 100 + i)
    equal([stats(name)["hits"] - before[name] for name in names], [100 + i for i in range(MANY)], "hits of each")
    equal({stats(name)["flows"] for name in names}, {4}, "flows of each")
    running = [inject(name, 20000, bench.background) for name in names[::2]]
    for name in names[::2]:
        netns_del(name)
    for p in running:
        p.wait()
    for name in names[1::2]:
        d = Delta(name)
        inject(name, 64)
        equal(d["hits"], 64, "hits of those that stay")
        netns_del(name)


def second_client():
    """Another client behind r2, with the address of the first, told apart by zone and mark."""
    netns_add("x")
    ip(None, "link add x0 netns x type veth peer name r2 netns r")
    ip("x", """addr add 10.0.1.2/24 dev x0
        link set x0 up
        route add default via 10.0.1.1""")
    sysctl("r", "net.ipv4.conf.r2.rp_filter", 0)
    ip("r", """addr add 10.0.1.1/24 dev r2 noprefixroute
        link set r2 up
        route add 10.0.1.0/24 dev r0 table 1
        route add 10.0.1.0/24 dev r2 table 2
        rule add fwmark 1 table 1 priority 10
        rule add fwmark 2 table 2 priority 10""")


def case_zones():
    """Two customers with one address and one port, in zones by ingress: both fast, neither sees the other's."""
    second_client()
    for n, dev in ((1, "r0"), (2, "r2")):
        rule(4, f"-A PREROUTING -i {dev} -j CT --zone-orig {n}", table="raw")
        rule(4, f"-A PREROUTING -i {dev} -j CONNMARK --set-mark {n}", table="mangle")
    rule(4, "-A PREROUTING -j CONNMARK --restore-mark", table="mangle")
    rule(4, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    select()
    one = Udp(dport=7000, sport=5000)
    two = udp_socket("x", port=5000)
    two.connect((ADDR["s", 4], 7000))
    learned(one)
    for _ in range(3):
        two.send(b"two")
        got, peer = one.server.recvfrom(100)
        equal(got, b"two", "from the second")
        one.server.sendto(b"to two", peer)
        equal(two.recv(100), b"to two", "to the second")
    check(peer != one.peer, "two ports after NAT")
    equal(stats()["flows"], 2, "flows")
    d = Delta()
    for i in range(5):
        one.send(b"one %d" % i)
        one.reply(b"to one %d" % i)
        two.send(b"two %d" % i)
        equal(one.server.recvfrom(100), (b"two %d" % i, peer), "from the second")
        one.server.sendto(b"to two %d" % i, peer)
        equal(two.recv(100), b"to two %d" % i, "to the second")
    equal(d["hits"], 20, f"hits {d.changed()}")
    equal([d["refuse.zone-ambiguous"], d["learn.zone-ambiguous"]], [0, 0], "ambiguous")


def case_vrf():
    """A VRF with the same addresses in a zone of its own: both are fast, each in its own."""
    select()
    fast(learned(Udp()))
    netns_add("x")
    netns_add("y")
    ip(None, """link add x0 netns x type veth peer name r2 netns r
        link add y0 netns y type veth peer name r3 netns r""")
    for name, dev, n in (("x", "x0", 1), ("y", "y0", 2)):
        ip(name, f"""addr add 10.0.{n}.2/24 dev {dev}
            link set {dev} up
            route add default via 10.0.{n}.1""")
    ip("r", """link add blue type vrf table 7
        link set blue up
        link set r2 master blue
        link set r3 master blue
        addr add 10.0.1.1/24 dev r2
        addr add 10.0.2.1/24 dev r3
        link set r2 up
        link set r3 up""")
    for dev in ("r2", "r3"):
        sysctl("r", f"net.ipv4.conf.{dev}.rp_filter", 0)
    wait(lambda: reachable("x", 4, "10.0.2.2"), "y")
    for dev in ("r2", "r3"):
        rule(4, f"-A PREROUTING -i {dev} -j CT --zone 7", table="raw")
    one, two = learned(Udp(dport=7000, sport=5000)), learned(Udp(dport=7000, sport=5000, client="x", server="y"))
    for flow in (one, two):
        fast(flow)


@bare
def case_resize():
    """The table changes its size while packets come: none is lost, no flow ends, and all are fast again at once."""
    bench.setup()
    select()
    bench.nat()
    for family in (4, 6):
        bench.establish(family, 256)
    for limit in (4096, 600, 1000000, 700, 65536) * 4:
        before, d = bench.sent(), Delta()
        running = inject("r", 16384, bench.background)
        ctl(f"flow_limit={limit}")
        running.wait()
        check(0 <= bench.sent() - before - 16384 <= 4, "packets sent")
        for family in (4, 6):
            bench.generate("in0", family, 256, 512, bench.original(family))
        equal([stats()["flows"], stats()["flow_limit"]], [512, limit], f"{d.changed()}")
        check(d["hits"] >= 16384, f"hits {d.changed()}")
    d = Delta()
    bench.generate("in0", 4, 256, 2048, bench.original(4))
    equal(d["hits"], 2048, f"hits {d.changed()}")


def flood(answered):
    """Flows nobody has seen, far more than the table holds, beside some with traffic, which never leave it."""
    bench.setup()
    ip("r", "".join(f"neigh add 10.0.1.{n} lladdr {bench.PEER['in0']} dev in0 nud permanent\n" for n in range(3, 250)))
    select()
    ctl("flow_limit=256")
    bench.establish(4, 16, client="10.0.1.2")
    equal(stats()["flows"], 16, "flows")

    def forwarded():
        """By the flows with traffic, since they are in the table."""
        return sum(int(re.search(r"orig .*?packets=(\d+)", line).group(1)) for line in flows() if "orig src=10.0.1.2 " in line)
    d, before, count = Delta(), forwarded(), 0
    for host in range(3, 250):
        if host % 10 == 3:
            if count:
                bench.probed()
            bench.probe(16)
            count += bench.PROBES
        if answered:
            bench.establish(4, 16, client=f"10.0.1.{host}")
        else:
            bench.generate("in0", 4, 512, 512, bench.original(4, f"10.0.1.{host}"))
        now = stats()
        check(now["flows"] + now["flows_half"] <= 256, f"bounded: {now['flows']} and {now['flows_half']}")
    bench.probed()
    equal(forwarded() - before, count, f"forwarded by the flows that live: {d.changed()}")
    check(d["end.evicted"] > 100 if answered else not d["end.evicted"], f"{d.changed()}")


def flood_case(answered):
    return bare(lambda: flood(answered))


case_flood_unanswered = flood_case(False)
case_flood_answered = flood_case(True)


def case_conntrack_full():
    """No room for another conntrack: what is accelerated stays, and is not dropped early."""
    select()
    some = [learned(Udp()) for _ in range(8)]
    for flow in some:
        wait(lambda: "ASSURED" in conntrack(f"-L -p udp --sport {flow.client.getsockname()[1]}") or fast(flow), "assured")
    with kernel_wide("/proc/sys/net/nf_conntrack_max", 16):
        client = udp_socket("c")
        for n in range(200):
            try:
                client.sendto(b"flood", (ADDR["s", 4], 20000 + n))
            except OSError:
                pass
        check(int(run("r", "conntrack -C")) <= 16, "the limit is in force")
        for flow in some:
            fast(flow)
        equal(len(flows()), 8, "flows")
