# SPDX-License-Identifier: GPL-2.0-only
"""The qdisc "natflow", and the link lines that attach it."""
import errno
import itertools
import json
import select as waiting
import socket
import time

from natlab import ADDR, Udp, check, ctl, drain, equal, ip, learned, log, mac, modprobe, netns_add, ns, read, refuses, rule, run, second_link, select, stats, sysctl, udp_socket, wait

QOS = "/dev/natflow_qos_ctl"


def root(dev, where="r"):
    """The root qdisc: kind, packets, bytes, drops and the like."""
    return [q for q in json.loads(run(where, f"tc -j -s qdisc show dev {dev}")) if q.get("root")][0]


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


def case_rate():
    """The bytes that leave in a time are those of the line's rate, with the link's overhead."""
    server = two_clients()
    for line, size, bits, count in ((f"tx={RATE}kbit", 300 + 42, RATE * 1e3, 150), (f"tx={RATE}kbit,overhead=100", 300 + 28 + 100, RATE * 1e3, 150),
                                    ("tx=64kbit", 342, 64e3, 40)):
        fill([senders("c", 4, server)], 600, line)
        arrivals(server, 20)
        rate = size * 8e9 / pace(arrivals(server, count))
        print(f"# {line}: {rate:.0f} bit/s", flush=True)
        check(abs(rate / bits - 1) < 0.02, f"{line}: {rate:.0f} bit/s")
        ctl("link dev=r1,tx=100mbit", device=QOS)
        wait(lambda: root("r1")["backlog"] == 0, "the queue is empty")
        drain(server)


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
