# SPDX-License-Identifier: GPL-2.0-only
"""Behind SQM: what comes in is redirected to an ifb with cake on it, what leaves passes cake.

A packet that an ifb gives back skips tc and netfilter ingress (net/core/dev.c:__netif_receive_skb_core(), skip_classify),
so natflow looks it up at PRE_ROUTING.
"""
import time

import links
from natlab import (ADDR, ENDS, ROUNDS, Delta, Tcp, Udp, bare, both, check, equal, exchange, ip, is_fast, mac, nft_counter,
                    on_one_bridge, rule, run, select, wait)
from sqm import cake, redirect, restore

MEGA = bytes(range(256)) * 4096     # 1 MiB
RATE = 20                           # Mbit/s
PACKETS = 200                       # each way


def count_forwarded():
    run("r", ["nft", "-f", "-"], text="""table inet seen {
        chain forward {
            type filter hook forward priority -300
            meta l4proto { tcp, udp } counter comment "all"
        }
        }""")


def forwarded():
    return nft_counter("seen", "all", family="inet")


def resolved():
    """No neighbour is probed in the middle of an exact count."""
    for (one, dev), (two, peer) in ((ENDS[0], ENDS[1]), (ENDS[1], ENDS[0]), (ENDS[2], ENDS[3]), (ENDS[3], ENDS[2])):
        name = peer if two == "r" else two
        ip(one, "\n".join(f"neigh replace {ADDR[name, family]} lladdr {mac(two, peer)} dev {dev} nud permanent"
                          for family in (4, 6)))


def settled(flow):
    flow.learn()
    wait(lambda: is_fast(flow, 1), "both ways are fast")
    return flow


def shaped(family, lan=False):
    """cake on the WAN, an ifb with another for what comes in; lan=True: the same for what clients send."""
    resolved()
    run("r", f"tc qdisc add dev r1 root cake bandwidth {RATE}mbit besteffort")
    redirect("r1", "ifb0", f"bandwidth {RATE}mbit")
    if lan:
        redirect("r0", "ifb1")
    rule(family, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    count_forwarded()
    select()
    flow = settled(Udp(family))
    devices = ["r1", "ifb0"] + ["ifb1"] * lan
    before, seen, d = {dev: cake(dev)[0] for dev in devices}, forwarded(), Delta()
    for i in range(PACKETS):
        flow.send(b"up %d" % i)
        flow.reply(b"down %d" % i)
    equal({dev: cake(dev)[0] - before[dev] for dev in devices}, {dev: PACKETS for dev in devices}, "seen by cake")
    equal((d["hits"], forwarded() - seen), (2 * PACKETS, 0), f"hits, packets in FORWARD {d.changed()}")
    flow.close()
    conn = Tcp(family)
    for down in (False, True):
        transfer(conn, "ifb0" if down else "r1", down)


def transfer(conn, dev, down):
    """A megabyte by TCP: right, all of it through cake at its rate, and past FORWARD."""
    ends = (conn.server, conn.client) if down else (conn.client, conn.server)
    before, seen, d, begin = cake(dev), forwarded(), Delta(), time.monotonic()
    Tcp.pass_data(*ends, MEGA)
    took = time.monotonic() - begin
    packets, size = (a - b for a, b in zip(cake(dev), before))
    check(packets > 600 and size > len(MEGA), f"{packets} packets, {size} bytes through cake")
    check(len(MEGA) * 8 / took < RATE * 1.1e6, f"{len(MEGA) * 8e-6 / took} Mbit/s")
    slow_ones = forwarded() - seen
    check(d["hits"] >= 19 * slow_ones and d["hits"] > 100, f"{slow_ones} packets in FORWARD, {d.changed()}")


case_wan_v4, case_wan_v6 = both(shaped)
case_lan_v4, case_lan_v6 = both(lambda family: shaped(family, True))


def case_comes_and_goes():
    """The redirect comes, goes, and its ifb goes, under a live flow."""
    select()
    flow = settled(Udp())
    entry = len(run("r", "conntrack -L -p udp").splitlines())
    redirect("r1", "ifb0")
    wait(lambda: is_fast(flow, 1), "fast by the ifb")
    check(cake("ifb0")[0] >= 1, "the ifb has seen it")
    restore("r1", "ifb0")
    settled(flow)
    redirect("r1", "ifb0")
    wait(lambda: is_fast(flow, 1), "fast by the ifb again")
    ip("r", "link del ifb0")
    flow.send(b"to the server")         # what comes back is lost: the redirect leads nowhere
    run("r", "tc qdisc del dev r1 ingress")
    settled(flow)
    equal(len(run("r", "conntrack -L -p udp").splitlines()), entry, "conntracks")


def pair_is_fast(pair, what):
    """All packets of an exchange are hits, after at most a few."""
    def fast():
        d = Delta()
        pair.exchange()
        return d["hits"] == 2 * links.ROUNDS
    wait(fast, f"{pair}: {what}")


@bare
def case_links():
    """A redirect on the device where IP surfaces, and on the one below it: VLAN, bridge, PPPoE."""
    links.gateway()
    lan = links.make(links.eth, "c", 1, 1)
    wans = [links.make(kind, "s", 2, i) for i, kind in enumerate((links.vlan, links.bridge, links.pppoe), 1)]
    select()
    for wan in wans:
        pairs = [links.Pair(lan, wan, family) for family in (4, 6)]
        for dev in (wan.dev, wan.g):
            redirect(dev, "ifb0")
            for pair in pairs:
                pair_is_fast(pair, f"redirected at {dev}")
                before = cake("ifb0")[0]
                pair.exchange()
                check(cake("ifb0")[0] - before >= links.ROUNDS, f"{pair}: seen by cake at {dev}")
            restore(dev, "ifb0")
        for pair in pairs:
            pair_is_fast(pair, "not redirected")
            pair.close()


def case_bridged():
    """Bridge netfilter shows PRE_ROUTING what is only bridged: not looked up there."""
    select()
    redirect("r1", "ifb0")
    settled(Udp()).close()
    run("r", "tc qdisc del dev r1 ingress")
    on_one_bridge(4)
    for dev, ifb in (("r0", "ifb1"), ("r1", "ifb2")):
        redirect(dev, ifb)
    flow = Udp()
    flow.learn()
    before, d = cake("ifb1")[0], Delta()
    exchange(flow)
    check(cake("ifb1")[0] - before >= ROUNDS, "seen by cake")
    equal((d["hits"], d["refuse.miss"]), (0, 0), f"looked up {d.changed()}")
