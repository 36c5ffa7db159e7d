# SPDX-License-Identifier: GPL-2.0-only
"""Features in slots: each hears of a flow's life exactly once, in the order of the slots, and leaves under load.

natattach.ko is two features, in the slots user and hw; the log of names is a third, in front of them.
"""
import threading

import urls
from natlab import (AT_END, ROUNDS, Delta, Udp, both, check, ctl, equal, exchange, fast, insmod, learned, ns, published,
                    rmmod, select, slow, stats, wait)

SLOTS = ("user", "hw")
L3 = {4: 28, 6: 48}        # IP and UDP headers


def attach():
    with ns("r"):
        insmod("/lab/natattach.ko")
    AT_END.append(lambda: rmmod("natattach"))


def counters():
    return {k: int(v) for k, v in (l.split() for l in open("/proc/natlab_attach"))}


class Told:
    """What features were asked and told since the object was made, both of them the same."""

    def __init__(self):
        self.before = counters()

    def __getitem__(self, key):
        said = []

        def same():     # one may be told while the counters are read
            now = counters()
            said[:] = [now[f"{s}.{key}"] - self.before[f"{s}.{key}"] for s in SLOTS]
            return said[0] == said[1]
        wait(same, f"{key} of user and hw are the same")
        return said[0]


def number(reason):
    """/proc/net/natflow has the reasons in the order of their numbers, from 1."""
    return 1 + [k for k in stats() if k.split(".")[0] in ("refuse", "learn", "end", "name")].index(reason)


def refuse(slot, call, reason):
    """From now on with that reason; None: not any more."""
    with open(f"/sys/module/natattach/parameters/{slot}_{call}", "w") as f:
        f.write(str(number(reason) if reason else 0))


def life(family):
    """Asked at each packet learned from, told of birth, every byte, and the end, before the command returns."""
    select()
    before = learned(Udp(family))
    attach()
    exchange(before)            # natflow listens to more now, and doubts once what it knew
    told = Told()
    flow = Udp(family)
    flow.learn()
    equal((told["check"], told["bind"], told["end"]), (2, 1, 0), "check, bind and end of a flow that was learned")
    d = Delta()
    for _ in range(ROUNDS):
        flow.send(b"12345")
        flow.reply(b"123")
    exchange(before)
    equal(d["hits"], 4 * ROUNDS, f"{d.changed()}")
    # The second answer of learn() is the first hit.
    want = (ROUNDS, ROUNDS + 1, ROUNDS * (L3[family] + 5), ROUNDS * (L3[family] + 3) + L3[family] + 1)
    wait(lambda: tuple(told[k] for k in ("packets0", "packets1", "bytes0", "bytes1")) == want,
         f"folded, {want}: {counters()}")
    check(told["recheck"] >= 2, "each direction is rechecked at its first hit")
    d = Delta()
    ctl("flush")
    equal((told["end"], d["end.flush"]), (1, 2), "ends, of the one flow that was bound, and of both")
    equal(counters()["hw.reason"], number("end.flush"), "reason of the end")
    equal((told["bind"], told["packets0"], told["packets1"]), (1, *want[:2]), "after the end")


case_life_v4, case_life_v6 = both(life)


def veto(family):
    """The first one that refuses wins, and those behind it are not asked."""
    select()
    attach()
    refuse("user", "check", "learn.inspect")
    refuse("hw", "check", "learn.ip-options")
    told, flow = counters(), Udp(family)
    flow.learn()
    slow(flow, "learn.inspect", 1, 1)
    now = counters()
    equal((now["hw.check"] - told["hw.check"], now["user.check"] > told["user.check"]), (0, True), "who was asked")
    refuse("user", "check", None)
    slow(flow, "learn.ip-options", 1, 1)
    refuse("hw", "check", None)
    learned(flow)
    equal(len(published()), 1, "flows")


case_veto_v4, case_veto_v6 = both(veto)


def recheck(family):
    """A published flow whose feature changed its mind takes the stack from the next tick on, and comes back."""
    select()
    attach()
    flow = learned(Udp(family))
    told = Told()
    refuse("hw", "recheck", "refuse.station")

    def refused():
        d = Delta()
        exchange(flow, 1)
        return d["refuse.station"] == 2
    wait(refused, "both directions are refused")
    slow(flow, "refuse.station", 1, 1)
    refuse("hw", "recheck", None)
    fast(flow)
    equal((told["end"], told["bind"]), (0, 0), "the flow lived on")


case_recheck_v4, case_recheck_v6 = both(recheck)


def case_names():
    """The log of names is asked first: it keeps a question to the DNS, and lets others by, which all are told of."""
    select()
    attach()
    urls.enable()
    told = Told()
    question = Udp(dport=53)
    question.learn()
    slow(question, "learn.inspect", 1, 1)
    equal(told["check"], 0, "asked behind a veto")
    learned(Udp(dport=5300))
    equal(told["bind"], 1, "told of")
    urls.enable(False)
    learned(question)
    equal(told["bind"], 2, "told of")


def case_detach_under_load():
    """Coming and going while flows are learned, hit and flushed; in the end births and deaths are equal."""
    select()
    steady = learned(Udp())
    over = threading.Event()

    def load():
        while not over.is_set():
            for family in (4, 6):
                flow = Udp(family)
                flow.learn()
                flow.close()
            ctl("flush")
    thread = threading.Thread(target=load)
    thread.start()
    try:
        for _ in range(5):
            attach()
            wait(lambda: counters()["hw.end"] >= 2, "flows come and go")
            AT_END.pop()
            check(rmmod("natattach"), "natattach leaves")
        attach()
        wait(lambda: counters()["hw.bind"] >= 2, "flows come")
    finally:
        over.set()
        thread.join()
    ctl("flush")
    now = counters()
    equal((now["hw.end"], now["user.end"]), (now["hw.bind"], now["user.bind"]), "ends and births")
    learned(steady)
