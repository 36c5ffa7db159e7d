# SPDX-License-Identifier: GPL-2.0-only
"""Every LAN link with every WAN link: fast, right bytes, right counters on every device in between.

Takes long: many pairs of links are measured, by the stack and by natflow, and PPPoE dials.
"""
import os
import signal

import links
from links import ROUNDS
from natlab import LONG, Delta, Failure, Udp, bare, check, drain, equal, flows, ip, run, select, start, stats, wait

LOAD = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for _ in range(20):
        try:
            s.sendto(b"load", (sys.argv[1], 9))
        except OSError:
            pass
    time.sleep(0.005)
"""

def settled(pair):
    """The count that comes twice: a device's own packet, or a program that counts late, may come into one."""
    last = pair.counted()
    for _ in range(10):
        now = pair.counted()
        if now == last:
            return now
        last = now
    raise Failure(f"{pair}: no two counts alike: {now}")


def differs(pair, slow):
    """What is wrong with a pair once it is accelerated: not all of it fast, or counters other than the stack's."""
    d = Delta()
    fast = pair.counted()
    # VLANs and bridges are skipped, unless PPPoE is on top: its own device counts.
    through = 0 if pair.wan.kind == "pppoe_on_vlan" else d["refuse.vlan-tag"] + d["refuse.bridge-member"]
    wrong = {} if d["hits"] == 2 * ROUNDS and through < ROUNDS else d.changed()
    wrong.update({" ".join(k): f"{fast[k]}, the stack {slow[k]}" for k in fast if fast[k] != slow[k]})
    return wrong


def matrix(lan_kinds, wan_kinds):
    """All 390 pairs of kinds and families in the long form; else 78: each kind with two or three others."""
    links.gateway()
    lans = [links.make(kind, "c", 1, i) for i, kind in enumerate(lan_kinds, 1)]
    wans = [links.make(kind, "s", 2, i) for i, kind in enumerate(wan_kinds, 1)]
    pairs = [links.Pair(lan, wan, family) for family in (4, 6) for i, lan in enumerate(lans) for j, wan in enumerate(wans)
             if LONG or (i + j) % 5 == 0]
    slow = {}
    for pair in pairs:
        pair.exchange()                                 # neighbours, bridge tables
        slow[pair] = settled(pair)
    select()
    bad = {}
    for pair in pairs:
        pair.exchange()
        for _ in range(5):      # neighbours are probed all the time: once it must be quiet
            wrong = differs(pair, slow[pair])
            if not wrong:
                break
        if wrong:
            bad[str(pair)] = wrong
        pair.close()
    for family in (4, 6):
        for lan in lans:
            print(f"# links IPv{family} {lan.kind}:", *(f"{p.wan.kind}={'no' if str(p) in bad else 'yes'}" for p in pairs
                                                        if (p.lan, p.family) == (lan, family)), flush=True)
    equal(bad, {}, "pairs that are not right")


case_matrix = bare(lambda: matrix(links.LAN, links.WAN))
if os.path.exists(links.DSA):
    case_dsa = bare(lambda: matrix([links.dsa], [links.dsa]))
    case_dsa_vlan = bare(lambda: matrix([links.dsa_bridge], [links.dsa_vlan]))
    case_dsa_pppoe = bare(lambda: matrix([links.dsa_bridge], [links.dsa_pppoe]))


def under_load(lan, wan):
    """A flow from one kind of link to another, and another program's packets all the time."""
    links.gateway()
    one, two = links.make(lan, "c", 1, 1), links.make(wan, "s", 2, 1)
    select()
    start("c", ["python3", "-c", LOAD, two.address(4, 2)])
    flow = Udp(to=(two.address(4, 2), 7000), dport=7000)
    flow.client.settimeout(1)
    flow.server.settimeout(1)
    return one, two, flow


def passes(flow):
    try:
        flow.send(b"?")
        flow.reply(b"!")
    except OSError:
        drain(flow.client, flow.server)     # what was late
        return False
    return True


def is_fast(flow):
    """Three round trips, all hits of this flow."""
    def packets():
        lines = [l for l in flows() if " dport=7000 " in l]
        return sum(int(w.split("=")[1]) for l in lines for w in l.split() if w.startswith("packets="))
    before = packets()
    return all(passes(flow) for _ in range(3)) and packets() - before == 6


@bare
def case_redials():
    """PPPoE sessions end and are dialled again, under load: each time the flow is fast again, and nothing is left over."""
    _, two, flow = under_load(links.bridge, links.pppoe)
    wait(lambda: is_fast(flow), "fast")
    for i in range(50 if LONG else 5):
        before = run("r", f"ip -o link show {two.dev}").split(":")[0]
        two.pppd.send_signal(signal.SIGHUP)
        wait(lambda: run("r", f"ip -o link show {two.dev}", ok=False)[1].split(":")[0] not in (before, "Device \"pg21\" does not exist."),
             f"session {i}: another device")
        links.ppp_device("r", two.address(4, 1))
        wait(lambda: passes(flow), f"session {i} carries packets")
        wait(lambda: is_fast(flow), f"session {i}: fast")
    equal(stats()["missed_event"], 0, "missed_event")


@bare
def case_bond_failover():
    """The active leg of a bond goes down and comes back, under load: the flow goes on, fast."""
    one, _, flow = under_load(links.bond, links.eth)
    wait(lambda: is_fast(flow), "fast")
    for i in range(10):
        leg = one.below[i % 2]
        ip("r", f"link set {leg} down")
        wait(lambda: passes(flow), "the other leg")
        wait(lambda: is_fast(flow), "fast by the other leg")
        ip("r", f"link set {leg} up")
        wait(lambda: run("r", "cat /proc/net/bonding/" + one.dev).count("MII Status: up") == 3, "both legs up")
    check(stats()["missed_event"] == 0, "missed_event")
