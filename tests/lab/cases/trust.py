# SPDX-License-Identifier: GPL-2.0-only
"""Who is believed about addresses, and which questions are read: whoever is not the admin's resolver may say anything."""
import errno
import struct

import urls
from natlab import (ADDR, Delta, Tcp, Udp, both, check, ctl, equal, frame, inet, inject, ip_packet, mac, modprobe, read,
                    refuses, run, udp, wait)
from urls import ACL, acl, answer, name, question

A, AAAA, CNAME, OPT = 1, 28, 5, 41
PUBLIC = "198.51.100.7"


def address(text):
    return ("", AAAA, inet(6, text)) if ":" in text else ("", A, inet(4, text))


def begin(settings="", family=4):
    """A list whose addresses go to a set; the function says what is in the set."""
    modprobe("ip_set", "ip_set_hash_ip")
    log = urls.begin()
    run("r", f"ipset create way hash:ip family {'inet' if family == 4 else 'inet6'}")
    acl("dns_answer=nxdomain\nadd acl=0,2,blocked.example\nlist name=w action=accept add_set=way\n" + settings)
    urls.load("w", ["way.example"])

    def members():
        return run("r", "ipset list way").split("Members:\n")[1].split()
    return log, members


def end():
    acl("clear\nlist name=w remove")
    run("r", "ipset destroy way")


def case_open_question():
    """Only the first answer to an open question, of its connection, ID, name and type, from where it went, teaches."""
    log, members = begin(f"dns_resolvers={ADDR['s', 4]}")
    flow, d = Udp(4, dport=53), Delta()
    asked, other = question("www.Way.example"), question("unrelated.example")
    told = [answer(asked, address(f"198.51.100.{n}")) for n in range(10)]

    def arrives(data):
        flow.server.sendto(data, flow.peer)
        equal(flow.client.recv(4096), data, "answer at the client")

    flow.send(other)
    arrives(told[0])                                                    # another name
    flow.send(question("www.way.example", AAAA))
    arrives(told[1])                                                    # another type
    flow.send(asked)
    arrives(answer(asked, address("198.51.100.2"), ident=0x9999))       # another ID
    third = Udp(4, dport=5353)                                          # another connection
    forged = ip_packet(4, ADDR["s", 4], ADDR["c", 4], 17, udp(4, ADDR["s", 4], ADDR["c", 4], 53, flow.client.getsockname()[1], told[4]))
    inject("r0", frame(mac("r", "r0"), mac("c", "c0"), forged))         # from the client's own side
    equal(flow.client.recv(4096), told[4], "answer at the client")
    third.close()
    equal((members(), d["name.stray-answer"]), ([], 4), f"what forged answers taught: {d.changed()}")
    arrives(told[5])
    arrives(told[6])                                                    # a second time
    equal((members(), d["name.stray-answer"], d["name.other-resolver"]), (["198.51.100.5"], 5, 0), "the answer")
    equal([(r["source"], r["answer"]) for r in log.wait(4) if r["answer"]],
          [(urls.ANSWER, "rcode=0 ttl=300 addr=198.51.100.5")], "records of answers")
    end()


def resolvers(family):
    """By default the gateway's own resolver alone is believed; other servers when they are named."""
    log, members = begin(family=family)
    kind, good = (A, PUBLIC) if family == 4 else (AAAA, "2620:fe::fe")
    asked = question("way.example", kind)
    away, d = Udp(family, dport=53), Delta()

    def tell(flow, text):
        flow.client.send(asked)
        _, peer = flow.server.recvfrom(4096)
        flow.server.sendto(answer(asked, address(text)), peer)
        flow.client.recv(4096)

    tell(away, good)
    equal((members(), d["name.other-resolver"]), ([], 1), "a server that nobody named")
    for words, want in ((f"10.9.9.9,{ADDR['s', family]}", [good]), ("none", []), ("any", [good])):
        acl(f"dns_resolvers={words}")
        check(f"dns_resolvers={words}\n" in read(ACL), read(ACL))
        tell(away, good)
        equal(members(), want, f"dns_resolvers={words}")
        run("r", "ipset flush way")
    acl("dns_resolvers=none")
    own = Udp(family, dport=53, server="r", to=(ADDR["r0", family], 53))
    tell(own, good)
    equal(members(), [good], "the gateway's own")
    for wrong in ("", "10.0.0.0/8", "1.2.3.4,", ",".join(f"10.0.0.{i}" for i in range(7)), "everyone"):
        refuses(lambda: acl(f"dns_resolvers={wrong}"), errno.EINVAL)
    end()


