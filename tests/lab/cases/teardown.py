# SPDX-License-Identifier: GPL-2.0-only
"""Law 13: namespaces, devices and the module itself go away under load; law 11: the table is bounded.

Takes long: what goes away goes many times, because a race is to be hit; twenty times, and 200, in the long form.
"""
import os
import re
import signal

import sqm
from natlab import (LONG, Delta, Udp, check, equal, exchange, insmod, ip, netns_del, ns, published, rmmod, run, select, stats,
                    trouble, udp_socket, up, wait)

ROUNDS, LOADS = (20, 200) if LONG else (8, 50)
UNLOAD = True       # after each case


class Load:
    """A process that sends on several flows as fast as it can, and one that answers them."""

    def __init__(self, family=4, flows=8):
        server = udp_socket("s", family, port=7000)
        clients = [udp_socket("c", family) for _ in range(flows)]
        target = ("10.0.2.2" if family == 4 else "fd00:2::2", 7000)
        self.pids = [self.fork(lambda: self.answer(server)), self.fork(lambda: self.send(clients, target))]
        for sock in (server, *clients):
            sock.close()

    @staticmethod
    def fork(work):
        pid = os.fork()
        if pid:
            return pid
        try:
            work()
        finally:
            os._exit(0)

    @staticmethod
    def answer(server):
        server.settimeout(None)
        while True:
            try:
                data, peer = server.recvfrom(2048)
                server.sendto(data, peer)
            except OSError:
                pass

    @staticmethod
    def send(clients, target):
        for sock in clients:
            sock.setblocking(False)
        while True:
            for sock in clients:
                try:
                    sock.sendto(b"load", target)
                    sock.recv(2048)
                except OSError:
                    pass

    def stop(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def loaded():
    """Hooks in place, flows published, packets going fast."""
    wait(lambda: len(published()) >= 4, "flows published")
    d = Delta()
    wait(lambda: d["hits"] > 100, "packets go fast")


def both_loads():
    return [Load(4), Load(6)]


def case_netns_delete_under_load():
    for i in range(ROUNDS):
        if i:
            up()
        select()
        loads = both_loads()
        loaded()
        netns_del("r")
        for load in loads:
            load.stop()
        for name in "cs":
            netns_del(name)
        equal(trouble(), [], f"kernel log in round {i}")


def unload():
    for name in ("iptables-legacy", "ip6tables-legacy"):
        run("r", f"{name} -w -F FORWARD")
    for name in ("xt_FLOWOFFLOAD", "natflow"):
        wait(lambda: rmmod(name), f"{name} is unloaded")


def load_modules():
    insmod("/lab/natflow.ko")
    insmod("/lab/xt_FLOWOFFLOAD.ko")


def reload_under_load(rounds, before=lambda number: None):
    """The module goes and comes while packets flow; before(number) comes first in each round."""
    select()
    loads = both_loads()
    for i in range(rounds):
        loaded()
        before(i)
        unload()
        equal(trouble(), [], f"kernel log in round {i}")
        load_modules()
        select()
    loaded()
    for load in loads:
        load.stop()


def case_unload_under_load():
    reload_under_load(ROUNDS)


def case_unload_behind_an_ifb():
    """The module goes and comes, and so does an ifb, while packets are in it."""
    sqm.redirect("r1", "ifb0")

    def another_ifb(number):
        if number:
            ip("r", "link del ifb0")
            run("r", "tc qdisc del dev r1 ingress")
            sqm.redirect("r1", "ifb0")
            loaded()
    reload_under_load(2, another_ifb)


def slabs():
    """Objects of natflow's caches; they are 0 when the caches are not there."""
    return sum(int(n) for n in re.findall(r"^natflow\S* +(\d+)", open("/proc/slabinfo").read(), re.M))


def case_loads():
    unload()
    for _ in range(LOADS):
        insmod("/lab/natflow.ko")
        check(rmmod("natflow"), "natflow is unloaded at once")
    load_modules()
    equal(trouble(), [], "kernel log")
    equal(slabs(), 0, "objects left")
    select()
    exchange(Udp().learn(), 3)


def case_device_removed_under_load():
    """The egress device goes while packets are on their way to it; nothing is sent by it any more."""
    select()
    for _ in range(5):
        loads = both_loads()
        loaded()
        ip("r", "link del r1")
        d = Delta()
        with ns("r"):
            check(not os.path.exists("/proc/self/net/dev_snmp6/r1"), "device is gone")
        equal(d["hits"] >= 0, True, "counters can be read")
        for load in loads:
            load.stop()
        run("r", "conntrack -F", ok=False)
        wait(lambda: not published(), "flows ended")
        ip(None, "link add s0 netns s type veth peer name r1 netns r")
        ip("s", """addr add 10.0.2.2/24 dev s0
            addr add fd00:2::2/64 dev s0 nodad
            link set s0 up
            route add 10.0.1.0/24 via 10.0.2.1
            route add fd00:1::/64 via fd00:2::1""")
        ip("r", """addr add 10.0.2.1/24 dev r1
            addr add fd00:2::1/64 dev r1 nodad
            link set r1 up""")


def case_flow_limit():
    """Never more flows than the limit; what carries traffic stays fast while others come and go."""
    run("r", ["sh", "-c", "echo flow_limit=64 > /dev/natflow_ctl"])
    select()
    busy = Udp().learn()
    lost = 0
    for i in range(400):
        other = Udp()
        other.learn()
        other.close()
        now = stats()
        check(now["flows"] + now["flows_half"] <= 64, f"{now['flows']} + {now['flows_half']} flows")
        d = Delta()
        exchange(busy, 1)
        lost += 2 - d["hits"]
    check(stats()["end.evicted"] >= 300, "others were evicted")
    check(lost <= 20, f"{lost} of 800 packets of the busy flow took the stack")
