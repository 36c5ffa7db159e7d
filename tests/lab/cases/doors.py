# SPDX-License-Identifier: GPL-2.0-only
"""The doors: the iptables target, natflow_ctl, /proc and the tracepoints say and do what they promise."""
import contextlib
import ctypes
import errno
import os
import random
import re
import select as polling
import socket
import struct

import natlab
from natlab import (ADDR, Delta, Tcp, Udp, check, ctl, equal, flows, ip, netns_add, netns_del, ns, published, read,
                    rule, run, select, sh, start, stats, up, wait)

CTL = "/dev/natflow_ctl"
NET = "/proc/net/"


@contextlib.contextmanager
def opened(path=CTL, flags=os.O_RDWR, where="r"):
    with ns(where):
        fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def refuses(call, *numbers):
    """call() fails with one of these errnos."""
    try:
        call()
    except OSError as e:
        check(e.errno in numbers, f"{e}, want {[errno.errorcode[n] for n in numbers]}")
        return
    check(False, f"succeeded, want {[errno.errorcode[n] for n in numbers]}")


def settings(where="r"):
    return [line for line in read(CTL, where).splitlines() if not line.startswith("#")]


def log(where="r"):
    with ns(where), open(NET + "natflow_log", "rb") as f:
        return [re.sub(r"^\[\d+\.\d{3}\] ", "", line.decode("latin1")) for line in f.read().splitlines()]


def hits(flow, want=1, count=5, where="r"):
    """Round trips with right bytes; all of them are hits, or none."""
    d = Delta(where)
    for i in range(count):
        flow.send(b"there %d" % i)
        flow.reply(b"back %d" % i)
    equal(d["hits"], 2 * count * want, f"hits of {count} round trips: {d.changed()}")
    return flow


def rules(n, where="r"):
    wait(lambda: stats(where)["rules"] == n, f"{n} rules")


# -- the iptables target

VARIANTS = [(f"{ip}-{kind}", 6 if "6" in ip else 4) for kind in ("legacy", "nft") for ip in ("iptables", "ip6tables")]


def each_variant(test):
    """One case per variant, named after it."""
    for program, family in VARIANTS:
        def case(program=program, family=family):
            def ipt(command, ok=True):
                return run("r", f"{program} -w {command}", ok)
            test(ipt, program, family)
        globals()[f"case_{test.__name__}_{program.replace('-', '_')}"] = case
    return test


def forward_rules(ipt):
    return [line for line in ipt("-S FORWARD").splitlines() if line.startswith("-A")]


@each_variant
def target_words(ipt, program, family):
    """What is written is what is printed, and what was saved is what is restored."""
    ipt("-A FORWARD -j FLOWOFFLOAD")
    ipt("-A FORWARD -p udp -j FLOWOFFLOAD --hw")
    want = ["-A FORWARD -j FLOWOFFLOAD", "-A FORWARD -p udp -j FLOWOFFLOAD --hw"]
    equal(forward_rules(ipt), want, "rules")
    listed = ipt("-nvL FORWARD")
    check(re.search(r"FLOWOFFLOAD .*FLOWOFFLOAD hw\s*$", listed, re.M), listed)
    rules(2)

    def save():
        return [l for l in run("r", f"{program}-save").splitlines() if not l.startswith("#")]
    before = save()
    equal([l for l in before if l.startswith("-A FORWARD")], want, "saved")
    ipt("-F")
    rules(0)
    run("r", f"{program}-restore", text="\n".join(before) + "\n")
    equal(save(), before, "saved, restored and saved")
    rules(2)
    help_text = ipt("-j FLOWOFFLOAD --help")
    check("FLOWOFFLOAD target options:" in help_text and "--hw" in help_text, help_text)
    for wrong in ("--software", "--hw --hw", "--hw yes", "! --hw"):
        status, out = ipt("-A FORWARD -j FLOWOFFLOAD " + wrong, ok=False)
        check(status, f"{wrong} accepted: {out}")
    equal(forward_rules(ipt), want, "rules after refusals")


@each_variant
def target_counts(ipt, program, family):
    """`rules` follows the rules up and down, whatever takes them away."""
    ipt("-N mine")
    for n, command in enumerate(("-A FORWARD -j FLOWOFFLOAD", "-I FORWARD -j FLOWOFFLOAD --hw",
                                 "-A mine -j FLOWOFFLOAD", "-t mangle -A FORWARD -j FLOWOFFLOAD"), 1):
        ipt(command)
        rules(n)
    for n, command in ((3, "-D FORWARD 1"), (3, "-A FORWARD -j ACCEPT"), (2, "-D FORWARD -j FLOWOFFLOAD"),
                       (1, "-F"), (0, "-t mangle -F")):
        ipt(command)
        rules(n)
    wait(lambda: stats()["hooked"] == 0, "hooks gone")
    # A restore that fails changes nothing.
    status, _ = natlab.run("r", ["sh", "-c", f"printf '*filter\\n-A FORWARD -j FLOWOFFLOAD\\n-A FORWARD -j NONE\\n"
                                             f"COMMIT\\n' | {program}-restore -n"], ok=False)
    check(status, "wrong restore accepted")
    rules(0)


