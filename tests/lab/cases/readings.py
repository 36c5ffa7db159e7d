# SPDX-License-Identifier: GPL-2.0-only
"""A blocked name is found whoever speaks first and however the client's bytes arrive; innocent connections go on."""
import errno
import socket
import struct

import urls
from natlab import Delta, Tcp, both, check, ctl, drop, equal, refuses, wait
from urls import ACK, URG, Victim, connect, say

SETTINGS = bytes(3) + b"\4" + bytes(5)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS


def headers(host, stream=1):
    """A request of HTTP/2: GET, http, "/", :authority."""
    block = b"\x82\x86\x84\x41" + bytes([len(host)]) + host.encode()
    return len(block).to_bytes(3, "big") + b"\1\5" + stream.to_bytes(4, "big") + block


def request(host):
    return f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


MESSAGES = {"TLS": urls.hello, "HTTP": request, "HTTP/2": lambda host: PREFACE + headers(host)}


def begin(how="open"):
    log = urls.begin()
    urls.acl("clear\nadd acl=0,2,blocked.example")
    ctl(f"inspect_fail={how}")
    return log


def drain(sock):
    while sock.recv(65536):
        pass


def is_blocked(conn, log, what):
    """Both ends are reset, whatever the server has had so far, and the last record says why."""
    refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
    refuses(lambda: drain(conn.server), errno.ECONNRESET)
    r, = log.wait(1)
    equal((r["host"], r["action"]), ("blocked.example", 2), what)
    conn.close()


def hear(conn, data):
    """The server says something; the gateway forwards the client's ACK of it before the client speaks."""
    Tcp.pass_data(conn.server, conn.client, data)
    conn.settle()


def first(family):
    """The server speaks first, a byte or more, once or often: what the client says is read nevertheless."""
    for how in ("open", "closed"):
        log = begin(how)
        for kind, message in MESSAGES.items():
            for words in ((b"x",), (SETTINGS,), (b"220 hello\r\n", b"y" * 2000)):
                conn = connect(family)
                for word in words:
                    hear(conn, word)
                conn.client.send(message("blocked.example"))
                is_blocked(conn, log, (how, kind, words[0]))
            d = Delta()
            conn = connect(family)
            hear(conn, SETTINGS)
            say(conn, message("fine.example"), 2)
            equal(log.wait(1)[0]["host"], "fine.example", (how, kind))
            equal(urls.outcomes(d), {"name.named": 1}, (how, kind))
            conn.close()


case_server_first_v4, case_server_first_v6 = both(first)


def banner(family):
    """A protocol whose server speaks first: its packets are fast at once, and all are when the client has spoken."""
    begin("closed")
    d = Delta()
    conn = connect(family)
    hear(conn, b"SSH-2.0-server\r\n")
    for _ in range(2):
        hear(conn, b"more")
    check(d["hits"] >= 1 and not urls.outcomes(d), f"not fast before the client speaks: {d.changed()}")
    say(conn, b"SSH-2.0-client\r\n")
    conn.learn()
    conn.settle()
    equal(urls.outcomes(d), {"name.no-name": 1}, "outcomes")
    d = Delta()
    Tcp.pass_data(conn.client, conn.server, b"question" * 100)
    Tcp.pass_data(conn.server, conn.client, b"answer" * 100)
    conn.settle()
    check(d["hits"] >= 2 and not d["refuse.miss"] and not d["refuse.watched"], f"not fast: {d.changed()}")


case_banner_v4, case_banner_v6 = both(banner)


# -- bytes that the server may not accept

NOP4 = b"\1\1\1\1"
PADDING = bytes([0, 0, 1, 4, 0, 0, 0, 0])      # an extension header with PadN
SOCKET = {                                      # (level, option, value), by family
    "TTL": {4: [(socket.IPPROTO_IP, socket.IP_TTL, 60)], 6: [(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 60)]},
    "options": {4: [(socket.IPPROTO_IP, socket.IP_OPTIONS, NOP4)], 6: [(socket.IPPROTO_IPV6, 54, PADDING),
                                                                       (socket.IPPROTO_IPV6, 59, PADDING)]},
}


