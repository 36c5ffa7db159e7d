# SPDX-License-Identifier: GPL-2.0-only
"""The bench with a rate on out0 that no packet waits for: natflow's own qdisc, and cake with the same tasks."""
import bench
import sqm
from natlab import check, ctl, modprobe, run, stats

FLOWS = 16
QOS = "/dev/natflow_qos_ctl"
CAKE = "root cake bandwidth 100gbit nat dual-srchost"


def measure_queue(queue, path, floor):
    """Upload by out0 with the queue that it has now; the minimum of three runs."""
    bench.forget(path)
    for _ in range(3):
        bench.establish(4, FLOWS)
    best = None
    for _ in range(3):
        before, sent, hits = sqm.cake("out0")[0], bench.sent(), stats("r")["hits"] if path == "natflow" else 0
        value = bench.generate("in0", 4, FLOWS, bench.COUNT, bench.original(4))
        seen = sqm.cake("out0")[0] - before
        check(queue == "none" or seen == bench.COUNT, f"{path} {queue}: the qdisc saw {seen} of {bench.COUNT}")
        check(0 <= bench.sent() - sent - bench.COUNT <= 4, f"{path} {queue}: {bench.sent() - sent} left")
        check(path != "natflow" or stats("r")["hits"] - hits == bench.COUNT, f"{queue}: not all were hits")
        best = min(best or value, value)
    bench.say(f"shape-{queue}-v4", path, FLOWS, best - floor)


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
    run("r", "tc qdisc replace dev out0 root natflow")
    measure_queue("idle", path, floor)
    run("r", "tc qdisc del dev out0 root")
    ctl("link dev=out0,tx=100gbit", device=QOS)
    measure_queue("rate", path, floor)
    ctl("clear", device=QOS)
    ctl("clean", device="/dev/natflow_zone_ctl")
