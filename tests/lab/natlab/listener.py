# SPDX-License-Identifier: GPL-2.0-only
"""A feature of the lab's own, in the slot of hardware back ends: what natflow tells it, and when."""
import contextlib

from .doors import ctl, read
from .programs import check, insmod, rmmod


class Listener:
    """The module is loaded; its counters are those of a namespace."""

    def __init__(self, where="r"):
        self.where = where

    def counts(self):
        return {k: int(v) for k, v in (word.split("=") for word in read("/proc/net/natlab_told", self.where).split())}

    @contextlib.contextmanager
    def told(self, *keys, ends=0):
        """What is done inside has been reported when it is done, as one of the keys, and ends so many flows."""
        before = self.counts()
        yield
        after = self.counts()
        grown = {k: after[k] - before[k] for k in after if after[k] > before[k]}
        check(not keys or any(k in grown for k in keys), f"one of {keys} when the command has returned: {grown}")
        check(grown.get("ended", 0) == ends, f"{ends} flows ended: {grown}")

    def relearn(self, flow):
        """A feature hears only of flows that were selected after it attached."""
        bound = self.counts()["bound"]
        ctl("flush")
        flow.learn()
        check(self.counts()["bound"] == bound + 1, "the flow is reported")


@contextlib.contextmanager
def listener(where="r"):
    insmod("/lab/natlisten.ko")
    try:
        yield Listener(where)
    finally:
        rmmod("natlisten")


def groups(where="r"):
    """The multicast groups, as bits, of the sockets that natflow reads the kernel's messages of NETLINK_ROUTE from."""
    rows = [line.split() for line in read("/proc/net/netlink", where).splitlines()[1:]]
    return [int(row[3], 16) for row in rows if row[1] == "0" and int(row[2]) & 1 << 31]