def doubtful(conn, family, kind):
    """A connection whose client sends otherwise from here on."""
    for option in SOCKET[kind][family]:
        conn.client.setsockopt(*option)
    return conn


def marked(family):
    """A TTL a few hops lower, options, extension headers: what is blocked is blocked; what passes is known by the answer."""
    for how in ("open", "closed"):
        log = begin(how)
        for kind in SOCKET:
            for pieces in (1, 2):
                conn = doubtful(connect(family), family, kind)
                data = urls.hello("blocked.example")
                cut = data.index(b"blocked") + 3 if pieces == 2 else len(data)
                conn.client.send(data[:cut])
                if pieces == 2:
                    conn.client.send(data[cut:])
                is_blocked(conn, log, (how, kind, pieces))
            if how == "closed":
                continue
            d = Delta()
            conn = doubtful(connect(family), family, kind)
            for number in range(2):
                say(conn, request(f"fine{number}.example"), 2)
                Tcp.pass_data(conn.server, conn.client, b"answer")
                equal(log.wait(1)[0]["host"], f"fine{number}.example", kind)
            equal(urls.outcomes(d), {"name.named": 2}, kind)
            conn.client.send(request("blocked.example"))
            is_blocked(conn, log, kind)


case_marked_v4, case_marked_v6 = both(marked)


def around(family):
    """The true bytes in doubt between decoys: whichever the server takes, the name that is blocked is found."""
    log = begin()
    # A router further on, where packets with few hops left end.
    drop("s", "input", f"{'ip ttl' if family == 4 else 'ip6 hoplimit'} 7")
    true, fine = urls.hello("blocked.example"), urls.hello("harmful.example")
    half = true.index(b"blocked") + 3
    low = {"ttl": 8}
    for order in (((fine, 0, None, low), (true, 0, None, {"ttl": 60})),
                  ((true, 0, half, {"ttl": 60}), (fine, 0, half, {}), (true, half, None, {"ttl": 60})),
                  ((fine, 0, half, low), (true, 0, half, {}), (fine, 0, half, low), (fine, half, None, low),
                   (true, half, None, {})),
                  ((true, 0, None, {"options": b"\1\1\x13\x12" + bytes(16)}),)):
        victim = Victim(family)
        for data, begins, ends, how in order:
            victim.send(data[begins:ends], at=begins, **how)
        refuses(lambda: victim.conn.client.recv(1), errno.ECONNRESET)
        equal(log.wait(1)[0]["host"], "blocked.example", order)


case_around_v4, case_around_v6 = both(around)


def urgent(family):
    """Urgent bytes, which an application reads out of band or in its place: either reading is enough."""
    plain = urls.hello("blocked.example")
    cut = plain.index(b"blocked") + 3
    data = plain[:cut] + b"X" + plain[cut:]
    for how in ("open", "closed"):
        log = begin(how)
        for pieces in ((data[:cut + 1], data[cut + 1:]), (b"X", plain), (plain[:cut], plain[cut:])):
            conn = connect(family)
            conn.client.send(pieces[0], socket.MSG_OOB)
            conn.client.send(pieces[1])
            refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
            equal(log.wait(1)[0]["host"], "blocked.example", (how, pieces))
        for greeting in (b"", b"x"):
            victim = Victim(family)
            if greeting:
                hear(victim.conn, greeting)
            victim.send(b"", flags=ACK | URG, urgent=cut + 1)
            victim.is_blocked(data)
            equal(log.wait(1)[0]["host"], "blocked.example", (how, "a pointer alone"))


case_urgent_v4, case_urgent_v6 = both(urgent)


# -- bytes that take their time, and bytes that are many

