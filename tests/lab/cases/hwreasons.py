# SPDX-License-Identifier: GPL-2.0-only
"""Why flows stay in software, as /proc/natflow_hwnat counts it: reasons that no other file of cases brings about."""
import os
import socket

import cards
import links
from cards import engine, finish, hardware, hwnat, passes, refused, udp
from natlab import AT_END, LONG, Tcp, bare, check, conntrack, ctl, drain, equal, ip, mac, modprobe, rule, run, stats, sysctl, wait


class Replies:
    """Only the server's half of a flow."""

    def __init__(self, flow):
        self.reply = flow.reply

    def send(self, data):
        pass


@bare
def case_wed():
    """A flow that leaves by Wi-Fi: `wed-off` while hwnat_wed_disabled=1, in hardware otherwise."""
    engine("mtk", "hwnat=2\nhwnat_wed_disabled=1", more="wlan=1")
    flow = udp(1)
    refused(flow, "wed-off")
    passes(flow, "cpu")
    equal(cards.calls(), [], "calls of the driver")
    ctl("hwnat_wed_disabled=0")
    hardware(flow)
    passes(flow, "hw")
    ctl("hwnat_wed_disabled=1")
    equal(cards.rule_count(), 0, "rules once the word was written")
    finish()


@bare
def case_wed_elsewhere():
    """A driver that knows nothing of WED is not asked: `path`."""
    engine(more="wlan=1")
    flow = udp(1)
    refused(flow, "path")
    passes(flow, "cpu")
    equal([c for c in cards.calls() if c[0] != "bind"], [], "calls of the driver")
    finish()


@bare
def case_vrf():
    """Two links in a VRF, whose table is in no hardware's key: `path`; out of it they are in hardware."""
    modprobe("vrf")
    lan, wan = engine()
    flow = udp(1)
    ip("r", f"""link add red type vrf table 77
        link set red up
        link set {lan.dev} master red
        link set {wan.dev} master red""")
    wait(lambda: links.reachable("c", 4, wan.address(4, 2)), "the server, by the VRF")
    refused(flow, "path")
    passes(flow, "cpu")
    equal(cards.rule_count(), 0, "rules")
    ip("r", f"link set {lan.dev} nomaster\nlink set {wan.dev} nomaster")
    wait(lambda: links.reachable("c", 4, wan.address(4, 2)), "the server, without it")
    ctl("hwnat=1")
    hardware(flow)
    finish()


@bare
def case_incomplete():
    """A flow that is fast while its next hop does not answer: `stale`; no frame leaves by a card, and it is offered when the hop is back."""
    _lan, wan = engine(wanted="hwnat=0")
    flow = udp(1)
    server = wan.address(4, 2)
    sysctl("s", f"net.ipv4.conf.{wan.host_dev}.arp_ignore", 8)
    run("r", f"ip neigh del {server} dev {wan.dev}")
    flow.client.send(b"lost")
    wait(lambda: any(f" {state}" in run("r", f"ip neigh show {server}") for state in ("INCOMPLETE", "FAILED")), "the next hop is not known")
    ctl("hwnat=1")
    refused(Replies(flow), "stale")
    equal((cards.calls(), cards.forwarded()[0]), ([], 0), "calls of the driver, frames by cards")
    sysctl("s", f"net.ipv4.conf.{wan.host_dev}.arp_ignore", 0)
    wait(lambda: links.reachable("r", 4, server), "the next hop is back")
    drain(flow.client, flow.server)
    ctl("hwnat=1")
    hardware(flow)
    finish()


@bare
def case_no_address():
    """A card without ARP sends to its own address, which no next hop has: `neighbour`."""
    _lan, wan = engine()
    flow = udp(1)
    ip("s", f"link set {wan.host_dev} arp off address {mac('r', wan.dev)}")
    ip("r", f"link set {wan.dev} arp off")
    wait(lambda: links.reachable("r", 4, wan.address(4, 2)), "the server, without ARP")
    refused(flow, "neighbour")
    passes(flow, "cpu")
    equal(cards.rule_count(), 0, "rules")
    finish()


@bare
def case_seqadj():
    """A connection whose numbers NAT adjusts is never offered."""
    modprobe("nf_conntrack_ftp", "nf_nat_ftp")
    lan, wan = engine()
    rule(4, "-A PREROUTING -p tcp --dport 21 -j CT --helper ftp", table="raw")
    ip("r", f"addr add 10.2.1.101/24 dev {wan.dev}")
    rule(4, f"-A POSTROUTING -o {wan.dev} -p tcp -j SNAT --to-source 10.2.1.101", table="nat")
    conn = Tcp(4, to=(wan.address(4, 2), 21), dport=21, established=False)
    conn.pass_data(conn.client, conn.server, b"USER lab\r\n")
    conn.pass_data(conn.server, conn.client, b"230 in\r\n")
    conn.client.send(b"PORT 10,1,1,2,19,137\r\n")
    got = b""
    while not got.endswith(b"\n"):
        got += conn.server.recv(100)
    equal(got, b"PORT 10,2,1,101,19,137\r\n", "the command at the server")
    before = stats()["learn.seqadj"]
    for _ in range(100):
        conn.pass_data(conn.client, conn.server, b"NOOP\r\n")
        conn.pass_data(conn.server, conn.client, b"200\r\n")
    check(stats()["learn.seqadj"] - before >= 200, "the reason counts in /proc/natflow")
    hardware(udp(1))
    equal((hwnat()["installs"], cards.rule_count()), (1, 2), "flows that were in hardware, rules")
    finish()


def switch(link):
    """A port of a switch behind the third card, the host behind it."""
    ip(None, "link set nic2 netns r\nlink set wire2 up")
    ip("r", "link set nic2 up")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as cpu:
        cpu.setsockopt(263, 23, 1)      # SOL_PACKET, PACKET_IGNORE_OUTGOING
        cpu.bind(("wire2", 3))
        links.pump(links.SWITCH, 2, (("c", "port0"),), cpu.detach())
    run("r", f"insmod {links.DSA} conduit=nic2")
    AT_END.append(lambda: run(None, "rmmod natdsa"))
    return links.dsa(link)


def dsa(driver):
    """A port of a switch whose tags the conduit's driver does not know: `dsa-protocol`."""
    engine(driver, ports=3, lan=switch)
    flow = udp(1)
    refused(flow, "dsa-protocol")
    flow.learn()
    equal([c for c in cards.calls() if c[0] != "bind"], [], "calls of the driver")
    finish()


if os.path.exists(links.DSA):
    case_dsa = bare(lambda: dsa("generic"))
    case_dsa_mlx5 = bare(lambda: dsa("mlx5"))


def slow():
    """A minute without a packet: `slow`; the flow is in software, its conntrack as it was.

    Takes long: a minute.
    """
    engine()
    flow = udp(1)
    hardware(flow)
    wait(lambda: hwnat()["refused.slow"] == 1, "the reason counts", 90)
    equal((cards.rule_count(), hwnat()["flows"]), (0, 0), "rules, flows")
    check(" dport=7001 " in conntrack("-L -p udp"), "its conntrack is there")
    hardware(flow)
    finish()


if LONG:
    case_slow = bare(slow)
