# SPDX-License-Identifier: GPL-2.0-only
"""What sees the packets of a fast flow (Documentation/limits.md): tc and nft's netdev chains do, other chains do not.

A flow that is kept slow is seen by all.
"""
import json
import re

from natlab import IPT, Udp, both, equal, exchange, learned, modprobe, nft_counter, rule, run, stats, wait

KEPT, FAST = 5060, 7001


def seen(family):
    modprobe("cls_flower", "act_gact")
    protocol = "ip" if family == 4 else "ipv6"
    for dev, hook in (("r0", "ingress"), ("r1", "egress")):
        run("r", f"tc qdisc add dev {dev} clsact")
        run("r", f"tc filter add dev {dev} {hook} protocol {protocol} flower ip_proto udp dst_port {FAST} action ok")
    run("r", ["nft", "-f", "-"], text=f"""table netdev seen {{
        chain i {{ type filter hook ingress device r0 priority 0; udp dport {FAST} counter comment "ingress"; }}
        chain e {{ type filter hook egress device r1 priority 0; udp dport {FAST} counter comment "egress"; }}
        }}""")
    for port in (KEPT, FAST):
        rule(family, f"-A PREROUTING -p udp --dport {port} -j NFQUEUE --queue-bypass", table="mangle")
        rule(family, f"-A POSTROUTING -p udp --dport {port} -m comment --comment counts", table="mangle")
    # The README's rule: all but some, in both directions.
    rule(family, f"-I FORWARD 1 -m conntrack ! --ctorigdstport {KEPT} -j FLOWOFFLOAD")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    kept, fast = Udp(family, dport=KEPT).learn(), learned(Udp(family, dport=FAST))

    def counters():
        save = run("r", f"{IPT[family]}-save -t mangle -c")
        out = [int(n) for port in (KEPT, FAST) for n in re.findall(rf"^\[(\d+):\d+\] .*--dport {port} ", save, re.M)]
        for dev, hook in (("r0", "ingress"), ("r1", "egress")):
            shown = json.loads(run("r", f"tc -s -j filter show dev {dev} {hook}"))
            out += [f["options"]["actions"][0]["stats"]["packets"] for f in shown if "options" in f and "actions" in f["options"]]
            out.append(nft_counter("seen", hook))
        return out
    before = counters()
    exchange(kept, 10)
    exchange(fast, 10)
    equal([b - a for a, b in zip(before, counters())], [10, 10, 0, 0, 10, 10, 10, 10],
          "seen: kept by NFQUEUE and POSTROUTING, fast by them, fast by tc and nft at ingress, at egress")


case_seen_v4, case_seen_v6 = both(seen)
