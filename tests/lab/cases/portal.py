# SPDX-License-Identifier: GPL-2.0-only
"""natflow_user_ctl: who may use the line, what passes before a login, what is said to the rest."""
import errno
import re
import socket
import struct
import time

import bench
from access import INFO, PROHIBITED, USER, ZONE
from natlab import (ADDR, Capture, Delta, PATIENCE, Tcp, Udp, both, check, csum, ctl, drain, equal, frame, hits, inject, ip, ip_packet, log,
                    mac, netns_add, netns_del, ns, published, read, refuses, run, select, settings, start, stats, sysctl, tcp,
                    udp_socket, wait)
from natlab.packets import l4_sum

PORTAL = {4: "10.0.2.80", 6: "fd00:2::80"}
GET = b"GET /page HTTP/1.1\r\nHost: www.example\r\n\r\n"
DEFAULTS = ["clean", "redirect_ip=10.10.10.10", "redirect_ip6=::", "no_flow_timeout=1800", "dst_bypasslist_name=", "src_bypasslist_name=",
            "https_redirect_en=0", "https_redirect_port=443", "timezone=", "policy_clean", "disabled=1"]


def auth(text, where="r"):
    ctl(text, where, USER)


def info(text):
    ctl(text, device=INFO)


def sets(*commands):
    run("r", "ipset restore", text="".join(c + "\n" for c in commands))


def begin(kind="web", group="guests"):
    """c's side is LAN zone 1 and its MAC in the group, s's side is WAN; the portal is a second address of s."""
    ctl("lan_zone 1=r0\nwan_zone 2=r1", device=ZONE)
    # The kernel's own limit, of six at once and one a second to a host.
    sysctl("r", "net.ipv4.icmp_ratelimit", 0)
    sysctl("r", "net.ipv6.icmp.ratelimit", 0)
    for family in (4, 6):
        # The server's answers keep their source address.
        ip("s", f"addr add {PORTAL[family]}/{24 if family == 4 else 64} dev s0 {'nodad preferred_lft 0' if family == 6 else ''}")
    sets(f"create {group} hash:mac", f"add {group} {mac('c', 'c0')}")
    auth(f"redirect_ip={PORTAL[4]}\nredirect_ip6={PORTAL[6]}\nauth id=7,szone=1,type={kind},sipgrp={group}\ndisabled=0")


def listen(family, port, where="s"):
    with ns(where):
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("0.0.0.0" if family == 4 else "::", port))
    sock.listen(8)
    return sock


