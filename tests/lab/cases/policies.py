# SPDX-License-Identifier: GPL-2.0-only
"""Policies of natflow_user_ctl: whom they are bound to, when they have their effect, and what that is for fast flows."""
import contextlib
import errno
import threading
import time

import urls
from access import INFO, USER, begin, clock, lines, prohibited, user, utc, write
from natlab import ADDR, Delta, PATIENCE, Tcp, Udp, both, check, ctl, drain, equal, hits, log, mac, published, read, refuses, run, settings, wait

BERLIN = "CET-1CEST,M3.5.0,M10.5.0/3"


def decides(family):
    return user(family)["policy"], user(family)["why"]


def order(family):
    """Of all binds that are for a client, the most specific one decides; off, it is as if it were not there."""
    begin()
    flow = Udp(family).learn()
    equal(decides(family), ("-", "-"), "without a policy")
    address, inet = ADDR["c", family], "inet" if family == 4 else "inet6"
    lens = (0, 8, 24) if family == 4 else (0, 33, 64)
    run("r", "ipset restore", text=f"create kids hash:ip family {inet}\nadd kids {address}\ncreate others hash:mac\n")
    prefix = {0: "0.0.0.0", 8: "10.0.0.0", 24: "10.0.1.0"} if family == 4 else {0: "::", 33: "fd00:1::", 64: "fd00:1::"}
    subjects = ["zone=1", "set=kids", *(f"cidr={prefix[n]}/{n}" for n in lens), f"ip={address}", f"device={mac('c', 'c0')}"]
    strangers = ["zone=2", "set=others", "set=none", f"ip={ADDR['s', family]}", "device=02:00:00:00:00:99",
                 "cidr=10.0.2.0/24" if family == 4 else "cidr=fd00:1:0:1::/64"]
    write("policy name=other,verdict=block\n" + "".join(f"bind policy=other,{s}\n" for s in strangers))
    for n, subject in enumerate(subjects):
        write(f"policy name=p{n}\nbind policy=p{n},{subject}")
        equal(decides(family), (f"p{n}", "-"), subject)
        flow.send()
    # Off at all times but one minute of the week that is not now; and blocking, which then nobody notices.
    day = time.gmtime().tm_wday
    off = f"schedule={('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun')[(day + 3) % 7]} 00:00-00:01,verdict=block"
    for n in reversed(range(1, len(subjects))):
        write(f"policy_change name=p{n},{off}")
        equal(decides(family), (f"p{n - 1}", "-"), subjects[n] + " is off")
    flow.send()
    write(f"policy_change name=p{len(subjects) - 2},verdict=block")
    equal(decides(family), (f"p{len(subjects) - 2}", "verdict"), subjects[-2])
    prohibited(flow)
    write(f"policy_change name=p{len(subjects) - 1},verdict=allow")
    flow.send()
    write(f"unbind {subjects[-1]}")
    prohibited(flow)
    write("policy_clean")
    flow.send()
    equal((lines("policy", "bind"), decides(family)), ([], ("-", "-")), "cleaned")


case_order_v4, case_order_v6 = both(order)


def status(family):
    """A policy that blocks is before a status set by hand; that one is before one that allows or sends to the portal; rules come last."""
    begin()
    write("auth id=7,szone=1,type=web,sipgrp=guests")
    run("r", "ipset restore", text=f"create guests hash:mac\nadd guests {mac('c', 'c0')}\n")
    write("update_magic")
    flow = Udp(family)
    bind, by_hand = f"bind policy=p,device={mac('c', 'c0')}", f"set-status {ADDR['c', family]} "

    def expect(number, policy, why):
        if number in (1, 5):
            flow.send()
        else:
            prohibited(flow)
        shown, = [line.split(",") for line in read(INFO).splitlines() if mac("c", "c0") in line]
        equal((int(shown[3], 0), decides(family)), (number, (policy, why)), "status, policy, why")

    expect(3, "-", "rule")
    # Of each verdict: the status, and the one while another is set by hand.
    for verdict, state, hand, then in (("allow", 1, 4, (4, "p", "set-status")), ("portal", 3, 1, (1, "p", "set-status")),
                                       ("block", 6, 5, (6, "p", "verdict"))):
        write(f"policy name=p,verdict={verdict}\n{bind}")
        expect(state, "p", "verdict")
        ctl(f"{by_hand}{hand}", device=INFO)
        expect(*then)
        ctl(by_hand + "0", device=INFO)
        expect(state, "p", "verdict")
        write("policy_clean")
    expect(3, "-", "rule")
    # clean is of rules only.
    write(f"policy name=p,verdict=block\n{bind}\nclean")
    prohibited(flow)
    write("disabled=1")
    flow.send()
    equal(decides(family), ("-", "-"), "disabled")


