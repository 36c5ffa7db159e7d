# SPDX-License-Identifier: GPL-2.0-only
"""Which hosts may be visited: rules, what clients and servers are told, flows that are fast already."""
import errno
import os
import socket
import subprocess
import threading
import time

import urls
from natlab import (ADDR, PATIENCE, Delta, Tcp, Udp, both, check, conntrack_entry, equal, hits, log as messages, mac, modprobe,
                    ns, opened, published, read, refuses, rule, run, select)
from urls import ACL, acl, begin, connect, load, quiet

HTTP = b"GET /page HTTP/1.1\r\nHost: %s\r\n\r\n"


def broken(sock, *numbers):
    """The next thing a socket gets is a reset."""
    refuses(lambda: sock.recv(1), errno.ECONNRESET)


def passes(conn, data):
    conn.client.send(data)
    got = b""
    while len(got) < len(data):
        got += conn.server.recv(65536)
    equal(got, data, "bytes at the server")


def drop(family):
    """1: nothing of the hello arrives, nobody is told."""
    log = begin()
    acl("add acl=3,1,blocked.example")
    conn = connect(family)
    conn.client.send(urls.hello("www.blocked.example"))
    r, = log.wait(1)
    equal((r["host"], r["rule"], r["action"]), ("www.blocked.example", 3, 1), "record")
    quiet(conn.server)
    quiet(conn.client)


case_drop_v4, case_drop_v6 = both(drop)


