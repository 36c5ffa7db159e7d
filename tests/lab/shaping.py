#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A full link with natflow's qdisc, with others' and without, inside a VM that counts one nanosecond per instruction.

c and d are clients behind NAT, the link is r1 of the gateway, 20 Mbit/s. c has a call
(50 packets a second of 214 bytes) beside 8 uploads of TCP, d has 32 uploads. With no
rate at the gateway the modem behind it has it, and a queue of its own. "natflow-rx" is
the same by rx=, all downloads.
Prints "SHAPE queue what value" and "DELAY queue ms us".
"""
import itertools
import select as waiting
import socket
import sys
import threading
import time

sys.path.insert(0, "/lab")
from natlab import ADDR, check, ctl, ip, modprobe, netns_add, ns, quiet, rule, run, second_link, select, udp_socket, up, wait  # noqa: E402

RATE = 20
SECONDS = 6
WARM = 2
QOS = "/dev/natflow_qos_ctl"
QUEUES = {
    "natflow": lambda: ctl(f"link dev=r1,tx={RATE}mbit", device=QOS),
    "natflow-rx": lambda: ctl(f"link dev=r1,rx={RATE}mbit", device=QOS),
    "cake": lambda: run("r", f"tc qdisc replace dev r1 root cake bandwidth {RATE}mbit nat dual-srchost"),
    "htb+fq_codel": lambda: [run("r", f"tc {line}") for line in (
        "qdisc replace dev r1 root handle 1: htb default 1", f"class add dev r1 parent 1: classid 1:1 htb rate {RATE}mbit quantum 1514",
        "qdisc add dev r1 parent 1:1 fq_codel")],
    # The modem's queue: 256 packets, in their order.
    "nothing": lambda: run("r", f"tc qdisc replace dev r1 root tbf rate {RATE}mbit burst 3000 limit 400000"),
}


class Load:
    """TCP connections of clients that send all the time, and who received how much."""

    def __init__(self, down=False, **clients):
        self.down = down
        self.listener = listen(4)
        self.listener6 = listen(6)
        self.bytes, self.ends, self.senders = {}, {}, []
        for name, flows in clients.items():
            for family in flows:
                self.connect(name[0], family)
        self.stop = False
        self.threads = [threading.Thread(target=f) for f in (self.send, self.receive)]

    def connect(self, name, family):
        server = self.listener if family == 4 else self.listener6
        with ns(name):
            sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_STREAM)
        sock.connect((ADDR["s", family], server.getsockname()[1]))
        end = server.accept()[0]
        if self.down:
            sock, end = end, sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        for each in (sock, end):
            each.setblocking(False)
        self.senders.append(sock)
        self.ends[end.fileno()] = (end, name)
        self.bytes[name] = 0

    def send(self):
        poll, data, of = waiting.epoll(), bytes(1 << 16), {s.fileno(): s for s in self.senders}
        for sock in self.senders:
            poll.register(sock, waiting.EPOLLOUT)
        while not self.stop:
            for fd, _ in poll.poll(0.1):
                try:
                    of[fd].send(data)
                except BlockingIOError:
                    pass

    def receive(self):
        poll, buffer = waiting.epoll(), bytearray(1 << 18)
        for end, _ in self.ends.values():
            poll.register(end, waiting.EPOLLIN)
        while not self.stop:
            for fd, _ in poll.poll(0.1):
                end, name = self.ends[fd]
                try:
                    self.bytes[name] += end.recv_into(buffer)
                except BlockingIOError:
                    pass

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for thread in self.threads:
            thread.join()
        for sock in self.senders + [end for end, _ in self.ends.values()] + [self.listener, self.listener6]:
            sock.close()


def listen(family):
    with ns("s"):
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    sock.bind(("::" if family == 6 else "", 0))
    sock.listen(128)
    return sock


def call(seconds, down=False):
    """50 packets a second of 214 bytes on the wire; (ms of its start, us on the way or None) of each."""
    here, there = udp_socket("c"), udp_socket("s")
    here.connect((ADDR["s", 4], there.getsockname()[1]))
    if down:
        here.send(b"")
        there.connect(there.recvfrom(1)[1])
        here, there = there, here
    there.settimeout(1)
    begin, sent, got = time.monotonic_ns(), {}, {}

    def hear():
        while len(got) < 50 * seconds:
            try:
                data = there.recv(400)
            except TimeoutError:
                return
            got[int(data[:8])] = time.monotonic_ns()
    thread = threading.Thread(target=hear)
    thread.start()
    for i in range(50 * seconds):
        # The call's own rhythm, not a wait for anything.
        time.sleep(max(0, begin + i * 20_000_000 - time.monotonic_ns()) / 1e9)
        sent[i] = time.monotonic_ns()
        here.send(b"%08d" % i + bytes(164))
    thread.join()
    return [((at - begin) // 1_000_000, (got[i] - at) // 1000 if i in got else None) for i, at in sent.items()]


def jain(values):
    return sum(values) ** 2 / len(values) / sum(v * v for v in values)


def say(queue, what, value):
    print(f"SHAPE {queue} {what} {value}", flush=True)


def shares(queue, what, **clients):
    """Jain's index of the two clients, and the link's use, behind the first seconds."""
    with Load(down=queue.endswith("rx"), **clients) as load:
        time.sleep(WARM)
        before, begin = dict(load.bytes), time.monotonic()
        time.sleep(SECONDS - WARM)
        after, took = dict(load.bytes), time.monotonic() - begin
    each = [after[name] - before[name] for name in after]
    say(queue, f"jain-{what}", f"{jain(each):.4f}")
    # Of 1514 bytes 1448 are data.
    say(queue, f"use-{what}", f"{sum(each) * 8 * 1514 / 1448 / took / RATE / 1e6:.3f}")


def delays(queue):
    """A second of silence, then the call beside all uploads: delay over time."""
    down = queue.endswith("rx")
    quiet_part = [us for _, us in call(1, down)]
    with Load(down, c=[4] * 8, d=[4] * 32):
        points = call(SECONDS, down)
    for at, us in () if down else points:       # the plot is of uploads
        print(f"DELAY {queue} {at} {us if us is not None else 'lost'}", flush=True)
    late = sorted(us for at, us in points if us is not None and at >= 1000 * WARM)
    idle = sorted(quiet_part)[len(quiet_part) // 2]
    say(queue, "call-p50-us", late[len(late) // 2] - idle)
    say(queue, "call-p99-us", late[len(late) * 99 // 100] - idle)
    say(queue, "call-lost", sum(us is None for _, us in points))


def main():
    modprobe("nf_conntrack", "veth", "nf_nat", "xt_MASQUERADE", "iptable_nat", "ip6table_nat")
    run(None, "insmod /lab/natflow.ko")
    run(None, "insmod /lab/xt_FLOWOFFLOAD.ko")
    up()
    netns_add("d")
    second_link("d", "d0", 3)
    for family, gate in ((4, "10.0.3.1"), (6, "fd00:3::1")):
        run("d", f"ip -{family} route add default via {gate}")
        run("s", f"ip -{family} route replace default via {gate.replace('3', '2')}")
    ctl("wan_zone 1=r1", device="/dev/natflow_zone_ctl")
    modprobe("sch_cake", "sch_htb", "sch_fq_codel", "sch_tbf")
    select()
    rule(4, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    for queue, attach in QUEUES.items():
        # cake cannot tell users of accelerated packets behind NAT: others are measured with the stack alone.
        ctl(f"disabled={int(not queue.startswith('natflow'))}")
        attach()
        delays(queue)
        shares(queue, "1-flow-beside-64", c=[4], d=[4] * 64)
        shares(queue, "v4-and-v6-beside-v4", c=[4, 6] * 4, d=[4] * 4)
        if queue.startswith("natflow"):
            ctl("clear", device=QOS)
        else:
            run("r", "tc qdisc del dev r1 root")
    print("LAB-DONE", flush=True)


if __name__ == "__main__":
    main()
