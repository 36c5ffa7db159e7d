# SPDX-License-Identifier: GPL-2.0-only
"""natppe.ko, mainline's driver of MediaTek's PPE on an emulated PPE: kmod/ppe/ppe.h."""
import os
import socket
import struct
import time

from .packets import frame, inet, ip_packet, tcp, udp
from .programs import AT_END, check, equal, insmod, rmmod, run, wait
from .topology import netns_add, up

NEW = tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 12)
SOCS = ("mt7621", "mt7622", "mt7986") + (("mt7988",) if NEW else ())
VERSION = {"mt7621": 1, "mt7622": 1, "mt7986": 2, "mt7988": 3}
SIZE = {"mt7621": 80, "mt7622": 80, "mt7986": 96, "mt7988": 128}
DEVICES = ("gmac1", "gmac2", "wire1", "wire2", "wlan0")
STATES = ("invalid", "unbound", "bound", "fin")
REPLACE, DESTROY, STATS = range(3)
SET, CLEAR, READ = range(16, 19)        # natflow's words, by patches P13 and P14
WIRE, GMAC = "02:33:00:00:00:01", "02:44:00:00:00:01"       # of frames that come in
SMAC, DMAC = "02:11:22:33:44:55", "02:aa:bb:cc:dd:ee"       # of frames that leave


class Flow:
    """A flow of one direction: its rule, and frames of it."""
    cookies = 0

    def __init__(self, src="192.168.1.22", sport=52294, dst="185.187.81.227", dport=80, proto=6, snat=None, dnat=None,
                 encaps=(), come=1, leave=2, switch=False, bridged=False, smac=SMAC, dmac=DMAC):
        Flow.cookies += 1
        self.cookie, self.proto, self.encaps, self.bridged = Flow.cookies, proto, encaps, bridged
        self.family = 6 if ":" in src else 4
        self.old, self.snat, self.dnat = (src, sport, dst, dport), snat, dnat
        self.new = (snat or (src, sport)) + (dnat or (dst, dport))
        self.come, self.leave, self.smac, self.dmac = come, leave, smac, dmac
        self.device = 4 if switch else come             # that the rule names

    def rule(self, command, cookie=None):
        def address(text):
            return inet(self.family, text).ljust(16, b"\0")
        mac = [bytes.fromhex(m.replace(":", "")) for m in (self.smac, self.dmac)]
        encaps = b"".join(struct.pack("=HH", *e) for e in self.encaps).ljust(16, b"\0")
        return struct.pack("=QBBBB16s16s16s16sHHHH6s6sBBBB16s", self.cookie if cookie is None else cookie, command, self.family == 6, self.proto,
                           bool(self.snat) + 2 * bool(self.dnat), address(self.old[0]), address(self.old[2]),
                           address(self.new[0]), address(self.new[2]), self.old[1], self.old[3], self.new[1], self.new[3],
                           *mac, self.device, self.leave, self.bridged, len(self.encaps), encaps)

    def packet(self, data=b"hardware", flags=0x10, ttl=64, new=False, **more):
        src, sport, dst, dport = self.new if new else self.old
        l4 = udp(self.family, src, dst, sport, dport, data) if self.proto == 17 else \
            tcp(self.family, src, dst, sport, dport, 1, 1, flags, data)
        return ip_packet(self.family, src, dst, self.proto, l4, ttl=ttl, **more)

    def frame(self, data=b"hardware", tags=b"", **more):
        f = frame(GMAC, WIRE, self.packet(data, **more))
        return f[:12] + tags + f[12:]

    def forwarded(self, data=b"hardware", ttl=64, **more):
        """What leaves for frame()."""
        packet, head = self.packet(data, ttl=ttl - 1, new=True, **more), b""
        kind = b"\x08\0" if self.family == 4 else b"\x86\xdd"
        for proto, number in self.encaps:
            if proto == 0x8864:
                kind = struct.pack("!HHHHH", 0x8864, 0x1100, number, len(packet) + 2, 0x21 if self.family == 4 else 0x57)
            else:
                head += struct.pack("!HH", proto, number)
        return bytes.fromhex((self.dmac + self.smac).replace(":", "")) + head + kind + packet


def bucket(src, sport, dst, dport, ways, slots):
    """The slots that the hardware looks at for a packet."""
    family = 6 if ":" in src else 4
    s, d = (struct.unpack("!I" if family == 4 else "!4I", inet(family, a)) for a in (src, dst))
    a, b, c = sport << 16 | dport, d[0], s[0]
    if family == 6:
        a, b, c = a ^ s[3] ^ d[3], s[2] ^ d[2] ^ d[0], s[1] ^ d[1] ^ s[0]
    m = a & b | ~a & 0xffffffff & c
    m = (m << 8 & 0xffffffff | m >> 24) ^ a ^ b ^ c
    m ^= m >> 16
    first = m * ways % slots
    return range(first, first + ways)


def load(soc, patched=False, ppes=0):
    """Load the module; its name."""
    module = "natppe_patched" if patched else "natppe"
    insmod(f"/lab/{module}.ko", f"soc={soc} ppes={ppes}")
    return module