@each_variant
def target_selects(ipt, program, family):
    """Matches, user chains, and never a verdict: the rules behind it see every packet of the stack."""
    ipt("-N mine")
    ipt("-A mine -p udp -m multiport --ports 7001 -j FLOWOFFLOAD")
    ipt("-A FORWARD -p udp -m udp --dport 7000 -j FLOWOFFLOAD")
    ipt("-A FORWARD -j mine")
    ipt("-A FORWARD -p udp -m comment --comment behind -j RETURN")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    d = Delta()
    chosen = [Udp(family, dport=7000), Udp(family, dport=7002), Udp(family, dport=7001)]
    for flow in chosen:
        flow.learn()
    # By port 7000 only the client's packets select: both directions are known with the reply behind it.
    fast = d["hits"]
    behind = [l.split() for l in ipt("-nvxL FORWARD").splitlines() if "behind" in l]
    equal(int(behind[0][0]), 12 - fast, f"packets at the rule behind: {d.changed()}")
    for flow, want in zip(chosen, (1, 0, 1)):
        hits(flow, want)
    equal(len(published()), 2, "flows selected")
    ipt("-F")
    rules(0)
    hits(chosen[0])
    ctl("flush")
    for flow in chosen:
        hits(flow, 0)


@each_variant
def target_elsewhere(ipt, program, family):
    """In a chain that is not FORWARD the rule is accepted and does nothing."""
    for chain in ("-A INPUT", "-A OUTPUT", "-t mangle -A PREROUTING", "-t mangle -A POSTROUTING",
                  "-t raw -A PREROUTING", "-t nat -A POSTROUTING"):
        ipt(chain + " -j FLOWOFFLOAD")
    rules(6)
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    hits(Udp(family).learn(), 0)
    equal(flows(), [], "flows")
    ipt("-t mangle -A FORWARD -j FLOWOFFLOAD")
    hits(Udp(family).learn())


@each_variant
def target_hw(ipt, program, family):
    ipt("-A FORWARD -j FLOWOFFLOAD --hw")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    d = Delta()
    flow = Udp(family).learn()
    # The first packet is not confirmed, the three behind it were offered.
    equal(d["learn.hw-none"] + d["hits"], 3, f"packets offered: {d.changed()}")
    hits(flow)
    check(" hw=no-back-end " in flows()[0], flows()[0])


def replace_entries(family, change):
    """Give the filter table back as the kernel has it, after change()."""
    level = socket.IPPROTO_IP if family == 4 else socket.IPPROTO_IPV6
    with ns("r"), socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_RAW,
                                socket.IPPROTO_RAW) as sock:
        def get(option, size, head):
            buf = ctypes.create_string_buffer(head, size)
            length = ctypes.c_uint(size)
            check(natlab.LIBC.getsockopt(sock.fileno(), level, option, buf, ctypes.byref(length)) == 0, "getsockopt")
            return buf.raw
        name = b"filter".ljust(32, b"\0")
        info = get(64, 84, name)
        number, size = struct.unpack_from("=II", info, 76)
        entries = change(bytearray(get(65, 40 + size, name + struct.pack("=I", size))[40:]))
        counters = ctypes.create_string_buffer(16 * number)
        sock.setsockopt(level, 64, name + info[32:36] + struct.pack("=II", number, size) + info[36:76] +
                        struct.pack("=IQ", number, ctypes.addressof(counters)) + bytes(entries))


def case_target_flags():
    """Bits nobody knows are refused, and the table stays as it was."""
    for family in (4, 6):
        rule(family)

        def flags(value):
            def change(entries):
                # Size, name, revision: 32 bytes of header, which the name begins at the third of.
                struct.pack_into("=I", entries, entries.index(b"FLOWOFFLOAD") + 30, value)
                return entries
            return change
        for bit in range(1, 32):
            refuses(lambda: replace_entries(family, flags(1 << bit | bit & 1)), errno.EINVAL)
        program = natlab.IPT[family]
        equal(run("r", f"{program} -S FORWARD").splitlines()[-1], "-A FORWARD -j FLOWOFFLOAD", "rule")
        replace_entries(family, flags(1))
        equal(run("r", f"{program} -S FORWARD").splitlines()[-1], "-A FORWARD -j FLOWOFFLOAD --hw", "rule")
    rules(2)


def case_rule_removed():
    """Flows it selected go on, new ones are not selected; flush ends them and the hooks go."""
    for family in (4, 6):
        rule(family)
        wait(lambda: stats()["hooked"] == 1, "hooks in place")
        old = Udp(family).learn()
        hits(old)
        rule(family, "-D FORWARD -j FLOWOFFLOAD")
        rules(0)
        wait(lambda: stats()["learning"] == 0, "learning ended")
        equal(stats()["hooked"], 1, "hooked while a flow lives")
        hits(old)
        hits(Udp(family).learn(), 0)
        d = Delta()
        ctl("flush")
        equal(d["end.flush"], 1, f"{d.changed()}")                                    # end.flush
        hits(old, 0)
        equal(flows(), [], "flows")
        wait(lambda: stats()["hooked"] == 0, "hooks gone")


# -- what is selected

def quiet(flow, where="r"):
    """Nothing of natflow is in this flow's way."""
    before = stats(where)
    hits(flow, 0, where=where)
    equal(stats(where), before, "all counters")


def case_select_auto():
    """Nothing by itself; everything once disabled=0 was written; with a rule what the rules say."""
    equal([stats()[k] for k in ("disabled", "select", "learning", "hooked")], [0, "auto", 0, 0], "as loaded")
    for family in (4, 6):
        quiet(Udp(family).learn())
    ctl("select=auto")
    quiet(Udp().learn())
    ctl("disabled=0")
    equal(stats()["hooked"], 1, "hooked when the write returned")
    old = [hits(Udp(family).learn()) for family in (4, 6)]
    rule(6, "-A FORWARD -p udp --dport 7000 -j FLOWOFFLOAD")
    wait(lambda: stats()["rules"] == 1, "rule counted")
    hits(Udp(4).learn(), 0)
    hits(Udp(6).learn(), 0)
    hits(Udp(6, dport=7000).learn())
    for flow in old:
        hits(flow)
    rule(6, "-F")
    rules(0)
    for family in (4, 6):
        hits(Udp(family).learn())


