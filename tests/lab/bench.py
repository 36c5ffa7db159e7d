#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Instructions per packet, inside a VM that counts one nanosecond per instruction.

60-byte UDP frames through masquerade, injected at one dummy device and sent by
another; every packet is counted at the far end. Net is what is left after
building and freeing the skb. Prints lines "BENCH case path flows value".
bench.py [FLOWS...]
"""
import json
import re
import sys
import termios
import time

sys.path.insert(0, "/lab")
import benchlinks  # noqa: E402
import benchshape  # noqa: E402
import benchsqm  # noqa: E402
import benchusers  # noqa: E402
from natlab import (Delta, IPT, check, ctl, equal, flows as flows_of, frame, ip, ip_packet, netns_add,  # noqa: E402
                    ns, read, rule, run, start, stats, sysctl, tcp, udp, wait)
import urls  # noqa: E402

COUNT = 16384
MAC = {"in0": "02:00:00:00:00:01", "out0": "02:00:00:00:00:02"}
PEER = {"in0": "02:00:00:00:01:01", "out0": "02:00:00:00:02:02"}
ADDR = {4: ("10.0.1.2", "10.0.2.2", "10.0.2.1"), 6: ("fd00:1::2", "fd00:2::2", "fd00:2::1")}
BIRTHS = PROBES = 4096
KEEPALIVES = 2 * 3600 // 25


def setup(where="r"):
    """A gateway between two dummy devices, with the addresses that all of them have."""
    netns_add(where)
    ip(where, "".join(f"""link add {dev} address {MAC[dev]} type dummy
        link set {dev} arp on up
        addr add 10.0.{n}.1/24 dev {dev}
        addr add fd00:{n}::1/64 dev {dev} nodad
        neigh add 10.0.{n}.2 lladdr {PEER[dev]} dev {dev} nud permanent
        neigh add fd00:{n}::2 lladdr {PEER[dev]} dev {dev} nud permanent
        """ for dev, n in (("in0", 1), ("out0", 2))))
    for k in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        sysctl(where, k, 1)
    for dev in ("all", "in0", "out0"):
        sysctl(where, f"net.ipv4.conf.{dev}.rp_filter", 0)


def nat():
    for family in (4, 6):
        rule(family, "-A POSTROUTING -o out0 -j MASQUERADE", table="nat")
        rule(family, "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT")
        rule(family, "-A FORWARD -i in0 -j ACCEPT")


def original(family, client=None, dport=9, data=None):
    c, s, _ = ADDR[family]
    c = client or c
    if data is None:
        data = bytes(18) if family == 4 else b""
    return frame(MAC["in0"], PEER["in0"], ip_packet(family, c, s, 17, udp(family, c, s, 1024, dport, data)))


def reply(family, client=None, sport=9):
    """Destination: the gateway's own address, as after masquerade, unless a client is given."""
    _, s, r = ADDR[family]
    r = client or r
    return frame(MAC["out0"], PEER["out0"],
                 ip_packet(family, s, r, 17, udp(family, s, r, sport, 1024, b"", zero=family == 4)))


def order(dev, kind, flows, count, data):
    return f"{dev} {kind} {flows} {count} {data.hex()}\n"


def give(what, where, *words):
    """An order() to natlab's bench or probe."""
    with ns(where), open(f"/proc/natlab_{what}", "wb", buffering=0) as f:
        f.write(order(*words).encode())


def generate(*words, where="r"):
    """order()'s words; returns the time per packet in ns."""
    give("bench", where, *words)
    with open("/proc/natlab_bench") as f:
        return int(f.read())


def background(*words, where="r"):
    """The same, measured in a process of its own."""
    return start(where, ["sh", "-c", f"echo '{order(*words).strip()}' > /proc/natlab_bench"])


def sent():
    return json.loads(run("r", "ip -j -s link show out0"))[0]["stats64"]["tx"]["packets"]


