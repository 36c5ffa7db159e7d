# SPDX-License-Identifier: GPL-2.0-only
"""The first lines of /proc/natflow: each sentence while it is true, and what is counted of packets no rule saw."""
import errno

from natlab import (Delta, IPT, Udp, both, check, ctl, equal, hits, netns_add, no_memory, published, read, rule,
                    run, select, stats, sysctl, wait, wait_rules)

ADD = "iptables -I FORWARD 1 -j FLOWOFFLOAD"
ACCEPT = "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"


def status(where="r"):
    """What the first line says; it is the first."""
    first = read("/proc/natflow", where).splitlines()[0]
    check(first.startswith("status "), first)
    return first.removeprefix("status ")


def notes(where="r"):
    return {k.removeprefix("note."): v for k, v in stats(where).items() if k.startswith("note.")}


def slow(text, where="r"):
    equal(status(where), "not accelerating: " + text, "status")


def unreached(family):
    """The rule stands behind the one that accepts established packets: counted, said, and gone with the advice."""
    rule(family, ACCEPT)
    rule(family)
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    slow("no packet of an established TCP or UDP connection was forwarded yet")
    flow = Udp(family)
    d = Delta()
    flow.learn()            # two each way: the first and its answer are not yet an established connection's
    counted = d["learn.unselected"]
    hits(flow, 0, count=5)
    equal([d["learn.unselected"] - counted, d["rules_reached"], d["hits"], stats()["flows"]], [10, 0, 0, 0],
          f"{d.changed()}")                                                           # learn.unselected
    slow(f"rules: 1, reached by 0 of {d['learn.unselected']} packets of established connections; put FLOWOFFLOAD before "
         f"the rule that accepts them: {ADD}")
    run("r", ADD.replace("iptables", IPT[family] + " -w"))
    wait_rules(2)
    hits(flow.learn())
    before = stats()
    equal(status(), "accelerating: 1 flows", "status")
    check(0 < d["rules_reached"] <= 3, f"{d.changed()}")
    hits(flow)
    equal([stats()[k] - before[k] for k in ("rules_reached", "learn.unselected")], [0, 0], "a fast flow's packets")


case_unreached_v4, case_unreached_v6 = both(unreached)


def case_unselected_is_not_refused():
    """A packet that a rule selected in vain has that reason, and is not counted as one that nobody selected."""
    rule(4, "-A FORWARD -p udp --dport 7000 -j FLOWOFFLOAD")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    flow, other = Udp(dport=7000), Udp(dport=7001)
    flow.send()
    flow.reply()
    with no_memory("natflow_ct_get", 1) as works:
        if works:
            d = Delta()
            flow.send()
            equal([d["learn.no-memory"], d["learn.unselected"], d["rules_reached"]], [1, 0, 1], f"{d.changed()}")
    hits(flow.learn())
    for _ in range(2):
        other.send()
        other.reply()
    d = Delta()
    hits(other, 0, count=5)
    equal([d["learn.unselected"], d["rules_reached"]], [10, 0], f"{d.changed()}")


def case_reasons():
    """Why nothing is fast, one after the other."""
    slow(f"no rule and no setting selects a flow; {ADD} (and ip6tables), or echo select=all > /dev/natflow_ctl")
    equal(notes(), {}, "notes of a natflow that was not asked for anything")
    ctl("disabled=1\nselect=all")
    slow("disabled=1 was written; echo disabled=0 > /dev/natflow_ctl")
    ctl("disabled=0\nselect=mark:1")
    slow("no packet of an established TCP or UDP connection was forwarded yet")
    flow = Udp()
    hits(flow.learn(), 0, count=1)
    slow(f"no rule and no setting selected {stats()['learn.unselected']} packets of established connections")
    ctl("select=all\nifname_group_type=1")
    hits(flow.learn(), 0, count=1)
    slow(f"no selected connection was learned; mostly learn.ifname-group ({stats()['learn.ifname-group']} packets): the "
         "interface group excludes it")
    ctl("ifname_group_type=0")


def case_known_and_idle():
    """Flows without hits, with hits, and none any more."""
    select()
    flow = Udp()
    flow.send()
    flow.reply()
    flow.send()
    equal(len(published()), 1, "published by its third packet")
    slow("1 flows are known, and no packet of theirs has met natflow's hook; if this stays so, tc may redirect them "
         "before it")
    flow.send()
    equal(status(), "accelerating: 1 flows", "status")
    ctl("flush")
    slow("no flow is known at present")


def case_no_hooks():
    """A namespace without devices, without forwarding, without conntrack."""
    netns_add("x")
    ctl("select=all", "x")
    slow("this namespace does not forward packets; sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1", "x")
    sysctl("x", "net.ipv4.ip_forward", 1)
    slow("no device of this namespace can have the hook; echo list_net_device > /dev/natflow_ctl; cat "
         "/proc/natflow_log", "x")
    check("sysctl -w net.ipv6.conf.all.forwarding=1" in notes("x")["ipv6"], f"{notes('x')}")
    sysctl("x", "net.ipv4.ip_forward", 0)
    sysctl("x", "net.ipv6.conf.all.forwarding", 1)
    equal(notes("x")["ipv4"], "IPv4 is not forwarded in this namespace; sysctl -w net.ipv4.ip_forward=1", "note")
    check("ipv6" not in notes("x"), f"{notes('x')}")
    sysctl("x", "net.ipv4.conf.lo.forwarding", 1)
    check("ipv4" not in notes("x"), f"one device forwards: {notes('x')}")
    for function, said in (("nf_ct_netns_get", "conntrack does not track in this namespace"),
                           ("nf_register_net_hooks", "the hook at POST_ROUTING could not be registered")):
        with no_memory(function, 1000, -errno.ENOMEM) as works:
            if works:
                ctl("select=all")
                slow(f"{said}; natflow tries again each second, see /proc/natflow_log")
        wait(lambda: stats()["hooked"] == 1 and "does not track" not in status(), "tried again")
        ctl("select=auto")
        wait(lambda: stats()["hooked"] == 0, "withdrawn")


def case_notes():
    """The table is full; conntrack does not count."""
    ctl("flow_limit=16\nselect=all")
    acct = "nf_conntrack_acct is off in this namespace, connections have no counters; sysctl -w " \
        "net.netfilter.nf_conntrack_acct=1"
    sysctl("r", "net.netfilter.nf_conntrack_acct", 0)
    equal(notes(), {"acct": acct}, "notes")
    sysctl("r", "net.netfilter.nf_conntrack_acct", 1)
    equal(notes(), {}, "notes")
    for _ in range(16):
        hits(Udp().learn(), count=1)
    equal(notes(), {"table": "the table is full, 16 flows; echo flow_limit=32 > /dev/natflow_ctl"}, "notes")
    equal(status(), "accelerating: 16 flows", "status")
    ctl("flow_limit=32")
    equal(notes(), {}, "notes")
