# SPDX-License-Identifier: GPL-2.0-only
"""Many flows, and flows that come and go fast: bounded, exact, and never in each other's way.

Takes long: each of tens of thousands of flows is established by four packets.
"""
import re
import time

import bench
from natlab import LONG, NET, Delta, bare, check, ctl, equal, ip, kernel_wide, ns, run, select, stats, sysctl, wait

FLOWS = 1 << 20 if LONG else 1 << 15
CHURN = 100 if LONG else 20
BATCH = 4096            # an eighth of the limit, 8192 at most, may be unpublished at once
HOSTS, PORTS = 32, 8    # a client's flows are BATCH source ports to each of these


def batches(flows):
    """(client, server's port) of BATCH flows each."""
    return [(f"10.0.1.{2 + n // PORTS % HOSTS}", 9 + n % PORTS + n // PORTS // HOSTS * PORTS) for n in range(flows // BATCH)]


def gateway(limit):
    """With clients that need no resolution, and conntracks that stay."""
    bench.setup()
    ip("r", "".join(f"neigh add 10.0.1.{n} lladdr {bench.PEER['in0']} dev in0 nud permanent\n" for n in range(3, 2 + HOSTS)))
    for name in ("udp_timeout", "udp_timeout_stream"):
        sysctl("r", f"net.netfilter.nf_conntrack_{name}", 3000)
    select()
    ctl(f"flow_limit={limit}")


def forth(client, port):
    return bench.generate("in0", 4, BATCH, BATCH, bench.original(4, client, port))


def listed():
    """Flows in /proc/natflow_flows, each once."""
    seen, rest = set(), b""
    with ns("r"), open(NET + "natflow_flows", "rb", buffering=0) as f:
        while data := f.read(1 << 20):
            *lines, rest = (rest + data).split(b"\n")
            seen.update(re.search(rb"src=(\S+) .*?sport=(\d+) dport=(\d+) ", line).groups() for line in lines)
    equal(rest, b"", "end of the list")
    return len(seen)


def many_flows():
    """Every one of them fast; listed, moved to another table and ended while packets pass."""
    gateway(2 * FLOWS)
    begin = time.monotonic()
    for client, port in batches(FLOWS):
        bench.establish(4, BATCH, client=client, port=port)
    print(f"# {FLOWS} flows in {time.monotonic() - begin:.1f} s", flush=True)
    equal(stats()["flows"], FLOWS, "flows")
    d = Delta()
    for which in batches(FLOWS):
        forth(*which)
    equal(d["hits"], FLOWS, f"hits {d.changed()}")
    before = stats()["hits"]
    running = bench.background("in0", 4, BATCH, FLOWS, bench.original(4, *batches(FLOWS)[0]))
    equal(listed(), FLOWS, "flows listed")
    running.wait()
    equal(stats()["hits"] - before, FLOWS, "hits beside a listing")
    ctl(f"flow_limit={FLOWS}")
    equal(stats()["flows"], FLOWS, "flows in a table of another size")
    before = stats()["hits"]
    for which in batches(FLOWS):
        forth(*which)
    equal(stats()["hits"] - before, FLOWS, "hits in a table of another size")
    running = bench.background("in0", 4, BATCH, FLOWS, bench.original(4, *batches(FLOWS)[0]))
    run("r", "conntrack -F")
    wait(lambda: d["end.conntrack-gone"] >= FLOWS, "all flows ended", 120)
    running.wait()


def churn():
    """Flows that are new all the time: each is fast after four packets, whatever had to leave for it.

    But for a few in a million that find both buckets full. Once the table is full for the first time, new flows are
    refused until each old one had its second chance: 64 buckets are looked at for each.
    """
    gateway(8 * BATCH)
    begin, born, slow = time.monotonic(), 0, 0
    d = Delta()
    for client, port in batches(CHURN * BATCH):
        bench.establish(4, BATCH, client=client, port=port)
        hits = stats()["hits"]
        forth(client, port)
        born += BATCH
        slow += BATCH - (stats()["hits"] - hits)
        late = d["learn.bucket-full"] + d["learn.table-full"]
        check(slow <= late <= 512 + born / 10000, f"{slow} of {born} slow {d.changed()}")
    took = time.monotonic() - begin
    print(f"# {born} flows in {took:.1f} s, {born / took:.0f}/s, {d['end.evicted']} evicted, {slow} late", flush=True)
    ended = d["end.evicted"] + d["end.half-evicted"]
    equal(born - ended, stats()["flows"] + stats()["flows_half"], f"born, less ended {d.changed()}")
    check(stats()["flows"] <= 8 * BATCH, "bounded")


def roomy(test):
    """With room for as many conntracks."""
    def case():
        with kernel_wide("/sys/module/nf_conntrack/parameters/hashsize", 2 * FLOWS), \
             kernel_wide("/proc/sys/net/nf_conntrack_max", 4 * FLOWS):
            test()
    return bare(case)


case_many_flows, case_churn = roomy(many_flows), roomy(churn)