def padded(host, front=0, behind=0):
    """A hello with padding extensions around the name."""
    def extension(kind, data):
        return struct.pack("!HH", kind, len(data)) + data

    name = host.encode()
    extensions = extension(21, bytes(front)) + \
        extension(0, struct.pack("!HBH", len(name) + 3, 0, len(name)) + name) + extension(21, bytes(behind))
    body = b"\3\3" + bytes(32) + b"\0\0\2\x13\1\1\0" + struct.pack("!H", len(extensions)) + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"".join(b"\x16\3\1" + struct.pack("!H", len(message[at:at + 16384])) + message[at:at + 16384]
                    for at in range(0, len(message), 16384))


def large(family):
    """A name in front of or behind much padding, and one byte a segment."""
    for how in ("open", "closed"):
        log = begin(how)
        for data in (padded("blocked.example", front=15000), padded("blocked.example", behind=30000),
                     request("blocked.example")[:-2] + b"A: b\r\n" * 4000,
                     b"\r\n" * 4000 + request("blocked.example")):
            conn = connect(family)
            try:
                conn.client.sendall(data)
            except ConnectionResetError:
                pass
            refuses(lambda: drain(conn.server), errno.ECONNRESET)
            equal(log.wait(1)[0]["host"], "blocked.example", (how, data[:50]))
    ctl("inspect_packets=4000")
    conn = connect(family)
    data = padded("blocked.example", front=1500)
    say(conn, data[:-10], len(data) - 10)
    conn.client.send(data[-10:])
    is_blocked(conn, log, "many segments")


case_large_v4, case_large_v6 = both(large)


def case_pause():
    """A client that takes longer than 8 s, wherever: its server's packets are fast meanwhile, and its name is read."""
    log = begin("closed")
    d = Delta()
    silent, spoken = connect(), connect(6)
    hear(silent, b"x")
    Tcp.pass_data(spoken.client, spoken.server, b"\r\n")
    halves, cut = {}, {kind: message("blocked.example").index(b"blocked") + 3 for kind, message in MESSAGES.items()}
    for how in ("closed", "open"):
        for kind, message in MESSAGES.items():
            halves[how, kind] = conn = connect()
            say(conn, message("blocked.example")[:cut[kind]], 3)
    fine = connect()
    say(fine, urls.hello("fine.example")[:-1], 2)
    wait(lambda: urls.outcomes(d) == {"name.no-name": 1, "name.budget": 7}, "8 seconds")
    for conn in (fine, spoken):
        hear(conn, b"x")
        before = d["hits"]
        hear(conn, b"x")
        hear(conn, b"x")
        check(d["hits"] > before, "a server is not fast while its client pauses")
    for (how, kind), conn in halves.items():
        ctl(f"inspect_fail={how}")
        conn.client.send(MESSAGES[kind]("blocked.example")[cut[kind]:])
        refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
        equal(log.wait(1)[0]["host"], "blocked.example", (how, kind))
    ctl("inspect_fail=closed")
    say(fine, urls.hello("fine.example")[-1:])
    equal(log.wait(1)[0]["host"], "fine.example", "host")
    for conn in (silent, spoken):
        conn.client.send(request("blocked.example"))
        refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
        equal(log.wait(1)[0]["host"], "blocked.example", "host")


# -- innocent connections

def alive(family):
    """Keepalives and blank lines before the first request, with a byte before it or none: the connection goes on."""
    log = begin("closed")
    ctl("inspect_packets=3")
    d = Delta()
    conn = Victim(family)
    for _ in range(4):
        conn.send(b"\0", at=-1, flags=ACK)
        conn.send(b"", at=-1, flags=ACK)
    for _ in range(4):
        say(conn.conn, b"\r\n")
        conn.conn.settle()
    say(conn.conn, request("fine.example"))
    equal(log.wait(1)[0]["host"], "fine.example", "host")
    conn.send(b"\0", at=len(request("fine.example")) + 7, flags=ACK)
    say(conn.conn, request("next.example"), 2)
    equal(log.wait(1)[0]["host"], "next.example", "host")
    equal(urls.outcomes(d), {"name.named": 2}, "outcomes")


case_alive_v4, case_alive_v6 = both(alive)


