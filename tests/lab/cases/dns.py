# SPDX-License-Identifier: GPL-2.0-only
"""Questions and answers of the DNS: logged, and answered otherwise where a name is not to be visited."""
import errno
import socket
import struct

import urls
from natlab import (ADDR, Delta, Tcp, Udp, both, check, ctl, equal, exchange, inet, mac, modprobe, refuses, rule, run,
                    udp_socket)
from urls import acl, answer, name, question

A, CNAME, AAAA, HTTPS = 1, 5, 28, 65
MX, TXT, SVCB, ANY, PRIVATE = 15, 16, 64, 255, 65280


class Reply:
    def __init__(self, data, host):
        ident, flags, qd, an, ns, ar = struct.unpack_from("!HHHHHH", data)
        equal((ident, flags >> 15, qd), (0x1234, 1, 1), "header")
        at = 12 + len(name(host))
        equal(data[12:at], name(host), "question")
        at += 4
        self.rcode, self.addresses, self.error = flags & 15, [], None
        for _ in range(an):
            equal(data[at:at + 2], b"\xc0\x0c", "owner")
            kind, _, _, size = struct.unpack_from("!HHIH", data, at + 2)
            self.addresses.append(data[at + 12:at + 12 + size])
            at += 12 + size
        for _ in range(ar):
            kind, _, _, size = struct.unpack_from("!HHIH", data, at + 1)
            if kind == 41:
                self.error = struct.unpack_from("!HHH", data, at + 11)
            at += 11 + size
        equal(at, len(data), "end of the message")


def begin(answers=0):
    ctl(f"log_answers={answers}")
    return urls.begin()


def asks(flow, log, host, kind=A, **kw):
    """A question that is not for the server: what the client gets."""
    flow.client.send(question(host, kind, **kw))
    return Reply(flow.client.recv(4096), host)


def logged(family):
    """A question: logged with who asked; it goes on, and so does its answer, unchanged; never fast."""
    log = begin()
    flow = Udp(family, dport=53)
    for i in range(3):
        asked = question(f"n{i}.Example.org", AAAA)
        flow.send(asked)
        r, = log.wait(1)
        equal((r["source"], r["host"], r["protocol"], r["mac"]),
              (urls.DNS, f"n{i}.example.org", 17, bytes.fromhex(mac("c", "c0").replace(":", ""))), "record")
        flow.reply(answer(asked, (f"n{i}.example.org", AAAA, bytes(16))))
    d = Delta()
    exchange(flow)
    equal((d["hits"], d["learn.inspect"]), (0, 10), f"{d.changed()}")
    equal(urls.Log(oldest=True).read(), 0, "records of version 2")


case_logged_v4, case_logged_v6 = both(logged)


def answered(family):
    """nxdomain, nodata, refused, sinkhole, with the extended error if the client knows these; nothing is asked."""
    log = begin()
    acl("add acl=1,1,blocked.example\nadd acl=2,3,page.example\ndns_sinkhole=10.9.8.7\ndns_sinkhole=fd09::7")
    flow = Udp(family, dport=53)
    for how, rcode, a, aaaa in (("nxdomain", 3, [], []), ("nodata", 0, [], []), ("refused", 5, [], []),
                                ("sinkhole", 0, [inet(4, "10.9.8.7")], [inet(6, "fd09::7")])):
        acl(f"dns_answer={how}")
        for kind, want in ((A, a), (AAAA, aaaa), (HTTPS, [])):
            got = asks(flow, log, "www.blocked.example", kind)
            equal((got.rcode, got.addresses, got.error), (rcode, want, (15, 2, 15)), f"{how}, type {kind}")
            r, = log.wait(1)
            equal((r["rule"], r["action"]), (1, 1), "record")
    equal(asks(flow, log, "blocked.example", edns=False).error, None, "without EDNS")
    flow.send(question("page.example"))         # a page can be shown only if the name leads somewhere
    flow.send(question("other.example"))
    acl("dns_answer=none")
    flow.send(question("blocked.example"))


case_answered_v4, case_answered_v6 = both(answered)


