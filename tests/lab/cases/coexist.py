# SPDX-License-Identifier: GPL-2.0-only
"""Beside other people's shapers, hooks, bridges and flow tables: they see every packet, and every byte is right."""
import ctypes
import os
import re
import struct

from natlab import (ADDR, Delta, IPT, LIBC, Capture, Tcp, Udp, both, carriers_reported, check, ctl, equal, exchange, fast,
                    flows, inet, ip, learned, modprobe, netns_add, reachable, rule, run, select, stats, sysctl, wait)

MEGA = bytes(range(256)) * 4096     # 1 MiB


def bridges_filter(yes):
    if os.path.exists("/proc/sys/net/bridge"):
        sysctl("r", "net.bridge.bridge-nf-call-iptables", int(yes))


def bridge_of_containers(filtered):
    """A container behind a bridge, a port published by DNAT: fast, and right.

    With br_netfilter a container's packets have met conntrack in the bridge already, and stay with the stack.
    """
    if filtered:
        modprobe("br_netfilter")
    bridges_filter(filtered)
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
    carriers_reported("r")
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


def tapped(family):
    """tcpdump on both devices: every accelerated packet once, as it came and as it left."""
    rule(family, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    select()
    flow = learned(Udp(family))
    source = 26 if family == 4 else 22
    size = 4 if family == 4 else 16

    def ours(f):
        return f.endswith(b"tapped") and b"forth" in f
    came, left = Capture("r", "r0", ours), Capture("r", "r1", ours, sent=True)
    d = Delta()
    for i in range(20):
        flow.send(b"forth %d tapped" % i)
    equal(d["hits"], 20, f"hits {d.changed()}")
    for capture, address, ttl in ((came, ADDR["c", family], 64), (left, ADDR["r1", family], 63)):
        for i in range(20):
            f = capture.next()
            check(f.endswith(b"forth %d tapped" % i), "in order")
            equal((f[source:source + size], f[22 if family == 4 else 21]), (inet(family, address), ttl), "source and TTL")
        capture.none()


case_tapped_v4, case_tapped_v6 = both(tapped)


def bpf(command, *values):
    """bpf(2) with an attribute of 64-bit words; the new file descriptor."""
    attr = struct.pack(f"={len(values)}Q", *values)
    fd = LIBC.syscall(321, command, attr, len(attr))
    check(fd >= 0, f"bpf({command}): {os.strerror(ctypes.get_errno())}")
    return fd


def xdp_dropper(port):
    """An XDP program that drops UDP over IPv4 to a port and lets everything else pass; pinned, its path."""
    def op(code, dst=0, src=0, off=0, imm=0):
        return struct.pack("<BBhi", code, src << 4 | dst, off, imm)
    code = b"".join((
        op(0x61, 2, 1, 0), op(0x61, 3, 1, 4),                   # r2 = data, r3 = data_end
        op(0xbf, 4, 2), op(0x07, 4, imm=38),                    # r4 = data + 38
        op(0x2d, 4, 3, 4),                                      # beyond the end: pass
        op(0x71, 5, 2, 23), op(0x55, 5, off=2, imm=17),         # not UDP: pass
        op(0x69, 5, 2, 36), op(0x15, 5, off=2, imm=struct.unpack("=H", struct.pack("!H", port))[0]),
        op(0xb7, 0, imm=2), op(0x95),                           # XDP_PASS
        op(0xb7, 0, imm=1), op(0x95)))                          # XDP_DROP
    text, licence = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
    # BPF_PROG_LOAD: type XDP | instructions << 32, the text, the licence; no log.
    fd = bpf(5, 6 | len(code) // 8 << 32, ctypes.addressof(text), ctypes.addressof(licence), 0, 0, 0)
    run(None, "mount -t bpf bpf /sys/fs/bpf", ok=False)
    path = f"/sys/fs/bpf/drop{port}"
    name = ctypes.create_string_buffer(path.encode())
    bpf(6, ctypes.addressof(name), fd)      # BPF_OBJ_PIN
    os.close(fd)
    return path


def case_generic_xdp():
    """A generic XDP program on the ingress device sees every packet first, accelerated or not."""
    select()
    one, other = learned(Udp(dport=7000)), learned(Udp(dport=7001))
    path = xdp_dropper(7000)
    try:
        run("r", f"ip link set dev r0 xdpgeneric pinned {path}")
        learned(other)
        one.server.sendto(b"back", one.peer)        # attaching was an event of the device
        equal(one.client.recv(100), b"back", "the way back")
        d = Delta()
        for _ in range(5):
            one.client.send(b"dropped")
        one.server.sendto(b"back", one.peer)
        equal(one.client.recv(100), b"back", "the way back")
        fast(other)
        equal(d["hits"], 11, f"hits {d.changed()}")
        one.server.setblocking(False)
        try:
            check(False, f"received {one.server.recv(100)}")
        except BlockingIOError:
            one.server.settimeout(60)
        run("r", "ip link set dev r0 xdpgeneric off")
        learned(one)
    finally:
        os.unlink(path)


def ipset(family):
    """Sets choose flows, and refuse them. A set that changes is heard of by nobody: update_magic has every flow looked at again."""
    modprobe("ip_set_hash_ip", "xt_set")
    inet = "inet" if family == 4 else "inet6"
    for name in ("quick", "bad"):
        run("r", f"ipset create {name} hash:ip family {inet}")
    run("r", f"ipset add quick {ADDR['c', family]}")
    rule(family, "-A FORWARD -m set --match-set bad dst -j DROP")
    rule(family, "-A FORWARD -m set --match-set quick src -j FLOWOFFLOAD")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    flow = learned(Udp(family))
    stranger = Udp(family, client="s", server="c", to=(ADDR["c", family], 7002), dport=7002).learn()
    equal(len(flows()), 2, "an answer of the chosen address selects its flow")
    run("r", f"ipset del quick {ADDR['c', family]}")
    fast(flow)
    another = Udp(family)
    exchange(another, 5)
    equal(len(flows()), 2, "flows")
    run("r", f"ipset add bad {ADDR['s', family]}")
    fast(flow)
    ctl("update_magic")
    d = Delta()
    for _ in range(5):
        flow.client.send(b"dropped")
    wait(lambda: d["refuse.route-changed"] >= 5, "they came")
    equal([d["hits"], d["refuse.route-changed"]], [0, 5], f"{d.changed()}")
    stranger.close()


case_ipset_v4, case_ipset_v6 = both(ipset)


def case_spanning_tree():
    """Two bridges and two cables: one of them is blocked, and when the other breaks, the flow goes on by it."""
    bridges_filter(False)
    netns_add("w")
    ip(None, """link add p0 netns r type veth peer name q0 netns w
        link add p1 netns r type veth peer name q1 netns w
        link add w0 netns w type veth peer name x0 netns c""")
    for where, ports in (("r", "p"), ("w", "q")):
        # The shortest times 802.1D allows, in hundredths of a second.
        ip(where, f"""link add sw type bridge stp_state 1 forward_delay 200 hello_time 100 max_age 600
            link set {ports}0 master sw
            link set {ports}1 master sw
            link set {ports}0 up
            link set {ports}1 up
            link set sw up""")
    ip("w", "link set w0 master sw\nlink set w0 up")
    ip("r", "addr add 10.0.3.1/24 dev sw")
    ip("s", "route add 10.0.3.0/24 via 10.0.2.1")
    ip("c", "addr add 10.0.3.2/24 dev x0\nlink set x0 up\nroute replace default via 10.0.3.1 dev x0")

    def state(where, port):
        return re.search(r"state (\w+) ", run(where, f"bridge link show dev {port}")).group(1)

    def forwarding():
        return {n: state("r", f"p{n}") == state("w", f"q{n}") == "forwarding" for n in (0, 1)}
    wait(lambda: sorted(forwarding().values()) == [False, True] and reachable("c", 4, "10.0.3.1"), "one cable in use")
    used = [n for n, yes in forwarding().items() if yes][0]
    select()
    flow = learned(Udp())
    wire = Capture("w", f"q{1 - used}", lambda f: f[12:14] == b"\x08\x00" and f[23] == 17)
    exchange(flow)
    wire.none()
    run("w", f"ip link set q{used} down")
    wait(lambda: forwarding()[1 - used], "the other cable takes over")
    wait(lambda: reachable("c", 4, "10.0.3.1"), "the gateway by the other cable")
    flow.learn()
    fast(flow)
    check(wire.next(), "the other cable is used")
    equal(stats()["missed_event"], 0, "missed events")
