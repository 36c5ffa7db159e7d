# SPDX-License-Identifier: GPL-2.0-only
"""Users: what each address in the LAN sends and receives, to the byte, as a counter at its own device has it."""
import errno
import re
import socket

import links
from meter import Meter, both_from_now, settled, users
from natlab import (ADDR, Delta, Tcp, Udp, bare, both, check, ctl, equal, gone, ip, learned, mac, modprobe, netns_del, ns, read, rule,
                    run, select, stats, wait)

INFO, ZONES = "/dev/natflow_userinfo_ctl", "/dev/natflow_zone_ctl"


def begin(meter, wan="r1"):
    """Both counts from now on."""
    if wan:
        ctl(f"wan_zone 1={wan}", device=ZONES)
    ctl("users=1")
    return both_from_now(meter)


def same(counts, least):
    """Wait until nothing is on its way, then: no difference."""
    real, counted = settled(counts, 3)
    equal(counted, real, "what users have, and what their device had")
    check(sum(n for n, _ in real.values()) >= least, f"hardly any traffic: {real}")
    return real


def traffic(family, client="c", server="s", to=None):
    """A bit of everything: TCP both ways, UDP, ICMP, fragments both ways."""
    address = to or ADDR["s", family]
    tcp = Tcp(family, client=client, server=server, to=(address, 5001) if to else None, dport=5001)
    data = bytes(range(256)) * 4096
    tcp.pass_data(tcp.client, tcp.server, data)
    tcp.pass_data(tcp.server, tcp.client, data)
    tcp.settle()
    run(client, f"ping -{family} -c 3 -i 0.01 -q {address}")
    run(client, f"ping -{family} -c 3 -i 0.01 -q -s 4000 {address}")
    tcp.close()
    udp = Udp(family, client=client, server=server, to=(address, 5002) if to else None, dport=5002)
    for size in (10, 1000, 3000, 9000):
        udp.send(bytes(size))
        udp.reply(bytes(size))
    udp.close()


def exact(family, fast=True):
    rule(4, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    run("r", "ethtool -K r0 tso off gso off")
    meter = Meter("c", "c0")
    counts = begin(meter)
    if fast:
        select()
    d = Delta()
    traffic(family)
    real = same(counts, 1000)
    check(real[f"rx{family}"][1] > 1 << 20 < real[f"tx{family}"][1], f"{real}")
    check((d["hits"] > 100) == fast, f"fast path: {d.changed()}")


case_nat_v4, case_nat_v6 = both(exact)                  # IPv4 masqueraded, IPv6 routed; GRO on, accelerated
case_slow_v4, case_slow_v6 = both(lambda family: exact(family, fast=False))


def over(kind, family, netfilter=False):
    """The LAN side is such a link; the client's traffic, halfway without acceleration."""
    links.gateway()
    lan, wan = links.make(kind, "c", 1, 1), links.make(links.eth, "s", 2, 1)
    if netfilter:
        modprobe("br_netfilter")
    run("r", f"ethtool -K {lan.g} tso off gso off")
    meter = Meter("c", lan.host_dev)
    counts = begin(meter, wan.dev)
    select()
    d = Delta()
    traffic(family, to=wan.address(family, 2))
    ctl("disabled=1")
    traffic(family, to=wan.address(family, 2))
    ctl("disabled=0")
    traffic(family, to=wan.address(family, 2))
    same(counts, 1000)
    check(d["hits"] > 50, f"{d.changed()}")


# A VLAN, whose device natflow skips; a port of a bridge; a bridge whose packets pass IP's hooks, too.
case_vlan_v4, case_vlan_v6 = map(bare, both(lambda family: over(links.vlan, family)))
case_bridge_v4, case_bridge_v6 = map(bare, both(lambda family: over(links.bridge, family)))
case_bridge_netfilter_v4, case_bridge_netfilter_v6 = map(bare, both(lambda family: over(links.bridge, family, netfilter=True)))


@bare
def case_pppoe_v4():
    """The LAN's host is behind PPPoE."""
    over(links.pppoe, 4)


def case_to_gateway():
    """Packets for the gateway and by it; to a group; ESP, which no rule knows."""
    counts = begin(Meter("c", "c0"))
    for family in (4, 6):
        run("c", f"ping -{family} -c 3 -i 0.01 -q -s 4000 {ADDR['r0', family]}")
        run("r", f"ping -{family} -c 3 -i 0.01 -q -s 4000 {ADDR['c', family]}")
        with ns("c"), socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_RAW, 50) as esp:
            for size in (100, 1400, 3000):
                esp.sendto(bytes(size), (ADDR["s", family], 0))
    with ns("c"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as group:
        group.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(ADDR["c", 4]))
        for size in (100, 3000):
            group.sendto(bytes(size), ("239.1.2.3", 5000))
    real = same(counts, 30)
    rows = users()
    equal(rows[ADDR["c", 4]]["mac"], mac("c", "c0"), "MAC")
    check(int(rows[ADDR["c", 4]]["lan_tx_packets"]) > int(rows[ADDR["c", 4]]["tx_packets"]) > 0, f"{rows} {real}")