case_status_v4, case_status_v6 = both(status)


def case_name():
    """A policy bound to the name of a device, which it gets and loses while its flows are fast, in both families."""
    begin()
    write("policy name=kids,verdict=block\nbind policy=kids,name=tablet\nbind policy=kids,name=other")
    flows = [hits(Udp(family).learn()) for family in (4, 6)]
    d = Delta()
    write(f"name device={mac('c', 'c0')} tablet")
    equal((d["end.policy"], published()), (2, []), f"{d.changed()}")
    for flow in flows:
        prohibited(flow)
        equal(decides(flow.family), ("kids", "verdict"), "by its name")
    # What is bound to the device itself comes first.
    write(f"policy name=free,verdict=allow\nbind policy=free,device={mac('c', 'c0')}")
    for flow in flows:
        hits(flow.learn())
    write(f"unbind device={mac('c', 'c0')}")
    for flow in flows:
        prohibited(flow)
    write(f"name device={mac('c', 'c0')}")
    for flow in flows:
        hits(flow.learn())


def case_sites():
    """A list that a policy names is for the clients of that policy, while it is on; fast flows of a blocked name end."""
    begin()
    urls.enable()
    records = urls.Log(version=3)
    urls.acl("list name=games action=reset\nlist name=all action=drop\ndns_answer=nxdomain")
    urls.load("games", ["games.example"])
    urls.load("all", ["never.example"])
    asker = Udp(dport=53)

    def ask(host):
        """Return: was the question answered by the gateway?"""
        asked = urls.question(host)
        asker.client.send(asked)
        r, = records.wait(1)
        if r["action"]:
            equal(asker.client.recv(4096)[3] & 15, 3, "NXDOMAIN")
        else:
            equal(asker.server.recvfrom(4096)[0], asked, "question at the server")
        return (r["action"] != 0, r["host"])

    def expect(blocked, why):
        equal(ask("x.games.example"), (blocked, "x.games.example"), why)
        equal(ask("never.example"), (True, "never.example"), "a list that no policy names")

    expect(True, "no policy names the list")
    write("policy name=school,sites=games\npolicy name=other,verdict=allow\nbind policy=school,device=02:00:00:00:00:99")
    expect(False, "it is for another device")
    conn = urls.connect()
    urls.say(conn, urls.hello("games.example"))
    records.wait(1)
    conn.learn()
    conn.settle()
    d = Delta()
    write(f"bind policy=school,device={mac('c', 'c0')}")
    equal(d["end.blocked"], 1, f"{d.changed()}")
    conn.client.send(b"more")
    refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
    records.wait(1)
    expect(True, "it is for this device")
    with clock() as set_clock:
        set_clock("2026-02-11 12:00:00")
        write("policy_change name=school,sites=games,schedule=mon-fri 08:00-20:00")
        expect(True, "on a school day")
        set_clock("2026-02-11 20:00:00")
        wait(lambda: decides(4)[0] == "-", "20:00")
        expect(False, "in the evening")
        set_clock("2026-02-12 07:59:59", 0.5)
        wait(lambda: decides(4)[0] == "school", "8:00")
        expect(True, "the next day")
        write("disabled=1")
        expect(False, "disabled")
        write("disabled=0")
        expect(True, "enabled")
    write("policy_clean")
    expect(True, "no policy names the list")


