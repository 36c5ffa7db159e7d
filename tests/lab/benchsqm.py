# SPDX-License-Identifier: GPL-2.0-only
"""The bench with SQM: cake on out0, and cake on an ifb for the ingress of out0; without a rate, so that no packet waits."""
import bench
import sqm
from natlab import check, run, stats

FLOWS = 16


def setup():
    run("r", "tc qdisc add dev out0 root cake unlimited besteffort")
    sqm.redirect("out0", "ifb0")


def remove():
    sqm.restore("out0", "ifb0")
    run("r", "tc qdisc del dev out0 root")


def measure(path, floor):
    """Upload (cake on out0) and download (cake on the ifb); the minimum of three runs."""
    setup()
    for family in (4, 6):
        bench.forget(path)
        for _ in range(3):
            bench.establish(family, FLOWS)
        for case, dev, kind, data, queue in (("upload", "in0", family, bench.original(family), "out0"),
                                             ("download", "out0", family + 10, bench.reply(family), "ifb0")):
            best = None
            for _ in range(3):
                before, hits = sqm.cake(queue)[0], stats("r")["hits"] if path == "natflow" else 0
                value = bench.generate(dev, kind, FLOWS, bench.COUNT, data)
                seen = sqm.cake(queue)[0] - before
                check(seen == bench.COUNT, f"{path} {case}: cake saw {seen} of {bench.COUNT}")
                check(path != "natflow" or stats("r")["hits"] - hits == bench.COUNT, f"{case}: not all were hits")
                best = min(best or value, value)
            bench.say(f"sqm-{case}-v{family}", path, FLOWS, best - floor)
    remove()

