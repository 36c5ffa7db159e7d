# SPDX-License-Identifier: GPL-2.0-only
"""One hostile, one innocent: whatever one client sends, the names of the others are logged and blocked as before.

The hostile one has the innocent one's MAC, as behind a router, unless its sources are forged: what it uses up is counted by the
MAC alone then.

Takes long: each fills what one client may hold of 32,768, and goes on.
"""
import contextlib
import errno

import bench
import urls
from natlab import (ADDR, LONG, Delta, Udp, ctl, drop, equal, frame, inet, ip_packet, kernel_wide, mac, refuses, rule, start,
                    tcp, udp, wait)

TRIES = 100 if LONG else 2
ACK, PSH = 16, 8
HOSTILE, OUTSIDE = "10.0.1.66", "10.0.2.66"
OWN = "02:00:00:00:66:66"
# Begins like an Initial of QUIC version 1 with a connection ID of eight bytes, and cannot be decrypted.
INITIAL = (b"\xc3\0\0\0\x01\x08" + b"12345678" + bytes(1200))[:1200]
PORTS = 10000


def order(dev, kind, packet, ports=PORTS, src=None):
    src = src or {"r0": mac("c", "c0"), "r1": mac("s", "s0")}[dev]
    return bench.order(dev, kind, ports, ports, frame(mac("r", dev), src, packet)).strip()


def tcp_packet(seq, flags, data, src=HOSTILE, dst=ADDR["s", 4]):
    return ip_packet(4, src, dst, 6, tcp(4, src, dst, 1024, 80, seq, 1, flags, data))


def udp_packet(src=HOSTILE, dst=ADDR["s", 4], sport=1024, dport=443):
    return ip_packet(4, src, dst, 17, udp(4, src, dst, sport, dport, INITIAL, zero=True))


def forged():
    """Each packet from another /64, all from one MAC."""
    src, dst = "fd00:2323:2323:2323:2323::1", ADDR["s", 6]
    packet = ip_packet(6, src, dst, 17, udp(6, src, dst, 1024, 443, INITIAL))
    at = packet.index(inet(6, src))
    return packet[:at + 2] + b"########" + packet[at + 10:]


def ahead():
    """Connections without a handshake, of which a byte comes 16,000 bytes ahead of the others."""
    return [order("r0", 4, tcp_packet(1000, ACK, b"")), order("r0", 4, tcp_packet(17000, ACK | PSH, b"x"))]


@contextlib.contextmanager
def flood(orders):
    """All of them again and again, as fast as this machine can."""
    lines = "; ".join(f"echo '{line}' > /proc/natlab_bench" for line in orders)
    p = start("r", ["sh", "-c", f"while :; do {lines}; done"])
    try:
        yield
    finally:
        p.kill()
        p.wait()


def innocent(log, tries=TRIES):
    """Blocked names are blocked, others pass, and each is logged once."""
    for n in range(tries):
        conn = urls.connect(4 + n % 2 * 2)
        conn.client.send(urls.hello("blocked.example"))
        refuses(lambda: conn.client.recv(1), errno.ECONNRESET)
        conn.close()
        conn = urls.connect(6 - n % 2 * 2)
        urls.say(conn, urls.hello(f"tls{n}.example"), 2)
        conn.close()
        flow = Udp(4, dport=444)
        flow.send(urls.initial(urls.crypto(0, urls.hello(f"quic{n}.example", records=False))))
        flow.reply()
        flow.close()
        equal([r["host"] for r in log.wait(3)], ["blocked.example", f"tls{n}.example", f"quic{n}.example"], f"names {n}")


def beside(orders):
    with kernel_wide("/proc/sys/net/netfilter/nf_conntrack_max", 100000):
        flooded(orders)


def flooded(orders):
    ctl("flow_limit=32768")
    drop("s", "input", f"ip saddr {HOSTILE}")
    log = urls.begin()
    urls.acl("add acl=0,2,blocked.example")
    for how in ("open", "closed"):
        ctl(f"inspect_fail={how}")
        with flood(orders):
            d = Delta()
            wait(lambda: d["name.share"] > 1000, "the flood meets its limit")
            innocent(log)
    equal(log.dropped, 0, "records lost")


def case_far_ahead():
    beside(ahead())


def case_one_byte():
    beside([order("r0", 4, tcp_packet(1000, ACK | PSH, b"G"))])


def case_many_ports():
    beside([order("r0", 4, udp_packet())])


def case_forged_sources():
    beside([order("r0", 6, forged(), src=OWN)])


def case_answered():
    """The same datagrams, and a server that answers each."""
    ports = 16000       # more than an address may hold
    beside([order("r0", 4, udp_packet(), ports), order("r1", 14, udp_packet(ADDR["s", 4], HOSTILE, 443, 1024), ports)])


def case_outside():
    """The same through a forwarded port."""
    rule(4, f"-A PREROUTING -i r1 -p tcp --dport 80 -j DNAT --to {ADDR['c', 4]}", table="nat")
    drop("c", "input", f"ip saddr {OUTSIDE}")
    beside([order("r1", 4, tcp_packet(1000, ACK | PSH, b"G", OUTSIDE, ADDR["r1", 4]))])
