# SPDX-License-Identifier: GPL-2.0-only
"""The distribution's own mtk_eth.ko on a frame engine in memory (natreal.ko): two GMACs, a PPE between them.

    c (c0: wire0) --- r (r0: the first GMAC | r1: the second) --- s (s0: wire1)
"""
import glob
import os

import natlab
from natlab import ADDR, Tcp, Udp, check, equal, run, wait

DEBUGFS = "/sys/kernel/debug"
MACS = {"02:00:00:00:0e:00": ("r", "r0"), "02:00:00:00:0e:01": ("r", "r1")}


def found():
    """Our four devices in the first namespace, by name: (namespace, name) that they get."""
    out = {}
    for path in glob.glob("/sys/class/net/*"):
        name = os.path.basename(path)
        with open(f"{path}/address") as f:
            address = f.read().strip()
        if address in MACS:
            out[name] = MACS[address]
        elif name in ("wire0", "c0"):
            out[name] = ("c", "c0")
        elif name in ("wire1", "s0"):
            out[name] = ("s", "s0")
    return out


def up(offload=True):
    if not os.path.exists(f"{DEBUGFS}/natreal"):
        natlab.insmod("/lab/natreal.ko")
    natlab.modprobe("mtk_eth")
    wait(lambda: len(found()) == 4, "two GMACs and two wires")
    for where in "crs":
        natlab.netns_add(where)
    for name, (where, new) in found().items():
        run(None, f"ip link set {name} netns {where} name {new}")
    natlab.up(offload=offload, made=True)


def counters():
    with open(f"{DEBUGFS}/natreal/counters") as f:
        return {k: int(v) for k, v in (line.split() for line in f)}


class Counted:
    """The frame engine's counters since the object was made."""

    def __init__(self):
        self.before = counters()

    def __getitem__(self, key):
        return counters()[key] - self.before[key]

    def __str__(self):
        return str({k: v - self.before[k] for k, v in counters().items() if v != self.before[k]})


def entries(what="entries"):
    with open(f"{DEBUGFS}/ppe0/{what}") as f:
        return f.read().splitlines()


def whole(count):
    """Nothing was dropped by the engine, and no entry or descriptor was wrong."""
    for key in ("full", "down", "lost"):
        equal(count[key], 0, f"frames {key}: {count}")


def bulk(tcp, size=1 << 20):
    data = os.urandom(1 << 16) * (size >> 16)
    Tcp.pass_data(tcp.client, tcp.server, data)
    Tcp.pass_data(tcp.server, tcp.client, data)


def bound(tcp):
    """Data until the driver has bound both directions: it takes 30 packets of a second through the CPU each."""
    def try_it():
        bulk(tcp, 1 << 17)
        return len(entries("bind")) == 2
    wait(try_it, "both directions bound")


def forwarded(tcp):
    """The PPE forwards bulk data, and the CPU hardly any."""
    count = Counted()
    bulk(tcp, 4 << 20)
    whole(count)
    frames = count["from_wire0"] + count["from_wire1"]
    check(frames > 5000 and count["to_cpu"] * 100 <= frames, f"at most 1 % of {frames} frames reach the CPU: {count}")
    equal(count["forwarded"], frames - count["to_cpu"], f"frames by the PPE: {count}")
