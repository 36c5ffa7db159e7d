# SPDX-License-Identifier: GPL-2.0-only
"""Ten minutes of a household (half a minute in the short form): then everything is as it was before.

Takes long: connections come at a household's rate, and conntracks have to time out.
"""
import time

from natlab import LONG, Delta, Tcp, Udp, check, equal, flows, run, rule, select, stats, sysctl, wait

SECONDS = 600 if LONG else 20
RATE = 2000 / 60        # short TCP connections a second
CACHES = ("natflow_flow4", "natflow_flow6", "nf_conntrack", "dst_cache", "ip_dst_cache", "ip6_dst_cache", "skbuff_head_cache")


def objects():
    """Live objects of each slab cache, after what is kept for later is given back."""
    out = {}
    for name in CACHES:
        try:
            with open(f"/sys/kernel/slab/{name}/shrink", "w") as f:
                f.write("1")
            with open(f"/sys/kernel/slab/{name}/objects") as f:
                out[name] = int(f.read().split()[0])
        except FileNotFoundError:
            pass
    return out


def short(n):
    """A connection that fetches a little and closes; client and server take turns to be first."""
    conn = Tcp(4 if n % 2 else 6, established=False)
    Tcp.pass_data(conn.client, conn.server, b"GET / HTTP/1.1\r\n")
    Tcp.pass_data(conn.server, conn.client, b"x" * 5000)
    (conn.client if n % 4 < 2 else conn.server).close()
    conn.close()


def quiet():
    run("r", "conntrack -F", ok=False)
    return not flows() and int(run("r", "conntrack -C")) == 0


def case_household():
    for family in (4, 6):
        rule(family, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    for name in ("time_wait", "close", "last_ack"):
        sysctl("r", f"net.netfilter.nf_conntrack_tcp_timeout_{name}", 2)
    select()
    short(1)
    short(2)
    wait(quiet, "nothing left")
    before = objects()
    check("natflow_flow4" in before, f"slab counts: {before}")
    d = Delta()
    long = [Tcp(4), Tcp(6)]
    calls = [Udp(f).learn() for f in (4, 6) * 4]
    begin, n = time.monotonic(), 0
    while time.monotonic() - begin < SECONDS:
        short(n)
        for conn in long:
            Tcp.pass_data(conn.client, conn.server, b"up" * 2000)
            Tcp.pass_data(conn.server, conn.client, b"down" * 4000)
        for call in calls:
            call.send(b"voice")
            call.reply(b"voice back")
        n += 1
        time.sleep(max(0, begin + n / RATE - time.monotonic()))     # the rate, not a wait for something
    print(f"# {n} connections in {time.monotonic() - begin:.0f} s, {d['hits']} hits", flush=True)
    check(d["hits"] > n * 16, f"{d.changed()}")
    for flow in long + calls:
        flow.close()
    wait(quiet, "nothing left")
    equal([stats()["flows"], stats()["missed_event"]], [0, 0], "flows")

    def back():
        grown = {k: v - before[k] for k, v in objects().items()}
        return all(v <= 64 for v in grown.values()) and grown["natflow_flow4"] <= 0 and grown["natflow_flow6"] <= 0
    wait(back, f"slab counts as before, {before}")