def establish(family, flows, where="r", client=None, port=9):
    """Send four packets of each flow, after which it is fast if it can be; returns their time in ns."""
    ways = ("in0", family, original(family, client, port)), ("out0", family + 10, reply(family, client, port))
    return sum(generate(dev, kind, flows, flows, data, where=where) for dev, kind, data in ways * 2)


def say(case, path, flows, value):
    print(f"BENCH {case} {path} {flows} {value}", flush=True)


def forget(path):
    run("r", "conntrack -F", ok=False)
    if path == "natflow":
        wait(lambda: not flows_of("r"), "flows of the last case are gone")


def measure(path, family, flows, floor, case="nat"):
    forget(path)
    establish(family, flows)
    best = None
    for _ in range(3):
        before = sent()
        hits = stats("r")["hits"] if path == "natflow" else 0
        value = generate("in0", family, flows, COUNT, original(family))
        # A multicast report of IPv6's own may be among them; none may be missing.
        check(0 <= sent() - before - COUNT <= 4, f"{path}: {sent() - before} of {COUNT} packets at the far end")
        if path == "natflow":
            equal(stats("r")["hits"] - hits, COUNT, "hits")
        best = min(best or value, value)
    say(f"{case}-udp-v{family}", path, flows, best - floor)


def segment(family, dev, seq, ack, flags, data=b""):
    """Of the one TCP connection between a client and a server."""
    c, s, r = ADDR[family]
    src, dst, ports = (c, s, (1024, 9)) if dev == "in0" else (s, r, (9, 1024))
    return frame(MAC[dev], PEER[dev], ip_packet(family, src, dst, 6, tcp(family, src, dst, *ports, seq, ack, flags, data,
                                                                         window=0xffff)))


def segments(family, floor):
    """The same as measure() for TCP: the window is compared."""
    forget("natflow")
    hello = ("in0", 99, 0, 2), ("out0", 999, 100, 18), ("in0", 100, 1000, 16)
    talk = [(dev, *numbers, 24, b"123456") for i in (0, 6) for dev, numbers in (("in0", (100 + i, 1000 + i)),
                                                                             ("out0", (1000 + i, 106 + i)))]
    for dev, *words in (*hello, *talk):
        generate(dev, family + 10 * (dev == "out0"), 1, 1, segment(family, dev, *words))
    wait(lambda: stats("r")["flows"] == 1, "published")
    d = Delta("r")
    best = min(generate("in0", family, 1, COUNT, segment(family, "in0", 112, 1012, 24, b"123456")) for _ in range(3))
    equal(d["hits"], 3 * COUNT, f"hits {d.changed()}")
    say(f"nat-tcp-v{family}", "natflow", 1, best - floor)


def births(path, family):
    forget(path)
    say(f"birth-v{family}", path, BIRTHS, establish(family, BIRTHS))
    if path == "natflow":
        equal(stats("r")["flows"], BIRTHS, "flows")


def flowtable(devices):
    run("r", ["nft", "-f", "-"], text=f"""table inet ft {{
        flowtable f {{ hook ingress priority 0; devices = {{ {", ".join(devices)} }}; }}
        chain fl {{ type filter hook forward priority -10; policy accept; meta l4proto udp flow add @f; }}
        }}""")


def probe(flows, data=None):
    """Send PROBES packets of established or other flows, one every 100 µs; returns at once."""
    give("probe", "r", "in0", 4, flows, PROBES, data or original(4))


def probed():
    """Wait for all; (median, 99th percentile, maximum) of their durations and of their start delays."""
    with open("/proc/natlab_probe") as f:
        return [tuple(map(int, line.split())) for line in f]


def probes(name, beside, tries=1, data=None):
    """The effect of other work on packets, by default of accelerated flows; returns how many were hits.

    Not how late they start in a flood: its generator holds softirqs off itself.
    """
    before, flows, late = stats("r")["hits"], 32, None
    # The page allocator takes back memory in bulk with interrupts off, and a woken ksoftirqd waits for whoever
    # runs in the kernel: neither comes each time.
    for _ in range(tries):
        termios.tcdrain(sys.stdout)     # or the console's interrupts would be measured
        probe(flows, data)
        beside()
        (_, took, longest), (_, _, last) = probed()
        late = min(late or last, last)
    say(f"took-p99-{name}", "natflow", flows, took)
    say(f"took-max-{name}", "natflow", flows, longest)
    if beside != flood:
        say(f"late-max-{name}", "natflow", flows, late)
    return stats("r")["hits"] - before


