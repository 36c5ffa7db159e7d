# SPDX-License-Identifier: GPL-2.0-only
"""Links, addresses and routes by rtnetlink: what ip(8) would do, without a program."""
import contextlib
import errno
import os
import socket
import struct

from .programs import Failure, ns

FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
NEWLINK, DELLINK, GETLINK, NEWADDR, NEWROUTE = 16, 17, 18, 20, 24
REQUEST, ACK, DUMP, NEW = 1, 4, 0x300, 0x600      # NLM_F_*; NEW: it must not be there yet
ERROR, DONE = 2, 3                                # NLMSG_*
UP = 1                                            # IFF_UP


def attribute(kind, fmt, *values):
    data = struct.pack(fmt, *values)
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def nest(kind, *parts):
    data = b"".join(parts)
    return attribute(kind, f"{len(data)}s", data)


def text(kind, value):
    return attribute(kind, f"{len(value) + 1}s", value.encode())


def listed(data):
    """A netlink message's attributes in their order, as (number, value)."""
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3fff, data[4:size]
        data = data[size + 3 & ~3:]


def attributes(data):
    """The same, by number."""
    return dict(listed(data))


def link(index=0, flags=0, change=0):
    """struct ifinfomsg"""
    return struct.pack("=BxHiII", 0, 0, index, flags, change)


def packed(address):
    """Family, and the address in network byte order."""
    family = FAMILY[6 if ":" in address else 4]
    return family, socket.inet_pton(family, address)


class Rtnl:
    """rtnetlink of the namespace we are in. Each request waits for the kernel's answer."""

    def __init__(self, sock):
        self.sock = sock

    def send(self, kind, flags, *body):
        data = b"".join(body)
        self.sock.send(struct.pack("=IHHII", 16 + len(data), kind, REQUEST | flags, 0, 0) + data)

    def receive(self):
        """(type, body) of the messages of a datagram."""
        data = self.sock.recv(1 << 20)
        while data:
            size, kind = struct.unpack_from("=IH", data)
            yield kind, data[16:size]
            data = data[size + 3 & ~3:]

    def ask(self, what, kind, flags, *body):
        self.send(kind, ACK | flags, *body)
        for answer, data in self.receive():
            number = -struct.unpack_from("=i", data)[0] if answer == ERROR else answer
            if number:
                raise Failure(f"rtnetlink: {what}: {errno.errorcode.get(number, number)}")

    def links(self):
        """Devices by name: (flags, attributes); what `ip link show` asks for."""
        self.send(GETLINK, DUMP, link())
        out = {}
        while True:
            for kind, data in self.receive():
                if kind == DONE:
                    return out
                values = attributes(data[16:])
                out[values[3].rstrip(b"\0").decode()] = struct.unpack_from("=I", data, 8)[0], values     # IFLA_IFNAME

    def veth(self, index, *ends):
        """A pair; ends: (device, namespace), the first of which has the index."""
        def end(index, dev, where):
            fd = os.open(f"/run/netns/{where}", os.O_RDONLY)
            stack.callback(os.close, fd)
            return link(index), text(3, dev), attribute(28, "=I", fd)       # IFLA_IFNAME, IFLA_NET_NS_FD
        with contextlib.ExitStack() as stack:
            peer = nest(2, nest(1, *end(0, *ends[1])))                      # IFLA_INFO_DATA, VETH_INFO_PEER
            self.ask(f"veth {ends}", NEWLINK, NEW, *end(index, *ends[0]), nest(18, text(1, "veth"), peer))   # IFLA_LINKINFO

    def up(self, dev):
        self.ask(f"{dev} up", NEWLINK, 0, link(0, UP, UP), text(3, dev))

    def delete(self, dev):
        self.ask(f"no {dev}", DELLINK, 0, link(), text(3, dev))

    def address(self, dev, address):
        address, bits = address.split("/")
        family, data = packed(address)
        self.ask(f"{address} at {dev}", NEWADDR, NEW, struct.pack("=BBBBi", family, int(bits), 0, 0, socket.if_nametoindex(dev)),
                 nest(2, data), nest(1, data))                              # IFA_LOCAL, IFA_ADDRESS

    def route(self, to, via=None, dev=None, metric=0):
        """@to is a prefix, in the main table; protocol boot, unicast."""
        prefix, bits = to.split("/")
        family, data = packed(prefix)
        scope = 0 if via or family == socket.AF_INET6 else 253          # RT_SCOPE_LINK
        parts = [nest(1, data)] if int(bits) else []                    # RTA_DST
        if via:
            parts.append(nest(5, packed(via)[1]))                       # RTA_GATEWAY
        if dev:
            parts.append(attribute(4, "=i", socket.if_nametoindex(dev)))    # RTA_OIF
        if metric:
            parts.append(attribute(6, "=I", metric))                    # RTA_PRIORITY
        self.ask(f"{to} via {via} {dev}", NEWROUTE, NEW,
                 struct.pack("=BBBBBBBBI", family, int(bits), 0, 0, 254, 3, scope, 1, 0), *parts)


@contextlib.contextmanager
def rtnl(where):
    """rtnetlink of a namespace (None: where we are), which the body runs in."""
    with ns(where) if where else contextlib.nullcontext(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        yield Rtnl(sock)
