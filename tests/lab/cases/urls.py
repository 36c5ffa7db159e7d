# SPDX-License-Identifier: GPL-2.0-only
"""Names: what is logged, and that a flow is fast as soon as its name is known."""
import concurrent.futures
import errno
import functools
import socket
import struct
import time

import urls
from natlab import (ADDR, Delta, Tcp, Udp, both, check, conntrack_entry, cpu, ctl, drop, equal,
                    fast, frame, inject, ip, ip_packet, mac, modprobe, on_each_cpu, on_one_bridge,
                    reachable, read, refuses, run, select, sysctl, tcp, udp, wait)
from urls import begin, connect, get, say

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_SEND_QUEUE = 19, 20, 21, 2     # from linux/tcp.h


def goes_fast(conn):
    """From here on every segment with data is forwarded by natflow."""
    conn.learn()
    conn.settle()
    d = Delta()
    Tcp.pass_data(conn.client, conn.server, b"question" * 100)
    Tcp.pass_data(conn.server, conn.client, b"answer" * 100)
    conn.settle()
    check(d["hits"] >= 2 and not d["refuse.miss"], f"not fast: {d.changed()}")


def tls(family):
    """A hello in one segment: logged with both tuples and the MAC, and then fast."""
    log = begin()
    d = Delta()
    before = time.time()
    conn = connect(family)
    equal(urls.outcomes(d), {}, "before the hello")
    say(conn, urls.hello("www.Example_1.org", alpn=("h2", "http/1.1")))
    r, = log.wait(1)
    port, server = conn.client.getsockname()[1], conn.listener.getsockname()[1]
    want = dict(source=urls.TLS, host="www.example_1.org", uri="", alpn="h2", method=0, action=0, rule=64, hits=1,
                protocol=6, flags=4, mac=bytes.fromhex(mac("c", "c0").replace(":", "")), sequence=1, dropped=0,
                limited=0, family={4: 2, 6: 10}[family],
                tuple=(ADDR["c", family], port, ADDR["s", family], server),
                nat=(ADDR["c", family], port, ADDR["s", family], server))
    equal({k: r[k] for k in want}, want, "record")
    check(before - 1 <= r["time"] / 1e9 <= time.time() + 1, f"time {r['time']}")
    equal(urls.outcomes(d), {"name.named": 1}, "outcomes")
    goes_fast(conn)


case_tls_v4, case_tls_v6 = both(tls)


def held(family):
    """While its name is sought a flow takes the stack, and its packets say why."""
    log = begin()
    conn = connect(family)
    data = urls.hello("held.example")
    d = Delta()
    for at in range(0, 40):
        say(conn, data[at:at + 1])
    check(d["learn.inspect"] >= 40 and not d["hits"], f"not held: {d.changed()}")
    say(conn, data[40:])
    equal(log.wait(1)[0]["host"], "held.example", "host")
    goes_fast(conn)


case_held_v4, case_held_v6 = both(held)


def begin_at_1000(sock):
    """Of a socket that is to connect: where what it says begins, the same each time."""
    for option, value in ((TCP_REPAIR, 1), (TCP_REPAIR_QUEUE, TCP_SEND_QUEUE), (TCP_QUEUE_SEQ, 1000), (TCP_REPAIR, 0)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)


def connect_beside_decoy(family, sport, dport):
    """Behind the SYN comes another, which does not arrive: conntrack waits for the answer to that one."""
    sysctl("r", "net.netfilter.nf_conntrack_tcp_be_liberal", 1)
    answers = drop("r", "prerouting", "tcp flags & (syn|ack) == syn|ack")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        conn = pool.submit(connect, family, sport=sport, dport=dport)
        wait(lambda: "packets 0" not in run("r", "nft list table inet lossy"), "the first answer is lost")
        syns = drop("c", "output", "tcp flags & (syn|ack) == syn")
        addresses = ADDR["c", family], ADDR["s", family]
        inject("r0", frame(mac("r", "r0"), mac("c", "c0"), ip_packet(family, *addresses, 6, tcp(
            family, *addresses, sport, dport, 77, 0, 2), ttl=1)))
        answers()
        conn = conn.result()
    syns()
    return conn


