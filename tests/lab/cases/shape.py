# SPDX-License-Identifier: GPL-2.0-only
"""The qdisc "natflow", and the link lines that attach it."""
import errno
import itertools
import re
import select as waiting
import socket
import time

import bench
import sqm
from sqm import root
from natlab import ADDR, LONG, Capture, Udp, check, ctl, drain, equal, frame, inject, ip, ip_packet, learned, log, mac, modprobe, netns_add, no_memory, ns, read, refuses, rule, run, second_link, select, stats, sysctl, tcp, udp, udp_socket, wait

QOS = "/dev/natflow_qos_ctl"


def case_tc():
    """tc puts it on a device, and takes it away; packets of the stack and of the fast path pass it, in their order."""
    select()
    sysctl("r", "net.ipv6.conf.r1.disable_ipv6", 1)     # the router's own packets pass the qdisc, too
    run("r", f"ip neigh replace {ADDR['s', 4]} lladdr {mac('s', 's0')} dev r1 nud permanent")
    run("s", f"ip neigh replace {ADDR['r1', 4]} lladdr {mac('r', 'r1')} dev s0 nud permanent")
    run("r", "tc qdisc replace dev r1 root natflow")
    equal(root("r1")["kind"], "natflow", "root")
    flow = learned(Udp())
    before, hits = root("r1")["packets"], stats()["hits"]
    for i in range(20):
        flow.send(b"%d" % i)
        flow.reply(b"%d" % i)
    equal(root("r1")["packets"] - before, 20, "packets")
    equal(stats()["hits"] - hits, 40, "hits")
    modprobe("sch_netem")
    run("r", "tc qdisc add dev r0 root handle 1: netem")
    code, said = run("r", "tc qdisc add dev r0 parent 1:1 natflow", ok=False)
    check(code and "natflow is a root qdisc" in said, said)
    run("r", "tc qdisc del dev r1 root")
    flow.send()
    flow.reply()


def case_lines():
    """A line attaches the qdisc to a device that has the kernel's own, now or later; clear gives that back."""
    default = root("r1")["kind"]
    ctl("link dev=r1,tx=40mbit,overhead=ethernet\nlink dev=later,tx=1gbit", device=QOS)
    equal(root("r1")["kind"], "natflow", "root")
    check(["link dev=r1,tx=40mbit,overhead=ethernet", "link dev=later,tx=1gbit"] == [l for l in read(QOS).splitlines() if l.startswith("link")], read(QOS))
    check("there is no device later" in log()[-1], log()[-1])
    run("r", "ip link add later type dummy")
    run("r", "ip link set later up")
    wait(lambda: root("later")["kind"] == "natflow", "the qdisc of a device that came later")
    ip("r", "link set later down\nlink set later name other\nlink set other up")
    wait(lambda: root("other")["kind"] != "natflow", "a device that no line names any more")
    ip("r", "link set other down\nlink set other name later\nlink set later up")
    wait(lambda: root("later")["kind"] == "natflow", "and its name is back")
    run("r", "tc qdisc replace dev r0 root pfifo")
    ctl("link dev=r0,tx=8kbit", device=QOS)
    equal(root("r0")["kind"], "pfifo", "somebody's own stays")
    check("r0 has a qdisc of its own" in log()[-1], log()[-1])
    ctl("clear", device=QOS)
    equal((root("r1")["kind"], root("r0")["kind"]), (default, "pfifo"), "roots behind clear")
    for line, err in (("link dev=r1", errno.EINVAL), ("link dev=r1,rx=1kbit", errno.ERANGE), ("\n".join(f"link dev=d{i},rx=1mbit" for i in range(5)), errno.ENOSPC), ("link dev=r1,tx=40", errno.EINVAL), ("link dev=r1,tx=0mbit", errno.ERANGE),
                      ("link tx=1mbit", errno.EINVAL), ("link dev=r1,tx=1mbit,mpu=256", errno.ERANGE)):
        refuses(lambda: ctl(line, device=QOS), err)
    equal(root("r1")["kind"], default, "root behind refused lines")


