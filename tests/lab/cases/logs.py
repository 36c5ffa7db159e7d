# SPDX-License-Identifier: GPL-2.0-only
"""One hostile client, one innocent: records and hints of the innocent are as without the other."""
import struct

import bench
import urls
from natlab import (ADDR, Tcp, Udp, both, check, drop, equal, frame, inet, ip, ip_packet, mac, no_memory, select, stats, udp,
                    udp_socket)
from urls import connect, say

SLOTS, OPEN, HINTS = 16384, 8192, 4096
NUMBER = b"########"            # each packet's own, in hexadecimal
HOSTILE = {4: "10.0.1.66", 6: "fd00:1:0:66::66"}
OTHER_MAC = "02:00:00:00:66:66"


class Skim(urls.Log):
    """A reader of many records: it keeps their numbers, what they sum up to, and the innocent's hosts."""

    def __init__(self, **kw):
        super().__init__(version=3, **kw)
        self.hits, self.innocent = 0, []

    def take3(self, data):
        size, number, _, hits, self.dropped, self.limited = struct.unpack_from("=IQQQQQ", data, 4)
        self.records.append(number)
        self.hits += hits
        if b"innocent" in data[:size]:
            self.innocent.append(number)
        return size

    def all_counted(self):
        return self.hits + self.dropped + self.limited


def asking(family, label, src, sender):
    """A frame with a question for label.x."""
    asked = struct.pack("!HHHHHH", 1, 0x0100, 1, 0, 0, 0) + bytes([len(label)]) + label + b"\1x\0" + struct.pack("!HH", 1, 1)
    packet = ip_packet(family, src, ADDR["s", family], 17, udp(family, src, ADDR["s", family], 1024, 53, asked, zero=family == 4))
    return frame(mac("r", "r0"), sender, packet)


def from_anywhere(label, sender):
    """The same, each packet from an IPv6 /64 of its own."""
    data = asking(6, label, ADDR["c", 6], sender)
    return data[:22] + NUMBER + data[30:]


def begin(window=0):
    select()
    urls.enable(window=window)
    drop("r", "postrouting", "udp dport 53")


def flood(family, count, data):
    bench.generate("r0", family, 8, count, data)


def case_window():
    """A window of an hour: who reads all the time gets a visit's record while questions fill the log, and all of them."""
    begin(window=3600)
    log, before = Skim(), stats()["names_produced"]
    say(connect(), b"GET / HTTP/1.1\r\nHost: innocent.example\r\n\r\n")
    equal(log.read(), 0, "records whose window is not over")
    storm = bench.background("r0", 4, 8, OPEN + 600, asking(4, NUMBER, HOSTILE[4], mac("c", "c0")))
    while storm.poll() is None:
        log.ready(seconds=0.05)
        log.read()
    equal((len(log.innocent), log.dropped, log.limited), (1, 0, 0), "the visit's records, dropped, limited")
    now = stats()
    equal((len(log.records), now["names_early"], now["names_unread"]), (601, 601, 0), "read, early and unread records")
    urls.enable(window=0)
    check(log.ready(10), "poll does not wake")
    log.read()
    equal(log.all_counted(), now["names_produced"] - before, "read, dropped and limited")
    equal(log.records, list(range(log.records[0], log.records[0] + OPEN + 601)), "numbers")


def outlives(family, innocent, hostile):
    """The innocent's record is there after a flood by which the log is full; counters agree for whoever sleeps."""
    asleep, before = Skim(), stats()["names_produced"]
    innocent()
    flood(family, SLOTS + 1000, hostile)
    asleep.read()
    now = stats()
    equal((len(asleep.innocent), asleep.dropped, now["names_unread"]), (1, 1001, 1001), "innocent's records, dropped, unread")
    equal((len(asleep.records), asleep.all_counted()), (SLOTS, now["names_produced"] - before), "records, all")
    # They are the newest from now on, but there are those to lose that somebody has read.
    again = Skim(oldest=True)
    flood(family, 1000, hostile)
    again.read()
    equal((len(again.innocent), len(again.records), stats()["names_unread"]), (1, SLOTS, 1001), "later: innocent's, all, unread")


def clients(family):
    """Questions against a question: of another address, behind the same MAC."""
    begin()
    outlives(family, lambda: flood(family, 1, asking(family, b"innocent", ADDR["c", family], mac("c", "c0"))),
             asking(family, NUMBER, HOSTILE[family], mac("c", "c0")))


case_clients_v4, case_clients_v6 = both(clients)


def case_forged():
    """Questions against a question: from many addresses of one MAC."""
    begin()
    outlives(6, lambda: flood(6, 1, asking(6, b"innocent", ADDR["c", 6], mac("c", "c0"))), from_anywhere(b"name", OTHER_MAC))


def case_classes():
    """Questions against a visit of the same client."""
    begin()
    outlives(4, lambda: say(connect(), b"GET / HTTP/1.1\r\nHost: innocent.example\r\n\r\n"),
             asking(4, NUMBER, ADDR["c", 4], mac("c", "c0")))


def case_no_memory():
    """Records that cannot be counted as a client's are limited, and readers know."""
    begin()
    log = Skim()
    with no_memory("natflow_holders_add", 3) as works:
        if not works:
            return
        flood(4, 5, asking(4, NUMBER, HOSTILE[4], mac("c", "c0")))
    log.read()
    equal((log.hits, log.limited, stats()["names_limited"]), (2, 3, 3), "hits, limited")


def hints(family):
    """Who resolves thousands of names keeps his newest; the innocent's one name still is that of his address."""
    log = urls.begin()
    urls.acl("dns_resolvers=any\ndns_private=1")
    ip("c", f"addr add {HOSTILE[family]}/{24 if family == 4 else 64} dev c0" + (" nodad preferred_lft 0" if family == 6 else ""))
    for where, via in (("r", ADDR["c", 6]), ("s", ADDR["r1", 6])) if family == 6 else ():
        ip(where, f"route add {HOSTILE[6]} via {via}")
    innocent = Udp(family, dport=53)
    hostile = udp_socket("c", family, HOSTILE[family])
    hostile.connect((ADDR["s", family], 53))

    def resolve(sock, host, addresses):
        asked = urls.question(host, 1 if family == 4 else 28, edns=False)
        sock.send(asked)
        _, peer = innocent.server.recvfrom(4096)
        out = urls.answer(asked, *(("", 1 if family == 4 else 28, a) for a in addresses))
        innocent.server.sendto(out, peer)
        equal(sock.recv(4096), out, "answer")

    resolve(innocent.client, "quiet.example", [inet(family, ADDR["s", family])])
    for i in range(HINTS // 32 + 10):
        resolve(hostile, f"n{i}.example", [inet(family, "203.0.113.0" if family == 4 else "2001:db8::")[:-2] + struct.pack("!H", n)
                                           for n in range(32 * i, 32 * i + 32)])
    now = stats()
    equal((now["names_hints"], now["names_hints_gone"]), (HINTS, 10 * 32 + 1), "hints, those that gave way")
    log.read()
    log.records.clear()
    conn = Tcp(family, established=False)
    Tcp.pass_data(conn.client, conn.server, b"\0\1\2 no protocol with names\r\n")
    Tcp.pass_data(conn.server, conn.client, b"x")
    r, = log.wait(1)
    equal((r["source"], r["host"]), (urls.HINT, "quiet.example"), "record")


case_hints_v4, case_hints_v6 = both(hints)
