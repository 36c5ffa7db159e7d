# SPDX-License-Identifier: GPL-2.0-only
"""natflow_hwnat/patches: mainline's PPE driver has the defect without, and not with them. P11, P12 are in ppe.py, too."""
import os

from natlab import AT_END, Udp, bare, check, equal, insmod, rmmod, rule, stats, wait
from natlab.ppe import GMAC, NEW, WIRE, Flow, Ppe

RELEASE = os.uname().release
HERE = RELEASE.endswith("-amd64") and "-rt-" not in RELEASE or os.path.exists("/lab/natppe.ko")
SNAT = ("176.98.95.135", 40001)
NEVER = 1000000                 # seconds: lastused is 0


def each(name, test, socs):
    """A case for each SoC: test(soc, patched) without and with the patches."""
    def both(soc):
        for patched in (False, True):
            ppe = test(soc, patched)
            if patched:
                equal(ppe.status()["ppe0.bound"], 0, "bound entries that are left")
            ppe.close()
    for soc in socs if HERE else ():
        globals()[f"case_{name}_{soc}"] = bare(lambda soc=soc: both(soc))


def bridged():
    return Flow(bridged=True, smac=WIRE, dmac=GMAC)


def seen(ppe, flow, ttl):
    """A frame that hardware forwards leaves with that TTL."""
    ppe.drain(flow.leave)
    before = ppe.status()["hard"]
    ppe.send(flow)
    equal(ppe.status()["hard"] - before, 1, "forwarded by hardware")
    equal([f.hex() for f in ppe.drain(flow.leave, 1)], [flow.forwarded(ttl=ttl + 1).hex()], f"the frame that left, TTL {ttl}")


def conduit(soc, patched):
    """P02: a flow from a port of a switch behind the second GMAC is bound, in that GMAC's PPE."""
    ppe = Ppe(soc, patched)
    flow = ppe.replace(Flow(snat=SNAT, come=2, leave=1, switch=True))
    if patched:
        ppe.bind(flow)
        seen(ppe, flow, 63)
    else:
        ppe.asked(flow)
        equal(ppe.state(flow), "unbound", "the driver looked for it in the second PPE, and has it in the first")
    ppe.destroy(flow)
    equal(ppe.status().get("ppe1.bound"), 0, "bound entries of the second PPE")
    return ppe


each("conduit", conduit, ("mt7986", "mt7988") if NEW else ())


def ttl(soc, patched):
    """P03: a bridged packet keeps its TTL, a routed one loses one."""
    ppe = Ppe(soc, patched)
    flow = ppe.replace(bridged())
    ppe.bind(flow)
    seen(ppe, flow, 64 if patched else 63)
    ppe.destroy(flow)
    routed = ppe.replace(Flow(snat=SNAT))
    ppe.bind(routed)
    seen(ppe, routed, 63)
    ppe.destroy(routed)
    return ppe


each("ttl", ttl, ("mt7621", "mt7986"))


def lastused(soc, patched):
    """P04: who asks for a flow that is not bound is told no time of a last packet."""
    ppe = Ppe(soc, patched)
    flow = ppe.replace(Flow(snat=SNAT))
    equal(ppe.stats(flow)[2] > NEVER, patched, "never bound: lastused is 0")
    ppe.bind(flow)
    check(ppe.stats(flow)[2] <= 1, "bound")
    ppe.tick(3)
    check(3 <= ppe.stats(flow)[2] <= 4, "bound, 3 s without a packet")
    ppe.tick(264)
    equal(ppe.state(flow), "invalid", "aged out")
    equal(ppe.stats(flow)[2] > NEVER, patched, "aged out: lastused is 0")
    ppe.destroy(flow)
    return ppe


each("lastused", lastused, ("mt7621", "mt7986"))


def now(soc, patched):
    """P07: with ppe_bind_now the first packet of a flow passes in hardware, and a full bucket refuses nothing."""
    ppe = Ppe(soc, patched)
    switch = f"/sys/module/{ppe.module}/parameters/ppe_bind_now"
    equal(os.path.exists(switch), patched, "the parameter")
    if patched:
        flow = ppe.replace(Flow(snat=SNAT))
        equal(ppe.state(flow), "invalid", "off by default")
        ppe.destroy(flow)
        with open(switch, "w") as f:
            f.write("1")
    flow = ppe.replace(Flow(snat=SNAT))
    equal(ppe.state(flow), "bound" if patched else "invalid", "added")
    if not patched:
        return ppe
    seen(ppe, flow, 63)
    flows = [flow]
    while len(flows) <= ppe.ways:
        flows.append(ppe.replace(ppe.neighbour(flows[-1], snat=SNAT)))
    equal([ppe.state(f) for f in flows], ["bound"] * ppe.ways + ["invalid"], "one more than the ways of a bucket")
    ppe.destroy(flow)
    # Hardware counts it in the way that became free: that is where it is bound.
    late = flows.pop()
    ppe.send(late, 2)
    equal(ppe.state(late), "unbound", "after two packets")
    ppe.destroy(late)
    ppe.replace(late)
    equal(ppe.state(late), "bound", "added again")
    seen(ppe, late, 63)
    for f in (*flows[1:], late):
        ppe.destroy(f)
    return ppe


each("now", now, ("mt7622", "mt7986"))


def table():
    with open("/sys/kernel/debug/ppe0/entries") as f:
        return f.read()


