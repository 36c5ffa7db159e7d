# SPDX-License-Identifier: GPL-2.0-only
"""Events of users: records of both versions, several readers, what is lost, and sums that lose and double nothing."""
import contextlib
import errno
import os
import socket
import struct
import threading

import bench
import userlog
from meter import Meter, users
from natlab import (ADDR, Failure, Udp, both, check, ctl, equal, frame, ip, ip_packet, learned, log, mac, netns_del, no_memory, ns,
                    opened, read, refuses, rmmod, rule, run, select, stats, sysctl, udp, udp_socket, wait)
from userlog import CONFLICT, EVICTED, HAND, KICK, LAST, MOVE, NEW, NOTHING, POLICY, RULE, STATUS, Log, Reader, add

INFO, ZONES = "/dev/natflow_userinfo_ctl", "/dev/natflow_zone_ctl"


def begin(quiet=True):
    """quiet: the client sends nothing of its own, so that users are those of the case."""
    if quiet:
        sysctl("c", "net.ipv6.conf.all.disable_ipv6", 1)
    ctl("lan_zone 1=r0\nwan_zone 2=r1", device=ZONES)
    ctl("users=1")


def addresses(first, count):
    """Further addresses of the client."""
    out = [f"10.0.1.{n}" for n in range(first, first + count)]
    ip("c", "\n".join(f"addr add {address}/24 dev c0" for address in out))
    return out


def send(source):
    """A datagram by one of the client's addresses."""
    with udp_socket("c", 4, source) as sock:
        sock.sendto(b"x", (ADDR["s", 4], 9))


def flood(count, source_mac=None):
    """Packets of that many IPv6 addresses, each its own user, that no stack answers."""
    source = socket.inet_pton(socket.AF_INET6, "fd00:1::")[:8] + b"########"
    data = ip_packet(6, ADDR["c", 6], ADDR["s", 6], 17, udp(6, ADDR["c", 6], ADDR["s", 6], 9, 9, b"x"))
    data = data[:8] + source + data[24:]
    return bench.generate("r0", 6, 1, count, frame(mac("r", "r0"), source_mac or mac("c", "c0"), data))


def layout(family):
    """Version 3, byte for byte, beside the lines of /dev/natflow_userinfo_ctl."""
    begin(quiet=False)
    client = ADDR["c", family]
    with opened(userlog.QUEUE) as fd:
        equal(os.read(fd, 4096), b"", "a read of nothing")
        os.write(fd, b"cache=256\n")    # what the original's readers begin with
        select()
        flow = learned(Udp(family))
        for _ in range(3):
            flow.send(bytes(1000))
            flow.reply(bytes(500))
        wait(lambda: users()[client]["tx_rate8"] != "0" != users()[client]["rx_rate8"], "rates")
        data = os.read(fd, 4096)
        equal(len(data) % 102, 0, "whole records")
        records = [data[i:i + 102] for i in range(0, len(data), 102)]
        af, size = (socket.AF_INET, 4) if family == 4 else (socket.AF_INET6, 16)
        address = socket.inet_pton(af, client)
        new = [r for r in records if r[12:12 + size] == address][0]
        ether = bytes.fromhex(mac("c", "c0").replace(":", ""))
        equal(new[:8] + new[12:], struct.pack("=HHHH", 3, 102, 102, af) + address.ljust(16, b"\0") + ether + b"\0\0" +
              struct.pack("=H", 255) + bytes(48) + b"r0".ljust(16, b"\0"), "the record of a new user")
        refuses(lambda: os.write(fd, b"records=5\n"), errno.EINVAL)
        os.write(fd, b"list\n")
        refuses(lambda: os.read(fd, 101), errno.EINVAL)
        data = b""
        while part := os.read(fd, 102 * 2 + 50):
            check(len(part) in (102, 204), f"a read of {len(part)}")
            data += part
        (now,) = [data[i:i + 102] for i in range(0, len(data), 102) if data[i + 12:i + 12 + size] == address]
        line = {l.split(",")[0]: l for l in read(INFO).splitlines()}
        (line,) = [l.split(",") for a, l in line.items() if socket.inet_pton(socket.AF_INET6 if ":" in a else socket.AF_INET, a) == address]
        equal(struct.unpack_from("=4Q", now, 38), tuple(int(n) for pair in line[6:8] for n in pair.split(":")), "sums, beside the line")
        check(all(struct.unpack_from("=4I", now, 70)), f"speeds {now.hex()}")
        equal(now[:8] + now[12:38] + now[86:], new[:8] + new[12:38] + new[86:], "the rest is as it was")


