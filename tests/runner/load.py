# SPDX-License-Identifier: GPL-2.0-only
"""Who has the CPUs: we, or others, who make everything take longer."""
import os
import time

HZ = os.sysconf("SC_CLK_TCK")
SHARE = 0.1     # of all CPUs, above which others disturb


def processes():
    """pid: (parent, session, CPU seconds, with those of children that were waited for)."""
    out = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="latin1") as f:
                words = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        out[int(pid)] = int(words[1]), int(words[3]), sum(map(int, words[11:15])) / HZ
    return out


def ours():
    """CPU seconds of this process and all that came of it."""
    every = processes()
    mine, more = {os.getpid()}, True
    while more:
        more = {pid for pid, (parent, _, _) in every.items() if parent in mine} - mine
        mine |= more
    return sum(every[pid][2] for pid in mine)


def session(sid):
    """CPU seconds of a session."""
    return sum(cpu for _, its, cpu in processes().values() if its == sid)


def busy():
    """CPU seconds of everybody, the host of a virtual machine too."""
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq, steal = map(int, f.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / HZ


class Sample:
    """Now, to compare with later."""

    def __init__(self):
        self.wall, self.busy, self.ours = time.monotonic(), busy(), ours()

    def others(self):
        """Their share of all CPUs since then."""
        wall = max(time.monotonic() - self.wall, 0.01)
        return max(0.0, busy() - self.busy - (ours() - self.ours)) / wall / os.cpu_count()

    def disturbed(self):
        return self.others() > SHARE