def case_select_modes():
    rule(4, "-A PREROUTING -p udp --dport 7000 -j CONNMARK --set-mark 0x123", table="mangle")
    rule(6, "-A PREROUTING -p udp --dport 7000 -j CONNMARK --set-mark 0x123", table="mangle")
    rule(4, "-A FORWARD -p udp --dport 7001 -j FLOWOFFLOAD")
    by = {(family, port): Udp(family, dport=port) for family in (4, 6) for port in (7000, 7001, 7002)}
    every = set(by)
    marked, ruled = {(4, 7000), (6, 7000)}, {(4, 7001)}
    for mode, shown, want in (("rules", None, ruled), ("all", None, every), ("auto", None, ruled),
                              ("mark:291", "mark:0x123/0xffffffff", marked), ("mark:0x20/0x30", None, marked),
                              ("mark:0x10/0x30", None, set()), ("mark:0/0xff", None, every - marked),
                              ("mark:0", "mark:0x0/0xffffffff", every - marked)):
        ctl(f"select={mode}")
        equal(stats()["select"], shown or mode.replace(":0/", ":0x0/"), "select shown")
        ctl("flush")
        for key, flow in by.items():
            hits(flow.learn(), key in want)
        equal(len(published()), len(want), f"flows with {mode}")
    # A rule for one family only, and then none at all.
    ctl("select=rules")
    rule(4, "-F")
    rules(0)
    ctl("flush")
    for flow in by.values():
        hits(flow.learn(), 0)
    wait(lambda: stats()["hooked"] == 0, "hooks gone")
    quiet(by[6, 7000])


def case_disabled():
    """At once: not one more hit, no hooks, no flows; and back."""
    select()
    some = [Udp(4), Udp(6)]
    conn = Tcp()
    for flow in some:
        hits(flow.learn())
    d = Delta()
    ctl("disabled=1")
    equal([stats()[k] for k in ("disabled", "learning", "hooked", "flows", "flows_half")], [1, 0, 0, 0, 0], "disabled")
    equal(d["end.disabled"], 3, f"{d.changed()}")                                     # end.disabled
    for flow in some:
        quiet(flow)
    Tcp.pass_data(conn.client, conn.server, bytes(range(256)) * 400)
    equal(d["hits"], 0, "TCP hits")
    rule(4, "-A FORWARD -j FLOWOFFLOAD")
    rules(3)
    equal(stats()["hooked"], 0, "hooked by a rule while disabled")
    ctl("disabled=0")
    equal([stats()[k] for k in ("disabled", "learning", "hooked")], [0, 1, 1], "enabled")
    for flow in some:
        hits(flow.learn())
    conn.learn()
    d = Delta()
    Tcp.pass_data(conn.server, conn.client, bytes(range(256)) * 400)
    check(d["hits"] > 3, f"TCP is fast again: {d.changed()}")
    for value in (1, 0) * 20:
        ctl(f"disabled={value}")
        equal(stats()["hooked"], 1 - value, "hooked")


# -- natflow_ctl

DEFAULTS = ["select=auto", "delay_pkts=0", "flow_limit=65536", "ifname_group_type=0", "debug=3", "ifname_group_clear"]

BAD = (
    ("disabled=2", errno.ERANGE, "'2': expected 0 or 1"),
    ("disabled=-1", errno.EINVAL, "'-1': expected 0 or 1"),
    ("disabled=", errno.EINVAL, "'': expected 0 or 1"),
    ("disabled=1 1", errno.EINVAL, "'1 1': expected 0 or 1"),
    ("disabled", errno.EINVAL, "'disabled': expected a command; reading the device lists them"),
    ("disabled =1", errno.EINVAL, "'disabled =1': expected a command"),
    ("Disabled=1", errno.EINVAL, "'Disabled=1': expected a command"),
    ("delay_pkts=1000001", errno.ERANGE, "'1000001': expected 0 to 1000000"),
    ("delay_pkts=0x10", errno.EINVAL, "'0x10': expected 0 to 1000000"),
    ("delay_pkts=4294967296", errno.ERANGE, "'4294967296': expected 0 to 1000000"),
    ("delay_pkts=" + "9" * 60, errno.ERANGE, "'" + "9" * 40 + "': expected 0 to 1000000"),
    ("flow_limit=15", errno.ERANGE, "'15': expected 16 to 4194304"),
    ("flow_limit=4194305", errno.ERANGE, "'4194305': expected 16 to 4194304"),
    ("ifname_group_type=3", errno.ERANGE, "'3': expected 0, 1 or 2"),
    ("debug=64", errno.ERANGE, "'64': expected 0 to 63"),
    ("go_slowpath_if_no_qos=2", errno.ERANGE, "'2': expected 0 or 1"),
    ("select=none", errno.EINVAL, "'none': expected auto, rules, all, or mark:VALUE[/MASK] with VALUE inside MASK"),
    ("select=mark:", errno.EINVAL, "'': expected auto, rules"),
    ("select=mark:0x10/0xf", errno.EINVAL, "'0x10': expected auto, rules"),
    ("select=mark:0/0", errno.EINVAL, "'0': expected auto, rules"),
    ("select=mark:4294967296", errno.ERANGE, "'4294967296': expected auto, rules"),
    ("select=mark:0/0x100000000", errno.ERANGE, "'0x100000000': expected auto, rules"),
    ("ifname_group_add=", errno.EINVAL, "'': expected an interface name"),
    ("ifname_group_add=abcdefghijklmnop", errno.EINVAL, "'abcdefghijklmnop': expected an interface name"),
    ("ifname_group_add=..", errno.EINVAL, "'..': expected an interface name"),
    ("ifname_group_add=a b", errno.EINVAL, "'a b': expected an interface name"),
    ("ifname_group_clear all", errno.EINVAL, "'all': expected nothing"),
    ("update_magic=1", errno.EINVAL, "'update_magic=1': expected a command"),
    ("update_magic 1", errno.EINVAL, "'1': expected nothing"),
    ("list_net_device r0", errno.EINVAL, "'r0': expected nothing"),
    ("flush all", errno.EINVAL, "'all': expected proto=tcp|udp, src=ADDR[/LEN], dst=ADDR[/LEN], sport=N, dport=N or "
                                "dev=NAME"),
    ("flush proto=udp sport=65536", errno.ERANGE, "'sport=65536': expected proto=tcp|udp"),
    ("flush dport=4294967296", errno.ERANGE, "'dport=4294967296': expected proto=tcp|udp"),
    ("flush sport=0", errno.EINVAL, "'sport=0': expected proto=tcp|udp"),
    ("flush sport=", errno.EINVAL, "'sport=': expected proto=tcp|udp"),
    ("flush dst=fd00::/4294967296", errno.ERANGE, "'dst=fd00::': expected proto=tcp|udp"),
    ("flush proto=icmp", errno.EINVAL, "'proto=icmp': expected proto=tcp|udp"),
    ("flush src=10.0.0.0/33", errno.ERANGE, "'src=10.0.0.0': expected proto=tcp|udp"),
    ("flush dst=fd00::/129", errno.ERANGE, "'dst=fd00::': expected proto=tcp|udp"),
    ("flush src=10.0.0", errno.EINVAL, "'src=10.0.0': expected proto=tcp|udp"),
    ("flushed", errno.EINVAL, "'flushed': expected a command"),
)