case_layout_v4, case_layout_v6 = both(layout)


def case_readers():
    """poll() wakes; each reader has its own place; cache=0 is one reader's; nothing is recorded without a reader."""
    begin()
    send(ADDR["c", 4])
    equal(stats()["users_events"], 0, "events without a reader")
    a, b, old = Log(), Log(), Log(3)
    ip("c", "addr add 10.0.1.50/24 dev c0")
    check(not a.ready() and not b.ready(), "there is nothing yet")
    with udp_socket("c", 4, "10.0.1.50") as sock:
        threading.Timer(0.1, sock.sendto, (b"x", (ADDR["s", 4], 9))).start()
        check(a.ready(20), "poll() wakes")
    r = a.wait("the new user", lambda r: r["kind"] == NEW and r["addr"] == "10.0.1.50")
    equal((r["number"], r["dropped"], r["limited"], r["zone"], r["mac"].hex(":"), r["device"], r["sums"]),
          (1, 0, 0, 1, mac("c", "c0"), "r0", (0,) * 10), "the record")
    check(not a.ready() and b.ready() and old.ready(), "others have it before them")
    b.write("cache=0")
    check(not b.ready(), "a reader that wanted nothing of it")
    equal([(old.read(), r["addr"]) for r in old.records or old.read() and old.records], [(0, "10.0.1.50")], "version 3")
    c = Log()
    c.write("from=oldest")
    equal((c.read(), c.records[0]["number"]), (1, 1), "from=oldest")
    for log_ in (a, b, c, old):
        log_.close()
    send("10.0.1.50")
    ip("c", "addr add 10.0.1.51/24 dev c0")
    send("10.0.1.51")
    equal(stats()["users_events"], 1, "events without a reader")


def case_words():
    """Lines that are not taken."""
    words = "cache=N, records=3, records=4, list, from=oldest or from=N, as in: records=4"
    with opened(userlog.QUEUE) as fd:
        for text in (b"clear\n", b"records=2\n", b"from=0\n", b"from=2\n", b"from=x\n", b"lists\n"):
            refuses(lambda: os.write(fd, text), errno.EINVAL)
            check(log()[-1].endswith(f"natflow_userinfo_queue: '{text.decode().strip()}': expected {words}"), log()[-1])


def case_changes():
    """What happens to a user, in order: a status by hand, by rule and by policy, a kick, two MACs, another MAC."""
    begin()
    send(ADDR["c", 4])
    events = Log()
    other = "02:00:00:00:00:99"
    of_client = lambda kind: lambda r: r["kind"] == kind and r["addr"] == ADDR["c", 4]
    ctl(f"set-status {ADDR['c', 4]} 1", device=INFO)
    r = events.wait("a status", of_client(STATUS))
    equal((r["before"], r["status"], r["why"]), (0, 1, HAND), "before, status, why")
    ctl(f"kick {ADDR['c', 4]}", device=INFO)
    r = events.wait("a status", of_client(STATUS))
    equal((r["before"], r["status"], r["why"]), (1, 0, HAND), "before, status, why")
    events.wait("a kick", of_client(KICK))
    ctl("kickall", device=INFO)
    events.wait("a kick of all", of_client(KICK))
    run("r", "ipset create all hash:net")
    run("r", "ipset add all 10.0.1.0/24")
    ctl("auth id=7,szone=1,type=web,sipgrp=all\ndisabled=0", device="/dev/natflow_user_ctl")
    send(ADDR["c", 4])
    r = events.wait("a status by a rule", of_client(STATUS))
    equal((r["before"], r["status"], r["why"], r["type"], r["rule"]), (0, 3, RULE, 2, 7), "before, status, why, type, rule")
    ctl(f"policy name=kids,verdict=block\nbind policy=kids,ip={ADDR['c', 4]}", device="/dev/natflow_user_ctl")
    send(ADDR["c", 4])
    r = events.wait("a status by a policy", of_client(STATUS))
    equal((r["before"], r["status"], r["why"], r["policy"]), (3, 6, POLICY, "kids"), "before, status, why, policy")
    ctl(f"unbind ip={ADDR['c', 4]}\ndisabled=1", device="/dev/natflow_user_ctl")
    before = mac("c", "c0")
    ip("c", f"link set c0 address {other}")
    send(ADDR["c", 4])                  # the other MAC spoke a moment ago
    r = events.wait("two MACs", of_client(CONFLICT))
    equal((r["mac"].hex(":"), r["other"].hex(":")), (before, other), "MAC of the owner and the other")
    wait(lambda: send(ADDR["c", 4]) or events.read() and events.of(MOVE), "another MAC")
    r = events.wait("another MAC", of_client(MOVE))
    equal((r["mac"].hex(":"), r["other"].hex(":")), (other, before), "MAC now and before")


