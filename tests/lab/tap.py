# SPDX-License-Identifier: GPL-2.0-only
"""A counter at a host's own device, fast enough for millions of packets: a tap whose filter counts, in the kernel."""
import ctypes
import os
import socket
import struct

import meter
from natlab import LIBC, ns, run

BPF = {"x86_64": 321, "aarch64": 280, "armv7l": 386, "s390x": 351}[os.uname().machine]
SO_ATTACH_BPF, ETH_P_ALL, OUTGOING = 50, 3, 4
LOOKUP = 1          # the helper bpf_map_lookup_elem()


def bpf(command, fmt, *values):
    attr = ctypes.create_string_buffer(struct.pack(fmt, *values).ljust(128, b"\0"))
    fd = LIBC.syscall(BPF, command, attr, 128)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return fd


class Program:
    """Instructions, and jumps by name."""

    def __init__(self):
        self.lines, self.names = [], {}

    def add(self, code, dst=0, src=0, imm=0, off=0):
        self.lines.append((code, dst | src << 4, off, imm))

    def name(self, label):
        self.names[label] = len(self.lines)

    def text(self):
        return b"".join(struct.pack("=BBhi", code, regs, self.names[off] - at - 1 if isinstance(off, str) else off, imm)
                        for at, (code, regs, off, imm) in enumerate(self.lines))

    def load(self, size, off):
        """r0: that much of the packet, in host order."""
        self.add({1: 0x30, 2: 0x28, 4: 0x20}[size], imm=off)

    def count(self, table):
        """Entry r8 of the table += r9."""
        self.add(0x63, 10, 8, off=-4)               # the key, on the stack
        self.add(0xbf, 2, 10)
        self.add(0x07, 2, imm=-4)
        self.add(0x18, 1, 1, table)                 # r1: the map
        self.add(0)
        self.add(0x85, imm=LOOKUP)
        self.add(0x15, 0, off="out")
        self.add(0xdb, 0, 9)


def program(table):
    """What is from nobody, or to a group, is nobody's. Lengths are those of the IP headers."""
    p = Program()
    p.add(0xbf, 6, 1)
    p.add(0x61, 7, 1, off=4)                        # pkt_type
    p.add(0x61, 8, 1, off=16)                       # protocol
    p.add(0x15, 8, imm=socket.htons(0x0800), off="ip4")
    p.add(0x55, 8, imm=socket.htons(0x86dd), off="out")
    p.load(2, 4)
    p.add(0xbf, 9)
    p.add(0x07, 9, imm=40)
    p.add(0xb7, 8, imm=2)
    p.add(0x55, 7, imm=OUTGOING, off="from6")
    p.add(0xb7, 8, imm=6)
    p.load(4, 8)                                    # a source has one of its outer words
    p.add(0x55, 0, off="both")
    p.load(4, 20)
    p.add(0x15, 0, off="out")
    p.add(0x05, off="both")
    p.name("from6")
    p.load(1, 24)
    p.add(0x15, 0, imm=0xff, off="out")
    p.add(0x05, off="both")
    p.name("ip4")
    p.load(2, 2)
    p.add(0xbf, 9)
    p.add(0xb7, 8, imm=0)
    p.add(0x55, 7, imm=OUTGOING, off="from4")
    p.add(0xb7, 8, imm=4)
    p.load(4, 12)
    p.add(0x15, 0, off="out")
    p.add(0x05, off="both")
    p.name("from4")
    p.load(1, 16)
    p.add(0x35, 0, imm=0xe0, off="out")
    p.name("both")
    p.count(table)
    p.add(0x07, 8, imm=1)
    p.add(0xb7, 9, imm=1)
    p.count(table)
    p.name("out")
    p.add(0xb7, 0)                                  # the socket does not get it
    p.add(0x95)
    return p.text()


class Tap(meter.Meter):
    """Packets and L3 bytes that a host's device has sent and received, its offloads off: a tap behind the segmentation."""

    def __init__(self, where, dev):
        meter.whole(where, dev)
        run(where, f"ethtool -K {dev} gro off", ok=False)
        self.where, self.dev = where, dev
        self.table = bpf(0, "=IIII", 2, 4, 8, 8)
        text, log = program(self.table), ctypes.create_string_buffer(65536)
        code, lic = ctypes.create_string_buffer(text), ctypes.create_string_buffer(b"GPL")
        try:
            self.prog = bpf(5, "=IIQQIIQ", 1, len(text) // 8, ctypes.addressof(code), ctypes.addressof(lic), 1, len(log),
                            ctypes.addressof(log))
        except OSError as e:
            raise OSError(e.errno, f"bpf: {log.value.decode()}") from e
        with ns(where):
            self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            self.tap.setsockopt(socket.SOL_SOCKET, SO_ATTACH_BPF, self.prog)
            self.tap.bind((dev, ETH_P_ALL))

    def entry(self, n):
        key, value = ctypes.c_uint32(n), ctypes.c_uint64()
        bpf(1, "=IxxxxQQ", self.table, ctypes.addressof(key), ctypes.addressof(value))
        return value.value

    def read(self):
        return {key: (self.entry(2 * i + 1), self.entry(2 * i)) for i, key in enumerate(meter.KEYS)}

    def close(self):
        self.tap.close()
        os.close(self.prog)
        os.close(self.table)