case_resolvers_v4, case_resolvers_v6 = both(resolvers)


def addresses(family):
    """Private addresses count only with dns_private=1; the gateway's own, loopback, multicast and the like never."""
    log, members = begin("dns_resolvers=any", family)
    never = ("127.0.0.1", "0.0.0.0", "169.254.1.1", "224.0.0.5", "255.255.255.255", "10.0.1.1", "10.0.2.255") if family == 4 else \
        ("::1", "::", "fe80::1", "ff02::1", "fd00:1::1", "::ffff:198.51.100.7", "64:ff9b::7f00:1", "2002:7f00:1::")
    private = ("10.7.7.7", "172.31.0.1", "192.168.1.5", "100.64.0.1") if family == 4 else ("64:ff9b::a00:1", "fd77::9")
    public = ("1.1.1.1", "172.32.0.1") if family == 4 else ("2620:fe::9", "64:ff9b::101:101")
    flow = Udp(family, dport=53)
    for setting, want in ((0, public), (1, private + public)):
        acl(f"dns_private={setting}")
        asked, d = question("way.example", 255), Delta()
        flow.send(asked)
        flow.reply(answer(asked, *(address(a) for a in never + private + public)))
        equal((set(members()), d["name.special-address"]), (set(want), 1), f"dns_private={setting}")
        said = [r["answer"] for r in log.wait(2)][1]
        equal(said.split(" addr=")[1:], list(want), "addresses in the record")
    end()


case_addresses_v4, case_addresses_v6 = both(addresses)


def case_visit():
    """A name that a client says to any server puts no address in a set; the answer that led there does, or the admin's word."""
    log, members = begin("dns_private=1\ndns_resolvers=any")

    def visit():
        conn = urls.connect()
        urls.say(conn, urls.hello("www.way.example"))
        conn.server.send(b"\x15\x03\x03\0\2\2\x28")         # as an accomplice would: a TLS alert
        conn.client.recv(100)
        equal([r["host"] for r in log.wait(1)], ["www.way.example"], "record")
        conn.close()

    visit()
    equal(members(), [], "after a visit")
    asker, asked = Udp(4, dport=53), question("www.way.example")
    asker.send(asked)
    asker.reply(answer(asked, address(ADDR["s", 4])))
    log.wait(2)
    equal(members(), [ADDR["s", 4]], "after the answer")
    run("r", "ipset flush way")
    visit()
    equal(members(), [ADDR["s", 4]], "after a visit to where the answer led")
    run("r", "ipset flush way")
    acl("list name=w action=accept add_set=way add_visited=1\ndns_private=0")
    visit()
    equal(members(), [], "a private address")
    acl("dns_private=1")
    visit()
    equal(members(), [ADDR["s", 4]], "as the admin wants it")
    end()


def case_questions_flood():
    """The open questions of one host leave room for those of others."""
    log, members = begin(f"dns_resolvers={ADDR['s', 4]}")
    flood, d = Udp(4, dport=53), Delta()
    src, port = "10.0.1.77", 4077
    head = frame(mac("r", "r0"), "02:00:00:00:00:77", b"", 0x0800)

    def ask(host):
        asked = question(host)
        inject("r0", head + ip_packet(4, src, ADDR["s", 4], 17, udp(4, src, ADDR["s", 4], port, 53, asked)))
        return asked

    first = ask("one.way.example")
    for ident in range(3000):
        flood.client.send(question("x.example", ident=ident))
    check(900 < d["name.questions-full"] < 1100, f"half of the 4,096 places: {d.changed()}")
    for asked, told in ((first, PUBLIC), (ask("two.way.example"), "198.51.100.8")):
        flood.server.sendto(answer(asked, address(told)), (src, port))
        wait(lambda: told in members(), f"{told} in the set: {d.changed()}")
    end()


