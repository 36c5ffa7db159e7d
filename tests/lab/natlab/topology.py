# SPDX-License-Identifier: GPL-2.0-only
"""Namespaces and links: c - r - s."""
import ctypes
import errno
import fcntl
import os
import socket
import struct

from .programs import CLONE_NEWNET, IPT, LIBC, _setns, ns, run, sysctl, sysctls, wait
from .doors import stats
from .rtnl import attributes, rtnl
from .tables import once

ADDR = {("c", 4): "10.0.1.2", ("s", 4): "10.0.2.2", ("r0", 4): "10.0.1.1", ("r1", 4): "10.0.2.1",
        ("c", 6): "fd00:1::2", ("s", 6): "fd00:2::2", ("r0", 6): "fd00:1::1", ("r1", 6): "fd00:2::1"}
ENDS = (("c", "c0"), ("r", "r0"), ("r", "r1"), ("s", "s0"))


def devices(where):
    """A namespace's devices, by name: (flags, attributes)."""
    with rtnl(where) as net:
        return net.links()


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
    first_rule(6, "-A OUTPUT -p icmpv6 --icmpv6-type 143 -j DROP", where)


def tame(where, devices, gateway=False):
    """Sysctls, before addresses come: those of a namespace that was just made would still be probed for duplicates."""
    values = {}
    for k in ("all", "default", *devices):
        values |= {f"net.ipv6.conf.{k}.accept_dad": 0, f"net.ipv4.conf.{k}.rp_filter": 0, f"net.ipv4.conf.{k}.send_redirects": 0}
    values |= {f"net.ipv6.conf.{dev}.router_solicitations": 0 for dev in devices}
    if gateway:
        values |= {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1}
    sysctls(where, values)


def configure(where, addresses, routes=()):
    """Devices with their addresses, up, one after the other; (prefix, gateway) of routes."""
    with rtnl(where) as net:
        net.up("lo")
        for dev, own in addresses.items():
            for address in own:
                net.address(dev, address)
            net.up(dev)
        for to, via in routes:
            net.route(to, via)


def up(names="crs", offload=True, made=False):
    """The standard topology, any names of three namespaces will do; GRO on unless offload=False.

    made=True: namespaces and devices are there already.
    """
    c, r, s = names
    if not made:
        for n in names:
            netns_add(n)
        # Where both ends of a pair have one ifindex the kernel takes the carrier's change as one that can wait, up to a
        # second (net/core/link_watch.c:linkwatch_urgent_event()). The index must be free where the request comes from, too
        # (net/core/rtnetlink.c:__rtnl_newlink()): kernels with tunnels built in have some twenty devices there.
        with rtnl(None) as net:
            net.veth(720, ("c0", c), ("r0", r))
            net.veth(730, ("s0", s), ("r1", r))
    for n, devs in ((c, ["c0"]), (s, ["s0"]), (r, ["r0", "r1"])):
        tame(n, devs, gateway=n == r)
        for dev in devs:
            gro(n, dev, offload)
    quiet(c)
    quiet(s)
    # The router first: the kernel reports a carrier that comes later at once, its own up to a second late.
    configure(r, {"r0": ("10.0.1.1/24", "fd00:1::1/64"), "r1": ("10.0.2.1/24", "fd00:2::1/64")})
    configure(c, {"c0": ("10.0.1.2/24", "fd00:1::2/64")}, (("0.0.0.0/0", "10.0.1.1"), ("::/0", "fd00:1::1")))
    configure(s, {"s0": ("10.0.2.2/24", "fd00:2::2/64")}, (("10.0.1.0/24", "10.0.2.1"), ("fd00:1::/64", "fd00:2::1")))
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


def first_rule(family, command, where, table="filter"):
    """rule(), without a program where the table was the same before."""
    if IPT[family].endswith("-legacy"):
        once(family, command, where, lambda: rule(family, command, where, table), table)
    else:
        rule(family, command, where, table)


def select(where="r"):
    """The README's first command, for both families; returns when the hooks are in place."""
    for family in (4, 6):
        first_rule(family, "-A FORWARD -j FLOWOFFLOAD", where)
    wait(lambda: stats(where)["hooked"] == 1, "hooks in place")


def wait_rules(n, where="r"):
    wait(lambda: stats(where)["rules"] == n, f"{n} rules")