def reused(family):
    """Both ends forget their connection in silence, and begin another on its conntrack: that one is looked into."""
    log = begin()
    ways = {"plain": connect, "same number": functools.partial(connect, prepare=begin_at_1000),
            "beside a decoy": connect_beside_decoy}
    for disabled in (0, 1):
        ctl(f"disabled={disabled}")
        for way, again in ways.items():
            conn = connect(family, prepare=begin_at_1000)
            say(conn, urls.hello("first.example"))
            equal(log.wait(1)[0]["host"], "first.example", way)
            conn.learn()
            ports = {"sport": conn.client.getsockname()[1], "dport": conn.listener.getsockname()[1]}
            entry = conntrack_entry("tcp", more=f"-f ipv{family} -o id", **ports)[1]["id"]
            for sock in (conn.client, conn.server):
                sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            conn.close()
            conn = again(family, **ports)
            say(conn, urls.hello("second.example"))
            equal(log.wait(1)[0]["host"], "second.example", way)
            equal(conntrack_entry("tcp", more=f"-f ipv{family} -o id", **ports)[1]["id"], entry, "the conntrack")
            conn.close()
            run("r", "conntrack -F")


case_reused_v4, case_reused_v6 = both(reused)


def case_one_byte_segments():
    """With room for them, a hello of one byte a segment is read."""
    log = begin()
    ctl("inspect_packets=4000")
    d = Delta()
    conn = connect()
    data = urls.hello("bytes.example")
    say(conn, data, len(data))
    equal(log.wait(1)[0]["host"], "bytes.example", "host")
    equal(urls.outcomes(d), {"name.named": 1}, "outcomes")


def migrating(family):
    """A hello whose segments are received on one CPU and another in turn, and both at once: one record each."""
    log = begin()
    d = Delta()
    data = urls.hello("migrating.example")
    conn = connect(family)
    for at in range(0, 40):
        with cpu(at % 2):
            say(conn, data[at:at + 1])
    say(conn, data[40:])
    equal([r["hits"] for r in log.wait(1)], [1], "records")
    goes_fast(conn)
    conns = [connect(family) for _ in range(20)]

    def half(number):
        for conn in conns[number::2]:
            say(conn, data, 2)

    on_each_cpu(half)
    equal({r["host"] for r in log.wait(20)}, {"migrating.example"}, "hosts")
    equal(urls.outcomes(d), {"name.named": 21}, "outcomes")


case_migrating_v4, case_migrating_v6 = both(migrating)


def case_many_records():
    """A hello in records of one byte each, all in few segments."""
    log = begin()
    conn = connect()
    data = urls.hello("records.example")
    say(conn, b"".join(b"\x16\3\1\0\1" + data[i:i + 1] for i in range(5, len(data))), 3)
    equal(log.wait(1)[0]["host"], "records.example", "host")


def case_http():
    """Methods, forms of targets, hosts in odd places; what follows "?" only when asked for."""
    log = begin()
    for request, method, host, uri in (
            ("GET /a/b?secret=1 HTTP/1.1\r\nHost: www.example.net\r\n\r\n", 1, "www.example.net", "/a/b"),
            ("POST /form HTTP/1.0\r\nX: y\r\nhOsT:WWW.example.NET.:8080\r\n\r\n", 2, "www.example.net", "/form"),
            ("HEAD http://abs.example/x/y HTTP/1.1\r\nHost: other.example\r\n\r\n", 3, "abs.example", "/x/y"),
            ("OPTIONS * HTTP/1.1\nHost: lf.example\n\n", 4, "lf.example", "*"),
            ("CONNECT tunnel.example:443 HTTP/1.1\r\n\r\n", 4, "tunnel.example", ""),
            ("GET / HTTP/1.1\r\n" + "A: b\r\n" * 500 + "Host: late.example\r\n\r\n", 1, "late.example", "/")):
        conn = connect()
        say(conn, request.encode(), 3)
        r, = log.wait(1)
        equal((r["source"], r["method"], r["host"], r["uri"]), (urls.HTTP, method, host, uri), request[:40])
        answers_fast(conn)
        conn.close()
    ctl("log_query=1")
    conn = connect()
    say(conn, b"GET /a/b?wanted=1 HTTP/1.1\r\nHost: www.example.net\r\n\r\n")
    equal(log.wait(1)[0]["uri"], "/a/b?wanted=1", "URI")