def case_ctl_bad():
    """Each bad line: its errno, one line in the log, nothing changed; what stood before it is in force."""
    equal(settings(), DEFAULTS, "as loaded")
    for n, (line, number, said) in enumerate(BAD, 1):
        have = log()
        refuses(lambda: ctl(f"delay_pkts={n}\n{line}\nflow_limit=1000\nselect=all"), number)
        new = log()[len(have):] if len(have) < 128 else log()[-1:]
        equal(len(new), 1, f"log lines for {line}: {new}")
        check(new[0].startswith("natflow_ctl line 2: " + said), f"{line}: {new[0]}")
        equal(settings(), [s.replace("delay_pkts=0", f"delay_pkts={n}") for s in DEFAULTS], line)
    with opened() as fd:
        for n in (1, 2, 3):
            os.write(fd, b"# counted\n\n")
            refuses(lambda: os.write(fd, b"bo"b"gus\n"), errno.EINVAL)
            equal(log()[-1], f"natflow_ctl line {3 * n}: 'bogus': expected a command; reading the device lists them",
                  "line of an open file")
    for _ in range(300):
        refuses(lambda: ctl("again"), errno.EINVAL)
    equal(len(log()), 128, "the log is a ring")


def case_ctl_lines():
    """However a text is cut into writes, it means the same."""
    text = b"\r\n\n  # comment\n\tdelay_pkts=7 \t\r\nselect=mark:0xff/0xff\n   flow_limit=1000\ndebug=1   \n#\n \n"
    want = ["select=mark:0xff/0xff", "delay_pkts=7", "flow_limit=1000", "ifname_group_type=0", "debug=1",
            "ifname_group_clear"]
    rnd = random.Random(1)
    for cut in (1, 2, 3, 255, 256, 257, 4096, None):
        ctl("\n".join(DEFAULTS))
        with opened() as fd:
            data = text * 40
            while data:
                n = cut or rnd.randint(1, 70)
                equal(os.write(fd, data[:n]), len(data[:n]), "bytes written")
                data = data[n:]
        equal(settings(), want, f"settings, cut {cut}")
    equal(log(), [], "log")
    ctl("\n".join(DEFAULTS))
    # Two files, a byte each in turn: a line belongs to its file.
    with opened() as one, opened() as two:
        for a, b in zip(b"delay_pkts=5\n", b"flow_limit=99"):
            os.write(one, bytes([a]))
            os.write(two, bytes([b]))
        os.write(two, b"9\n")
    equal(settings()[1:3], ["delay_pkts=5", "flow_limit=999"], "settings")
    # The longest line that fits, and the next one.
    ctl("#" * 255)
    ctl(" " * 241 + "delay_pkts=123")
    equal(settings()[1], "delay_pkts=123", "end of the longest line")
    long = "natflow_ctl line 1: expected at most 255 printable bytes"
    for bad in ("#" * 256, "#" * 300, " " * 242 + "delay_pkts=124", "#" * 100000, "delay_pkts=\0 1", "\0", "\x7f",
                "# \x1b[2J", "\x01delay_pkts=124"):
        before = len(log())
        refuses(lambda: ctl(bad + "\ndelay_pkts=125"), errno.EINVAL)
        equal(log()[before:], [long], f"log for {bad[:20]!r}")
    equal(settings()[1], "delay_pkts=123", "after bad lines")


