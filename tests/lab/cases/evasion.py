# SPDX-License-Identifier: GPL-2.0-only
"""Ways around a blocked name, as tools for that offer them: none of them gets through.

A decoy is a segment that the gateway sees and the server does not take. It names
an allowed host where the client's own stack then sends the blocked one.
"""
import socket
import struct

import urls
from natlab import Delta, Udp, both, check, ctl, drop, equal, run, sysctl, wait
from urls import ACK, FIN, PSH, RST, Victim, acl


def begin():
    acl("add acl=0,2,blocked.example")
    return urls.begin()


def decoy(garbage=False, **kw):
    def test(family):
        log = begin()
        # A router further on, where packets with few hops left end.
        drop("s", "input", f"{'ip ttl' if family == 4 else 'ip6 hoplimit'} 7")
        victim = Victim(family)
        victim.send(b"garbage" if garbage else urls.hello("fine.example"), **kw)
        victim.is_blocked()
        log.read()
        equal(log.records[-1]["host"], "blocked.example", "last record")
    return test


case_low_ttl_v4, case_low_ttl_v6 = both(decoy(ttl=8))
case_bad_checksum_v4, case_bad_checksum_v6 = both(decoy(spoil=1))
case_md5_v4, case_md5_v6 = both(decoy(options=b"\1\1\x13\x12" + bytes(16)))
case_old_stamp_v4, case_old_stamp_v6 = both(decoy(stamp=-100000))
case_no_ack_v4, case_no_ack_v6 = both(decoy(flags=PSH))
case_far_ack_v4, case_far_ack_v6 = both(decoy(ack=-60000))
case_far_ack_garbage_v4, case_far_ack_garbage_v6 = both(decoy(garbage=True, ack=-60000))
case_low_ttl_reset_v4, case_low_ttl_reset_v6 = both(decoy(ttl=8, flags=RST | ACK))
case_low_ttl_end_v4, case_low_ttl_end_v6 = both(decoy(ttl=8, flags=FIN | ACK))


def case_chunk_doubts():
    """What was gathered of a body is put in doubt before the server answered it: nothing is sought there for ever."""
    begin()
    head = b"POST / HTTP/1.1\r\nHost: fine.example\r\nTransfer-Encoding: chunked\r\n\r\n"
    for pieces in (((b"1\nx", 0, 64), (b"1\ny", 3, 65)), ((b"55555", 0, 64), (b"5\nxxx", 0, 64), (b"66666", 0, 64))):
        victim = Victim(4)
        victim.conn.client.send(head)
        equal(victim.conn.server.recv(1000), head, "the request")
        victim.conn.settle()
        lift = drop("s", "output")
        for data, at, ttl in pieces:
            victim.send(data, at=len(head) + at, ttl=ttl, stamp=100000)
        lift()
        data, at, ttl = pieces[0]
        victim.send(data, at=len(head), stamp=100000)       # known there: answered at once
        wait(lambda: victim.conn.server.recv(1000), "what was injected")
    Victim(4).is_blocked()


def case_unchecked_checksum():
    """Where conntrack does not look at checksums either."""
    sysctl("r", "net.netfilter.nf_conntrack_checksum", 0)
    decoy(spoil=0x1234)(4)


def parts(family):
    """Cut inside the name, in order and not, in records, one byte a time."""
    begin()
    data = urls.hello("blocked.example")
    cut = data.index(b"blocked") + 3
    records = data[:3] + struct.pack("!H", cut - 5) + data[5:cut] + data[:3] + struct.pack("!H", len(data) - cut) + \
        data[cut:]
    Victim(family).is_blocked(records)
    victim = Victim(family)
    victim.send(data[cut:], at=cut)
    victim.is_blocked(data[:cut])
    victim = Victim(family)
    for i in range(0, 40):
        victim.conn.client.send(data[i:i + 1])
        equal(victim.conn.server.recv(1), data[i:i + 1], "byte at the server")
    victim.is_blocked(data[40:])


case_parts_v4, case_parts_v6 = both(parts)


def far_ahead(family):
    """What comes far ahead of the rest waits in pieces; the name is read whichever order they come in."""
    begin()
    pad = b"GET / HTTP/1.1\r\nX: " + b"x" * 6000
    request = pad + b"\r\nHost: blocked.example\r\n\r\n"
    cut = len(pad) + 12
    # The name in a segment of its own, in segments of one byte, and said twice: with the blocked name first, and last.
    one = request.replace(b"blocked", b"allowed")
    for early in ([request[cut:]], [request[i:i + 1] for i in range(cut, len(request))], [request[cut:], one[cut:]],
                  [one[cut:], request[cut:]]):
        victim = Victim(family)
        at = cut
        for piece in early:
            victim.send(piece, at=at)
            at += len(piece) if len(piece) == 1 else 0
        victim.is_blocked(request[:cut])
        victim.conn.close()


case_far_ahead_v4, case_far_ahead_v6 = both(far_ahead)


