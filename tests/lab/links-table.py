#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Documentation/links.md, from what the lab and the bench last printed."""
import json
import re

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
    print("| " + " | ".join(cells) + " |")


def costs(kind):
    """A line for each pairing that the bench measured."""
    value = {(r["case"], r["path"]): r["value"] for r in json.load(open("build/bench.json"))}
    row(["in by", "out by", "the stack", "nf_flow_table", "natflow"])
    row(["---"] * 5)
    for case in dict.fromkeys(c for c, _ in value if c.startswith(kind + "-")):
        _, lan, wan = case.split("-")
        row([TEXT[lan], TEXT[wan], *(str(value[case, p]) for p in ("stack", "nf_flow_table", "natflow"))])


def main():
    seen, wans = {}, []
    for kernel in KERNELS:
        for family, lan, cells in re.findall(r"^# links IPv(\d) (\w+): (.*)$", open(f"build/tap/lab-{kernel}").read(), re.M):
            for wan, word in (c.strip().split("=") for c in cells.split()):
                seen.setdefault(lan, {}).setdefault(wan, []).append((kernel, family, word))
                wans += [] if wan in wans else [wan]
    print("""# Links

Made by `tests/run.py links`. A row is the link by which packets come in, a column the one by which they leave; a
PPPoE cell is a real pppd and a PPPoE server. "fast" means, on Debian's 6.1, 6.12 and newest kernels, for IPv4 (masqueraded)
and IPv6: every packet of a flow is forwarded by natflow, both ways, its bytes are right, and each device of the
gateway's that the packet passes or skips counts the packets and bytes that it counts when the stack forwards.
""")
    row(["", *(TEXT[w] for w in wans)])
    row(["---"] * (len(wans) + 1))
    for lan, cells in seen.items():
        def word(wan):
            bad = [f"{k} IPv{f}" for k, f, w in cells[wan] if w != "yes"]
            missing = 2 * len(KERNELS) - len(cells[wan])
            return "not on " + ", ".join(bad) if bad else "not tried" if missing else "fast"
        row([TEXT[lan], *(word(w) for w in wans)])
    print("""
What a packet costs, in instructions (`make bench`, 6.1, UDP with NAT, 60 bytes, one flow; what is left after building
and freeing the packet):
""")
    costs("link")
    print("""
Bulk TCP, packet by packet (no TSO, no GRO), both hosts included: instructions for a kilobyte, down and up together.
""")
    costs("tcp")
    print("""
VLANs and bridges are skipped: natflow looks the packet up at the lowest device and hands it to the lowest device, and
counts for those in between. A device is skipped only while nobody put anything on it: a queue, a filter of tc, a netfilter
hook, an XDP program, a tap (which is noticed within 64 ms; everything else at the next packet); a bridge, only while
there are no hooks of the bridge family, br_netfilter's among them; on the way out, only if it does not filter VLANs.
Every 5 s one packet of a flow from behind a skipped bridge takes the stack, so that the bridge remembers the station.
Bonds, macvlans and PPP are not skipped: packets go through them, because their counters, or what they choose, are theirs
alone. Flows that began while a device could not be skipped go on through it.

Ports of a DSA switch are Ethernet devices, and fast as these are; what tags their packets on the conduit is below them.
The lab has a switch with MediaTek's tags on its debug kernel (Debian's have no DSA), whose ports are tried as LAN and WAN,
in a bridge, under a VLAN and under PPPoE (cases links.dsa*).

Slow, each with its reason: tunnels that look at the route again (IPIP, GRE, SIT, xfrm, VTI, VXLAN and Geneve without
Ethernet: `learn.in-device`, `learn.out-device`), bridged packets (`refuse.bridge-member`), priority tags and VLANs
nobody has (`refuse.vlan-tag`), packets that br_netfilter has shown to iptables (`refuse.conntracked`).
A VRF's members are ports; its own counters miss what is accelerated. So do a bridge's counters for each of its VLANs, if
somebody switched them on.""")


main()
