# SPDX-License-Identifier: GPL-2.0-only
"""What a host's own device has sent and received, and what natflow says of users."""
import json
import socket
import struct

from natlab import equal, ns, read, run

SO_RCVBUFFORCE, PACKET_STATISTICS, ETH_P_ALL = 33, 6, 3


def whole(where, dev):
    """A device to which super-packets are not given: each packet is one of the wire."""
    run(where, f"ethtool -K {dev} tso off gso off", ok=False)
    run(where, f"ethtool -K {dev} tx-udp-segmentation off", ok=False)


class Meter:
    """Packets and L3 bytes that a host's device has sent and received, its offloads off: a tap behind the segmentation."""

    def __init__(self, where, dev):
        whole(where, dev)
        run(where, f"ethtool -K {dev} gro off", ok=False)
        self.where, self.dev = where, dev
        with ns(where):
            self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
            self.tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 28)
            self.tap.bind((dev, ETH_P_ALL))
        self.tap.setblocking(False)
        self.sums = {f"{way}{family}": (0, 0) for way in ("rx", "tx") for family in (4, 6)}

    def addresses(self):
        (device,) = json.loads(run(self.where, f"ip -j addr show dev {self.dev}"))
        return {info["local"] for info in device["addr_info"]}

    def count(self, data, kind):
        """kind 4: it left. What is from nobody, or to a group, is nobody's."""
        family = data[0] >> 4
        size = struct.unpack_from("!H", data, 2)[0] if family == 4 else 40 + struct.unpack_from("!H", data, 4)[0]
        source, to = (data[12:16], data[16:20]) if family == 4 else (data[8:24], data[24:40])
        group = to[0] >= 0xe0 if family == 4 else to[0] == 0xff
        if kind == 4 and any(source) or kind != 4 and not group:
            key = f"{'tx' if kind == 4 else 'rx'}{family}"
            self.sums[key] = self.sums[key][0] + 1, self.sums[key][1] + size

    def read(self):
        try:
            while True:
                data, (_, protocol, kind, *_) = self.tap.recvfrom(2048)
                if protocol in (0x0800, 0x86dd):
                    self.count(data, kind)
        except BlockingIOError:
            lost = struct.unpack("II", self.tap.getsockopt(263, PACKET_STATISTICS, 8))[1]       # SOL_PACKET
            equal(lost, 0, "packets that the tap has lost")
            return dict(self.sums)


def users(where="r"):
    """The lines of /proc/natflow_users, by address."""
    rows = (dict(word.split("=", 1) for word in line.split()) for line in read("/proc/net/natflow_users", where).splitlines())
    return {row["addr"]: row for row in rows}
