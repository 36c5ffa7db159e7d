#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""browser.py LIBRARY HELLOS HANDSHAKES: lib/'s parsers on fresh traffic of Debian's Chromium. Prints TAP.

The browser is told that all hosts are here, opens a page with so many others in it, over TCP and then over QUIC; here
a listener receives its first flights and does not answer. The parsers must find each name that the page asks for.
"""
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

from names import PARSED, Stream, Tls, library

PATIENCE = 240


def page(names):
    images = "".join(f'<img src="https://{n}/">' for n in names)
    return f"<!doctype html><title>names</title>{images}"


class Browser:
    """Chromium, with a page open, until it is closed."""

    def __init__(self, port, names, *flags):
        self.dir = tempfile.TemporaryDirectory()
        path = os.path.join(self.dir.name, "page.html")
        with open(path, "w") as f:
            f.write(page(names))
        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-component-update",
             "--disable-background-networking", f"--user-data-dir={self.dir.name}/profile",
             f"--host-resolver-rules=MAP * 127.0.0.1:{port}", *flags, "--remote-debugging-port=0", f"file://{path}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for _ in range(50):         # its children may still write
            try:
                self.dir.cleanup()
                return
            except OSError:
                time.sleep(0.1)


def over_tcp(lib, names):
    """Names that were sent, and the number of connections without a valid one."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    browser = Browser(listener.getsockname()[1], names, "--disable-quic")
    poll, streams, heard, odd = select.poll(), {}, set(), 0
    poll.register(listener, select.POLLIN)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not set(names) <= heard:
        for fd, _ in poll.poll(1000):
            if fd == listener.fileno():
                sock = listener.accept()[0]
                streams[sock.fileno()] = (sock, Stream(lib))
                poll.register(sock, select.POLLIN)
                continue
            sock, stream = streams[fd]
            try:
                data = sock.recv(65536)
            except OSError:
                data = b""
            stream.put(stream.gather.prefix, data)
            said = stream.names(True)
            heard |= said
            tls = Tls()
            state = lib.natflow_tls_hello(stream.first, stream.gather.prefix, True, ctypes.byref(tls))
            if not data or state == PARSED:
                odd += stream.gather.prefix > 0 and not said
                poll.unregister(fd)
                sock.close()
                del streams[fd]
    browser.close()
    return heard, odd


def over_quic(lib, names):
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sink.bind(("127.0.0.1", 0))
    sink.settimeout(1)
    forced = ",".join(f"{n}:443" for n in names)
    browser = Browser(sink.getsockname()[1], names, "--enable-quic", f"--origin-to-force-quic-on={forced}")
    streams, heard, named = {}, set(), set()
    work = ctypes.create_string_buffer(16384)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not set(names) <= heard:
        try:
            data, peer = sink.recvfrom(65536)
        except TimeoutError:
            continue
        stream = streams.setdefault(peer, Stream(lib))
        stream.datagram(data, work)
        said = stream.names(False)
        heard |= said
        if said:
            named.add(peer)
    browser.close()
    return heard, len(streams) - len(named)


def main():
    lib = library(sys.argv[1])
    print("1..2")
    for number, (kind, test, count, share) in enumerate((("TLS", over_tcp, int(sys.argv[2]), 1),
                                                         ("QUIC", over_quic, int(sys.argv[3]), 0.999)), 1):
        names = [f"name-{i}.host{i % 7}.example" for i in range(count)]
        begun = time.monotonic()
        heard, odd = test(lib, names)
        missed = sorted(set(names) - heard)
        good = len(names) - len(missed) >= share * len(names) and (kind == "QUIC" or not odd)
        print(f"{'ok' if good else 'not ok'} {number} - {kind}: {len(names) - len(missed)} of {count} names that Chromium said, "
              f"{odd} flights without one, {time.monotonic() - begun:.0f} s", flush=True)
        for name in missed[:20]:
            print(f"# {name}")


main()
