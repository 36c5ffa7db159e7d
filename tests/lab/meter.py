# SPDX-License-Identifier: GPL-2.0-only
"""What a host's own device has sent and received, and what natflow says of users."""
import contextlib
import json
import socket
import struct

from natlab import Failure, equal, ns, rows, run, wait

SO_RCVBUFFORCE, PACKET_STATISTICS, ETH_P_ALL = 33, 6, 3
KEYS = ("rx4", "rx6", "tx4", "tx6")


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
        self.sums = dict.fromkeys(KEYS, (0, 0))

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
    return rows("natflow_users", "addr", where)


def accounted(addresses):
    """The same as Meter.read(), of the users with these addresses."""
    out, known = {}, users()
    for key in KEYS:
        mine = [u for a, u in known.items() if a in addresses and (":" in a) == (key[2] == "6")]
        out[key] = tuple(sum(int(u[f"{far}{key[:2]}_{what}"]) for u in mine for far in ("", "lan_")) for what in ("packets", "bytes"))
    return out


def less(now, before):
    return {k: (now[k][0] - before[k][0], now[k][1] - before[k][1]) for k in now}


def both_from_now(meter):
    """A function: what its device, and what natflow's users of it, have counted from now on."""
    addresses = meter.addresses()
    base = meter.read(), accounted(addresses)
    return lambda: [less(now, before) for now, before in zip((meter.read(), accounted(addresses)), base)]


def settled(counts, seconds):
    """Both of these, when they are the same or so many seconds have passed."""
    both = []

    def same():
        both[:] = counts()
        return both[0] == both[1]
    with contextlib.suppress(Failure):
        wait(same, "the counters are equal", seconds)
    return both
