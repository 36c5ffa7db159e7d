# SPDX-License-Identifier: GPL-2.0-only
"""Packets that natflow generates: to whom, how large, how many."""
import struct

import bench
import urls
from natlab import (ADDR, Capture, Udp, both, check, equal, frame, inject, ip_packet, mac, stats, tcp, udp)
from urls import acl, question

ACK, PSH = 16, 8
REQUEST = b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n"


def from_client(family, proto, l4, dev="r0"):
    """As the client would send it; returns the IP packet."""
    p = ip_packet(family, ADDR["c", family], ADDR["s", family], proto, l4)
    inject(dev, frame(mac("r", dev), mac("c", "c0"), p))
    return p


def heard(where, dev, family, proto):
    """The IP packets of a protocol that arrive there from now on."""
    at = 23 if family == 4 else 20
    return Capture(where, dev, lambda f: f[12:14] == (b"\x08\0" if family == 4 else b"\x86\xdd") and f[at] == proto)


def refused():
    return stats()["answers_refused"]


def unverified(family):
    """A segment of no connection may have a forged source: neither end hears anything, whatever the rule says."""
    log = urls.begin()
    acl("redirect_url=http://portal.example/" + "x" * 180 + "\nadd acl=0,3,blocked.example\nadd acl=1,2,reset.example")
    client, server = (heard(n, n + "0", family, 6) for n in "cs")
    src, dst = ADDR["c", family], ADDR["s", family]
    for port, data in ((5555, REQUEST), (5556, REQUEST.replace(b"blocked", b"reset")), (5557, urls.hello("blocked.example"))):
        for flags in (ACK | PSH, ACK):
            from_client(family, 6, tcp(family, src, dst, port, 8888, 1, 1, flags, data))
    equal({r["host"] for r in log.wait(6)}, {"blocked.example", "reset.example"}, "names")
    Udp(family).learn()         # whatever was sent has arrived
    client.none()
    server.none()
    conn = urls.connect(family)
    conn.client.send(REQUEST)
    equal(conn.client.recv(12), b"HTTP/1.1 302", "answer behind a handshake")


case_unverified_v4, case_unverified_v6 = both(unverified)


def datagrams(family):
    """Nobody is sent more than it sent, but for a few bytes of DNS."""
    log = urls.begin()
    acl("add acl=0,2,blocked.example\ndns_answer=sinkhole\ndns_sinkhole=10.9.8.7\ndns_sinkhole=fd09::7")
    src, dst = ADDR["c", family], ADDR["s", family]
    errors = heard("c", "c0", family, 1 if family == 4 else 58)
    hello = urls.initial(urls.crypto(0, urls.hello("blocked.example", records=False)))
    p = from_client(family, 17, udp(family, src, dst, 5555, 4433, hello))
    log.wait(1)
    error = errors.next()[14:]
    check(len(error) <= len(p), f"{len(p)} bytes are answered with {len(error)}")
    quoted = error[28:] if family == 4 else error[48:]
    equal(struct.unpack_from("!HH", quoted, 20 if family == 4 else 40), (5555, 4433), "ports in the message")
    answers = heard("c", "c0", family, 17)
    for kind in (1, 28):
        for edns in (True, False):
            p = from_client(family, 17, udp(family, src, dst, 5556, 53, question("blocked.example", kind, edns=edns)))
            answer = answers.next()[14:]
            check(len(answer) <= len(p) + 45, f"{len(p)} bytes are answered with {len(answer)}")


case_datagrams_v4, case_datagrams_v6 = both(datagrams)


def small_datagram(family):
    """A datagram of a blocked flow that is too small to quote is not answered."""
    log = urls.begin()
    flow = Udp(family)
    flow.learn()
    errors = heard("c", "c0", family, 1 if family == 4 else 58)
    acl("add acl=0,2,blocked.example")
    flow.client.send(urls.initial(urls.crypto(0, urls.hello("blocked.example", records=False))))
    log.wait(1)
    errors.next()
    for _ in range(3):
        try:
            flow.client.send(b"x")
        except OSError:
            pass
    Udp(family).learn()
    errors.none()


case_small_datagram_v4, case_small_datagram_v6 = both(small_datagram)


def case_one_hostile():
    """20,000 questions for blocked names: few are answered, and another client's are, and its request is redirected."""
    urls.begin()
    acl("redirect_url=http://portal.example/\nadd acl=0,3,page.example\nadd acl=1,2,blocked.example\ndns_answer=nxdomain")
    flow, conn = Udp(dport=53), urls.connect()
    asked = question("blocked.example")
    hostile = ip_packet(4, "10.0.1.66", ADDR["s", 4], 17, udp(4, "10.0.1.66", ADDR["s", 4], 1024, 53, asked, zero=True))
    before = refused()
    for _ in range(5):
        bench.generate("r0", 4, 1, 4000, frame(mac("r", "r0"), "02:00:00:00:00:66", hostile))
        flow.client.send(asked)
        equal(flow.client.recv(4096)[3] & 15, 3, "rcode")
    check(refused() - before >= 10000, f"refused: {refused() - before} of 20000")
    conn.client.send(REQUEST.replace(b"blocked", b"page"))
    equal(conn.client.recv(12), b"HTTP/1.1 302", "the other client's answer")