def case_loss():
    """More events than are kept, of a client that floods: each reader knows exactly how many it lost; another client's are
    all there; sums of users whose last record was lost are known in sum."""
    begin()
    rule(6, "-A POSTROUTING -p udp --dport 9 -j DROP", table="mangle")
    ctl("user_limit=64")
    (friend,) = addresses(50, 1)
    other, numbers, reader = "02:00:00:00:00:66", Log(), Reader()
    send(friend)                        # the flood is of another MAC
    for _ in range(3):
        flood(3500, other)
    wait(lambda: stats()["users_gone"] >= 10501 - 64, "last records")
    now = stats()
    equal((now["users"], now["users_gone"], now["users_events"]), (64, 10437, 10501 + 10437), "users, gone, events")
    kinds = numbers.kinds()
    equal((sum(kinds.values()), numbers.end["dropped"], numbers.end["limited"]), (16384, 20938 - 16384, 0), "read, lost")
    check(min(kinds[NEW], kinds[LAST]) > 7000, f"last records and others have a share each: {kinds}")
    equal(numbers.first["addr"], friend, "the first event is the other client's")
    reader.update()
    check(reader.missed == 20938 - 16384 and min(reader.lost[2:4]) > 0, f"{reader.missed} {reader.lost}")
    size = 40 + 8 + 1
    equal(reader.total()[2:4], (10500 + 1, 10500 * size + 29), "packets and bytes sent, to the WAN")


def case_memory():
    """An event that finds no memory is counted, and its user's sums are not lost."""
    begin()
    reader, events = Reader(), Log()
    rule(6, "-A POSTROUTING -p udp --dport 9 -j DROP", table="mangle")
    ctl("user_limit=16")
    with no_memory("natflow_ring_add", 10) as works:
        if not works:
            return
        flood(100)
    wait(lambda: stats()["users_gone"] >= 84, "last records")
    events.read()
    end = events.records[-1]
    equal((stats()["users_events_unstored"], end["limited"], end["dropped"]), (10, 10, 0), "not stored")
    reader.update()
    equal(reader.total()[2:4], (100, 4900), "packets and bytes")
    check(sum(r["why"] == EVICTED for r in events.of(LAST)) >= 74, "users gave way")


def flow_of(address):
    flow = Udp()
    flow.client.close()
    flow.client = udp_socket("c", 4, address)
    flow.client.connect((ADDR["s", 4], flow.server.getsockname()[1]))
    for _ in range(4):
        flow.send(bytes(700))
        flow.reply(bytes(300))
    return flow


def traffic(sources, n):
    """Fast flows of some addresses, which end or go on: users give way, rules are flushed, the zone is another."""
    flows = [flow_of(address) for address in sources[n % 2::2]]
    if n % 3 == 2:
        ctl(f"clean\nlan_zone {n + 1}=r0\nwan_zone 2=r1", device=ZONES)
    ctl("flush")
    for flow in flows:
        flow.send(bytes(100))
        flow.close()
    ctl("flush")                        # the next ones find places in the table


def four_readers():
    """At their own pace each of four readers, one of which begins later, comes to the sums of the client's own device."""
    meter = Meter("c", "c0")
    begin()
    select()
    ctl("user_limit=16")
    sources = addresses(100, 24)
    base = meter.read()
    readers, halt = [Reader() for _ in range(3)], threading.Event()

    def follow(reader, pause):
        while not halt.wait(pause):
            reader.update()
    threads = [threading.Thread(target=follow, args=args) for args in zip(readers, (0.001, 0.05, 0.4))]
    for thread in threads:
        thread.start()
    for n in range(3):
        traffic(sources, n)
    late = Reader()
    started = [add(late.gone[1:], NOTHING)] + list(late.known.values())
    for n in range(3, 6):
        traffic(sources, n)
    halt.set()
    for thread in threads:
        thread.join()
    return meter, base, readers, late, started


