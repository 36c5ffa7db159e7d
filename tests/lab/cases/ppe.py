# SPDX-License-Identifier: GPL-2.0-only
"""Mainline's PPE driver, as the kernel's source has it, writes the words that are known, and what it wrote forwards.

Only on kernels whose source the lab has: Debian's for amd64, without PREEMPT_RT.
"""
import os

from natlab import ADDR, LONG, Tcp, bare, check, equal, run, wait
from natlab.ppe import NEW, SOCS, Flow, Ppe

RELEASE = os.uname().release
HERE = RELEASE.endswith("-amd64") and "-rt-" not in RELEASE or os.path.exists("/lab/natppe.ko")
SNAT, DNAT = ("176.98.95.135", 40001), ("10.0.0.2", 8080)
VLAN, PPPOE = (0x8100, 35), (0x8864, 0x1f2e)
KEY = {1: 0xc0a80116, 2: 0xb9bb51e3, 3: 0xcc460050, 12: 0x02aabbcc, 13: 0xddee0000, 14: 0x02112233, 15: 0x44550000}
NEW_SRC = {5: 0xb0625f87, 6: 0xb9bb51e3, 7: 0x9c410050}
KEY6 = {1: 0xfd000001, 4: 2, 5: 0xfd000002, 8: 2, 9: 0x03e807d0, 16: 0x02aabbcc, 17: 0xddee0000, 18: 0x02112233, 19: 0x44550000}
# ib1 without its timestamp, ib2: on mt7621, mt7622, mt7986, mt7988; the other words, on all or each of them.
TCP4 = (0x21400000, 0x21400000, 0x20500000, 0x20500000)
GDM2 = (0x007ff051, 0x007c0451, 0x00f08501, 0x00f08501)
GOLDEN = (
    ("SNAT", {"snat": SNAT}, TCP4, GDM2, {**NEW_SRC, 11: 0x08000000}),
    ("DNAT", {"dnat": DNAT}, TCP4, GDM2, {5: 0xc0a80116, 6: 0x0a000002, 7: 0xcc461f90, 11: 0x08000000}),
    ("both", {"snat": SNAT, "dnat": DNAT}, TCP4, GDM2, {5: 0xb0625f87, 6: 0x0a000002, 7: 0x9c411f90, 11: 0x08000000}),
    ("routed", {}, TCP4, GDM2, {5: 0xc0a80116, 6: 0xb9bb51e3, 7: 0xcc460050, 11: 0x08000000}),
    ("VLAN", {"snat": SNAT, "encaps": (VLAN,)}, (0x21510000, 0x21510000, 0x20544000, 0x20544000), GDM2,
     {**NEW_SRC, 11: 0x08000023}),
    ("PPPoE", {"snat": SNAT, "encaps": (PPPOE,)}, (0x21480000, 0x21480000, 0x20520000, 0x20520000), GDM2,
     {**NEW_SRC, 11: 0x88640000, 15: 0x44551f2e}),
    ("VLAN and PPPoE", {"snat": SNAT, "encaps": (VLAN, PPPOE)}, (0x21590000, 0x21590000, 0x20564000, 0x20564000), GDM2,
     {**NEW_SRC, 11: 0x88640023, 15: 0x44551f2e}),
    ("QinQ", {"proto": 17, "encaps": (VLAN, (0x8100, 36))}, (0x61520000, 0x61520000, 0x60548000, 0x60548000), GDM2,
     {11: 0x08000023, 13: 0xddee0024}),
    ("IPv6", {"src": "fd00:1::2", "sport": 1000, "dst": "fd00:2::2", "dport": 2000},
     (0x2b400000, 0x2b400000, 0x22d00000, 0x22d00000), GDM2, {**KEY6, 15: 0x86dd0000}),
    ("WED", {"snat": SNAT, "leave": 3}, TCP4, (None, 0x007f0460, 0x00fc9200, 0x00fc9200),
     ({}, {**NEW_SRC, 13: 0xddee88c5}, {**NEW_SRC, 16: 0x48c50000}, {**NEW_SRC, 17: 0x00050123, 18: 0x01000000})),
)


def each(name, test):
    """A case for each SoC."""
    for soc in SOCS if HERE else ():
        globals()[f"case_{name}_{soc}"] = bare(lambda soc=soc: test(soc))


def ib2_of(soc, ib2, wed):
    """6.1 has neither queues nor counters, and one port group on all of v1."""
    if NEW:
        return ib2
    if soc == "mt7986":
        return ib2 & ~0x81ff
    return ib2 & ~0x41f | (0 if wed else 0x3f000)


