#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The tables of Documentation/links.md, from the last output of the lab and the bench."""
import json
import re

PAGE = "Documentation/links.md"
KERNELS = ("6.1", "6.12", "newest")
TEXT = {
    "eth": "Ethernet", "vlan": "VLAN", "qinq": "QinQ (802.1ad + 802.1Q)", "bridge": "bridge",
    "bridge_on_vlan": "bridge on a VLAN", "vlan_on_bridge": "VLAN on a bridge",
    "pvid": "VLAN-filtering bridge, port untagged", "trunk": "VLAN-filtering bridge, port tagged",
    "bond": "bond, active-backup", "lacp": "bond, 802.3ad", "macvlan": "macvlan", "tun": "tun", "wireguard": "WireGuard",
    "e1000e": "e1000e", "virtio": "virtio-net", "e1000e_vlan": "VLAN on e1000e",
    "pppoe": "PPPoE", "pppoe_on_vlan": "PPPoE on a VLAN",
}


def row(cells):
    return "| " + " | ".join(cells) + " |\n"


def costs(kind):
    """A row for each pairing that the bench measured."""
    with open("build/bench.json", encoding="utf-8") as f:
        value = {(r["case"], r["path"]): r["value"] for r in json.load(f)["rows"]}
    table = row(["in by", "out by", "the stack", "nf_flow_table", "natflow"]) + row(["---"] * 5)
    for case in dict.fromkeys(c for c, _ in value if c.startswith(kind + "-")):
        _, lan, wan = case.split("-")
        table += row([TEXT[lan], TEXT[wan], *(str(value[case, p]) for p in ("stack", "nf_flow_table", "natflow"))])
    return table


def matrix():
    """What each pairing came to, on all kernels."""
    seen, wans = {}, []
    for kernel in KERNELS:
        with open(f"build/tap/lab-{kernel}", encoding="utf-8") as f:
            lines = re.findall(r"^# links IPv(\d) (\w+): (.*)$", f.read(), re.M)
        for family, lan, cells in lines:
            for wan, word in (c.strip().split("=") for c in cells.split()):
                seen.setdefault(lan, {}).setdefault(wan, []).append((kernel, family, word))
                wans += [] if wan in wans else [wan]

    def outcome(cell):
        bad = [f"{k} IPv{f}" for k, f, w in cell if w != "yes"]
        return "not on " + ", ".join(bad) if bad else "not tried" if len(cell) < 2 * len(KERNELS) else "fast"
    return row(["", *(TEXT[w] for w in wans)]) + row(["---"] * (len(wans) + 1)) + \
        "".join(row([TEXT[lan], *(outcome(cells[w]) for w in wans)]) for lan, cells in seen.items())


def main():
    """The page's first three tables are new; its text stays."""
    with open(PAGE, encoding="utf-8") as f:
        page = f.read()
    tables = re.findall(r"(?:^\|.*\n)+", page, re.M)
    for old, new in zip(tables, (matrix(), costs("link"), costs("tcp"))):
        page = page.replace(old, new)
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write(page)


if __name__ == "__main__":
    main()