def overlap(family):
    """The same bytes said twice, differently: either name is enough."""
    for first, second in (("fine.example123", "blocked.example"), ("blocked.example", "fine.example123")):
        begin()
        victim = Victim(family)
        one = urls.hello(first)
        cut = one.index(first.encode()) + 10
        two = one.replace(first.encode(), second.encode())
        # All but the hello's beginning comes twice; the gap keeps the server from acknowledging it.
        victim.send(one[cut - 10:], at=cut - 10)
        victim.send(two[cut - 10:], at=cut - 10)
        victim.is_blocked(one[:cut - 10])
        acl("clear")


case_overlap_v4, case_overlap_v6 = both(overlap)


def case_overlap_allowed():
    """Two names that are both allowed: logged with a flag, and not relied on."""
    log = begin()
    d = Delta()
    victim = Victim(4)
    one = urls.hello("one.example")
    cut = one.index(b"one.example")
    two = one.replace(b"one.example", b"two.example")
    victim.send(one[cut:], at=cut)
    victim.send(two[cut:], at=cut)
    victim.conn.client.send(one[:cut])
    victim.conn.server.recv(4096)
    equal([(r["host"], r["flags"] & 2) for r in log.wait(2)], [("one.example", 2), ("two.example", 2)], "records")
    equal(urls.outcomes(d), {"name.untrusted": 1}, "outcomes")


def case_urgent():
    """A byte out of band inside the name: what the server reads is not known, and not relied on."""
    log = begin()
    ctl("inspect_fail=closed\ninspect_packets=4")
    victim = Victim(4)
    data = urls.hello("bloXcked.example")
    cut = data.index(b"X") + 1
    victim.conn.client.send(data[:cut], socket.MSG_OOB)
    victim.conn.client.send(data[cut:])
    victim.conn.server.settimeout(0.5)
    got = b""
    try:
        while len(got) < len(data) - 1:
            got += victim.conn.server.recv(4096)
        check(False, "the whole hello arrived")
    except TimeoutError:
        pass
    equal([r["host"] for r in log.records], [], "records")


def fragments(family):
    """A hello in fragments of IP: conntrack puts them together first."""
    begin()
    flow = Udp(family, dport=443)
    run("c", "ip link set c0 mtu 1280" if family == 6 else "ip link set c0 mtu 700")
    flow.client.setsockopt(*((socket.IPPROTO_IP, 10, 0) if family == 4 else (socket.IPPROTO_IPV6, 23, 0)))
    flow.client.send(urls.initial(urls.crypto(0, urls.hello("blocked.example", records=False)), size=1400))
    try:
        check(False, f"not blocked: {flow.client.recv(1)}")
    except OSError as e:
        check(not isinstance(e, TimeoutError), "nothing said so")


case_fragments_v4, case_fragments_v6 = both(fragments)


def case_quic_decoys():
    """Other datagrams first: small ones, unknown versions, forged names, an Initial cut in two and swapped."""
    log = begin()
    flow = Udp(4, dport=443)
    flow.send(b"junk")
    flow.reply(b"junk back")
    flow.send(b"junk again")
    flow.reply(b"junk back")
    flow.send(bytes([0xc0]) + struct.pack("!I", 0x1a2a3a4a) + bytes(1195))
    data = urls.hello("blocked.example", records=False)
    flow.send(urls.initial(urls.crypto(0, urls.hello("fine.example", records=False)), forge=True))
    flow.send(urls.initial(urls.crypto(60, data[60:]), 1))
    equal(log.read(), 0, "records")
    flow.client.send(urls.initial(urls.crypto(0, data[:60]), 0))
    try:
        check(False, f"not blocked: {flow.client.recv(1)}")
    except OSError as e:
        check(not isinstance(e, TimeoutError), "nothing said so")
    equal(log.wait(1)[0]["host"], "blocked.example", "host")


def case_quic_low_ttl():
    """An Initial with an allowed name that does not arrive, then the true one: nobody answered the first."""
    log = begin()
    drop("s", "input", "ip ttl 7")
    flow = Udp(4, dport=443)
    flow.client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 8)
    flow.client.send(urls.initial(urls.crypto(0, urls.hello("fine.example", records=False)), dcid=b"decoy123"))
    flow.client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 64)
    flow.client.send(urls.initial(urls.crypto(0, urls.hello("blocked.example", records=False))))
    try:
        check(False, f"not blocked: {flow.client.recv(1)}")
    except OSError as e:
        check(not isinstance(e, TimeoutError), "nothing said so")
    check("blocked.example" in [r["host"] for r in log.wait(2)], "not logged")


def case_http_tricks():
    """Case, blanks, a final dot, a port, tabs, bare line feeds, absolute targets, two names."""
    begin()
    for request in ("GET / HTTP/1.1\r\nhOSt:BLOCKED.example.:80\r\n\r\n", "GET / HTTP/1.1\nHost:\tblocked.example\n\n",
                    "GET / HTTP/1.1\r\nHost:blocked.example  \r\n\r\n",
                    "\r\nGET / HTTP/1.1\r\nHost: www.blocked.example\r\n\r\n",
                    "GET http://blocked.example/ HTTP/1.1\r\nHost: fine.example\r\n\r\n",
                    "UNHEARD /x HTTP/1.1\r\nHost: blocked.example\r\n\r\n"):
        Victim(4).is_blocked(request.encode())
