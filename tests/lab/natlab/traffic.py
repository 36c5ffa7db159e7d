# SPDX-License-Identifier: GPL-2.0-only
"""Flows of real sockets."""
import fcntl
import socket
import termios

from .programs import PATIENCE, check, equal, modprobe, ns, run, sysctl, wait
from .topology import ADDR, ip


def udp_socket(where, family=4, address=None, port=0):
    with ns(where):
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE)
    if family == 6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address or ("0.0.0.0" if family == 4 else "::"), port))
    return sock


def drain(*socks):
    """Discard everything received until now."""
    for sock in socks:
        patience = sock.gettimeout()
        sock.setblocking(False)
        try:
            while sock.recv(70000):
                pass
        except OSError:
            sock.settimeout(patience)


class Udp:
    """One UDP flow from client to server; learn() brings it into the table."""

    def __init__(self, family=4, to=None, dport=0, sport=0, client="c", server="s", tos=None, at=None):
        self.family = family
        self.server = udp_socket(server, family, at, dport)
        self.client = udp_socket(client, family, port=sport)
        if tos is not None:
            for sock in (self.client, self.server):
                sock.setsockopt(*((socket.IPPROTO_IP, socket.IP_TOS) if family == 4 else
                                  (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)), tos)
        address, port = to or (ADDR["s", family], self.server.getsockname()[1])
        self.client.connect((address, port))
        self.peer = None

    def send(self, data=b"x"):
        self.client.send(data)
        got, self.peer = self.server.recvfrom(70000)
        equal(got, data, "datagram at the server")

    def reply(self, data=b"y"):
        self.server.sendto(data, self.peer)
        equal(self.client.recv(70000), data, "datagram at the client")

    def learn(self):
        self.send()
        self.reply()
        self.send()
        self.reply()
        return self

    def close(self):
        self.client.close()
        self.server.close()


class Tcp:
    """One TCP connection from client to server."""

    def __init__(self, family=4, to=None, dport=0, sport=0, client="c", server="s", established=True,
                 prepare=None):
        with ns(server):
            self.listener = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == 6:
            self.listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.listener.bind(("0.0.0.0" if family == 4 else "::", dport))
        self.listener.listen(64)
        with ns(client):
            self.client = socket.socket(self.listener.family)
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sport:
            self.client.bind(("0.0.0.0" if family == 4 else "::", sport))
        self.client.settimeout(PATIENCE)
        if prepare:
            prepare(self.client)
        self.client.connect(to or (ADDR["s", family], self.listener.getsockname()[1]))
        self.server, self.peer = self.listener.accept()
        self.server.settimeout(PATIENCE)
        if established:
            self.learn()

    def learn(self):
        for _ in range(3):
            self.pass_data(self.client, self.server, b"ping")
            self.pass_data(self.server, self.client, b"pong")
        return self

    def settle(self):
        """Wait until all sent data is acknowledged, so that no delayed ACK follows."""
        for sock in (self.client, self.server):
            wait(lambda: not any(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4))), "all data acknowledged")

    def numbers(self):
        """Sequence and acknowledgement number of the client's next segment."""
        found = []
        for queue in (2, 1):        # TCP_SEND_QUEUE, TCP_RECV_QUEUE
            for option, value in ((19, 1), (20, queue)):        # TCP_REPAIR, TCP_REPAIR_QUEUE
                self.client.setsockopt(socket.IPPROTO_TCP, option, value)
            found.append(self.client.getsockopt(socket.IPPROTO_TCP, 21) & 0xffffffff)       # TCP_QUEUE_SEQ
        self.client.setsockopt(socket.IPPROTO_TCP, 19, -1)      # off, without a window probe
        return found

    @staticmethod
    def pass_data(a, b, data):
        """Send data from a to b and compare it; both in this thread, so in pieces."""
        sent = got = 0
        view = memoryview(data)
        while got < len(data):
            if sent < len(data):
                sent += a.send(view[sent:sent + 32768])
            piece = b.recv(1 << 20)
            check(piece, "connection closed early")
            check(piece == view[got:got + len(piece)], f"bytes differ at {got}")
            got += len(piece)

    def close(self):
        for sock in (self.client, self.server, self.listener):
            sock.close()


def drop(where, hook, match=""):
    """Drop all or some packets at ingress; returns a function that ends it."""
    run(where, ["nft", f"add table inet lossy; add chain inet lossy c {{ type filter hook {hook} priority -400; }}; "
                f"add rule inet lossy c {match} counter drop"])
    return lambda: run(where, "nft delete table inet lossy")


def on_one_bridge(family):
    """Client and server on one bridge, with br_netfilter."""
    modprobe("br_netfilter")
    ip("r", """link add br0 type bridge
        link set r0 master br0
        link set r1 master br0
        link set br0 up""")
    for words in ("iptables", "ip6tables"):
        sysctl("r", f"net.bridge.bridge-nf-call-{words}", 1)
    for n, net in (("c", 2), ("s", 1)):
        ip(n, f"route replace {f'10.0.{net}.0/24' if family == 4 else f'fd00:{net}::/64'} dev {n}0", family)