def bridged(netfilter):
    """Client and server are ports of one bridge."""
    if netfilter:
        modprobe("br_netfilter")
    else:
        run(None, "rmmod br_netfilter", ok=False)
    ip("r", """link add br0 type bridge mcast_snooping 0
        link set r0 master br0
        link set r1 master br0
        addr flush dev r0
        addr flush dev r1
        link set br0 up
        addr add 10.0.9.1/24 dev br0""")
    for n, net in (("c", 2), ("s", 1)):
        for family, prefix in ((4, f"10.0.{net}.0/24"), (6, f"fd00:{net}::/64")):
            ip(n, f"route replace {prefix} dev {n}0", family)
    run("r", "ethtool -K r0 tso off gso off")
    for family in (4, 6):
        Udp(family).learn().close()
    counts = begin(Meter("c", "c0"), wan=None)
    for family in (4, 6):
        traffic(family)
    same(counts, 2000)
    row = users()[ADDR["c", 4]]
    check(int(row["lan_rx_bytes"]) > 1 << 20 and row["rx_bytes"] == "0", f"{row}")


def case_bridged():
    """From port to port: LAN to LAN."""
    bridged(False)


def case_bridged_netfilter():
    """The same, where IP's hooks see the packets, too."""
    bridged(True)


def sums(address, *words):
    row = users()[address]
    return [int(row[word]) for word in words]


def case_listing():
    """Rates, flows, and the original's lines."""
    counts = begin(Meter("c", "c0"))
    select()
    flow = learned(Udp())
    for _ in range(50):
        flow.send(bytes(1000))
        flow.reply(bytes(500))
    same(counts, 100)
    wait(lambda: all(sums(ADDR["c", 4], "tx_rate8", "rx_rate8")), "rates")
    row = users()[ADDR["c", 4]]
    check(50 * 1028 < int(row["tx_bytes"]) and 50 * 528 < int(row["rx_bytes"]), f"{row}")
    equal(row["flows"], "1", "flows")
    line = {l.split(",")[0]: l for l in read(INFO).splitlines()}[ADDR["c", 4]].split(",")
    rx, tx = (":".join(str(sum(sums(ADDR["c", 4], f"{way}_{what}", f"lan_{way}_{what}"))) for what in ("packets", "bytes"))
              for way in ("rx", "tx"))
    equal(line[1:5] + line[6:8] + line[10:],
          [mac("c", "c0"), "0x0", "0x0", "255", rx, tx, "r0"], "the original's line")
    check(re.fullmatch(r"\d+,\d+:\d+,\d+:\d+,\d+:\d+,\d+:\d+", ",".join(line[5:10])), f"{line}")