def case_ctl_no_newline():
    """echo -n: the end of the file ends the last line, and what was wrong with it is in the log."""
    sh("r", "printf 'delay_pkts=4' > /dev/natflow_ctl; printf 'flow_limit=99\\ndisabled=1' > /dev/natflow_ctl")
    equal(settings()[:4], ["disabled=1", "select=auto", "delay_pkts=4", "flow_limit=99"], "settings")
    sh("r", "printf 'delay_pkts=x' > /dev/natflow_ctl; printf '#\\001' > /dev/natflow_ctl; printf '' > /dev/natflow_ctl")
    equal(log(), ["natflow_ctl line 1: 'x': expected 0 to 1000000",
                  "natflow_ctl line 1: expected at most 255 printable bytes"], "log")
    # Not what stood behind a bad line in the same write.
    with opened() as fd:
        refuses(lambda: os.write(fd, b"bogus\ndelay_pkts=5"), errno.EINVAL)
    # A file that others still have open has not ended.
    with opened() as fd:
        os.write(fd, b"delay_pkts=6")
        os.close(os.dup(fd))
        sh(None, "true")
        check("delay_pkts=4" in settings(), f"{settings()}")
        os.write(fd, b"7\n")
    check("delay_pkts=67" in settings(), f"{settings()}")


def case_ctl_noise():
    """A megabyte of noise changes nothing; one good line in it does what it says."""
    rnd = random.Random(7)
    noise = rnd.randbytes(1 << 20)
    words = [b"disabled", b"=", b"1", b"flush", b" ", b"src=", b"::/0", b"\n", b"select=", b"mark:", b"/", b"-",
             b"9" * 9, b"delay_pkts", b"\r", b"0x"]
    noise += b"".join(rnd.choice(words) + rnd.randbytes(1) for _ in range(50000))

    def feed(data):
        good = 0
        with opened() as fd:
            for i in range(0, len(data), 128):
                try:
                    os.write(fd, data[i:i + 128])
                    good += 1
                except OSError as e:
                    check(e.errno in (errno.EINVAL, errno.ERANGE), f"{e}")
        return good
    check(feed(noise) > 100, "some pieces hold no end of a line")
    equal(settings(), DEFAULTS, "settings after noise")
    at = 128 * 4000
    # The rest of a write is lost with its bad line: the good one comes in a write of its own.
    feed(noise[:at] + b"\n" * 128 + b"delay_pkts=77\n".rjust(128, b"\n") + noise[at:])
    equal(settings(), [s.replace("delay_pkts=0", "delay_pkts=77") for s in DEFAULTS], "settings after a good line")


def case_ctl_identity():
    """What it prints can be written back: as loaded, and after every change."""
    def same(what, where="r"):
        text = read(CTL)
        ctl(text)
        equal(read(CTL), text, f"{what}, written back")
        sh("r", "cat /dev/natflow_ctl > /tmp/settings; cat /tmp/settings > /dev/natflow_ctl")
        equal(read(CTL), text, f"{what}, by cat")
        # On another gateway the same text makes the same settings.
        ctl("ifname_group_clear", "x")
        ctl(text, "x")
        equal(settings("x"), [l for l in text.splitlines() if not l.startswith("#")], f"{what}, on another")
    netns_add("x")
    same("default")
    equal([stats()[k] for k in ("learning", "hooked")], [0, 0], "writing it back chose nothing")
    for change, shown in (("delay_pkts=1000000", None), ("flow_limit=16", None), ("flow_limit=100000", None),
                          ("ifname_group_type=1", None), ("ifname_group_type=2", None), ("debug=63", None),
                          ("debug=0", None), ("select=rules", None), ("select=all", None), ("select=auto", None),
                          ("select=mark:1", "select=mark:0x1/0xffffffff"),
                          ("select=mark:0xffffffff/0xffffffff", None), ("ifname_group_add=r0", None),
                          ("ifname_group_add=abcdefghijklmno", None), ("ifname_group_add=r0", None),
                          ("disabled=1", None), ("disabled=0", None), ("go_slowpath_if_no_qos=1", ""),
                          ("list_net_device", ""), ("update_magic", ""), ("flush", "")):
        ctl(change)
        check(shown == "" or (shown or change) in settings(), f"{change}: {settings()}")
        same(change)
    equal([l for l in settings() if "add" in l], ["ifname_group_add=r0", "ifname_group_add=abcdefghijklmno"], "group")
    ctl("ifname_group_clear")
    check(not [l for l in settings() if "add" in l], f"group cleared: {settings()}")
    # The group has 32 places.
    ctl("\n".join(f"ifname_group_add=eth{i}" for i in range(32)))
    refuses(lambda: ctl("ifname_group_add=eth32"), errno.ENOSPC)
    equal(log()[-1], "natflow_ctl line 1: not applied, error -28", "log")
    ctl("ifname_group_add=eth31")
    same("full group")


def case_ctl_replay_keeps_flows():
    """Writing the same settings again ends no flow; each goes through the stack once."""
    select()
    ctl("ifname_group_add=r0\nifname_group_add=r1\nflow_limit=5000\ndelay_pkts=1\nselect=all\ndisabled=0")
    some = [Udp(4), Udp(6)]
    for flow in some:
        hits(flow.learn())
    d = Delta()
    ctl(read(CTL))
    for flow in some:
        hits(flow, 0, 1)
        hits(flow)
    equal([v for k, v in d.changed().items() if k.startswith("end.")], [], "flows ended")


def hop(names="crs"):
    """A second server x behind the gateway's device r2."""
    c, r, s = names
    netns_add("x")
    ip(None, f"link add x0 netns x type veth peer name r2 netns {r}")
    for where, dev, n in (("x", "x0", 2), (r, "r2", 1)):
        natlab.sysctl(where, f"net.ipv4.conf.{dev}.rp_filter", 0)
        ip(where, f"addr add 10.0.3.{n}/24 dev {dev}\nlink set {dev} up")
    ip("x", "route add 10.0.1.0/24 via 10.0.3.1")
    wait(lambda: natlab.reachable(c, 4, "10.0.3.2"), "x reachable")


