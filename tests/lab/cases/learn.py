# SPDX-License-Identifier: GPL-2.0-only
"""Every reason why a packet is not learned from: counted under its name, and the bytes still arrive."""
import socket

from natlab import (ADDR, Capture, Delta, Queue, Tcp, Udp, both, check, conntrack, conntrack_entry, cpu, ctl, equal, exchange,
                    fast, frame, inject, ip, ip_packet, learned, mac, modprobe, no_memory, ns,
                    on_one_bridge, published, reachable, rule, run, second_link, select, sh, slow, stats,
                    sysctl, udp, udp_socket, wait)

N = 5               # rounds, as exchange() makes them
ROUTE = {4: "ip -4 route", 6: "ip -6 route"}


def begin(flow, data, back=False):
    """Send, and do not wait for it to arrive."""
    if back:
        flow.server.sendto(data, flow.peer)
    else:
        flow.client.send(data)


def finish(flow, data, back=False):
    got, peer = (flow.client if back else flow.server).recvfrom(70000)
    equal(got, data, "datagram")
    if not back:
        flow.peer = peer


def first_packets(family):
    """New, unanswered, answered: each packet's one reason, and the last one publishes."""
    select()
    flow = Udp(family)
    for step, reason in ((flow.send, "learn.unconfirmed"), (flow.send, "learn.unreplied"),
                         (flow.send, "learn.unreplied"), (flow.reply, "learn.half"), (flow.send, None)):
        d = Delta()
        step()
        got = {k: v for k, v in d.changed().items() if k.startswith("learn.")}
        equal(got, {reason: 1} if reason else {}, f"after {step.__name__}")
    fast(flow)


case_first_packets_v4, case_first_packets_v6 = both(first_packets)


def tcp_state(family):
    """SYN is the first packet, SYN/ACK finds no established connection, the ACK does."""
    select()
    d = Delta()
    conn = Tcp(family, established=False)
    equal(d["learn.unconfirmed"], 1, f"{d.changed()}")
    equal(d["learn.tcp-state"], 1, f"{d.changed()}")
    conn.learn()
    d = Delta()
    Tcp.pass_data(conn.client, conn.server, bytes(range(256)) * 100)
    check(d["hits"] > 0, f"established, but not fast: {d.changed()}")
    conn.close()


case_tcp_state_v4, case_tcp_state_v6 = both(tcp_state)


def delay(family):
    """The flow's object counts from the first answer on; packet delay_pkts + 1 is learned from."""
    ctl(f"delay_pkts={2 * N}")
    select()
    flow = Udp(family)
    flow.send()
    d = Delta()
    for _ in range(N):
        flow.reply()
        flow.send()
    equal((d["learn.half"], d["learn.delay"], d["hits"]), (1, 2 * N - 1, 0), f"{d.changed()}")
    flow.reply()
    equal((d["learn.delay"], len(published())), (2 * N - 1, 1), f"{d.changed()}")
    fast(flow)


case_delay_v4, case_delay_v6 = both(delay)


def no_conntrack(family):
    rule(family, "-A PREROUTING -j CT --notrack", table="raw")
    select()
    slow(Udp(family), "learn.no-conntrack", 1, 1)


case_no_conntrack_v4, case_no_conntrack_v6 = both(no_conntrack)


def protocol(family):
    """Protocol 253, both ways."""
    select()
    socks = {}
    for n in "cs":
        with ns(n):
            socks[n] = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_RAW, 253)
            socks[n].settimeout(60)
    d = Delta()
    for i in range(N):
        for a, b in ("cs", "sc"):
            socks[a].sendto(b"253 %d" % i, (ADDR[b, family], 0))
            equal(socks[b].recv(1000)[20 if family == 4 else 0:], b"253 %d" % i, "bytes")
    equal(d["learn.protocol"], 2 * N, f"{d.changed()}")
    equal(d["refuse.protocol"], 2 * N, f"{d.changed()}")


case_protocol_v4, case_protocol_v6 = both(protocol)


def ip_options(family):
    """NOPs in every datagram of a flow that is fast otherwise."""
    select()
    flow = learned(Udp(family))
    if family == 4:
        flow.client.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\1\1\1\1")
    else:
        flow.client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, b"\0\0\1\4\0\0\0\0")
    d = Delta()
    for i in range(N):
        flow.send(b"optional %d" % i)
    equal(d["learn.ip-options"], N, f"{d.changed()}")
    equal(d["refuse.ip-options" if family == 4 else "refuse.extension"], N, f"{d.changed()}")
    equal(d["hits"], 0, "hits")


