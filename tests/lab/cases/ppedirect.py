# SPDX-License-Identifier: GPL-2.0-only
"""backend=ppe: natflow writes the PPE's entries, through what patches P13 and P14 export from mainline's driver."""
import os

from natlab import ADDR, AT_END, Tcp, bare, check, ctl, equal, insmod, mac, rmmod, rule, stats, sysctl, wait
from natlab.ppe import NEW, SOCS, Flow, Ppe

RELEASE = os.uname().release
HERE = RELEASE.endswith("-amd64") and "-rt-" not in RELEASE or os.path.exists("/lab/natppe.ko")
SNAT, DNAT = ("176.98.95.135", 40001), ("10.0.0.2", 8080)
NATS = ({}, {"snat": SNAT}, {"dnat": DNAT}, {"snat": SNAT, "dnat": DNAT}, {"src": "fd00:1::2", "dst": "fd00:2::2"})
VLAN, PPPOE = (0x8100, 35), (0x8864, 0x1f2e)
ENCAPS = ((), (VLAN,), (PPPOE,), (VLAN, PPPOE), (VLAN, (0x8100, 36)))
EEXIST, ENOENT, ENOSPC = -17, -2, -28


def each(name, test, socs=SOCS):
    """A case for each SoC."""
    for soc in socs if HERE else ():
        globals()[f"case_{name}_{soc}"] = bare(lambda soc=soc: test(soc))


def counts(soc):
    return soc != "mt7621"


def empty(ppe):
    equal([k for k, v in ppe.status().items() if v and k.split(".")[-1] in ("bound", "lost", "stale", "dropped", "flows")], [],
          "counters that must be 0")


def hard(ppe, flow):
    """One frame leaves by hardware, as the flow says."""
    ppe.drain(2)
    before = ppe.status()["hard"]
    ppe.send(flow)
    equal(ppe.status()["hard"] - before, 1, f"{flow.old}: forwarded by hardware")
    equal([f.hex() for f in ppe.drain(2, 1)], [flow.forwarded().hex()], f"{flow.old}: the frame that left")


def forwards(soc):
    """The first packet of a flow passes in hardware, whatever NAT and headers; it is counted, and the entry goes when it must."""
    ppe = Ppe(soc, patched=True)
    for nat in NATS:
        for proto, encaps in ((6 + 11 * (i % 2), e) for i, e in enumerate(ENCAPS)):
            flow = Flow(proto=proto, encaps=encaps, **nat)
            slot = ppe.set(flow)
            hard(ppe, flow)
            equal(ppe.read(flow, slot), (1, *((1, len(flow.frame())) if counts(soc) else (0, 0)), 0), f"{flow.old}: counters")
            ppe.clear(flow, slot)
            equal((ppe.state(flow), ppe.status()["ppe0.bound"]), ("invalid", 0), f"{flow.old}: cleared")
    equal(ppe.command(Flow(encaps=(VLAN, VLAN, PPPOE)), 16)[0], ENOSPC, "three headers")
    equal(ppe.command(Flow(leave=3), 16)[0], -95, "a device that is no GMAC")
    empty(ppe)


each("forwards", forwards)


def ways(soc):
    """A bound way is never overwritten, nor one that a flow of the driver's remembers; what hardware counts is taken over."""
    ppe = Ppe(soc, patched=True)
    flows = [Flow(snat=SNAT)]
    while len(flows) <= ppe.ways:
        flows.append(ppe.neighbour(flows[-1], snat=SNAT))
    late = flows.pop()
    slots = [ppe.set(f) for f in flows]
    equal(sorted(slots), list(ppe.bucket(late)), "a way each")
    ppe.set(late, ENOSPC)
    ppe.set(flows[0], EEXIST)
    for f in flows:
        hard(ppe, f)
    ppe.clear(flows[-1], slots[-1])
    ppe.send(late, 2)
    equal(ppe.state(late), "unbound", "hardware counts it")
    equal(ppe.set(late), slots[-1], "where it does")
    hard(ppe, late)
    ppe.clear(late, slots[-1])
    ppe.clear(flows[0], slots[0])
    # The driver's own. It ages out, and is remembered where it was.
    theirs = ppe.replace(flows[0])
    ppe.set(flows[0], EEXIST)
    slot = ppe.bind(theirs)[0]
    ppe.tick(7)
    equal(ppe.status()["ppe0.bound"], 0, "all aged out")
    kept = [ppe.set(f) for f in (*flows[1:], late)[:ppe.ways - 1]]
    check(slot not in kept, f"way {slot} is the driver's")
    ppe.set(flows[-1] if late in flows else late, ENOSPC if ppe.ways > 2 or late not in flows else EEXIST)
    ppe.destroy(theirs)
    equal(ppe.status()["ppe0.bound"], len(kept), "its removal leaves the others alone")
    for f, s in zip((*flows[1:], late), kept):
        ppe.clear(f, s)
    empty(ppe)