def case_ctl_flush():
    """Each filter ends the flows it names and no other; they come back by themselves."""
    hop()
    select()
    made = {
        "udp4": Udp(4, dport=7000, sport=6000), "udp4b": Udp(4, dport=7001, sport=6001),
        "udp6": Udp(6, dport=7000, sport=6000), "tcp4": Tcp(4, dport=7002, sport=6002),
        "tcp6": Tcp(6, dport=7003, sport=6003),
        "x": Udp(4, to=("10.0.3.2", 7000), dport=7000, sport=6004, server="x"),
    }
    every = set(made)
    ports = {"6000 7000 ipv4": "udp4", "6001": "udp4b", "6000 7000 ipv6": "udp6", "6002": "tcp4", "6003": "tcp6",
             "6004": "x"}

    def living():
        out = set()
        for line in published():
            sport, dport = re.search(r" sport=(\d+) dport=(\d+)", line).groups()
            out.add(ports.get(sport) or ports[f"{sport} {dport} {line[:4]}"])
        return out
    for words, want in (
            ("proto=udp", {"udp4", "udp4b", "udp6", "x"}), ("proto=tcp", {"tcp4", "tcp6"}),
            ("src=10.0.1.2", {"udp4", "udp4b", "tcp4", "x"}), ("src=10.0.1.3", set()), ("src=10.0.1.3/31", {
                "udp4", "udp4b", "tcp4", "x"}), ("src=10.0.2.2", set()), ("src=fd00:1::/64", {"udp6", "tcp6"}),
            ("src=fd00:1::2", {"udp6", "tcp6"}), ("src=fd00:1::3/127", {"udp6", "tcp6"}), ("src=fd00:1::3", set()),
            ("dst=10.0.2.0/24", {"udp4", "udp4b", "tcp4"}), ("dst=10.0.3.2", {"x"}), ("dst=10.0.2.0/23", every - {
                "udp6", "tcp6"}), ("src=0.0.0.0/0", every - {"udp6", "tcp6"}), ("dst=::/0", {"udp6", "tcp6"}),
            ("src=0.0.0.0/0 dst=::/0", set()), ("sport=6000", {"udp4", "udp6"}), ("sport=7000", set()),
            ("dport=7000", {"udp4", "udp6", "x"}), ("dport=7002", {"tcp4"}), ("dport=7000 sport=6004", {"x"}),
            ("dev=r0", every), ("dev=r2", {"x"}), ("dev=r1", every - {"x"}), ("dev=r3", set()), ("dev=lo", set()),
            ("proto=udp src=10.0.1.2 dst=10.0.2.0/24 sport=6000 dport=7000 dev=r1", {"udp4"}),
            ("proto=tcp dport=7000", set()), ("", every), ("  proto=tcp   dport=7003  ", {"tcp6"})):
        for flow in made.values():
            flow.learn()
        equal(living(), every, "flows before")
        d = Delta()
        ctl("flush " + words)
        equal(living(), every - want, f"flows left by {words}")
        equal(d["end.flush"], len(want), f"ended by {words}: {d.changed()}")
    ctl("flush")
    equal(stats()["flows"], 0, "flows")


def case_ctl_update_magic():
    """Every direction goes through the stack exactly once, nothing ends."""
    select()
    some = [Udp(4), Udp(6), Udp(4)]
    for flow in some:
        hits(flow.learn())
    for _ in range(3):
        d = Delta()
        ctl("update_magic")
        for flow in some:
            hits(flow, 0, 1)
        # Neighbours may talk to each other meanwhile.
        equal({k: v for k, v in d.changed().items() if k not in ("refuse.not-for-us", "refuse.not-ip",
                                                                 "refuse.protocol")},
              {"refuse.route-changed": 6}, "counters")
        for flow in some:
            hits(flow)


def case_ctl_group():
    """ifname_group_type 0 all, 1 only inside the group, 2 only outside; learned flows follow at once."""
    select()
    some = [Udp(4), Udp(6)]
    for kind, group, fast in ((0, "r0 r1", 1), (1, "r0 r1", 1), (2, "r0 r1", 0), (1, "r0", 0), (2, "r0", 1),
                              (0, "r0", 1), (1, "", 0), (2, "", 1), (1, "eth0 r0 eth1 r1", 1)):
        ctl(f"ifname_group_type={kind}\nifname_group_clear\n" +
            "".join(f"ifname_group_add={name}\n" for name in group.split()))
        for flow in some:
            d = Delta()
            flow.learn()
            check(fast or d["learn.ifname-group"] >= 4, f"{d.changed()}")             # learn.ifname-group
            hits(flow, fast)
    ctl("list_net_device")
    lines = [l for l in log() if l.startswith("device ")]
    equal([re.sub(r"ifindex=\d+ mtu=\d+", "", l) for l in lines],
          ["device lo  port=unsuitable group=0", "device r0  port=hooked group=1", "device r1  port=hooked group=1"],
          "devices listed")
    # A device that takes a name of the group is in it.
    for old, new, member in (("r1", "other", 0), ("other", "eth1", 1)):
        sh("r", f"ip link set {old} down; ip link set {old} name {new}; ip link set {new} up")
        ctl("list_net_device")
        check(log()[-1].startswith(f"device {new} ") and log()[-1].endswith(f" group={member}"), log()[-1])


