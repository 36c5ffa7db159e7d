# SPDX-License-Identifier: GPL-2.0-only
"""Commands beside traffic that does not stop, and many of everything: work that must end, and not grow by the square."""
import time

import bench
from natlab import Delta, bare, check, ctl, ip, netns_add, rule, select, stats, sysctl, wait

FLOWS = 4096


@bare
def case_flush_beside_new_flows():
    """A flush returns while packets select each flow again that it has ended."""
    bench.setup()
    for name in ("udp_timeout", "udp_timeout_stream"):
        sysctl("r", f"net.netfilter.nf_conntrack_{name}", 3000)
    select()
    bench.establish(4, FLOWS, client=bench.ADDR[4][0])
    d = Delta()
    running = bench.background("in0", 4, FLOWS, 32 * FLOWS, bench.original(4))
    wait(lambda: d["hits"] > FLOWS, "traffic")
    ctl("flush")
    check(running.poll() is None, f"the flush took as long as the traffic: {d.changed()}")
    check(FLOWS <= d["end.flush"] < 4 * FLOWS, f"{d.changed()}")
    running.wait()


def grow(first, count):
    """Seconds for so many more devices, the fastest of four parts."""
    took = []
    for part in range(first, first + count, count // 4):
        begin = time.monotonic()
        ip("many", "".join(f"link add d{i} up type dummy\n" for i in range(part, part + count // 4)))
        took.append(time.monotonic() - begin)
    return min(took)


@bare
def case_many_devices():
    """The last of two thousand devices costs what the first did: an event looks at its own device."""
    netns_add("many")
    rule(4, where="many")
    wait(lambda: stats("many")["hooked"] == 1, "hooks in place")
    few = grow(0, 80)
    ip("many", "".join(f"link add d{i} type dummy\n" for i in range(80, 2000)))
    many = grow(2000, 80)
    print(f"# 20 devices: {few * 1000:.0f} ms, behind two thousand {many * 1000:.0f} ms", flush=True)
    check(many < 3 * few, f"{many:.3f} s, and {few:.3f} s at the beginning")