def case_log_level():
    """How much of a client's names the log keeps, by its policy."""
    begin()
    urls.enable()
    records = urls.Log(version=3)
    asker = Udp(dport=53)
    write(f"policy name=p,log=domain\nbind policy=p,device={mac('c', 'c0')}")

    def ask(host):
        asker.client.send(urls.question(host))
        asker.server.recvfrom(4096)

    ask("a.b.example")
    equal(records.wait(1)[0]["host"], "b.example", "domain")
    write("policy_change name=p,log=counters")
    ask("c.d.example")
    ctl("log_level=domain")
    write("policy_change name=p,log=host")
    ask("e.f.g.example")
    equal(records.wait(1)[0]["host"], "e.f.g.example", "host; nothing of counters")
    write(f"unbind device={mac('c', 'c0')}")
    ask("h.i.example")
    equal(records.wait(1)[0]["host"], "i.example", "log_level=")


class Stream(threading.Thread):
    """A datagram each way every few milliseconds; when the last one arrived at each end, by the wall clock."""

    def __init__(self, flow):
        super().__init__(daemon=True)
        self.flow, self.over, self.last = flow, threading.Event(), {}

    def run(self):
        flow = self.flow
        flow.client.setblocking(False)
        flow.server.setblocking(False)
        while not self.over.wait(0.004):
            with contextlib.suppress(OSError):
                flow.server.sendto(b"z", flow.peer)
            with contextlib.suppress(OSError):
                flow.client.send(b"z")
            for end, sock in (("client", flow.client), ("server", flow.server)):
                with contextlib.suppress(OSError):
                    sock.recv(1)
                    self.last[end] = time.time()

    def stop(self):
        self.over.set()
        self.join()
        self.flow.client.settimeout(PATIENCE)
        self.flow.server.settimeout(PATIENCE)
        drain(self.flow.client, self.flow.server)


def boundary(family, set_clock):
    """A schedule begins while three flows are fast. Return: for so many seconds behind that packets arrived, or flows were left."""
    conn, idle = Tcp(family), Tcp(family)
    for tcp in (conn, idle):
        tcp.settle()
    flow = hits(Udp(family).learn())
    equal(len(published()), 3, "fast flows")
    d = Delta()
    stream = Stream(flow)
    stream.start()
    wait(lambda: d["hits"] > 50, "the stream is fast")
    set_clock("2026-02-11 21:00:00", 0.7)
    wait(lambda: d["end.policy"] == 3, "the flows end")
    took = time.time() - utc("2026-02-11 21:00:00")
    wait(lambda: time.time() > utc("2026-02-11 21:00:01"), "a second later")
    stream.stop()
    late = [at - utc("2026-02-11 21:00:00") for at in stream.last.values()]
    check(len(late) == 2 and min(late) > -0.1, f"the stream's last datagrams: {late}")
    equal((published(), decides(family)), ([], ("bed", "schedule")), "blocked")
    # Nobody has to speak: both are told.
    for sock in (conn.client, conn.server, idle.client, idle.server):
        refuses(lambda: sock.recv(1), errno.ECONNRESET)
    prohibited(flow)
    for ends in (conn, idle, flow):
        ends.close()
    set_clock("2026-02-11 20:30:00")
    wait(lambda: decides(family) == ("-", "-"), "evening")
    return max(took, *late)


