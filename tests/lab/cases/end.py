# SPDX-License-Identifier: GPL-2.0-only
"""Every way a flow goes back to the stack for good: counted once, and the stack carries on with every byte."""
import time

from natlab import (Delta, Udp, both, ctl, equal, exchange, fast, learned, netns_del, published, rule, run,
                    second_link, select, stats, up, wait)

ROUTE = {4: "ip -4 route", 6: "ip -6 route"}
TRACE = "/sys/kernel/tracing/"


def evicted(family):
    """One flow too many for the table: one idle flow goes, and comes back."""
    ctl("flow_limit=16")
    select()
    flows = [Udp(family).learn() for _ in range(16)]
    time.sleep(0.3)         # idle is what had no packet for 128 ms
    d = Delta()
    flows.append(Udp(family).learn())
    equal((d["end.evicted"], d["learn.table-full"]), (1, 0), f"{d.changed()}")
    for flow in flows:
        exchange(flow, 1)
    equal(stats()["flows"] + stats()["flows_half"], 16, "flows")


case_evicted_v4, case_evicted_v6 = both(evicted)


def half_evicted(family):
    """A quarter of the smallest table is for flows that wait for their other direction."""
    ctl("flow_limit=16")
    select()
    flows = [Udp(family) for _ in range(5)]
    d = Delta()
    for i, flow in enumerate(flows):
        exchange(flow, 1)
        equal(d["end.half-evicted"], i // 4, f"flow {i}: {d.changed()}")
    for flow in flows:
        flow.learn()
    equal(len(published()), 5, "flows published")


case_half_evicted_v4, case_half_evicted_v6 = both(half_evicted)


def replaced(family):
    """The client's packets begin to arrive by another port of the gateway."""
    second_link("c", "c2", 3)
    select()
    flow = learned(Udp(family))
    via = "10.0.3.1" if family == 4 else "fd00:3::1"
    run("c", f"{ROUTE[family]} replace default via {via} dev c2")
    d = Delta()
    flow.send()
    equal((d["end.replaced"], d["learn.half"], d["hits"]), (1, 1, 0), f"{d.changed()}")
    learned(flow)
    equal(len(published()), 1, "flows")


case_replaced_v4, case_replaced_v6 = both(replaced)


def case_flush():
    select()
    flows = [learned(Udp(family, dport=port)) for family, port in ((4, 7000), (6, 7002), (4, 7001))]
    d = Delta()
    ctl("flush dport=7001")
    equal((d["end.flush"], len(published())), (1, 2), f"{d.changed()}")
    fast(flows[0])
    fast(flows[1])
    learned(flows[2])
    ctl("flush")
    equal((d["end.flush"], len(published())), (4, 0), f"{d.changed()}")
    for flow in flows:
        learned(flow)


def case_disabled():
    select()
    flows = [learned(Udp(family)) for family in (4, 6)]
    d = Delta()
    ctl("disabled=1")
    equal((d["end.disabled"], len(published())), (2, 0), f"{d.changed()}")
    before = d["hits"]
    for flow in flows:
        exchange(flow)
    equal(d["hits"], before, "hits while disabled")
    ctl("disabled=0")
    for flow in flows:
        learned(flow)
    flows += [learned(Udp(4 + i % 2 * 2)) for i in range(18)]
    ctl("flow_limit=16")
    equal((d["end.disabled"], len(published())), (6, 16), f"beyond the new limit: {d.changed()}")
    for flow in flows:
        exchange(flow)


def case_netns():
    """A gateway's namespace goes away with its flows; the tracepoint tells."""
    names = ("c2", "r2", "s2")
    up(names)
    select("r2")
    for family in (4, 6):
        Udp(family, client="c2", server="s2").learn()
    equal(len(published("r2")), 2, "flows")
    # Names of tasks are of no use here, and patching the scheduler for them upsets an emulated CPU.
    for path, value in (("options/record-cmd", "0"), ("trace", ""), ("events/natflow/end/enable", "1")):
        with open(TRACE + path, "w") as f:
            f.write(value)
    netns_del("r2")
    wait(lambda: open(TRACE + "trace").read().count("reason=netns") == 2, "both flows' end traced")    # end.netns
    with open(TRACE + "events/natflow/end/enable", "w") as f:
        f.write("0")


def case_module_gone():
    """rmmod under traffic: the stack has it all, and a new module learns anew."""
    select()
    flows = [learned(Udp(family)) for family in (4, 6)]
    for family in (4, 6):
        rule(family, "-F FORWARD")
    run(None, "rmmod xt_FLOWOFFLOAD natflow")
    for flow in flows:
        exchange(flow)
    run(None, "insmod /lab/natflow.ko")
    run(None, "insmod /lab/xt_FLOWOFFLOAD.ko")
    select()
    for flow in flows:
        learned(flow)
