# SPDX-License-Identifier: GPL-2.0-only
"""QUIC over a flow's whole life: more connections of one socket, late ones, and what is not a hello."""
import struct
import time

import bench
import urls
from natlab import (ADDR, PATIENCE, Delta, Udp, both, check, ctl, equal, fast, frame, inject, ip_packet, mac, run, select, stats,
                    udp, wait)
from urls import acl, quiet

NEGOTIATION = b"\x80" + bytes(4) + b"\0\0" + struct.pack("!I", 1)
SHORT = b"\x40" + bytes(40)


def begin():
    acl("add acl=0,2,blocked.example")
    return urls.begin()


def initial(host, dcid, **kw):
    return urls.initial(urls.crypto(0, urls.hello(host, records=False)), dcid=dcid, **kw)


def halves(host, dcid):
    """A hello in two datagrams."""
    data = urls.hello(host, records=False)
    return [urls.initial(urls.crypto(at, data[at:to]), number, dcid=dcid) for number, (at, to) in
            enumerate(((0, 100), (100, len(data))))]


def blocks(flow, *datagrams):
    """The last of them does not arrive; the client hears of it."""
    for datagram in datagrams[:-1]:
        flow.send(datagram)
    flow.client.send(datagrams[-1])
    try:
        check(False, f"not blocked: {flow.client.recv(1)}")
    except OSError as e:
        check(not isinstance(e, TimeoutError), "nothing said so")
    flow.server.setblocking(False)
    try:
        check(False, f"arrived: {flow.server.recv(4096)}")
    except BlockingIOError:
        flow.server.settimeout(PATIENCE)


def hosts(log, count):
    return [r["host"] for r in log.wait(count)]


def visit(flow, log, host, dcid, **kw):
    """A connection whose name is logged once; the flow is fast then."""
    flow.send(initial(host, dcid, **kw))
    flow.reply(SHORT)
    equal(hosts(log, 1), [host], "record")
    flow.send(SHORT)
    flow.reply(SHORT)
    fast(flow)


def same_socket(family):
    """Connections one after the other over one socket: each name is logged or blocked; the flow stays fast all the time."""
    log = begin()
    flow = Udp(family)
    visit(flow, log, "fine.example", b"first001")
    d = Delta()
    for again in (initial("fine.example", b"first001", number=2), urls.initial(b"\1", 3, dcid=b"server's"),
                  initial("fine.example", b"first001", number=4, forge=True)):
        flow.send(again)
    flow.send(b"\xe0" + struct.pack("!IB", 1, 8) + b"server's" + b"\0" + urls.varint(1183) + bytes(1183))
    equal((d["refuse.watched"], d["end.inspect"], log.read()), (4, 0, 0), f"a repeated hello, an ACK, forged, handshake {d.changed()}")
    fast(flow)
    visit(flow, log, "other.example", b"second02")
    for half in halves("long.example", b"third003"):
        flow.send(half)
    equal(hosts(log, 1), ["long.example"], "record")
    fast(flow)
    first, rest = halves("blocked.example", b"fourth04")
    blocks(flow, first, rest)
    equal(hosts(log, 1), ["blocked.example"], "record")
    for again in (first, rest, initial("blocked.example", b"fourth04", number=7)):
        blocks(flow, again)
    fast(flow)
    visit(flow, log, "last.example", b"fifth005")
    equal([v for k, v in d.changed().items() if k.startswith("end.")], [], "ends")


case_same_socket_v4, case_same_socket_v6 = both(same_socket)


def case_at_once():
    """Four connections that begin at the same time, their hellos cut in two: the one in between is found."""
    log = begin()
    flow = Udp()
    a, b, c, x = (halves(f"{n}.example", dcid) for n, dcid in
                  (("a", b"first001"), ("b", b"second02"), ("c", b"third003"), ("blocked", b"fourth04")))
    for datagram in (a[0], b[0], x[0], c[0], a[1]):
        flow.send(datagram)
    flow.reply(SHORT)
    equal(hosts(log, 1), ["a.example"], "the first that is whole")
    for datagram in (b[1], c[1]):
        flow.send(datagram)
    equal(hosts(log, 2), ["b.example", "c.example"], "the others")
    blocks(flow, x[1])
    equal(hosts(log, 1), ["blocked.example"], "record")