def frame2(kind, data=b"", flags=0, stream=0):
    """A frame of HTTP/2."""
    return len(data).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + data


def upgraded(family):
    """h2c by Upgrade: the client goes on with HTTP/2, whose requests are read; its other frames are none."""
    log = begin("closed")
    ctl("inspect_packets=3")
    d = Delta()
    conn = connect(family)
    say(conn, b"GET /1 HTTP/1.1\r\nHost: fine.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
    hear(conn, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + SETTINGS)
    log.wait(1)
    say(conn, PREFACE, 3)
    for piece in [SETTINGS[:4] + b"\1" + SETTINGS[5:], frame2(3, bytes(4), stream=1)] + [frame2(8, bytes(4))] * 8:
        hear(conn, b"answer")
        say(conn, piece)
    hear(conn, b"answer")
    say(conn, headers("other.example", 3), 2)
    equal(log.wait(1)[0]["host"], "other.example", "host")
    equal(urls.outcomes(d), {"name.named": 2}, "outcomes")
    conn.client.send(headers("blocked.example", 5))
    is_blocked(conn, log, "a later stream")


case_upgraded_v4, case_upgraded_v6 = both(upgraded)


def streams(family):
    """HTTP/2 in clear: each request is read, by the dynamic table, too; what lies between is fast."""
    log = begin("closed")
    d = Delta()
    conn = connect(family)
    say(conn, PREFACE + headers("one.example") + frame2(8, bytes(4)) + headers("two.example", 3), 3)
    equal([r["host"] for r in log.wait(2)], ["one.example", "two.example"], "hosts")
    say(conn, frame2(1, b"\x82\x86\x84\xbf", 5, 5))                          # one.example again
    equal([r["host"] for r in log.wait(1)], ["one.example"], "by the table")
    hear(conn, b"answer")
    say(conn, frame2(1, b"\x83\x86\x84\xbf", 4, 7) + frame2(0, bytes(16384), 0, 7)[:100])
    log.wait(1)
    conn.learn()
    conn.settle()
    before = d["hits"]
    Tcp.pass_data(conn.client, conn.server, bytes(16393 - 100 - 3 * 4))
    check(d["hits"] > before, "a body is not fast")
    say(conn, frame2(1, b"\x10\1t\1x", 5, 7))                                # trailers
    equal((log.read(), urls.outcomes(d)), (0, {"name.named": 4}), "trailers are no request")
    block = b"\x82\x86\x84\x41\x0fblocked.example"
    conn.client.send(frame2(1, block[:6], 1, 9) + frame2(9, block[6:], 4, 9))
    is_blocked(conn, log, "in two frames")
    conn = connect(family)
    say(conn, PREFACE + headers("one.example"))
    log.wait(1)
    say(conn, frame2(9, b"\xbe", 4, 3))
    wait(lambda: urls.outcomes(d) == {"name.named": 6, "name.malformed": 1}, "what is no frame ends it")
    conn.client.send(headers("two.example", 3))
    urls.quiet(conn.server)


case_streams_v4, case_streams_v6 = both(streams)


def case_once():
    """One name is one record: requests that wait to be concluded, and bytes of Host said twice where the target has the name."""
    log = begin("closed")
    conn = connect()
    d = Delta()
    say(conn, b"".join(request(f"h{i}.example") for i in range(60)))
    equal([r["host"] for r in log.wait(60)], [f"h{i}.example" for i in range(60)], "acknowledged at once")
    equal(urls.outcomes(d), {"name.named": 60}, "outcomes")
    log = begin()
    victim = Victim(4)
    data = b"GET http://target.example/ HTTP/1.1\r\nHost: one.example\r\n\r\n"
    other = data.replace(b"one", b"two")
    cut = data.index(b"one")
    victim.send(data[cut:], at=cut)
    victim.send(other[cut:], at=cut)
    victim.conn.client.send(data[:cut])
    victim.conn.server.recv(4096)
    equal([(r["host"], r["flags"] & 2) for r in log.wait(1)], [("target.example", 2)], "records")
