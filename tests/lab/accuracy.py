#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Rates and TCP, by the round trip and the number of flows, inside a VM that counts one nanosecond per instruction.

c sends to s by the gateway: behind a link line (shape), or with the rate of a rule
(police). Prints "SHAPE what-flows-ROUNDTRIPms RATE share", the share of the rate.
"""
import sys
import time

sys.path.insert(0, "/lab")
import shaping  # noqa: E402
import sqm  # noqa: E402
from natlab import ctl, modprobe, run, select, sysctl, up  # noqa: E402

LINK = "link dev=r1,tx={}"
RULE = "add user=10.0.1.2,txbytes={}"
# kbit/s, and seconds at the least: a TCP connection needs some to find a rate, and a slow link some hundred packets.
RATES = ((64, 60), (1000, 12), (20000, 6), (100000, 4), (1000000, 2))
TRIPS = (1, 10, 100)
WARM = 5


def share(rate, trip, flows, seconds, line):
    """Bytes on the wire in a time, of what the rate would have sent."""
    run("s", f"tc qdisc replace dev s0 root netem delay {trip}ms limit 100000")
    run("c", "ip tcp_metrics flush")
    ctl(line, device=shaping.QOS)
    with shaping.Load(c=[4] * flows) as load:
        for sock in load.senders:
            sock.setsockopt(1, 32, 1 << 25)         # SO_SNDBUFFORCE: the network is the limit, not the buffer
        time.sleep(WARM)
        before, begin = load.bytes["c"], time.monotonic()
        left = sqm.root("r1")["bytes"]
        time.sleep(seconds)
        left, got, took = sqm.root("r1")["bytes"] - left, load.bytes["c"] - before, time.monotonic() - begin
    ctl("clear", device=shaping.QOS)
    # Of 1500 bytes of IP 1448 are data.
    return (left if line.startswith("link") else got * 1500 / 1448) * 8 / took / rate / 1000


def shape():
    for trip in TRIPS:
        for flows in (1, 64):
            for rate, seconds in RATES:
                line = LINK.format(f"{rate}kbit")
                shaping.say(f"shape-{flows}-{trip}ms", f"{rate}kbit", f"{share(rate, trip, flows, seconds, line):.4f}")


def police():
    for trip in (1, 5, 10, 20, 50):
        for flows, rate in ((1, 2000), (1, 20000), (1, 100000), (8, 20000)):
            line = RULE.format(rate * 125)
            shaping.say(f"police-{flows}-{trip}ms", f"{rate}kbit", f"{share(rate, trip, flows, 15, line):.4f}")


PARTS = {"shape": shape, "police": police}


def main():
    modprobe("nf_conntrack", "veth", "nf_nat", "xt_MASQUERADE", "iptable_nat", "ip6table_nat", "sch_netem")
    run(None, "insmod /lab/natflow.ko")
    run(None, "insmod /lab/xt_FLOWOFFLOAD.ko")
    up()
    ctl("lan_zone 1=r0\nwan_zone 2=r1", device="/dev/natflow_zone_ctl")
    select()
    sysctl("s", "net.ipv4.tcp_rmem", "4096 131072 33554432")
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
    print("LAB-DONE", flush=True)


if __name__ == "__main__":
    main()