def client(family, kind=socket.SOCK_STREAM, sport=0):
    with ns("c"):
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind)
    sock.settimeout(PATIENCE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sport:
        sock.bind(("0.0.0.0" if family == 4 else "::", sport))
    return sock


def reset_at_once(family, port, to=None, sport=0):
    refuses(lambda: client(family, sport=sport).connect((to or ADDR["s", family], port)), errno.ECONNREFUSED)


def prohibited(family, port, to=None, sport=0):
    sock = client(family, socket.SOCK_DGRAM, sport)
    sock.connect((to or ADDR["s", family], port))
    sock.send(b"x")
    refuses(lambda: sock.recv(1), *PROHIBITED[family])


def heard(where, dev, family, *protocols):
    """Packets of these protocols that arrive there from now on, without neighbour discovery."""
    kind, at, l4 = (b"\x08\0", 23, 34) if family == 4 else (b"\x86\xdd", 20, 54)
    return Capture(where, dev, lambda f: f[12:14] == kind and f[at] in protocols and not (f[at] == 58 and 133 <= f[l4] <= 137))


def payload(family, data):
    """What follows the IP header of a frame."""
    return data[34 if family == 4 else 54:]


def from_client(family, proto, l4):
    inject("r0", frame(mac("r", "r0"), mac("c", "c0"), ip_packet(family, ADDR["c", family], ADDR["s", family], proto, l4)))


def counts(d):
    return [d[f"access_{k}"] for k in ("refused", "redirected", "unanswered")]


def refused(family):
    """TCP gets a RST and all else an ICMP error, at once; nothing arrives; the packets are counted."""
    begin()
    icmp = 1 if family == 4 else 58
    listener = listen(family, 9999)
    at_server, back = (heard("s", "s0", family, 6, 17, icmp) for _ in range(2))
    d = Delta()
    for port in (9999, 443, 22):
        reset_at_once(family, port)
    for port in (9999, 443, 123):
        prohibited(family, port)
    # Of other protocols, the echo of ping.
    errors = heard("c", "c0", family, icmp)
    echo = struct.pack("!BBHHH", 8 if family == 4 else 128, 0, 0, 1, 1)
    from_client(family, icmp, l4_sum(family, ADDR["c", family], ADDR["s", family], icmp, echo, 2) if family == 6 else
                echo[:2] + struct.pack("!H", 0xffff ^ csum(echo)) + echo[4:])
    equal(payload(family, errors.next())[:2], b"\x03\x0d" if family == 4 else b"\x01\x01", "ICMP error")
    equal(counts(d), [7, 0, 0], f"{d.changed()}")
    # A chosen source port opens nothing, on either side.
    for port in (53, 67, 547, 80):
        reset_at_once(family, 9999, sport=port)
        prohibited(family, 9999, sport=port)
    at_server.none()
    equal(counts(d), [15, 0, 0], f"{d.changed()}")
    # From outside: the port of a service is no service, and nobody there is answered.
    inside = udp_socket("c", family, port=5353)
    outside = udp_socket("s", family, port=53)
    for port in (5353, 53):
        outside.sendto(b"x", (ADDR["c", family], port))
    l4 = tcp(family, ADDR["s", family], ADDR["c", family], 53, 9, 1, 0, 2)
    inject("r1", frame(mac("r", "r1"), mac("s", "s0"), ip_packet(family, ADDR["s", family], ADDR["c", family], 6, l4)))
    equal(counts(d), [18, 0, 0], f"{d.changed()}")
    inside.setblocking(False)
    refuses(lambda: inside.recv(1), errno.EAGAIN)
    back.none()
    listener.close()


case_refused_v4, case_refused_v6 = both(refused)


def passes(family):
    """Before the login: DNS, the family's DHCP and the portal; also through NAT."""
    begin()
    d = Delta()
    for port in (53, 67 if family == 4 else 547):
        Udp(family, dport=port).learn().close()
    Tcp(family, dport=53).close()
    Tcp(family, dport=8080, to=(PORTAL[family], 8080)).close()
    Tcp(family, dport=80, to=(PORTAL[family], 80)).close()
    Udp(family, dport=9000, to=(PORTAL[family], 9000), at=PORTAL[family]).learn().close()
    equal(d["access_refused"], 0, f"{d.changed()}")
    prohibited(family, 547 if family == 4 else 67)
    reset_at_once(family, 67)
    equal(d["access_refused"], 2, f"{d.changed()}")
    # Servers that everybody may use; the set may come later, and go.
    auth("dst_bypasslist_name=free")
    prohibited(family, 9001)
    sets(f"create free hash:ip family {'inet' if family == 4 else 'inet6'}", f"add free {ADDR['s', family]}")
    Udp(family, dport=9001).learn().close()
    run("r", "ipset destroy free")
    prohibited(family, 9001)


case_passes_v4, case_passes_v6 = both(passes)


def redirect(family):
    """A page that is asked for: the server hears nothing, the answer says who asked, and where to log in."""
    begin()
    at_server = heard("s", "s0", family, 6)
    d = Delta()
    for request in (GET, b"HEAD / HTTP/1.0\r\n\r\n", b"POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n"):
        conn = client(family)
        conn.connect((ADDR["s", family], 80))
        conn.send(request)
        got = b""
        while piece := conn.recv(65536):
            got += piece
        host = PORTAL[4] if family == 4 else f"[{PORTAL[6]}]"
        want = (f"HTTP/1.1 302 Found\r\nLocation: http://{host}/index.html?ip={ADDR['c', family]}&mac={mac('c', 'c0')}&rid=7&_t=NOW\r\n"
                "Cache-Control: no-store\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        equal(re.sub(r"_t=\d{10}\r", "_t=NOW\r", got.decode()), want, "the answer")
        conn.close()
    equal(d["access_redirected"], 3, f"{d.changed()}")
    # What is no request gets a reset, however it begins.
    conn = client(family)
    conn.connect((ADDR["s", family], 80))
    conn.send(b"SSH-2.0-OpenSSH\r\n")
    refuses(lambda: conn.recv(1), errno.ECONNRESET)
    equal(d["access_redirected"], 3, f"{d.changed()}")
    # Who did not get the SYN-ACK cannot know its number, and gets no page.
    at_client = heard("c", "c0", family, 6)
    from_client(family, 6, tcp(family, ADDR["c", family], ADDR["s", family], 5000, 80, 1, 1, 16 | 8, GET))
    answer = payload(family, at_client.next())
    equal(answer[:4], struct.pack("!HH", 80, 5000), "ports")
    check(answer[13] & 4 and len(answer) == 20, f"answer {answer.hex()}")
    equal(d["access_redirected"], 3, f"{d.changed()}")
    at_server.none()
    # Without an IPv6 portal the other one's address is told.
    if family == 6:
        auth("redirect_ip6=::")
        conn = client(family)
        conn.connect((ADDR["s", family], 80))
        conn.send(GET)
        check(f"Location: http://{PORTAL[4]}/index.html?ip=fd00:1::2&".encode() in conn.recv(65536), "the other portal")


case_redirect_v4, case_redirect_v6 = both(redirect)


def status(family):
    """Type, status and rule of the client, as the list has them."""
    address = ADDR["c", 4] if family == 4 else "fd00:0001:0000:0000:0000:0000:0000:0002"
    line, = [l for l in read(INFO).splitlines() if l.startswith(address + ",")]
    return [int(n, 0) for n in line.split(",")[2:5]]


def login(family):
    """set-status lets in and takes back; BLOCK ends fast flows at once, and says so to both ends."""
    begin()
    select()
    client_is = f"set-status {ADDR['c', family]}"
    refuses(lambda: info(client_is + " 1"), errno.ENOENT)
    reset_at_once(family, 9999)
    equal(status(family), [2, 3, 7], "type, status, rule")
    info(client_is + " 1")
    equal(status(family), [2, 1, 7], "after the login")
    conns, flow = [Tcp(family) for _ in range(2)], Udp(family).learn()
    for conn in conns:
        conn.settle()
    hits(flow)
    equal(len(published()), 3, "fast flows")
    d = Delta()
    info(client_is + " 6")
    equal((d["end.access"], published()), (3, []), f"{d.changed()}")
    # Nobody has to speak: both are told.
    for sock in (conns[0].client, conns[0].server, conns[1].client, conns[1].server):
        refuses(lambda: sock.recv(1), errno.ECONNRESET)
    flow.client.send(b"more")
    refuses(lambda: flow.client.recv(1), *PROHIBITED[family])
    flow.server.sendto(b"more", flow.peer)
    prohibited(family, 53)
    prohibited(family, 9000, to=PORTAL[family])
    drain(flow.server)
    flow.client.setblocking(False)
    refuses(lambda: flow.client.recv(1), errno.EAGAIN)
    flow.client.settimeout(PATIENCE)
    equal(d["hits"], 0, f"{d.changed()}")
    # NOAUTH: as before the login, without the portal's page.
    info(client_is + " 4")
    Udp(family, dport=53).learn().close()
    reset_at_once(family, 80)
    # VIP; then the rules again, and a kick does the same.
    info(client_is + " 5")
    flow.send(b"again")
    for back in (client_is + " 0", f"kick {ADDR['c', family]}", "kickall"):
        info(client_is + " 1")
        flow.send(b"in")
        info(back)
        prohibited(family, 9999)
        equal(status(family), [2, 3, 7], back)
    equal(d["access_redirected"], 0, f"{d.changed()}")
    # What was set by hand stays when rules change, and is in force at once.
    info(client_is + " 1")
    auth("clean")
    auth("auth id=3,szone=1,type=web,sipgrp=guests")
    flow.send(b"still in")
    equal(status(family), [2, 1, 3], "by another rule")


case_login_v4, case_login_v6 = both(login)


def rules_change(family):
    """Rules and sets that change reach fast flows: a rule at once, a set within a second of traffic."""
    begin()
    select()
    inet = "inet" if family == 4 else "inet6"
    sets(f"create members hash:ip family {inet}", f"add members {ADDR['c', family]}")
    auth("auth id=1,szone=1,type=auto,sipgrp=members")
    flow = hits(Udp(family).learn())
    equal(status(family), [1, 1, 1], "type, status, rule")
    d = Delta()
    run("r", f"ipset del members {ADDR['c', family]}")

    def out():
        flow.client.send(b"still there?")
        flow.client.settimeout(0.05)
        try:
            flow.client.recv(1)
        except TimeoutError:
            return False
        except OSError:
            return True
    wait(out, "the set's change is noticed")
    check(d["refuse.access"] >= 1, f"{d.changed()}")
    drain(flow.server, flow.client)
    flow.client.settimeout(PATIENCE)
    run("r", f"ipset add members {ADDR['c', family]}")
    auth("update_magic")
    hits(flow.learn())
    # A rule that goes, while the flow is fast.
    d = Delta()
    auth("begin\nclean\nauth id=7,szone=1,type=web,sipgrp=guests\ncommit")
    flow.client.send(b"x")
    refuses(lambda: flow.client.recv(1), *PROHIBITED[family])
    flow.server.sendto(b"y", flow.peer)
    wait(lambda: d["access_refused"] == 2, "both are refused")
    equal(d["hits"], 0, f"{d.changed()}")
    # Those in a white list, by address or MAC, and clients that no rule is for.
    for word, kind, member, want in (("ipwhite", f"hash:ip family {inet}", ADDR["c", family], 5),
                                     ("macwhite", "hash:mac", mac("c", "c0"), 5)):
        sets(f"create {word} {kind}", f"add {word} {member}")
        auth(f"begin\nclean\nauth id=7,szone=1,type=web,sipgrp=guests,{word}={word}\ncommit")
        flow.send(b"in")
        equal(status(family), [2, want, 7], word)
    auth("begin\nclean\nauth id=7,szone=1,type=web,sipgrp=guests\nsrc_bypasslist_name=ipwhite\ncommit")
    flow.send(b"in")
    equal(status(family), [0, 2, 255], "src_bypasslist_name")
    auth("src_bypasslist_name=\ndisabled=1")
    flow.send(b"in")


case_rules_change_v4, case_rules_change_v6 = both(rules_change)

BAD = (
    ("auth id=0,szone=1,type=web", errno.EINVAL, "'auth id=0': expected id=, szone=, type= and sipgrp="),
    ("auth id=255,szone=1,type=web,sipgrp=a", errno.ERANGE, "'id=255': expected a number from 0 to 1023, but not 255"),
    ("auth id=0,szone=127,type=web,sipgrp=a", errno.ERANGE, "'szone=127': expected the number of a zone, 0 to 126"),
    ("auth id=0,szone=1,type=all,sipgrp=a", errno.EINVAL, "'type=all': expected web or auto"),
    ("auth id=0,szone=1,type=web,sipgrp=a,sipgrp=b", errno.EINVAL, "'sipgrp=b': expected id=, szone=, type=, sipgrp=, "),
    ("auth id=3,szone=2,type=web,sipgrp=a", errno.EEXIST, "'auth': expected another id than that of: auth id=3,szone=1,type=web,"
                                                          "sipgrp=a, as in: clean"),
    ("auth id=4,szone=1,type=auto,sipgrp=a", errno.EEXIST, "'auth': expected another zone or set than that of: auth id=3,szone=1,"),
    ("redirect_ip=fd00::1", errno.EINVAL, "'fd00::1': expected an IPv4 address, as in: redirect_ip=10.10.10.10"),
    ("redirect_ip6=10.0.0.1", errno.EINVAL, "'10.0.0.1': expected an IPv6 address"),
    ("no_flow_timeout=0", errno.ERANGE, "'0': expected 1 to 31536000"),
    ("https_redirect_en=1", errno.EOPNOTSUPP, "'https_redirect_en=1' is of the original natflow: no redirection of HTTPS"),
    ("dst_bypasslist_name=" + "x" * 32, errno.EINVAL, f"'{'x' * 32}': expected the name of an ipset or nothing"),
    ("lan_zone 1=eth0", errno.EINVAL, "'lan_zone 1=eth0': expected a command that reading the device lists"),
    ("disabled=2", errno.ERANGE, "'2': expected 0 or 1"),
)


def case_words():
    """Each wrong line: its errno, its sentence, nothing changed; contradicting rules are named."""
    equal(settings(device=USER), DEFAULTS, "as loaded")
    auth("auth id=3,szone=1,type=web,sipgrp=a")
    before = settings(device=USER)
    for line, number, said in BAD:
        have = log()
        refuses(lambda: auth("# first\n" + line), number)
        new = log()[len(have):]
        equal(len(new), 1, f"log lines for {line}: {new}")
        check(new[0].startswith("natflow_user_ctl line 2: " + said), f"{line}: {new[0]}")
        refuses(lambda: auth(f"begin\nclean\nauth id=3,szone=1,type=web,sipgrp=a\n{line}\ncommit"), number, errno.ECANCELED)
        equal(settings(device=USER), before, line)
    auth("auth id=3,szone=1,type=web,sipgrp=a\nauth_open_weixin_reply=1")
    equal((settings(device=USER), log()[-1]), (before, "auth_open_weixin_reply: no effect"), "the same rule again")
    refuses(lambda: ctl("auth id=0,szone=1,type=web,sipgrp=a"), errno.EOPNOTSUPP)


def case_identity():
    """What is read can be written back, here and elsewhere; a thousand rules, too, by id."""
    netns_add("x")
    ids = [n for n in range(1024) if n != 255]
    text = "".join(f"auth id={n},szone={n % 127},type={('web', 'auto')[n % 2]},sipgrp=set_{n}{',ipwhite=w' * (n % 3 == 0)}"
                   f"{',macwhite=m' * (n % 5 == 0)}\n" for n in reversed(ids))
    auth(f"begin\nredirect_ip=192.168.1.1\nredirect_ip6=fd00::1\nno_flow_timeout=86400\ndst_bypasslist_name=d\n"
         f"src_bypasslist_name=s\nhttps_redirect_port=8443\n{text}disabled=0\ncommit")
    shown = read(USER)
    equal([l for l in settings(device=USER) if l.startswith("auth")], text.splitlines()[::-1], "rules")
    equal(settings(device=USER)[-1], "disabled=0", "the last line")
    for where in ("r", "x"):
        auth("begin\n" + shown + "commit", where)
        equal(read(USER, where), shown, f"written back to {where}")
    auth("\n".join(DEFAULTS))
    equal(settings(device=USER), DEFAULTS, "defaults")
    # Gone while it is on; the module is unloaded behind the last case.
    netns_del("x")


# What the original's script writes, in its order; several run at once when interfaces come up.
SCRIPT = """ipset -! create auth_sipgrp_0_v4 hash:net; ipset -! create auth_sipgrp_0_v6 hash:net family inet6
ipset -! add auth_sipgrp_0_v4 10.0.1.0/24; ipset -! add auth_sipgrp_0_v6 fd00:1::/64
{ ipset -! create auth_sipgrp_0 list:set; ipset -! add auth_sipgrp_0 auth_sipgrp_0_v4; ipset -! add auth_sipgrp_0 auth_sipgrp_0_v6; } 2> /dev/null
for line in clean disabled=0 auth\\ id=0,szone=1,type=web,sipgrp=auth_sipgrp_0,ipwhite=,macwhite= no_flow_timeout=86400 \
    redirect_ip=10.0.2.80 https_redirect_en=0 https_redirect_port=443 update_magic
do echo "$line" > /dev/natflow_user_ctl || exit; done"""


def case_original_script():
    """The original's writes, two scripts at a time: no line is refused, and the portal is there."""
    ctl("lan_zone 1=r0\nwan_zone 2=r1", device=ZONE)
    two = [start("r", ["bash", "-c", SCRIPT]) for _ in range(2)]
    for script in two:
        out = script.communicate(timeout=PATIENCE * 6)[0]
        equal((script.returncode, out or ""), (0, ""), "script")
    equal([l for l in settings(device=USER) if "bypass" not in l],
          ["clean", "redirect_ip=10.0.2.80", "redirect_ip6=::", "no_flow_timeout=86400", "https_redirect_en=0", "https_redirect_port=443",
           "timezone=", "policy_clean", "auth id=0,szone=1,type=web,sipgrp=auth_sipgrp_0", "disabled=0"], "settings")
    equal(log(), [], "log")
    # The debug kernels have no sets of sets.
    if not run("r", "ipset list -n auth_sipgrp_0", ok=False)[1].startswith("auth"):
        sets("create auth_sipgrp_0 hash:mac", f"add auth_sipgrp_0 {mac('c', 'c0')}")
        auth("update_magic")
    for family in (4, 6):
        reset_at_once(family, 443)
        conn = client(family)
        conn.connect((ADDR["s", family], 80))
        conn.send(GET)
        check(b"\r\nLocation: http://10.0.2.80/index.html?ip=" in conn.recv(65536), "redirect")


def case_one_hostile():
    """20,000 SYNs: few are answered, and another client's page is."""
    begin()
    sets("add guests 02:00:00:00:00:66")
    hostile = ip_packet(4, "10.0.1.66", ADDR["s", 4], 6, tcp(4, "10.0.1.66", ADDR["s", 4], 1024, 80, 1, 0, 2))
    d, begun = Delta(), time.monotonic()
    for _ in range(5):
        bench.generate("r0", 4, 1, 4000, frame(mac("r", "r0"), "02:00:00:00:00:66", hostile))
        conn = client(4)
        conn.connect((ADDR["s", 4], 80))
        conn.send(GET)
        equal(conn.recv(12), b"HTTP/1.1 302", "the other client's answer")
        conn.close()
    # A thousand answers a second, and a burst; slow kernels do not send more.
    took = time.monotonic() - begun
    check(d["access_unanswered"] >= 20000 - 1000 * (took + 2), f"{took:.1f} s: {d.changed()}")
    equal(d["access_redirected"], 5, f"{d.changed()}")


def case_users_stay_on():
    """Who is refused is known by its record: counting users cannot end before."""
    begin()
    refuses(lambda: ctl("users=0"), errno.EBUSY)
    check("disabled=1 in natflow_user_ctl" in log()[-1], log()[-1])
    auth("disabled=1")
    ctl("users=0")


def neighbours(family):
    """A user who is not refused reaches one who is, a printer for example; that one reaches nobody by itself."""
    begin()
    ctl("clean\nlan_zone 1=r0\nlan_zone 2=r1", device=ZONE)
    back = Udp(family, to=(ADDR["c", family], 9100), dport=9100, client="s", server="c")
    back.learn()
    Tcp(family, to=(ADDR["c", family], 9101), dport=9101, client="s", server="c").close()
    prohibited(family, 9100)
    info(f"set-status {ADDR['c', family]} 6")
    back.client.send(b"x")
    back.server.setblocking(False)
    back.server.sendto(b"y", back.peer)
    wait(lambda: stats()["access_refused"] == 3, "all are refused")
    refuses(lambda: back.server.recv(1), errno.EAGAIN, *PROHIBITED[family])


case_neighbours_v4, case_neighbours_v6 = both(neighbours)
