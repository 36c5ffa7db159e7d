# SPDX-License-Identifier: GPL-2.0-only
"""A device without a queue, or with an empty one, gets packets at once, unless somebody could tell that from dev_queue_xmit()."""
import contextlib
import re

from natlab import ADDR, Capture, Delta, Udp, both, check, equal, learned, mac, modprobe, nft_counter, no_memory, run, select, sysctl
from sqm import root

TRACE = "/sys/kernel/tracing/"
COUNT = 5


def trace(name, text):
    with open(TRACE + name, "w") as f:
        f.write(text)


def traced(pattern):
    """How many lines of the kernel's trace match, since the last call."""
    with open(TRACE + "trace") as f:
        count = sum(bool(re.search(pattern, line)) for line in f)
    trace("trace", "")
    return count


@contextlib.contextmanager
def calls():
    """The function tracer notes who calls dev_queue_xmit()."""
    trace("set_ftrace_filter", "__dev_queue_xmit")
    trace("current_tracer", "function")
    try:
        yield
    finally:
        trace("current_tracer", "nop")
        trace("set_ftrace_filter", "")


def queued(flow, what):
    """Of so many datagrams, which are all fast: how many natflow gave to dev_queue_xmit()."""
    traced("")
    d = Delta()
    for _ in range(COUNT):
        flow.send(b"counted")
    equal(d["hits"], COUNT, f"{what}: {d.changed()}")
    return traced(r"__dev_queue_xmit <-(receive_ip|natflow_)")


@contextlib.contextmanager
def tap(dev):
    """A packet socket on a device, or on all of them."""
    socket = Capture("r", dev, lambda f: f.endswith(b"counted"), sent=True)

    def seen():
        return sum(bool(socket.next()) for _ in range(COUNT))
    yield seen
    socket.close()


@contextlib.contextmanager
def commands(begin, end, seen):
    run("r", begin)
    before = seen() if seen else 0
    yield seen and (lambda: seen() - before)
    run("r", end)


@contextlib.contextmanager
def tracepoint(name):
    trace(f"events/net/{name}/enable", "1")
    # The function tracer's lines are read first, and with them these.
    yield None
    trace(f"events/net/{name}/enable", "0")


def tc(what):
    return lambda: int(re.search(r"Sent \d+ bytes (\d+) pkt", run("r", f"tc -s {what}"))[1])


def conditions():
    yield "a tap", tap("r1")
    yield "a tap on all devices", tap(None)
    yield "a queue that no packet passes by", commands("tc qdisc replace dev r1 root prio", "tc qdisc del dev r1 root", tc("qdisc show dev r1 root"))
    run("r", "tc qdisc add dev r1 clsact")
    yield "a filter", commands("tc filter add dev r1 egress matchall action ok", "tc qdisc del dev r1 clsact",
                               tc("filter show dev r1 egress"))
    yield "a hook", commands(["nft", "add table netdev look { chain e { type filter hook egress device r1 priority 0; "
                              "meta l4proto udp counter comment \"seen\"; }; }"], "nft delete table netdev look",
                             lambda: nft_counter("look", "seen"))
    yield "a second queue of the device", commands("ethtool -L r1 tx 2", "ethtool -L r1 tx 1", None)
    for name in ("net_dev_queue", "net_dev_start_xmit", "net_dev_xmit"):
        yield name, tracepoint(name)


def seen(family):
    """What may see or hold a packet does so from the next one on, and no longer than it is there."""
    modprobe("act_gact", "sch_prio")
    select()
    flow = learned(Udp(family))
    with calls():
        equal(queued(flow, "nothing"), 0, "packets by dev_queue_xmit() with nothing there")
        for what, condition in conditions():
            with condition as count:
                equal(queued(flow, what), COUNT, f"packets by dev_queue_xmit() with {what}")
                saw = count() if count else COUNT
                check(saw >= COUNT, f"{what} saw {saw} packets")
            equal(queued(flow, what), 0, f"packets by dev_queue_xmit() behind {what}")


case_seen_v4, case_seen_v6 = both(seen)


def case_empty_queue():
    """Packets pass by an empty queue, which counts them; one that the driver has no room for is the first one in it."""
    sysctl("r", "net.ipv6.conf.r1.disable_ipv6", 1)     # the router's own packets pass the qdisc, too
    run("r", f"ip neigh replace {ADDR['s', 4]} lladdr {mac('s', 's0')} dev r1 nud permanent")
    run("s", f"ip neigh replace {ADDR['r1', 4]} lladdr {mac('r', 'r1')} dev s0 nud permanent")
    select()
    flow = learned(Udp())
    for kind in ("pfifo", "natflow"):
        run("r", f"tc qdisc replace dev r1 root {kind}")
        flow.send()     # the route is asked again
        before = root("r1")
        with calls():
            equal(queued(flow, kind), 0, f"packets by dev_queue_xmit() with {kind}, which is empty")
        now = root("r1")
        equal((now["packets"] - before["packets"], now["bytes"] - before["bytes"]), (COUNT, COUNT * (42 + len(b"counted"))), f"packets and bytes of {kind}")
        with no_memory("veth_xmit", 1, 16) as works:      # NETDEV_TX_BUSY
            flow.send(b"again")
        equal((root("r1")["requeues"], root("r1")["qlen"]), (int(works), 0), f"packets that {kind} kept")
    run("r", "tc qdisc del dev r1 root")
