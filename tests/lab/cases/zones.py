# SPDX-License-Identifier: GPL-2.0-only
"""natflow_zone_ctl: which device is in which zone, why, and what lines do to it."""
import errno
import os
import re
import select as polling
import threading

from natlab import (AT_END, PATIENCE, check, ctl, equal, insmod, ip, log, netns_add, netns_del, no_memory, ns, opened, read,
                    refuses, rmmod, run, settings, sh, wait)

ZONE = "/dev/natflow_zone_ctl"
NEITHER = "lan 0: no default route, not masqueraded"


def zone(text, where="r"):
    ctl(text, where, ZONE)


def lines(where="r"):
    """The lines in force."""
    out = settings(where, ZONE)
    equal(out[0], "clean", "first line")
    return out[1:]


def zones(where="r"):
    """What print_zone says of each device, by its name."""
    zone("print_zone", where)
    said, out = log(where), {}
    while "lo" not in out:                  # the first device of a namespace
        dev, text = re.fullmatch(r"zone (\S+) (.*)", said.pop()).groups()
        check(dev not in out, f"{dev} twice")
        out[dev] = text
    return out


def has(dev, want, where="r"):
    equal(zones(where)[dev], want, dev)


def dummy(*names, where="r"):
    ip(where, "\n".join(f"link add {name} type dummy" for name in names))


BAD = (
    ("lan_zone 127=eth0", errno.ERANGE, "'127=eth0'"), ("wan_zone 4294967296=eth0", errno.EINVAL, "'4294967296=eth0'"),
    ("lan_zone 999=eth0", errno.ERANGE, "'999=eth0'"), ("lan_zone -1=eth0", errno.EINVAL, "'-1=eth0'"),
    ("lan_zone =eth0", errno.EINVAL, "'=eth0'"), ("lan_zone eth0", errno.EINVAL, "'eth0'"), ("lan_zone", errno.EINVAL, "''"),
    ("lan_zone 1", errno.EINVAL, "'1'"), ("lan_zone 1=", errno.EINVAL, "''"), ("wan_zone 1=..", errno.EINVAL, "'..'"),
    ("wan_zone 1=a/b", errno.EINVAL, "'a/b'"), ("wan_zone 1=a b", errno.EINVAL, "'a b'"), ("lan_zone 1=a/+", errno.EINVAL, "'a/+'"),
    ("lan_zone 1=abcdefghijklmnop", errno.EINVAL, "'abcdefghijklmnop'"),
    ("lan_zone 1=abcdefghijklmnop+", errno.EINVAL, "'abcdefghijklmnop+'"),
)
CONTRADICTIONS = (
    ("wan_zone 1=eth1", "'1=eth1': expected another number than in lan_zone 1=eth0, as in: clean"),
    ("lan_zone 2=eth0", "'2=eth0': expected another name than in lan_zone 1=eth0, as in: clean"),
    ("wan_zone 1=eth0", "'1=eth0': expected another number than in lan_zone 1=eth0, as in: clean"),
)


def case_grammar():
    """Every line that is accepted is printed as it was written, once; a wrong one is refused whole and named."""
    equal(lines(), [], "as loaded")
    good = ["lan_zone 0=br-lan", "lan_zone 1=eth0", "lan_zone 1=eth0.+", "wan_zone 126=abcdefghijklmno", "wan_zone 126=+",
            "wan_zone 5=abcdefghijklmno+", "lan_zone 1=+x"]
    zone("\n".join(good + good[::-1]))
    equal(lines(), good, "lines")
    for line, number, word in BAD:
        refuses(lambda: zone(f"clean\n{line}\nlan_zone 9=x"), number)
        equal(lines(), [], f"what stood before {line} is in force")
        equal(log()[-1].split(": ", 1), ["natflow_zone_ctl line 2", f"{word}: expected N=NAME or N=PREFIX+ with N from 0 to 126, "
                                         f"as in: {'wan_zone 1=ppp+' if line[0] == 'w' else 'lan_zone 0=br-lan'}"], line)
    zone(good[1])
    for line, said in CONTRADICTIONS:
        refuses(lambda: zone(line), errno.EEXIST)
        equal(log()[-1], "natflow_zone_ctl line 1: " + said, line)
        refuses(lambda: zone(f"begin\nlan_zone 3=x\n{line}\ncommit"), errno.EEXIST)
        equal(log()[-1], "natflow_zone_ctl line 3: " + said, line)
        equal(lines(), good[1:2], f"after {line}")
    zone("begin\nclean\nwan_zone 1=eth0\ncommit")
    equal(lines(), ["wan_zone 1=eth0"], "the other way round, after clean")
    for word in ("clean", "update_match", "print_zone"):
        refuses(lambda: zone(word + " 1"), errno.EINVAL)
    many = [f"lan_zone {i % 127}=eth{i}" for i in range(128)]
    zone("begin\nclean\n" + "\n".join(many) + "\ncommit")
    equal(lines(), many, "128 lines")
    refuses(lambda: zone("lan_zone 0=more"), errno.ENOSPC)
    equal(log()[-1], "natflow_zone_ctl line 1: 'lan_zone': expected at most 128 lines, as in: lan_zone 0=eth+", "log")
    zone(many[7])
    equal(lines(), many, "128 lines and none more")
    text = read(ZONE)
    sh("r", f"cat {ZONE} > /tmp/zones; cat /tmp/zones > {ZONE}")
    equal(read(ZONE), text, "written back")
    with no_memory("natflow_zone_start", 1, -errno.ENOMEM) as works:
        if works:
            refuses(lambda: zone("clean"), errno.ENOMEM)
    equal(lines(), many, "without memory")