case_ip_options_v4, case_ip_options_v6 = both(ip_options)


def helper(family):
    """The control connection of FTP is read by conntrack, packet by packet."""
    modprobe("nf_conntrack_ftp")
    rule(family, "-A PREROUTING -p tcp --dport 21 -j CT --helper ftp", table="raw")
    select()
    d = Delta()
    conn = Tcp(family, dport=21)
    for i in range(N):
        Tcp.pass_data(conn.client, conn.server, b"NOOP %d\r\n" % i)
        Tcp.pass_data(conn.server, conn.client, b"200 %d\r\n" % i)
    # Three of learn()'s exchanges and N here, two packets with data each.
    check(d["learn.helper"] >= 2 * (3 + N), f"{d.changed()}")
    equal((d["hits"], d["learn.tcp-state"]), (0, 0), f"{d.changed()}")


case_helper_v4, case_helper_v6 = both(helper)


def seqadj(family):
    """A NAT helper that makes a command longer: the connection stays slow, what it asked for is fast."""
    modprobe("nf_nat_ftp")
    nat = "10.0.2.101" if family == 4 else "fd00:2::1:101"
    command, there = ((b"PORT 10,0,1,2,%d,%d\r\n", b"PORT 10,0,2,101,%d,%d\r\n") if family == 4 else
                      (b"EPRT |2|fd00:1::2|%d|\r\n", b"EPRT |2|fd00:0002:0000:0000:0000:0000:0001:0101|%d|\r\n"))
    ip("r", f"addr add {nat}/{24 if family == 4 else 64} dev r1")
    rule(family, "-A PREROUTING -p tcp --dport 21 -j CT --helper ftp", table="raw")
    rule(family, f"-A POSTROUTING -o r1 -j SNAT --to-source {nat}", table="nat")
    select()
    conn = Tcp(family, dport=21, established=False)
    # The helper looks for commands behind a line it has seen.
    Tcp.pass_data(conn.client, conn.server, b"USER lab\r\n")
    Tcp.pass_data(conn.server, conn.client, b"230 in\r\n")
    port = 5001
    words = (port >> 8, port & 255) if family == 4 else (port,)
    conn.client.send(command % words)
    got = b""
    while not got.endswith(b"\n"):
        got += conn.server.recv(1000)
    equal(got, there % words, "the command at the server")
    d = Delta()
    for i in range(N):
        Tcp.pass_data(conn.client, conn.server, b"NOOP %d\r\n" % i)
        Tcp.pass_data(conn.server, conn.client, b"200 %d\r\n" % i)
    check(d["learn.seqadj"] >= 2 * N, f"{d.changed()}")
    equal((d["hits"], d["learn.helper"]), (0, 0), f"{d.changed()}")
    data = Tcp(family, client="s", server="c", dport=port, to=(nat, port))
    Tcp.pass_data(data.client, data.server, bytes(range(256)) * 100)
    # Debian's 6.1.176 passes the helper on to it.
    inherited = "helper=ftp" in conntrack_entry("tcp", more=f"-f ipv{family}", dport=port)[0]
    check((d["hits"] > 0) != inherited, f"the data connection is fast: {d.changed()}")
    equal(data.client.getpeername()[0], nat, "where the server sent its data")


case_seqadj_v4, case_seqadj_v6 = both(seqadj)