def segmented(family, feature=None):
    """Questions that a sender or a driver hands up as one super-packet are a question each."""
    log, members = begin()
    if feature:             # the client's device takes the super-packet apart, and GRO puts it together
        run("c", "ethtool -K c0 tx-udp-segmentation off")
        run("r", f"ethtool -K r0 {feature} on")
    fine, bad = question("www.alright.example"), question("www.blocked.example")
    flow = Udp(family, dport=53)
    flow.client.setsockopt(17, 103, len(fine))              # UDP_SEGMENT
    for sent, want in (([fine, bad], [fine]), ([bad, fine, bad], [fine]), ([fine, bad, fine, bad, fine], [fine] * 3), ([bad, bad], []),
                       ([fine, fine, fine[:-11] + b"\0" * 11], [fine, fine, fine[:-11] + b"\0" * 11])):
        d = Delta()
        flow.client.send(b"".join(sent))
        equal([flow.server.recvfrom(70000)[0] for _ in want], want, "datagrams that arrive")
        equal(sorted(r["host"] for r in log.wait(len(sent))),
              sorted("www.blocked.example" if m == bad else "www.alright.example" for m in sent), "records")
        for _ in range(sent.count(bad)):
            equal(flow.client.recv(4096)[3] & 15, 3, "rcode")
        equal(d["refuse.miss"], 1, f"super-packets: {d.changed()}")
    flow.server.setblocking(False)
    refuses(lambda: flow.server.recv(4096), errno.EAGAIN)
    end()


case_segmented_v4, case_segmented_v6 = both(segmented)


def case_segmented_list():
    """A super-packet that is a list of the driver's packets."""
    segmented(4, "rx-gro-list")


def case_segmented_gro():
    """A super-packet that GRO made of datagrams."""
    segmented(6, "rx-udp-gro-forwarding")


def padded(host):
    """Questions with bytes behind them, and with EDNS padding; short and long ones."""
    bare = question(host, edns=False)
    for size in (100, 8000):
        yield question(host) + bytes(size)
        yield bare[:11] + b"\1" + bare[12:] + b"\0" + struct.pack("!HHIHHH", OPT, 1232, 0, size + 4, 12, size) + bytes(size)


def framed(message):
    return struct.pack("!H", len(message)) + message


def case_padded():
    """Questions with padding, of more than 4,096 bytes too, are answered as any other."""
    log, members = begin()
    ctl("inspect_fail=closed")
    flow = Udp(4, dport=53)
    for bad, fine in zip(padded("www.blocked.example"), padded("alright.example")):
        flow.client.send(bad)
        equal(flow.client.recv(4096)[3] & 15, 3, "rcode")
        flow.send(fine)
        equal([(r["host"], r["action"]) for r in log.wait(2)], [("www.blocked.example", 2), ("alright.example", 0)], "records")
    end()


