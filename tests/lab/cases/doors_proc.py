# SPDX-License-Identifier: GPL-2.0-only
"""Permissions, namespaces, /proc and the tracepoints: what is shown is what happened, to whom it happened."""
import ctypes
import errno
import os
import re
import select as polling
import socket
import time

from natlab import (ADDR, CTL, Delta, LIBC, NET, PATIENCE, Tcp, Udp, check, ctl, equal, flows, hits, ip, log, netns_del,
                    ns, opened, published, read, refuses, rule, run, select, settings, stats, up, wait)


# -- who may

def case_permissions():
    """natflow_ctl wants CAP_NET_ADMIN, also of root; the flows and the log are root's, the summary everybody's."""
    before = settings()
    equal(os.stat(CTL).st_mode & 0o7777, 0o600, "mode of natflow_ctl")
    weak = "setpriv --bounding-set=-net_admin --inh-caps=-net_admin "
    for how in ("< /dev/natflow_ctl", "> /dev/natflow_ctl", "<> /dev/natflow_ctl"):
        status, out = run("r", (weak + "sh -c").split() + [": " + how], ok=False)
        check(status and "Operation not permitted" in out, f"{how}: {status} {out}")
    user = "setpriv --reuid=65534 --regid=65534 --clear-groups "
    for name, word, allowed in (("/dev/natflow_ctl", None, ()), ("/proc/natflow_flows", None, ("weak",)),
                                ("/proc/natflow_log", None, ("weak",)), ("/proc/natflow_urls", None, ("weak",)),
                                ("/dev/hostacl_ctl", None, ()), ("/dev/natflow_user_ctl", None, ()),
                                ("/dev/natflow_zone_ctl", None, ()), ("/dev/natflow_userinfo_ctl", None, ()),
                                ("/proc/natflow_users", None, ("weak",)),
                                ("/dev/natflow_urllogger_queue", None, ()), ("/dev/natflow_userinfo_queue", None, ()),
                                ("/proc/natflow", "hits", ("weak", "user"))):
        for kind, prefix in (("weak", weak), ("user", user)):
            status, out = run("r", prefix + "cat " + name, ok=False)
            equal(status == 0, kind in allowed, f"{kind} reads {name}: {out}")
            check(not word or word in out, out)
    for name in ("natflow", "natflow_flows", "natflow_log", "natflow_urls", "natflow_users"):
        def write():
            with opened(NET + name, os.O_WRONLY) as fd:
                os.write(fd, b"disabled=1\n")
        refuses(write, errno.EACCES, errno.EIO, errno.EINVAL)
    equal(settings(), before, "settings")


