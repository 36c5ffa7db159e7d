# SPDX-License-Identifier: GPL-2.0-only
"""Packets made by hand, and captures on a device."""
import errno
import socket
import struct
import time

from .programs import Failure, PATIENCE, check, ns


def csum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def inet(family, address):
    return socket.inet_pton(socket.AF_INET if family == 4 else socket.AF_INET6, address)


def ip_packet(family, src, dst, proto, l4, ttl=64, tos=0, frag=0, options=b"", ident=0, flow=0):
    """An IP packet around l4; the L4 checksum stays unchanged."""
    if family == 4:
        head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, tos, 20 + len(options) + len(l4), ident,
                           frag, ttl, proto, 0) + inet(4, src) + inet(4, dst) + options
        return head[:10] + struct.pack("!H", 0xffff ^ csum(head)) + head[12:] + l4
    return struct.pack("!IHBB", 6 << 28 | tos << 20 | flow, len(options) + len(l4), proto, ttl) + \
        inet(6, src) + inet(6, dst) + options + l4


def l4_sum(family, src, dst, proto, l4, at):
    pseudo = inet(family, src) + inet(family, dst) + struct.pack("!HH", proto, len(l4))
    value = 0xffff ^ csum(pseudo + l4)
    if proto == 17 and not value:
        value = 0xffff
    return l4[:at] + struct.pack("!H", value) + l4[at + 2:]


def partial_sum(family, src, dst, proto, l4, at):
    """Value of a CHECKSUM_PARTIAL field: the pseudo header sum, not complemented."""
    value = csum(inet(family, src) + inet(family, dst) + struct.pack("!HH", proto, len(l4)))
    return l4[:at] + struct.pack("!H", value) + l4[at + 2:]


def udp(family, src, dst, sport, dport, data, partial=False, zero=False, length=None):
    l4 = struct.pack("!HHHH", sport, dport, 8 + len(data) if length is None else length, 0) + data
    if zero:
        return l4
    return (partial_sum if partial else l4_sum)(family, src, dst, 17, l4, 6)


def tcp(family, src, dst, sport, dport, seq, ack, flags, data=b"", partial=False, doff=5, window=1024):
    l4 = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, doff << 4, flags,
                     window, 0, 0) + data
    return (partial_sum if partial else l4_sum)(family, src, dst, 6, l4, 16)


def frame(dst, src, packet, family=None):
    """An Ethernet frame; the type from the IP version unless family is a number above 6."""
    kind = family if family and family > 6 else (0x0800 if packet[0] >> 4 == 4 else 0x86dd)
    return bytes.fromhex(dst.replace(":", "")) + bytes.fromhex(src.replace(":", "")) + struct.pack("!H", kind) + packet


def forwarded(packet, dscp):
    """What a gateway sends of a packet: one hop less, and the DSCP, if it is not None."""
    if packet[0] >> 4 == 6:
        tos = packet[0] << 4 & 0xf0 | packet[1] >> 4
        tos = tos if dscp is None else dscp << 2 | tos & 3
        return bytes([0x60 | tos >> 4, (tos & 15) << 4 | packet[1] & 15]) + packet[2:7] + bytes([packet[7] - 1]) + packet[8:]
    tos = packet[1] if dscp is None else dscp << 2 | packet[1] & 3
    head = packet[:1] + bytes([tos]) + packet[2:8] + bytes([packet[8] - 1]) + packet[9:10] + b"\0\0" + packet[12:20]
    return head[:10] + struct.pack("!H", 0xffff ^ csum(head)) + head[12:] + packet[20:]


def inject(dev, data, flags="plain", where="r"):
    """Hand a frame to a device's receive path, as an skb of the wanted kind."""
    with ns(where), open("/proc/natlab_inject", "wb", buffering=0) as f:
        f.write(f"{dev} {flags} {data.hex()}\n".encode())


class Capture:
    """Frames that arrive at a device (None: any) from now on, or with sent=True those it sends."""

    def __init__(self, where, dev, match=None, sent=False):
        with ns(where):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        if dev:
            self.sock.bind((dev, 3))
        wanted = match or (lambda f: True)
        # 4 is PACKET_OUTGOING.
        self.match = lambda data, address: (address[2] == 4) == sent and wanted(data)

    def next(self, seconds=PATIENCE):
        """The next frame that matches."""
        end = time.monotonic() + seconds
        while True:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                data, address = self.sock.recvfrom(70000)
            except (TimeoutError, BlockingIOError):
                raise Failure("no frame arrived") from None
            if self.match(data, address):
                return data

    def none(self):
        """Fail if a matching frame has arrived."""
        self.sock.setblocking(False)
        while True:
            try:
                data, address = self.sock.recvfrom(70000)
            except BlockingIOError:
                return
            except OSError as e:
                check(e.errno == errno.ENETDOWN, e)     # said once; what came before is still there
                continue
            check(not self.match(data, address), f"unexpected frame {data.hex()}")

    def close(self):
        self.sock.close()