RATE = 200      # kbit/s: little enough for a slow VM to receive


def fill(turns, rounds, line):
    """Of each turn one socket sends, then of each turn the next one: lists of (socket, data). Then the link gets its rate."""
    ctl(f"link dev=r1,{'rx' if line.startswith('rx') else 'tx'}=8kbit", device=QOS)
    turns = [itertools.cycle(turn) for turn in turns]
    for _ in range(rounds):
        for turn in turns:
            sock, data = next(turn)
            sock.send(data)
    ctl(f"link dev=r1,{line}", device=QOS)


def senders(name, count, to, tos=0, size=300):
    """So many flows of a client, whose data begins with its name."""
    socks = [udp_socket(name) for _ in range(count)]
    for sock in socks:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        sock.connect((ADDR["s", 4], to.getsockname()[1]))
    return [(sock, name.encode() * size) for sock in socks]


def two_clients():
    """c and d behind NAT, and a server's socket that hears both."""
    netns_add("d")
    second_link("d", "d0", 3)
    for family, gate in ((4, "10.0.3.1"), (6, "fd00:3::1")):
        run("d", f"ip -{family} route add default via {gate}")
    select()
    ctl("wan_zone 1=r1", device="/dev/natflow_zone_ctl")
    rule(4, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    return udp_socket("s")


def shares(server, warm, count):
    """Of so many datagrams behind the first ones: how many are whose."""
    seen = {}
    for i in range(warm + count):
        data = server.recv(2000)
        if i >= warm:
            seen[data[:1]] = seen.get(data[:1], 0) + 1
    return seen


def case_users():
    """Two clients behind NAT, one with 32 flows and one with one: each gets half of the link."""
    server = two_clients()
    fill([senders("c", 32, server), senders("d", 1, server)], 300, f"tx={RATE}kbit")
    seen = shares(server, 50, 150)
    # A quantum, which is five datagrams.
    check(abs(seen[b"c"] - seen[b"d"]) <= 10, f"{seen}")


def case_cake():
    """cake with nat knows the two clients, too: packets of the fast path carry their conntrack."""
    server = two_clients()
    turns = [senders("c", 32, server), senders("d", 1, server)]
    for sock, data in sum(turns, []) * 2:
        sock.send(data)
        server.sendto(b"", server.recvfrom(2000)[1])
        sock.recv(10)
    modprobe("sch_cake")
    cake = "dev r1 root cake nat dual-srchost besteffort bandwidth"
    run("r", f"tc qdisc replace {cake} 8kbit")
    hits = stats()["hits"]
    for one, two in zip(itertools.cycle(turns[0]), [turns[1][0]] * 300):
        for sock, data in (one, two):
            sock.send(data)
    equal(stats()["hits"] - hits, 600, "hits")
    run("r", f"tc qdisc change {cake} {RATE}kbit")
    seen = shares(server, 45, 40)
    # As flows of one user, those of c have 39 of 40. Each one's first packet goes before the turns.
    check(min(seen.get(b"c", 0), seen.get(b"d", 0)) >= 12, f"{seen}")


def case_tins():
    """Of one client, DSCP LE gets less than what has none: 1 of 5 where both wait."""
    server = two_clients()
    fill([senders("c", 1, server, tos=1 << 2), senders("c", 1, server, tos=0, size=299)], 300, f"tx={RATE}kbit")
    sizes = [len(server.recv(2000)) for _ in range(200)][50:]
    check(20 <= sizes.count(300) <= 40, f"{sizes.count(300)} of 150")


def arrivals(server, count):
    """When each datagram came, in ns."""
    times = []
    for _ in range(count):
        server.recv(2000)
        times.append(time.monotonic_ns())
    return times


def pace(times):
    """ns a datagram: a late one is late by itself, so of both ends the earliest ones count, each against its number."""
    part = len(times) // 4
    step = (times[-1] - times[0]) / (len(times) - 1)
    for _ in range(20):
        first = min(range(part), key=lambda i: times[i] - i * step)
        last = min(range(len(times) - part, len(times)), key=lambda i: times[i] - i * step)
        step = (times[last] - times[first]) / (last - first)
    return step


def time_each(server, turns, rounds, line, first, count):
    """ns of a packet behind a line: of so many, behind the first ones. Then nothing waits any more."""
    fill(turns, rounds, line)
    arrivals(server, first)
    took = pace(arrivals(server, count))
    ctl("link dev=r1,tx=100mbit", device=QOS)
    wait(lambda: root("r1")["backlog"] == 0, "the queue is empty")
    drain(server)
    return took


def case_rate():
    """The bytes that leave in a time are those of the line's rate, with the link's overhead."""
    server = two_clients()
    for line, size, bits, count in ((f"tx={RATE}kbit", 300 + 42, RATE * 1e3, 150), (f"tx={RATE}kbit,overhead=100", 300 + 28 + 100, RATE * 1e3, 150),
                                    ("tx=64kbit", 342, 64e3, 40)):
        rate = size * 8e9 / time_each(server, [senders("c", 4, server)], 600, line, 20, count)
        print(f"# {line}: {rate:.0f} bit/s", flush=True)
        check(abs(rate / bits - 1) < 0.02, f"{line}: {rate:.0f} bit/s")


def case_download():
    """rx= holds what comes by its link for all users together, in turn, on whichever device; and nothing else."""
    server = two_clients()
    ip("s", "route add 10.0.3.0/24 via 10.0.2.1")
    ctl(f"link dev=r1,rx={RATE}kbit", device=QOS)
    gates = ("r0", "r2")
    for dev in gates:
        equal(root(dev)["kind"], "natflow", dev)
    check(root("r1")["kind"] != "natflow", "the link's own device has nothing to hold")
    ends = {name: udp_socket(name) for name in "cd"}
    turns = []
    for name, end in ends.items():
        out = udp_socket("s")
        out.connect((ADDR[name, 4] if name == "c" else "10.0.3.2", end.getsockname()[1]))
        turns.append([(out, name.encode() * 300)])
    fill(turns, 250, f"rx={RATE}kbit")
    arrivals(ends["c"], 20)
    drain(ends["d"])
    times, whose = [], []
    while len(times) < 150:
        ready = waiting.select(list(ends.values()), (), (), 30)[0]
        check(ready, f"nothing came behind {len(times)}")
        for sock in ready:
            whose.append(sock.recv(2000)[:1])
            times.append(time.monotonic_ns())
    rate, share = 342 * 8e9 / pace(times), whose.count(b"c")
    print(f"# {rate:.0f} bit/s, {share} of {len(whose)} for one of two users", flush=True)
    check(abs(rate / RATE / 1e3 - 1) < 0.02, f"{rate:.0f} bit/s")
    check(65 <= share <= 85, f"{share} of {len(whose)} for one of two users")
    # What c sends to d does not come by the link.
    near = udp_socket("c")
    near.connect(("10.0.3.2", ends["d"].getsockname()[1]))
    ctl("link dev=r1,rx=100mbit", device=QOS)
    wait(lambda: root(gates[1])["backlog"] == 0, "the queue is empty")
    drain(ends["d"])
    before = root(gates[1])["overlimits"]
    for _ in range(100):
        near.send(b"n" * 300)
    heard = 0
    while heard < 100:
        heard += ends["d"].recv(2000)[:1] == b"n"
    equal(root(gates[1])["overlimits"], before, "packets that had to wait")


def case_order():
    """A flow's packets keep their order while rates change, the qdisc is replaced, and the flow becomes fast."""
    select()
    flow = Udp()
    flow.send()
    flow.reply()
    for first in range(0, 400, 100):
        ctl("link dev=r1,tx=200kbit", device=QOS)
        for i in range(first, first + 100):
            flow.client.send(b"%d" % i)
            if i % 10 == 0:
                ctl(f"link dev=r1,tx={100 + i}kbit", device=QOS)
        equal([int(flow.server.recv(100)) for _ in range(100)], list(range(first, first + 100)), "numbers in their order")
        flow.reply()
    check(stats()["hits"] > 200, f"{stats()['hits']} hits")


def full(server):
    """A queue of r1 in which packets wait; they need minutes."""
    ctl("link dev=r1,tx=8kbit", device=QOS)
    turns = senders("c", 8, server)
    for _ in range(20):
        for sock, data in turns:
            sock.send(data)
    wait(lambda: root("r1")["qlen"] > 100, "packets wait")


def case_faults():
    """A full queue: replaced, its device down and up, the device deleted. The namespace is deleted with one, behind the case."""
    server = two_clients()
    full(server)
    run("r", "tc qdisc replace dev r1 root pfifo")
    equal((root("r1")["kind"], root("r1")["qlen"]), ("pfifo", 0), "the new root")
    run("r", "tc qdisc del dev r1 root")
    full(server)
    run("r", "ip link set r1 down")
    run("r", "ip link set r1 up")
    now = root("r1")
    # The gateway's own neighbour discovery may wait again.
    check(now["kind"] == "natflow" and now["qlen"] < 10, f"root behind down and up: {now}")
    run("r", "ip link add other type veth peer name end")
    run("r", "ip link set other up")
    run("r", "ip addr add 10.0.9.1/24 dev other")
    run("r", "ip neigh add 10.0.9.2 lladdr 02:00:00:00:00:09 dev other")
    run("r", "ip link set end up")
    ctl("link dev=other,tx=8kbit", device=QOS)
    away = udp_socket("r")
    away.connect(("10.0.9.2", 9))
    for _ in range(50):
        away.send(b"x" * 500)
    wait(lambda: root("other")["qlen"] > 20, "the router's own packets wait")
    run("r", "ip link del other")
    away.close()
    full(server)


def case_memory():
    """Packets wait up to the bound, and the one with most waiting loses: another's are all sent."""
    server = two_clients()
    ctl("link dev=r1,tx=8kbit", device=QOS)
    loud, quiet = senders("c", 4, server, size=1400), senders("d", 1, server, size=30)
    for _ in range(5):
        quiet[0][0].send(quiet[0][1])
    for _ in range(2200):
        for sock, data in loud:
            sock.send(data)
    have = root("r1")
    print(f"# {have}", flush=True)
    # A packet takes more memory than its bytes.
    check(4 << 20 < have["backlog"] <= 16 << 20, f"{have['backlog']} bytes wait")
    check(have["drops"] > 500, f"{have['drops']} drops")
    ctl("link dev=r1,tx=100mbit", device=QOS)
    heard = 0
    while heard < 5:
        heard += server.recv(2000)[:1] == b"d"


def case_records():
    """More flows than there are records: the oldest one gives way, also if it is the last one of the user who wants another."""
    server = two_clients()
    ctl("link dev=r1,tx=100mbit", device=QOS)
    lone = [sock for sock, _ in senders("c", 2, server)]
    lone[0].send(b"1")
    server.recv(10)
    flows = 16384 + 100
    rule(4, "-A PREROUTING -i r2 -j CT --notrack", table="raw")

    def hosts(count):
        """So many flows of d, or of as many hosts."""
        name, addr = (mac("d", "d0"), "10.0.3.2") if count == flows else ("02:00:00:40:40:40", "10.64.64.64")
        bench.give("bench", "r", "r2", 4, flows, count, frame(mac("r", "r2"), name, ip_packet(
            4, addr, ADDR["s", 4], 17, udp(4, addr, ADDR["s", 4], 1024, 9, b"x" * 20))))
    hosts(flows)
    lone[1].send(b"2")
    server.recv(10)
    hosts(300)
    for sock in lone * 2:
        sock.send(b"3")
        server.recv(10)


def ledger(before, sent, dev="r1"):
    """What was sent has left, was dropped and counted, or waits."""
    now = root(dev)
    equal(now["packets"] + now["drops"] + now["qlen"] - before["packets"] - before["drops"] - before["qlen"], sent,
          f"packets {before} {now}")
    return now


def case_counted():
    """Rates that change again and again, and links that flap with a full queue: nothing is lost that was not counted."""
    changes = 1000 if LONG else 300
    server = two_clients()
    for dev in ("r0", "r1"):
        sysctl("r", f"net.ipv6.conf.{dev}.disable_ipv6", 1)     # the router's own packets pass the qdisc, too
    run("r", f"ip neigh replace {ADDR['s', 4]} lladdr {mac('s', 's0')} dev r1 nud permanent")
    run("s", f"ip neigh replace 10.0.2.1 lladdr {mac('r', 'r1')} dev s0 nud permanent")
    server.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)        # SO_RCVBUFFORCE
    turns, sent = senders("c", 4, server), 0
    ctl("link dev=r1,tx=100kbit", device=QOS)
    before = root("r1")
    for i in range(changes):
        ctl(f"link dev=r1,tx={100 + i % 7 * 100}kbit", device=QOS)
        turns[i % 4][0].send(b"%04d" % i)
        sent += 1
    ctl("link dev=r1,tx=100mbit", device=QOS)
    wait(lambda: ledger(before, sent)["qlen"] == 0, "the queue is empty")
    seen = [int(server.recv(10)) for _ in range(changes - root("r1")["drops"])]
    for turn in range(4):
        equal([i for i in seen if i % 4 == turn], sorted(i for i in seen if i % 4 == turn), "a flow in its order")
    for flap in (("s", "s0"), ("r", "r1")):
        ctl("link dev=r1,tx=8kbit", device=QOS)
        for _ in range(25):
            for sock, data in turns:
                sock.send(data)
                sent += 1
        check(ledger(before, sent)["qlen"] > 50, "a full queue")
        ip(flap[0], f"link set {flap[1]} down")
        wait(lambda: "NO-CARRIER" in run("r", "ip link show r1") or flap[0] == "r", "no carrier")
        ip(flap[0], f"link set {flap[1]} up")
        wait(lambda: "state UP" in run("r", "ip link show r1"), "carrier")
        equal(ledger(before, sent)["kind"], "natflow", "root")


