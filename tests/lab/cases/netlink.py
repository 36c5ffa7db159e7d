# SPDX-License-Identifier: GPL-2.0-only
"""The generic netlink family: it says what /proc says, and takes what the devices take."""
import errno
import os
import random
import re
import socket
import struct

from natlab import (Tcp, Udp, check, conntrack, ctl, equal, flows, log, netns_del, ns, refuses, rule, run, select, settings, stats,
                    up)
from natlab.genl import CHANGED, FLOW_GET, LINE, SET, Genl, Refused, listed, number
from natlab.rtnl import ACK, DONE, DUMP, text

QOS = "/dev/natflow_qos_ctl"
VALUES = {14: "disabled", 16: "rules", 17: "learning", 18: "hooked", 19: "flows", 20: "flows_half", 21: "flow_limit", 22: "hits",
          23: "bytes"}
WORDS = {13: "version", 15: "select"}


def summary(genl):
    got, reasons = {}, {}
    for kind, data in genl.get():
        if kind == 24:
            r = dict(listed(data))
            name = ".".join(r[k].rstrip(b"\0").decode() for k in (3, 4))
            reasons[name] = number(r[5])
            equal(number(r[2]), len(reasons), f"number of {name}")
        else:
            got[WORDS.get(kind) or VALUES[kind]] = data.rstrip(b"\0").decode() if kind in WORDS else number(data)
    return got, reasons


def case_summary():
    """GET answers with the numbers of /proc/natflow, each reason under its number and name."""
    select()
    flow = Udp().learn()
    genl = Genl()
    got, reasons = summary(genl)
    shown = stats()
    equal(got, {k: shown[k] for k in got}, "values")
    equal(set(got), set(VALUES.values()) | set(WORDS.values()), "all of them")
    equal(reasons, {k: shown[k] for k in reasons}, "reasons")
    equal(set(reasons), {k for k in shown if re.match("(refuse|learn|end|name|drop)[.]", k)}, "all of them")
    check(reasons["refuse.miss"], "something is counted")
    flow.close()


def words(line):
    """A line of /proc/natflow_flows, as genl.flow() has it, without devices and the idle time."""
    family, proto, state, _, hw = line.split(" ", 5)[:5]
    ends = [m.groups() for m in re.finditer(r"src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)", line)]
    sums = re.findall(r"packets=(\d+) bytes=(\d+)", line)

    def direction(d):
        pair = [(a, b, int(p), int(q)) for a, b, p, q in ends[2 * d:2 * d + 2]]
        return {"tuple": pair[0] + pair[1], "packets": int(sums[d][0]), "bytes": int(sums[d][1])}
    return {"family": int(family[3:]), "proto": proto, "state": state[6:], "hw": hw[3:], "orig": direction(0), "reply": direction(1)}


def plain(flow):
    return {k: {a: b for a, b in v.items() if a not in ("in", "out")} if isinstance(v, dict) else v for k, v in flow.items()
            if k not in ("id", "idle")}


def ids(family):
    return {int(i) for i in re.findall(r" id=(\d+)", conntrack(f"-L -o id -f ipv{family}"))}


def index(dev):
    with ns("r"):
        return socket.if_nametoindex(dev)


def same_as_proc(family):
    rule(family, "-A POSTROUTING -o r1 -p udp --sport 6000 -j MASQUERADE --to-ports 40000", table="nat")
    select()
    many = [Udp(family, dport=7000 + n, sport=6000 + n).learn() for n in range(3)]
    half = Udp(family, dport=7100, sport=6100)
    half.send()
    half.reply()
    conn = Tcp(family, dport=7200, sport=6200).learn()
    conn.settle()
    genl = Genl()
    got, disturbed = genl.flows()
    check(not disturbed, "nobody disturbed it")
    by_tuple = {f["orig"]["tuple"]: f for f in got}
    equal(len(by_tuple), 5, "flows")
    for line in flows():
        want = words(line)
        equal(plain(by_tuple[want["orig"]["tuple"]]), want, line)
    for f in got:
        check(f["id"] in ids(family), f"conntrack lists {f['id']}")
        equal((f["orig"]["in"], f["orig"]["out"]), (index("r0"), index("r1")) if f["state"] == "published" else
              (f["orig"]["in"], f["orig"]["out"]), "devices")
        check(f["idle"] < 60000, "idle")
    for condition, count in (("proto=tcp", 1), ("proto=udp dport=7001", 1), ("sport=6000", 1), ("dev=r1", 5), ("dport=9", 0)):
        equal(len(genl.flows(condition)[0]), count, condition)
    for wrong in ("proto=sctp", "src=10.0.0.0/33", "colour=red"):
        refuses(lambda: genl.flows(wrong), errno.EINVAL, errno.ERANGE)
    for f in (*many, half, conn):
        f.close()


def case_flows_v4():
    """FLOW_GET lists what /proc/natflow_flows lists, with the ids of conntrack; a filter is that of flush."""
    same_as_proc(4)


def case_flows_v6():
    same_as_proc(6)