def reset(family):
    """2: both ends get a reset; also through NAT in both directions."""
    log = begin()
    rule(family, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    acl("add acl=0,2,blocked.example")
    conn = connect(family)
    conn.client.send(urls.hello("blocked.example"))
    broken(conn.client)
    broken(conn.server)
    r, = log.wait(1)
    equal((r["rule"], r["action"]), (0, 2), "record")
    equal(r["nat"][0], ADDR["r1", family], "address as the server sees it")
    state = conntrack_entry("tcp", more=f"-f ipv{family}", dport=conn.listener.getsockname()[1])[0].split()[3]
    check(state not in ("ESTABLISHED", "SYN_RECV"), f"the conntrack stays for days, as {state}")


case_reset_v4, case_reset_v6 = both(reset)


def dnat(family):
    """A server behind DNAT: the client's reset comes from where it sent its request to."""
    begin()
    acl("add acl=0,2,blocked.example")
    conn = Tcp(family, established=False, to=None)
    port = conn.listener.getsockname()[1]
    conn.client.close()
    conn.server.close()
    to = f"[{ADDR['s', 6]}]:{port}" if family == 6 else f"{ADDR['s', 4]}:{port}"
    rule(family, f"-A PREROUTING -p tcp --dport 4433 -j DNAT --to-destination {to}", table="nat")
    with ns("c"):
        conn.client = socket.socket(conn.listener.family)
    conn.client.settimeout(PATIENCE)
    conn.client.connect((ADDR["r0", family], 4433))
    conn.server, _ = conn.listener.accept()
    conn.server.settimeout(PATIENCE)
    conn.client.send(urls.hello("blocked.example"))
    broken(conn.client)
    broken(conn.server)


case_dnat_v4, case_dnat_v6 = both(dnat)


def redirect(family):
    """3: a request in clear is answered with a 302, the server gets a reset; a hello is reset."""
    log = begin()
    acl("redirect_url=http://portal.example/why\nadd acl=0,3,blocked.example")
    conn = connect(family)
    conn.client.send(HTTP % b"blocked.example")
    got = b""
    while piece := conn.client.recv(65536):
        got += piece
    check(got.startswith(b"HTTP/1.1 302 ") and b"\r\nLocation: http://portal.example/why\r\n" in got, f"answer {got}")
    broken(conn.server)
    tls = connect(family)
    tls.client.send(urls.hello("blocked.example"))
    broken(tls.client)
    equal([r["action"] for r in log.wait(2)], [3, 2], "actions")


case_redirect_v4, case_redirect_v6 = both(redirect)


def quic(family):
    """A datagram of a blocked name: the client is told by ICMP, with drop it is not."""
    begin()
    acl("add acl=0,2,blocked.example\nadd acl=1,1,silent.example")
    flow = Udp(family)
    flow.client.send(urls.initial(urls.crypto(0, urls.hello("blocked.example", records=False))))
    numbers = (errno.EHOSTUNREACH, errno.EACCES)
    refuses(lambda: flow.client.recv(1), *numbers)
    silent = Udp(family)
    silent.client.send(urls.initial(urls.crypto(0, urls.hello("silent.example", records=False))))
    quiet(silent.client)
    for sock in (flow.server, silent.server):
        quiet(sock)


case_quic_v4, case_quic_v6 = both(quic)


def live(family):
    """A rule that comes later ends a fast flow at its next packet, whichever side sends it; the log says so once."""
    log = begin()
    conns = [connect(family) for _ in range(2)]
    for conn in conns:
        passes(conn, urls.hello("www.live.example"))
        conn.learn()
        conn.settle()
    equal(len(published()), 2, "fast flows")
    before = log.wait(2)
    d = Delta()
    acl("add acl=5,2,live.example")
    equal(d["end.blocked"], 2, f"{d.changed()}")

    def shown(records, *keys):
        return sorted([r[k] for k in ("host", "source", "tuple", *keys)] for r in records)
    cut = log.wait(2)
    equal(shown(cut, "rule", "action"), [r + [5, 2] for r in shown(before)], "records of the two that are cut")
    equal(read("/proc/net/natflow_urls").count(" action=reset rule=5 list=- host=www.live.example"), 2, "natflow_urls")
    conns[0].client.send(b"more")
    conns[1].server.send(b"more")
    for conn in conns:
        broken(conn.client)
        broken(conn.server)
    equal(d["hits"], 0, "packets that were fast after the rule")
    # Nothing is said again: not by the packets that are reset, nor of connections that are over already.
    acl("add acl=4,1,live.example")
    equal(log.read(), 0, f"{log.records}")


case_live_v4, case_live_v6 = both(live)


def live_quic(family):
    """The same for QUIC: a list that gets its name cuts a fast flow; another flow goes on."""
    log = begin()
    acl("list name=late action=drop")
    flows = {name: Udp(family, dport=443 if name == "cut.example" else 0) for name in ("cut.example", "stays.example")}
    for name, flow in flows.items():
        flow.client.send(urls.initial(urls.crypto(0, urls.hello(name, records=False))))
        equal(len(flow.server.recv(2000)), 1200, "the first datagram")
        hits(flow.learn())
    log.wait(2)
    load("late", ["cut.example"])
    r, = log.wait(1)
    equal([r[k] for k in ("host", "source", "action", "list", "protocol")], ["cut.example", urls.QUIC, 1, "late", 17],
          "record")
    d = Delta()
    flows["cut.example"].client.send(b"more")
    quiet(flows["cut.example"].server)
    hits(flows["stays.example"])
    equal(d["hits"], 10, f"{d.changed()}")
    acl("list name=late remove")
    equal(log.read(), 0, f"{log.records}")


case_live_quic_v4, case_live_quic_v6 = both(live_quic)


def case_matching():
    """The name and what is below it; the lowest id decides; a default for the rest."""
    log = begin()
    acl("""acl_action_default=reset
        add acl=9,2,a.example
        add acl=2,0,good.a.example
        add acl=1,1,bad.good.a.example
        add acl=7,0,*.UPPER.example.
        add acl=8,0,com""")
    for host, want in (("a.example", (9, 2)), ("x.a.example", (9, 2)), ("good.a.example", (2, 0)),
                       ("x.good.a.example", (2, 0)), ("bad.good.a.example", (1, 1)), ("x.bad.good.a.example", (1, 1)),
                       ("xgood.a.example", (9, 2)), ("ba.example", (64, 2)), ("upper.example", (7, 0)),
                       ("x.Upper.Example", (7, 0)), ("com", (8, 0)), ("x.com", (8, 0)), ("xcom", (64, 2))):
        conn = connect()
        conn.client.send(urls.hello(host))
        r, = log.wait(1)
        equal((r["rule"], r["action"]), want, host)
        conn.close()


def case_replay():
    """What is read can be written back, and is the same then."""
    acl("add acl=3,1,b.example\nadd acl=0,2,a.example\nadd acl=3,1,c.example\nredirect_url=http://p.example/?a=b,c"
        "\nacl_action_default=drop")
    before = read(ACL)
    equal([l for l in before.splitlines() if l[0] != "#"],
          ["clear", "acl_action_default=drop", "redirect_url=http://p.example/?a=b,c",
           "dns_answer=none", "dns_sinkhole=0.0.0.0", "dns_sinkhole=::", "dns_https=pass", "dns_resolvers=none", "dns_private=0",
           "add acl=0,2,a.example",
           "add acl=3,1,b.example", "add acl=3,1,c.example"], "rules")
    acl("clear\nacl_action_default=accept\nredirect_url=")
    acl(before)
    equal(read(ACL), before, "after writing back")


def case_bad_lines():
    """Nonsense is refused, named, and changes nothing; so is a transaction with some of it."""
    before = read(ACL)
    for line, said in (("add acl=32,0,a", "a number from 0 to 31"), ("add acl=0,4,a", "0 record, 1 drop, 2 reset or 3"),
                       ("add acl=x,0,a", "a number from 0"), ("add acl=0,0,", "a host name"),
                       ("add acl=0,0", "ID,ACTION,HOST"), ("add acl=0,0,a b", "a host name"),
                       ("add acl=0,0,a..", "a host name"),
                       ("acl_action_default=maybe", "accept, drop"), ("clear all", "nothing"),
                       ("redirect_url=http://a b", "a URL"), ("add", "a command")):
        refuses(lambda: acl(line), errno.EINVAL, errno.ERANGE)
        check(messages()[-1].startswith("hostacl_ctl line 1: ") and said in messages()[-1], f"{line}: {messages()[-1]}")
    refuses(lambda: acl("begin\nadd acl=0,1,a.example\nadd acl=0,9,b.example\ncommit"), errno.ERANGE, errno.ECANCELED)
    equal(read(ACL), before, "rules")
    with opened(ACL, os.O_WRONLY) as fd:
        os.write(fd, b"begin\nadd acl=0,1,a.example\n")
        equal(read(ACL), before, "rules before commit")
        os.write(fd, b"add acl=0,1,b.example\ncommit\n")
    equal(read(ACL).count("add acl=0,1,"), 2, "rules after commit")
    acl("begin\n" + "".join(f"add acl=1,1,h{i}.example\n" for i in range(1022)) + "commit")
    refuses(lambda: acl("add acl=1,1,one.too.many"), errno.ENOSPC)


def case_off():
    """Rules do nothing while the log is off."""
    select()
    acl("add acl=0,1,blocked.example")
    conn = connect()
    passes(conn, urls.hello("blocked.example"))
    conn.learn()
    check(published(), "not fast")


# -- lists of sites

def verdict(log, host, family=4):
    """What is done about a name, as (action, list)."""
    log.read()
    log.records.clear()     # what rules did to connections of before
    conn = connect(family)
    conn.client.send(urls.hello(host))
    r, = log.wait(1)
    conn.close()
    return r["action"], r["list"]


def case_list_matching():
    """The longest domain of all lists decides, accept before others; rules come before lists."""
    log = begin()
    acl("list name=ads action=drop\nlist name=good action=accept\nlist name=more action=reset")
    load("ads", ["a.example", "*.b.example.", "# no domain", "", ".deep.c.example", "same.example"])
    load("good", ["ok.a.example", "same.example", "c.example"])
    load("more", ["bad.ok.a.example", "rule.example"])
    acl("add acl=3,0,ok.rule.example")
    for host, want in (("a.example", (1, "ads")), ("x.y.A.example", (1, "ads")), ("xa.example", (0, "")),
                       ("example", (0, "")), ("ok.a.example", (0, "good")), ("x.ok.a.example", (0, "good")),
                       ("x.bad.ok.a.example", (2, "more")), ("b.example", (1, "ads")), ("c.example", (0, "good")),
                       ("x.deep.c.example", (1, "ads")), ("same.example", (0, "good")),
                       ("rule.example", (2, "more")), ("ok.rule.example", (0, ""))):
        equal(verdict(log, host), want, host)


def case_list_sources():
    """For some addresses, of either family, a MAC, a device; for others it is not there."""
    log = begin()
    there = mac("c", "c0")
    for policy, want in (("src=10.0.1.0/24", (1, 0)), ("src=10.0.1.3", (0, 0)), ("src=fd00:1::/64", (0, 1)),
                         ("src=10.9.0.0/16 src=fd00:1::2", (0, 1)), (f"mac={there}", (1, 1)),
                         ("mac=02:00:00:00:00:99", (0, 0)), ("dev=r0", (1, 1)), ("dev=r1", (0, 0))):
        acl(f"list name=some action=drop {policy}")
        load("some", ["some.example"])
        equal(tuple(verdict(log, "some.example", family)[0] for family in (4, 6)), want, policy)


def sets(family):
    """A rule with ipsets of its number is for who is in one of them; they come, change and go with nobody's leave."""
    log = begin()
    modprobe("ip_set", "ip_set_hash_ip", "ip_set_hash_net", "ip_set_hash_mac")
    acl("add acl=0,1,set.example\nadd acl=1,2,set.example\nadd acl=1,2,other.example")
    inet = {4: "inet", 6: "inet6"}

    def want(action, rule):
        conn = connect(family)
        conn.client.send(urls.hello("set.example"))
        r, = log.wait(1)
        equal((r["action"], r["rule"]), (action, rule), "action, rule")
        conn.close()

    want(1, 0)
    run("r", f"ipset create host_acl_rule0_ipv{family} hash:net family {inet[family]}")
    want(2, 1)
    run("r", f"ipset add host_acl_rule0_ipv{family} {ADDR['c', family]}/{24 if family == 4 else 64}")
    want(1, 0)
    run("r", f"ipset flush host_acl_rule0_ipv{family}")
    run("r", "ipset create host_acl_rule0_mac hash:mac")
    want(2, 1)
    run("r", f"ipset add host_acl_rule0_mac {mac('c', 'c0')}")
    want(1, 0)
    run("r", "ipset destroy")
    want(1, 0)
    other = inet[10 - family]
    run("r", f"ipset create host_acl_rule0_ipv{family} hash:ip family {other}")
    run("r", f"ipset create host_acl_rule1_ipv{family} hash:ip family {inet[family]}")
    want(0, 64)
    run("r", "ipset destroy")


case_sets_v4, case_sets_v6 = both(sets)


def list_set(family):
    """A list for who is in a set; without the set it is for nobody."""
    log = begin()
    modprobe("ip_set", "ip_set_hash_ip")
    acl("list name=some action=drop match_set=kids")
    load("some", ["some.example"])
    equal(verdict(log, "some.example", family)[0], 0, "without a set")
    run("r", f"ipset create kids hash:ip family {'inet' if family == 4 else 'inet6'}")
    equal(verdict(log, "some.example", family)[0], 0, "not in it")
    run("r", f"ipset add kids {ADDR['c', family]}")
    equal(verdict(log, "some.example", family)[0], 1, "in it")
    run("r", "ipset destroy")


case_list_set_v4, case_list_set_v6 = both(list_set)


def list_effects(family):
    """A mark on the connection, whose other bits stay; the server's address in a set; and the flow is fast."""
    log = begin()
    modprobe("ip_set", "ip_set_hash_ip", "ip_set_hash_net")
    inet = "inet" if family == 4 else "inet6"
    run("r", f"ipset create servers hash:ip family {inet} timeout 600")
    acl("dns_private=1\nlist name=way action=accept mark=0x20/0xf0 add_set=servers add_visited=1\nlist name=none action=accept add_set=missing")
    load("way", ["way.example"])
    load("none", ["none.example"])
    conn = connect(family)
    run("r", f"conntrack -U -p tcp -f ipv{family} --mark 0x1000011")
    passes(conn, urls.hello("way.example"))
    equal(log.wait(1)[0]["list"], "way", "list")
    entry = conntrack_entry("tcp", more=f"-f ipv{family}", dport=conn.listener.getsockname()[1])[0]
    check(f" mark={0x1000021} " in entry, entry)
    check(ADDR["s", family] in run("r", "ipset list servers"), run("r", "ipset list servers"))
    conn.server.send(b"yes")
    equal(conn.client.recv(10), b"yes", "answer")
    equal(len(published()), 1, "published flows")
    conn.close()
    equal(verdict(log, "none.example", family), (0, "none"), "a set that is not there")
    equal(verdict(log, "plain.example", family), (0, ""), "a name without a list")
    run("r", "ipset destroy")


case_list_effects_v4, case_list_effects_v6 = both(list_effects)


def case_list_times():
    """Days of the week, and times of the day that may pass midnight."""
    log = begin()
    now = time.gmtime()
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    today, tomorrow = days[now.tm_wday], days[(now.tm_wday + 1) % 7]
    minute = now.tm_hour * 60 + now.tm_min

    def clock(m):
        return f"{m // 60 % 24:02}:{m % 60:02}"

    before, after = clock(minute - 120), clock(minute + 120)
    acl("list name=timed action=drop")
    load("timed", ["timed.example"])
    week = "mon-sun"
    for policy, want in ((f"days={today}", 1), (f"days={tomorrow}", 0), (f"days={week} time={before}-{after}", 1),
                         (f"days={week} time={after}-{before}", 0), (f"time={before}-{after}", 1)):
        acl(f"list name=timed action=drop {policy}")
        equal(verdict(log, "timed.example")[0], want, policy)


def case_list_live():
    """A list that is loaded ends fast flows to its sites within 100 ms; one that is removed lets them be."""
    log = begin()
    conn, other = connect(), connect()
    for one, name in ((conn, "live.example"), (other, "other.example")):
        passes(one, urls.hello(name))
        one.learn()
        one.settle()
    equal(len(published()), 2, "fast flows")
    acl("list name=late action=reset")
    load("late", ["live.example"])
    conn.client.send(b"more")
    broken(conn.client)
    other.learn()
    equal(len(published()), 1, "fast flows")
    acl("list name=late remove")
    equal([(r["host"], r["action"], r["list"]) for r in log.wait(3)][2], ("live.example", 2, "late"), "record of the end")
    equal(verdict(log, "live.example"), (0, ""), "after it was removed")


def case_list_broken():
    """Half a list, a wrong line, a list that is not there: what was in force stays."""
    log = begin()
    acl("list name=l action=drop")
    load("l", ["old.example"])
    before = read(ACL)
    with opened(ACL, os.O_WRONLY) as fd:
        os.write(fd, b"list name=l load\nnew.exam")
        os.write(fd, b"ple\n")
    equal(read(ACL), before, "after half a list")
    for bad in ("a b", "x" * 254, "..", "x" * 300):
        refuses(lambda: load("l", ["fine.example", bad]), errno.EINVAL)
        check(messages()[-1].startswith("hostacl_ctl list l line 2: "), messages()[-1])
    refuses(lambda: load("nobody", ["a"]), errno.ENOENT)
    refuses(lambda: acl("list name=l load=100\n" + "x" * 100), errno.EINVAL)
    refuses(lambda: acl("begin\nlist name=l load\na\nend"), errno.EBUSY)
    refuses(lambda: acl("list name=l action=perhaps"), errno.EINVAL)
    refuses(lambda: acl("list name=l action=drop src=10.0.0.0/33"), errno.EINVAL)
    refuses(lambda: acl("list name=l action=drop time=25:00-01:00"), errno.EINVAL)
    refuses(lambda: acl("list name=sixteenletters16 action=drop"), errno.EINVAL)
    equal(read(ACL), before, "after wrong ones")
    equal((verdict(log, "old.example"), verdict(log, "fine.example")), ((1, "l"), (0, "")), "names")
    acl("\n".join(f"list name=n{i} action=drop" for i in range(63)))
    refuses(lambda: acl("list name=n63 action=drop"), errno.ENOSPC)


def case_list_compiled():
    """A set that natflow-list made is the same as its text; a cut one is refused."""
    log = begin()
    names = [f"host{i}.site{i % 1000}.example" for i in range(100000)]
    text = "".join(n + "\n" for n in names)
    made = subprocess.run(["/lab/natflow-list"], input=text.encode(), capture_output=True, check=True).stdout
    acl("list name=c action=drop\nlist name=t action=reset")

    def put(data, size):
        with opened(ACL, os.O_WRONLY) as fd:
            os.write(fd, b"list name=c load=%d\n" % size)
            while data:
                data = data[os.write(fd, data):]

    begun = time.monotonic()
    put(made, len(made))
    compiled = time.monotonic() - begun
    begun = time.monotonic()
    load("t", names)
    print(f"# 100,000 names: {compiled * 1e3:.0f} ms as bytes, {(time.monotonic() - begun) * 1e3:.0f} ms as text", flush=True)
    said = [l for l in read(ACL).splitlines() if " domains, " in l]
    equal([l.split()[3] for l in said], ["100000", "100000"], "domains")
    before = read(ACL)
    put(made[:-1], len(made))
    equal(read(ACL), before, "after a cut one")
    refuses(lambda: put(b"\0" + made[1:], len(made)), errno.EINVAL)
    refuses(lambda: put(made, len(made) - 64), errno.EINVAL)
    equal(read(ACL), before, "after wrong ones")
    equal(verdict(log, "x.host77777.site777.example"), (1, "c"), "a name of both")
    equal(verdict(log, "host77777.site778.example"), (0, ""), "a name of none")


def case_list_reload_storm():
    """Lists are replaced while flows begin: each name is in the old list or the new one, never in none."""
    log = begin()
    acl("list name=l action=drop")
    names = [f"host{i}.example" for i in range(5000)]
    load("l", names)
    over = threading.Event()
    loads = []

    def reload():
        while not over.is_set():
            load("l", names)
            loads.append(1)

    thread = threading.Thread(target=reload)
    with ns("r"):        # a new thread is where its maker was
        thread.start()
    try:
        for i in range(20):
            flow = Udp()
            flow.client.send(urls.initial(urls.crypto(0, urls.hello(f"host{i}.example", records=False))))
            flow.close()
        got = log.wait(20)
    finally:
        over.set()
        thread.join()
    equal({r["action"] for r in got}, {1}, "actions")
    check(len(loads) > 1, f"only {len(loads)} loads")
