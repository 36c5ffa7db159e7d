# SPDX-License-Identifier: GPL-2.0-only
"""Memory is gone for whoever uses natflow's doors and makes namespaces: a clear error or none, and nothing stays broken.

Where the kernel can make a process's allocations fail (the hostile ring's can). What fails in softirqs is tested one
by one, with natlab.no_memory().
"""
import contextlib
import os

from natlab import LONG, Tcp, Udp, ctl, equal, fast, learned, netns_add, netns_del, read, run, select, settings, stats, wait

FAILSLAB = "/sys/kernel/debug/failslab/"
DOORS = ("/proc/net/natflow", "/proc/net/natflow_flows", "/proc/net/natflow_log", "/dev/natflow_ctl")


@contextlib.contextmanager
def failing(percent):
    """So many of the slab allocations of weak processes fail."""
    try:
        for key, value in (("task-filter", "Y"), ("interval", 1), ("space", 0), ("verbose", 0), ("ignore-gfp-wait", "N"),
                           ("times", -1), ("probability", percent)):
            with open(FAILSLAB + key, "w") as f:
                f.write(str(value))
        yield
    finally:
        with open(FAILSLAB + "probability", "w") as f:
            f.write("0")


def weakly(call, *args):
    """Do it in a process whose allocations fail now and then, whatever comes of it."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        with open("/proc/self/make-it-fail", "w") as f:
            f.write("1")
        call(*args)
    finally:
        os._exit(0)


def namespace():
    weakly(netns_add, "x")
    with contextlib.suppress(OSError):
        netns_del("x")
    with contextlib.suppress(OSError):
        os.unlink("/run/netns/x")


def gone():
    before = settings()
    select()
    old = [learned(Udp(family)) for family in (4, 6)]
    for percent in (2, 10, 40):
        with failing(percent):
            for i in range(12 if LONG else 6):
                weakly(ctl, f"flow_limit={1000 + i}")
                weakly(ctl, f"disabled=1\nselect={('all', 'rules')[i % 2]}\ndisabled=0")
                weakly(ctl, f"begin\nifname_group_add=x{i}\nrevalidate={i % 2}\nupdate_magic\nflush dport=1\ncommit")
                for path in DOORS:
                    weakly(read, path)
                weakly(run, "r", "ip route add 10.99.0.0/16 dev r0")
                weakly(run, "r", "iptables-legacy -w -A FORWARD -p udp --dport 9 -j FLOWOFFLOAD")
                namespace()
                for family in (4, 6):
                    old[family == 6].learn()
                    Udp(family).learn().close()
                    Tcp(family).close()
        ctl("begin\ndisabled=0\n" + "\n".join(before) + "\ncommit")
        equal([line for line in settings() if not line.startswith("disabled")], before, "settings")
        wait(lambda: stats()["hooked"] == 1, "hooks in place")
        for flow in old:
            flow.learn()
            fast(flow.learn())


if os.path.exists(FAILSLAB + "task-filter"):
    case_gone = gone