def golden(soc):
    """30 packets of a flow that was offered, and the words are these; the next one leaves as they say."""
    ppe, at = Ppe(soc), ("mt7621", "mt7622", "mt7986", "mt7988").index(soc)
    for number, (name, what, ib1, ib2, words) in enumerate(GOLDEN):
        if ib2[at] is None:
            continue
        flow = ppe.replace(Flow(**what))
        ppe.tick(number)
        ppe.send(flow, 29)
        equal(ppe.state(flow), "unbound", f"{name}, after 29 packets")
        index, word = ppe.bind(flow)
        wed, v6 = what.get("leave") == 3, flow.family == 6
        if name == "SNAT":
            equal(index, {1: 0x12f2, 2: 0x25e4, 3: 0x25e4}[ppe.version] % ppe.slots, "index")
        want = {**({} if v6 else KEY), **(words[at] if isinstance(words, tuple) else words)}
        clock = ppe.status()["clock"] & (0x7fff if ppe.version == 1 else 0xff)
        want.update({0: ib1[at] | clock, (14 if v6 else 4): ib2_of(soc, ib2[at], wed)})
        equal({k: f"{word[k]:08x}" for k in want}, {k: f"{v:08x}" for k, v in want.items()}, f"{name} on {soc}: words")
        forwarded(ppe, flow, name)
        ppe.destroy(flow)
        equal((ppe.state(flow), ppe.status()["ppe0.bound"]), ("invalid", 0), f"{name}: destroyed")
    clean(ppe)


def clean(ppe):
    """Nothing is left, nothing went wrong."""
    equal([k for k, v in ppe.status().items() if v and k.split(".")[-1] in ("bound", "lost", "stale", "dropped", "flows")], [],
          "counters that must be 0")


def forwarded(ppe, flow, name):
    before = ppe.status()
    ppe.drain(2)
    ppe.send(flow)
    now = ppe.status()
    if flow.leave == 3:
        equal(now["wed"] - before["wed"], 1, f"{name}: frames for the wlan")
        return
    equal((now["hard"] - before["hard"], now["cpu"] - before["cpu"]), (1, 0), f"{name}: forwarded by hardware")
    out = ppe.drain(2, 1)
    equal([f.hex() for f in out], [flow.forwarded().hex()], f"{name}: the frame that left")


each("golden", golden)


def reason(ppe, flow, want, what, **frame):
    """One frame goes to the CPU, for that reason."""
    before = ppe.status()
    ppe.send(flow, **frame)
    now = ppe.status()
    equal({k: now[k] - before.get(k, 0) for k in now if k.startswith("reason") and now[k] != before.get(k, 0)},
          {f"reason.{want:02x}": 1}, what)


def hardware(soc):
    """The emulator does as hardware does, where no rule of the driver shows it: the CPU gets what it must see."""
    ppe = Ppe(soc)
    flow = ppe.replace(Flow(snat=SNAT))
    reason(ppe, flow, 0x0d, "the first packet")
    reason(ppe, flow, 0x0e, "the second packet")
    ppe.bind(flow)
    reason(ppe, flow, 0x11, "TTL 1", ttl=1)
    reason(ppe, flow, 0x08, "a fragment", frag=0x2000)
    reason(ppe, flow, 0x0c, "SYN", flags=0x02)
    if NEW:
        reason(ppe, flow, 0x1c, "a packet longer than the MTU", data=bytes(1461))
    for tags in (b"", b"\x81\0\0\x05", b"\x81\0\0\x05\x81\0\0\x06"):
        ppe.drain(2)
        ppe.send(flow, data=b"odd", tags=tags)
        equal([f.hex() for f in ppe.drain(2, 1)], [flow.forwarded(b"odd").hex()], "tags of the way in are no part of a flow")
    ppe.tick(6)
    equal(ppe.state(flow), "bound", "6 s without a packet")
    ppe.tick()
    equal(ppe.state(flow), "invalid", "7 s without a packet")
    ppe.bind(flow)
    reason(ppe, flow, 0x10, "FIN", flags=0x11)
    reason(ppe, flow, 0x10, "a packet after FIN")
    equal(ppe.state(flow), "fin", "a flow that ends")
    ppe.tick()
    equal(ppe.state(flow), "invalid", "1 s after FIN")
    question = ppe.replace(Flow(proto=17, dnat=DNAT))
    ppe.bind(question)
    ppe.drain(2)
    ppe.send(question, data=b"")
    equal([f.hex() for f in ppe.drain(2, 1)], [question.forwarded(b"").hex()], "UDP")
    ppe.tick(11)
    equal(ppe.state(question), "bound", "11 s without a packet")
    ppe.tick()
    equal(ppe.state(question), "invalid", "12 s without a packet")
    for f in (flow, question):
        ppe.destroy(f)
    clean(ppe)


each("hardware", hardware)