def types(family):
    """Every type of question for a blocked name is answered, or its TCP connection reset; no server is asked."""
    log = begin()
    acl("add acl=1,1,blocked.example\ndns_sinkhole=10.9.8.7\ndns_sinkhole=fd09::7")
    flow = Udp(family, dport=53)
    every = (A, CNAME, AAAA, HTTPS, MX, TXT, SVCB, ANY, PRIVATE)
    sink = {A: [inet(4, "10.9.8.7")], AAAA: [inet(6, "fd09::7")]}
    for how, rcode in (("nxdomain", 3), ("nodata", 0), ("refused", 5), ("sinkhole", 0)):
        acl(f"dns_answer={how}")
        for kind in every:
            got = asks(flow, log, "www.blocked.example", kind)
            equal((got.rcode, got.addresses), (rcode, sink.get(kind, []) if how == "sinkhole" else []), f"{how}, type {kind}")
    equal({r["action"] for r in log.wait(4 * len(every))}, {1}, "actions")
    for kind in every:
        conn = Tcp(family, dport=53, established=False)
        conn.client.send(framed("www.blocked.example", kind))
        for sock in (conn.client, conn.server):
            refuses(lambda: sock.recv(1), errno.ECONNRESET)
        conn.close()
    equal({r["action"] for r in log.wait(len(every))}, {2}, "actions over TCP")
    flow.server.setblocking(False)
    refuses(lambda: flow.server.recv(4096), errno.EAGAIN)


case_types_v4, case_types_v6 = both(types)


def case_dnat():
    """A question that is sent elsewhere on its way is answered by whom the client asked."""
    log = begin()
    acl("add acl=1,1,blocked.example\ndns_answer=nxdomain")
    server = udp_socket("s", 4, port=5300)
    rule(4, f"-A PREROUTING -p udp --dport 53 -j DNAT --to-destination {ADDR['s', 4]}:5300", table="nat")
    client = udp_socket("c", 4)
    client.connect(("10.0.1.1", 53))
    client.send(question("blocked.example"))
    equal(Reply(client.recv(4096), "blocked.example").rcode, 3, "rcode")
    client.send(question("fine.example"))
    equal(server.recvfrom(4096)[0], question("fine.example"), "question at the server")
    log.wait(2)


def local(family):
    """A server on the gateway itself: questions to it, and what it answers with."""
    log = begin()
    acl("add acl=1,1,blocked.example\ndns_answer=nxdomain")
    server = udp_socket("r", family, port=53)
    client = udp_socket("c", family)
    client.connect((ADDR["r0", family], 53))
    client.send(question("x.blocked.example"))
    equal(Reply(client.recv(4096), "x.blocked.example").rcode, 3, "rcode")
    asked = question("cname.example")
    client.send(asked)
    got, peer = server.recvfrom(4096)
    equal(got, asked, "question at the server")
    equal([r["host"] for r in log.wait(2)], ["x.blocked.example", "cname.example"], "records")
    server.sendto(answer(asked, ("cname.example", CNAME, name("ads.blocked.example")),
                         ("ads.blocked.example", A, bytes(4))), peer)
    equal(Reply(client.recv(4096), "cname.example").rcode, 3, "rcode of an answer that leads there")


case_local_v4, case_local_v6 = both(local)


def framed(host, kind=A):
    asked = question(host, kind)
    return struct.pack("!H", len(asked)) + asked


def stream(family):
    """Questions in a TCP connection, through the gateway: a record each; one that would be answered ends it."""
    log = begin()
    acl("add acl=1,1,blocked.example\ndns_answer=nxdomain")
    conn = Tcp(family, dport=53, established=False)
    for hosts in (("a.example",), ("b.example", "c.example"), ("d.example",)):
        data = b"".join(framed(h) for h in hosts)
        Tcp.pass_data(conn.client, conn.server, data)
        equal([(r["source"], r["protocol"], r["host"]) for r in log.wait(len(hosts))], [(urls.DNS, 6, h) for h in hosts], "records")
        Tcp.pass_data(conn.server, conn.client, bytes(100))
    conn.client.send(framed("x.blocked.example"))
    refuses(lambda: conn.server.recv(1), errno.ECONNRESET)
    refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
    equal([(r["host"], r["action"], r["rule"]) for r in log.wait(1)], [("x.blocked.example", 2, 1)], "record")


case_stream_v4, case_stream_v6 = both(stream)


