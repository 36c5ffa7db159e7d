# SPDX-License-Identifier: GPL-2.0-only
"""A cut is a cut: who may not use the line any more has no connection left, at neither end and not in conntrack."""
import errno
import re
import struct
import tempfile
import time

from natlab import (ADDR, Capture, Delta, Tcp, Udp, both, check, conntrack, ctl, equal, hits, ip, mac, on_one_bridge, published, refuses,
                    reachable, rule, run, second_link, select, wait)

USER, ZONE, INFO = "/dev/natflow_user_ctl", "/dev/natflow_zone_ctl", "/dev/natflow_userinfo_ctl"
PORTAL = {4: "10.0.2.80", 6: "fd00:2::80"}


def zones(text="lan_zone 1=r0\nwan_zone 2=r1"):
    ctl("users=1")
    ctl(text, device=ZONE)


def portal(family):
    """Whoever has c's MAC logs in first; the portal is a second address of s."""
    ip("s", f"addr add {PORTAL[family]}/{24 if family == 4 else 64} dev s0 {'nodad preferred_lft 0' if family == 6 else ''}")
    run("r", "ipset restore", text=f"create guests hash:mac\nadd guests {mac('c', 'c0')}\n")
    ctl(f"redirect_ip={PORTAL[4]}\nredirect_ip6={PORTAL[6]}\nauth id=7,szone=1,type=web,sipgrp=guests\ndisabled=0", device=USER)


def set_status(family, number):
    ctl(f"set-status {ADDR['c', family]} {number}", device=INFO)


def resets(where, dev, family):
    """RSTs that arrive there from now on, as (source port, target port, sequence number, acknowledgement)."""
    kind, l4 = (b"\x08\0", 34) if family == 4 else (b"\x86\xdd", 54)
    return Capture(where, dev, lambda f: f[12:14] == kind and f[23 if family == 4 else 20] == 6 and f[l4 + 13] & 4)


def numbers_of(capture, family):
    l4 = 34 if family == 4 else 54
    return struct.unpack("!HHII", capture.next()[l4:l4 + 12])


def is_over(conn):
    """Both ends hear of it, although nobody speaks."""
    for sock in (conn.client, conn.server):
        refuses(lambda: sock.recv(1), errno.ECONNRESET)


def entries(family):
    """Server ports of c's connections in conntrack."""
    listed = conntrack(f"-L -f {'ipv4' if family == 4 else 'ipv6'} -s {ADDR['c', family]}").splitlines()
    return sorted(int(line.split("dport=")[1].split()[0]) for line in listed if "dport=" in line)