def case_other_hello():
    """The same connection ID with another hello, and a packet number far ahead: decoys that did not arrive."""
    log = begin()
    for number in (0, 1 << 31):
        flow = Udp()
        flow.send(initial("fine.example", b"decoy123", number=number))
        flow.reply(NEGOTIATION)
        blocks(flow, initial("blocked.example", b"decoy123", number=1))
        equal(hosts(log, 1), ["blocked.example"], "record; the server did not take the decoy")
        flow = Udp()
        visit(flow, log, "fine.example", b"decoy123", number=number)
        blocks(flow, initial("blocked.example", b"decoy123", number=1))
        equal(hosts(log, 1), ["blocked.example"], "record")


def late(family):
    """Flows that carried something else first, and that were fast before names were switched on; any port, 53 included."""
    select()
    flows = [Udp(family, dport=port).learn() for port in (0, 443, 5353)]
    for flow in flows:
        fast(flow)
    log = begin()
    dns = Udp(family, dport=53)
    dns.send(b"\0" * 5)
    dns.reply(b"\0" * 5)
    for i, flow in enumerate(flows + [dns]):
        name = f"n{i}.example"
        flow.send(initial(name, b"first001"))
        equal(hosts(log, 1), [name], "record")
        if flow != dns:
            fast(flow)
        blocks(flow, initial("blocked.example", b"second02"))
        equal(hosts(log, 1), ["blocked.example"], "record")
    # Questions of the same flow are read, too.
    dns.close()
    dns = Udp(family, dport=53)
    acl("dns_answer=nxdomain")
    dns.send(initial("fine.example", b"first001"))
    dns.client.send(urls.question("blocked.example"))
    equal(dns.client.recv(4096)[3] & 15, 3, "rcode")


case_late_v4, case_late_v6 = both(late)


def case_innocent():
    """inspect_fail=closed: what is no hello passes, what the server refuses is said once more, and one record comes of it."""
    ctl("inspect_fail=closed")
    log = begin()
    early = b"\xd0" + struct.pack("!IB", 1, 8) + b"first001" + b"\0" + urls.varint(1183)
    moved = Udp(dport=443)
    for _ in range(3):
        moved.send(SHORT)               # a connection that was another port's
        moved.reply(SHORT)
    fast(moved)
    moved.close()
    flow = Udp(dport=443)
    flow.send(b"\xca" + struct.pack("!IB", 0x1a2a3a4a, 8) + b"greased!" + bytes(1190))
    flow.reply(NEGOTIATION)
    flow.send(initial("fine.example", b"greased!"))
    flow.reply(b"\xf0" + struct.pack("!I", 1) + b"\0\x08chosen08" + b"token" + bytes(16))
    flow.send(initial("fine.example", b"chosen08", number=1, token=b"token"))
    flow.send(early + bytes(1183))      # 0-RTT, in a datagram of its own
    flow.send(early[:-2] + urls.varint(40) + bytes(40))
    flow.reply(SHORT)
    equal(hosts(log, 1), ["fine.example"], "record")
    flow.send(urls.initial(b"\2" + bytes(4), 2, dcid=b"server's"))
    flow.send(SHORT)
    flow.reply(SHORT)
    fast(flow)
    blocks(flow, initial("blocked.example", b"another1"))
    equal(hosts(log, 1), ["blocked.example"], "record")
    # The same for a flow's first hello.
    flow = Udp()
    flow.send(initial("retried.example", b"first001"))
    flow.reply(b"\xf0" + struct.pack("!I", 1) + b"\0\x08chosen08" + b"token" + bytes(16))
    equal(log.read(), 0, "records before the server took the hello")
    flow.send(initial("retried.example", b"chosen08", number=1, token=b"token"))
    flow.reply(SHORT)
    equal(hosts(log, 1), ["retried.example"], "record")