def case_set():
    """Lines of any device, all or none; the line that is to blame is named."""
    genl = Genl()
    genl.set("delay_pkts=7", "# a comment", "flow_limit=1000\nselect=mark:5")
    check({"delay_pkts=7", "flow_limit=1000"} <= set(settings()), f"{settings()}")
    genl.set("add user=10.0.1.2,rxbytes=1000", device="natflow_qos_ctl")
    check(any(line.startswith("add user=10.0.1.2") for line in settings(device=QOS)), "another device")
    before = settings()
    lines = ["delay_pkts=8", "flow_limit=2000", "delay_pkts=eight", "flow_limit=3000"]
    try:
        genl.set(*lines)
        check(False, "a wrong line was taken")
    except Refused as e:
        equal(e.errno, errno.EINVAL, "errno")
        check("natflow_log says why" in e.sentence, e.sentence)
        # Behind the headers: the device, and the lines before it.
        equal(e.offset, 20 + sum(4 + (len(t) + 1 + 3 & ~3) for t in ("natflow_ctl", *lines[:2])), "offset of the line")
    check("natflow_ctl line 3: 'eight': expected" in log()[-1], log()[-1])
    for wrong, number_of in ((("begin",), errno.EINVAL), (("commit",), errno.EINVAL), (("x" * 300,), errno.EINVAL),
                             (("delay_pkts=1\x01",), errno.EINVAL), (("delay_pkts=8",) * 2049, errno.E2BIG),
                             (("delay_pkts=8", "nonsense"), errno.EINVAL)):
        refuses(lambda: genl.set(*wrong), number_of)
    refuses(lambda: genl.set("delay_pkts=8", device="natflow"), errno.ENODEV)
    refuses(lambda: genl.set("delay_pkts=8", device="x" * 40), errno.EINVAL)
    refuses(lambda: genl.ask(genl.family, SET, text(LINE, "delay_pkts=8")), errno.EINVAL)
    refuses(lambda: genl.ask(genl.family, 9), errno.EOPNOTSUPP)
    equal(settings(), before, "settings")


def case_permissions():
    """The summary is everybody's; lines and flows want CAP_NET_ADMIN."""
    genl = Genl()
    pid = os.fork()
    if not pid:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        try:
            summary(genl)
            refuses(lambda: genl.set("delay_pkts=8"), errno.EPERM)
            refuses(genl.flows, errno.EPERM)
            os._exit(0)
        finally:
            os._exit(1)
    equal(os.waitpid(pid, 0)[1], 0, "another user's")
    check("delay_pkts=8" not in settings(), "nothing was set")


def case_namespaces():
    """A socket belongs to a namespace, and keeps natflow's part of it."""
    up(("c2", "r2", "s2"))
    one, other = Genl(), Genl("r2")
    one.set("delay_pkts=3")
    other.set("delay_pkts=4")
    equal([[l for l in settings(r) if l.startswith("delay")] for r in ("r", "r2")], [["delay_pkts=3"], ["delay_pkts=4"]], "settings")
    select()
    flow = Udp().learn()
    equal([len(g.flows()[0]) for g in (one, other)], [1, 0], "flows")
    netns_del("r2")
    equal(len(other.flows()[0]), 0, "the socket keeps it")
    flow.close()


def case_resized():
    """A dump that a resize disturbs says so; half read, it keeps the module."""
    ctl("select=all")
    sock = [Udp(dport=20000 + n, sport=20000 + n).learn() for n in range(300)]
    genl = Genl()
    genl.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    genl.send(genl.family, FLOW_GET, flags=DUMP)
    first = list(genl.messages())
    check(0 < len(first) < 300 and not any(flags & CHANGED for _, flags, _ in first), f"{len(first)} in the first piece")
    status, out = run("r", "rmmod natflow", ok=False)
    check(status and "in use" in out, out)
    ctl("flow_limit=2000")
    rest = []
    while not rest or rest[-1][0] != DONE:
        rest += genl.messages()
    check(any(flags & CHANGED for _, flags, _ in rest), "it says that it was disturbed")
    equal(len(genl.flows()[0]), 300, "all, when nothing disturbs")
    for s in sock:
        s.close()


def case_nonsense():
    """Attributes of any kind and size are refused or ignored, and change nothing."""
    genl, dice = Genl(), random.Random(7)
    before = settings()
    codes = set()
    for _ in range(1000):
        body = b"".join(struct.pack("=HH", max(0, 4 + len(data) + dice.choice((0, 0, 0, -3, 5))), dice.randrange(40) | dice.choice((0, 0, 0x8000))) +
                        data + bytes(-len(data) % 4) for data in (dice.randbytes(dice.randrange(60)) for _ in range(dice.randrange(5))))
        try:
            genl.ask(genl.family, dice.randrange(1, 6), body, flags=dice.choice((ACK, DUMP, DUMP | ACK)))
            codes.add(0)
        except Refused as e:
            codes.add(e.errno)
        except socket.timeout:
            check(False, f"no answer to {body.hex()}")
    check({0, errno.EINVAL, errno.EOPNOTSUPP} <= codes, f"answers {codes}")
    equal(settings(), before, "settings")
