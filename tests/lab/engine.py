# SPDX-License-Identifier: GPL-2.0-only
"""The distribution's own mtk_eth.ko on a frame engine in memory (natreal.ko): two GMACs, a PPE between them.

    c (c0: wire0) --- r (r0: the first GMAC | r1: the second) --- s (s0: wire1)
"""
import glob
import os
import socket
import struct

import natlab
from natlab import ADDR, Tcp, Udp, check, equal, run, wait
from natlab.ppe import bucket

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


CLIENT, SERVER, NAT = (ADDR[end, 4] for end in ("c", "s", "r1"))
PORT = 5000
DATA = b"a datagram longer than Ethernet's least"      # the port counts what pads a frame


def slots(*packet):
    return bucket(*packet, 2, 16384)


def seen(family):
    """The client, the server, and who the client is to the server."""
    return (CLIENT, SERVER, NAT) if family == 4 else (ADDR["c", 6], ADDR["s", 6], ADDR["c", 6])


def apart(family=4):
    """TCP's ports; UDP has the next. Each direction has a bucket of its own: in one, they would make entries stay (P11)."""
    client, server, nat = seen(family)
    for port in range(40000, 41000):
        ways = [slots(*way) for p in (port, port + 1) for way in ((client, p, server, p), (server, p, nat, p))]
        if len({way[0] for way in ways}) == 4:
            return port
    raise AssertionError


def hardware(family=4, offload=True):
    """natflow_hwnat on the driver's ports; IPv4 to s gets another source address, and keeps it if it leaves elsewhere."""
    up(offload)
    natlab.insmod("/lab/natflow_hwnat.ko")
    natlab.AT_END.append(lambda: natlab.rmmod("natflow_hwnat"))
    natlab.rule(4, f"-A POSTROUTING -d {SERVER} -j SNAT --to-source {NAT}", table="nat")
    natlab.rule(family, "-A FORWARD -j FLOWOFFLOAD --hw")
    wait(lambda: natlab.stats()["hooked"] == 1, "hooks in place")
    natlab.ctl("hwnat=2")


class Flows:
    """A TCP and a UDP connection from c to s."""

    def __init__(self, before=None):
        self.port = port = apart()
        if before:
            before(port)
        self.tcp = Tcp(4, sport=port, dport=port)
        self.udp = Udp(4, sport=port + 1, dport=port + 1)
        self.exchange()

    def exchange(self):
        """Fewer packets than natflow offers a flow for."""
        Tcp.pass_data(self.tcp.client, self.tcp.server, DATA)
        Tcp.pass_data(self.tcp.server, self.tcp.client, DATA)
        self.udp.send(DATA)
        self.udp.reply(DATA)

    def load(self):
        """Little at a time: no queue of a busy machine drops any."""
        for _ in range(5):
            Tcp.pass_data(self.tcp.client, self.tcp.server, bytes(16384))
            Tcp.pass_data(self.tcp.server, self.tcp.client, bytes(16384))
        for _ in range(40):
            self.udp.send(DATA)
            self.udp.reply(DATA)

    def bind(self):
        wait(lambda: self.load() or counters()["bound"] == 4, "four entries are bound")

    def reset(self):
        """Nobody waits for an answer that cannot come."""
        for sock in (self.tcp.client, self.tcp.server):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.tcp.close()