def cut(family):
    """A login is taken back: idle connections end at both ends at once, fast or not, behind NAT; those that pass stay."""
    zones()
    rule(family, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    select()
    Udp(family).learn().close()         # now c is known
    portal(family)
    set_status(family, 1)
    conntrack("-F")
    fast, slow, here = Tcp(family, dport=9001), Tcp(family, dport=9002, established=False), Tcp(
        family, dport=9003, server="r", to=(ADDR["r0", family], 9003))
    flow, question = Udp(family, dport=9004).learn(), Udp(family, dport=53).learn()
    page = Tcp(family, dport=80, to=(PORTAL[family], 80))
    fast.settle()
    equal(entries(family), [53, 80, 9001, 9002, 9003, 9004], "in conntrack")
    heard = {n: resets(n, f"{n}0", family) for n in "cs"}
    want = {}
    for conn in (fast, slow):
        seq, ack = conn.numbers()
        cport, sport, port = conn.client.getsockname()[1], conn.server.getsockname()[1], conn.peer[1]
        want[sport] = ((sport, cport, ack, seq), (port, sport, seq, ack))
    d = Delta()
    set_status(family, 3)
    is_over(fast)
    is_over(slow)
    wait(lambda: entries(family) == [53, 80, 9003], "only what passes is in conntrack")
    for n, at in (("c", 0), ("s", 1)):
        equal(sorted(numbers_of(heard[n], family) for _ in range(2)), sorted(w[at] for w in want.values()), f"RSTs that {n} got")
        heard[n].none()
    # Nobody had to send a packet for that.
    equal((d["access_cut"], d["access_refused"], d["hits"]), (3, 0, 0), f"{d.changed()}")
    # The server's datagrams find no way in any more.
    flow.server.sendto(b"late", flow.peer)
    question.send(b"passes")
    question.reply(b"passes")
    for conn in (page, here):
        conn.pass_data(conn.client, conn.server, b"goes on")
    flow.client.setblocking(False)
    refuses(lambda: flow.client.recv(1), errno.EAGAIN, errno.ECONNREFUSED)
    # Nothing passes now; what is for this host does.
    set_status(family, 6)
    is_over(page)
    wait(lambda: entries(family) == [9003], "only this host's is in conntrack")
    here.pass_data(here.client, here.server, b"goes on")
    equal(published(), [], "fast flows")
    # Let in again.
    set_status(family, 1)
    hits(Udp(family, dport=9005).learn())
    Tcp(family, dport=9006).close()
    equal(d["access_cut"], 5, f"{d.changed()}")


case_cut_v4, case_cut_v6 = both(cut)


def rules(family):
    """The portal is switched on, and a rule comes: connections of before end, others stay."""
    zones()
    select()
    conn, flow = Tcp(family), Udp(family).learn()
    d = Delta()
    portal(family)
    is_over(conn)
    wait(lambda: entries(family) == [], "nothing in conntrack")
    equal((d["access_cut"], d["access_refused"], published()), (2, 0, []), f"{d.changed()}")
    # Another's are let alone, and kick only sends them to the firewall.
    ctl("clean", device=USER)
    conn = Tcp(family)
    flow.learn()
    d = Delta()
    ctl("auth id=1,szone=9,type=web,sipgrp=guests", device=USER)
    ctl(f"kick {ADDR['c', family]}", device=INFO)
    equal(d["end.kick"], 2, f"{d.changed()}")
    conn.pass_data(conn.client, conn.server, b"goes on")
    flow.send(b"goes on")
    equal(d["access_cut"], 0, f"{d.changed()}")


case_rules_v4, case_rules_v6 = both(rules)


def case_between_users():
    """Between two LANs a user who is not refused keeps its connections to one who is; the other way they end."""
    zones("lan_zone 1=r0\nlan_zone 2=r1")
    Udp(4).learn().close()
    portal(4)
    set_status(4, 1)
    forth, back = Tcp(4), Tcp(4, client="s", server="c", to=(ADDR["c", 4], 9100), dport=9100)
    set_status(4, 3)
    is_over(forth)
    back.pass_data(back.client, back.server, b"goes on")
    back.pass_data(back.server, back.client, b"goes on")
    set_status(4, 6)
    is_over(back)


def case_bridged():
    """On one bridge the gateway is not on the way, and ends nothing."""
    on_one_bridge(4)
    zones()
    select()
    conn = Tcp(4, dport=9100)
    equal(entries(4), [9100], "br_netfilter tracks it")
    ip("r", """addr del 10.0.1.1/24 dev r0
        addr add 10.0.1.1/24 dev br0""")
    wait(lambda: reachable("c", 4, "10.0.1.1"), "c reaches br0")
    second_link("s", "s1", 3)
    zones("clean\nlan_zone 1=br0\nwan_zone 2=r2")
    ip("c", "route add 10.0.3.0/24 via 10.0.1.1")
    ip("s", "route add 10.0.1.9/32 via 10.0.3.1")
    ip("c", "addr add 10.0.1.9/24 dev c0")
    routed = Tcp(4, to=("10.0.3.2", 9101), dport=9101, prepare=lambda sock: sock.bind(("10.0.1.9", 0)), established=False)
    d = Delta()
    portal(4)
    set_status(4, 6)
    is_over(routed)
    # The same sweep has seen the other connection.
    conn.pass_data(conn.client, conn.server, b"goes on")
    equal((d["access_refused"], d["access_cut"]), (0, 1), f"{d.changed()}")


def case_share():
    """A user with 3,000 connections: RSTs for its share, the rest is refused when a packet comes."""
    def ports():
        """Each connection once: a dump that begins a bucket anew shows it twice (ctnetlink_dump_table())."""
        return set(re.findall(r"sport=(\d+) dport=9 ", conntrack("-L -f ipv4 -p tcp")))

    def all_left():
        """How many were cut, if the others are there. On 7.3 one dump in thirty shows one less, or more; what is lost stays lost."""
        cut = d["access_cut"]
        return len(ports()) == 3000 - cut and cut
    zones()
    Udp(4).learn().close()
    portal(4)
    set_status(4, 1)
    conntrack("-F")
    with tempfile.NamedTemporaryFile("w", suffix=".ct") as f:
        for port in range(3000):
            f.write(f"-I -p tcp --state ESTABLISHED -u SEEN_REPLY,ASSURED -t 300 -s {ADDR['c', 4]} -d {ADDR['s', 4]} "
                    f"--sport {10000 + port} --dport 9\n")
        f.flush()
        run("r", f"conntrack -R {f.name}")
    wait(lambda: len(ports()) == 3000, "all are in conntrack", 10)
    heard = resets("s", "s0", 4)
    d, begun = Delta(), time.monotonic()
    set_status(4, 6)
    wait(lambda: d["access_cut"] + d["access_unanswered"] >= 3000, "all were looked at")
    # 500 at once, and a thousand a second.
    cut = wait(all_left, "those that are left are in conntrack", 10)
    check(500 <= cut <= 501 + 1000 * (time.monotonic() - begun), f"{d.changed()}")
    # A veth's receiver takes a thousand packets in a row, and may drop the rest.
    for _ in range(400):
        heard.next()