def answers_fast(conn):
    """What the server says is forwarded by natflow, once the client acknowledged something of it."""
    Tcp.pass_data(conn.server, conn.client, b"answer" * 100)
    conn.settle()
    d = Delta()
    Tcp.pass_data(conn.server, conn.client, b"answer" * 10000)
    conn.settle()
    check(d["hits"] >= 2 and not d["refuse.miss"], f"not fast: {d.changed()}")


def kept(family):
    """Later requests of a connection are logged, bodies are none; in between all is fast."""
    log = begin()
    conn = connect(family)
    body = b"GET /body HTTP/1.1\r\nHost: body.example\r\n\r\n"
    for i, (request, more, want) in enumerate((
            (b"GET /%d HTTP/1.1\r\nHost: first.example\r\n\r\n", b"", "first.example"),
            (b"POST /%d HTTP/1.1\r\nHost: second.example\r\nContent-Length: 90\r\n\r\n", body + b"x" * (90 - len(body)),
             "second.example"),
            (b"GET /%d HTTP/1.1\r\nHost: third.example\r\n\r\n", b"", "third.example"))):
        d = Delta()
        say(conn, request % i, 2)
        r, = log.wait(1)
        equal((r["host"], r["uri"]), (want, f"/{i}"), "record")
        answers_fast(conn)
        equal((d["refuse.watched"], d["end.inspect"], d["name.named"]), (min(i, 1), min(i, 1), 1), f"{d.changed()}")
        if more:
            say(conn, more)
            equal((log.read(), d["end.inspect"]), (0, 1), "a body is no request")


case_kept_v4, case_kept_v6 = both(kept)


def case_pipelined():
    """Several requests in one segment, the last in two: a record each; one that is blocked takes all with it."""
    log = begin()
    conn = connect()
    requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: h%d.example\r\n\r\n" % (i, i) for i in range(5))
    say(conn, requests[:-10])
    equal([r["host"] for r in log.wait(4)], [f"h{i}.example" for i in range(4)], "hosts")
    say(conn, requests[-10:])
    equal([r["host"] for r in log.wait(1)], ["h4.example"], "hosts")
    answers_fast(conn)
    urls.acl("add acl=0,2,h3.example")
    conn = connect()
    conn.client.send(requests)
    refuses(lambda: conn.server.recv(1), errno.ECONNRESET)
    refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
    equal([r["host"] for r in log.wait(1)], ["h3.example"], "hosts")
    conn = connect()
    say(conn, requests[:100])
    log.wait(2)
    conn.client.send(requests[100:])
    refuses(lambda: conn.server.recv(1), errno.ECONNRESET)
    equal([r["host"] for r in log.wait(1)], ["h3.example"], "hosts")


