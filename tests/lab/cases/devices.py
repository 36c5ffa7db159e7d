# SPDX-License-Identifier: GPL-2.0-only
"""Devices: the sums of a MAC over its addresses; whose an address is that two MACs send with."""
import errno
import re
import socket

from meter import users
from natlab import (ADDR, Delta, Tcp, Udp, both, check, ctl, equal, frame, inject, ip, ip_packet, learned, mac, ns, read, refuses, rows, select, sh,
                    udp, wait)

INFO, USER, ZONES = "/dev/natflow_userinfo_ctl", "/dev/natflow_user_ctl", "/dev/natflow_zone_ctl"
OTHER = "02:00:00:00:00:99"
WORDS = [f"{far}{way}_{what}" for far in ("", "lan_") for way in ("rx", "tx") for what in ("packets", "bytes")]


def devices():
    return rows("natflow_devices", "mac")


def sums(row):
    return [int(row[word]) for word in WORDS]


def begin():
    ctl("wan_zone 1=r1", device=ZONES)
    ctl("users=1")
    select()


def together(address):
    """What the users of this MAC have, and what its device has."""
    mine = [sums(row) for row in users().values() if row["mac"] == address]
    return [sum(column) for column in zip(*mine)], sums(devices()[address])


def case_sums():
    """All addresses of both families are one device, which keeps its sums when they go."""
    begin()
    me = mac("c", "c0")
    for n in range(100, 104):
        ip("c", f"addr add 10.0.1.{n}/24 dev c0")
        ip("c", f"addr add fd00:1::{n}/64 dev c0 nodad")
    for family in (4, 6):
        tcp = Tcp(family)
        tcp.pass_data(tcp.client, tcp.server, bytes(300000))
        tcp.pass_data(tcp.server, tcp.client, bytes(200000))
        tcp.close()
        for n in range(100, 104):
            source = f"10.0.1.{n}" if family == 4 else f"fd00:1::{n}"
            with ns("c"), socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as sock:
                sock.bind((source, 0))
                sock.sendto(bytes(700), (ADDR["s", family], 9))
    wait(lambda: len(set(together(me)[0])) > 1 and together(me)[0] == together(me)[1], "the device has the sums of its users")
    row = devices()[me]
    check(int(row["rx_bytes"]) > 400000 and int(row["tx_bytes"]) > 600000, f"{row}")
    equal(row["addresses"], str(sum(u["mac"] == me for u in users().values())), "addresses")
    check(int(row["addresses"]) >= 9, f"{row}")
    # Others take the places of its addresses.
    before = devices()[me]
    ctl("user_limit=16")
    for n in range(40):
        inject("r0", frame(mac("r", "r0"), OTHER, ip_packet(4, f"10.0.1.{200 + n}", ADDR["s", 4], 17,
                                                           udp(4, f"10.0.1.{200 + n}", ADDR["s", 4], 9, 9, b"x"))))
    now = devices()
    equal(sum(int(now[m]["addresses"]) for m in (me, OTHER)), 16, "addresses in the table")
    check(all(7 <= int(now[m]["addresses"]) <= 9 for m in (me, OTHER)), f"each MAC has its share: {now}")
    check(all(n >= b for n, b in zip(sums(now[me]), sums(before))), f"its sums stay: {now[me]} {before}")


def datagrams(family):
    """UDP datagrams that c has sent."""
    if family == 6:
        return int(re.search(r"^Udp6OutDatagrams\s+(\d+)", read("/proc/net/snmp6", "c"), re.M)[1])
    names, numbers = (line.split() for line in read("/proc/net/snmp", "c").splitlines() if line.startswith("Udp:"))
    return int(numbers[names.index("OutDatagrams")])