def case_stream_noise():
    """Messages that are wrong, or ask nothing, hide no question behind them; another protocol on the port is read."""
    log = begin()
    ctl("inspect_fail=closed")
    acl("add acl=1,1,blocked.example\ndns_answer=nxdomain")
    fine, bad = framed("fine.example"), framed("blocked.example")
    liar = bytearray(fine)
    liar[2 + 11] = 7        # additional records that are not there
    answered, status = bytearray(fine), bytearray(fine)
    answered[2 + 2] |= 0x80
    status[2 + 2] |= 0x10
    for noise in (liar, answered, status, b"\0\x0c" + bytes(12)):
        for together in (False, True):
            conn = Tcp(dport=53, established=False)
            if together:
                conn.client.send(bytes(noise) + bad)
            else:
                Tcp.pass_data(conn.client, conn.server, bytes(noise))
                Tcp.pass_data(conn.server, conn.client, b"x")
                conn.client.send(bad)
            refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
            equal([r["host"] for r in log.wait(1)], ["blocked.example"], "hosts")
            conn.close()
    conn = Tcp(dport=53, established=False)
    Tcp.pass_data(conn.client, conn.server, urls.hello("hidden.example"))
    r, = log.wait(1)
    equal((r["source"], r["host"]), (urls.TLS, "hidden.example"), "record")


def case_stream_disordered():
    """A later question came before the rest of an earlier one: both are read."""
    log = begin()
    conn = Tcp(dport=53, established=False)
    one, two = framed("one.example"), framed("two.example")
    rest = framed("three.example")
    Tcp.pass_data(conn.client, conn.server, one)
    log.wait(1)
    sent = two + rest
    conn.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    run("r", "iptables-legacy -w -t raw -I PREROUTING -i r0 -p tcp --dport 53 -m statistic --mode nth --every 3 --packet 1 -j DROP")
    for at in range(0, len(sent), 8):
        conn.client.send(sent[at:at + 8])
    got = b""
    while len(got) < len(sent):
        got += conn.server.recv(4096)
    equal(got, sent, "bytes at the server")
    Tcp.pass_data(conn.server, conn.client, b"x")
    equal([r["host"] for r in log.wait(2)], ["two.example", "three.example"], "hosts")


def local_stream(family):
    """The same to a server on the gateway itself."""
    log = begin()
    acl("add acl=1,1,blocked.example\ndns_answer=nxdomain")
    conn = Tcp(family, dport=53, established=False, server="r", to=(ADDR["r0", family], 53))
    Tcp.pass_data(conn.client, conn.server, framed("fine.example"))
    equal(log.wait(1)[0]["host"], "fine.example", "host")
    conn.client.send(framed("blocked.example", HTTPS))
    refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
    equal(log.wait(1)[0]["action"], 2, "action")
    refuses(lambda: conn.server.recv(1), errno.ECONNRESET)


case_local_stream_v4, case_local_stream_v6 = both(local_stream)


def targets(family):
    """Answers that lead to a blocked name by CNAME or HTTPS are replaced; others are as they were."""
    log = begin()
    acl(f"list name=l action=drop mac={mac('c', 'c0')}\nlist name=l load\nads.example\nend\ndns_answer=nodata")
    flow = Udp(family, dport=53)
    for kind, records, changed in (
            (A, [("a.example", CNAME, name("b.example")), ("b.example", CNAME, name("x.ads.example")),
                 ("x.ads.example", A, bytes(4))], True),
            (HTTPS, [("a.example", HTTPS, b"\0\1" + name("cdn.ads.example") + b"\0\4\0\4\1\2\3\4")], True),
            (HTTPS, [("a.example", HTTPS, b"\0\0" + name("ads.example"))], True),
            (HTTPS, [("a.example", HTTPS, b"\0\1\0\0\5\0\4ech!")], False),
            (A, [("a.example", CNAME, name("b.example")), ("b.example", A, bytes(4))], False)):
        asked = question("a.example", kind)
        flow.send(asked)
        log.wait(1)
        said = answer(asked, *records)
        flow.server.sendto(said, flow.peer)
        got = flow.client.recv(4096)
        if changed:
            equal((Reply(got, "a.example").rcode, Reply(got, "a.example").addresses), (0, []), f"{records}")
        else:
            equal(got, said, "answer")
    acl("dns_https=nodata")
    equal(asks(flow, log, "a.example", HTTPS).addresses, [], "HTTPS records that nobody is to have")


case_targets_v4, case_targets_v6 = both(targets)


