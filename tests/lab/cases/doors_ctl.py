# SPDX-License-Identifier: GPL-2.0-only
"""natflow_ctl: every command, every wrong line, every way to cut a text into writes."""
import ctypes
import errno
import fcntl
import mmap
import os
import random
import re
import select as polling

from natlab import (CTL, Delta, LIBC, Tcp, Udp, check, ctl, equal, hits, ip, log, netns_add, no_memory, ns, opened, published,
                    reachable, read, refuses, select, settings, sh, start, stats, sysctl, wait)

USERS = ["pppoe=1", "users=0", "user_limit=65536"]
DEFAULTS = ["select=auto", "delay_pkts=0", "flow_limit=65536", "ifname_group_type=0", "debug=3", "revalidate=0", *USERS,
            "inspect_packets=64", "inspect_fail=open", "log_level=url", "log_query=0",
            "log_answers=1", "log_skip_clear", "ifname_group_clear"]
NAMES = DEFAULTS[9:15]

BAD = (
    ("disabled=2", errno.ERANGE, "'2': expected 0 or 1"),
    ("disabled=-1", errno.EINVAL, "'-1': expected 0 or 1"),
    ("disabled=", errno.EINVAL, "'': expected 0 or 1"),
    ("disabled=1 1", errno.EINVAL, "'1 1': expected 0 or 1"),
    ("disabled", errno.EINVAL, "'disabled': expected a command that reading the device lists, as in: select=all"),
    ("disabled =1", errno.EINVAL, "'disabled =1': expected a command"),
    ("Disabled=1", errno.EINVAL, "'Disabled=1': expected a command"),
    ("inspect_packets=0", errno.ERANGE, "'0': expected 1 to 65535"),
    ("inspect_fail=maybe", errno.EINVAL, "'maybe': expected open or closed"),
    ("log_level=all", errno.EINVAL, "'all': expected counters, domain, host or url"),
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
            equal(log()[-1], f"natflow_ctl line {3 * n}: 'bogus': expected a command that reading the device lists, as in: select=all",
                  "line of an open file")
    for _ in range(300):
        refuses(lambda: ctl("again"), errno.EINVAL)
    equal(len(log()), 128, "the log is a ring")


def case_ctl_lines():
    """However a text is cut into writes, it means the same."""
    text = b"\r\n\n  # comment\n\tdelay_pkts=7 \t\r\nselect=mark:0xff/0xff\n   flow_limit=1000\ndebug=1   \n#\n \n"
    want = ["select=mark:0xff/0xff", "delay_pkts=7", "flow_limit=1000", "ifname_group_type=0", "debug=1",
            "revalidate=0", *USERS, *NAMES, "ifname_group_clear"]
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
    with opened() as fd:
        equal(os.write(fd, b"# a line\n" * 116508 + b"debug=2\n"), 1048580, "a megabyte in one write")
    equal(settings()[4], "debug=2", "its last line")
    # The longest line that fits, and the next one.
    ctl("#" * 255)
    ctl(" " * 241 + "delay_pkts=123")
    equal(settings()[1], "delay_pkts=123", "end of the longest line")
    long = "natflow_ctl line 1: expected at most 255 printable bytes, as in: # a comment"
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
    for wrong in ("delay_pkts=x", "#\\001", ""):
        sh("r", f"printf '{wrong}' > /dev/natflow_ctl")
    equal(log(), ["natflow_ctl line 1: 'x': expected 0 to 1000000, as in: delay_pkts=10",
                  "natflow_ctl line 1: expected at most 255 printable bytes, as in: # a comment"], "log")
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
    def same(what):
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
                          ("debug=0", None), ("revalidate=1", None), ("revalidate=0", None), ("select=rules", None), ("select=all", None), ("select=auto", None),
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
    equal(log()[-1], "natflow_ctl line 1: 'ifname_group_add=': expected at most 32 names, as in: ifname_group_clear", "log")
    ctl("ifname_group_add=eth31")
    same("full group")


def case_ctl_transaction():
    """begin ... commit: all lines or none; nobody sees a part; what is not committed never was."""
    good = "begin\ndelay_pkts=9\nifname_group_add=a\nflow_limit=777\nselect=all\n"
    new = ["select=all", "delay_pkts=9", "flow_limit=777", "ifname_group_type=0", "debug=3", "revalidate=0", *USERS, *NAMES,
           "ifname_group_clear", "ifname_group_add=a"]
    with opened() as fd:
        os.write(fd, good.encode())
        equal(settings(), DEFAULTS, "before commit")
        equal(stats()["hooked"], 0, "hooked before commit")
        os.write(fd, b"commit\n")
        equal(settings(), new, "after commit")
        equal(stats()["hooked"], 1, "hooked when commit returned")
        refuses(lambda: os.write(fd, b"commit\n"), errno.ENOENT)
        os.write(fd, b"begin\n")
        refuses(lambda: os.write(fd, b"begin\n"), errno.EBUSY)
        refuses(lambda: os.write(fd, b"commit\n"), errno.ECANCELED)
    ctl("begin\n" + "\n".join(DEFAULTS) + "\nifname_group_add=b\nifname_group_clear\ncommit")
    equal(settings(), DEFAULTS, "back by a transaction")
    for bad, number in (("delay_pkts=x", errno.EINVAL), ("flow_limit=1", errno.ERANGE), ("bogus", errno.EINVAL)):
        with opened() as fd:
            refuses(lambda: os.write(fd, f"{good}{bad}\n".encode()), number)
            os.write(fd, b"delay_pkts=8\n")
            refuses(lambda: os.write(fd, b"commit\ndelay_pkts=7\n"), errno.ECANCELED)
            equal(settings(), DEFAULTS, f"with {bad}")
        ctl("delay_pkts=0")
    refuses(lambda: ctl(good + "\n".join(f"ifname_group_add=e{i}" for i in range(32)) + "\ncommit"), errno.ENOSPC)
    equal(settings(), DEFAULTS, "one name too many")
    refuses(lambda: ctl("begin\n" + "delay_pkts=3\n" * 2049 + "commit"), errno.E2BIG)
    equal(settings(), DEFAULTS, "one line too many")
    ctl("begin\n" + "delay_pkts=3\n" * 255 + "delay_pkts=4\ncommit")
    check("delay_pkts=4" in settings(), "as many as there may be")
    ctl(good)
    check("delay_pkts=4" in settings(), "closed without commit")
    with no_memory("natflow_table_alloc", 1) as works:
        if works:
            refuses(lambda: ctl(good + "commit"), errno.ENOMEM)
    check("delay_pkts=4" in settings(), "without memory for the table")


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
        sysctl(where, f"net.ipv4.conf.{dev}.rp_filter", 0)
        ip(where, f"addr add 10.0.3.{n}/24 dev {dev}\nlink set {dev} up")
    ip("x", "route add 10.0.1.0/24 via 10.0.3.1")
    wait(lambda: reachable(c, 4, "10.0.3.2"), "x reachable")


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
        for name in ("tcp4", "tcp6"):
            made[name].settle()
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
        # Neighbours may talk to each other meanwhile; what moved the kernel's clocks before is counted once a second.
        equal({k: v for k, v in d.changed().items() if k not in ("refuse.not-for-us", "refuse.not-ip", "refuse.protocol",
                                                                 "bump.kernel-ipv4", "bump.kernel-ipv6")},
              {"refuse.route-changed": 6, "rules_reached": 6, "bump.setting": 1}, "counters")
        for flow in some:
            hits(flow)


def case_ctl_group():
    """ifname_group_type 0 all, 1 only inside the group, 2 only outside; learned flows follow at once."""
    def devices():
        have = len(log())
        ctl("list_net_device")
        return {l.split()[1]: re.sub(r"^device \w+ ifindex=\d+ mtu=\d+ ", "", l) for l in log()[have:]}
    ip("r", "link add br0 type bridge\nlink add inside type dummy\nlink set inside master br0")
    equal(devices(), {"lo": "port=unsuitable group=0",
                      **{dev: "port=idle group=0" for dev in ("r0", "r1", "br0", "inside")}}, "devices before there is a hook")
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
    equal(devices(), {"lo": "port=unsuitable group=0", "inside": "port=hooked group=0", "br0": "port=hooked group=0", "r0": "port=hooked group=1", "r1": "port=hooked group=1"},
          "devices")
    # A device that takes a name of the group is in it.
    for old, new, member in (("r1", "other", 0), ("other", "eth1", 1)):
        sh("r", f"ip link set {old} down; ip link set {old} name {new}; ip link set {new} up")
        equal(devices()[new], f"port=hooked group={member}", new)


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
    ctl("delay_pkts=0\nflush")
    some = [Udp(4).learn(), Udp(6).learn()]
    for limit in (16, 4194304, 1000):
        d = Delta()
        ctl(f"flow_limit={limit}\nflow_limit={limit}")
        equal([stats()[k] for k in ("flow_limit", "flows", "flows_half")], [limit, 2, 0], "flows that fit stay")
        equal(d["end.disabled"], 0, f"{d.changed()}")
        for flow in some:
            hits(flow)


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
        equal(LIBC.write(fd, ctypes.c_void_p(8), 100), -1, "writing from nowhere")
        equal(ctypes.get_errno(), errno.EFAULT, "errno")
        refuses(lambda: fcntl.ioctl(fd, 0x5401), errno.ENOTTY)
        refuses(lambda: mmap.mmap(fd, 4096), errno.ENODEV)
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
                 (("delay_pkts", 1000), ("flow_limit", 100), ("debug", 8), ("ifname_group_type", 1))]
        procs += [start("r", ["bash", "-c", script.format(*w)], stdout=shared)
                  for w in (("delay_pkts", 1000), ("disabled", 0))]
        for p in procs:
            out = p.communicate(timeout=120)[0]
            equal((p.returncode, out or ""), (0, ""), "writer")
    equal(log(), [], "log")
    got = dict(l.split("=") for l in settings() if "=" in l)
    equal([got[k] for k in ("delay_pkts", "flow_limit", "debug", "ifname_group_type", "disabled")],
          ["1000", "100", "8", "1", "0"], "what was written last")