class Ppe:
    """The module, its devices up, in the namespace we are in; or between them, as up() has links."""

    def __init__(self, soc, patched=False, between=False):
        self.soc, self.size, self.version = soc, SIZE[soc], VERSION[soc]
        self.ways, self.slots = 2 if self.version == 1 else 4, 16384 if NEW else 8192
        self.module, self.sockets = load(soc, patched, int(between)), []
        AT_END.append(self.close)
        if between:
            self.between()
        else:
            self.here()

    def between(self):
        """c0 - r0 and r1 - s0 are the wires and GMACs; each direction of a flow enters by the one PPE."""
        for name in "crs":
            netns_add(name)
        run(None, ["ip", "-batch", "-"], text="".join(f"link set {a} name {b} netns {n}\n" for a, b, n in (
            ("wire1", "c0", "c"), ("gmac1", "r0", "r"), ("gmac2", "r1", "r"), ("wire2", "s0", "s"))))
        up(made=True)

    def here(self):
        for dev in DEVICES:
            with open(f"/proc/sys/net/ipv6/conf/{dev}/disable_ipv6", "w") as f:
                f.write("1")
        run(None, ["ip", "-batch", "-"], text="link set wire1 mtu 2000\n" + "".join(f"link set {d} up\n" for d in DEVICES))
        for dev in ("wire1", "wire2"):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            s.setsockopt(263, 8, 1)         # SOL_PACKET, PACKET_AUXDATA: tags, which the kernel takes out of frames
            s.bind((dev, 3))
            self.sockets.append(s)

    def close(self):
        for s in self.sockets:
            s.close()
        if not os.path.exists("/proc/natppe"):
            return
        wait(lambda: rmmod(self.module), f"{self.module} unloads")

    def command(self, flow, command, cookie=None):
        with open("/proc/natppe/rule", "r+b", buffering=0) as f:
            f.write(flow.rule(command, cookie))
            f.seek(0)
            return [int(word) for word in f.read(96).split()]

    def replace(self, flow, rc=0):
        equal(self.command(flow, REPLACE)[0], rc, f"REPLACE of {flow.old}")
        return flow

    def destroy(self, flow, rc=0):
        equal(self.command(flow, DESTROY)[0], rc, f"DESTROY of {flow.old}")

    def stats(self, flow):
        """(packets, bytes, idle seconds)"""
        rc, *values = self.command(flow, STATS)
        equal(rc, 0, f"STATS of {flow.old}")
        return tuple(values)

    def set(self, flow, rc=None):
        """Write natflow's entry; its slot."""
        slot = self.command(flow, SET)[0]
        check(slot in self.bucket(flow) if rc is None else slot == rc, f"entry of {flow.old}: {slot}")
        return slot

    def clear(self, flow, slot):
        self.command(flow, CLEAR, slot)

    def read(self, flow, slot):
        """(bound or an errno, packets, bytes, idle seconds)"""
        return tuple(self.command(flow, READ, slot))

    def tick(self, seconds=1):
        with open("/proc/natppe/status", "w") as f:
            f.write(f"tick {seconds}")

    def status(self):
        with open("/proc/natppe/status") as f:
            return {k: int(v) for k, v in (line.split() for line in f)}

    def send(self, flow, count=1, **more):
        data = flow.frame(**more)
        for _ in range(count):
            self.sockets[flow.come - 1].send(data)

    def bucket(self, flow):
        """The slots that the hardware looks at for a flow."""
        return bucket(*flow.old, self.ways, self.slots)

    def words(self, index, ppe=0):
        with open(f"/proc/natppe/table{ppe}", "rb") as f:
            f.seek(index * self.size)
            return struct.unpack(f"<{self.size // 4}I", f.read(self.size))

    def find(self, flow):
        """(slot, words) of the flow's entry."""
        addresses = b"".join(inet(flow.family, a) for a in flow.old[::2])
        key = struct.unpack(f"!{len(addresses) // 4}I", addresses) + (flow.old[1] << 16 | flow.old[3],)
        slots = [(i, self.words(i, self.ppe(flow))) for i in self.bucket(flow)]
        found = [(i, w) for i, w in slots
                 if w[0] >> 28 & 3 and w[1:1 + len(key)] == key and w[0] >> 30 & 1 == (flow.proto == 17)]
        check(len(found) < 2, f"{flow.old} has two entries")
        return found[0] if found else (None, None)

    def neighbour(self, flow, **more):
        """A flow of other ports that falls into the same bucket."""
        src, sport, dst, dport = flow.old
        for port in range(sport + 1, sport + 60000):
            other = Flow(src, port % 65536, dst, dport, flow.proto, **more)
            if self.bucket(other) == self.bucket(flow):
                return other
        return None

    def ppe(self, flow):
        return flow.come - 1 if NEW and self.version > 1 else 0

    def state(self, flow):
        _, words = self.find(flow)
        return STATES[words[0] >> 28 & 3] if words else STATES[0]

    def bind(self, flow):
        """Send until the driver binds; it looks at a slot ten times a second at most."""
        self.send(flow, 30)

        def bound():
            if self.state(flow) == "bound":
                return True
            self.send(flow)
            return False
        wait(bound, f"{flow.old} is bound", 5)
        return self.find(flow)

    def asked(self, flow, times=3):
        """Let hardware reach the rate so often that the driver looked, which it does ten times a second at most."""
        before = self.status().get("reason.0f", 0)
        for _ in range(times):
            end = time.monotonic() + 0.11
            wait(lambda: time.monotonic() > end, "the driver looks again")
            self.send(flow, 30)
        check(self.status().get("reason.0f", 0) - before >= times, f"{flow.old}: the rate was reached")

    def drain(self, port, frames=0):
        """The frames that have left by a wire, with their tags; at least so many are waited for."""
        out = []
        wait(lambda: out.extend(self.frames(port)) or len(out) >= frames, f"{frames} frames leave by wire {port}")
        return out

    def frames(self, port):
        out = []
        while True:
            try:
                data, extra, _, info = self.sockets[port - 1].recvmsg(65536, 64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return out
            if info[2] == socket.PACKET_OUTGOING:
                continue
            status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", extra[0][2][:20])
            if status & 0x10:                   # TP_STATUS_VLAN_VALID
                data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
            out.append(data)
