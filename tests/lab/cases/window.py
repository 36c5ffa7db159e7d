# SPDX-License-Identifier: GPL-2.0-only
"""TCP's window: conntrack judges each packet as if it had seen all, and what is nobody's ends or slows nothing."""
import socket
import struct

from natlab import (ADDR, Delta, Tcp, both, check, conntrack_entry, drop, equal, frame, inject, ip_packet, mac, published, rule,
                    select, stats, tcp, wait)

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MEGA = bytes(range(256)) * 4096
STRICT = "-A FORWARD -m conntrack --ctstate INVALID -j DROP"


def entry(family, sport):
    """State and remaining seconds of one connection in conntrack."""
    words = conntrack_entry("tcp", more=f"-f ipv{family}", sport=sport)[0].split()
    return words[3], int(words[2])


class Stranger:
    """Sends packets with the addresses and ports of a connection that is not its own."""

    def __init__(self, conn, family):
        self.family = family
        self.ports = conn.client.getsockname()[1], conn.listener.getsockname()[1]

    def send(self, side, flags, seq=0x12345678, ack=0x9abcdef0, ttl=64, data=b"", options=b""):
        a, b = ("c", "s") if side == "c" else ("s", "c")
        src, dst = ADDR[a, self.family], ADDR[b, self.family]
        sport, dport = self.ports if side == "c" else self.ports[::-1]
        dev = "r0" if side == "c" else "r1"
        l4 = tcp(self.family, src, dst, sport, dport, seq, ack, flags, data)
        inject(dev, frame(mac("r", dev), mac(a, f"{a}0"), ip_packet(self.family, src, dst, 6, l4, ttl, options=options)))


def alive(conn):
    Tcp.pass_data(conn.client, conn.server, b"alive")
    Tcp.pass_data(conn.server, conn.client, b"alive")


def blind(family, fast):
    """States after each blind packet, and after the next genuine ones."""
    conn = Tcp(family)
    Tcp.pass_data(conn.client, conn.server, MEGA)
    conn.settle()
    stranger, port, out = Stranger(conn, family), conn.client.getsockname()[1], []
    end = stats()["end.tcp-flags"] if fast else 0
    for side in "sc":
        for flags in (RST, FIN | ACK, SYN, SYN | ACK, ACK | PSH, 0):
            for seq in (0x12345678, 0x92345678):
                stranger.send(side, flags, seq, ttl=99, data=b"no" if flags & PSH else b"")
            out.append(entry(family, port)[0])
        alive(conn)
        out.append(entry(family, port)[0])
    if fast:
        d = Delta()
        alive(conn)
        check(d["hits"] >= 2, f"{d.changed()}")
        equal(stats()["end.tcp-flags"], end, "flows that ended")
    conn.close()
    return out


def ignored(family):
    """A RST, FIN, SYN or segment that nobody's window has: conntrack and the flow stay as they are."""
    rule(family, STRICT)
    without = blind(family, False)
    equal(set(without), {"ESTABLISHED"}, "without natflow")
    select()
    equal(blind(family, True), without, "with natflow")


case_ignored_v4, case_ignored_v6 = both(ignored)


def case_ignored_unparsed():
    """The same with IPv4 options, and by another device: the ingress hook does not find the flow."""
    rule(4, STRICT)
    select()
    conn = Tcp(4)
    conn.settle()
    stranger, port = Stranger(conn, 4), conn.client.getsockname()[1]
    for flags in (RST, FIN | ACK):
        stranger.send("s", flags, options=b"\x01\x01\x01\x00")
        equal(entry(4, port)[0], "ESTABLISHED", "IPv4 options")
        l4 = tcp(4, ADDR["s", 4], ADDR["c", 4], *stranger.ports[::-1], 0x12345678, 1, flags)
        inject("r0", frame(mac("r", "r0"), mac("c", "c0"), ip_packet(4, ADDR["s", 4], ADDR["c", 4], 6, l4)))
        equal(entry(4, port)[0], "ESTABLISHED", "by the client's device")
    d = Delta()
    alive(conn)
    check(d["hits"] >= 2, f"{d.changed()}")
    conn.close()


def ends(family, fast):
    """Each way a connection ends after much data: states and seconds, packet by packet."""
    out = []
    for side, how in (("server", "rst"), ("client", "rst"), ("client", "fin"), ("server", "fin")):
        conn = Tcp(family)
        Tcp.pass_data(conn.client, conn.server, MEGA)
        Tcp.pass_data(conn.server, conn.client, MEGA)
        conn.settle()
        port = conn.client.getsockname()[1]
        d = Delta() if fast else None
        here, there = (conn.client, conn.server) if side == "client" else (conn.server, conn.client)
        # natflow tells conntrack of the last acknowledgement within a tick.
        wait(lambda: entry(family, port)[1] > 3600, "all is acknowledged")
        out.append(entry(family, port))
        if how == "rst":
            here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            here.close()
            try:
                there.recv(1)
                check(False, "no reset")
            except ConnectionResetError:
                pass
        else:
            here.shutdown(socket.SHUT_WR)
            equal(there.recv(1), b"", "end of the data")
            wait(lambda: entry(family, port)[0] == "CLOSE_WAIT", "half closed")
            there.close()
            wait(lambda: entry(family, port)[0] == "TIME_WAIT", "closed")
        out.append(entry(family, port))
        if fast:
            equal(d["end.tcp-flags"], 1, f"{side} {how}: {d.changed()}")
        conn.close()
    return out


def as_without(family):
    """A RST or FIN of either side: states and timeouts are those without natflow."""
    rule(family, STRICT)
    without = ends(family, False)
    select()
    got = ends(family, True)
    equal([s for s, _ in got], [s for s, _ in without], "states")
    check(all(abs(a - b) < 4 for (_, a), (_, b) in zip(got, without)), f"seconds {got}, without natflow {without}")


case_as_without_v4, case_as_without_v6 = both(as_without)


def case_unacknowledged():
    """Data that nobody acknowledges: the connection's timeout is the short one, as conntrack's own."""
    select()
    conn = Tcp(4)
    conn.settle()
    port = conn.client.getsockname()[1]
    wait(lambda: entry(4, port)[1] > 3600, "established")
    deaf = drop("c", "input", f"tcp dport {port}")
    d = Delta()
    conn.server.send(b"unheard")
    wait(lambda: d["hits"] and 0 < entry(4, port)[1] <= 300, "unacknowledged")
    deaf()
    equal(conn.client.recv(100), b"unheard", "what TCP sent again")
    wait(lambda: entry(4, port)[1] > 3600, "established")
    conn.close()


def slowed(family):
    """A thousand strange flags a second, of another TTL: the connection's packets stay fast."""
    rule(family, STRICT)
    select()
    conn = Tcp(family)
    conn.settle()
    stranger = Stranger(conn, family)
    alive(conn)
    d = Delta()
    for i in range(250):
        stranger.send("sc"[i % 2], (RST, FIN | ACK, SYN, SYN | ACK, PSH | ACK)[i % 5], 0x12345678 + (i << 24), ttl=99)
        alive(conn)
    slow = d["refuse.ttl-differs"] + d["refuse.tcp-window"] - 50
    check(d["hits"] >= 500 and slow <= 25, f"{d.changed()}")
    equal((d["end.tcp-flags"], len(published())), (0, 1), "flows that ended, flows")
    conn.close()


case_slowed_v4, case_slowed_v6 = both(slowed)
