# SPDX-License-Identifier: GPL-2.0-only
"""Law 7, conntrack tells the truth while packets pass it by."""
import os
import re
import socket
import struct

from natlab import (Capture, Delta, Tcp, Udp, both, check, conntrack, conntrack_entry, ctl, equal, exchange, frame,
                    inject, ip, ip_packet, mac, ns, published, rule, run, select, start, sysctl,
                    tcp, wait)

MEGA = bytes(range(256)) * 4096     # 1 MiB


def invalid(family):
    return int(re.search(r"\[(\d+):\d+\] -A FORWARD -m conntrack --ctstate INVALID",
                         run("r", f"ip{'6' if family == 6 else ''}tables-legacy-save -c")).group(1))


def watched(family):
    """Packets that conntrack calls invalid are counted, and dropped as every firewall does."""
    rule(family, "-A FORWARD -m conntrack --ctstate INVALID -j DROP")
    select()


def state(conn):
    return conntrack_entry("tcp", more="-f ipv6" if ":" in conn.client.getsockname()[0] else "",
                           sport=conn.client.getsockname()[1])[0].split()[3]


def half_close(family):
    """20 MB down after the client's FIN: every byte arrives, by the stack, and the end is tracked."""
    watched(family)
    conn = Tcp(family)
    d = Delta()
    Tcp.pass_data(conn.client, conn.server, MEGA * 4)
    check(d["hits"] > 50, f"{d.changed()}")
    conn.client.shutdown(socket.SHUT_WR)
    equal(conn.server.recv(1), b"", "end of the client's data")
    equal(d["end.tcp-flags"], 1, f"{d.changed()}")
    d = Delta()
    Tcp.pass_data(conn.server, conn.client, MEGA * 20)
    equal(d["hits"], 0, "hits after the FIN")
    wait(lambda: state(conn) in ("CLOSE_WAIT", "FIN_WAIT"), "half-closed in conntrack")
    conn.server.close()
    equal(conn.client.recv(1), b"", "end of the server's data")
    wait(lambda: state(conn) in ("TIME_WAIT", "LAST_ACK"), "closed in conntrack")
    equal(invalid(family), 0, "packets called invalid")


case_half_close_v4, case_half_close_v6 = both(half_close)


def reset_by_server(conn):
    """The server sends an RST, and the client gets it."""
    conn.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.server.close()
    try:
        conn.client.recv(1)
        check(False, "no reset")
    except ConnectionResetError:
        pass


def reset(family):
    """An RST after much data nobody tracked: it arrives, and conntrack closes. The tuple is used again at once."""
    watched(family)
    port = None
    for _ in range(3):
        conn = Tcp(family, dport=7100, sport=6100)
        d = Delta()
        Tcp.pass_data(conn.client, conn.server, MEGA * 2)
        Tcp.pass_data(conn.server, conn.client, MEGA * 2)
        check(d["hits"] > 30, f"{d.changed()}")
        port = conn.client.getsockname()[1]
        reset_by_server(conn)
        equal(d["end.tcp-flags"], 1, f"{d.changed()}")
        equal(state(conn), "CLOSE", "state in conntrack")
        conn.close()
    equal(port, 6100, "one tuple")
    equal(invalid(family), 0, "packets called invalid")


case_reset_and_reuse_v4, case_reset_and_reuse_v6 = both(reset)


