# SPDX-License-Identifier: GPL-2.0-only
"""Records of names: their text, who reads them, what is left out, memory."""
import calendar
import errno
import socket
import subprocess
import time

import bench
import urls
from natlab import (ADDR, CTL, IPT, LONG, Delta, Udp, both, check, ctl, equal, frame, ip_packet,
                    mac, modprobe, no_memory, read, refuses, rule, run, select, start, stats, udp,
                    wait)
from urls import begin, connect, say


def uptime():
    return float(open("/proc/uptime").read().split()[0])


def case_version2():
    """The record of the original, byte for byte; tuple_type; DNAT is seen from both sides."""
    select()
    urls.enable()
    log = urls.Log()
    conn = connect()
    begun = uptime()
    say(conn, b"GET /path HTTP/1.1\r\nHost: two.example\r\n\r\n")
    r, = log.wait(1)
    port, server = conn.client.getsockname()[1], conn.listener.getsockname()[1]
    want = dict(size=62 + 16, family=socket.AF_INET, sport=port, dport=server, src=ADDR["c", 4], dst=ADDR["s", 4],
                hits=1, method=1, source=urls.HTTP, rule=64, action=0, host="two.example", uri="/path",
                mac=bytes.fromhex(mac("c", "c0").replace(":", "")))
    equal({k: r[k] for k in want}, want, "record")
    check(begun - 1 <= r["timestamp"] <= uptime() + 1, f"timestamp {r['timestamp']}")


def case_text():
    """The log for people: a line a record, whoever reads it."""
    log = begin()
    conn = connect()
    begun = time.time()
    say(conn, b"GET /a%20b HTTP/1.1\r\nHost: text.example\r\n\r\n")
    log.wait(1)
    port, server = conn.client.getsockname()[1], conn.listener.getsockname()[1]
    line, = read("/proc/net/natflow_urls").splitlines()
    equal(line.split(" ", 2)[2], f"hits=1 src={ADDR['c', 4]} dst={ADDR['s', 4]} sport={port} dport={server} "
          f"mac={mac('c', 'c0')} source=http method=GET action=accept rule=- list=- host=text.example uri=/a%20b", "line")
    check(begun - 1 <= calendar.timegm(time.strptime(line[:19], "%Y-%m-%d %H:%M:%S")) <= time.time() + 1, line)


def case_merged():
    """What repeats within the window is one record, readable when the window is over."""
    select()
    urls.enable(window=6)       # three connections take less, on any machine
    log = urls.Log(version=3)
    for _ in range(3):
        conn = connect()
        say(conn, urls.hello("again.example"))
        conn.close()
    equal(read("/proc/sys/urllogger_store/count").strip(), "1", "records")
    check(not log.ready() and not log.read(), "readable within the window")
    check(log.ready(60), "poll does not wake")
    r, = log.wait(1)
    equal((r["host"], r["hits"]), ("again.example", 3), "record")


def case_two_readers():
    """Each has its own place; one that is slow knows what it lost, and how much."""
    select()
    urls.enable()
    quick, slow = urls.Log(version=3), urls.Log(version=3)
    for i in range(5):
        conn = connect()
        say(conn, urls.hello(f"n{i}.example"))
        conn.close()
        if i == 2:
            equal([r["host"] for r in quick.wait(3)], [f"n{k}.example" for k in range(3)], "quick's first")
    equal([r["host"] for r in slow.wait(5)], [f"n{k}.example" for k in range(5)], "slow's")
    equal([r["host"] for r in quick.wait(2)], ["n3.example", "n4.example"], "quick's last")
    late = urls.Log(version=3)
    equal(late.read(), 0, "a new reader's, of what came before")
    late = urls.Log(version=3, oldest=True)
    equal(late.read(), 5, "a new reader's, from the oldest on")


def asking(label):
    """A frame of the client's with a question for label.example."""
    question = bytes.fromhex("123401000001000000000000") + bytes([len(label)]) + label + b"\7example\0" + bytes.fromhex("00010001")
    return frame(mac("r", "r0"), mac("c", "c0"), ip_packet(4, ADDR["c", 4], ADDR["s", 4], 17, udp(
        4, ADDR["c", 4], ADDR["s", 4], 1024, 53, question)))


def case_identity():
    """More events than the log holds: each reader got it, or knows that it did not; merged ones are in the hits."""
    quick = begin()
    slow = urls.Log(version=3)
    data = asking(b"name")
    before = stats()["names_produced"]
    for _ in range(5):
        bench.generate("r0", 4, 1, 4000, data)
        quick.read()
    slow.read()
    now = stats()
    equal((now["names_produced"] - before, now["names_merged"], now["names_limited"]), (20000, 0, 0), "produced, merged")
    for log, dropped in ((quick, 0), (slow, 20000 - 16384)):
        equal((sum(r["hits"] for r in log.records), log.dropped, log.limited), (20000 - dropped, dropped, 0), "reader")
        numbers = [r["sequence"] for r in log.records]
        equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "sequence numbers")
    urls.enable(window=1)
    bench.generate("r0", 4, 1, 4000, data)
    wait(lambda: quick.read() or stats()["names_produced"] == before + 24000 and quick.records[-1]["hits"] > 1,
         "merged records")
    wait(lambda: sum(r["hits"] for r in quick.records) == 24000 or quick.read() and False, "all hits")
    check(stats()["names_merged"] > 3000, f"merged {stats()['names_merged']}")