each("ways", ways)


def torn(soc):
    """A reader that looks all the time never sees a bound entry with half of the words of another flow."""
    ppe = Ppe(soc, patched=True)
    flows = Flow(snat=SNAT), Flow(dnat=DNAT, encaps=(VLAN,), smac="02:0a:0b:0c:0d:0e", dmac="02:1a:1b:1c:1d:1e")

    def say(word):
        with open("/proc/natppe/status", "w") as f:
            f.write(f"watch {word} {slot}")
    for flow in flows:
        slot = ppe.set(flow)
        say("known")
        ppe.clear(flow, slot)
    say("start")
    for _ in range(500):
        for flow in flows:
            ppe.clear(flow, ppe.set(flow, slot))
    ppe.set(flows[0], slot)
    wait(lambda: ppe.status()["watch.whole"], "the reader sees the entry")
    equal(ppe.status()["watch.torn"], 0, "readings that were no flow's")
    say("tear")
    wait(lambda: ppe.status()["watch.torn"], "the reader sees what is torn")
    ppe.clear(flows[0], slot)
    empty(ppe)


each("torn", torn)


def aged(soc):
    """An entry that aged out is told, keeps its last counts, and may be set again. Its slot may be another's: that one stays."""
    ppe = Ppe(soc, patched=True)
    flow = Flow(snat=SNAT)
    slot = ppe.set(flow)
    hard(ppe, flow)
    ppe.tick(3)
    equal(ppe.read(flow, slot)[::3], (1, 3), "idle")
    hard(ppe, flow)
    ppe.tick(7)
    bound, packets, _, _ = ppe.read(flow, slot)
    equal((bound, packets), (0, int(counts(soc))), "aged out")
    equal(ppe.set(flow), slot, "again")
    hard(ppe, flow)
    ppe.tick(7)
    other = ppe.replace(ppe.neighbour(flow, snat=SNAT))
    equal(ppe.bind(other)[0], slot, "the driver binds another flow there")
    equal(ppe.read(flow, slot)[0], ENOENT, "it is another's")
    ppe.clear(flow, slot)
    hard(ppe, other)
    ppe.destroy(other)
    # The last GMAC goes down and up: the table is empty.
    slot = ppe.set(flow)
    with open("/proc/natppe/status", "w") as f:
        f.write("restart")
    equal((ppe.read(flow, slot)[0], ppe.state(flow)), (ENOENT, "invalid"), "after a restart")
    slot = ppe.set(flow)
    hard(ppe, flow)
    # A FIN ends it: hardware has let go, and nobody takes it back.
    ppe.send(flow, flags=0x11)
    equal(ppe.read(flow, slot)[0], 0, "after FIN")
    ppe.set(flow, EEXIST)
    ppe.clear(flow, slot)
    equal(ppe.state(flow), "invalid", "cleared")
    empty(ppe)


each("aged", aged)


def last_slot(soc):
    """Slot 16383 is never taken: descriptors have no other number for "none"."""
    ppe, flow = Ppe(soc, patched=True), Flow(snat=SNAT)
    while 16383 not in ppe.bucket(flow):
        flow = Flow(sport=flow.old[1] + 1 if flow.old[1] < 65535 else 1024, dport=80 + (flow.old[1] == 65535), snat=SNAT)
    flows = [flow]
    while len(flows) < ppe.ways:
        flows.append(ppe.neighbour(flows[-1], snat=SNAT))
    slots = [ppe.set(f) for f in flows[:-1]]
    ppe.set(flows[-1], ENOSPC)
    check(16383 not in slots, f"{slots}")
    for f, s in zip(flows, slots):
        ppe.clear(f, s)
    empty(ppe)


each("last_slot", last_slot, ("mt7621", "mt7986") if NEW else ())


