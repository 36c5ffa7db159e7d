# SPDX-License-Identifier: GPL-2.0-only
"""Beside other people's shapers, hooks, bridges and flow tables: they see every packet, and every byte is right."""
import os
import re

from natlab import (ADDR, Delta, IPT, Tcp, Udp, both, check, ctl, equal, fast, ip, learned, modprobe, netns_add,
                    reachable, rule, run, select, stats, sysctl, wait)

MEGA = bytes(range(256)) * 4096     # 1 MiB


def queued(dev, kind):
    """Packets that went through a device's root queue; of a super-packet each segment counts."""
    text = run("r", f"tc -s qdisc show dev {dev}")
    return int(re.search(rf"qdisc {kind} .*?root.*?Sent \d+ bytes (\d+) pkt", text, re.S).group(1))


def shaped(family):
    """cake on the WAN, an ifb with another for what comes in: both count every packet.

    What comes back from an ifb passes no ingress hook any more (net/core/dev.c:__netif_receive_skb_core(), skip_classify):
    that direction is the stack's.
    """
    modprobe("ifb", "sch_cake")
    ip("r", """link add ifb0 type ifb
        link set ifb0 up""")
    for command in ("qdisc add dev r1 root cake bandwidth 2gbit", "qdisc add dev ifb0 root cake bandwidth 2gbit ingress",
                    "qdisc add dev r1 ingress",
                    "filter add dev r1 ingress matchall action mirred egress redirect dev ifb0"):
        run("r", "tc " + command)
    select()
    flow = Udp(family).learn()
    before, d = (queued("r1", "cake"), queued("ifb0", "cake")), Delta()
    for i in range(100):
        flow.send(b"up %d" % i)
        flow.reply(b"down %d" % i)
    equal(d["hits"], 100, f"hits {d.changed()}")
    after = queued("r1", "cake"), queued("ifb0", "cake")
    # A neighbour's probe may be among them; none of ours may be missing.
    check(all(100 <= b - a <= 104 for a, b in zip(before, after)), f"seen by cake: {before} {after}")
    conn = Tcp(family)
    d = Delta()
    Tcp.pass_data(conn.client, conn.server, MEGA * 4)
    Tcp.pass_data(conn.server, conn.client, MEGA * 4)
    check(d["hits"] > 50, f"{d.changed()}")


case_shaped_v4, case_shaped_v6 = both(shaped)


def bridge_of_containers(filtered):
    """A container behind a bridge, a port published by DNAT: fast, and right.

    With br_netfilter a container's packets have met conntrack in the bridge already, and stay with the stack.
    """
    if filtered:
        modprobe("br_netfilter")
    if os.path.exists("/proc/sys/net/bridge"):
        sysctl("r", "net.bridge.bridge-nf-call-iptables", int(filtered))
    netns_add("x")
    ip(None, "link add x0 netns x type veth peer name p0 netns r")
    ip("r", """link add docker0 type bridge
        addr add 172.17.0.1/16 dev docker0
        link set p0 master docker0
        link set p0 up
        link set docker0 up""")
    ip("x", """link set lo up
        addr add 172.17.0.2/16 dev x0
        link set x0 up
        route add default via 172.17.0.1""")
    wait(lambda: reachable("x", 4, "172.17.0.1"), "the bridge")
    rule(4, "-A PREROUTING -i r0 -p tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80", table="nat")
    rule(4, "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", table="nat")
    select()
    conn = Tcp(to=(ADDR["r0", 4], 8080), dport=80, server="x")
    d = Delta()
    Tcp.pass_data(conn.client, conn.server, MEGA * 2)
    Tcp.pass_data(conn.server, conn.client, MEGA * 2)
    check(d["hits"] > 50, f"{d.changed()}")
    # Out of the container, and two containers among themselves, which is no business of ours.
    out = Udp(client="x", to=(ADDR["s", 4], 7000), dport=7000).learn()
    d = Delta()
    out.learn()
    equal([d["hits"], d["refuse.conntracked"]], [2, 2] if filtered else [4, 0], f"out of the container {d.changed()}")
    equal(out.peer[0], ADDR["r1", 4], "source after masquerade")
    netns_add("y")
    ip(None, "link add y0 netns y type veth peer name p1 netns r")
    ip("r", "link set p1 master docker0\nlink set p1 up")
    ip("y", "addr add 172.17.0.3/16 dev y0\nlink set y0 up")
    wait(lambda: reachable("y", 4, "172.17.0.2"), "the other container")
    inside = Udp(client="y", to=("172.17.0.2", 7001), dport=7001, server="x")
    d = Delta()
    inside.learn()
    inside.learn()
    equal(d["hits"], 0, f"hits of bridged packets {d.changed()}")