def case_many_pipelined():
    """Hundreds of requests, of which one in the end is not to pass: a record each, and then nothing."""
    log = begin()
    urls.acl("add acl=0,2,last.example")
    conn = connect()
    for at in range(0, 600, 100):
        say(conn, b"".join(b"GET http://h%d.example HTTP/1.1\n\n" % i for i in range(at, at + 100)))
        conn.settle()
        # The server answers, so that what was too much for one packet of its is read, too.
        wait(lambda: Tcp.pass_data(conn.server, conn.client, b"x") or (log.read() and False) or len(log.records) >= 100, "records")
        equal([r["host"] for r in log.wait(100)], [f"h{i}.example" for i in range(at, at + 100)], "hosts")
    conn.client.send(b"GET / HTTP/1.1\r\nHost: last.example\r\n\r\n")
    refuses(lambda: conn.server.recv(1), errno.ECONNRESET)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def post(host, n=0):
    """A request whose body comes in chunks."""
    return b"POST /%d HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % (n, host)


def chunked(family):
    """A body in chunks, of every size and cut anywhere, is no request; the one behind it is."""
    log = begin()
    head = post(b"first.example")
    fake = b"GET / HTTP/1.1\r\nHost: body.example\r\n\r\n"
    end = b"0\r\nTrailer: x\r\n\r\n"
    conn = connect(family)
    d = Delta()
    say(conn, head, 3)
    log.wait(1)
    for body in (fake, b"\r\n" + fake, fake.ljust(5000), fake.ljust(70000)):
        Tcp.pass_data(conn.client, conn.server, chunk(body)[:-1])
        say(conn, b"\n")
    for piece in chunk(fake) + end:
        say(conn, bytes([piece]))
    equal(log.read(), 0, "a body is no request")
    say(conn, b"GET /1 HTTP/1.1\r\nHost: second.example\r\n\r\n")
    equal(log.wait(1)[0]["uri"], "/1", "URI")
    answers_fast(conn)
    equal(urls.outcomes(d), {"name.named": 2}, "outcomes")
    urls.acl("add acl=0,2,blocked.example")
    bad = b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n"
    early = (head + chunk(fake) + end + bad[:-5], bad[-5:])     # not answered in between
    for parts in ((head + chunk(fake) + end + bad,), early, (head, chunk(fake) * 3, end[:5], end[5:] + bad),
                  (head + chunk(b"x") * 1000, end + bad), (head + chunk(bytes(9000))[:-500], bytes(498) + b"\r\n" + end, bad)):
        conn = connect(family)
        conn.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        for part in parts[:-1]:
            say(conn, part)
            if parts != early:
                conn.settle()
        conn.client.send(parts[-1])
        refuses(lambda: conn.server.recv(1), errno.ECONNRESET)
        wait(lambda: log.read() or log.records and log.records[-1]["host"] == "blocked.example", "the record")


case_chunked_v4, case_chunked_v6 = both(chunked)


def case_chunks_closed():
    """With inspect_fail=closed a body may stop behind a chunk for longer than a name may take; what is no chunk ends it."""
    log = begin()
    ctl("inspect_fail=closed")
    conn = connect()
    say(conn, post(b"slow.example"))
    log.wait(1)
    d = Delta()

    def answers():
        before = d["hits"]
        Tcp.pass_data(conn.server, conn.client, b"answer")
        conn.settle()
        return d["hits"] > before

    for _ in range(2):
        say(conn, chunk(b"event"))
        conn.settle()
        wait(answers, "nothing is sought any more")
        equal(urls.outcomes(d), {}, "outcomes")
    conn.client.send(b"no chunk\r\n")
    wait(lambda: urls.outcomes(d) == {"name.malformed": 1}, "malformed")


def case_chunks_large():
    """More than is gathered comes at once: all of it passes, whatever inspect_fail= says, and what is behind it, too."""
    body = chunk(bytes(4000)) * 300 + b"0\r\n\r\n"
    for how in ("open", "closed"):
        log = begin()
        ctl(f"inspect_fail={how}")
        conn = connect()
        say(conn, post(b"large.example") + chunk(b"x"))
        log.wait(1)
        Tcp.pass_data(conn.client, conn.server, body)
        Tcp.pass_data(conn.client, conn.server, b"GET / HTTP/1.1\r\nHost: large.example\r\n\r\n")
        Tcp.pass_data(conn.server, conn.client, b"answer")
        log = urls.Log(version=3)
        conn = connect()
        Tcp.pass_data(conn.client, conn.server, post(b"large.example", 1) + body)
        log.wait(1)


