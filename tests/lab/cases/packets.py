# SPDX-License-Identifier: GPL-2.0-only
"""Super-packets in every pairing of what devices can do: byte-equal, fast, and nothing the kernel warns of."""
import itertools

import links
from natlab import Delta, Tcp, bare, check, cpu, equal, run, select, udp_socket

DATA = bytes(range(256)) * 1024         # 256 KiB
SEGMENT, BATCH = 1000, 24               # UDP datagrams that are sent as one packet
ALL_OFF = "gro off rx-gro-list off rx-udp-gro-forwarding off"
RECEIVE = ("gro off", "gro on", "gro on rx-gro-list on", "gro on rx-udp-gro-forwarding on")
SEND = ("tx on sg on tso on gso on tx-udp-segmentation on", "tx on sg on tso off gso on tx-udp-segmentation off",
        "tx off sg on tso off gso on", "tx off sg off tso off gso off")
UDP_SEGMENT = 103


def features(where, dev, words):
    run(where, f"ethtool -K {dev} {words}", ok=False)


def can_sum(where, dev):
    return "tx-checksumming: on" in run(where, f"ethtool -k {dev}")


class Bulk:
    """TCP and UDP between two hosts, both ways."""

    def __init__(self, lan, wan, family):
        port = 7000 + family
        self.family, address = family, wan.address(family, 2)
        self.tcp = Tcp(family, to=(address, port), dport=port)
        self.server = udp_socket("s", family, port=port)
        self.client = udp_socket("c", family)
        self.to = (address, port)
        self.client.sendto(b"hello", self.to)
        self.peer = self.server.recvfrom(100)[1]
        for where, dev, sock in (("c", lan.host_dev, self.client), ("s", wan.host_dev, self.server)):
            if can_sum(where, dev):                 # a device that cannot takes no batches
                sock.setsockopt(17, UDP_SEGMENT, SEGMENT)
        for _ in range(2):
            self.datagrams()

    def datagrams(self):
        """A batch each way, every datagram as it was sent, in order: by one CPU, two may pass each other in any kernel."""
        data = [bytes([i]) * SEGMENT for i in range(BATCH)]
        for a, b, to in ((self.client, self.server, self.to), (self.server, self.client, self.peer)):
            with cpu(0):
                for one in [b"".join(data)] if a.getsockopt(17, UDP_SEGMENT) else data:
                    a.sendto(one, to)
            equal([b.recv(2000) for _ in data], data, f"datagrams, IPv{self.family}")

    def streams(self):
        Tcp.pass_data(self.tcp.client, self.tcp.server, DATA)
        Tcp.pass_data(self.tcp.server, self.tcp.client, DATA)


def fast(exchange, is_right, what):
    """What a bridge says of its ports, whenever it likes, makes flows be learned again: once it must be quiet."""
    for _ in range(5):
        d = Delta()
        exchange()
        if is_right(d):
            return
    check(False, f"{what}: {d.changed()}")


def pairing(lan, wan, mtu=1500, ways=tuple(itertools.product(RECEIVE, SEND))):
    """Every way to receive with every way to send, on the gateway's lowest devices."""
    def case():
        links.gateway()
        one, two = links.make(lan, "c", 1, 1), links.make(wan, "s", 2, 1)
        for where, dev in (("c", one.h), ("r", one.g)):
            run(where, f"ip link set {dev} mtu {mtu}")
        select()
        bulks = [Bulk(one, two, family) for family in (4, 6)]
        for receive, send in ways:
            for link in (one, two):
                features("r", link.g, ALL_OFF)
                features("r", link.g, receive)
                features("r", link.g, send)
            for bulk in bulks:
                for _ in range(3):          # what features a device has is an event, too
                    bulk.datagrams()
                bulk.streams()
                what = f"IPv{bulk.family}, {receive}, {send}"
                fast(bulk.datagrams, lambda d: d["hits"] >= 2, what)
                bulk.tcp.settle()
                fast(bulk.streams, lambda d: d["hits"] > 4 and d["refuse.gso-type"] == 0, what)
    return bare(case)


case_eth_eth = pairing(links.eth, links.eth)
case_jumbo_eth = pairing(links.eth, links.eth, 9000)
case_vlan_vlan = pairing(links.vlan, links.vlan)
case_bridge_pppoe = pairing(links.bridge, links.pppoe)
# The emulated e1000e cuts TCP super-packets into IP fragments: without TSO.
case_e1000e_vlan_virtio = pairing(links.e1000e_vlan, links.virtio, ways=tuple(itertools.product(RECEIVE[:2], SEND[1::2])))
case_qinq_bridge = pairing(links.qinq, links.bridge)
