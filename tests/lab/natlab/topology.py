# SPDX-License-Identifier: GPL-2.0-only
"""Namespaces and links: c - r - s."""
import ctypes
import errno
import fcntl
import os
import socket
import struct

from .programs import CLONE_NEWNET, IPT, LIBC, _setns, ns, run, sysctl, wait
from .doors import stats

ADDR = {("c", 4): "10.0.1.2", ("s", 4): "10.0.2.2", ("r0", 4): "10.0.1.1", ("r1", 4): "10.0.2.1",
        ("c", 6): "fd00:1::2", ("s", 6): "fd00:2::2", ("r0", 6): "fd00:1::1", ("r1", 6): "fd00:2::1"}
ENDS = (("c", "c0"), ("r", "r0"), ("r", "r1"), ("s", "s0"))


def attributes(data):
    """A netlink message's attributes, by number."""
    out = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        out[kind & 0x3fff] = data[4:size]
        data = data[size + 3 & ~3:]
    return out


def devices(where):
    """A namespace's devices, by name: (flags, attributes); what `ip link show` asks for."""
    with ns(where), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.send(struct.pack("=IHHIIBBHiII", 32, 18, 0x301, 0, 0, 0, 0, 0, 0, 0, 0))    # RTM_GETLINK, a dump
        out = {}
        while True:
            data = sock.recv(1 << 20)
            while data:
                size, kind = struct.unpack_from("=IH", data)
                if kind == 3:                                                       # NLMSG_DONE
                    return out
                values = attributes(data[32:size])
                out[values[3].rstrip(b"\0").decode()] = struct.unpack_from("=I", data, 24)[0], values      # IFLA_IFNAME
                data = data[size + 3 & ~3:]


def mac(where, dev):
    return devices(where)[dev][1][1].hex(":")         # IFLA_ADDRESS


def netns_add(name):
    """What `ip netns add` does, without a program; sockets do not label their packets."""
    path = f"/run/netns/{name}"
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    open(path, "x").close()
    try:
        if LIBC.unshare(CLONE_NEWNET) or \
           LIBC.mount(b"/proc/self/ns/net", path.encode(), b"none", 4096, None):   # MS_BIND
            raise OSError(ctypes.get_errno(), "netns_add")
    finally:
        _setns(before)
        os.close(before)
    sysctl(name, "net.ipv6.auto_flowlabels", 0)     # crafted packets of a flow have no label either


def netns_del(name):
    path = f"/run/netns/{name}"
    if LIBC.umount2(path.encode(), 2):      # MNT_DETACH
        raise OSError(ctypes.get_errno(), "netns_del")
    os.unlink(path)


def ip(where, commands, family=None):
    """Many ip commands in one process; family for those that do not tell it themselves."""
    run(where, ["ip", *([f"-{family}"] if family else []), "-batch", "-"], text="\n".join(line.strip() for line in commands.splitlines()) + "\n")


def gro(where, dev, on):
    with ns(where), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        value = ctypes.create_string_buffer(struct.pack("=II", 0x2c, on))       # ETHTOOL_SGRO
        request = struct.pack("16sP8x", dev.encode(), ctypes.addressof(value))
        fcntl.ioctl(sock, 0x8946, request)                                      # SIOCETHTOOL


def reachable(where, family, address):
    """A round trip to a closed port: the other side answers with an error."""
    with ns(where), socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6) as sock:
        sock.settimeout(2)
        return sock.connect_ex((address, 9)) == errno.ECONNREFUSED


def carriers_reported(where):
    """Wait until carriers are reported: that may take a second, and routes and bridges change then."""
    def late(flags, values):
        state = values[16][0]                                       # IFLA_OPERSTATE; UNKNOWN 0, DOWN 2, LOWERLAYERDOWN 3
        kind = attributes(values.get(18, b"")).get(1)               # IFLA_LINKINFO, IFLA_INFO_KIND
        return flags & 1 and (state in (2, 3) or state == 0 and kind == b"bridge\0")
    wait(lambda: not any(late(*device) for device in devices(where).values()), f"carriers of {where}")