def case_delta():
    """Evictions, flushes and changes of zones lose and double no byte for any of four readers."""
    meter, base, readers, late, started = four_readers()
    real = meter.read()
    real = tuple(real[way][i] - base[way][i] for way in ("rx4", "tx4") for i in (0, 1))

    def settled():
        readers[0].update()
        return readers[0].total()[:4] == real       # all of it with the WAN; IPv6 finds its neighbours in the LAN
    with contextlib.suppress(Failure):
        wait(settled, "the sums of the client's device")
    equal(readers[0].total()[:4], real, "the first reader's sums, and those of the client's device")
    for reader in (*readers, late):
        reader.update()
    want = readers[0].total()
    equal(stats().get("users_refused", 0), 0, "packets of nobody")
    for reader in readers:
        equal((reader.total()[:4], reader.missed, reader.lost), (want[:4], 0, NOTHING), "a reader's sums")
        check(reader.last > 30, f"{reader.last} users gone")
    before = NOTHING
    for sums in started:
        before = add(before, sums)
    equal(add(late.total(), before)[:4], want[:4], "the sums of the reader that began later")
    numbers = [r["user"] for r in Log().list()[0]]
    check(len(set(numbers)) == len(numbers) and min(numbers) > 0 and max(numbers) > 40, f"numbers of users {numbers}")


def case_final():
    """The last record of a user has what its flow folded after it had given way; with those who are there it is all."""
    begin()
    select()
    meter, events = Meter("c", "c0"), Log()
    base = meter.read()
    flow = learned(Udp())
    ctl("user_limit=16")
    sources = addresses(100, 16)
    for _ in range(5):
        flow.send(bytes(1000))          # in the flow, not yet in the user
    ctl("flush")                        # the flow ends, so that its user gives way at once
    for source in sources:
        send(source)
    r = events.wait("the last record", lambda r: r["kind"] == LAST and r["addr"] == ADDR["c", 4])
    equal(r["why"], EVICTED, "why")
    listed, end = events.list()
    equal([u["addr"] for u in listed], list(users()), "who is there")
    equal(end["gone"][0], stats()["users_gone"], "users that are gone")
    total = end["gone"][1:]
    for u in listed:
        total = add(total, u["sums"])
    real = meter.read()
    real = tuple(real[way][i] - base[way][i] for way in ("rx4", "tx4") for i in (0, 1))
    equal(total[:4], real, "all that the client's device had of the WAN")
    check(r["sums"][2] >= 5 and r["sums"][3] >= 5 * 1028, f"{r['sums']}")


def reopen(reader, *lines):
    reader.close()
    with ns("r"):
        reader.fd = os.open(userlog.QUEUE, os.O_RDWR | os.O_NONBLOCK)
    reader.write("\n".join(("records=4", *lines)))


def case_again():
    """A reader that comes back with its number goes on where it was; without any reader between, the sums are known."""
    begin()
    ctl("user_limit=16")
    sources = addresses(100, 20)
    keeper, reader = Log(), Reader()
    for source in sources[:16]:
        send(source)
    reader.update()
    reader.close()
    send(sources[16])
    wait(lambda: stats().get("users_gone") == 1, "a last record")
    reopen(reader, f"from={reader.next}")
    reader.update()
    equal((reader.missed, reader.lost, reader.last, reader.total()[2]), (0, NOTHING, 1, 17), "lost, lost, last ones, packets")
    reader.close()
    keeper.close()
    for source in sources[17:]:
        send(source)
    wait(lambda: stats()["users_gone"] == 4, "last records")
    reopen(reader)
    reader.missed = -1                  # there was no reader: what had a last record then is known in sum
    reader.update()
    equal((reader.last, reader.total()[2], sum(h[2] for h in reader.had.values())), (1, 20, 20), "last ones, packets, by user")


def case_end():
    """A namespace goes while a reader waits; an open file keeps the module."""
    begin()
    events, waiting = Log(), Log()
    send(ADDR["c", 4])
    events.write("list")
    check(not rmmod("natflow"), "the module went although a file is open")
    waiting.read()
    said = []
    thread = threading.Thread(target=lambda: said.append(waiting.hangs_up(20)))
    thread.start()
    for name in "csr":
        netns_del(name)
    thread.join()
    equal(said, [True], "poll() says that the namespace is gone")
    wait(lambda: gone(events.fd), "the namespace is gone")
    refuses(lambda: os.write(events.fd, b"list\n"), errno.ENODEV)


def gone(fd):
    try:
        os.read(fd, 65536)
    except OSError as e:
        return e.errno == errno.ENODEV
    return False