def case_far_behind():
    """4.5 GiB pass unseen, in jumps as wide as the window: conntrack has followed, and still tells a FIN from a blind one."""
    watched(4)
    client, server = "10.0.1.77", "10.0.2.77"
    ip("r", f"neigh add {client} lladdr {mac('c', 'c0')} dev r0\nneigh add {server} lladdr {mac('s', 's0')} dev r1")
    seen = {"r0": Capture("s", "s0", lambda f: f[23] == 6), "r1": Capture("c", "c0", lambda f: f[23] == 6)}
    macs = {"r0": (mac("r", "r0"), mac("c", "c0")), "r1": (mac("r", "r1"), mac("s", "s0"))}
    scale = {"data": b"\x03\x03\x0e\x01", "doff": 6, "window": 0xffff}      # 16 KiB a unit: windows of 1 GiB

    def packet(dev, seq, ack, flags, data=b"", **more):
        way = (client, server, 5000, 80) if dev == "r0" else (server, client, 80, 5000)
        l4 = tcp(4, *way, seq, ack, flags, **{"window": 0xffff, "data": data, **more})
        inject(dev, frame(*macs[dev], ip_packet(4, way[0], way[1], 6, l4)))

    def arrives(dev, *words, data=b"", **more):
        packet(dev, *words, data=data, **more)
        got = seen[dev].next()
        equal(got[34 + 20:34 + 20 + len(data)], data, "data")

    packet("r0", 99, 0, 0x02, **scale)
    packet("r1", 900, 100, 0x12, **scale)
    seen["r0"].next()
    seen["r1"].next()
    arrives("r0", 100, 901, 0x10)
    for i in range(4):
        arrives("r0", 100 + i, 901 + i, 0x18, data=b"a")
        arrives("r1", 901 + i, 101 + i, 0x18, data=b"b")
    wait(published, "published")
    d = Delta()
    at, jump = 104, 0x38000000
    for _ in range(5):
        at += jump
        arrives("r0", at, 905, 0x18, data=b"c")
        at += 1
        arrives("r1", 905, at, 0x10)
    equal((d["hits"], d["refuse.tcp-window"]), (10, 0), f"{d.changed()}")
    for n, away in enumerate((-0x40000000, 0x60000000)):
        packet("r0", at + away, 905, 0x11)
        packet("r1", 905 + away, at, 0x14)
        wait(lambda n=n: d["refuse.tcp-flags"] == 2 * (n + 1), "both took the stack")    # each port has a CPU of its own
        equal(state_of(client), "ESTABLISHED", "after a FIN and a RST far away")
    equal((d["end.tcp-flags"], len(published())), (0, 1), f"{d.changed()}")
    strange = invalid(4)
    check(strange, "conntrack calls them invalid")
    arrives("r0", at, 905, 0x11)
    arrives("r1", 905, at + 1, 0x11)
    arrives("r0", at + 1, 906, 0x10)
    equal((d["end.tcp-flags"], invalid(4)), (1, strange), f"{d.changed()}")
    equal(state_of(client), "TIME_WAIT", "state in conntrack")


def state_of(client):
    return conntrack_entry("tcp", src=client)[0].split()[3]


def case_unseen():
    """3 GiB one way, unseen; then the stack has the connection again, strict: nothing is INVALID, and the reset arrives."""
    sysctl("r", "net.netfilter.nf_conntrack_tcp_be_liberal", 0)
    watched(4)
    conn = Tcp()
    d, size, sent, got = Delta(), 3 << 30, 0, 0
    # Pages of one file, and a receiver that only counts: nobody copies them.
    with open("/tmp/zeros", "w+b") as f:
        f.truncate(2 << 20)
        conn.client.setblocking(False)
        while got < size:
            try:
                if sent < size:
                    sent += os.sendfile(conn.client.fileno(), f.fileno(), sent % (1 << 20), min(1 << 20, size - sent))
            except BlockingIOError:
                pass
            got += len(conn.server.recv(1 << 20, socket.MSG_TRUNC))
    os.unlink("/tmp/zeros")
    conn.client.settimeout(60)
    check(d["hits"] > 40000, f"{d.changed()}")
    check(d["bytes"] > size, f"{d.changed()}")
    ctl("disabled=1")
    d = Delta()
    Tcp.pass_data(conn.client, conn.server, MEGA)
    Tcp.pass_data(conn.server, conn.client, MEGA)
    equal(d["hits"], 0, "hits")
    reset_by_server(conn)
    equal(state(conn), "CLOSE", "state in conntrack")
    equal(invalid(4), 0, "packets called invalid")


def udp_life(family):
    """UDP: ASSURED and the stream timeout by fast packets alone, then the timeout, then the end."""
    sysctl("r", "net.netfilter.nf_conntrack_udp_timeout", 30)
    sysctl("r", "net.netfilter.nf_conntrack_udp_timeout_stream", 90)
    select()
    flow = Udp(family).learn()
    args = f"-L -p udp -f ipv{family}"
    check("ASSURED" not in conntrack(args), "not assured yet")
    d = Delta()
    wait(lambda: exchange(flow, 1) or "ASSURED" in conntrack(args), "assured")
    equal(d.changed().get("learn.half", 0), 0, "only fast packets")
    equal(d["hits"] % 2, 0, f"every packet was fast: {d.changed()}")
    timeout = int(conntrack_entry("udp", more=f"-f ipv{family}")[0].split()[2])
    check(80 <= timeout <= 90, f"stream timeout, {timeout} s left")
    sysctl("r", "net.netfilter.nf_conntrack_udp_timeout_stream", 1)
    exchange(flow, 1)
    wait(lambda: d["end.conntrack-gone"] == 1, "flow ended with its timeout")
    equal(conntrack(args).count("udp"), 0, "entries")