def kind(soc, patched):
    """P01: the table of NETSYS v2 is printed as what it is."""
    ppe = Ppe(soc, patched)
    flow = ppe.replace(Flow(src="fd00:1::2", sport=1000, dst="fd00:2::2", dport=2000))
    ppe.bind(flow)
    equal("IPv6 5T" in table(), patched, "an IPv6 entry in the table")
    ppe.destroy(flow)
    return ppe


each("kind", kind, () if NEW else ("mt7986",))


def subflow(soc, patched):
    """P11: what a bridge flow has bound goes with it, though a stranger's packets were in another way of the bucket."""
    ppe = Ppe(soc, patched)
    flow = ppe.replace(bridged())
    ppe.bind(flow)
    stranger = ppe.neighbour(flow)
    ppe.destroy(flow)
    equal(ppe.state(flow), "invalid", "alone")
    ppe.replace(flow)
    ppe.bind(flow)
    # Not of that bridge.
    stranger.frame = lambda *a, **more: b"\x02\x33\0\0\0\x09" + Flow.frame(stranger, *a, **more)[6:]
    ppe.asked(stranger)
    equal(ppe.state(flow), "bound", "beside the stranger")
    ppe.destroy(flow)
    equal(ppe.state(flow), "invalid" if patched else "bound", "destroyed")
    return ppe


each("subflow", subflow, ("mt7621", "mt7986"))


def reading(soc, patched):
    """P10: who reads the table takes nothing from a flow's counters."""
    ppe = Ppe(soc, patched)
    flow = ppe.replace(Flow(snat=SNAT))
    ppe.bind(flow)
    ppe.stats(flow)
    ppe.send(flow, 3)
    check(" packets=3 " in table(), "the table says so")
    ppe.send(flow, 2)
    table()
    ppe.send(flow)
    packets = 6 if patched else 1
    equal(ppe.stats(flow)[:2], (packets, packets * len(flow.frame())), "what the flow is told of six frames")
    ppe.destroy(flow)
    return ppe


def counted(soc, patched):
    """P05: who asks for a flow is told what hardware has forwarded since, and nothing of the flow that had the entry before."""
    ppe = Ppe(soc, patched)
    flow = ppe.replace(Flow(snat=SNAT))
    slot, _ = ppe.bind(flow)
    counts = patched and soc != "mt7621"
    ppe.send(flow, 3)
    ppe.send(flow, data=bytes(1000))
    size = 3 * len(flow.frame()) + len(flow.frame(bytes(1000)))
    equal(ppe.stats(flow)[:2], (4, size) if counts else (0, 0), "four frames")
    equal(ppe.stats(flow)[:2], (0, 0), "asked again")
    ppe.send(flow, 2)
    ppe.tick(7)
    equal((ppe.state(flow), ppe.stats(flow)[0]), ("invalid", 2 if counts else 0), "aged out: its last frames")
    # Without P12 a flow that was asked about then does not bind again.
    ppe.destroy(flow)
    ppe.replace(flow)
    ppe.bind(flow)
    ppe.send(flow, 2)
    ppe.destroy(flow)
    ppe.replace(flow)
    equal(ppe.bind(flow)[0], slot, "the same entry")
    equal(ppe.stats(flow)[:2], (0, 0), "a new flow in it")
    ppe.destroy(flow)
    return ppe


each("counted", counted, () if NEW else ("mt7621", "mt7622", "mt7986"))


def last(soc, patched):
    """P12: the frames of an entry until it aged out are the flow's, and it is bound again."""
    ppe = Ppe(soc, patched)
    flow = ppe.replace(Flow(snat=SNAT))
    ppe.bind(flow)
    ppe.stats(flow)
    ppe.send(flow, 2)
    ppe.tick(7)
    equal((ppe.state(flow), ppe.stats(flow)[0]), ("invalid", 2), "aged out: its last frames")
    if patched:
        ppe.bind(flow)
        ppe.send(flow)
        equal(ppe.stats(flow)[0], 1, "bound again")
    else:
        ppe.asked(flow)
        check(ppe.state(flow) != "bound", "not bound again")
    ppe.destroy(flow)
    return ppe


each("last", last, ("mt7622", "mt7986") if NEW else ())


def told():
    """P05, backend=flowblk: natflow knows that the driver tells counts, and has those of all frames that hardware forwarded."""
    ppe = Ppe("mt7622", True, between=True)
    insmod("/lab/natflow_hwnat.ko", "backend=flowblk")
    AT_END.append(lambda: rmmod("natflow_hwnat"))
    rule(4, "-A FORWARD -j FLOWOFFLOAD --hw")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    flow = Udp()
    flow.learn()

    def hwnat():
        return stats("r", "natflow_hwnat")

    def exchange(rounds):
        for _ in range(rounds):
            flow.send(b"forth")
            flow.reply(b"back")

    def bound():
        exchange(40)
        return ppe.status()["ppe0.bound"] == hwnat()["state.bound"] * 2 == 2
    wait(bound, "both directions are bound")
    equal((hwnat()["approx"], hwnat()["sticky"]), (0, 0), "what natflow knows")
    exchange(100)
    wait(lambda: hwnat()["packets"] == ppe.status()["hard"], "natflow counts what hardware forwarded", 5)
    check(ppe.status()["hard"] >= 200, "by hardware")


if HERE:
    case_told = bare(told)


each("reading", reading, ("mt7622", "mt7986") if NEW else ())