def schedule(family):
    """When the schedule begins, fast flows end within 100 ms, in both directions; when it ends, they pass again."""
    begin()
    with clock() as set_clock:
        set_clock("2026-02-11 20:30:00")
        write(f"policy name=bed,verdict=block,schedule=mon-fri 21:00-07:00;sat,sun 23:00-09:00\nbind policy=bed,device={mac('c', 'c0')}")
        # A machine with other work wakes everybody late, so one of three has to be in time, and none far from it.
        took = []
        while len(took) < 3 and (not took or took[-1] >= 0.1):
            took.append(boundary(family, set_clock))
        check(took[-1] < 0.1 and max(took) < 0.5, f"seconds behind the boundary: {took}")
        set_clock("2026-02-12 07:00:00", 0.3)
        wait(lambda: decides(family) == ("-", "-"), "morning")
        flow = hits(Udp(family).learn())
        # The clock is set, both ways.
        d = Delta()
        for text, want in (("2026-02-14 23:30:00", 1), ("2026-02-14 22:30:00", 0), ("2026-02-13 21:00:00", 1), ("2026-02-13 20:59:00", 0)):
            begun = time.monotonic()
            set_clock(text)
            wait(lambda: d["end.policy"] == 1 if want else decides(family) == ("-", "-"), text)
            check(time.monotonic() - begun < 1.5, f"{text}: {time.monotonic() - begun:.2f} s")
            if want:
                prohibited(flow)
            else:
                d = Delta()
                hits(flow.learn())
                d = Delta()


case_schedule_v4, case_schedule_v6 = both(schedule)


def case_summer_time():
    """Both changes of the clock: an hour that is not there ends a schedule, one that comes twice lengthens it."""
    begin()
    flow = Udp(4)
    with clock() as set_clock:
        set_clock("2026-03-28 12:00:00")
        write(f"timezone={BERLIN}\npolicy name=p,verdict=block,schedule=sun 01:30-02:30\nbind policy=p,zone=1")
        flow.learn()
        for text, is_on in (("2026-03-29 00:29:30", False), ("2026-03-29 00:30:00", True), ("2026-03-29 00:59:59", True), ("2026-03-29 01:00:00", False),
                            ("2026-10-24 23:30:00", True), ("2026-10-25 00:29:59", True), ("2026-10-25 00:30:00", False),
                            ("2026-10-25 01:00:00", True), ("2026-10-25 01:30:00", False)):
            # Each boundary as it passes, each other moment when the clock is set to it.
            set_clock(text, 0.2)
            wait(lambda: time.time() >= utc(text) and decides(4) == (("p", "schedule") if is_on else ("-", "-")), f"{text}: {is_on}", 2)
            if is_on:
                prohibited(flow)
            else:
                flow.send()
        write("timezone=<+02>-2")
        wait(lambda: decides(4)[0] == "-", "3:30")
        write("timezone=<+00>0")
        equal(decides(4)[0], "p", "1:30")
        write("timezone=")
        set_clock("2026-10-25 01:31:00")
        wait(lambda: decides(4)[0] == "p", "the kernel's, which is UTC")


BAD = (
    ("policy verdict=block", errno.EINVAL, "'policy verdict=block': expected name="),
    ("policy name=a,verdict=deny", errno.EINVAL, "'verdict=deny': expected allow, block or portal"),
    ("policy name=a,schedule=mon-fry 21:00-07:00", errno.EINVAL, "'schedule=mon-fry 21:00-07:00': expected at most 8 of DAYS HH:MM-HH:MM"),
    ("policy name=a,colour=red", errno.EINVAL, "'colour=red': expected name=, verdict=, schedule=, "),
    ("policy name=a,over=throttle,volume=1/day", errno.EINVAL, "'policy name=a': expected rate= beside over=throttle"),
    ("policy name=a,rate=0/0", errno.ERANGE, "'rate=0/0': expected RX/TX, each 0 to 1000000000000 bytes a second, not both 0"),
    ("policy name=a,verdict=allow,sites=a/b", errno.EINVAL, "'sites=a/b': expected the name of a list, of 15 characters at most"),
    ("policy name=kids,verdict=allow", errno.EEXIST, "'policy': expected another name than that of: policy name=kids,verdict=block,"
                                                     "schedule=mon-fri 21:00-07:00, as in: policy_change name=kids,verdict=allow"),
    ("policy_change name=a", errno.ENOENT, "'policy_change': expected the name of a policy that is there"),
    ("policy_del name=a", errno.ENOENT, "'policy_del': expected the name of a policy that is there"),
    ("policy_del name=kids", errno.EBUSY, "'policy_del': expected a policy that is bound to nobody, not: bind policy=kids,ip=10.0.1.2, as in: unbind"),
    ("bind policy=a,zone=1", errno.ENOENT, "'bind': expected the name of a policy that is there"),
    ("bind policy=free,ip=10.0.1.2", errno.EEXIST, "'bind': expected another subject than that of: bind policy=kids,ip=10.0.1.2"),
    ("bind policy=kids,cidr=10.0.1.2/24", errno.EINVAL, "'cidr=10.0.1.2/24': expected ADDR/BITS, of ADDR only the first BITS set"),
    ("bind policy=kids,device=01:00:5e:00:00:01", errno.EINVAL, "'device=01:00:5e:00:00:01': expected the MAC of a host"),
    ("unbind zone=9", errno.ENOENT, "'unbind': expected a subject to which a policy is bound"),
    ("unbind policy=free,ip=10.0.1.2", errno.ENOENT, "'unbind': expected the policy of: bind policy=kids,ip=10.0.1.2"),
    ("timezone=Europe/Berlin", errno.EINVAL, "'Europe/Berlin': expected a TZ string of POSIX"),
)