case_udp_life_v4, case_udp_life_v6 = both(udp_life)


def case_tcp_timeout():
    """The timeout is the namespace's own, moved by traffic, and not a fixed day."""
    select()
    conn = Tcp()
    sysctl("r", "net.netfilter.nf_conntrack_tcp_timeout_established", 500)
    Tcp.pass_data(conn.client, conn.server, MEGA)
    wait(lambda: 490 <= int(conntrack_entry("tcp")[0].split()[2]) <= 500, "timeout follows the setting")
    check("[OFFLOAD]" not in conntrack_entry("tcp")[0], "not marked as somebody's offload")


def counters(family):
    """conntrack -L, -E, -D and a program of libnetfilter_conntrack see each packet and byte."""
    sysctl("r", "net.netfilter.nf_conntrack_acct", 1)
    # By default only entries made while somebody listens have events.
    sysctl("r", "net.netfilter.nf_conntrack_events", 1)
    select()
    flow = Udp(family, dport=7000, sport=6000)
    flow.learn()
    data, count = b"d" * 100, 50
    for _ in range(count):
        flow.send(data)
        flow.reply(data)
    head = 28 if family == 4 else 48
    packets = count + 2
    size = count * (100 + head) + 2 * (1 + head)
    wanted = [str(packets)] * 2, [str(size)] * 2
    f = f"-f ipv{family}"

    def listed():
        line = [l for l in conntrack(f"-L -p udp {f}").splitlines() if "dport=7000" in l][0]
        return re.findall(r"packets=(\d+)", line), re.findall(r"bytes=(\d+)", line)

    wait(lambda: listed() == wanted, f"counters {wanted}")
    line = run("r", f"/lab/ctprog dump {4 if family == 4 else 6} 7000").split()
    equal(line, ["udp", "6000", "7000", str(packets), str(size), str(packets), str(size)], "the library's view")
    watch = start("r", f"conntrack -E -e DESTROY -p udp {f} --buffer-size 1048576", stdout=open("/tmp/events", "w"))

    def destroyed(port):
        return [l for l in open("/tmp/events") if f"dport={port} " in l]

    # It listens once it shows an event: entries of another port, made and deleted until it does.
    other = Udp(family, dport=7009)
    wait(lambda: other.send() or run("r", f"conntrack -D {f} -p udp --dport 7009", ok=False) and destroyed(7009),
         "conntrack -E listens")
    d = Delta()
    run("r", f"/lab/ctprog delete {4 if family == 4 else 6} 7000")
    event = wait(lambda: destroyed(7000), "DESTROY event")[0]
    watch.terminate()
    watch.wait()
    equal((re.findall(r"packets=(\d+)", event), re.findall(r"bytes=(\d+)", event)), wanted, "DESTROY event")
    wait(lambda: d["end.conntrack-gone"] == 1, "flow ended")
    flow.learn()
    d = Delta()
    run("r", f"conntrack -F {f}")
    wait(lambda: d["end.conntrack-gone"] >= 1, "flow ended by conntrack -F")
    exchange(flow, 3)


case_counters_v4, case_counters_v6 = both(counters)


def case_expired_is_not_woken():
    """A packet after the timeout finds no flow; it makes a new conntrack."""
    sysctl("r", "net.netfilter.nf_conntrack_udp_timeout", 1)
    sysctl("r", "net.netfilter.nf_conntrack_udp_timeout_stream", 1)
    select()
    flow = Udp().learn()
    d = Delta()
    wait(lambda: not published(), "expired")
    with ns("r"):
        flow.send()
    equal(d["hits"], 0, f"{d.changed()}")
    equal(d["learn.unconfirmed"] + d["refuse.miss"] >= 1, True, f"{d.changed()}")
