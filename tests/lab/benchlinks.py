# SPDX-License-Identifier: GPL-2.0-only
"""The bench's links: what a packet costs that comes in by one kind and leaves by another.

All of them over two dummy devices; the far end of each is a MAC address.
"""
import ctypes
import fcntl
import os
import socket
import struct

import bench
from natlab import LIBC, Delta, check, frame, ip, ip_packet, mac, modprobe, ns, rule, sh, sysctl, udp

PEER = "02:00:00:00:09:09"
SESSION = 7
HELD = []


class End:
    """One side's link of one kind: its gateway device and what frames on it begin with."""

    def __init__(self, kind, wire, net):
        self.kind, self.wire, self.net = kind, wire, net
        self.dev, tags = getattr(self, kind)()
        self.before = tags
        ppp = kind == "pppoe"
        ip("r", f"addr add {self.address(1)}{' peer ' + self.address(2) + '/32' if ppp else '/24'} dev {self.dev}\n" +
           ("" if ppp else f"neigh add {self.address(2)} lladdr {PEER} dev {self.dev} nud permanent\n"))

    def address(self, end):
        return f"10.1.{self.net}.{end}"

    def eth(self):
        return self.wire, b""

    def vlan(self, dev=None, vid=10, proto="802.1Q"):
        name = f"{dev or self.wire}.{vid}"
        ip("r", f"link add link {dev or self.wire} name {name} type vlan id {vid} protocol {proto}\nlink set {name} up")
        return name, struct.pack("!HH", 0x8100 if proto == "802.1Q" else 0x88a8, vid)

    def qinq(self):
        outer, first = self.vlan(None, 100, "802.1ad")
        name, second = self.vlan(outer, 11)
        return name, first + second

    def bridge(self):
        """The wire of a bridge is a dummy of its own."""
        port, br = "p" + self.wire, "b" + self.wire
        ip("r", f"""link add {br} type bridge mcast_snooping 0
            link add {port} type dummy
            link set {port} master {br} up
            link set {br} up""")
        sh("r", f"bridge fdb replace {PEER} dev {port} master static")
        self.wire = port
        return br, b""

    def pppoe(self):
        """A PPPoE session as pppd leaves it after negotiation, without a peer."""
        modprobe("pppoe")
        with ns("r"):       # where the calls look for channels, too
            sock = LIBC.socket(24, socket.SOCK_STREAM, 0)       # AF_PPPOX, PX_PROTO_OE
            where = struct.pack("=HIH6s16s", 24, 0, socket.htons(SESSION), bytes.fromhex(PEER.replace(":", "")),
                                self.wire.encode())
            if LIBC.connect(sock, where, len(where)):
                raise OSError(ctypes.get_errno(), "connect")
            number, index = bytearray(4), bytearray(struct.pack("=i", -1))
            fcntl.ioctl(sock, 0x80047437, number)               # PPPIOCGCHAN
            channel, unit = (os.open("/dev/ppp", os.O_RDWR) for _ in range(2))
            fcntl.ioctl(channel, 0x40047438, bytes(number))     # PPPIOCATTCHAN
            fcntl.ioctl(unit, 0xc004743e, index)                # PPPIOCNEWUNIT
            fcntl.ioctl(channel, 0x4004743a, bytes(index))      # PPPIOCCONNECT
            for proto in (0x21, 0x57):
                fcntl.ioctl(unit, 0x4008744b, struct.pack("=Ii", proto, 0))     # PPPIOCSNPMODE, NPMODE_PASS
        HELD.extend((sock, channel, unit))
        name = f"ppp{struct.unpack('=i', index)[0]}"
        ip("r", f"link set {name} up")
        return name, struct.pack("!HBBHHH", 0x8864, 0x11, 0, SESSION, 0, 0x21)

    def frame(self, packet):
        """The frame as it arrives on the wire."""
        whole = frame(mac("r", self.wire if self.kind == "pppoe" else self.dev), PEER, packet)
        before = self.before
        if self.kind == "pppoe":
            return whole[:12] + before[:6] + struct.pack("!HH", len(packet) + 2, 0x21) + packet
        return whole[:12] + before + whole[12:]


# In by, out by.
PAIRS = (("eth", "eth"), ("vlan", "eth"), ("eth", "vlan"), ("vlan", "vlan"), ("qinq", "eth"), ("eth", "qinq"),
         ("bridge", "eth"), ("eth", "bridge"), ("bridge", "vlan"), ("eth", "pppoe"),
         ("pppoe", "eth"), ("bridge", "pppoe"))


def setup():
    """Make all ends once; the wires belong to the bench. PPPoE frames arrive at their own wire."""
    sysctl("r", "net.ipv6.conf.default.disable_ipv6", 1)    # it has timers of its own, for each device
    ends = {}
    for side, wire, first in (("in", "in0", 20), ("out", "out0", 40)):
        for i, kind in enumerate(("eth", "vlan", "qinq", "bridge", "pppoe")):
            ends[side, kind] = End(kind, wire, first + i)
            if side == "out":
                rule(4, f"-A POSTROUTING -o {ends[side, kind].dev} -j MASQUERADE", table="nat")
    return ends


def wires(ends):
    return sorted({end.wire for end in ends.values()})


def packet(src, dst, sport, dport):
    return ip_packet(4, src, dst, 17, udp(4, src, dst, sport, dport, bytes(18)))


def measure(path, ends, pair, floor):
    """Instructions per packet of one established flow; the minimum of three runs."""
    lan, wan = ends["in", pair[0]], ends["out", pair[1]]
    there = lan.frame(packet(lan.address(2), wan.address(2), 1024, 9))
    back = wan.frame(packet(wan.address(2), wan.address(1), 9, 1024))
    # Seconds after its ports came up a bridge reports them again, and flows across it begin anew: then once more.
    for _ in range(3):
        bench.forget(path)
        for _ in range(2):
            bench.generate(lan.wire, 4, 1, 1, there)
            bench.generate(wan.wire, 14, 1, 1, back)
        d = Delta() if path == "natflow" else None
        best = min(bench.generate(lan.wire, 4, 1, bench.COUNT, there) for _ in range(3))
        if not d or d["hits"] / 3 / bench.COUNT > 0.99:
            break
    else:
        check(False, f"{pair}: {d.changed()}")
    bench.say("link-" + "-".join(pair), path, 1, best - floor)