def in_child(what):
    """What what() returns, done by a process of its own that no longer is root of the machine."""
    out, into = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            text = str(what())
        except OSError as e:
            text = errno.errorcode[e.errno]
        os.write(into, text.encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as f:
        text = f.read()
    os.waitpid(pid, 0)
    return text


def case_permissions_user_namespace():
    """Where the mode lets anybody in, the capability in the user namespace of the network still decides."""
    before = settings()
    new_user, new_net = 0x10000000, 0x40000000

    def change(flags):
        def work():
            if flags and LIBC.unshare(flags):
                raise OSError(ctypes.get_errno(), "unshare")
            fd = os.open(CTL, os.O_RDWR)
            os.write(fd, b"delay_pkts=8\nselect=all\n")
            return "delay_pkts=8" in os.read(fd, 65536).decode()
        return work
    equal(in_child(change(0)), "EACCES", "mode 0600")
    os.chmod(CTL, 0o666)
    with ns("r"):
        equal(in_child(change(0)), "EPERM", "no capability")
        equal(in_child(change(new_user)), "EPERM", "root of a user namespace in somebody else's network")
        equal(in_child(change(new_user | new_net)), "True", "root of a user namespace in a network of its own")
    equal(settings(), before, "settings of the gateway")


# -- namespaces

STORE = "/proc/sys/urllogger_store/enable"


def case_store_namespaces():
    """One directory for all: it shows and sets what is the process's own, whoever looked it up first; others may not write."""
    def store(where, word=None):
        with ns(where), open(STORE, "r" if word is None else "w") as f:
            return int(f.read()) if word is None else f.write(word)
    for first, other in (("r", "c"), ("c", "r")):
        store(first, "1")
        equal((store(first), store(other)), (1, 0), f"{first} is on, {other} off")
        store(other, "1")
        store(first, "0")
        equal((store(first), store(other)), (0, 1), f"{first} is off, {other} on")
        store(other, "0")

    def written():
        with open(STORE, "w") as f:
            f.write("1")
        return "written"
    with ns("r"):
        equal(in_child(written), "EPERM", "no capability")
    equal(store("r"), 0, "still off")


def case_namespace_gone():
    """An open file does not keep its namespace; it says that it is gone."""
    select()
    flow = hits(Udp().learn())
    ip("r", "link add w0 type veth peer name w1 netns c")
    with opened() as fd, opened() as other, opened(where="c") as alive:
        os.write(fd, b"delay_pkts=5\ndelay_")
        poll = polling.poll()
        poll.register(fd, polling.POLLIN)
        equal(poll.poll(0), [(fd, polling.POLLIN)], "poll of a living one")
        poll.modify(fd, 0)
        netns_del("r")
        begin = time.monotonic()
        equal(poll.poll(1000 * PATIENCE), [(fd, polling.POLLHUP | polling.POLLERR)], "poll of a dead one")
        check(time.monotonic() - begin < PATIENCE, "poll was woken, it did not look again at its end")
        wait(lambda: "w1" not in run("c", "ip -o link"), "its devices are gone")
        for call in (lambda: os.read(fd, 100), lambda: os.read(other, 1), lambda: os.pread(fd, 10, 0),
                     lambda: os.write(fd, b"pkts=6\n"), lambda: os.write(other, b"\n"),
                     lambda: os.write(other, b"x" * 1000)):
            refuses(call, errno.ENODEV)
        equal(os.write(alive, b"delay_pkts=4\n"), 13, "the client's own natflow")
        equal(settings("c")[1], "delay_pkts=4", "its setting")
    flow.close()


def case_exit_with_half_a_line():
    """A process ends without closing the device, a line half written, when the namespace is gone."""
    wake, waker = os.pipe()
    ready, written = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            with ns("r"):
                os.write(os.open(CTL, os.O_WRONLY), b"delay_")
            os.write(written, b"x")
            os.read(wake, 1)
            os._exit(0)
        finally:
            os._exit(1)
    os.read(ready, 1)
    with opened() as fd:
        poll = polling.poll()
        poll.register(fd, 0)
        netns_del("r")
        equal(poll.poll(1000 * PATIENCE), [(fd, polling.POLLHUP | polling.POLLERR)], "the namespace is gone")
    os.write(waker, b"x")
    equal(os.waitpid(pid, 0)[1], 0, "status of the process")
    for end in (wake, waker, ready, written):
        os.close(end)


OTHER = ("c2", "r2", "s2")


def case_two_gateways():
    """Two gateways with the same addresses, ports and device names share nothing."""
    up(OTHER)
    both = ("r", "r2")
    ctl("select=all\ndelay_pkts=0")
    ctl("select=rules\nflow_limit=100\nifname_group_add=eth7", "r2")
    check(stats()["hooked"] == 1 and stats("r2")["hooked"] == 0, "hooked")
    check("ifname_group_add=eth7" not in settings() and "flow_limit=65536" in settings(), f"{settings()}")
    check("flow_limit=100" in settings("r2") and "delay_pkts=0" in settings("r2"), f"{settings('r2')}")
    ends = {"r": {}, "r2": {"client": "c2", "server": "s2"}}
    made = {(r, family): Udp(family, dport=7000, sport=6000, **ends[r]) for r in both for family in (4, 6)}
    for (r, _), flow in made.items():
        hits(flow.learn(), r == "r", where=r)
    equal([len(flows(r)) for r in both], [2, 0], "flows")
    for family in (4, 6):
        rule(family, where="r2")
    wait(lambda: stats("r2")["hooked"] == 1, "hooks of the other")
    equal([stats(r)["rules"] for r in both], [0, 2], "rules")
    for flow in made.values():
        flow.learn()
    d = {r: Delta(r) for r in both}
    for n in range(20):
        for (r, family), flow in made.items():
            flow.send(f"{r} {family} there {n}".encode())
            flow.reply(f"{r} {family} back {n}".encode())
    for r in both:
        equal(d[r]["hits"], 80, f"hits of {r}")
    # TCP last: a late ACK of its own would be one hit too many.
    conns = {r: Tcp(4, dport=7001, sport=6001, **ends[r]) for r in both}
    for r in both:
        Tcp.pass_data(conns[r].client, conns[r].server, r.encode() * 50000)
        check(d[r]["bytes"] > 50000 * len(r), f"TCP of {r}: {d[r].changed()}")
        equal(len(published(r)), 3, f"flows of {r}")
    # A file acts on the namespace of who opened it, wherever it is used.
    with opened() as one, opened(NET + "natflow", os.O_RDONLY) as shown, ns("r2"):
        os.write(one, b"flush proto=tcp\ndelay_pkts=9\n")
        refuses(lambda: os.write(one, b"bad\n"), errno.EINVAL)
        check(b"delay_pkts=9" in os.read(one, 65536), "settings by the file of r")
        check(b"\nrules 0\n" in os.read(shown, 65536), "summary of r")
    equal([len(published(r)) for r in both], [2, 3], "flows after a flush in one")
    equal([len(log(r)) for r in both], [1, 0], "log")
    conns["r2"].close()
    wait(lambda: len(published("r2")) == 2, "TCP ended")
    ctl("disabled=1")
    for (r, _), flow in made.items():
        hits(flow, r == "r2", where=r)
    netns_del("r")
    for (r, _), flow in made.items():
        if r == "r2":
            hits(flow, where=r)


# -- /proc

BUMPS = ("kernel-ipv4", "kernel-ipv6", "route", "rule", "nexthop", "netconf", "address", "device", "carrier", "station", "ruleset",
         "classify", "setting", "unheard")


def case_proc_summary():
    """`key value` lines, always the same in the same order, every reason once under its name."""
    with open("/lab/natflow_reason.h") as f:
        reasons = [f"{group}.{key}" for group, key in re.findall(r'X\((refuse|learn|end|name|drop), \w+, "([^"]+)"', f.read())]
    head = ["status", "version", "disabled", "select", "rules", "rules_reached", "learning", "hooked", "flows", "flows_half", "flows_peak",
            "flow_limit", "table_bytes", "percpu_bytes", "flow_bytes_ipv4", "flow_bytes_ipv6", "missed_event",
            "route_confirmed", *(f"bump.{cause}" for cause in BUMPS), "hits", "bytes",
            "users", "users_bytes", "users_evicted", "users_idle", "users_refused", "users_moved",
            "users_conflicts", "devices", "devices_evicted", "users_gone", "users_events", "users_events_unread", "users_events_unstored",
            "names_bytes", "answers_refused", "decryptions_refused", "names_produced", "names_merged", "names_limited",
            "names_unread", "names_early",
            "names_hints", "names_hints_gone", "access_refused", "access_redirected", "access_unanswered", "access_cut"]
    check(len(reasons) > 60 and len(set(reasons)) == len(reasons), "reasons in the header")

    def keys():
        return keys_of(read("/proc/natflow"))

    def keys_of(text):
        # Words in the first line and in the notes, which come and go.
        check(re.fullmatch(r"status (not )?accelerating: .+\n(?:note\.[a-z0-9]+ .+\n)*(?:[a-z_0-9.-]+ [^ \n]+\n)+", text),
              text)
        return [line.split()[0] for line in text.splitlines() if not line.startswith("note.")]
    equal(keys(), head + reasons, "keys")
    select()
    d = Delta()
    flow = Udp()
    flow.send(b"12345")
    equal([d[k] for k in ("refuse.miss", "learn.unconfirmed", "flows")], [1, 1, 0], "one packet")
    flow.reply(b"1234567")
    equal([d[k] for k in ("refuse.miss", "learn.half", "flows", "flows_half")], [2, 1, 0, 1], "its answer")
    flow.send(b"1")
    equal([d[k] for k in ("refuse.miss", "flows", "flows_half", "flows_peak", "hits")], [3, 1, 0, 1, 0], "the third")
    flow.reply(b"12")
    flow.send(b"x" * 100)
    equal([d[k] for k in ("refuse.miss", "hits", "bytes")], [3, 2, 30 + 128], "two hits")
    ctl("flush")
    equal([d[k] for k in ("flows", "flows_peak", "end.flush")], [0, 1, 1], "flushed")
    ctl("flow_limit=1000\nselect=mark:7")
    equal([stats()[k] for k in ("flow_limit", "select")], [1000, "mark:0x7/0xffffffff"], "settings")
    check(d["table_bytes"] < 0, "a smaller table")
    equal(keys(), head + reasons, "keys")
    for size in (1, 65536):
        with opened(NET + "natflow", os.O_RDONLY) as fd:
            got = b"".join(iter(lambda: os.read(fd, size), b"")).decode()
        equal(keys_of(got), head + reasons, f"read in pieces of {size}")


def line_of(family, proto, orig, reply, counts, devices=("r0", "r1"), state="published", hw="off"):
    """The line of a flow; a direction is src, dst, sport, dport as it comes in, then as it leaves."""
    def tuples(t):
        return " to ".join("src={} dst={} sport={} dport={}".format(*t[i:i + 4]) for i in (0, 4))
    a, b = devices
    return (f"ipv{family} {proto} state={state} idle=0 hw={hw} orig {tuples(orig)} in={a} out={b} packets={counts[0]} "
            f"bytes={counts[1]} reply {tuples(reply)} in={b} out={a} packets={counts[2]} bytes={counts[3]}")


def proc_flows(family):
    c, s, r0, r1 = (ADDR[k, family] for k in ("c", "s", "r0", "r1"))
    head = 28 if family == 4 else 48
    to = f"{s}:7000" if family == 4 else f"[{s}]:7000"
    rule(family, f"-A PREROUTING -i r0 -p udp --dport 80 -j DNAT --to-destination {to}", table="nat")
    rule(family, "-A POSTROUTING -o r1 -p udp --sport 6000 -j MASQUERADE --to-ports 40000", table="nat")
    select()
    flow = Udp(family, to=(r0, 80), dport=7000, sport=6000)
    flow.send()
    flow.reply()
    orig = (c, r0, 6000, 80, r1, s, 40000, 7000)
    reply = (s, r1, 7000, 40000, r0, c, 80, 6000)
    # The direction nobody has seen has no way out yet.
    want = line_of(family, "udp", orig, reply, (0, 0, 0, 0), state="half").replace(" in=r0 out=r1", " in=- out=-")
    equal(flows(), [want], "half known")
    flow.learn()
    d = Delta()
    plain = Udp(family, dport=7003, sport=6003).learn()
    sizes = [0, 1, 100, 1400]
    for n in sizes:
        flow.send(b"a" * n)
        plain.reply(b"b" * n)
    for n in sizes[1:]:
        flow.reply(b"c" * n)
    # learn() of a half known flow: one packet of the stack, then three hits; of a new one: a hit.
    equal(d["hits"], 2 * len(sizes) + len(sizes), f"hits {d.changed()}")
    total, one = len(sizes) * head + sum(sizes), head + 1
    equal(sorted(re.sub(" idle=[0-9]+ ", " idle=0 ", f) for f in flows()), sorted([
        line_of(family, "udp", orig, reply, (5, total + one, 5, total - head + 2 * one)),
        line_of(family, "udp", (c, s, 6003, 7003) * 2, (s, c, 7003, 6003) * 2, (0, 0, 5, total + one))]), "lines")
    conn = Tcp(family, dport=7004, sport=6004)
    conn.pass_data(conn.client, conn.server, b"t" * 100000)
    tcp = [f for f in flows() if " tcp " in f]
    want = line_of(family, "tcp", (c, s, 6004, 7004) * 2, (s, c, 7004, 6004) * 2, (0, 0, 0, 0))
    equal(re.sub(r"(packets|bytes|idle)=\d+", r"\1=0", tcp[0]), want, "TCP line")
    counted = [int(n) for n in re.findall(r"bytes=(\d+)", tcp[0])]
    check(counted[0] > 100000 > counted[1] > 0, f"TCP bytes: {tcp[0]}")


    def added_up():
        return [sum(int(n) for f in flows() for n in re.findall(key + r"=(\d+)", f)) for key in ("packets", "bytes")]
    # An ACK may come between the two.
    wait(lambda: added_up() == [stats()[k] for k in ("hits", "bytes")], "flows add up to the summary")


def case_proc_flows_v4():
    proc_flows(4)


def case_proc_flows_v6():
    proc_flows(6)


def pieces(size, between=None):
    """natflow_flows in reads of one size; between() runs after every whole line."""
    text = b""
    with opened(NET + "natflow_flows", os.O_RDONLY) as fd:
        while True:
            piece = os.read(fd, size)
            if not piece:
                return text.decode().splitlines()
            text += piece
            if between and piece.endswith(b"\n"):
                between()


def case_proc_flows_pieces():
    """Read in pieces while flows come and go: those that stay are there, once, and no line is broken."""
    select()
    stay = [Udp(n % 2 and 6 or 4, dport=7100 + n, sport=7100 + n).learn() for n in range(20)]
    want = sorted(7100 + n for n in range(len(stay)))
    whole = sorted(re.sub(" idle=[0-9]+ ", " ", f) for f in flows())
    for size in (1, 7, 4096, 65536):
        equal(sorted(re.sub(" idle=[0-9]+ ", " ", f) for f in pieces(size)), whole, f"in pieces of {size}")
    come = Udp(4, dport=7000, sport=6000)
    turn = iter(range(1000000))

    def churn():
        ctl("flush dport=7000") if next(turn) % 2 else come.learn()
    line = re.compile(r"ipv[46] udp state=(published|half|selected) idle=\d+ hw=off orig .* packets=\d+ bytes=\d+ "
                      r"reply .* packets=\d+ bytes=\d+")
    for size in (1, 100):
        got = pieces(size, churn)
        check(all(line.fullmatch(l) for l in got), f"{[l for l in got if not line.fullmatch(l)]}")
        ports = [int(re.search(r"sport=(\d+)", l).group(1)) for l in got]
        equal(sorted(p for p in ports if p >= 7100), want, f"flows that stay, in pieces of {size}")


def case_proc_flows_half():
    """The same for flows that are not published, while ageing looks at them and ends what was shown already."""
    select()
    made = [Udp(4, dport=7100 + n, sport=7100 + n) for n in range(10)]
    for flow in made:
        flow.send()
        flow.reply()
    equal(stats()["flows_half"], 10, "half known flows")
    d = Delta()
    shown = []

    def drop():
        if len(shown) < 7:
            run("r", f"conntrack -D -p udp --orig-port-src {7100 + len(shown)}")
            shown.append(1)
            wait(lambda: d["end.conntrack-gone"] == len(shown), "a half known flow aged")
    ports = [int(re.search(r"sport=(\d+)", l).group(1)) for l in pieces(1, drop)]
    equal(ports, [7100 + n for n in range(10)], "flows read")


# -- tracepoints

def case_log_classes():
    """Facts are kept from debug=4 on, in order and once; a setting that changes nothing says nothing."""
    ctl("select=all")
    equal(log(), [], "with debug=3")
    ctl("debug=4\ndisabled=1\ndisabled=1\ndisabled=0\ndisabled=0")
    equal(log(), ["hooks withdrawn", "hooks placed"], "with debug=4")
    ctl("debug=3\ndisabled=1")
    equal(len(log()), 2, "lines with debug=3 again")


def case_tracepoints():
    """natflow:refuse, learn and end say what the counters count."""
    base = "/sys/kernel/tracing/"

    def tracing(name, value):
        with open(base + name, "w") as f:
            f.write(value)

    def events():
        with open(base + "trace") as f:
            lines = [l.split(": ", 1)[1].strip() for l in f if not l.startswith("#")]
        tracing("trace", "")
        return [l for l in lines if not re.search("reason=(not-for-us|not-ip|protocol)$", l)]
    for name, fields in (("refuse", "ifindex len reason"), ("learn", "ct dir reason"), ("end", "ct reason")):
        with open(f"{base}events/natflow/{name}/format") as f:
            equal(re.findall(r"field:.*?(\w+);\s+offset:(?!.*common_)", f.read())[-len(fields.split()):],
                  fields.split(), f"fields of {name}")
    select()
    with ns("r"):
        index = {dev: socket.if_nametoindex(dev) for dev in ("r0", "r1")}
    tracing("trace", "")
    tracing("events/natflow/enable", "1")
    try:
        for family, head in ((4, 28), (6, 48)):
            flow = Udp(family)
            flow.learn()
            got = events()
            ct = re.findall(r"ct=(\S+) ", "\n".join(got))
            check(ct, f"{got}")
            a, b = f"refuse: ifindex={index['r0']} len={head + 1} reason=", f"refuse: ifindex={index['r1']} " \
                f"len={head + 1} reason="
            equal(got, [a + "miss", f"learn: ct={ct[0]} dir=0 reason=unconfirmed", b + "miss",
                        f"learn: ct={ct[0]} dir=1 reason=half", a + "miss", f"learn: ct={ct[0]} dir=0 reason=ok"],
                  f"events of the first packets, v{family}")
            ctl("flush")
            equal(events(), [f"end: ct={ct[0]} reason=flush"], "events of a flush")
        flow.learn()
        conn = Tcp()
        events()
        conn.close()
        wait(lambda: stats()["end.tcp-flags"] == 1, "TCP ended")
        check(any(re.fullmatch(r"end: ct=\S+ reason=tcp-flags", l) for l in events()), "end of TCP")
        ctl("disabled=1")
        equal([re.sub("ct=[^ ]+ ", "", l) for l in events() if "end:" in l], ["end: reason=disabled"],
              "events of disabled=1")
    finally:
        tracing("events/natflow/enable", "0")
