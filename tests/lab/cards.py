# SPDX-License-Identifier: GPL-2.0-only
"""Cards that forward by rules (natnic.ko): links whose cables end at them, what they have counted and been told."""
import os
import socket
import time

import links
from natlab import AT_END, Failure, PATIENCE, Udp, check, ctl, equal, insmod, ip, ns, rmmod, rule, run, start, stats, wait

CARDS = "/proc/natnic"


def insert(driver="generic", ports=2, more=""):
    """Cards, and links.Link that uses them for cables from now on."""
    run(None, f"insmod /lab/natnic.ko driver={driver} ports={ports} {more}")
    AT_END.append(lambda: wait(lambda: rmmod("natnic") or not os.path.exists(CARDS), "natnic unloads"))
    free = iter(range(ports))

    def wire(link):
        n = next(free)
        ip(None, f"""link set wire{n} netns {link.host} name {link.h}
            link set nic{n} netns r name {link.g}""")
        for where, dev in ((link.host, link.h), ("r", link.g)):
            ip(where, f"link set {dev} up")
    before, links.Link.wire = links.Link.wire, wire
    AT_END.append(lambda: setattr(links.Link, "wire", before))


def lines(word):
    """The lines of /proc/natnic that begin with that word, as words."""
    with open(CARDS) as f:
        return [l.split() for l in f.read().splitlines() if l.startswith(word + " ")]


def rules():
    """What each card was told, without cookies and counters."""
    return sorted(f"{l[1]} {' '.join(l[6:])}" for l in lines("rule"))


def bound():
    """Rules that forward."""
    return sum(l[3] == "bound=1" for l in lines("rule"))


def callbacks():
    return int(lines("callbacks")[0][1])


def rule_count():
    return int(lines("rules")[0][1])


def calls():
    """(kind, card, cookie, errno) of each call of the driver."""
    return [(l[1], l[2], l[3], int(l[4])) for l in lines("call")]


def counted():
    """Frames that each card has forwarded, and has given to the CPU."""
    return {l[1]: (int(l[3]), int(l[6])) for l in lines("port")}


def say(line):
    with open(CARDS, "w") as f:
        f.write(line + "\n")


def engine(driver="generic", wanted="hwnat=1", ports=2, more="", lan=links.eth):
    """Two links by cards, and natflow_hwnat.ko gives them what --hw selects; no NAT."""
    links.gateway()
    insert(driver, ports, more)
    say("rate 8")       # a machine under load reaches that, too
    insmod("/lab/natflow_hwnat.ko", "backend=flowblk")
    AT_END.append(lambda: rmmod("natflow_hwnat"))
    pair = links.make(lan, "c", 1, 1), links.make(links.eth, "s", 2, 1)
    rule(4, "-F POSTROUTING", table="nat")
    for family in (4, 6):
        rule(family, "-A FORWARD -j FLOWOFFLOAD --hw")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    ctl(wanted)
    return pair


def hwnat():
    return stats("r", "natflow_hwnat")


def hold(what):
    """Who does that next waits, with RTNL, until say("go"). Then who reads CARDS waits, too."""
    AT_END.append(lambda: say("go"))
    say(f"hold {what}") if what != "rtnl" else start(None, ["sh", "-c", f"echo hold rtnl >{CARDS}"])


def held():
    with open("/sys/module/natnic/parameters/held") as f:
        return f.read() == "Y\n"


def sockets(family, proto):
    """A server's socket and a client's, neither bound."""
    kind = socket.SOCK_DGRAM if proto == "udp" else socket.SOCK_STREAM
    out = []
    for where in "sc":
        with ns(where):
            out.append(socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind))
        out[-1].settimeout(PATIENCE)
    return out


def udp(number, family=4, **more):
    """A flow that natflow has learned."""
    to = "10.2.1.2" if family == 4 else "fd02:1::2"
    return Udp(family, to=(to, 7000 + number), dport=7000 + number, **more).learn()


def burst(flow, packets=24):
    """At least 15 of 24 fall into one of natflow's half seconds; bytes are compared."""
    for _ in range(packets):
        flow.send(b"forth")
        flow.reply(b"back")


def in_hardware(*flows):
    """How many of them the cards forward."""
    n = 0
    for flow in flows:
        before = forwarded()[0]
        burst(flow, 1)
        n += forwarded()[0] == before + 2
    return n


def bursting(flows, condition, what):
    """Wait for the condition while the flows are fast; bursts of 24 five times a second are fast."""
    due = 0

    def step():
        nonlocal due
        if time.monotonic() >= due:
            for flow in flows:
                burst(flow)
            due = time.monotonic() + 0.2
        return condition()
    return hopefully(step, what)


def refused(flow, key):
    """It goes on in software, and the reason counts one refusal more."""
    before = hwnat()["refused." + key]
    bursting([flow], lambda: hwnat()["refused." + key] > before, f"refused.{key} counts")


def hardware(*flows):
    """They are fast until the cards forward both directions of each."""
    bursting(flows, lambda: bound() == hwnat()["state.bound"] * 2 == 2 * len(flows), f"{len(flows)} flows are forwarded by the cards")


def forwarded():
    """Frames of all cards: by rules, by the CPU."""
    return [sum(n) for n in zip(*counted().values())]


def passes(flow, by, packets=10):
    """So many packets each way, all by "hw" or all by "cpu"."""
    before = forwarded()
    burst(flow, packets)
    hw, cpu = (a - b for a, b in zip(forwarded(), before))
    equal(hw, 2 * packets if by == "hw" else 0, f"frames that cards forwarded of {2 * packets}")
    check(cpu <= 4 if by == "hw" else cpu >= 2 * packets, f"{cpu} frames for the CPU of {2 * packets}")


def off():
    """No rule once hwnat=0 was written; the sums agree."""
    ctl("hwnat=0")
    equal(rule_count(), 0, "rules once hwnat=0 was written")
    now = hwnat()
    equal([now[k] for k in now if k.startswith("state.")] + [now["flows"]], [0] * 6, f"flows, {now}")
    equal((now["installs"] - now["removals"], now["undeleted"]), (0, 0), f"installed and not removed, undeleted: {now}")


def finish():
    """Nothing is left, also when the module has gone."""
    off()
    check(rmmod("natflow_hwnat"), "unloads")
    equal((callbacks(), rule_count()), (0, 0), "callbacks and rules at the end")


def hopefully(condition, what):
    """wait(), which says how the module stands if it was in vain."""
    try:
        return wait(condition, what)
    except Failure as e:
        raise Failure(f"{e}: { {k: v for k, v in hwnat().items() if v} }") from None
