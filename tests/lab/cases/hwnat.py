# SPDX-License-Identifier: GPL-2.0-only
"""Hardware NAT's core on its dry run (backend=null): what is offered, and what takes an entry away, before the command returned."""
import errno

from natlab import (ADDR, AT_END, Tcp, Udp, both, check, ctl, equal, flows, insmod, ip, mac, netns_add, netns_del, ns, published, read,
                    refuses, reachable, rmmod, rule, run, select, settings, stats, wait)

FAST = 24       # packets of a burst: at least 15 of them fall into one of natflow's half seconds


def load():
    insmod("/lab/natflow_hwnat.ko")
    AT_END.append(lambda: rmmod("natflow_hwnat"))


def hwnat(where="r"):
    """/proc/net/natflow_hwnat, without its ports."""
    return {k: int(v) if v.isdigit() else v for k, v in
            (line.split(" ", 1) for line in read("/proc/net/natflow_hwnat", where).splitlines() if not line.startswith("port "))}


def states():
    return sorted(f.split(" hw=")[1].split()[0] for f in published())


def burst(flow):
    for _ in range(FAST):
        flow.send()
        flow.reply()


def offered(*many):
    """They are fast until all are bound."""
    def bound():
        for flow in many:
            burst(flow)
        return hwnat()["state.bound"] == len(many)
    wait(bound, f"{len(many)} flows are bound")


def select_hw():
    """The README's rule, with --hw."""
    for family in (4, 6):
        rule(family, "-A FORWARD -j FLOWOFFLOAD --hw")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")


def installed(family=4):
    select_hw()
    flow = Udp(family)
    flow.learn()
    offered(flow)
    return flow


def gone(what=""):
    """No entry is left now, without waiting."""
    now = hwnat()
    equal((now["flows"], now["state.bound"], now["state.removing"]), (0, 0, 0), f"flows in hardware {what}")


def life(family):
    """Slow, it stays in software; fast, it is bound; flushed, it is gone when the command returns; then it comes back."""
    load()
    select_hw()
    flow = Udp(family)
    flow.learn()
    for _ in range(3):
        flow.send()
        flow.reply()
    equal((hwnat()["flows"], states()), (0, ["off"]), "a slow flow")
    offered(flow)
    equal(states(), ["bound"], "what natflow_flows says")
    ports = [line for line in read("/proc/net/natflow_hwnat").splitlines() if line.startswith("port ")]
    equal(sorted(p.split()[1] for p in ports), ["r0", "r1"], f"{ports}")
    check(all(" flows=1 " in p and " driver=null " in p for p in ports), f"{ports}")
    ctl("flush")
    gone("after flush")
    equal(hwnat()["removals"], 1, "removals")
    flow.learn()
    offered(flow)
    equal(hwnat()["installs"], 2, "installs")


case_life_v4, case_life_v6 = both(life)


def case_asked():
    """A rule without --hw keeps its flows in software; select=all, and hwnat=1, let them in. hwnat=0 empties hardware."""
    load()
    select()
    flow = Udp()
    flow.learn()

    def refused(key):
        burst(flow)
        return hwnat()["refused." + key]
    wait(lambda: refused("not-asked"), "a reason")
    equal(states(), ["off"], "the flow")
    ctl("select=all")
    ctl("hwnat=1")
    offered(flow)
    ctl("hwnat=0")
    gone("after hwnat=0")
    for word in ("hwnat=0", "hwnat_wed_disabled=0", "hwnat_limit=16384"):
        check(word in settings(), f"{word}: {settings()}")
    refuses(lambda: ctl("hwnat=3"), errno.ERANGE)
    ctl("hwnat_wed_disabled=1\nhwnat=1\nhwnat_limit=1")
    offered(flow)
    other = Udp()
    other.learn()

    def full():
        burst(other)
        return hwnat()["refused.full"]
    wait(full, "hwnat_limit=1 refuses another flow")
    equal(hwnat()["flows"], 1, "flows")
    AT_END.pop()
    check(rmmod("natflow_hwnat"), "unloads")
    refuses(lambda: ctl("hwnat=0"), errno.EOPNOTSUPP)
    check(not any("hwnat" in line for line in settings()), f"{settings()}")
    equal(states(), ["off", "off"], "flows")
    burst(flow)