def case_replaced():
    """tc replaces the qdisc under load, again and again; a queue that is full moves with its device's name."""
    server = two_clients()
    out = senders("c", 1, server, size=20)[0][0].getsockname()
    ctl("link dev=r1,tx=1mbit", device=QOS)
    packet = frame(mac("r", "r0"), mac("c", "c0"), ip_packet(4, ADDR["c", 4], ADDR["s", 4], 17, udp(4, ADDR["c", 4], ADDR["s", 4], out[1], 9, bytes(100))))
    load = bench.background("r0", 4, 64, 5000, packet)
    for kind in ("pfifo", "natflow") * (8 if LONG else 2):
        run("r", f"tc qdisc replace dev r1 root {kind}")
    load.wait()
    run("r", "tc qdisc del dev r1 root")
    full(server)
    ip("r", "link set r1 down\nlink set r1 name r9\nlink set r9 up")
    wait(lambda: root("r9")["kind"] != "natflow", "a device that no line names any more")
    ip("r", "link set r9 down\nlink set r9 name r1\nlink set r1 up")
    wait(lambda: root("r1")["kind"] == "natflow", "and its name is back")


def case_no_memory():
    """Records that cannot be had: tc says so, and the device keeps the qdisc that it has."""
    had = root("r1")["kind"]
    with open("/proc/kallsyms") as f:
        function = re.search(r" (kvmalloc_node|__kvmalloc_node_noprof)$", f.read(), re.M)[1]
    with no_memory(function, 1) as works:
        if not works:
            return
        code, said = run("r", "tc qdisc replace dev r1 root natflow", ok=False)
    check(code and "memory" in said, said)
    equal(root("r1")["kind"], had, "root")
    ctl("link dev=r1,tx=1mbit", device=QOS)
    equal(root("r1")["kind"], "natflow", "root, with memory")