def case_words():
    """Each wrong line: its errno, its sentence, nothing changed; what contradicts or is in use is named."""
    write("policy name=kids,verdict=block,schedule=mon-fri 21:00-07:00\npolicy name=free\nbind policy=kids,ip=10.0.1.2")
    before = settings(device=USER)
    for line, number, said in BAD:
        have = log()
        refuses(lambda: write("# first\n" + line), number)
        new = log()[len(have):]
        equal(len(new), 1, f"log lines for {line}: {new}")
        check(new[0].startswith("natflow_user_ctl line 2: " + said), f"{line}: {new[0]}")
        refuses(lambda: write(f"begin\npolicy name=x\nbind policy=x,zone=3\n{line}\ncommit"), number, errno.ECANCELED)
        equal(settings(device=USER), before, line)
    write("policy name=kids,schedule=mon-fri 21:00-07:00,verdict=block\nbind policy=kids,ip=10.0.1.2")
    equal(settings(device=USER), before, "the same lines again")
    write("begin\nunbind ip=10.0.1.2\npolicy_del name=kids\npolicy name=other\nbind policy=other,ip=10.0.1.2\npolicy_del name=free\ncommit")
    equal(lines("policy", "bind"), ["policy name=other", "bind policy=other,ip=10.0.1.2"], "replaced")


def binds(first, count):
    return "begin\n" + "".join(f"bind policy=p{n % 1024},device=02:00:00:00:{n >> 8 & 255:02x}:{n & 255:02x}\n" for n in range(first, first + count)) + "commit"


def case_identity():
    """What is read can be written back; as many policies and binds as there may be, and one more."""
    write("policy_clean\nbegin\n" + "".join(f"policy name=p{n},verdict={('allow', 'block', 'portal')[n % 3]},schedule=tue-thu 0{n % 10}:00-12:00\n"
                                            for n in range(1024)) + "commit")
    refuses(lambda: write("policy name=one.more"), errno.ENOSPC)
    check("at most 1024 policies" in log()[-1], log()[-1])
    write("begin\n" + "".join(f"bind policy=p{n},set=s{n}\nbind policy=p1,ip=fd00::{n:x}\nbind policy=p2,cidr=10.{n}.0.0/16\nbind policy=p3,zone={n}\n"
                              for n in range(64)) + "commit")
    refuses(lambda: write("bind policy=p0,set=more"), errno.ENOSPC)
    for first in range(0, 65280, 2040):
        write(binds(first, 2040))
    refuses(lambda: write("bind policy=p0,device=02:00:00:00:ff:ff"), errno.ENOSPC)
    shown = read(USER)
    equal(len(lines("bind")), 65536, "binds")
    write("policy_clean")
    equal(lines("policy", "bind"), [], "cleaned")
    replay = [line for line in shown.splitlines() if not line.startswith("#")]
    for first in range(0, len(replay), 2000):
        write("begin\n" + "\n".join(replay[first:first + 2000]) + "\ncommit")
    check(read(USER) == shown, "written back")
    write("policy_clean")
