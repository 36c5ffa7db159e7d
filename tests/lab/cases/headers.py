# SPDX-License-Identifier: GPL-2.0-only
"""Frames cut off at every length, and with every header byte changed, over links: delivered exactly as the stack delivers them."""
import struct

import links
from natlab import Delta, bare, check, csum, equal, frame, inject, ip_packet, mac, published, select, udp, wait

DATA = bytes(range(32))
END = b"the end"


# What stands between the MAC addresses and the packet.
HEADERS = {
    "vlan": lambda kind, size: struct.pack("!HHH", 0x8100, 10, kind),
    "qinq": lambda kind, size: struct.pack("!HHHHH", 0x88a8, 100, 0x8100, 10, kind),
    "bridge": lambda kind, size: struct.pack("!H", kind),
    "pppoe": lambda kind, size: struct.pack("!HBBHHH", 0x8864, 0x11, 0, links.session(), size + 2, 0x21 if kind == 0x800 else 0x57),
}


class Wire:
    """A flow from c to s, and frames as s sends them, put straight into the gateway's lowest device."""

    def __init__(self, kind, family):
        links.gateway()
        self.lan, self.wan, self.family = links.make(links.eth, "c", 1, 1), links.make(kind, "s", 2, 1), family
        self.pair = links.Pair(self.lan, self.wan, family)
        self.pair.client.sendto(b"hello", self.pair.to)
        self.peer = self.pair.server.recvfrom(100)[1]
        self.pair.exchange()
        to = self.wan.g if kind == links.pppoe else self.wan.dev
        self.addresses = frame(mac("r", to), mac("s", self.wan.h), b"\0")[:12]
        self.before = HEADERS[kind.__name__]
        self.ident = 0

    def packet(self, data=DATA):
        """Each another IPv4 identification, so that no two are fragments of one."""
        self.ident += 1
        kw = {"ident": self.ident} if self.family == 4 else {}
        source, port = self.pair.to
        l4 = udp(self.family, source, self.peer[0], port, self.peer[1], data)
        return ip_packet(self.family, source, self.peer[0], 17, l4, **kw)

    def bytes(self, packet):
        return self.before(0x800 if self.family == 4 else 0x86dd, len(packet)) + packet

    def send(self, data, flags="plain"):
        inject(self.wan.g, self.addresses + data, flags)

    def cut(self):
        """Bytes off the end, or too many there."""
        for n in range(2, 129):         # an EtherType at least
            for flags in ("plain", "nonlinear"):
                self.send((self.bytes(self.packet()) + bytes(128))[:n], flags)

    def changed(self):
        """Bits of each byte of the headers, with IPv4's checksum wrong then and right."""
        headers = len(self.bytes(self.packet(b"")))
        l2 = headers - len(self.packet(b""))
        for at in range(headers):
            for bits in (1, 0x80, 0xff):
                data = bytearray(self.bytes(self.packet()))
                data[at] ^= bits
                self.send(data)
                if self.family == 4 and l2 <= at < l2 + 20:
                    data[l2 + 10:l2 + 12] = bytes(2)
                    data[l2 + 10:l2 + 12] = struct.pack("!H", 0xffff ^ csum(data[l2:l2 + 20]))
                    self.send(data)

    def delivered(self, attempt):
        """What the client gets of it."""
        attempt()
        self.send(self.bytes(self.packet(END)))
        got = []
        while END not in got:
            got.append(self.pair.client.recv(2000))
        return got


def test(kind, family):
    def case():
        w = Wire(kind, family)
        want = [w.delivered(attempt) for attempt in (w.cut, w.changed)]
        select()
        w.pair.exchange()
        w.pair.exchange()
        wait(lambda: len(published()) == 1, "the flow is published")
        for _ in range(3):      # a bridge that speaks of its ports has the flow learned again: once it must be quiet
            w.pair.exchange()
            d = Delta()
            got = [w.delivered(w.cut)]
            if d["learn.half"] == 0:
                break
        equal(d["hits"] + d["refuse.station"], len(got[0]), f"all that is whole is fast: {d.changed()}")
        # What is cut off inside of PPPoE is dropped there.
        check(d["refuse.truncated"] + d["refuse.ip-length"] > 50 or kind == links.pppoe, d.changed())
        got.append(w.delivered(w.changed))
        equal(got, want, "what the client gets")
    return bare(case)


for link in (links.vlan, links.qinq, links.bridge, links.pppoe):
    for version in (4, 6):
        globals()[f"case_{link.__name__}_v{version}"] = test(link, version)