def answers(family):
    """What is answered is logged, with the chain, and not to readers of version 2; addresses go to a list's set."""
    modprobe("ip_set", "ip_set_hash_ip")
    log = begin(answers=1)
    run("r", "ipset create streams hash:ip timeout 600")
    acl("dns_resolvers=any\ndns_private=1\nlist name=tv action=accept add_set=streams\nlist name=tv load\ntv.example\nend")
    flow = Udp(family, dport=53)
    for host, records, want, name_of_list in (
            ("x.tv.example", [("x.tv.example", CNAME, name("cdn.example")), ("cdn.example", A, bytes((10, 7, 7, 7))),
                              ("cdn.example", A, bytes((10, 7, 7, 8)))],
             "rcode=0 ttl=300 cname=cdn.example addr=10.7.7.7 addr=10.7.7.8", "tv"),
            ("six.example", [("six.example", AAAA, socket.inet_pton(socket.AF_INET6, "fd77::9"))],
             "rcode=0 ttl=300 addr=fd77::9", ""),
            ("nothing.example", [], "rcode=0", "")):
        asked = question(host)
        flow.send(asked)
        equal(log.wait(1)[0]["source"], urls.DNS, "source")
        said = answer(asked, *records)
        flow.server.sendto(said, flow.peer)
        equal(flow.client.recv(4096), said, "the answer")
        r, = log.wait(1)
        equal((r["source"], r["host"], r["answer"], r["list"], r["mac"]),
              (urls.ANSWER, host, want, name_of_list, bytes.fromhex(mac("c", "c0").replace(":", ""))), "record")
    members = run("r", "ipset list streams")
    check("10.7.7.7 " in members and "10.7.7.8 " in members and "fd77" not in members, members)
    equal(urls.Log(oldest=True).read(), 0, "records of version 2")
    run("r", "ipset destroy")


case_answers_v4, case_answers_v6 = both(answers)


def hints(family):
    """Flows that say nothing have the name their client had the address from, be it asked for over the other family."""
    log = begin()
    acl("dns_resolvers=any\ndns_private=1")
    asker = Udp(4, dport=53)
    server = ADDR["s", family]
    kind, data = (A, socket.inet_aton(server)) if family == 4 else (AAAA, socket.inet_pton(socket.AF_INET6, server))

    def tell(host):
        asked = question(host, kind)
        asker.send(asked)
        equal(log.wait(1)[0]["source"], urls.DNS, "source")
        asker.reply(answer(asked, (host, kind, data)))

    def silent():
        conn = Tcp(family, established=False)
        Tcp.pass_data(conn.client, conn.server, b"\0\1\2 no protocol with names\r\n")
        Tcp.pass_data(conn.server, conn.client, b"x")
        conn.close()

    d = Delta()
    silent()
    equal((log.read(), d["name.no-name"]), (0, 1), "without an answer")
    tell("quiet.example")
    first = Tcp(family, established=False)      # here the server speaks first
    Tcp.pass_data(first.server, first.client, b"220 welcome\r\n")
    Tcp.pass_data(first.client, first.server, b"EHLO client\r\n")
    Tcp.pass_data(first.server, first.client, b"250 hello\r\n")
    r, = log.wait(1)
    equal((r["source"], r["host"], r["mac"]), (urls.HINT, "quiet.example", bytes.fromhex(mac("c", "c0").replace(":", ""))), "record")
    first.close()
    silent()
    r, = log.wait(1)
    equal((r["source"], r["host"], r["protocol"], r["tuple"][2]), (urls.HINT, "quiet.example", 6, server), "record")
    tell("other.example")
    for port in (443, 5000):
        flow = Udp(family, dport=port)
        flow.send(b"game")
        flow.reply(b"over")
        flow.send(b"more")
    equal([(r["source"], r["host"], r["protocol"]) for r in log.wait(2)], 2 * [(urls.HINT, "other.example", 17)], "records")
    conn = Tcp(family, established=False)
    Tcp.pass_data(conn.client, conn.server, urls.hello("loud.example"))
    equal([(r["source"], r["host"]) for r in log.wait(1)], [(urls.TLS, "loud.example")], "a flow with a name")
    tell(70 * "x." + "example")
    silent()
    equal([r["host"] for r in log.wait(1)], ["other.example"], "a long name is not remembered")


case_hints_v4, case_hints_v6 = both(hints)


def case_malformed():
    """Messages that are wrong, or none, pass as they are and are no names."""
    log = begin()
    acl("acl_action_default=drop\ndns_answer=nxdomain")
    flow = Udp(4, dport=53)
    good = question("x.example", edns=False)
    for bad in (b"x", good[:20], good[:5] + b"\2" + good[6:], good[:12] + b"\xc0\x0c" + good[-4:], bytes(12), b"\xff" * 500):
        flow.send(bad)
    equal(log.read(), 0, "records")