def case_names():
    """The name wins over prefixes, the longest prefix over shorter ones, whatever the order; names may be 15 characters long."""
    dummy("abcdefghijklmno", "abcdefghijklmnx", "abc", "qq")
    zone("lan_zone 1=abc+\nlan_zone 2=abcdefghijklmn+\nwan_zone 3=abcdefghijklmno\nwan_zone 4=+")
    want = {"abcdefghijklmno": "wan 3: wan_zone 3=abcdefghijklmno", "abcdefghijklmnx": "lan 2: lan_zone 2=abcdefghijklmn+",
            "abc": "lan 1: lan_zone 1=abc+", "qq": "wan 4: wan_zone 4=+"}
    have = zones()
    equal({dev: have[dev] for dev in want}, want, "zones")
    zone("begin\n" + "\n".join(["clean"] + lines()[::-1]) + "\ncommit")
    have = zones()
    equal({dev: have[dev] for dev in want}, want, "in the other order")
    equal(set(have), {"lo", "r0", "r1", *want}, "one line a device")


def case_devices():
    """A device that comes later, takes another name or joins a bridge has the zone of its name, or of its bridge."""
    zone("lan_zone 1=in+\nwan_zone 2=out0\nlan_zone 3=br0")
    dummy("x0")
    has("x0", NEITHER)
    for name, want in (("in7", "lan 1: lan_zone 1=in+"), ("out0", "wan 2: wan_zone 2=out0"), ("x1", NEITHER)):
        sh("r", f"ip link set $(ip -o link | grep -oE ': (x0|in7|out0):' | tr -d ': ') name {name}")
        has(name, want)
    ip("r", "link add br0 type bridge\nlink set x1 master br0")
    has("x1", "lan 3: lan_zone 3=br0 of br0")
    dummy("in8")
    ip("r", "link add bond0 type bond\nlink set in8 master br0\nlink set bond0 master br0\nlink set r1 down\nlink set r1 master bond0")
    has("in8", "lan 1: lan_zone 1=in+")
    has("r1", "lan 3: lan_zone 3=br0 of br0")
    ip("r", "link set br0 name br1\nlink set br1 up\nroute add default dev br1")
    has("x1", "wan 0: IPv4 default route of br1")
    ip("r", "link set x1 nomaster\nlink set br1 down\nlink set br1 name br0")
    has("x1", NEITHER)
    ip("r", "link add red type vrf table 77\nlink set x1 master red")
    zone("wan_zone 4=red")
    has("x1", NEITHER)
    ip("r", "link del x1")
    check("x1" not in zones(), "it is gone")