def case_chunks_live():
    """A rule for a name ends an upload to it, also where a chunk has just begun."""
    log = begin()
    for some in (b"", b"5\r\nhel"):
        urls.acl("clear")
        conn = connect()
        say(conn, post(b"upload.example"))
        log.wait(1)
        say(conn, chunk(b"hello") + some)
        conn.settle()
        urls.acl("add acl=0,2,upload.example")
        equal(log.wait(1)[0]["action"], 2, "action of the connection that the rule cut")
        conn.client.send(b"lo\r\n" if some else chunk(b"hello"))
        refuses(lambda: conn.server.recv(1), errno.ECONNRESET)


def case_nameless():
    """A request without a name, and then one with: both are looked at; with inspect_fail=closed, too."""
    for how in ("open", "closed"):
        ctl(f"inspect_fail={how}")
        log = begin()
        urls.acl("clear\nadd acl=0,2,blocked.example")
        for together in (False, True):
            d = Delta()
            conn = connect()
            first, second = b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.0\r\nHost: blocked.example\r\n\r\n"
            if together:
                conn.client.send(first + second)
            else:
                say(conn, first)
                answers_fast(conn)
                equal(urls.outcomes(d), {"name.no-name": 1}, "outcomes")
                conn.client.send(second)
            refuses(lambda: conn.server.recv(1), errno.ECONNRESET)
            equal(log.wait(1)[0]["host"], "blocked.example", "host")