def case_zone_changed():
    """The port of live users is put into another zone: their records, and their device, go on there."""
    run("r", "ethtool -K r0 tso off gso off")
    counts = begin(Meter("c", "c0"))
    select()
    flow = learned(Udp(4))
    traffic(6)
    for _ in range(100):
        flow.send()
    same(counts, 50)
    before = users()
    mine = [a for a in before if before[a]["mac"] == mac("c", "c0")]
    ctl("set-status 10.0.1.2 5", device=INFO)
    ctl("lan_zone 5=r0", device=ZONES)
    for _ in range(100):
        flow.send()
    flow.reply(b"first in the new zone, as far as the stack sees it")
    traffic(4)
    traffic(6)
    same(counts, 100)
    after = users()
    lines = read("/proc/net/natflow_users", "r").splitlines()
    for a in mine:
        if after[a]["zone"] == "5":
            equal(sum(f"addr={a} " in line for line in lines), 1, f"records of {a}")
            equal(after[a]["mac"], before[a]["mac"], "MAC")
    equal([after[ADDR["c", f]]["zone"] for f in (4, 6)], ["5", "5"], "zones")
    check(",0x5," in next(line for line in read(INFO, "r").splitlines() if line.startswith("10.0.1.2,")), "the status stays")
    (device,) = [line for line in read("/proc/net/natflow_devices", "r").splitlines() if mac("c", "c0") in line and " zone=5 " in line]
    wan = sum(int(after[a]["tx_bytes"]) for a in mine if after[a]["zone"] == "5")
    check(f" tx_bytes={wan} " in device, f"{device}: expected {wan}")


def case_kick():
    """An address, all of them, words that are wrong; nothing is counted once users=0."""
    ctl("wan_zone 1=r1", device=ZONES)
    ctl("users=1")
    select()
    flow, d = learned(Udp()), Delta()
    ctl(f"kick {ADDR['c', 4]}", device=INFO)
    equal(d["end.kick"], 1, "flows ended by kick")
    learned(flow)
    ctl("kickall", device=INFO)
    equal(d["end.kick"], 2, "flows ended by kickall")
    for text, error in (("kick 10.9.9.9", errno.ENOENT), ("kick x", errno.EINVAL), ("kickall now", errno.EINVAL),
                        ("begin", errno.EINVAL), ("set-token-ctrl 10.9.9.9 1 1", errno.ENOENT), ("set-token-ctrl x 1 1", errno.EINVAL)):
        try:
            ctl(text, device=INFO)
        except OSError as e:
            equal(e.errno, error, text)
        else:
            check(False, f"accepted: {text}")
    ctl("users=0")
    before = sums(ADDR["c", 4], "tx_packets")
    learned(flow)
    equal(sums(ADDR["c", 4], "tx_packets"), before, "packets while users=0")
    ctl("users=1")
    learned(flow)
    wait(lambda: sums(ADDR["c", 4], "tx_packets") > before, "packets are counted again")


def case_limit():
    """A full table: those without flows give way to new ones, never those with flows; traffic goes on."""
    ctl("wan_zone 1=r1", device=ZONES)
    ctl("users=1\nuser_limit=16")
    select()
    flow = learned(Udp())
    with ns("c"):
        for n in range(100, 160):
            ip("c", f"addr add 10.0.1.{n}/24 dev c0")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind((f"10.0.1.{n}", 0))
                sock.sendto(b"x", (ADDR["s", 4], 9))
    now = stats()
    equal(now["users"], 16, "users")
    check(now["users_evicted"] >= 45, f"{now}")
    check(ADDR["c", 4] in users() and "10.0.1.159" in users(), f"{sorted(users())}")
    d = Delta()
    flow.send()
    equal(d["hits"], 1, "hits of the flow")


def case_netns():
    """A namespace goes while users, flows and readers are there."""
    ctl("wan_zone 1=r1", device=ZONES)
    ctl("users=1")
    select()
    flow = learned(Udp())
    with ns("r"):
        reader = open(INFO)
    check(reader.readline().startswith("10.0."), "a line")
    for name in "csr":
        netns_del(name)
    wait(lambda: gone(reader), "the namespace is gone")
    flow.close()
