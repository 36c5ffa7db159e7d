# SPDX-License-Identifier: GPL-2.0-only
"""What newer kernels do with packets: kinds of super-packets, departure times, limits. Older ones run the same cases."""
import errno
import os
import socket
import struct
import time

import links
from natlab import (ADDR, Capture, Delta, Tcp, Udp, attribute, bare, both, check, ctl, equal, gro, ip, kernel_wide, learned, ns,
                    on_each_cpu, run, second_link, select, sysctl, wait)

MIB = bytes(range(256)) * 4096


def known(symbol):
    """Has this kernel such a function?"""
    with open("/proc/kallsyms") as f:
        return any(f" {symbol}\n" in line or f" {symbol}\t" in line for line in f)


def accecn(family):
    """Accurate ECN: each segment of a super-packet keeps the flags of the first; fast like any other."""
    for host in "cs":
        try:
            sysctl(host, "net.ipv4.tcp_ecn", 3)
        except OSError as e:                # kernels before AccECN have the classic one
            equal(e.errno, errno.EINVAL, "tcp_ecn")
            sysctl(host, "net.ipv4.tcp_ecn", 1)
    select()
    tcp = Tcp(family)
    tcp.settle()
    d = Delta()
    tcp.pass_data(tcp.client, tcp.server, MIB)
    tcp.pass_data(tcp.server, tcp.client, MIB)
    equal(d["refuse.gso-type"], 0, f"{d.changed()}")
    check(100 < d["hits"] < 2 * len(MIB) / 1448, f"super-packets are fast: {d.changed()}")


case_accecn_v4, case_accecn_v6 = both(accecn)


def big_gso(where, dev):
    """IFLA_GSO_MAX_SIZE and IFLA_GSO_IPV4_MAX_SIZE, which the ip(8) of Debian 12 does not know."""
    with ns(where), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        for kind in (41, 63):
            body = struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(dev), 0, 0) + attribute(kind, "=I", 200000)
            sock.send(struct.pack("=IHHII", 16 + len(body), 16, 5, 1, 0) + body)            # RTM_NEWLINK
            equal(struct.unpack_from("=i", sock.recv(4096), 16)[0], 0, f"attribute {kind}")


def big_tcp(family):
    """Packets beyond 64 KiB have no length in their IP header, or a jumbo option: the stack forwards these, byte for byte."""
    for where, dev in (("c", "c0"), ("r", "r0")):
        big_gso(where, dev)
    ip("c", f"route change default via {ADDR['r0', family]} initcwnd 200", family)
    sysctl("c", "net.ipv4.tcp_min_tso_segs", 100)
    sysctl("s", "net.ipv4.tcp_rmem", "4096 4194304 8388608")
    select()
    tcp = Tcp(family, prepare=lambda s: s.setsockopt(socket.SOL_SOCKET, 32, 8 << 20))       # SO_SNDBUFFORCE
    tcp.client.setblocking(False)
    d, big = Delta(), ("refuse.ip-length", "refuse.extension")

    def big_ones():
        sent = got = 0
        while got < len(MIB):
            try:
                sent += tcp.client.send(MIB[sent:]) if sent < len(MIB) else 0
            except BlockingIOError:
                pass
            piece = tcp.server.recv(len(MIB))
            check(piece == MIB[got:got + len(piece)], f"bytes differ at {got}")
            got += len(piece)
        return sum(d[key] for key in big)
    if family == 4 and os.uname().release.startswith("6.1."):     # IPv4's came with 6.3
        equal(big_ones(), 0, f"{d.changed()}")
    else:
        wait(big_ones, "packets beyond 64 KiB", 20)
    check(d["hits"] > 0, f"{d.changed()}")


case_big_tcp_v4, case_big_tcp_v6 = both(big_tcp)


@bare
def case_pppoe_gro():
    """PPPoE frames merged at ingress, by kernels that can: the super-packet surfaces at ppp0, and is fast."""
    links.gateway()
    lan, wan = links.make(links.eth, "c", 1, 1), links.make(links.pppoe, "s", 2, 1)
    gro("r", wan.g, True)
    run("s", f"ethtool -K {wan.h} tso off")         # or veth hands packets up one by one
    select()
    flows = [Tcp(family, to=(wan.address(family, 2), 7000), dport=7000) for family in (4, 6)]
    merges = known("pppoe_gro_receive")
    for tcp in flows:
        tcp.settle()
        seen = Capture("r", wan.dev)
        seen.sock.setblocking(False)
        d, longest = Delta(), 0

        def received():
            nonlocal longest
            tcp.pass_data(tcp.server, tcp.client, MIB[:1 << 18])
            while True:
                try:
                    data, address = seen.sock.recvfrom(70000)
                except BlockingIOError:
                    break
                if address[2] != 4:
                    longest = max(longest, len(data))
            return longest > 1492 or not merges
        wait(received, f"merged frames at {wan.dev}; {d.changed()}")
        equal(longest > 1492, merges, f"longest packet at {wan.dev}: {longest}")
        check(d["hits"] > 10 and d["refuse.gso-type"] == 0, f"{d.changed()}")
        seen.close()