def case_closed_doubts():
    """inspect_fail=closed: a hello that cannot be read does not arrive: too long a packet, a broken checksum, a forged one."""
    ctl("inspect_fail=closed")
    log = begin()
    flow = Udp(dport=443)
    visit(flow, log, "fine.example", b"first001")
    hello = initial("blocked.example", b"second02")
    port = flow.client.getsockname()[1]
    l4 = udp(4, ADDR["c", 4], ADDR["s", 4], port, 443, hello)
    inject("r0", frame(mac("r", "r0"), mac("c", "c0"), ip_packet(4, ADDR["c", 4], ADDR["s", 4], 17, l4[:6] + b"\1\2" + l4[8:])))
    for dev, where in (("c0", "c"), ("r0", "r"), ("r1", "r"), ("s0", "s")):
        run(where, f"ip link set {dev} mtu 4000")
    flow.client.send(initial("blocked.example", b"second02", size=2200))
    quiet(flow.server)
    fresh = Udp(dport=4433)
    fresh.client.send(initial("blocked.example", b"second02", forge=True))
    quiet(fresh.server)
    equal(log.read(), 0, "records")
    visit(flow, log, "other.example", b"third003")


def case_merged():
    """An Initial behind a datagram that hides it, which GRO merges: it takes the stack with it."""
    log = begin()
    flow = Udp(dport=443)
    visit(flow, log, "fine.example", b"first001")
    hidden = SHORT.ljust(1200, b"x") + initial("blocked.example", b"second02")
    port = flow.client.getsockname()[1]
    l4 = udp(4, ADDR["c", 4], ADDR["s", 4], port, 443, hidden, partial=True)
    d = Delta()
    inject("r0", frame(mac("r", "r0"), mac("c", "c0"), ip_packet(4, ADDR["c", 4], ADDR["s", 4], 17, l4)), "nonlinear,gso=1200,partial")
    equal(hosts(log, 1), ["blocked.example"], "record")
    equal((d["refuse.watched"], d["hits"]), (1, 0), f"{d.changed()}")


def case_one_hostile():
    """20,000 forged and genuine Initials: at most 500 a second are decrypted, and another client's name is still blocked."""
    ctl("inspect_fail=closed")
    log = begin()
    for forge in (True, False):
        d, since = Delta(), time.monotonic()
        hello = initial("fine.example", b"hostile1", forge=forge)
        p = ip_packet(4, "10.0.1.66", ADDR["s", 4], 17, udp(4, "10.0.1.66", ADDR["s", 4], 1024, 443, hello, zero=True))
        bench.generate("r0", 4, 1 if forge else 100, 10000, frame(mac("r", "r0"), "02:00:00:00:00:66", p))
        # Memory of dropped ones is the client's for a grace period. Genuine ones fill the budget of their flows, and count no more.
        tried = 10000 - d["decryptions_refused"] - d["name.share"]
        check(not forge or tried <= 500 * (time.monotonic() - since + 0.5) + 1, f"{tried} were decrypted: {d.changed()}")
        flow = Udp(dport=4433 + forge)
        blocks(flow, initial("blocked.example", b"second02"))
        wait(lambda: log.read() or any(r["host"] == "blocked.example" for r in log.records), "record")
        log.records = []


def case_junk_first():
    """The same bytes of a stream twice, junk and then a blocked hello: the later ones count, too."""
    log = begin()
    flow = Udp()
    visit(flow, log, "fine.example", b"first001")
    flow.send(urls.initial(urls.crypto(0, b"\1\0\x3f\xff" + bytes(300)), dcid=b"second02"))
    blocks(flow, initial("blocked.example", b"second02", number=1))
    equal(hosts(log, 1), ["blocked.example"], "record")