def spoofed(family):
    """Another MAC sends with a user's address: it is the address's only when its owner was silent for two seconds."""
    begin()
    me, address = mac("c", "c0"), ADDR["c", family]
    flow = learned(Udp(family))
    sink = Udp(family, dport=7777)

    def forge(sport, dport, n=1, owner=lambda: None):
        l4 = udp(family, address, ADDR["s", family], sport, dport, b"forged")
        for _ in range(n):
            owner()
            inject("r0", frame(mac("r", "r0"), OTHER, ip_packet(family, address, ADDR["s", family], 17, l4)))

    # The other is known by an address of its own.
    own = "10.0.1.77" if family == 4 else "fd00:1::77"
    inject("r0", frame(mac("r", "r0"), OTHER, ip_packet(family, own, ADDR["s", family], 17, udp(family, own, ADDR["s", family], 9, 7777, b"x"))))
    flow.send()
    wait(lambda: together(me)[0] == together(me)[1], "sums")
    before, other, d = sums(users()[address]), sums(devices()[OTHER]), Delta()
    forge(40000, 7777, 10, owner=flow.send)
    equal(d["users_conflicts"], 10, "conflicts")
    size = (28 if family == 4 else 48) + 6
    wait(lambda: sums(users()[address])[2] == datagrams(family), "the true one has what it sent, and nothing else")
    equal(sums(devices()[OTHER])[2:4], [other[2] + 10, other[3] + 10 * size], "the other's counters")
    equal(users()[address]["mac"], me, "owner")
    equal(sums(users()[address])[4:], before[4:], "the true one's counters of the LAN")
    # From the next tick on its connection's packets are looked at one by one.
    def refused():
        flow.send()
        return d["refuse.address-disputed"]
    wait(refused, "its flow is off the fast path")
    at = d["hits"]
    flow.send()
    equal(d["hits"], at, "hits in the dispute")
    wait(lambda: d["end.address-disputed"] == 1, "the flow ends with the dispute")
    equal([users()[address]["mac"], d["users_moved"]], [me, 0], "owner and moves")
    check(sums(users()[address])[3] > before[3], "its own packets are counted")
    # Its owner is silent now.
    conflicts = d["users_conflicts"]

    def moved():
        forge(40000, 7777)
        return d["users_moved"] == 1
    wait(moved, "the address has moved")
    equal(users()[address]["mac"], OTHER, "owner")
    check(d["users_conflicts"] - conflicts < 100, f"{d.changed()}")
    mine = sums(devices()[me])
    forge(40000, 7777, 5)
    equal(sums(devices()[me]), mine, "the old device's counters")
    sink.close()


case_spoofed_v4, case_spoofed_v6 = both(spoofed)


def names():
    return [line for line in read(USER).splitlines() if line.startswith("name ")]


def case_names():
    """A name is a MAC's, before its first packet and in every zone; what is read can be written; wrong lines change nothing."""
    begin()
    me = mac("c", "c0")
    learned(Udp())
    equal([users()[ADDR["c", 4]]["name"], devices()[me]["name"]], ["-", "-"], "names")
    ctl(f"name device={OTHER} tv\nname   device={me}   anna's~laptop", device=USER)
    equal([users()[ADDR["c", 4]]["name"], devices()[me]["name"]], ["anna's~laptop"] * 2, "names")
    inject("r0", frame(mac("r", "r0"), OTHER, ip_packet(4, "10.0.1.77", ADDR["s", 4], 17, udp(4, "10.0.1.77", ADDR["s", 4], 9, 9, b"x"))))
    equal([users()["10.0.1.77"]["name"], devices()[OTHER]["name"]], ["tv", "tv"], "of a device that was not there yet")
    lines = names()
    equal(lines, [f"name device={OTHER} tv", f"name device={me} anna's~laptop"], "lines")
    for text, error in ((f"name device={me} a b", errno.EINVAL), (f"name device={me} a,b", errno.EINVAL),
                        (f"name device={me} {'x' * 32}", errno.EINVAL), ("name device=1:2 x", errno.EINVAL),
                        ("name device=01:00:5e:00:00:01 x", errno.EINVAL), ("name device=00:00:00:00:00:00 x", errno.EINVAL),
                        (f"name {me} x", errno.EINVAL), ("name", errno.EINVAL)):
        refuses(lambda text=text: ctl(text, device=USER), error)
    refuses(lambda: ctl(f"begin\nname device={me} x\nname device={OTHER}\nname device=x\ncommit", device=USER), errno.EINVAL)
    equal(names(), lines, "lines after lines that were refused")
    ctl("user_limit=16")
    many = "".join(f"name device=02:00:00:00:01:{n:02x} n{n}\n" for n in range(14))
    ctl(f"begin\n{many}commit", device=USER)
    refuses(lambda: ctl("name device=02:00:00:00:02:00 x", device=USER), errno.ENOSPC)
    ctl(f"name device={OTHER}\nname device={me} b", device=INFO)
    ctl("".join(f"name device=02:00:00:00:01:{n:02x}\n" for n in range(14)), device=USER)
    equal(names(), [f"name device={me} b"], "lines")
    equal([users()[ADDR["c", 4]]["name"], devices()[OTHER]["name"]], ["b", "-"], "names")
    # A lease file of dnsmasq, as Documentation/users.md reads it.
    leases = f"1700000000 {me} 10.0.1.2 laptop 01:{me}\n1700000000 {OTHER} 10.0.1.77 * *\nduid 00:01\n1700000000 123 fd00:1::2 laptop 00:01\n"
    sh("r", """printf '%s' '""" + leases + """' |
        awk '$2 ~ /^..:..:..:..:..:..$/ && $4 != "*" { print "name device=" $2 " " substr($4, 1, 31) }' > """ + USER)
    equal(names(), [f"name device={me} laptop"], "lines of the leases")
