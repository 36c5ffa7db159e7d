# SPDX-License-Identifier: GPL-2.0-only
"""The iptables target and the modes of selection: what was chosen goes fast, nothing else does."""
import ctypes
import errno
import re
import socket
import struct

from natlab import (Delta, IPT, LIBC, Tcp, Udp, check, ctl, equal, flows, hits, log, ns, published, refuses, rule, run,
                    select, stats, wait, wait_rules)


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
    wait_rules(2)

    def save():
        # The counters of the policies move by themselves.
        return [re.sub(r"\[\d+:\d+\]", "", l) for l in run("r", f"{program}-save").splitlines() if l[0] != "#"]
    before = save()
    equal([l for l in before if l.startswith("-A FORWARD")], want, "saved")
    ipt("-F")
    wait_rules(0)
    run("r", f"{program}-restore", text="\n".join(before) + "\n")
    equal(save(), before, "saved, restored and saved")
    wait_rules(2)
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
        wait_rules(n)
    for n, command in ((3, "-D FORWARD 1"), (3, "-A FORWARD -j ACCEPT"), (2, "-D FORWARD -j FLOWOFFLOAD"),
                       (1, "-F"), (0, "-t mangle -F"), (1, "-A FORWARD -j FLOWOFFLOAD")):
        ipt(command)
        wait_rules(n)
    if "nft" in program:
        run("r", "nft flush ruleset")
    else:
        ipt("-R FORWARD 1 -j ACCEPT")
    wait_rules(0)
    wait(lambda: stats()["hooked"] == 0, "hooks gone")
    # A restore that fails changes nothing.
    status, _ = run("r", ["sh", "-c", f"printf '*filter\\n-A FORWARD -j FLOWOFFLOAD\\n-A FORWARD -j NONE\\n"
                                             f"COMMIT\\n' | {program}-restore -n"], ok=False)
    check(status, "wrong restore accepted")
    wait_rules(0)


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
    wait_rules(0)
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
    wait_rules(6)
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    hits(Udp(family).learn(), 0)
    equal(flows(), [], "flows")
    told = [f"a FLOWOFFLOAD rule in {chain} of table {table} has no effect; expected one in FORWARD, as in iptables -I "
            "FORWARD 1 -j FLOWOFFLOAD"
            for chain, table in (("INPUT", "filter"), ("OUTPUT", "filter"), ("PREROUTING", "mangle"),
                                 ("POSTROUTING", "mangle"), ("PREROUTING", "raw"), ("POSTROUTING", "nat"))]
    equal(log(), told, "what the log says, once each")
    ipt("-t mangle -A FORWARD -j FLOWOFFLOAD")
    hits(Udp(family).learn())
    # Nor does it act on what is neither TCP nor UDP; it may not be said of these two, or of all but one.
    number = 1 if family == 4 else 58
    for match in ("-p tcp", "-p udp", "! -p tcp", f"-p {number}"):
        ipt(f"-A FORWARD {match} -j FLOWOFFLOAD")
    equal(log()[len(told):], [f"a FLOWOFFLOAD rule for protocol {number} has no effect; expected tcp, udp or none, as in "
                              "iptables -I FORWARD 1 -j FLOWOFFLOAD"], "what the log says")
    wait_rules(11)


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
            check(LIBC.getsockopt(sock.fileno(), level, option, buf, ctypes.byref(length)) == 0, "getsockopt")
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
        rule(family)

        def flags(value):
            def change(entries):
                # Of the last rule, so that the one before it was taken already. The name is at 2 of 32 bytes.
                struct.pack_into("=I", entries, entries.rindex(b"FLOWOFFLOAD") + 30, value)
                return entries
            return change
        for bit in range(1, 32):
            refuses(lambda: replace_entries(family, flags(1 << bit | bit & 1)), errno.EINVAL)
        program = IPT[family]
        equal(run("r", f"{program} -S FORWARD").splitlines()[-1], "-A FORWARD -j FLOWOFFLOAD", "rule")
        wait_rules(2 if family == 4 else 4)
        replace_entries(family, flags(1))
        equal(run("r", f"{program} -S FORWARD").splitlines()[-1], "-A FORWARD -j FLOWOFFLOAD --hw", "rule")
    wait_rules(4)


def case_rule_removed():
    """Flows it selected go on, new ones are not selected; flush ends them and the hooks go."""
    for family in (4, 6):
        rule(family)
        wait(lambda: stats()["hooked"] == 1, "hooks in place")
        old = Udp(family).learn()
        hits(old)
        rule(family, "-D FORWARD -j FLOWOFFLOAD")
        wait_rules(0)
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
    wait_rules(0)
    for family in (4, 6):
        hits(Udp(family).learn())


def case_select_modes():
    rule(4, "-A PREROUTING -p udp --dport 7000 -j CONNMARK --set-mark 0x123", table="mangle")
    run("r", ["nft", """add table ip6 t
        add chain ip6 t c { type filter hook prerouting priority -150; }
        add rule ip6 t c udp dport 7000 ct mark set 0x123"""])
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
    # Flows already chosen go on under any mode; then nothing is chosen any more.
    rule(4, "-F")
    wait_rules(0)
    for mode in ("rules", "auto", "mark:5", "rules"):
        ctl(f"select={mode}")
        equal(len(published()), len(want), f"flows with {mode}, later")
        for key, flow in by.items():
            hits(flow.learn(), key in want)
    ctl("flush")
    for flow in by.values():
        hits(flow.learn(), 0)
    wait(lambda: stats()["hooked"] == 0, "hooks gone")
    quiet(by[6, 7000])


def case_disabled():
    """At once: not one more hit, no hooks, no flows; and back."""
    select()
    some = [Udp(4), Udp(6)]
    for flow in some:
        hits(flow.learn())
    conn = Tcp()
    d = Delta()
    ctl("disabled=1")
    equal([stats()[k] for k in ("disabled", "learning", "hooked", "flows", "flows_half")], [1, 0, 0, 0, 0], "disabled")
    equal(d["end.disabled"], 3, f"{d.changed()}")                                     # end.disabled
    for flow in some:
        quiet(flow)
    Tcp.pass_data(conn.client, conn.server, bytes(range(256)) * 400)
    equal(d["hits"], 0, "TCP hits")
    rule(4, "-A FORWARD -j FLOWOFFLOAD")
    wait_rules(3)
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
