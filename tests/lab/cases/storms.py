# SPDX-License-Identifier: GPL-2.0-only
"""A thousand events a second that do not concern the flows: they stay fast, nothing stalls, nothing is missed.

Each kind for a few seconds; a minute in the long form.
"""
import subprocess
import threading
import time

import bench
from natlab import LONG, Delta, bare, check, equal, flows, ip, select, start, stats, wait

# After an event that moves the kernel's route counter every flow asks for its own route, and stays fast. While there is an
# IPsec policy the stack decides: one packet of every flow. 16 flows leave 80 % at 40,000 packets/s.
RATE, FLOWS, BURST = 1000, 16, 4096
SECONDS = 60 if LONG else 3
# What comes, and what takes it back.
KINDS = {
    "route4": (4, "route add 10.77.{n}.0/24 dev far", "route del 10.77.{n}.0/24 dev far"),
    "route6": (6, "route add fd77:{n}::/64 dev far", "route del fd77:{n}::/64 dev far"),
    "rule4": (4, "rule add to 10.77.{n}.0/24 table 99", "rule del to 10.77.{n}.0/24 table 99"),
    "rule6": (6, "rule add to fd77:{n}::/64 table 99", "rule del to fd77:{n}::/64 table 99"),
    "nexthop": (4, "nexthop add id {n} via 10.76.0.2 dev far", "nexthop del id {n}"),
    "neighbour": (4, "neigh replace 10.76.0.{n} lladdr 02:00:00:00:00:01 dev far", "neigh del 10.76.0.{n} dev far"),
    "address": (4, "addr add 10.77.{n}.1/24 dev far", "addr del 10.77.{n}.1/24 dev far"),
    "mtu": (4, "link set far mtu 1400", "link set far mtu 1450"),
    "policy": (4, "xfrm policy add src 10.77.{n}.0/24 dst 10.78.0.0/24 dir fwd tmpl mode tunnel proto esp src 10.78.0.1 "
               "dst 10.78.0.2", "xfrm policy del src 10.77.{n}.0/24 dst 10.78.0.0/24 dir fwd"),
}


def traffic(seconds):
    """Packets of all flows of both families for that long; returns how many, and the longest burst in seconds."""
    end, packets, longest = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        for family in (4, 6):
            begin = time.monotonic()
            bench.generate("in0", family, FLOWS, BURST, bench.original(family))
            longest = max(longest, time.monotonic() - begin)
            packets += BURST
    return packets, longest


def calm():
    """The longest burst of a second without an event, or None: new devices go on reporting themselves for a while."""
    d = Delta()
    packets, longest = traffic(1)
    return longest if d["hits"] == packets else None


class Storm:
    """Events in pairs, paced by the clock, or as fast as the kernel makes them if that is slower."""

    def __init__(self, kind):
        family, self.come, self.go = KINDS[kind]
        self.process = start("r", ["ip", f"-{family}", "-batch", "-"], stdin=subprocess.PIPE)
        self.events, self.over = 0, threading.Event()
        self.thread = threading.Thread(target=self.rage)
        self.thread.start()

    def rage(self):
        begin = time.monotonic()
        while not self.over.wait(0.01):
            while self.events < (time.monotonic() - begin) * RATE and not self.over.is_set():
                n = self.events // 2 % 250 + 1
                self.process.stdin.write(f"{self.come}\n{self.go}\n".format(n=n))
                self.process.stdin.flush()
                self.events += 2

    def end(self):
        self.over.set()
        self.thread.join()
        out = self.process.communicate(timeout=120)[0]
        equal((self.process.returncode, out or ""), (0, ""), "ip")


def weather(kind):
    def test():
        bench.setup()
        ip("r", "link add far type dummy\naddr add 10.76.0.1/24 dev far\nlink set far up")
        select()        # first, because what NAT's rules accept goes no further
        bench.nat()
        for family in (4, 6):
            bench.establish(family, FLOWS)
        equal(stats()["flows"], 2 * FLOWS, "flows")
        still = wait(calm, "calm weather: nothing but hits")
        d = Delta()
        storm = Storm(kind)
        try:
            packets, rough = traffic(SECONDS)
        finally:
            storm.end()
        share = d["hits"] / packets
        print(f"# storm {kind}: {storm.events / SECONDS:.0f} events/s, {packets / SECONDS:.0f} packets/s, {share:.1%} "
              f"accelerated, longest burst {rough * 1e3:.0f} ms ({still * 1e3:.0f} in calm weather)", flush=True)
        check(storm.events > 0, "no event")
        # Where there are few packets to an event there is no share to speak of: then each costs a few packets at most.
        check(share >= (0.8 if kind == "policy" else 0.95) or packets - d["hits"] <= 4 * storm.events, f"share {share} {d.changed()}")
        equal([stats()["missed_event"], len(flows()), stats()["flows"]], [0, 2 * FLOWS, 2 * FLOWS], "flows afterwards")
    return bare(test)


for _kind in KINDS:
    globals()[f"case_{_kind}"] = weather(_kind)