def case_ten_writers():
    """Ten processes with transactions of their own, all the time: who reads sees one of them, whole."""
    lines = ("select=mark:0x{0:x}/0xff", "delay_pkts={0}", "flow_limit={1}", "ifname_group_clear", "ifname_group_add=dev{0}")
    script = "for i in $(busybox seq 40); do printf '{}' > /dev/natflow_ctl; done"
    procs = []
    for n in range(1, 11):
        text = "\\n".join(("begin", *lines, "commit", "")).format(n, 1000 + n)
        procs.append(start("r", ["bash", "-c", script.replace("{}", text)]))
    seen = set()
    while any(p.poll() is None for p in procs):
        now = settings()
        n = int(now[-1].removeprefix("ifname_group_add=dev")) if "dev" in now[-1] else 0
        if n:
            equal([l for l in now if l.split("=")[0] in ("select", "delay_pkts", "flow_limit")] + now[-2:],
                  [l.format(n, 1000 + n) for l in lines], "one transaction")
        seen.add(n)
    check(len(seen) > 2, f"transactions seen: {seen}")
    for p in procs:
        equal((p.returncode, p.communicate()[0] or ""), (0, ""), "writer")
    equal(log(), [], "log")
    equal(stats()["flow_limit"], int([l for l in settings() if "flow_limit" in l][0].split("=")[1]), "the table's own limit")