def settled(where, addresses):
    """True once all IPv6 addresses and routes exist, a router's anycast ones too: then nothing changes by itself."""
    with ns(where):
        have = [l.split() for l in open("/proc/self/net/if_inet6")]
        routes = {l.split()[0] for l in open("/proc/self/net/ipv6_route") if l.split()[1] == "80"}
    wanted = {a[0] for a in have}
    if addresses == 5:
        wanted |= {a[0][:16] + 16 * "0" for a in have if a[2] == "40"}
    return len(have) == addresses and wanted <= routes


def quiet(where):
    """Stop a host's multicast reports: their random time would disturb exact counts."""
    rule(6, "-A OUTPUT -p icmpv6 --icmpv6-type 143 -j DROP", where=where)


def up(names="crs", offload=True, made=False):
    """The standard topology, any names of three namespaces will do; GRO on unless offload=False.

    made=True: namespaces and devices are there already.
    """
    c, r, s = names
    where = {"c0": c, "r0": r, "r1": r, "s0": s}
    if not made:
        for n in names:
            netns_add(n)
        # Where both ends of a pair have one ifindex the kernel takes the carrier's change as one that can wait, up to a
        # second (net/core/link_watch.c:linkwatch_urgent_event()). The index must be free where ip(8) runs, too
        # (net/core/rtnetlink.c:__rtnl_newlink()): kernels with tunnels built in have some twenty devices there.
        ip(None, f"""link add c0 index 720 netns {c} type veth peer name r0 netns {r}
            link add s0 index 730 netns {s} type veth peer name r1 netns {r}""")
    for dev, n in where.items():
        # Addresses of a namespace that was just made would still be probed for duplicates.
        for k in ("all", "default", dev):
            sysctl(n, f"net.ipv6.conf.{k}.accept_dad", 0)
            sysctl(n, f"net.ipv4.conf.{k}.rp_filter", 0)
            sysctl(n, f"net.ipv4.conf.{k}.send_redirects", 0)
        sysctl(n, f"net.ipv6.conf.{dev}.router_solicitations", 0)
        gro(n, dev, offload)
    for k in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        sysctl(r, k, 1)
    quiet(c)
    quiet(s)
    # The router first: the kernel reports a carrier that comes later at once, its own up to a second late.
    ip(r, """link set lo up
        addr add 10.0.1.1/24 dev r0
        addr add fd00:1::1/64 dev r0
        link set r0 up
        addr add 10.0.2.1/24 dev r1
        addr add fd00:2::1/64 dev r1
        link set r1 up""")
    ip(c, """link set lo up
        addr add 10.0.1.2/24 dev c0
        addr add fd00:1::2/64 dev c0
        link set c0 up
        route add default via 10.0.1.1
        route add default via fd00:1::1""")
    ip(s, """link set lo up
        addr add 10.0.2.2/24 dev s0
        addr add fd00:2::2/64 dev s0
        link set s0 up
        route add 10.0.1.0/24 via 10.0.2.1
        route add fd00:1::/64 via fd00:2::1""")
    for n, addresses in ((c, 3), (s, 3), (r, 5)):
        wait(lambda: settled(n, addresses), f"IPv6 of {n}")
    carriers_reported(r)
    # Both ends resolve each other's gateway now, not in the middle of an exact count.
    for family in (4, 6):
        for n, peer in ((c, "r0"), (s, "r1"), (c, "s")):
            wait(lambda: reachable(n, family, ADDR[peer, family]), f"{peer} reachable from {n}, IPv{family}")


def down(names="crs"):
    for n in names:
        netns_del(n)


def offloads(state):
    for n, d in ENDS:
        run(n, f"ethtool -K {d} tso {state} gso {state} tx {state} rx {state} sg {state}", ok=False)


def rule(family=4, command="-A FORWARD -j FLOWOFFLOAD", where="r", table=None):
    run(where, f"{IPT[family]} -w {'-t ' + table + ' ' if table else ''}{command}")


def select(where="r"):
    """The README's first command, for both families; returns when the hooks are in place."""
    for family in (4, 6):
        rule(family, where=where)
    wait(lambda: stats(where)["hooked"] == 1, "hooks in place")


def wait_rules(n, where="r"):
    wait(lambda: stats(where)["rules"] == n, f"{n} rules")
