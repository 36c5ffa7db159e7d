# SPDX-License-Identifier: GPL-2.0-only
"""Beside others' shapers: their queues, classes, filters and actions treat packets as without natflow, which stays fast."""
import itertools
import json
import re
import socket

import sqm
from natlab import ADDR, LONG, Delta, Udp, check, ctl, equal, ip, learned, mac, modprobe, rule, run, select, stats, wait

QOS = "/dev/natflow_qos_ctl"
EF = 0xb8


def tc(text):
    run("r", ["tc", "-batch", "-"], text="\n".join(line.strip() for line in text.splitlines()) + "\n")


def alone():
    """Neighbours are not looked for; the gateway's own multicast may still pass its queues."""
    for dev, where, end, peer in (("r0", "c", "c0", "c"), ("r1", "s", "s0", "s")):
        for family in (4, 6):
            ip("r", f"neigh replace {ADDR[peer, family]} lladdr {mac(where, end)} dev {dev} nud permanent")
            ip(where, f"neigh replace {ADDR[dev, family]} lladdr {mac('r', dev)} dev {end} nud permanent")


def counted(dev, kind="class"):
    """Packets by class, or of a queue by its handle."""
    text = run("r", f"tc -s {kind} show dev {dev}")
    return {number: int(packets) for number, packets in re.findall(rf"^{kind} \S+ (\S+) .*?Sent \d+ bytes (\d+) pkt", text, re.M | re.S)}


def roots():
    """Packets that both devices' queues have sent."""
    queues = {q["dev"]: q["packets"] for q in json.loads(run("r", "tc -j -s qdisc show")) if q.get("root")}
    return queues["r0"], queues["r1"]


def passes(flow, count=20):
    for i in range(count):
        flow.send(b"%d" % i)
        flow.reply(b"%d" % i)


def slowly():
    ctl("disabled=1")


def case_queues():
    """Each kind of queue on both devices has all packets of the stack, and all of the fast path."""
    modprobe("sch_fq_codel", "sch_cake", "sch_fq", "sch_tbf", "sch_htb")
    alone()
    select()
    queues = ("fq_codel", "cake bandwidth 100mbit besteffort", "fq", "handle 1: htb default 1")
    more = ("pfifo", "tbf rate 100mbit burst 20k latency 50ms", *queues) if LONG else ()
    for flow, queue in zip(itertools.cycle((Udp(4), Udp(6))), queues + more):
        tc("\n".join(f"qdisc replace dev {dev} root {queue}" for dev in ("r0", "r1")))
        if "htb" in queue:
            tc("\n".join(f"class add dev {dev} parent 1: classid 1:1 htb rate 100mbit\nqdisc add dev {dev} parent 1:1 fq_codel" for dev in ("r0", "r1")))
        for fast in (1, 0):
            ctl(f"disabled={1 - fast}")
            if fast:
                learned(flow)
            before, hits = roots(), stats()["hits"]
            passes(flow)
            equal(stats()["hits"] - hits, 40 * fast, f"hits with {queue}")
            passed = [n - old for n, old in zip(roots(), before)]
            check(all(20 <= n <= 22 for n in passed), f"packets of {queue}, fast: {fast}: {passed}")


def by_mark(dev, mark, minor):
    """A filter as the original's script has, or where the kernel has no cls_fw another one that looks at marks."""
    modprobe("cls_fw", "cls_u32")
    if run("r", f"tc filter add dev {dev} parent 1: protocol all prio 1 handle {mark} fw flowid 1:{minor}", ok=False)[0]:
        for number, proto in enumerate(("ip", "ipv6"), 1):
            run("r", f"tc filter add dev {dev} parent 1: protocol {proto} prio {number} u32 match mark {mark} 0xffffffff flowid 1:{minor}")


def case_original_htb():
    """tc_classid_mode=1 with classes of HTB by mark, as the original's script makes: each rule's packets are in its class, both ways."""
    modprobe("sch_htb", "sch_fq_codel")
    alone()
    select()
    ctl("lan_zone 1=r0\nwan_zone 2=r1", device="/dev/natflow_zone_ctl")
    rules = ("10.0.1.2", "fd00:1::2")
    ctl("\n".join(["tc_classid_mode=1"] + [f"add user={a},user_port=,remote=,remote_port=,proto=,rxbytes=250000,txbytes=125000" for a in rules]), device=QOS)
    for dev, way in (("r0", -1), ("r1", 0)):
        tc(f"""qdisc add dev {dev} root handle 1: htb default 99
            class add dev {dev} parent 1: classid 1:1 htb rate 1gbit
            class add dev {dev} parent 1:1 classid 1:99 htb rate 1gbit""")
        for n in (1, 2):
            tc(f"""class add dev {dev} parent 1:1 classid 1:1{n} htb rate {2 + way}mbit ceil {2 + way}mbit
                qdisc add dev {dev} parent 1:1{n} fq_codel""")
            by_mark(dev, 2 * n + way, f"1{n}")
    flows = [Udp(4), Udp(6)]
    for fast in (1, 0):
        ctl(f"disabled={1 - fast}")
        for flow in flows if fast else ():
            flow.learn()
            passes(flow, 10)        # rules that mark: the first ones take the stack
        before, hits = [counted(dev) for dev in ("r0", "r1")], stats()["hits"]
        for flow, count in zip(flows, (20, 25)):
            passes(flow, count)
        equal(stats()["hits"] - hits >= 80, bool(fast), f"{stats()['hits'] - hits} hits of 90, fast")
        for dev, old in zip(("r0", "r1"), before):
            new = counted(dev)
            equal([new[c] - old[c] for c in ("1:11", "1:12")], [20, 25], f"{dev}, packets by class, fast: {fast}")