def case_padded_stream():
    """The same in a TCP connection; behind each message the next is read, and what resolvers should refuse hides no name."""
    log, members = begin()
    ctl("inspect_fail=closed")

    def reset(*messages):
        conn = Tcp(dport=53, established=False)
        for message in messages[:-1]:
            Tcp.pass_data(conn.client, conn.server, message)
            Tcp.pass_data(conn.server, conn.client, b"x")
        conn.client.send(messages[-1])
        refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
        conn.close()

    for bad, fine in zip(padded("www.blocked.example"), padded("alright.example")):
        reset(framed(fine), framed(bad)[:400])
        equal([(r["host"], r["action"]) for r in log.wait(2)], [("alright.example", 0), ("www.blocked.example", 2)], "records")
    bad, asks = question("www.blocked.example", edns=False), framed(question("www.blocked.example"))
    twice = bad[:5] + b"\2" + bad[6:12] + name("alright.example") + b"\0\1\0\1" + bad[12:]
    for doubtful in (twice, bad[:11] + b"\7" + bad[12:], bad[:2] + b"\x81" + bad[3:] + bytes(5000), bad[:2] + b"\x28" + bad[3:],
                     bad[:7] + b"\7" + bad[8:] + bytes(4090)):
        reset(framed(doubtful))
        equal([(r["host"], r["action"]) for r in log.wait(1)], [("www.blocked.example", 2)], "record")
    for other in (framed(b"\xff" * 5000), b"SSH-2.0-" + bytes(0x5353 + 2 - 8), framed(bytes(5) + b"\1" + bytes(6) + b"\0\0\1\0\1")):
        reset(other, asks)
        equal([r["host"] for r in log.wait(1)], ["www.blocked.example"], f"behind {other[:8]}")
    end()


def case_doubtful_questions():
    """What no resolver should answer is dropped with a blocked name in it; what cannot be read, if closed."""
    log, members = begin()
    flow = Udp(4, dport=53)

    def forms(host):
        good = question(host, edns=False)
        yield good[:5] + b"\2" + good[6:] + name("alright.example") + good[-4:]             # two questions
        yield good[:5] + b"\2" + good[6:12] + name("alright.example") + good[-4:] + good[12:]
        yield good[:11] + b"\7" + good[12:]                 # records that are missing
        yield good[:2] + b"\x81" + good[3:]                 # an answer
        yield good[:2] + b"\x28" + good[3:]                 # an update

    for mode in ("open", "closed"):
        ctl(f"inspect_fail={mode}")
        for bad, fine in zip(forms("x.blocked.example"), forms("x.fine.example")):
            flow.client.send(bad)
            equal([(r["host"], r["action"]) for r in log.wait(1)], [("x.blocked.example", 2)], "record")
            flow.send(fine)
    head, last, d = question("", edns=False)[:12], question("last.example"), Delta()
    for unread in (head + b"\1x\xc0\x0c\0\1\0\1", head[:5] + b"\5" + head[6:] + 5 * (name("x.example") + b"\0\1\0\1"), b"x"):
        flow.client.send(unread)
        flow.send(last)
        ctl("inspect_fail=open")
        flow.send(unread)
        ctl("inspect_fail=closed")
    equal(d["name.malformed"], 6, "messages without a question that can be read")
    flow.client.send(question("x y.blocked.example"))
    equal(flow.client.recv(4096)[3] & 15, 3, "rcode of a name with a blank")
    equal([r["host"] for r in log.wait(4)], 3 * ["last.example"] + ["x?y.blocked.example"], "records")
    end()


def case_targets_bound():
    """Each name to which an answer leads is judged once, 16 at most; one with more is dropped if closed."""
    log, members = begin("dns_resolvers=any")
    flow = Udp(4, dport=53)
    asked = question("many.example")

    def chain(n, last="end.example"):
        return answer(asked, *(("", CNAME, name(f"n{i}.example")) for i in range(n)), ("", CNAME, name(last)), address(PUBLIC))

    for n, last, want in ((15, "x.blocked.example", 3), (15, "fine.example", 0), (40, "x.blocked.example", 0)):
        d = Delta()
        flow.send(asked)
        flow.server.sendto(chain(n, last), flow.peer)
        equal((flow.client.recv(4096)[3] & 15, d["name.targets"]), (want, int(n == 40)), f"rcode of {n} names and {last}")
    ctl("inspect_fail=closed")
    flow.send(asked)
    flow.server.sendto(chain(40), flow.peer)
    flow.server.sendto(chain(3), flow.peer)
    equal(flow.client.recv(4096), chain(3), "the answer that arrives")
    end()
