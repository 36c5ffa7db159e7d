# SPDX-License-Identifier: GPL-2.0-only
"""Claims about slow and fast packets, with exact counts."""
from .programs import equal, wait
from .doors import Delta
from .rtnl import rtnl
from .topology import configure, quiet, reachable

ROUNDS = 5


def bare(case):
    """A case that makes its own namespaces and links."""
    case.bare = True
    return case


def both(test):
    """A case for each family."""
    return (lambda: test(4)), (lambda: test(6))


def exchange(flow, rounds=ROUNDS):
    for i in range(rounds):
        flow.send(b"forth %d" % i)
        flow.reply(b"back %d" % i)


def slow(flow, reason, forth=1, back=0):
    """The reason counts each datagram as often as given; none is fast, all arrive."""
    d = Delta()
    exchange(flow)
    equal(d[reason], ROUNDS * (forth + back), f"{reason}: {d.changed()}")
    equal(d["hits"], 0, f"hits {d.changed()}")


def is_fast(flow, rounds=ROUNDS):
    """Exchange, and return whether all packets were hits."""
    d = Delta()
    exchange(flow, rounds)
    return d["hits"] == 2 * rounds


def fast(flow):
    d = Delta()
    exchange(flow)
    equal(d["hits"], 2 * ROUNDS, f"hits {d.changed()}")


def learned(flow):
    """Learn the flow now; it must be fast afterwards."""
    flow.learn()
    fast(flow)
    return flow


def second_link(where, dev, net, r_dev="r2"):
    """One more link to the gateway: 10.0.NET.1 and fd00:NET::1 are the gateway's end."""
    quiet(where)
    with rtnl(None) as here:
        here.veth(1100 + net, (dev, where), (r_dev, "r"))
    for n, d, host in ((where, dev, 2), ("r", r_dev, 1)):
        configure(n, {d: (f"10.0.{net}.{host}/24", f"fd00:{net}::{host}/64")})
    for family, address in ((4, f"10.0.{net}.1"), (6, f"fd00:{net}::1")):
        wait(lambda: reachable(where, family, address), f"{address} reachable")


def hits(flow, want=1, count=5, where="r"):
    """Round trips with correct bytes; all or none of them are hits."""
    d = Delta(where)
    for i in range(count):
        flow.send(b"there %d" % i)
        flow.reply(b"back %d" % i)
    equal(d["hits"], 2 * count * want, f"hits of {count} round trips: {d.changed()}")
    return flow