def case_filters():
    """Filters by DSCP and by a connection's mark choose the same class on both paths."""
    modprobe("sch_htb", "cls_u32")
    alone()
    select()
    tc("""qdisc add dev r1 root handle 1: htb default 30
        class add dev r1 parent 1: classid 1:10 htb rate 10mbit
        class add dev r1 parent 1: classid 1:20 htb rate 10mbit
        class add dev r1 parent 1: classid 1:30 htb rate 10mbit""")
    by_mark("r1", 7, 20)
    flows = []
    for family, proto, match in ((4, "ip", "ip dsfield"), (6, "ipv6", "ip6 priority")):
        run("r", f"tc filter add dev r1 parent 1: protocol {proto} prio {family + 5} u32 match {match} {EF:#x} 0xfc flowid 1:10")
        marked = Udp(family)
        rule(family, f"-A FORWARD -p udp --dport {marked.server.getsockname()[1]} -j CONNMARK --set-mark 7", table="mangle")
        rule(family, "-A FORWARD -j CONNMARK --restore-mark", table="mangle")
        flows += [(Udp(family, tos=EF), "1:10"), (marked, "1:20"), (Udp(family), "1:30")]
    for fast in (1, 0):
        ctl(f"disabled={1 - fast}")
        for flow, _ in flows if fast else ():
            flow.learn()
            passes(flow, 10)
        before, hits, want = counted("r1"), stats()["hits"], dict.fromkeys(("1:10", "1:20", "1:30"), 0)
        for count, (flow, chosen) in enumerate(flows, 11):
            passes(flow, count)
            want[chosen] += count
        equal(stats()["hits"] - hits >= 2 * sum(want.values()) - 12, bool(fast), f"{stats()['hits'] - hits} hits, fast")
        got = {c: n - before[c] for c, n in counted("r1").items()}
        want["1:30"] = got["1:30"] if 0 <= got["1:30"] - want["1:30"] <= 2 else want["1:30"]       # the gateway's own
        equal(got, want, f"packets by class, fast: {fast}")


def case_policer():
    """A policer of tc at either side drops what is beyond its burst, of the fast path as of the stack."""
    modprobe("act_police", "cls_matchall", "sch_ingress")
    select()
    run("r", "tc qdisc add dev r0 clsact")
    flow = Udp()
    flow.client.setblocking(False)
    for hook in ("ingress", "egress"):
        up = hook == "ingress"
        if run("r", f"tc filter add dev r0 {hook} matchall action police rate 80kbit burst 10k drop", ok=False)[0]:
            return      # a kernel without act_police
        run("r", f"tc filter del dev r0 {hook}")
        for fast in (1, 0):
            ctl(f"disabled={1 - fast}")
            flow.client.settimeout(60)
            flow.learn()
            run("r", f"tc filter add dev r0 {hook} matchall action police rate 80kbit burst 10k drop")
            d = Delta()
            for _ in range(40):
                flow.client.send(bytes(972)) if up else flow.server.sendto(bytes(972), flow.peer)
            run("r", f"tc filter del dev r0 {hook}")
            end = flow.server if up else flow.client
            flow.client.send(b"end") if up else flow.server.sendto(b"end", flow.peer)
            heard = 0
            while end.recv(2000) != b"end":
                heard += 1
            check(9 <= heard <= 12, f"{heard} datagrams within the burst at {hook}, fast: {fast}")
            check((d["hits"] >= 10) == fast, f"{d.changed()}")


def case_ctinfo():
    """sqm's way for DSCP of downloads: act_ctinfo before the redirect to an ifb gives that of the connection's mark."""
    modprobe("act_ctinfo", "sch_ingress", "cls_matchall")
    select()
    rule(4, "-A FORWARD -p udp --dport 7000 -j CONNMARK --set-mark 0x6e", table="mangle")     # 46, and the bit that says so
    flow = Udp(dport=7000).learn()
    sqm.redirect("r1", "ifb0")
    run("r", "tc filter del dev r1 parent ffff:")
    if run("r", "tc filter add dev r1 parent ffff: matchall action ctinfo dscp 0x3f 0x40 pipe action mirred egress redirect dev ifb0", ok=False)[0]:
        sqm.restore("r1", "ifb0")
        return          # a kernel without it
    flow.client.setsockopt(socket.IPPROTO_IP, 13, 1)        # IP_RECVTOS

    def answer():
        hits = stats()["hits"]
        flow.send()
        flow.server.sendto(b"y", flow.peer)
        _, control, _, _ = flow.client.recvmsg(100, 64)
        return stats()["hits"] - hits, [data[0] for _, kind, data in control if kind == socket.IP_TOS]
    wait(lambda: answer() == (2, [EF]), "fast, with the mark's DSCP")
    slowly()
    equal(answer(), (0, [EF]), "on the stack")
    sqm.restore("r1", "ifb0")
