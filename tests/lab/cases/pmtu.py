# SPDX-License-Identifier: GPL-2.0-only
"""Path MTU over links of different MTUs: who sends too much hears it from the stack, and what fits then is fast."""
import socket
import struct

import links
from natlab import (ADDR, Delta, Tcp, Udp, bare, check, csum, equal, fast, ip, ip_packet, learned, ns, rule, run, select, slow,
                    sysctl, udp, udp_socket, wait)


DATA = bytes(range(256)) * 1024         # 256 KiB
NARROW = 1400                           # of the gateway's LAN device; its host's is 1500
OVERHEAD = {4: 40, 6: 60}               # IP and TCP headers
TIMESTAMPS = 12                         # the TCP option in every segment
TELL = 1300


def mss(sock):
    """tcpi_snd_mss: the data of a full segment."""
    return struct.unpack_from("=I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64), 16)[0]


def pair(lan, wan):
    links.gateway()
    one, two = links.make(lan, "c", 1, 1), links.make(wan, "s", 2, 1)
    ip("r", f"link set {one.dev} mtu {NARROW}")
    wide = int(run("r", f"ip -o link show {two.dev}").split(" mtu ")[1].split()[0])
    return two, wide


def tcp_both_ways(lan, wan, clamp):
    """Hosts that know their own link's MTU only, or what the gateway writes into their SYNs."""
    def case():
        two, wide = pair(lan, wan)
        for family in (4, 6):
            back = f"{two.address(4, 1)}/32" if family == 4 else "fd01:1::/64"      # IPv4 is masqueraded
            ip("s", f"route replace {back} dev {two.host_dev} advmss 1460", family)
            if clamp:
                rule(family, "-A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu", table="mangle")
        select()
        for family in (4, 6):
            d = Delta()
            tcp = Tcp(family, to=(two.address(family, 2), 7000), dport=7000)
            tcp.pass_data(tcp.client, tcp.server, DATA)
            tcp.pass_data(tcp.server, tcp.client, DATA)
            check((d["refuse.mtu"] == 0) == clamp, f"told by ICMP: {d.changed()}")
            limits = (NARROW, NARROW) if clamp else (wide, NARROW)
            for sock, limit in zip((tcp.client, tcp.server), limits):
                equal(mss(sock), limit - OVERHEAD[family] - TIMESTAMPS, f"IPv{family}: a full segment's data")
            tcp.settle()
            d = Delta()
            tcp.pass_data(tcp.client, tcp.server, DATA)
            tcp.pass_data(tcp.server, tcp.client, DATA)
            check(d["hits"] > 4 and d["refuse.mtu"] == 0, f"fast, IPv{family}: {d.changed()}")
            tcp.close()
    return bare(case)


case_pppoe = tcp_both_ways(links.bridge, links.pppoe, False)
case_pppoe_clamped = tcp_both_ways(links.bridge, links.pppoe, True)
case_wireguard = tcp_both_ways(links.vlan, links.wireguard, False)
case_wireguard_clamped = tcp_both_ways(links.vlan, links.wireguard, True)


def told_from_behind(family, lan, wan):
    """A router behind the WAN says that a packet was too big: the client hears it, of its own packet."""
    two, _ = pair(lan, wan)
    select()
    flow = learned(Udp(family, to=(two.address(family, 2), 7000), dport=7000))
    source, gateway = two.address(family, 2), flow.peer[0]
    quoted = ip_packet(family, gateway, source, 17, udp(family, gateway, source, flow.peer[1], 7000, bytes(64)))
    if family == 4:
        error = struct.pack("!BBHHH", 3, 4, 0, 0, TELL) + quoted                    # RFC 1191
        error = error[:2] + struct.pack("!H", 0xffff ^ csum(error)) + error[4:]
    else:
        error = struct.pack("!BBHI", 2, 0, 0, TELL) + quoted                        # RFC 4443 section 3.2; the kernel sums
    with ns("s"):
        raw = socket.socket(flow.client.family, socket.SOCK_RAW, socket.IPPROTO_ICMP if family == 4 else socket.IPPROTO_ICMPV6)
    raw.sendto(error, (gateway, 0))
    option = (socket.IPPROTO_IP, 14) if family == 4 else (socket.IPPROTO_IPV6, 24)  # IP_MTU, IPV6_MTU
    wait(lambda: flow.client.getsockopt(*option) == TELL, "the client knows")
    raw.close()
    flow.client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    fast(flow)


def behind(family, lan, wan):
    return bare(lambda: told_from_behind(family, lan, wan))


case_behind_pppoe_v4, case_behind_pppoe_v6 = (behind(family, links.bridge, links.pppoe) for family in (4, 6))
case_behind_vlan_v4, case_behind_vlan_v6 = (behind(family, links.vlan, links.vlan) for family in (4, 6))


class Exception4:
    """A path MTU that the gateway learned for its own traffic to the server, as ICMP tells it (RFC 1191)."""

    def __init__(self):
        self.mine, self.server = udp_socket("r"), udp_socket("s")
        self.port = self.server.getsockname()[1]
        self.mine.connect((ADDR["s", 4], self.port))

    def tell(self, mtu, want):
        source, gateway = ADDR["s", 4], ADDR["r1", 4]
        quoted = ip_packet(4, gateway, source, 17, udp(4, gateway, source, self.mine.getsockname()[1], self.port, bytes(8)))
        error = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + quoted
        with ns("s"), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
            raw.sendto(error[:2] + struct.pack("!H", 0xffff ^ csum(error)) + error[4:], (gateway, 0))
        wait(lambda: f" mtu {want} " in run("r", f"ip route get {source}"), f"the gateway's path MTU is {want}")


def probe(flow):
    """Datagrams go as large as the link allows, whatever the host has learned."""
    flow.client.setsockopt(*((socket.IPPROTO_IP, 10, 3) if flow.family == 4 else (socket.IPPROTO_IPV6, 23, 3)))
    return flow


def too_big(flow, limit, d):
    """The gateway says so, as the stack does."""
    option = (socket.IPPROTO_IP, 14) if flow.family == 4 else (socket.IPPROTO_IPV6, 24)
    flow.client.send(BIG)
    wait(lambda: flow.client.getsockopt(*option) == limit, f"told: {limit}; {d.changed()}")
    flow.client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


BIG = bytes(1400 - 48)


def case_forward_use_pmtu():
    """While net.ipv4.ip_forward_use_pmtu is set no IPv4 flow is fast: what the gateway learns holds for all, at once."""
    select()
    flow, learned_mtu = learned(probe(Udp(4))), Exception4()
    d = Delta()
    sysctl("r", "net.ipv4.ip_forward_use_pmtu", 1)
    for end in (flow.send, flow.reply):
        before = d["refuse.pmtu"]
        wait(lambda: end() or d["refuse.pmtu"] > before, "within a tick")
    slow(flow, "refuse.pmtu", 1, 1)                                                  # refuse.pmtu
    flow.send(BIG)
    learned_mtu.tell(1300, 1300)
    too_big(flow, 1300, d)
    slow(flow, "refuse.pmtu", 1, 1)
    learned_mtu.tell(1250, 1250)
    too_big(flow, 1250, d)
    # The route's own: not learned from, while it may shrink.
    young = Udp(4).learn()
    slow(young, "learn.pmtu", 1, 1)                                                  # learn.pmtu
    sysctl("r", "net.ipv4.ip_forward_use_pmtu", 0)
    fast(flow)
    learned(young)
    d = Delta()
    flow.send(BIG)
    equal(d["hits"], 1, f"the device's MTU again: {d.changed()}")


def case_locked_pmtu():
    """A path MTU below ip_rt_min_pmtu is locked and holds for forwarded packets, too, until it expires: not learned from."""
    select()
    Exception4().tell(300, "lock 552")
    slow(Udp(4).learn(), "learn.pmtu")          # answers go by another route, and wait for the other half


def case_device_mtu6():
    """net.ipv6.conf.DEV.mtu, smaller and larger again: of which no event tells."""
    select()
    flow = learned(probe(Udp(6)))
    for limit, fits in ((1300, False), (1500, True), (1300, False)):
        d = Delta()
        sysctl("r", "net.ipv6.conf.r1.mtu", limit)
        wait(lambda: flow.send() or d["refuse.pmtu"], "within a tick")
        fast(flow)
        d = Delta()
        if fits:
            flow.send(BIG)
            equal(d["hits"], 1, f"{d.changed()}")
        else:
            too_big(flow, limit, d)
            equal((d["refuse.mtu"], d["hits"]), (1, 0), f"{d.changed()}")


def case_route_mtu_locked():
    """`mtu lock` of a route: what fits is fast, the rest is told; a larger one bites with the next packet."""
    select()
    for family in (4, 6):
        ip("r", f"route add {ADDR['s', family]} dev r1 mtu lock 1300", family)
        flow = learned(probe(Udp(family)))
        d = Delta()
        too_big(flow, 1300, d)
        equal((d["refuse.mtu"], d["hits"]), (1, 0), f"{d.changed()}")
        ip("r", f"route replace {ADDR['s', family]} dev r1 mtu lock 1450", family)
        flow.learn()
        d = Delta()
        flow.send(BIG)
        equal(d["hits"], 1, f"{d.changed()}")