def case_storm():
    """New names faster than they are read, while a list is loaded again and again, a reader is killed and another sleeps:
    each name is judged, and each reader knows how many it missed."""
    count, some = 100000 if LONG else 40000, 64
    quick = begin()
    asleep = urls.Log(version=3)
    blocked = [f"{n:08x}.example" for n in range(0, count, 97)]
    urls.acl("list name=l action=drop\ndns_answer=nxdomain")
    urls.load("l", blocked)
    rule(4, "-A POSTROUTING -p udp --dport 53", table="mangle")
    d = Delta()
    killed = start("r", ["sh", "-c", f"while :; do cat; done <{urls.QUEUE}"], stdout=subprocess.DEVNULL)
    storm = bench.background("r0", 4, some, count, asking(b"########"))
    loads = 0
    while storm.poll() is None:
        urls.load("l", blocked)
        loads += 1
        killed.kill()
        quick.read()
    quick.read()
    asleep.read()
    equal((d["names_produced"], d["names_merged"]), (count, 0), "produced, merged")
    for log in (quick, asleep):
        equal(sum(r["hits"] for r in log.records) + log.dropped + log.limited, count, "delivered, dropped and limited")
        wrong = [r["host"] for r in log.records if (r["action"] != 0) != (int(r["host"][:8], 16) % 97 == 0)]
        equal(wrong, [], "verdicts")
    passed = int(run("r", f"{IPT[4]} -w -t mangle -nvxL POSTROUTING 1").split()[0])
    equal(passed, count - len(blocked), "questions that passed")
    each = read("/proc/natlab_bench").strip()
    print(f"# {len(quick.records)} of {count} names read, {loads} loads, {each} ns a name", flush=True)


def case_levels():
    """Counters, registrable domain, host, URL."""
    log = begin()
    request = b"GET /path?query HTTP/1.1\r\nHost: a.b.example.net\r\n\r\n"
    for level, want in (("domain", ("example.net", "")), ("host", ("a.b.example.net", "")),
                        ("url", ("a.b.example.net", "/path")), ("counters", None)):
        ctl(f"log_level={level}")
        d = Delta()
        conn = connect()
        say(conn, request)
        equal(urls.outcomes(d), {"name.named": 1}, "outcomes")
        if want:
            equal([(r["host"], r["uri"]) for r in log.wait(1)], [want], level)
        else:
            equal(log.read(), 0, level)
        conn.close()


def case_domains():
    """What is registered: below a country's usual second level it is one label more; an address is no domain."""
    log = begin()
    ctl("log_level=domain")
    for host, want in (("a.b.example.co.uk", "example.co.uk"), ("example.co.uk", "example.co.uk"), ("co.uk", "co.uk"),
                       ("a.co.example", "co.example"), ("a.example.de", "example.de"), ("one", "one"),
                       ("10.0.2.2", "10.0.2.2")):
        conn = connect()
        say(conn, b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode())
        equal(log.wait(1)[0]["host"], want, host)
        conn.close()


def skipped(family):
    """Whose names are not logged: by address, MAC, device, set; rules act nevertheless."""
    log = begin()
    modprobe("ip_set", "ip_set_hash_ip")
    inet = "inet" if family == 4 else "inet6"
    run("r", f"ipset create private hash:ip family {inet}")
    urls.acl("add acl=0,2,blocked.example")

    for who in (f"src={ADDR['c', family]}", f"src={ADDR['c', family]}/24", f"mac={mac('c', 'c0')}", "dev=r0",
                "match_set=private"):
        ctl("log_skip_clear")
        ctl(f"log_skip {who}")
        check(f"log_skip {who}\n" in read(CTL), "what reading prints")
        if who == "match_set=private":
            log_one(log, family)
            run("r", f"ipset add private {ADDR['c', family]}")
        d = Delta()
        conn = connect(family)
        say(conn, urls.hello("private.example"))
        equal(urls.outcomes(d), {"name.named": 1}, who)
        equal(log.read(), 0, who)
        conn.close()
    d = Delta()
    conn = connect(family)
    conn.client.send(urls.hello("blocked.example"))
    refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
    equal((urls.outcomes(d), log.read()), ({"name.named": 1}, 0), "outcome, records")
    ctl("begin\nlog_skip src=10.9.9.9\nlog_skip_clear\nlog_skip src=10.9.9.8\ncommit")
    check("log_skip src=10.9.9.9" not in read(CTL) and "log_skip src=10.9.9.8" in read(CTL), "a transaction")
    log_one(log, family)
    run("r", "ipset destroy")


def log_one(log, family):
    conn = connect(family)
    say(conn, urls.hello("public.example"))
    equal(log.wait(1)[0]["host"], "public.example", "a record")
    conn.close()


case_skipped_v4, case_skipped_v6 = both(skipped)


def case_skip_bad():
    """What is no source, and one more than fits: refused, nothing changed."""
    for bad in ("", "src=", "src=10.0.0.0/33", "mac=1", "10.0.0.1", "match_set=", "match_set=" + 32 * "x", "dev=a/b"):
        refuses(lambda: ctl(f"log_skip {bad}"), errno.EINVAL)
    ctl("\n".join(f"log_skip src=10.0.0.{i}" for i in range(16)))
    ctl("log_skip src=10.0.0.3")
    before = read(CTL)
    refuses(lambda: ctl("log_skip src=10.0.1.1"), errno.ENOSPC)
    equal(read(CTL), before, "settings")
    ctl("log_skip_clear")


def case_memory():
    """No memory for one flow's state: it goes on without, and is counted; the next one is read."""
    log = begin()
    d = Delta()
    flow = Udp(4, dport=443)
    packet = urls.initial(urls.crypto(0, urls.hello("memory.example", records=False)))
    with no_memory("natflow_ct_get", 2) as works:
        if not works:
            return
        flow.send(packet)
    equal(urls.outcomes(d), {"name.memory": 1}, "outcomes")
    again = Udp(4, dport=4433)
    again.send(packet)
    again.reply()
    equal(log.wait(1)[0]["host"], "memory.example", "host")