def txtime(family):
    """A departure time that the sender has set is, at the gateway's fq, what it is to the stack: kept or taken off."""
    ip("r", "link set r1 txqueuelen 1000")
    run("r", "tc qdisc add dev r1 root fq")
    select()
    flow = Udp(family)
    flow.client.setsockopt(socket.SOL_SOCKET, 61, struct.pack("=iI", time.CLOCK_MONOTONIC, 0))      # SO_TXTIME
    flow.learn()

    def later(data, seconds):
        at = struct.pack("=Q", time.clock_gettime_ns(time.CLOCK_MONOTONIC) + int(seconds * 1e9))
        flow.client.sendmsg([data], [(socket.SOL_SOCKET, 61, at)])                          # SCM_TXTIME

    def horizon():
        return [line for line in run("r", "tc -s qdisc show dev r1").splitlines() if "horizon_drops" in line]

    def behaviour():
        """The order in which two datagrams arrive, and what fq does with one beyond its horizon."""
        later(b"later", 0.3)
        flow.client.send(b"now")
        order, before = [flow.server.recv(100) for _ in range(2)], horizon()
        later(b"beyond", 30)
        flow.client.send(b"last")
        order.append(flow.server.recv(100))
        while order[-1] != b"last":
            order.append(flow.server.recv(100))
        return order, horizon() != before
    ctl("disabled=1")
    stack = behaviour()
    ctl("disabled=0")
    learned(flow)
    d = Delta()
    equal(behaviour(), stack, f"order, dropped by fq; {d.changed()}")
    equal(d["hits"], 4, f"{d.changed()}")


case_txtime_v4, case_txtime_v6 = both(txtime)


BURST = "/proc/sys/net/core/qdisc_max_burst"
TRACE = "/sys/kernel/tracing/"


def trace(name, text):
    with open(TRACE + name, "w") as f:
        f.write(text)


def case_bursts():
    """Two CPUs and one queue: newer kernels drop what waits beyond qdisc_max_burst while one CPU fills it, and count it nowhere.

    What natflow forwards is there, or the kernel says that it dropped it there (net/core/dev.c:__dev_xmit_skb()).
    """
    second_link("c", "c1", 3)
    for dev in ("r0", "r2"):
        gro("r", dev, False)        # each CPU receives for itself
    ip("r", "link set r1 txqueuelen 1000")
    run("r", "tc qdisc add dev r1 root fq_codel")
    ip("s", """addr add 10.0.2.4/24 dev s0
        route add 10.0.3.0/24 via 10.0.2.1""")
    ip("c", "route add 10.0.2.4 via 10.0.3.1")
    select()
    flows = [Udp(4).learn(), Udp(4, to=("10.0.2.4", 7000), dport=7000, at="10.0.2.4").learn()]
    for flow in flows:
        flow.server.setblocking(False)

    def arrived():
        count = 0
        for flow in flows:
            try:
                while flow.server.recv(100):
                    count += 1
            except BlockingIOError:
                pass
        return count

    def rounds(want):
        """(sent, arrived) of 20 bursts of 30 datagrams from each CPU; want() is what is missing, by the kernel's word."""
        got = 0
        for number in range(1, 21):
            on_each_cpu(lambda cpu: [flows[cpu].client.send(b"burst") for _ in range(30)])

            def all_there():
                nonlocal got
                got += arrived()
                return got + want() == 60 * number
            wait(all_there, f"60 * {number} datagrams, {got} arrived, {want()} dropped")
        return 1200, got
    d = Delta()
    equal(rounds(lambda: 0), (1200, 1200), f"datagrams sent, arrived; {d.changed()}")
    equal(d["hits"], 1200, f"{d.changed()}")
    if not os.path.exists(BURST):
        return

    def dropped():
        with open(TRACE + "trace") as f:
            return sum("QDISC_BURST_DROP" in line for line in f)
    with kernel_wide(BURST, 0):
        trace("trace", "")
        trace("events/skb/kfree_skb/enable", "1")
        try:
            d = Delta()
            sent, got = rounds(dropped)
            equal((d["hits"], sent - got), (1200, dropped()), f"hits, missing datagrams; {d.changed()}")
        finally:
            trace("events/skb/kfree_skb/enable", "0")
            trace("trace", "")
