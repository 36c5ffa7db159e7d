# SPDX-License-Identifier: GPL-2.0-only
"""Millions of packets, and no difference between what users have and what a tap at their own device has counted.

Every kind of link, with br_netfilter and without, GRO on and off, accelerated, by the stack, and toggled all the time, IPv4 and
IPv6; `make test-exact` passes more than ten million packets, other runs a hundredth of that.

Takes long: each fills a link for a while.
"""
import re
import socket

import links
import meter
import tap as taps
from natlab import ADDR, LONG, Delta, Tcp, Udp, bare, check, conntrack, ctl, equal, gro, ip, modprobe, rule, run, select, sysctl

ZONES = "/dev/natflow_zone_ctl"
ROUNDS = 100 if LONG else 1          # of a megabyte of TCP each way, and datagrams
UDP_SEGMENT, SIZE, SEGMENTS = 103, 1200, 40
TOTAL = {"packets": 0}


def datagrams(send, sock, segmented):
    """One call for all, or one each: some devices cannot segment."""
    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, SIZE if segmented else 0)
    for _ in range(1 if segmented else SEGMENTS):
        send(bytes(SIZE * (SEGMENTS if segmented else 1)))


def spread(flow):
    """Super-packets of datagrams, and fragments, in both directions."""
    flow.send(bytes(9000))
    flow.reply(bytes(9000))
    for send, sock, to in ((flow.client.send, flow.client, flow.server),
                           (lambda data: flow.server.sendto(data, flow.peer), flow.server, flow.client)):
        try:
            datagrams(send, sock, True)
        except OSError:
            datagrams(send, sock, False)
        sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)
        for _ in range(SEGMENTS):
            equal(len(to.recv(70000)), SIZE, "a datagram")


def talk(family, address, how):
    tcp = Tcp(family, to=(address, 5001), dport=5001)
    udp = Udp(family, to=(address, 5002), dport=5002)
    data = bytes(range(256)) * 4096
    for n in range(ROUNDS):
        for a, b in ((tcp.client, tcp.server), (tcp.server, tcp.client)):
            tcp.pass_data(a, b, data[:len(data) // 2])
            if how == "toggled":
                ctl(f"disabled={n % 2}")
            tcp.pass_data(a, b, data[len(data) // 2:])
        spread(udp)
    tcp.settle()
    tcp.close()
    udp.close()
    ctl("disabled=0")


def exact(kind, family, joins, how, netfilter=False, nat=False):
    links.gateway()
    lan, wan = links.make(kind, "c", 1, 1), links.make(links.eth, "s", 2, 1)
    if netfilter:
        modprobe("br_netfilter")
    if not nat:
        rule(4, f"-D POSTROUTING -o {wan.dev} -j MASQUERADE", table="nat")
    elif family == 6:
        rule(6, f"-A POSTROUTING -o {wan.dev} -j MASQUERADE", table="nat")
    if kind == links.pppoe:
        ip("s", f"link set {wan.host_dev} mtu 1492")    # nobody fragments IPv6 on the way
    for dev in (lan.g, wan.g):
        gro("r", dev, joins)
    meter.whole("r", lan.g)
    tap = taps.Tap("c", lan.host_dev)
    ctl(f"wan_zone 1={wan.dev}", device=ZONES)
    ctl("users=1")
    if how != "slow":
        select()
    counts, d = meter.both_from_now(tap), Delta()
    talk(family, wan.address(family, 2), how)
    real, counted = meter.settled(counts, 5)
    tap.close()
    packets = sum(n for n, _ in real.values())
    TOTAL["packets"] += packets
    print(f"# {packets} packets, {sum(n for _, n in real.values())} bytes, {TOTAL['packets']} packets in all, {d['hits']} hits", flush=True)
    equal(counted, real, "what users have, and what their device had")
    check(packets > 1000 * ROUNDS, f"hardly any traffic: {real}")
    check((d["hits"] > 30) == (how != "slow"), f"fast path: {d.changed()}")


def case(*args, **kw):
    return bare(lambda: exact(*args, **kw))


for _name, _kind, _more in (("nat", links.eth, {"nat": True}), ("routed", links.eth, {}), ("bridge", links.bridge, {}),
                            ("bridge_netfilter", links.bridge, {"netfilter": True}), ("vlan", links.vlan, {}),
                            ("pppoe", links.pppoe, {})):
    for _family in (4, 6):
        for _joins in (0, 1):
            for _how in ("fast", "slow", "toggled"):
                globals()[f"case_{_name}_v{_family}_{'gro' if _joins else 'each'}_{_how}"] = case(_kind, _family, _joins, _how, **_more)


def polled():
    """Packets and bytes (up, down) since the last call, as nlbwmon gets them: conntrack's counters, read and set to zero."""
    sums = [0, 0, 0, 0]
    for line in conntrack("-L -z").splitlines():
        found = re.findall(r" packets=(\d+) bytes=(\d+)", line)
        if len(found) == 2:
            sums = [a + int(b) for a, b in zip(sums, sum(found, ()))]
    return sums


FLOWTABLE = """table inet ft {
    flowtable f { hook ingress priority 0; devices = { r0, r1 }; WITH }
    chain fl { type filter hook forward priority -10; meta l4proto { tcp, udp } flow add @f; }
}"""


def rival(way, family):
    """The same traffic with this acceleration: what the tap, conntrack and natflow have counted."""
    if "table" in way:
        run("r", ["nft", "-f", "-"], text=FLOWTABLE.replace("WITH", "counter;" if "counter" in way else ""))
    if way == "natflow":
        select()
    conntrack("-F")
    tap = taps.Tap("c", "c0")
    both = meter.both_from_now(tap)
    talk(family, ADDR["s", family], way)
    if way in ("natflow", "stack"):
        real, counted = meter.settled(both, 10)
        equal(counted, real, "natflow's counters")
    real = both()[0]
    counts = polled()
    tap.close()
    check(all(counts), f"{way}: conntrack has counted {counts}")
    if "table" in way:
        run("r", "nft delete table inet ft")
    for what, key, at in (("up", f"tx{family}", 0), ("down", f"rx{family}", 2)):
        print(f"# IPv{family} {what}, {way}: tap {real[key][0]} packets, {real[key][1]} bytes; conntrack {counts[at]} packets "
              f"({counts[at] / real[key][0] - 1:+.1%}), {counts[at + 1]} bytes ({counts[at + 1] / real[key][1] - 1:+.2%})"
              + ("; users of natflow: the tap's" if way in ("natflow", "stack") else ""), flush=True)


def case_rivals():
    """Conntrack's counters beside a tap's: by the stack, by nf_flow_table with and without counters, and by natflow."""
    modprobe("nf_flow_table", "nf_flow_table_inet", "nft_flow_offload")
    sysctl("r", "net.netfilter.nf_conntrack_acct", 1)
    meter.whole("r", "r0")
    ctl("wan_zone 1=r1", device=ZONES)
    ctl("users=1")
    for family in (4, 6):
        rule(family, "-A FORWARD -m conntrack --ctstate INVALID")       # that there are conntracks
    for way in ("stack", "nf_flow_table", "nf_flow_table with counter", "natflow"):
        for family in (4, 6):
            rival(way, family)
