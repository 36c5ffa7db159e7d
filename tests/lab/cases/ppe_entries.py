# SPDX-License-Identifier: GPL-2.0-only
"""natflow-ppe on what mainline's driver prints of its table."""
import os

from natlab import bare, check, equal, run
from natlab.ppe import DMAC, NEW, SMAC, SOCS, Flow, Ppe

ENTRIES = "/sys/kernel/debug/ppe0/entries"


def said(*options):
    """Entries by the addresses that arrive, each as words by their keys."""
    lines = [dict(word.split("=", 1) for word in line.split()) for line in run(None, ["/lab/natflow-ppe", *options, ENTRIES]).splitlines()]
    return {entry["from"]: entry for entry in lines}


def entries(soc):
    """A flow with NAT, VLAN and PPPoE, one that waits, and one of IPv6 are read as what they are."""
    ppe = Ppe(soc)
    flow = ppe.replace(Flow(snat=("176.98.95.135", 40001), encaps=((0x8100, 35), (0x8864, 0x1f2e))))
    v6 = ppe.replace(Flow(src="fd00:1::2", dst="fd00:2::2"))
    ppe.send(Flow(sport=52295), 2)
    index, words = ppe.bind(flow)
    index6, words6 = ppe.bind(v6)
    ppe.send(flow, 3)
    told = said("--soc", soc)
    equal(len(told), 3, f"entries of {told}")
    waits, bound, second = told["192.168.1.22:52295"], told["192.168.1.22:52294"], told["?" if soc == "mt7986" and not NEW else "[fd00:1::2]:52294"]
    equal((waits["state"], waits["seen"], waits["to"], "port" in waits), ("unbound", "2", "185.187.81.227:80", False), "two packets")
    counts = NEW and soc != "mt7621"
    check(not counts or int(bound.pop("bytes")) > 0, "bytes")
    clock = 0x7fff if ppe.version == 1 else 0xff
    equal(bound, {"index": f"{index:05x}", "state": "bound", "type": "v4", "proto": "tcp", "time": str(words[0] & clock),
                  "way": str(index % ppe.ways), "from": "192.168.1.22:52294", "to": "185.187.81.227:80", "new_from": "176.98.95.135:40001",
                  "new_to": "185.187.81.227:80", "src": SMAC, "dst": DMAC, "vlan": "35", "pppoe": "yes", "port": "gdm2",
                  **({"queue": "1"} if NEW else {}), **({"packets": "3"} if counts else {})}, "the bound entry")
    equal((second["index"], second["state"], second["type"]), (f"{index6:05x}", "bound", "v6"), "IPv6")
    if second["from"] != "?":
        equal((second["to"], second["src"], second["port"]), ("[fd00:2::2]:80", SMAC, "gdm2"), "where IPv6 leaves")
    guessed = said()
    equal({a: (e["state"], e["time"], e.get("port")) for a, e in guessed.items()},
          {a: (e["state"], e["time"], e.get("port")) for a, e in told.items()}, "without --soc")
    for f in (flow, v6):
        ppe.destroy(f)


# ppe.golden fails where the module must be and is not.
for soc in SOCS if os.path.exists("/lab/natppe.ko") else ():
    globals()[f"case_{soc}"] = bare(lambda soc=soc: entries(soc))