def flood():
    """New flows, far more than the table holds, some of them answered."""
    for dport in range(1000, 1040):
        generate("in0", 4, 256, 256, original(4, dport=dport))
        establish(4, 32, port=dport)


def resize():
    for limit in (200000, 65536, 131072, 65536):
        ctl(f"flow_limit={limit}")


def listing():
    """Read and discard: the reader's memory must not count in the measurement."""
    with ns("r"), open("/proc/net/natflow_flows", "rb", buffering=0) as f:
        while f.read(65536):
            pass


def latency():
    forget("natflow")
    establish(4, 32)
    equal(probes("idle", lambda: None), PROBES, "hits")
    ctl("flow_limit=300")
    d = Delta()
    check(probes("flood", flood) >= PROBES and d["end.evicted"] + d["learn.table-full"] > 1000,
          f"hits in a flood {d.changed()}")
    ctl("flow_limit=65536")
    forget("natflow")
    for port in range(9, 13):
        establish(4, 7000, port=port)
    equal(stats("r")["flows"], 28000, "flows")
    check(probes("resize", resize, tries=5) > 5 * PROBES // 2, "hits beside a resize")
    equal(stats("r")["flows"], 28000, "flows")
    equal(probes("listing", listing, tries=5), 5 * PROBES, "hits")
    probes("flush", lambda: ctl("flush"))
    check(stats("r")["end.flush"] >= 28000, "ended")


def names(floor):
    """Cost of the log of names: accelerated packets, slow ones of a decided flow, a logged question."""
    question = bytes.fromhex("123401000001000000000000") + b"\4name\7example\0" + bytes.fromhex("00010001")
    slow, event = original(4, dport=443), original(4, dport=53, data=question)
    for on, path in ((0, "stack"), (1, "natflow")):
        sysctl("r", "urllogger_store.timestamp_freq", 0)
        sysctl("r", "urllogger_store.enable", on)
        if on:
            for family in (4, 6):
                measure(path, family, 1, floor, "named")
        ctl("disabled=1")
        forget(path)
        for case, data in (("decided-udp-v4", slow), ("question-v4", event)):
            d = Delta("r")
            if on and data == slow:
                generate("in0", 4, 1, 1, original(4, dport=443, data=initial()))
                generate("out0", 14, 1, 1, reply(4, sport=443))
                equal(d["name.named"], 1, f"one flow is decided {d.changed()}")
            generate("in0", 4, 1, 128, data)
            say(case, path, 1, min(generate("in0", 4, 1, COUNT, data) for _ in range(3)) - floor)
        if on:
            equal(int(read("/proc/sys/urllogger_store/count")), 16384, "questions that are kept")
            lists(event)
            beside_hostile(question)
            hellos(floor)
            sysctl("r", "urllogger_store.enable", 0)
        ctl("disabled=0")


def initial(frames=None, **kw):
    return urls.initial(frames or urls.crypto(0, urls.hello("name.example", records=False)), **kw)


def hellos(floor):
    """Cost of a flow's first Initial: genuine, forged, four tiny forged ones, many frames; beside another datagram."""
    tiny = bytes([0xc0]) + (1).to_bytes(4, "big") + b"\x08forged!!\0\0" + urls.varint(28) + bytes(28)
    many = b"".join(urls.crypto(16000 - 9 * n, b"x") for n in range(180))
    for case, data in (("plain", bytes(1200)), ("genuine", initial()), ("forged", initial(forge=True)),
                       ("tiny", (tiny * 4).ljust(1200, b"\0")), ("frames", initial(many))):
        forget("natflow")
        time.sleep(1)       # a share of decryptions; idle time passes at once
        d = Delta("r")
        say(f"quic-{case}-v4", "natflow", 100, generate("in0", 4, 100, 100, original(4, dport=443, data=data)) - floor)
        equal(d["decryptions_refused"], 0, "refused")


def lists(question):
    """Cost of a question while a list is loaded: it must not wait for the load."""
    domains = [f"d{n:05}.example" for n in range(20000)]
    probes("unlisted", lambda: None, data=question)
    urls.acl("list name=l action=drop")

    def load():
        for _ in range(5):
            urls.load("l", domains)
    probes("load", load, tries=3, data=question)


def beside_hostile(question):
    """Accelerated packets beside a client that sends what costs the log most, from a port of its own each."""
    def hostile():
        for dport, data in ((443, bytes(1200)), (53, question), (53, bytes(12))):
            generate("in0", 4, 8192, 8192, original(4, client="10.0.1.66", dport=dport, data=data))
    ctl("disabled=0")
    forget("natflow")
    establish(4, 32)
    equal(probes("hostile", hostile), PROBES, "hits beside a hostile client")


def quiet():
    """Two hours with a keepalive every 25 s: one conntrack, one flow. Idle time passes at once in the emulator."""
    forget("natflow")
    establish(4, 1)
    entry = run("r", "conntrack -L -p udp -o id")
    d = Delta("r")
    for _ in range(KEEPALIVES):
        time.sleep(25)
        generate("in0", 4, 1, 1, original(4))
        generate("out0", 14, 1, 1, reply(4))
    equal([d["hits"], d["end.conntrack-gone"], stats("r")["flows"]], [2 * KEEPALIVES, 0, 1], "hits, ends, flows")
    now = run("r", "conntrack -L -p udp -o id")
    equal(re.search(r"\bid=\d+", now)[0], re.search(r"\bid=\d+", entry)[0], "the conntrack")
    say("keepalives", "natflow", 1, KEEPALIVES)


def main():
    brief = sys.argv[1:]        # for the demo: NAT alone
    counts = [int(n) for n in brief] or [1, 1000]
    run(None, "modprobe -a nf_conntrack dummy nf_flow_table_inet nft_flow_offload xt_MASQUERADE iptable_nat ip6table_nat")
    run(None, "insmod /lab/natlab.ko")
    setup()
    nat()
    ends = benchlinks.setup()
    floor = min(generate("in0", 0, 1, COUNT, original(4)) for _ in range(3))
    print("\nKERNEL", read("/proc/version").strip())
    say("harness", "floor", 1, floor)
    for path in ("stack", "nf_flow_table", "natflow"):
        if path == "nf_flow_table":
            flowtable(benchlinks.wires(ends))
        if path == "natflow":
            run("r", "nft delete table inet ft")
            run(None, "insmod /lab/natflow.ko")
            run(None, "insmod /lab/xt_FLOWOFFLOAD.ko")
            for family in (4, 6):
                run("r", f"{IPT[family]} -w -I FORWARD -j FLOWOFFLOAD")
            wait(lambda: stats("r")["hooked"] == 1, "hooks in place")
        for family in (4, 6):
            for flows in counts:
                measure(path, family, flows, floor)
            if not brief:
                births(path, family)
        for pair in () if brief else benchlinks.PAIRS:
            benchlinks.measure(path, ends, pair, floor)
        if path == "natflow" and not brief:
            more(floor)
        if not brief:
            benchsqm.measure(path, floor)
            benchshape.measure(path, floor)
    print("LAB-DONE", flush=True)


def more(floor):
    """Benches of natflow alone."""
    now = stats("r")
    check(now["flow_limit"] == 65536, "default limit")
    for family in (4, 6):
        share = now["table_bytes"] / now["flow_limit"]
        say(f"memory-v{family}", "natflow", 1, f"{now[f'flow_bytes_ipv{family}'] + share:.0f}")
    for family in (4, 6):
        segments(family, floor)
    latency()
    quiet()
    names(floor)
    benchusers.measure(floor)


if __name__ == "__main__":
    main()