BULK = bytes(range(256)) * 4096         # 1 MB


def load(backend="ppe"):
    insmod("/lab/natflow_hwnat.ko", f"backend={backend}")
    AT_END.append(lambda: rmmod("natflow_hwnat"))
    rule(4, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    rule(4, "-A FORWARD -j FLOWOFFLOAD --hw")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")


def hwnat():
    return stats("r", "natflow_hwnat")


def passes(flow, data):
    flow.pass_data(flow.client, flow.server, data)
    flow.pass_data(flow.server, flow.client, data)


def gateway(soc):
    """A NATed TCP flow through natflow: hardware forwards it at once, and again after it aged out, with few packets; not after flush."""
    ppe = Ppe(soc, patched=True, between=True)
    load()
    flow = Tcp()
    equal(flow.peer[0], ADDR["r1", 4], "who the server sees")

    def bound():
        passes(flow, bytes(100000))
        return ppe.status()["ppe0.bound"] == 2
    wait(bound, "both directions are bound")
    equal((hwnat()["state.bound"], hwnat()["approx"]), (1, int(not counts(soc))), "natflow knows")
    before, told = ppe.status(), hwnat()
    passes(flow, BULK)
    now = ppe.status()
    wire, cpu, forwarded = (now[k] - before[k] for k in ("wire", "cpu", "hard"))
    equal((wire - cpu - forwarded, wire > 1500), (0, True), f"frames: {wire} on wires, {cpu} to the CPU, {forwarded} forwarded")
    check(cpu * 100 <= wire, f"{cpu} of {wire} frames reached the CPU")
    if counts(soc):
        wait(lambda: hwnat()["packets"] - told["packets"] >= forwarded, "natflow counts what hardware forwarded")
    # Hardware ages it out; natflow puts it back, without a packet.
    ppe.tick(8)
    wait(lambda: ppe.status()["ppe0.bound"] == 2, "bound again")
    before = ppe.status()
    passes(flow, b"one")
    equal(ppe.status()["cpu"] - before["cpu"], 0, "frames for the CPU, of a few")
    ctl("flush")
    equal((ppe.status()["ppe0.bound"], hwnat()["flows"]), (0, 0), "after flush")
    passes(flow, BULK)
    wait(lambda: bound() and hwnat()["state.bound"] == 1, "it comes back")
    # The driver may go first: its entries are cleared before.
    flow.close()
    ppe.close()
    equal((hwnat()["flows"], hwnat()["driver_errors"]), (0, 0), "after the driver has gone")


each("gateway", gateway)


def duplicate(soc):
    """Another module's rule has the same flow: `duplicate`, and in software; natflow's own once that rule has gone."""
    ppe = Ppe(soc, patched=True, between=True)
    load()
    sysctl("r", "net.netfilter.nf_conntrack_tcp_be_liberal", 1)        # as whoever offloads makes a connection
    flow = Tcp()
    src, dst = flow.client.getsockname(), flow.client.getpeername()
    theirs = ppe.replace(Flow(*src, *dst, snat=flow.peer, smac=mac("r", "r1"), dmac=mac("s", "s0")))

    def refused():
        passes(flow, bytes(100000))
        return hwnat()["refused.duplicate"]
    wait(refused, "the reason")
    check(ppe.status()["ppe0.bound"] <= 1 and not hwnat()["flows"], "the reply's entry is not there")
    passes(flow, BULK)
    ppe.destroy(theirs)
    ctl("hwnat=1")

    def bound():
        passes(flow, bytes(100000))
        return ppe.status()["ppe0.bound"] == hwnat()["state.bound"] * 2 == 2
    wait(bound, "both directions are natflow's")


each("duplicate", duplicate, ("mt7621",))


def unpatched(soc):
    """Without the patches nothing is in hardware, the reason is told, and the flow is fast in software."""
    ppe = Ppe(soc, between=True)
    load()
    flow = Tcp()

    def refused():
        passes(flow, bytes(100000))
        return hwnat()["refused.no-ppe"]
    wait(refused, "a reason")
    equal((ppe.status()["ppe0.bound"], hwnat()["flows"], hwnat()["driver_errors"]), (0, 0, 0), "nothing in hardware")
    check(stats()["hits"] > 0, "fast in software")


each("unpatched", unpatched, ("mt7621",))
