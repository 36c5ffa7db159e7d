# SPDX-License-Identifier: GPL-2.0-only
"""A blocked name is found whoever speaks first and however the client's bytes arrive; innocent connections go on."""
import errno

import urls
from natlab import Delta, Tcp, both, check, ctl, equal, refuses, wait
from urls import connect, get, say

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


def is_blocked(conn, log, what):
    """Both ends are reset, and the last record says why."""
    refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
    refuses(lambda: conn.server.recv(1), errno.ECONNRESET)
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