def nat_clash(family):
    """Two first packets of one tuple, sent to two servers: one waits in a queue and loses.

    Its port is another while it waits, or the queue would look its conntrack up again.
    """
    target = ADDR["s", family] if family == 4 else f"[{ADDR['s', family]}]"
    for match, port in (("-m dscp --dscp 1", 7001), ("", 7000)):
        rule(family, f"-A PREROUTING -p udp --dport 80 {match} -j DNAT --to-destination {target}:{port}", table="nat")
    rule(family, "-A FORWARD -m dscp --dscp 1 -j NFQUEUE", table="mangle")
    lost = f"{'ip' if family == 4 else 'ip6'} dscp 1"
    run("r", ["nft", f"""table inet t {{
        chain before {{ type filter hook forward priority -160; {lost} udp sport 6000 udp sport set 6001; }}
        chain after {{ type filter hook forward priority -140; {lost} udp sport 6001 udp sport set 6000; }}
    }}"""])
    select()
    queue = Queue()
    flow = Udp(family, to=(ADDR["r0", family], 80), dport=7000, sport=6000)
    loser = udp_socket("s", family, port=7001)
    option = (socket.IPPROTO_IP, socket.IP_TOS) if family == 4 else (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
    flow.client.setsockopt(*option, 4)
    flow.client.send(b"loses")
    held = queue.next()
    flow.client.setsockopt(*option, 0)
    flow.send(b"wins")
    queue.accept(held)
    data, peer = loser.recvfrom(1000)
    equal((data, peer[1]), (b"loses", 6000), "the held datagram")
    d = Delta()
    loser.sendto(b"answer", peer)
    equal(flow.client.recv(1000), b"answer", "answer of the loser")
    equal(d["learn.nat-clash"], 1, f"{d.changed()}")
    flow.reply(b"answer of the winner")
    equal((d["learn.nat-clash"], d["learn.half"]), (1, 1), f"{d.changed()}")


case_nat_clash_v4, case_nat_clash_v6 = both(nat_clash)


def offloaded(family):
    """nftables' own flow table takes the flow first."""
    run("r", ["nft", """table inet t {
        flowtable f { hook ingress priority 0; devices = { r0, r1 }; }
        chain forward { type filter hook forward priority -10; meta l4proto udp flow add @f; }
    }"""])
    select()
    flow = Udp(family)
    flow.send()
    d = Delta()
    flow.reply()
    equal(d["learn.offloaded"], 1, f"{d.changed()}")
    exchange(flow)
    equal(d["hits"], 0, f"{d.changed()}")
    equal(d["learn.half"], 0, f"{d.changed()}")


case_offloaded_v4, case_offloaded_v6 = both(offloaded)


def hold(family):
    rule(family, "-A FORWARD -p udp -j NFQUEUE", table="mangle")
    return Queue()


def let_go(family, queue):
    rule(family, "-F FORWARD", table="mangle")
    queue.close()


def dying(family):
    """The conntrack is deleted while one of its packets waits."""
    select()
    flow = Udp(family)
    flow.send()
    flow.reply()
    queue = hold(family)
    d = Delta()
    begin(flow, b"held")
    held = queue.next()
    conntrack(f"-D -p udp -f ipv{family}")
    queue.accept(held)
    finish(flow, b"held")
    equal(d["learn.dying"], 1, f"{d.changed()}")
    let_go(family, queue)
    wait(lambda: d["end.conntrack-gone"] == 1, "the old flow's end")
    learned(flow)


case_dying_v4, case_dying_v6 = both(dying)


def deferred(family, release):
    """A packet waits in a queue while its route changes: it may go the old way, no later packet may."""
    second_link("s", "s2", 3)
    via = "10.0.3.2" if family == 4 else "fd00:3::2"
    with cpu(0):
        select()
        queue = hold(family)
        flow = Udp(family)
        d = Delta()
        for data, back in ((b"first", False), (b"answer", True), (b"third", False)):
            begin(flow, data, back)
            held = queue.next()
            if data == b"third":
                run("r", f"{ROUTE[family]} add {ADDR['s', family]} via {via} dev r2")
            with cpu(release):
                queue.accept(held)
            finish(flow, data, back)
        if release:
            equal((d["learn.deferred"], d["learn.half"], len(published())), (2, 0, 0), f"{d.changed()}")
        check(d["learn.deferred"] + len(published()) > 0, f"{d.changed()}")
        let_go(family, queue)
        known = len(published())
        old, new = (Capture("s", dev, lambda f: b"route" in f) for dev in ("s0", "s2"))
        for i in range(N):
            flow.send(b"route %d" % i)
            check(b"route %d" % i in new.next(), "by the new route")
            flow.reply()
        # What was published from the held packet was doubted before it was used, in both directions.
        left, asked = d["refuse.route-changed"], d["route_confirmed"]
        check(known <= left <= 2 and left + asked >= 2 * known, f"{d.changed()}")
        fast(flow)
        flow.send(b"route last")
        check(b"route last" in new.next(), "by the new route, fast")
        old.none()


# The CPU that releases a packet is not the one that routed it, or it is: then its sample of the clock is the packet's.
case_deferred_v4, case_deferred_v6 = both(lambda family: deferred(family, 1))
case_deferred_here_v4, case_deferred_here_v6 = both(lambda family: deferred(family, 0))


def lwtunnel(family):
    """The route to the server pushes an MPLS label; the server pops it."""
    modprobe("mpls_router", "mpls_iptunnel")
    sysctl("s", "net.mpls.platform_labels", 1000)
    sysctl("s", "net.mpls.conf.s0.input", 1)
    run("s", "ip -f mpls route add 100 dev lo")
    server = ADDR["s", family]
    run("r", f"{ROUTE[family]} add {server} encap mpls 100 via {server} dev r1")
    select()
    flow = Udp(family)
    exchange(flow, 1)
    slow(flow, "learn.lwtunnel")


case_lwtunnel_v4, case_lwtunnel_v6 = both(lwtunnel)


def bridged(family):
    """Client and server on one bridge, whose packets iptables and conntrack see."""
    on_one_bridge(family)
    select()
    wait(lambda: reachable("c", family, ADDR["s", family]), "server across the bridge")
    flow = Udp(family)
    flow.send()
    flow.reply()
    slow(flow, "learn.bridged", 1, 1)


case_bridged_v4, case_bridged_v6 = both(bridged)


def case_route_type():
    """A directed broadcast that the gateway forwards, and that somebody answered from that very address."""
    for dev in ("all", "r0"):
        sysctl("r", f"net.ipv4.conf.{dev}.bc_forwarding", 1)
    select()
    client, server = udp_socket("c", port=6000), udp_socket("s", port=7000)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    client.sendto(b"first", ("10.0.2.255", 7000))
    equal(server.recv(100), b"first", "broadcast")
    answer = udp(4, "10.0.2.255", ADDR["c", 4], 7000, 6000, b"answer")
    inject("r1", frame(mac("r", "r1"), mac("s", "s0"), ip_packet(4, "10.0.2.255", ADDR["c", 4], 17, answer)))
    equal(client.recv(100), b"answer", "answer")
    d = Delta()
    for i in range(N):
        client.sendto(b"broadcast %d" % i, ("10.0.2.255", 7000))
        equal(server.recv(100), b"broadcast %d" % i, "broadcast")
    equal((d["learn.route-type"], d["hits"]), (N, 0), f"{d.changed()}")


def nat_mismatch(family):
    """Somebody rewrites a port behind conntrack's back."""
    run("r", ["nft", """table inet t {
        chain post { type filter hook postrouting priority 200; udp dport 7001 udp dport set 7000; }
    }"""])
    select()
    flow = Udp(family, to=(ADDR["s", family], 7001), dport=7000)
    answers = udp_socket("s", family, port=7001)
    flow.reply = lambda data: (answers.sendto(data, flow.peer), equal(flow.client.recv(100), data, "answer"))
    exchange(flow, 1)
    slow(flow, "learn.nat-mismatch")


case_nat_mismatch_v4, case_nat_mismatch_v6 = both(nat_mismatch)


def tunnel(family, gateway, server):
    """An address of the server behind an IP tunnel; who sends through it is told, or by the plain link."""
    mode, inner = ("ipip", "10.0.9.2") if family == 4 else ("sit", "fd00:9::2")
    modprobe(mode)
    for n, a, b in (("r", "r1", "s"), ("s", "s", "r1")):
        sh(n, f"""ip link add tnl type {mode} local {ADDR[a, 4]} remote {ADDR[b, 4]}
            ip link set tnl up""")
    run("s", f"ip addr add {inner}/{32 if family == 4 else 128} dev tnl")
    run("r", f"{ROUTE[family]} add {inner} " + ("dev tnl" if gateway else f"via {ADDR['s', family]} dev r1"))
    net = "10.0.1.0/24" if family == 4 else "fd00:1::/64"
    run("s", f"{ROUTE[family]} replace {net} " + ("dev tnl" if server else f"via {ADDR['r1', family]} dev s0") +
        f" src {inner}")
    wait(lambda: reachable("c", family, inner), "the address behind the tunnel")
    return inner


def in_device(family):
    inner = tunnel(family, gateway=False, server=True)
    select()
    flow = Udp(family, to=(inner, 7000), dport=7000)
    exchange(flow, 1)
    slow(flow, "learn.in-device", 0, 1)


case_in_device_v4, case_in_device_v6 = both(in_device)


def out_device(family):
    inner = tunnel(family, gateway=True, server=False)
    select()
    flow = Udp(family, to=(inner, 7000), dport=7000)
    exchange(flow, 1)
    slow(flow, "learn.out-device")


case_out_device_v4, case_out_device_v6 = both(out_device)


def ifname_group(family):
    """Only inside the group: both ends must be in it. Only outside: one end out of it will do."""
    ctl("ifname_group_type=1\nifname_group_add=r0")
    select()
    flow = Udp(family)
    exchange(flow, 1)
    slow(flow, "learn.ifname-group", 1, 1)
    ctl("ifname_group_add=r1")
    learned(flow)
    ctl("ifname_group_type=2")
    slow(flow, "learn.ifname-group", 1, 1)
    ctl("ifname_group_clear")
    learned(flow)


case_ifname_group_v4, case_ifname_group_v6 = both(ifname_group)


def neighbour(family):
    """The packet that makes the stack ask for the next hop is not learned from, the one after it is."""
    select()
    flow = learned(Udp(family))
    run("r", f"ip -{family} neigh flush dev r1")
    d = Delta()
    flow.send()
    equal((d["learn.neighbour"], d["hits"]), (1, 0), f"{d.changed()}")
    flow.send()
    fast(flow)


case_neighbour_v4, case_neighbour_v6 = both(neighbour)


def hw_none(family):
    rule(family, "-A FORWARD -j FLOWOFFLOAD --hw")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    flow = Udp(family)
    d = Delta()
    flow.learn()
    # The first packet had another reason, the fourth was a hit.
    equal((d["learn.hw-none"], d["hits"]), (2, 1), f"{d.changed()}")
    fast(flow)


case_hw_none_v4, case_hw_none_v6 = both(hw_none)


def bucket_full(family):
    """A flow for which both buckets are full, which is too rare to wait for: it stays slow, and works."""
    select()
    flow = Udp(family)
    flow.send()
    flow.reply()
    with no_memory("natflow_table_insert", 2) as works:
        d = Delta()
        flow.send()
        flow.reply()
        equal((d["learn.bucket-full"], d["hits"]), (2, 0) if works else (0, 1), f"{d.changed()}")   # learn.bucket-full
    learned(flow)


case_bucket_full_v4, case_bucket_full_v6 = both(bucket_full)


def case_table_full():
    """Flows with traffic a moment ago are not given up: a new one finds no place while a search meets only such.

    A search looks at 64 buckets; the table is large enough that many see no idle flow.
    """
    ports, limit = 960, 9600
    ctl(f"flow_limit={limit}")
    select()
    rule(4, "-A INPUT -p udp --dport 5000:5099 -j DROP", where="s")
    rule(4, "-A INPUT -p udp --sport 5000:5099 -j DROP", where="c")
    c, s = ADDR["c", 4], ADDR["s", 4]
    forth = [ip_packet(4, c, s, 17, udp(4, c, s, 1, 5000 + i, b"x", zero=True)) for i in range(limit // ports)]
    back = [ip_packet(4, s, c, 17, udp(4, s, c, 5000 + i, 1, b"x", zero=True)) for i in range(limit // ports)]

    def bench(dev, family, packet, peer):
        with ns("r"), open("/proc/natlab_bench", "w") as f:
            f.write(f"{dev} {family} {ports} {ports} {frame(mac('r', dev), peer, packet).hex()}\n")

    client, server = mac("c", "c0"), mac("s", "s0")
    for there, here in zip(forth, back):
        bench("r0", 4, there, client)
        bench("r1", 14, here, server)
        bench("r0", 4, there, client)
    check(stats()["flows"] > limit - N, f"{stats()['flows']} flows published")
    d = Delta()
    for _ in range(40):
        for there in forth:
            bench("r0", 4, there, client)
        Udp().learn()
        if d["learn.table-full"]:
            break
    check(d["learn.table-full"], f"{d.changed()}")
    check(stats()["flows"] + stats()["flows_half"] <= limit, "flows")


def no_flow_memory(family):
    """No memory for the flow, twice: two packets later it is there. The reference to its conntrack is what fails."""
    select()
    flow = Udp(family)
    flow.send()
    with no_memory("natflow_ct_get", 2) as works:
        d = Delta()
        flow.reply()
        flow.send()
        equal((d["learn.no-memory"], d["learn.half"]), (2, 0) if works else (0, 1), f"{d.changed()}")
    learned(flow)


case_no_flow_memory_v4, case_no_flow_memory_v6 = both(no_flow_memory)