def case_segments():
    """A super-packet that takes more than a millisecond leaves as its segments; else as it came."""
    two_clients()
    for line, sizes in (("tx=10mbit", [1054] * 8), ("tx=10gbit", [8054])):
        ctl(f"link dev=r1,{line}", device=QOS)
        seen = Capture("r", "r1", lambda f: f[12:14] == b"\x08\x00" and f[23] == 6, sent=True)
        inject("r0", frame(mac("r", "r0"), mac("c", "c0"), ip_packet(4, ADDR["c", 4], ADDR["s", 4], 6, tcp(
            4, ADDR["c", 4], ADDR["s", 4], 1024, 9, 1, 0, 2 if line == "tx=10mbit" else 16, bytes(8000), partial=True))), "gso=1000,partial")
        equal([len(seen.next()) for _ in sizes], sizes, line)
        seen.none()


# IP bytes of a datagram, by its data; and on the wire: IEEE 802.3, RFC 2516, DOCSIS, RFC 2684 in cells of 48 in 53.
WIRE = (("ethernet", 10, 84), ("pppoe-vlan", 300, 328 + 50), ("docsis", 300, 328 + 18), ("atm", 316, 53 * 8), ("atm", 317, 53 * 9))


def case_presets():
    """A packet takes the time of its bytes on each kind of link, cells and the smallest frame among them."""
    server = two_clients()
    for preset, size, wire in WIRE if LONG else WIRE[1::3]:
        line = f"tx={wire * 8 // 10 * 2}kbit,overhead={preset}"    # 5 ms each
        took = time_each(server, [senders("c", 1, server, size=size)], 60, line, 10, 40)
        want = wire * 8e6 / (wire * 8 // 10 * 2)
        print(f"# {line} {size}: {took / 1e6:.3f} ms of {want / 1e6:.3f}", flush=True)
        check(abs(took / want - 1) < 0.02, f"{preset} {size}: {took} ns, {want} wanted")


def case_ifb():
    """On an ifb for the download, users behind NAT are told apart."""
    server = two_clients()
    flows = []
    for name, count in (("c", 8), ("d", 1)):
        for sock, _ in senders(name, count, server):
            sock.send(b"!")
            flows.append((name.encode(), sock, server.recvfrom(10)[1]))
    server.setsockopt(socket.SOL_SOCKET, 32, 4 << 20)        # SO_SNDBUFFORCE: what waits there is still the sender's
    sqm.redirect("r1", "ifb0")
    run("r", "tc qdisc del dev ifb0 root")
    ctl("link dev=ifb0,tx=8kbit", device=QOS)
    equal(root("ifb0")["kind"], "natflow", "root")
    turns = [itertools.cycle([f for f in flows if f[0] == name]) for name in (b"c", b"d")]
    for _ in range(200):
        for turn in turns:
            name, _, peer = next(turn)
            server.sendto(name * 300, peer)
    ctl(f"link dev=ifb0,tx={RATE}kbit", device=QOS)
    seen = {}
    while sum(seen.values()) < 140:
        for sock in waiting.select([f[1] for f in flows], (), (), 30)[0]:
            who = sock.recv(2000)[:1]
            seen[who] = seen.get(who, 0) + 1
    check(abs(seen[b"c"] - seen[b"d"]) <= 30, f"{seen}")
    ctl("clear", device=QOS)
    sqm.restore("r1", "ifb0")