def case_default_routes():
    """Without lines a device is WAN while a default route of the main table leaves by it: every kind of one, in both families."""
    equal(zones(), {"lo": "wan 0: loopback", "r0": NEITHER, "r1": NEITHER}, "no default route")
    ip("r", "nexthop add id 1 via 10.0.2.2 dev r1\nnexthop add id 2 via fd00:2::2 dev r1\nnexthop add id 3 via fd00:1::2 dev r0\n"
            "nexthop add id 4 group 2/3")
    dummy("d0")
    ip("r", "link set d0 up")
    # A kernel may lack CONFIG_IPV6_SUBTREES, and says so.
    by_source = not run("r", "ip -6 route add 2001:db8::/64 from fd00:1::/64 dev d0", ok=False)[0]
    # The one before goes as the next one comes.
    before = None
    for family, route, devices in (
            (4, "default via 10.0.2.2", "r1"), (4, "10.0.0.0/8 via 10.0.2.2", ""), (4, "default dev r1 metric 9", "r1"),
            (4, "0.0.0.0/2 via 10.0.2.2", ""), (4, "default nhid 1", "r1"), (4, "default via 10.0.2.2 table 7", ""),
            (4, "default nexthop via 10.0.2.2 nexthop via 10.0.1.2", "r0 r1"), (4, "unreachable default", ""),
            (4, "0.0.0.0/1 via 10.0.2.2", "r1"), (6, "unreachable default metric 5", ""), (6, "default via fd00:2::2", "r1"),
            (6, "default via fd00:2::2 table 7", ""), (6, "default nhid 2", "r1"), (6, "default dev d0", "d0"),
            (6, "default nhid 4", "r0 r1"), (6, "default from fd00:1::/64 via fd00:2::2", "r1"), (6, "2000::/3 via fd00:2::2", ""),
            (6, "default nexthop via fd00:2::2 nexthop via fd00:1::2", "r0 r1"), (4, "192.0.2.0/24 dev d0", "")):
        if "from" in route and not by_source:
            continue
        sh("r", (f"ip -{before[0]} route del {before[1]}\n" if before else "") + f"ip -{family} route add {route}")
        have, before = zones(), (family, route)
        equal({d: have[d] for d in ("r0", "r1", "d0")},
              {d: f"wan 0: IPv{family} default route" if d in devices.split() else NEITHER for d in ("r0", "r1", "d0")}, route)
    # Several at a time, and several sources: each is found, wherever it stands.
    ip("r", "route add default via 10.0.2.2 metric 5\nroute add default via 10.0.1.2 metric 6\nroute add default dev d0 metric 7")
    equal({zones()[d] for d in ("r0", "r1", "d0")}, {"wan 0: IPv4 default route"}, "three metrics")
    ip("r", "route flush default", 4)
    zone("lan_zone 0=r0")
    has("r0", "lan 0: lan_zone 0=r0")
    if not by_source:
        return
    zone("clean")
    ip("r", "".join(f"route add default from fd00:{i:x}::/{40 + i} dev d0\n" for i in range(16)) +
       "route add default from fd00:1f::/64 via fd00:1::2", 6)
    equal([zones()[d] for d in ("r0", "r1", "d0")], ["wan 0: IPv6 default route", NEITHER, "wan 0: IPv6 default route"], "by source")


def case_scripts():
    """The original's script, two at a time as its hotplug runs them: each write is done, and the end is what both want."""
    wanted = ["lan_zone 0=br-lan", "wan_zone 1=eth1", "wan_zone 1=pppoe-wan", "lan_zone 2=br-guest"]
    failed = []

    def script():
        for line in ("clean", *wanted, "update_match"):
            try:
                with open(ZONE, "w", buffering=1) as f:
                    f.write(line + "\n")
            except OSError as e:
                failed.append((line, e))
    with ns("r"):       # threads begin in the namespace of the one that starts them
        for _ in range(5):
            both = [threading.Thread(target=script) for _ in range(2)]
            for t in both:
                t.start()
            for t in both:
                t.join()
            equal(failed, [], "writes that failed")
            equal(sorted(lines()), sorted(wanted), "lines")


def case_namespaces():
    """Each namespace has its own; one with lines goes while its device is open."""
    netns_add("x")
    zone("lan_zone 1=r+")
    zone("wan_zone 1=lo", "x")
    equal((lines(), lines("x"), lines("c")), (["lan_zone 1=r+"], ["wan_zone 1=lo"], []), "lines")
    equal(zones("x"), {"lo": "wan 1: wan_zone 1=lo"}, "of x")
    has("r0", "lan 1: lan_zone 1=r+")
    has("c0", "wan 0: IPv4 default route", "c")
    with opened(ZONE, where="x") as fd:
        os.write(fd, b"begin\nlan_zone 2=y\nwan_")
        poll = polling.poll()
        poll.register(fd, 0)
        netns_del("x")
        equal(poll.poll(1000 * PATIENCE), [(fd, polling.POLLHUP | polling.POLLERR)], "the namespace is gone")
        refuses(lambda: os.write(fd, b"zone 3=z\ncommit\n"), errno.ENODEV)


