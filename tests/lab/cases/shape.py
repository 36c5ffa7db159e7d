# SPDX-License-Identifier: GPL-2.0-only
"""The qdisc "natflow", and the link lines that attach it."""
import contextlib
import errno
import itertools
import json
import socket
import threading
import time

from natlab import ADDR, Udp, check, ctl, equal, learned, log, modprobe, netns_add, ns, read, refuses, rule, run, second_link, select, stats, sysctl, udp_socket, wait

QOS = "/dev/natflow_qos_ctl"


def root(dev, where="r"):
    """The root qdisc: kind, packets, bytes, drops and the like."""
    return [q for q in json.loads(run(where, f"tc -j -s qdisc show dev {dev}")) if q.get("root")][0]


def case_tc():
    """tc puts it on a device, and takes it away; packets of the stack and of the fast path pass it, in their order."""
    select()
    run("r", "tc qdisc replace dev r1 root natflow")
    equal(root("r1")["kind"], "natflow", "root")
    flow = learned(Udp())
    before, hits = root("r1")["packets"], stats()["hits"]
    for i in range(20):
        flow.send(b"%d" % i)
        flow.reply(b"%d" % i)
    equal(root("r1")["packets"] - before, 20, "packets")
    equal(stats()["hits"] - hits, 40, "hits")
    modprobe("sch_prio")
    run("r", "tc qdisc add dev r0 root handle 1: prio")
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
    run("r", "ip link add later type dummy")
    run("r", "ip link set later up")
    equal(root("later")["kind"], "natflow", "root of a device that came later")
    modprobe("sch_prio")
    run("r", "tc qdisc replace dev r0 root prio")
    ctl("link dev=r0,tx=8kbit", device=QOS)
    equal(root("r0")["kind"], "prio", "somebody's own stays")
    check("r0 has a qdisc of its own" in log()[-1], log()[-1])
    ctl("clear", device=QOS)
    equal((root("r1")["kind"], root("r0")["kind"]), (default, "prio"), "roots behind clear")
    for line, err in (("link dev=r1", errno.EINVAL), ("link dev=r1,tx=40", errno.EINVAL), ("link dev=r1,tx=0mbit", errno.ERANGE),
                      ("link tx=1mbit", errno.EINVAL), ("link dev=r1,tx=1mbit,mpu=256", errno.ERANGE)):
        refuses(lambda: ctl(line, device=QOS), err)
    equal(root("r1")["kind"], default, "root behind refused lines")


@contextlib.contextmanager
def flooding(port, size=300, **clients):
    """So many flows of each client; together all clients send alike, as fast as they can."""
    socks = {name: [udp_socket(name) for _ in range(count)] for name, count in clients.items()}
    for sock in sum(socks.values(), []):
        sock.connect((ADDR["s", 4], port))
    stop = threading.Event()

    def send():
        turns = {name: itertools.cycle(some) for name, some in socks.items()}
        while not stop.is_set():
            for name, turn in turns.items():
                with contextlib.suppress(OSError):
                    next(turn).send(name.encode() * size)
    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for sock in sum(socks.values(), []):
            sock.close()


def two_clients():
    """c and d behind NAT, and a server's socket that hears both."""
    netns_add("d")
    second_link("d", "d0", 3)
    for family, gate in ((4, "10.0.3.1"), (6, "fd00:3::1")):
        run("d", f"ip -{family} route add default via {gate}")
    select()
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
    ctl("link dev=r1,tx=400kbit", device=QOS)
    port = server.getsockname()[1]
    with flooding(port, c=32, d=1):
        seen = shares(server, 100, 400)
    # A quantum, which is five datagrams.
    check(abs(seen[b"c"] - seen[b"d"]) <= 10, f"{seen}")
    print(f"# {seen} {root('r1')}", flush=True)


def case_rate():
    """The bytes that leave in a time are those of the line's rate."""
    server = two_clients()
    ctl("link dev=r1,tx=400kbit", device=QOS)
    port = server.getsockname()[1]
    with flooding(port, c=4):
        shares(server, 100, 0)
        begun, before = time.monotonic(), root("r1")["bytes"]
        shares(server, 0, 400)
        passed, sent = time.monotonic() - begun, root("r1")["bytes"] - before
    print(f"# {sent * 8 / passed:.0f} bit/s", flush=True)
    check(abs(sent * 8 / passed / 4e5 - 1) < 0.02, f"{sent * 8 / passed}")