def case_upgraded():
    """What follows is no request: it passes, and is fast then."""
    log = begin()
    d = Delta()
    conn = connect()
    say(conn, b"GET /chat HTTP/1.1\r\nHost: up.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    log.wait(1)
    say(conn, b"\x81\x85\0\0\0\0hello")
    goes_fast(conn)
    equal(urls.outcomes(d), {"name.named": 1, "name.no-name": 1}, "outcomes")


def large_body(family):
    """An upload is fast to its last byte; what follows it is looked at."""
    log = begin()
    conn = connect(family)
    say(conn, b"PUT / HTTP/1.1\r\nHost: up.example\r\nContent-Length: 2000000\r\n\r\n")
    log.wait(1)
    learned = 3 * 4
    conn.learn()
    conn.settle()
    d = Delta()
    Tcp.pass_data(conn.client, conn.server, bytes(2000000 - learned))
    conn.settle()
    check(d["hits"] > 50 and not d["refuse.watched"] and not d["refuse.miss"], f"not fast: {d.changed()}")
    say(conn, b"GET / HTTP/1.1\r\nHost: then.example\r\n\r\n")
    equal(log.wait(1)[0]["host"], "then.example", "host")
    equal((d["refuse.watched"], d["end.inspect"]), (1, 1), "looked at")


case_large_body_v4, case_large_body_v6 = both(large_body)


def case_too_much_at_once():
    """A body and a request behind it in one packet, of which less is gathered: not known, so not answered if that is wanted."""
    begin()
    urls.acl("add acl=0,1,blocked.example")
    for how in ("open", "closed"):
        ctl(f"inspect_fail={how}")
        conn = connect()
        say(conn, b"PUT / HTTP/1.1\r\nHost: up.example\r\nContent-Length: 400000\r\n\r\n")
        Tcp.pass_data(conn.client, conn.server, bytes(400000))      # so that the window is wide
        conn.settle()
        d = Delta()
        data = b"POST / HTTP/1.1\r\nHost: up.example\r\nContent-Length: 17000\r\n\r\n" + bytes(17000)
        conn.client.send(data + b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n")
        wait(lambda: "name.untrusted" in urls.outcomes(d), "the server has it")
        conn.server.send(b"answer")
        if how == "open":
            equal(conn.client.recv(10), b"answer", "answer")
        else:
            urls.quiet(conn.client)


def case_lost_body():
    """A piece of a body gets lost behind the gateway: it passes again though the next request came before it."""
    for how in ("open", "closed"):
        log = begin()
        ctl(f"inspect_fail={how}")
        conn = connect()
        say(conn, b"PUT / HTTP/1.1\r\nHost: up.example\r\nContent-Length: 777\r\n\r\n")
        log.wait(1)
        lift = drop("s", "prerouting", "meta length 829")
        conn.client.send(bytes(777))
        wait(lambda: "packets 0" not in run("s", "nft list table inet lossy"), "the body is lost")
        conn.client.send(b"GET / HTTP/1.1\r\nHost: then.example\r\n\r\n")
        lift()
        get(conn, bytes(777) + b"GET / HTTP/1.1\r\nHost: then.example\r\n\r\n")
        equal(log.wait(1)[0]["host"], "then.example", "host")


def case_h2c():
    """HTTP/2 with prior knowledge: :authority, here without Huffman."""
    log = begin()
    conn = connect()
    host = b"h2c.example"
    block = b"\x82\x86\x84\x41" + bytes([len(host)]) + host     # GET, http, "/", :authority
    say(conn, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\4" + bytes(5) +
        len(block).to_bytes(3, "big") + b"\1\5" + struct.pack("!I", 1) + block, 5)
    r, = log.wait(1)
    equal((r["source"], r["method"], r["host"], r["uri"]), (urls.HTTP, 1, "h2c.example", "/"), "record")


def quic(family, version):
    """A hello over two datagrams, its pieces shuffled: logged, and the flow is fast after it."""
    log = begin()
    d = Delta()
    flow = Udp(family)
    data = urls.hello("quic.example", alpn=("h3",), records=False).ljust(1500, b"\0")
    data = data[:1] + (len(data) - 4).to_bytes(3, "big") + data[4:]
    # What is behind the extensions makes it wrong, so there is an extension more: padding (RFC 7685).
    data = pad_hello(urls.hello("quic.example", alpn=("h3",), records=False), 1500)
    pieces = [(0, 40), (700, 300), (40, 1), (1000, 100), (41, 659), (1100, 400)]
    frames = [urls.crypto(at, data[at:at + n]) for at, n in pieces]
    for number, some in enumerate((frames[:4], frames[4:])):
        flow.send(urls.initial(b"\1".join(reversed(some)), number, version=version, dcid=b"sixteen bytes it"))
        equal(log.read(), 0, "records before the server answers")
    flow.reply()
    r, = log.wait(1)
    equal((r["source"], r["host"], r["alpn"], r["protocol"]), (urls.QUIC, "quic.example", "h3", 17), "record")
    equal(urls.outcomes(d), {"name.named": 1}, "outcomes")
    flow.send()
    flow.reply()
    fast(flow)


def pad_hello(data, size):
    """The same hello with a padding extension, so long."""
    at = 4 + 2 + 32
    at += 1 + data[at]
    at += 2 + int.from_bytes(data[at:at + 2], "big")
    at += 1 + data[at]
    more = size - len(data) - 4
    extensions = data[at + 2:] + struct.pack("!HH", 21, more) + bytes(more)
    body = data[4:at] + struct.pack("!H", len(extensions)) + extensions
    return data[:1] + len(body).to_bytes(3, "big") + body


case_quic_v4, case_quic_v6 = (lambda: quic(4, 1)), (lambda: quic(6, 1))


def case_quic_version2():
    quic(4, 2)


def case_quic_forged():
    """A tag that is wrong: no name of it, and the true one counts."""
    log = begin()
    flow = Udp()
    flow.send(urls.initial(urls.crypto(0, urls.hello("forged.example", records=False)), forge=True))
    flow.reply()
    equal(log.read(), 0, "records of a forged Initial")
    flow.send(urls.initial(urls.crypto(0, urls.hello("true.example", records=False)), number=1))
    flow.reply()
    equal(log.wait(1)[0]["host"], "true.example", "host")


def at_once(family):
    """Two datagrams that a driver hands up together: each has a conntrack until the first one's is confirmed."""
    log = begin()
    flow = Udp(family, dport=443)
    port = flow.client.getsockname()[1]
    data = urls.hello("together.example", records=False)
    src, dst = ADDR["c", family], ADDR["s", family]
    for n, flags, part in ((0, "hold", urls.crypto(0, data[:100])), (1, "plain", urls.crypto(100, data[100:]))):
        datagram = udp(family, src, dst, port, 443, urls.initial(part, number=n))
        inject("r0", frame(mac("r", "r0"), mac("c", "c0"), ip_packet(family, src, dst, 17, datagram)), flags)
    for _ in range(2):
        flow.peer = flow.server.recvfrom(4096)[1]
    d = Delta()
    flow.reply()
    r, = log.wait(1)
    equal((r["source"], r["host"], r["tuple"][1]), (urls.QUIC, "together.example", port), "record")
    equal(urls.outcomes(d), {"name.named": 1}, "outcomes")


case_at_once_v4, case_at_once_v6 = both(at_once)


def lan_bridge(filtered):
    """The LAN is a bridge, whose packets conntrack meets there already or not: a record each, with the station's MAC."""
    modprobe("br_netfilter")
    for words in ("iptables", "ip6tables"):
        sysctl("r", f"net.bridge.bridge-nf-call-{words}", int(filtered))
    ip("r", f"""link add br0 type bridge
        link set r0 master br0
        link set br0 up
        addr flush dev r0
        addr add {ADDR['r0', 4]}/24 dev br0
        addr add {ADDR['r0', 6]}/64 dev br0 nodad""")
    for family in (4, 6):
        wait(lambda: reachable("c", family, ADDR["s", family]), "server")
    log = begin()
    for family in (4, 6):
        d = Delta()
        conn = connect(family)
        say(conn, urls.hello("tls.example"))
        flow = Udp(family, dport=443)
        flow.send(urls.initial(urls.crypto(0, urls.hello("quic.example", records=False))))
        flow.reply()
        equal([(r["host"], r["mac"]) for r in log.wait(2)],
              [(h, bytes.fromhex(mac("c", "c0").replace(":", ""))) for h in ("tls.example", "quic.example")], "records")
        equal(urls.outcomes(d), {"name.named": 2}, "outcomes")
        conn.close()
        flow.close()


def case_lan_bridge():
    lan_bridge(False)


def case_lan_bridge_filtered():
    lan_bridge(True)


def bridged(family):
    """Client and server on one bridge that hands its packets to netfilter: a record; a blocked name does not pass."""
    on_one_bridge(family)
    wait(lambda: reachable("c", family, ADDR["s", family]), "server across the bridge")
    log = begin()
    urls.acl("add acl=0,1,blocked.example")
    d = Delta()
    conn = connect(family)
    say(conn, urls.hello("bridged.example"), 2)
    equal([(r["host"], r["mac"]) for r in log.wait(1)],
          [("bridged.example", bytes.fromhex(mac("c", "c0").replace(":", "")))], "record")
    conn = connect(family)
    conn.client.send(urls.hello("blocked.example"))
    equal(log.wait(1)[0]["action"], 1, "action")
    urls.quiet(conn.server)
    equal(urls.outcomes(d), {"name.named": 2}, "outcomes")


case_bridged_v4, case_bridged_v6 = both(bridged)


def case_no_name():
    """Clients that speak otherwise, whoever speaks first, hellos without a name: fast at once."""
    log = begin()
    d = Delta()
    ssh = connect()
    ssh.pass_data(ssh.server, ssh.client, b"SSH-2.0-server\r\n")
    say(ssh, b"SSH-2.0-client\r\n")
    other = connect()
    say(other, b"\0\1\2\3 binary")
    nameless = connect()
    say(nameless, urls.hello(None))
    equal(urls.outcomes(d), {"name.no-name": 3}, "outcomes")
    for conn in (ssh, other, nameless):
        goes_fast(conn)
    equal(log.read(), 0, "records")


def case_budget():
    """Hellos that never end: too many packets, too many bytes; too many seconds for the server's packets to wait."""
    begin()
    d = Delta()
    data = urls.hello("budget.example")
    many = connect()
    say(many, data[:64], 64)
    equal(urls.outcomes(d), {"name.budget": 1}, "outcomes after 64 packets")
    goes_fast(many)
    large = connect()
    say(large, b"GET / HTTP/1.1\r\n" + b"A: bcdefghijklmn\r\n" * 1000, 20)
    equal(sum(urls.outcomes(d).values()), 2, f"outcomes after 18,000 bytes: {urls.outcomes(d)}")
    late = connect()
    say(late, data[:10])
    begun = time.monotonic()
    wait(lambda: sum(urls.outcomes(d).values()) == 3, "8 seconds")
    check(time.monotonic() - begun > 5, "too early")
    answers_fast(late)


def case_malformed():
    """A hello that is wrong inside."""
    begin()
    d = Delta()
    conn = connect()
    data = bytearray(urls.hello("malformed.example"))
    at = data.index(b"malformed.example")
    data[at - 2:at] = b"\xff\xff"
    say(conn, bytes(data))
    equal(urls.outcomes(d), {"name.malformed": 1}, "outcomes")
    goes_fast(conn)


def case_malformed_later():
    """Wrong behind its name: the name is told and judged, and not relied on."""
    log = begin()
    urls.acl("add acl=0,2,blocked.example")

    def wrong(host):
        data = bytearray(urls.hello(host))
        at = data.index(host.encode()) + len(host)
        data[at + 2:at + 4] = b"\xff\xff"       # the length of the next extension
        return bytes(data)

    for how in ("open", "closed"):
        ctl(f"inspect_fail={how}")
        d = Delta()
        conn = connect()
        data = wrong("wrong.example")
        conn.client.send(data)
        if how == "open":
            get(conn, data)
            goes_fast(conn)
        r, = log.wait(1)
        equal((r["host"], r["flags"] & 16), ("wrong.example", 16), "record")
        equal(urls.outcomes(d), {"name.malformed": 1}, "outcomes")
        conn = connect()
        conn.client.send(wrong("blocked.example"))
        refuses(lambda: conn.server.recv(1), errno.ECONNRESET)
        equal(log.wait(1)[0]["host"], "blocked.example", "host")


def case_fail_closed():
    """What has no certain name is dropped, if that is wanted; what has none at all is not."""
    begin()
    ctl("inspect_fail=closed\ninspect_packets=3")
    conn = connect()
    d = Delta()
    data = urls.hello("closed.example")
    say(conn, data[:2], 2)
    conn.client.send(data[2:3])
    wait(lambda: urls.outcomes(d) == {"name.budget": 1}, "the budget is spent")
    conn.client.send(data[3:])
    conn.server.settimeout(0.5)
    try:
        check(False, f"arrived: {conn.server.recv(10)}")
    except TimeoutError:
        pass
    other = connect()
    say(other, b"\0binary")
    goes_fast(other)


def case_off():
    """Off is how it begins; after it was on nothing is held and nothing is kept."""
    select()
    equal(read("/proc/sys/urllogger_store/enable").strip(), "0", "enable")
    d = Delta()
    conn = connect()
    say(conn, urls.hello("off.example"))
    goes_fast(conn)
    equal(urls.outcomes(d), {}, "outcomes")
    urls.enable()
    held_one = connect()
    say(held_one, urls.hello("off.example")[:20])
    urls.enable(False)
    goes_fast(held_one)
    equal(urls.outcomes(d), {}, "outcomes")