def case_ctl_other():
    """delay_pkts leaves the first packets to the stack; go_slowpath_if_no_qos has no effect and says so."""
    select()
    ctl("go_slowpath_if_no_qos=1")
    equal(log(), ["go_slowpath_if_no_qos: no effect"], "log")
    hits(Udp().learn())
    for family, delay in ((4, 10), (6, 21)):
        ctl(f"delay_pkts={delay}\nflush")
        flow = Udp(family)
        d = Delta()
        for n in range(delay + 6):
            flow.send() if n % 2 == 0 else flow.reply()
        # The first packet comes before the flow is known, the one behind the delay publishes it.
        equal(d["hits"], 4, f"hits behind delay_pkts={delay}: {d.changed()}")
        check(d["learn.delay"] > delay - 4, f"{d.changed()}")                         # learn.delay
    ctl("delay_pkts=0\nflow_limit=16")
    equal([stats()[k] for k in ("flow_limit", "flows", "flows_half")], [16, 0, 0], "a new limit flushes")


def case_permissions():
    """natflow_ctl wants CAP_NET_ADMIN, also of root; the flows and the log are root's, the summary everybody's."""
    equal(os.stat(CTL).st_mode & 0o7777, 0o600, "mode of natflow_ctl")
    weak = "setpriv --bounding-set=-net_admin --inh-caps=-net_admin "
    for how in ("< /dev/natflow_ctl", "> /dev/natflow_ctl", "<> /dev/natflow_ctl"):
        status, out = run("r", (weak + "sh -c").split() + [": " + how], ok=False)
        check(status and "Operation not permitted" in out, f"{how}: {status} {out}")
    user = "setpriv --reuid=65534 --regid=65534 --clear-groups "
    for name, word, allowed in (("/dev/natflow_ctl", None, ()), ("/proc/natflow_flows", None, ("weak",)),
                                ("/proc/natflow_log", None, ("weak",)), ("/proc/natflow", "hits", ("weak", "user"))):
        for kind, prefix in (("weak", weak), ("user", user)):
            status, out = run("r", prefix + "cat " + name, ok=False)
            equal(status == 0, kind in allowed, f"{kind} reads {name}: {out}")
            check(not word or word in out, out)
    for name in ("natflow", "natflow_flows", "natflow_log"):
        def write():
            with opened(NET + name, os.O_WRONLY) as fd:
                os.write(fd, b"disabled=1\n")
        refuses(write, errno.EACCES, errno.EIO, errno.EINVAL)
    equal(settings(), DEFAULTS, "settings")


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
    new_user, new_net = 0x10000000, 0x40000000

    def change(flags):
        def work():
            if flags and natlab.LIBC.unshare(flags):
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
    equal(settings(), DEFAULTS, "settings of the gateway")


def case_nonsense():
    """Odd calls on the device: an answer each, and nothing breaks."""
    with opened() as fd:
        whole = os.read(fd, 65536)
        equal(whole.decode(), read(CTL), "text")
        equal(os.read(fd, 100), b"", "behind the end")
        equal(os.pread(fd, 10, 5), whole[5:15], "pread")
        equal(os.lseek(fd, 7, os.SEEK_SET), 7, "lseek")
        equal(b"".join(iter(lambda: os.read(fd, 1), b"")), whole[7:], "one byte at a time, from the seventh")
        refuses(lambda: os.lseek(fd, -1, os.SEEK_SET), errno.EINVAL)
        equal(os.write(fd, b""), 0, "writing nothing")
        refuses(lambda: os.pwrite(fd, b"delay_pkts=9\n", 0), errno.ESPIPE)
        equal(natlab.LIBC.write(fd, ctypes.c_void_p(8), 100), -1, "writing from nowhere")
        equal(ctypes.get_errno(), errno.EFAULT, "errno")
        poll = polling.poll()
        poll.register(fd, polling.POLLIN | polling.POLLOUT)
        equal(poll.poll(0), [(fd, polling.POLLIN | polling.POLLOUT)], "poll")
    many = []
    with ns("r"):
        for _ in range(500):
            many.append(os.open(CTL, os.O_RDWR))
    for text in (b"delay_", b"pkts", b"="):
        for fd in many:
            os.write(fd, text)
    for n, fd in enumerate(many):
        os.write(fd, b"%d\n" % n)
        os.close(fd)
    equal(settings()[1], "delay_pkts=499", "the last of 500")
    sh("r", "echo delay_pkts=3 >> /dev/natflow_ctl")
    equal(settings()[1], "delay_pkts=3", "appended")


def case_two_writers():
    """Processes that write at the same time, by files of their own and by one they share: lines stay whole."""
    script = "for n in $(busybox seq 100); do echo \"{0}=$(({1} + n % 2))\"; done"
    with opened() as shared:
        procs = [start("r", ["bash", "-c", script.format(*w) + " > /dev/natflow_ctl"]) for w in
                 (("delay_pkts", 1000), ("flow_limit", 100), ("debug", 4), ("ifname_group_type", 1))]
        procs += [start("r", ["bash", "-c", script.format(*w)], stdout=shared) for w in (("delay_pkts", 1000), ("disabled", 0))]
        for p in procs:
            out = p.communicate(timeout=120)[0]
            equal((p.returncode, out or ""), (0, ""), "writer")
    equal(log(), [], "log")
    got = dict(l.split("=") for l in settings() if "=" in l)
    equal([got[k] for k in ("delay_pkts", "flow_limit", "debug", "ifname_group_type", "disabled")],
          ["1000", "100", "4", "1", "0"], "what was written last")


