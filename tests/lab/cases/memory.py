# SPDX-License-Identifier: GPL-2.0-only
"""Memory is gone for natflow, again and again, anywhere: traffic goes on, by whichever way, and nothing stays broken.

Where the kernel can make allocations fail (the hostile ring's can); the lab's own, exact way is natlab.no_memory().
"""
import contextlib
import errno
import os

from natlab import Tcp, Udp, ctl, fast, learned, netns_add, netns_del, read, run, select, stats, wait

FAILSLAB = "/sys/kernel/debug/failslab/"


def natflow_text():
    """Where the module's code is: begin and end."""
    begin = int(open("/sys/module/natflow/sections/.text").read(), 16)
    size = next(int(line.split()[1]) for line in open("/proc/modules") if line.startswith("natflow "))
    return begin, begin + size


@contextlib.contextmanager
def failing(percent):
    """So many of natflow's slab allocations fail; of nobody else's."""
    begin, end = natflow_text()
    try:
        for key, value in (("require-start", begin), ("require-end", end), ("stacktrace-depth", 32), ("interval", 1),
                           ("space", 0), ("verbose", 0), ("ignore-gfp-wait", "N"), ("times", -1), ("probability", percent)):
            with open(FAILSLAB + key, "w") as f:
                f.write(str(value))
        yield
    finally:
        with open(FAILSLAB + "probability", "w") as f:
            f.write("0")


def or_no_memory(call, *args):
    try:
        call(*args)
    except OSError as e:
        if e.errno not in (errno.ENOMEM, errno.EAGAIN):
            raise


def namespace():
    try:
        netns_add("x")
    except OSError:
        os.unlink("/run/netns/x")
        return
    netns_del("x")


def gone():
    select()
    old = [learned(Udp(family)) for family in (4, 6)]
    for percent in (5, 30, 80):
        with failing(percent):
            for i in range(6):
                for family in (4, 6):
                    Udp(family).learn().learn().close()
                    Tcp(family).close()
                    old[family == 6].learn()
                    run("r", f"ip -{family} route add {('10.99.0.0/16', 'fd99::/32')[family == 6]} dev r0")
                    run("r", f"ip -{family} route del {('10.99.0.0/16', 'fd99::/32')[family == 6]} dev r0")
                run("r", "ip neigh flush dev r1")
                or_no_memory(ctl, f"flow_limit={1000 + i}")
                or_no_memory(ctl, f"begin\nifname_group_add=x{i}\ndisabled={i % 2}\nrevalidate={i % 3 // 2}\ncommit")
                for path in ("/proc/natflow", "/proc/natflow_flows", "/proc/natflow_log", "/dev/natflow_ctl"):
                    or_no_memory(read, path)
                namespace()
        ctl("begin\ndisabled=0\nselect=all\nifname_group_clear\nrevalidate=0\nflow_limit=65536\ncommit")
        wait(lambda: stats()["hooked"] == 1, "hooks in place")
        for flow in old:
            flow.learn()
            fast(flow.learn())


if os.path.exists(FAILSLAB + "require-start"):
    case_gone = gone
