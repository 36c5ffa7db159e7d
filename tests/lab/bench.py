#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Instructions per packet, inside a VM that counts one nanosecond per instruction.

60-byte UDP frames through masquerade, injected at one dummy device and sent by
another; every packet is counted at the far end. Net is what is left after
building and freeing the skb. Prints lines "BENCH case path flows value".
bench.py [FLOWS...]
"""
import json
import sys

sys.path.insert(0, "/lab")
from natlab import IPT, check, equal, flows as flows_of, frame, ip_packet, run, sh, stats, sysctl, udp, wait  # noqa: E402

COUNT = 16384
MAC = {"in0": "02:00:00:00:00:01", "out0": "02:00:00:00:00:02"}
PEER = {"in0": "02:00:00:00:01:01", "out0": "02:00:00:00:02:02"}
ADDR = {4: ("10.0.1.2", "10.0.2.2", "10.0.2.1"), 6: ("fd00:1::2", "fd00:2::2", "fd00:2::1")}


def setup():
    run(None, "ip netns add r")
    for dev, n in (("in0", 1), ("out0", 2)):
        sh("r", f"""ip link add {dev} type dummy; ip link set {dev} address {MAC[dev]} arp on up
            ip addr add 10.0.{n}.1/24 dev {dev}; ip addr add fd00:{n}::1/64 dev {dev} nodad
            ip neigh add 10.0.{n}.2 lladdr {PEER[dev]} dev {dev} nud permanent
            ip neigh add fd00:{n}::2 lladdr {PEER[dev]} dev {dev} nud permanent""")
    for k in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        sysctl("r", k, 1)
    for dev in ("all", "in0", "out0"):
        sysctl("r", f"net.ipv4.conf.{dev}.rp_filter", 0)


def nat():
    for family in (4, 6):
        run("r", f"{IPT[family]} -w -t nat -A POSTROUTING -o out0 -j MASQUERADE")
        run("r", f"{IPT[family]} -w -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT")
        run("r", f"{IPT[family]} -w -A FORWARD -i in0 -j ACCEPT")


def original(family):
    c, s, _ = ADDR[family]
    data = bytes(60 - 14 - (28 if family == 4 else 48)) if family == 4 else b""
    return frame(MAC["in0"], PEER["in0"], ip_packet(family, c, s, 17, udp(family, c, s, 1024, 9, data)))


def reply(family):
    _, s, r = ADDR[family]
    return frame(MAC["out0"], PEER["out0"], ip_packet(family, s, r, 17, udp(family, s, r, 9, 1024, b"", zero=family == 4)))


def generate(dev, kind, flows, count, data):
    sh("r", f"echo '{dev} {kind} {flows} {count} {data.hex()}' > /proc/natlab_bench")
    return int(run("r", "cat /proc/natlab_bench"))


def sent():
    return json.loads(run("r", "ip -j -s link show out0"))[0]["stats64"]["tx"]["packets"]


def establish(family, flows):
    for _ in range(2):
        generate("in0", family, flows, flows, original(family))
        generate("out0", family + 10, flows, flows, reply(family))


def measure(path, family, flows, floor):
    run("r", "conntrack -F", ok=False)
    if path == "natflow":
        wait(lambda: not flows_of("r"), "flows of the last case are gone")
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
    print(f"BENCH nat-udp-v{family} {path} {flows} {best - floor}", flush=True)


def flowtable():
    run("r", ["nft", "-f", "-"], text="""table inet ft {
        flowtable f { hook ingress priority 0; devices = { in0, out0 }; }
        chain fl { type filter hook forward priority -10; policy accept; meta l4proto udp flow add @f; }
        }""")


def main():
    counts = [int(n) for n in sys.argv[1:]] or [1, 1000]
    run(None, "modprobe -a nf_conntrack dummy nf_flow_table_inet nft_flow_offload xt_MASQUERADE iptable_nat ip6table_nat")
    run(None, "insmod /lab/natlab.ko")
    setup()
    nat()
    floor = min(generate("in0", 0, 1, COUNT, original(4)) for _ in range(3))
    print(f"\nBENCH harness floor 1 {floor}", flush=True)
    for path in ("stack", "nf_flow_table", "natflow"):
        if path == "nf_flow_table":
            flowtable()
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
    now = stats("r")
    check(now["flow_limit"] == 65536, "default limit")
    for family in (4, 6):
        share = now["table_bytes"] / now["flow_limit"]
        print(f"BENCH memory-v{family} natflow 1 {now[f'flow_bytes_ipv{family}'] + share:.0f}", flush=True)
    print("LAB-DONE", flush=True)


if __name__ == "__main__":
    main()