def cache(soc):
    """An entry that is written without a clear of the cache is noticed: hardware goes on with the old one."""
    ppe = Ppe(soc)
    flow = ppe.replace(Flow(snat=SNAT))
    index, _ = ppe.bind(flow)
    ppe.send(flow)
    equal(ppe.status()["ppe0.stale"], 0, "after mainline's own writes")
    with open("/proc/natppe/status", "w") as f:
        f.write(f"scribble {index}")
    equal((ppe.state(flow), ppe.status()["ppe0.stale"]), ("invalid", 1), "memory, and entries that differ from the cache")
    forwarded(ppe, flow, "from the cache")
    ppe.destroy(flow)
    equal(ppe.status()["ppe0.stale"], 0, "after a clear")


each("cache", cache)


def fuzz(soc):
    """Random flows of each kind: the slot and the words of natflow's encoder are mainline's."""
    ppe = Ppe(soc)
    with open("/proc/natppe/status", "w") as f:
        f.write(f"fuzz 1 {100000 if LONG else 5000}")
    equal(ppe.status()["fuzz.different"], 0, "flows whose words differ; the kernel's log has them")
    clean(ppe)


each("fuzz", fuzz)


def stranger(soc, patched=False):
    """Trap 12: 30 packets of a flow that nobody offered, in another way of the bucket, make a bound entry unremovable."""
    ppe = Ppe(soc, patched)
    flow = ppe.replace(Flow(snat=SNAT))
    ppe.bind(flow)
    ppe.asked(ppe.neighbour(flow))
    equal(ppe.state(flow), "bound", "beside the stranger")
    forwarded(ppe, flow, "beside the stranger")
    ppe.destroy(flow)
    return ppe, flow


def aged(soc, patched=False):
    """Trap 13: a question for counters after the entry aged out is written into the rule: it never binds again."""
    ppe = Ppe(soc, patched)
    flow = ppe.replace(Flow(snat=SNAT))
    ppe.bind(flow)
    ppe.tick(7)
    equal(ppe.state(flow), "invalid", "aged")
    ppe.stats(flow)
    return ppe, flow


def trap(soc):
    ppe, flow = stranger(soc)
    equal((ppe.state(flow), ppe.status()["ppe0.bound"]), ("bound", 1), "destroyed, and still in hardware")
    forwarded(ppe, flow, "destroyed")
    ppe.tick(7)
    equal(ppe.state(flow), "invalid", "aged")
    ppe.close()
    ppe, flow = aged(soc)
    ppe.asked(flow)
    check(ppe.state(flow) != "bound", "it binds again")
    # From outside: a rule anew.
    ppe.destroy(flow)
    ppe.replace(flow)
    ppe.bind(flow)
    forwarded(ppe, flow, "a rule anew")
    ppe.destroy(flow)
    clean(ppe)


def cure(soc):
    ppe, flow = stranger(soc, True)
    equal((ppe.state(flow), ppe.status()["ppe0.bound"]), ("invalid", 0), "destroyed")
    ppe.close()
    ppe, flow = aged(soc, True)
    ppe.bind(flow)
    forwarded(ppe, flow, "bound again")
    ppe.destroy(flow)
    clean(ppe)


each("trap", trap)
each("cure", cure)


FLOWTABLE = """table inet hardware {
    flowtable f { hook ingress priority 0; flags offload; devices = { r0, r1 }; }
    chain forward { type filter hook forward priority 0; ct state established flow add @f; }
    chain postrouting { type nat hook postrouting priority 100; oifname "r1" masquerade; }
}
"""
BULK = bytes(range(256)) * 4096         # 1 MB: 725 full segments each way, and their acknowledgements


def nftables(soc):
    """A NATed TCP flow that the kernel's own flow table offers: the table that mainline wrote forwards it, every byte."""
    ppe = Ppe(soc, patched=True, between=True)
    run("r", ["nft", "-f", "-"], text=FLOWTABLE)
    flow = Tcp()
    equal(flow.peer[0], ADDR["r1", 4], "who the server sees")

    def both():
        flow.pass_data(flow.client, flow.server, bytes(100000))
        flow.pass_data(flow.server, flow.client, bytes(100000))
        return ppe.status()["ppe0.bound"] == 2
    wait(both, "both directions are bound")
    before = ppe.status()
    flow.pass_data(flow.client, flow.server, BULK)
    flow.pass_data(flow.server, flow.client, BULK)
    now = ppe.status()
    wire, cpu, hard = (now[k] - before[k] for k in ("wire", "cpu", "hard"))
    equal((wire - cpu - hard, wire > 1500), (0, True), f"frames: {wire} on wires, {cpu} to the CPU, {hard} forwarded")
    check(cpu * 100 <= wire, f"{cpu} of {wire} frames reached the CPU")
    # In this order: a table that goes first takes the callbacks along, and hardware keeps its entries.
    run("r", "conntrack -F", ok=False)
    wait(lambda: not ppe.status()["ppe0.bound"], "no entry is bound")
    run("r", "nft delete table inet hardware")
    clean(ppe)


each("nftables", nftables)
