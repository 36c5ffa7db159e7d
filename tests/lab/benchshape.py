# SPDX-License-Identifier: GPL-2.0-only
"""The bench with a rate on out0 that no packet waits for: natflow's own qdisc, and cake with the same tasks."""
import bench
import sqm
from natlab import check, ctl, modprobe, rule, run, stats, wait

FLOWS = 16
ACTIVE = 10000
FLOOD = 100000
MEMORY = 16 << 20
QOS = "/dev/natflow_qos_ctl"
CAKE = "root cake bandwidth 100gbit nat dual-srchost"


def measure_queue(queue, path, floor, flows=FLOWS):
    """Upload by out0 with the queue that it has now; the minimum of three runs."""
    bench.forget(path)
    for part in (flows // 2, flows, flows, flows):     # not too many at once
        bench.establish(4, part)
    best = None
    for _ in range(3):
        before, sent, hits = sqm.cake("out0")[0], bench.sent(), stats("r")["hits"] if path == "natflow" else 0
        value = bench.generate("in0", 4, flows, bench.COUNT, bench.original(4))
        seen = sqm.cake("out0")[0] - before
        check(queue == "none" or seen == bench.COUNT, f"{path} {queue}: the qdisc saw {seen} of {bench.COUNT}")
        check(0 <= bench.sent() - sent - bench.COUNT <= 4, f"{path} {queue}: {bench.sent() - sent} left")
        fast = stats("r")["hits"] - hits if path == "natflow" else bench.COUNT
        # Of 10,000 flows one or two show the stack a packet meanwhile.
        check(bench.COUNT - fast <= flows // 1000, f"{queue}: {fast} hits of {bench.COUNT}")
        best = min(best or value, value)
    bench.say(f"shape-{queue}-v4", path, flows, best - floor)


def longest(function):
    """From now on the calls of one of natflow's functions are timed."""
    with open("/proc/natlab_longest", "w") as f:
        f.write(function)


def flood(what, frame, flows):
    """A packet each of so many flows, on a link that is too slow for them, then on one that is not: no call takes long."""
    ctl("link dev=out0,tx=1mbit", device=QOS)
    for function, rest in (("enqueue", ""), ("next_packet", "link dev=out0,tx=100gbit")):
        longest(f"natflow:{function}")
        before, most = sqm.root("out0"), 0
        for part in range(0, FLOOD, flows):
            bench.generate("in0", 4, flows, flows, frame(part // flows))
            # A packet of 60 bytes takes 768 of memory at the least.
            most = max(most, sqm.root("out0")["qlen"])
        check(most * 576 <= MEMORY, f"{most} packets wait")
        if rest:
            ctl(rest, device=QOS)
            wait(lambda: sqm.root("out0")["qlen"] == 0, "all have left")
        after = sqm.root("out0")
        gone, lost = after["packets"] - before["packets"], after["drops"] - before["drops"]
        check(gone + lost + after["qlen"] - before["qlen"] >= FLOOD * 0.99, f"{gone} left, {lost} dropped, {after['qlen']} wait")
        with open("/proc/natlab_longest") as f:
            calls, took = map(int, f.read().split())
        check(calls >= 1000, f"{function} was called {calls} times")
        bench.say(f"longest-{function}-{what}", "natflow", FLOOD, took)
    longest("")
    ctl("clear", device=QOS)


def floods():
    """Of one user, then of as many users: past conntrack, which would have too many."""
    rule(4, "-A PREROUTING -i in0 -j CT --notrack", table="raw")
    flood("flows", lambda n: bench.original(4, dport=2000 + n), 10000)
    user = bench.frame("02:00:00:00:00:01", "02:00:00:40:40:40", bench.ip_packet(
        4, "10.64.64.64", "10.0.2.2", 17, bench.udp(4, "10.64.64.64", "10.0.2.2", 1024, 9, bytes(18))))
    flood("users", lambda n: user, FLOOD)
    run("r", "iptables-legacy -w -t raw -D PREROUTING -i in0 -j CT --notrack")


def measure(path, floor):
    """cake on every path; on natflow's also no qdisc, natflow's without a rate, and with one."""
    modprobe("sch_cake")
    run("r", f"tc qdisc replace dev out0 {CAKE}")
    measure_queue("cake", path, floor)
    run("r", "tc qdisc del dev out0 root")
    if path != "natflow":
        return
    ctl("wan_zone 1=out0", device="/dev/natflow_zone_ctl")
    measure_queue("none", path, floor)
    # The kernel's own, which packets may pass by while they are empty: with a lock, and without.
    for plain in ("pfifo", "pfifo_fast"):
        run("r", f"tc qdisc replace dev out0 root {plain}")
        measure_queue(plain, path, floor)
    run("r", "tc qdisc replace dev out0 root natflow")
    measure_queue("idle", path, floor)
    run("r", "tc qdisc del dev out0 root")
    ctl("link dev=out0,tx=100gbit", device=QOS)
    measure_queue("rate", path, floor)
    measure_queue("rate", path, floor, ACTIVE)
    ctl("clear", device=QOS)
    measure_queue("none", path, floor, ACTIVE)
    floods()
    ctl("clean", device="/dev/natflow_zone_ctl")