# -- namespaces

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
        equal(poll.poll(60000), [(fd, polling.POLLHUP | polling.POLLERR)], "poll of a dead one")
        wait(lambda: "w1" not in run("c", "ip -o link"), "its devices are gone")
        for call in (lambda: os.read(fd, 100), lambda: os.read(other, 1), lambda: os.pread(fd, 10, 0),
                     lambda: os.write(fd, b"pkts=6\n"), lambda: os.write(other, b"\n"),
                     lambda: os.write(other, b"x" * 1000)):
            refuses(call, errno.ENODEV)
        equal(os.write(alive, b"delay_pkts=4\n"), 13, "the client's own natflow")
        equal(settings("c")[1], "delay_pkts=4", "its setting")
    flow.close()


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
    conns = {r: Tcp(4, dport=7001, sport=6001, **ends[r]) for r in both}
    for (r, family), flow in made.items():
        flow.learn()
    d = {r: Delta(r) for r in both}
    for n in range(20):
        for (r, family), flow in made.items():
            flow.send(f"{r} {family} there {n}".encode())
            flow.reply(f"{r} {family} back {n}".encode())
    for r in both:
        equal(d[r]["hits"], 80, f"hits of {r}")
        Tcp.pass_data(conns[r].client, conns[r].server, r.encode() * 50000)
        check(d[r]["bytes"] > 50000 * len(r), f"TCP of {r}: {d[r].changed()}")
        equal(len(published(r)), 3, f"flows of {r}")
    # A file acts on the namespace of who opened it, wherever it is used.
    with opened() as one, opened(NET + "natflow", os.O_RDONLY) as shown, ns("r2"):
        os.write(one, b"flush proto=tcp\ndelay_pkts=9\nbad\n"[:-4])
        refuses(lambda: os.write(one, b"bad\n"), errno.EINVAL)
        check(b"delay_pkts=9" in os.read(one, 65536), "settings by the file of r")
        check(b"\nrules 0\n" in os.read(shown, 65536), "summary of r")
    equal([len(published(r)) for r in both], [2, 3], "flows after a flush in one")
    equal([len(log(r)) for r in both], [1, 0], "log")
    ctl("disabled=1")
    for (r, _), flow in made.items():
        hits(flow, r == "r2", where=r)
    netns_del("r")
    for (r, _), flow in made.items():
        if r == "r2":
            hits(flow, where=r)


# -- /proc

def case_proc_summary():
    """`key value` lines, always the same in the same order, every reason once under its name."""
    with open("/lab/natflow_reason.h") as f:
        reasons = [f"{group}.{key}" for group, key in re.findall(r'X\((refuse|learn|end), \w+, "([^"]+)"', f.read())]
    head = ["version", "disabled", "select", "rules", "learning", "hooked", "flows", "flows_half", "flows_peak",
            "flow_limit", "table_bytes", "flow_bytes_ipv4", "flow_bytes_ipv6", "hits", "bytes"]
    check(len(reasons) > 60 and len(set(reasons)) == len(reasons), "reasons in the header")

    def keys():
        text = read("/proc/natflow")
        check(re.fullmatch(r"(?:[a-z_0-9.-]+ [^ \n]+\n)+", text), text)
        return [line.split()[0] for line in text.splitlines()]
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
        equal([line.split()[0] for line in got.splitlines()], head + reasons, f"read in pieces of {size}")


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
    want = line_of(family, "tcp", (c, s, 6004, 7004) * 2, (s, c, 7004, 6004) * 2, (1, 2, 3, 4))
    equal(re.sub(r"(packets|bytes)=\d+|idle=\d+", r"\1=", tcp[0]), re.sub(r"(packets|bytes)=\d+|idle=\d+", r"\1=", want),
          "TCP line")
    counted = [int(n) for n in re.findall(r"bytes=(\d+)", tcp[0])]
    check(counted[0] > 100000 > counted[1] > 0, f"TCP bytes: {tcp[0]}")
    equal(sum(int(n) for f in flows() for n in re.findall(r"packets=(\d+)", f)), stats()["hits"], "packets and hits")
    equal(sum(int(n) for f in flows() for n in re.findall(r"bytes=(\d+)", f)), stats()["bytes"], "bytes")


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
    come = [Udp(4, dport=7000, sport=6000 + n) for n in (0,)]
    turn = iter(range(1000000))

    def churn():
        ctl("flush dport=7000") if next(turn) % 2 else come[0].learn()
    line = re.compile(r"ipv[46] udp state=(published|half|selected) idle=\d+ hw=off orig .* packets=\d+ bytes=\d+ "
                      r"reply .* packets=\d+ bytes=\d+")
    for size in (1, 100):
        got = pieces(size, churn)
        check(all(line.fullmatch(l) for l in got), f"{[l for l in got if not line.fullmatch(l)]}")
        ports = [int(re.search(r"sport=(\d+)", l).group(1)) for l in got]
        equal(sorted(p for p in ports if p >= 7100), want, f"flows that stay, in pieces of {size}")


def case_proc_flows_half():
    """The same for flows that are not published."""
    select()
    made = [Udp(4, dport=7100 + n, sport=7100 + n) for n in range(10)]
    for flow in made:
        flow.send()
        flow.reply()
    equal(stats()["flows_half"], 10, "half known flows")
    seen = []

    def drop():
        seen.append(1)
        if len(seen) == 3:
            ctl("flush dport=7100\nflush dport=7101\nflush dport=7102")
    ports = [int(re.search(r"sport=(\d+)", l).group(1)) for l in pieces(1, drop)]
    equal(ports, [7100 + n for n in range(10)], "flows read")


# -- tracepoints

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
        equal([re.sub("ct=[^ ]+ ", "", l) for l in events()], ["end: reason=disabled"], "events of disabled=1")
    finally:
        tracing("events/natflow/enable", "0")