def asked():
    """What packets are told: the generation, and the zone of each device."""
    first, *rest = read("/proc/natlab_zone").splitlines()
    return int(first.split()[1]), dict(line.split(" ", 1) for line in rest)


def grows(change, dev, want, by=1):
    """The change is told when it returns, by a new generation; one that changes no answer begins none."""
    before = asked()[0]
    change()
    generation, have = asked()
    equal((have.get(dev), generation - before), (want, by), dev)


def masquerades(dev):
    with ns("r"), open("/proc/natlab_zone", "w") as f:
        f.write(dev + "\n")


def case_packets():
    """Packets are told what print_zone says, from a kept answer: at once after lines and device events, else a tick later."""
    if not os.path.exists("/proc/natlab_fail"):
        return                              # without kprobes
    with ns("r"):
        insmod("/lab/natzone.ko")
    AT_END.append(lambda: rmmod("natzone"))
    # Before anything was kept the generation is 0; the first question begins one.
    equal(asked()[1], {"lo": "wan 0", "r0": "lan 0", "r1": "lan 0"}, "without lines")
    grows(lambda: zone("wan_zone 3=r1"), "r1", "wan 3")
    grows(lambda: zone("wan_zone 3=r1\nupdate_match\nlan_zone 4=none"), "r1", "wan 3", 0)
    grows(lambda: zone("begin\nclean\nlan_zone 1=in+\nlan_zone 3=br0\nwan_zone 2=out\ncommit"), "r1", "lan 0")
    ip("r", "link add d0 index 900 type dummy\nlink add br0 type bridge")
    grows(lambda: None, "d0", "lan 0", 0)
    grows(lambda: ip("r", "link set d0 name in7"), "in7", "lan 1")
    grows(lambda: ip("r", "link set in7 name out"), "out", "wan 2")
    grows(lambda: ip("r", "link set out name d1"), "d1", "lan 0")
    grows(lambda: ip("r", "link set d1 master br0"), "d1", "lan 3")
    grows(lambda: ip("r", "link set d1 nomaster"), "d1", "lan 0")
    # Another device with the number of one that was asked about.
    grows(lambda: ip("r", "link del d1\nlink add out index 900 type dummy"), "out", "wan 2", 0)
    # Routes, and the name of the bridge above, are compared by a worker while somebody asks.
    ip("r", "link set out name d2\nlink set d2 master br0")
    equal(asked()[1]["d2"], "lan 3", "port")
    before = asked()[0]
    ip("r", "link set br0 name br1\nroute add default via 10.0.2.2")
    wait(lambda: (asked()[1]["d2"], asked()[1]["r1"]) == ("lan 0", "wan 0"), "the worker saw both")
    wait(lambda: asked()[0] > before, "a new generation tells it")
    ip("r", "route del default")
    wait(lambda: asked()[1]["r1"] == "lan 0", "the route is gone")
    # Masquerading, as the hook of users reports it, until the device goes.
    grows(lambda: masquerades("r1"), "r1", "wan 0")
    grows(lambda: masquerades("r1"), "r1", "wan 0", 0)
    has("r1", "wan 0: masqueraded")
    grows(lambda: zone("update_match"), "r1", "wan 0", 0)
    grows(lambda: zone("lan_zone 9=r1"), "r1", "lan 9")
    grows(lambda: zone("clean"), "r1", "wan 0")
    ip("r", "link set d2 nomaster")
    grows(lambda: masquerades("d2"), "d2", "wan 0")
    grows(lambda: ip("r", "link del d2\nlink add d2 index 900 type dummy"), "d2", "lan 0", 0)
    dummy(*(f"m{i}" for i in range(32)))
    for i in range(32):
        masquerades(f"m{i}")
    equal([asked()[1][f"m{i}"] for i in range(32)], ["wan 0"] * 31 + ["lan 0"], "32 devices masquerade, r1 is one")
    check("more than 32 devices masquerade: name the others with wan_zone" in log(), "log")