def case_containers():
    bridge_of_containers(False)


def case_containers_br_netfilter():
    bridge_of_containers(True)


def beside_flowtable(family):
    """nf_flow_table takes some flows, natflow the others; each keeps to its own."""
    run("r", ["nft", "-f", "-"], text="""table inet ft {
        flowtable f { hook ingress priority 0; devices = { r0, r1 }; }
        chain fl { type filter hook forward priority -10; udp dport 7000 flow add @f; }
        }""")
    select()
    theirs = Udp(family, dport=7000).learn().learn()
    ours = learned(Udp(family))
    d = Delta()
    theirs.learn()
    equal(d["hits"], 0, f"hits of the other's flow {d.changed()}")
    fast(ours)
    check(stats()["flows"] == 1, "flows")


case_beside_flowtable_v4, case_beside_flowtable_v6 = both(beside_flowtable)


def lossy(family):
    """Loss and reordering on both links, window tracking strict: every byte arrives and nothing is called INVALID."""
    sysctl("r", "net.netfilter.nf_conntrack_tcp_be_liberal", 0)
    rule(family, "-A FORWARD -m conntrack --ctstate INVALID -j DROP")
    for where, dev in (("c", "c0"), ("s", "s0")):
        run(where, f"tc qdisc add dev {dev} root netem delay 1ms reorder 10% loss 0.3%")
    select()
    conn = Tcp(family)
    d = Delta()
    Tcp.pass_data(conn.client, conn.server, MEGA * 8)
    Tcp.pass_data(conn.server, conn.client, MEGA * 8)
    check(d["hits"] > 100, f"{d.changed()}")
    ctl("disabled=1")
    Tcp.pass_data(conn.client, conn.server, MEGA)
    Tcp.pass_data(conn.server, conn.client, MEGA)
    save = run("r", f"{IPT[family]}-save -c")
    equal(re.search(r"\[(\d+):\d+\] -A FORWARD -m conntrack --ctstate INVALID", save).group(1), "0", "invalid")


case_lossy_v4, case_lossy_v6 = both(lossy)


def timeout_policy(family):
    """A timeout policy is kept for accelerated flows; without nf_conntrack_acct nothing is counted, and all works."""
    l3 = "ip" if family == 4 else "ip6"
    for words in (f"add table {l3} t",
                  f"add ct timeout {l3} t slow {{ protocol udp; l3proto {l3}; policy = {{ unreplied: 100, replied: 4321 }}; }}",
                  f"add chain {l3} t c {{ type filter hook prerouting priority -100; }}",
                  f"add rule {l3} t c meta l4proto udp ct timeout set slow"):
        run("r", ["nft", words])
    sysctl("r", "net.netfilter.nf_conntrack_acct", 0)
    select()
    flow = learned(Udp(family))

    def left():
        exchanged = run("r", f"conntrack -L -f ipv{family} -p udp --orig-port-src {flow.client.getsockname()[1]}")
        check("packets=" not in exchanged, exchanged)
        fast(flow)
        return 4300 < int(re.search(r"\budp\s+17 (\d+) ", exchanged).group(1)) <= 4321
    wait(left, "the policy's timeout")


case_timeout_policy_v4, case_timeout_policy_v6 = both(timeout_policy)
