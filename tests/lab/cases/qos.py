# SPDX-License-Identifier: GPL-2.0-only
"""Rates of rules and users: c is a user behind r0, s is outside."""
import contextlib
import errno
import json
import re
import socket
import time

import access
from access import user
from meter import users
from natlab import ADDR, Capture, Delta, Tcp, Udp, both, check, ctl, drain, equal, forwarded, gone, ip, learned, mac, modprobe, netns_add, netns_del, ns, opened, published, refuses, rule, run, select, settings, stats, sysctl, wait

QOS, INFO, ZONE = "/dev/natflow_qos_ctl", "/dev/natflow_userinfo_ctl", "/dev/natflow_zone_ctl"
LINE = "add user={},user_port=,remote=,remote_port=,proto=,rxbytes={},txbytes={}"
RATE, SIZE = 250000, 1000
BURST = 131072      # by default, at these rates
HEADS = {4: 28, 6: 48}


def write(text):
    ctl(text, device=QOS)


def rules():
    return [line for line in settings(device=QOS) if line.startswith("add ")]


def begin():
    """Zones, users, acceleration, and NAT for IPv4."""
    ctl("lan_zone 1=r0\nwan_zone 2=r1", device=ZONE)
    ctl("users=1")
    select()
    rule(4, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")


def slowly():
    """From now on all packets take the stack."""
    ctl("disabled=1")


def limit(user="", rx=RATE, tx=RATE, more=""):
    write(LINE.format(user, rx, tx) + more)


class Flood:
    """Datagrams of one direction of a flow, more than fit, and how many of them arrive."""

    def __init__(self, flow, up=True, batch=20):
        self.flow, self.up, self.batch = flow, up, batch
        self.target = flow.server if up else flow.client
        self.bytes = self.offered = 0

    def turn(self):
        self.offered += self.batch * SIZE
        for _ in range(self.batch):
            with contextlib.suppress(BlockingIOError):
                if self.up:
                    self.flow.client.send(bytes(SIZE))
                else:
                    self.flow.server.sendto(bytes(SIZE), self.flow.peer)
        self.sent = time.monotonic()        # the queue is full then
        self.target.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.bytes += len(self.target.recv(2 * SIZE)) + HEADS[self.flow.family]
        self.target.setblocking(True)

    def until(self, done):
        fill([self], done)


def fill(floods, done):
    """More than fits, without a pause that would let the queue run empty."""
    wait(lambda: [f.turn() for _ in range(10) for f in floods] and done(), "a flood has its effect")


def window(floods, seconds=0.4):
    """Bytes a second that arrive of all of them, from a full queue to a full queue."""
    for _ in range(5):
        for flood in floods:
            flood.turn()
    before, begun = sum(f.bytes for f in floods), floods[-1].sent
    while floods[-1].sent < begun + seconds:
        for flood in floods:
            flood.turn()
    return (sum(f.bytes for f in floods) - before) / (floods[-1].sent - begun)


def is_rate(rate, *floods):
    """Never more than the rate and the burst; and the rate to 2 %, once the virtual machine did not pause for a while."""
    drain(*(f.target for f in floods))
    for flood in floods:
        flood.bytes = flood.offered = 0
    begun, before, seen = time.monotonic(), stats()["drop.over"], []
    fill(floods, lambda: stats()["drop.over"] > before + 20)
    while len(seen) < 20 and not any(abs(got / rate - 1) < 0.02 for got in seen):
        seen.append(window(floods))
    passed, most = sum(f.bytes for f in floods), rate * (time.monotonic() - begun) + BURST + 20 * SIZE
    check(passed <= most, f"{passed} bytes, {most:.0f} at most")
    # The debug kernels cannot send so much.
    able = sum(f.offered for f in floods) > 2 * rate * (time.monotonic() - begun)
    check(len(seen) < 20 or not able, f"{[round(got) for got in seen]} bytes a second, want {rate}")


def law(family, fast):
    """Both directions, each by its own rate, to 2 %."""
    begin()
    limit(ADDR["c", family], rx=RATE, tx=2 * RATE)
    flow = learned(Udp(family))
    if not fast:
        slowly()
    d = Delta()
    is_rate(2 * RATE, Flood(flow))
    is_rate(RATE, Flood(flow, up=False))
    check((d["hits"] > 500) == fast, f"{d.changed()}")
    equal(d["end.limit"], 0, "flows that ended")


case_rate_fast_v4, case_rate_fast_v6 = both(lambda family: law(family, True))
case_rate_slow_v4, case_rate_slow_v6 = both(lambda family: law(family, False))


def case_lines():
    """What reading shows can be written back; a line that is refused changes nothing, nor do those beside it."""
    lines = [LINE.format("10.0.1.2", 1, 1000000000000), LINE.format("10.0.0.0/8", 5, "") + ",burst=3000,out=police",
             "add user=kids,user_port=80,remote=fd00::/16,remote_port=443,proto=tcp,rxbytes=,txbytes=9"]
    write("clear\n" + "\n".join(lines) + "\ntc_classid_mode=1")
    shown = settings(device=QOS)
    equal(shown, ["clear", "tc_classid_mode=1", *lines], "what reading shows")
    write("\n".join(shown))
    equal(settings(device=QOS), shown, "and shows again")
    for bad, err in ((LINE.format("10.0.1.2", 0, 1), errno.ERANGE), (LINE.format("10.0.1.2/24", 1, 1), errno.EINVAL),
                     (LINE.format("", "", ""), errno.EINVAL), (lines[0] + ",out=shape", errno.EOPNOTSUPP),
                     (lines[0] + ",out=edt", errno.EOPNOTSUPP), (lines[0], errno.EEXIST)):
        refuses(lambda: write(bad), err)
        refuses(lambda: write(f"begin\nclear\n{LINE.format('10.0.1.9', 1, 1)}\n{bad if bad != lines[0] else bad + chr(10) + bad}\ncommit"), err)
        equal(settings(device=QOS), shown, "behind a line that is refused")
    write("clear\ntc_classid_mode=0")
    equal(settings(device=QOS), ["clear", "tc_classid_mode=0"], "behind clear")


def case_4096_rules():
    """As many as there may be, the last one is for the flow; one more is refused."""
    begin()
    many = [LINE.format(f"10.9.{i // 256}.{i % 256}", 1000 + i, 1000) for i in range(4095)] + [LINE.format("10.0.1.2", RATE, RATE)]
    for part in (many[:2048], many[2048:]):
        write("begin\n" + "\n".join(part) + "\ncommit")
    equal(rules(), many, "rules")
    refuses(lambda: limit("10.8.0.1"), errno.ENOSPC)
    flow = learned(Udp())
    Flood(flow).until(lambda: stats()["drop.over"] > 20)
    write("clear")
    equal(rules(), [], "rules behind clear")


def case_first_rule():
    """The first rule that is for a flow decides, whatever is in its words: a prefix, a port, a protocol."""
    begin()
    write("\n".join((LINE.format("10.0.1.2", 1000000000, "").replace("proto=", "proto=tcp"),
                     LINE.format("10.0.1.2", 1000000000, "").replace("remote_port=", "remote_port=9"),
                     LINE.format("", RATE, "").replace("remote=,", "remote=10.0.2.0/24,"), LINE.format("10.0.0.0/8", 1000, ""))))
    is_rate(RATE, Flood(learned(Udp()), up=False))


def case_group():
    """Rules of a group share its rate, and each has its own besides; a group that is written anew keeps its flows."""
    begin()
    refuses(lambda: write("add user=10.0.1.2,group=kids"), errno.ENOENT)
    lines = [f"group name=kids,rxbytes=,txbytes={RATE}",
             "add user=10.0.1.2,user_port=,remote=,remote_port=,proto=,rxbytes=,txbytes=,group=kids",
             f"add user=fd00:1::2,user_port=,remote=,remote_port=,proto=,rxbytes=,txbytes={RATE // 2},group=kids"]
    write("\n".join(lines))
    equal(settings(device=QOS), ["clear", "tc_classid_mode=0", *lines], "what reading shows")
    refuses(lambda: write(lines[0]), errno.EEXIST)
    flows = [learned(Udp(4)), learned(Udp(6))]
    d = Delta()
    is_rate(RATE, *map(Flood, flows))
    drain(*(flow.server for flow in flows))
    is_rate(RATE // 2, Flood(flows[1]))
    write("begin\nclear\n" + "\n".join(lines).replace(f"={RATE}\n", f"={2 * RATE}\n") + "\ncommit")
    drain(flows[0].server)
    is_rate(2 * RATE, Flood(flows[0]))
    equal((d["end.limit"], len(published())), (0, 2), "the flows go on")
    slowly()
    is_rate(2 * RATE, Flood(flows[0]))


def band(dev):
    """Packets that a prio qdisc has sent of priority 5."""
    (row,) = [c for c in run("r", f"tc -s class show dev {dev}").split("class ") if c.startswith("prio 1:1 ")]
    return int(re.search(r"Sent \d+ bytes (\d+) pkt", row)[1])


def dscp(family):
    """DSCP and priority of a rule, on the stack and the fast path, in both directions; ECN and all else stay, to the byte."""
    ctl("lan_zone 1=r0\nwan_zone 2=r1", device=ZONE)
    ctl("users=1")
    select()
    modprobe("sch_prio")
    for dev in ("r0", "r1"):
        run("r", f"tc qdisc add dev {dev} root handle 1: prio bands 2 priomap 1 1 1 1 1 0 1 1 1 1 1 1 1 1 1 1")
    flow = Udp(family)
    ends = ((flow.client, "r0", "r1"), (flow.server, "r1", "r0"))
    for sock, _, _ in ends:
        level, option = (socket.IPPROTO_IP, socket.IP_TOS) if family == 4 else (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
        sock.setsockopt(level, option, 0x22)        # CS1, ECT(0)
    taps = [(Capture("r", came, lambda f: b"paint" in f), Capture("r", left, lambda f: b"paint" in f, sent=True)) for _, came, left in ends]

    def passes(want, fast):
        """A datagram each way."""
        hits, sent = stats()["hits"], [band(left) for _, _, left in ends]
        flow.send(b"paint")
        flow.reply(b"paint")
        equal(stats()["hits"] - hits, 2 * fast, "hits")
        for came, left in taps:
            equal(left.next()[14:].hex(), forwarded(came.next()[14:], want).hex(), f"a packet, DSCP {want}, fast: {fast}")
        more = [band(left) - before for (_, _, left), before in zip(ends, sent)]
        check(all(n >= 1 for n in more) if want == 46 else not any(more), f"packets of priority 5: {more}")

    whom = f"add user={ADDR['c', family]},user_port=,remote=,remote_port=,proto=,rxbytes=,txbytes="
    write(whom + ",dscp=set:46,prio=5")
    equal(rules(), [whom + ",dscp=set:46,prio=5"], "what reading shows")
    learned(flow)
    d = Delta()
    passes(46, True)
    slowly()
    passes(46, False)
    ctl("disabled=0")
    learned(flow)
    write("begin\nclear\n" + whom + ",dscp=wash\ncommit")
    equal(d["end.limit"], 1, "the flow had another DSCP")
    learned(flow)
    passes(0, True)
    write("clear")
    learned(flow)
    passes(None, True)
    equal((d["learn.rewritten"], d["bump.classify"]), (0, 0), "what learning thinks of it")


case_dscp_v4, case_dscp_v6 = both(dscp)


def case_user():
    """set-token-ctrl: all flows of an address, beside a rule; whoever is not there is refused; 0 0 ends it."""
    begin()
    refuses(lambda: ctl("set-token-ctrl 10.0.1.77 1 1", device=INFO), errno.ENOENT)
    flows = [learned(Udp()), learned(Udp())]
    d = Delta()
    ctl(f"set-token-ctrl {ADDR['c', 4]} 0 {RATE}", device=INFO)
    equal((len(published()), d["end.limit"]), (0, 2), "flows that go on without the limit")
    for flow in flows:
        learned(flow)
    is_rate(RATE, *map(Flood, flows))
    limit(ADDR["c", 4], tx=2 * RATE)
    for flow in flows:
        drain(flow.server, flow.client)
    is_rate(RATE, *map(Flood, flows))
    ctl(f"set-token-ctrl {ADDR['c', 4]} 0 {4 * RATE}", device=INFO)
    is_rate(2 * RATE, *map(Flood, flows))
    ctl(f"set-token-ctrl {ADDR['c', 4]} 0 0", device=INFO)
    is_rate(2 * RATE, *map(Flood, flows))


def case_privacy():
    """Addresses of IPv6 in one prefix share a rule's rate, behind NAT66, too; one of them has a rate of its own besides."""
    begin()
    rule(6, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    ip("c", "addr add fd00:1::77/64 dev c0 nodad")
    limit("fd00:1::/64")
    flows = [Udp(6), Udp(6)]
    with ns("c"):
        flows[1].client = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    flows[1].client.settimeout(60)
    flows[1].client.bind(("fd00:1::77", 0))
    flows[1].client.connect((ADDR["s", 6], flows[1].server.getsockname()[1]))
    for flow in flows:
        learned(flow)
    equal(flows[1].peer[0], ADDR["r1", 6], "source behind NAT66")
    is_rate(RATE, *map(Flood, flows))
    ctl(f"set-token-ctrl fd00:1::77 0 {RATE // 2}", device=INFO)
    again(*flows)
    is_rate(RATE // 2, Flood(flows[1]))


def case_changed_rule():
    """A rule that changes its rate reaches a live flow, which stays fast; another rule for it ends it; so does clear."""
    begin()
    flow = learned(Udp())
    d = Delta()
    limit("10.0.1.0/24")
    equal(d["end.limit"], 1, "end.limit: the flow had no limit")
    learned(flow)
    is_rate(RATE, Flood(flow))
    before = stats()["hits"]
    write("begin\nclear\n" + LINE.format("10.0.1.0/24", RATE, 2 * RATE) + "\ncommit")
    drain(flow.server)
    is_rate(2 * RATE, Flood(flow))
    equal((d["end.limit"], len(published())), (1, 1), "the flow goes on")
    check(stats()["hits"] - before > 100, f"{d.changed()}")
    limit("10.0.1.2", tx=RATE)
    equal(d["end.limit"], 1, "a rule behind the one that is for it")
    write("begin\nclear\n" + LINE.format("10.0.1.2", RATE, RATE) + "\n" + LINE.format("10.0.1.0/24", RATE, 3 * RATE) + "\ncommit")
    equal(d["end.limit"], 2, "one before it")
    write("clear")
    before = stats()["drop.over"] + stats()["drop.early"]
    drain(flow.server, flow.client)
    learned(flow)
    flood = Flood(flow)
    for _ in range(50):
        flood.turn()
    equal(stats()["drop.over"] + stats()["drop.early"] - before, 0, "drops behind clear")


def bind(policy):
    """Users may do all but what one policy of the device c says."""
    begin()
    access.write(f"timezone=UTC0\ndisabled=0\npolicy name=p,{policy}\nbind policy=p,device={mac('c', 'c0')}")


def again(*flows):
    """Learn flows that ended, whatever their buckets drop: the stack of a debug kernel is too slow for a flood."""
    for flow in flows:
        d = Delta()
        wait(lambda: flow.client.send(b"x") and flow.server.sendto(b"y", flow.peer) and d["hits"] > 1, "the flow is fast again")
        drain(flow.server, flow.client)


def is_free(flow):
    """Nothing of a flow is dropped any more."""
    again(flow)
    before, flood = stats()["drop.over"] + stats()["drop.early"], Flood(flow)
    while flood.offered < 3 * BURST:
        flood.turn()
    equal(stats()["drop.over"] + stats()["drop.early"] - before, 0, "drops without a rate")


def case_policy_rate():
    """rate= of a policy: all addresses of a device share it, on the fast path and the stack; it goes with the policy."""
    bind(f"rate=0/{RATE}")
    flows = [learned(Udp(4)), learned(Udp(6))]
    d = Delta()
    is_rate(RATE, *map(Flood, flows))
    check(d["hits"] > 100 and not d["end.limit"], f"{d.changed()}")
    # A rate by hand beside it: both hold.
    ctl(f"set-token-ctrl {ADDR['c', 6]} 0 {RATE // 2}", device=INFO)
    again(*flows)
    is_rate(RATE // 2, Flood(flows[1]))
    ctl(f"set-token-ctrl {ADDR['c', 6]} 0 0", device=INFO)
    access.write(f"policy_change name=p,rate=0/{2 * RATE}")
    check(d["end.limit"] >= 2, f"another rate ends the flows: {d.changed()}")
    again(*flows)
    is_rate(2 * RATE, *map(Flood, flows))
    slowly()
    d = Delta()
    is_rate(2 * RATE, Flood(flows[0]))
    equal(d["hits"], 0, "hits of the stack")
    ctl("disabled=0")
    access.write(f"unbind device={mac('c', 'c0')}")
    for flow in flows:
        is_free(flow)
    access.write("bind policy=p,zone=1")
    again(flows[0])
    is_rate(2 * RATE, Flood(flows[0]))
    access.write("disabled=1")
    is_free(flows[0])


def case_policy_rate_stranger():
    """An address without a record, for which there is no room, has its policy's rate all the same."""
    begin()
    ctl("user_limit=16")
    access.write(f"timezone=UTC0\ndisabled=0\npolicy name=p,rate=0/{RATE}\nbind policy=p,zone=1")
    flows = []
    for n in range(100, 116):
        flow = Udp()
        ip("c", f"addr add 10.0.1.{n}/24 dev c0")
        with ns("c"):
            flow.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        flow.client.bind((f"10.0.1.{n}", 0))
        flow.client.connect((ADDR["s", 4], flow.server.getsockname()[1]))
        flows.append(learned(flow))
    flow = Udp(6)
    flow.send()
    again(flow)
    check(ADDR["c", 6] not in users() and "10.0.1.100" in users(), f"{sorted(users())}")
    d = Delta()
    is_rate(RATE, Flood(flow))
    check(d["hits"] > 50, f"{d.changed()}")


def case_policy_throttle():
    """over=throttle: who has used a quota up gets a rate, a tenth of a second later; extra time lifts it."""
    bind(f"volume=400000/day,over=throttle,rate={RATE}/{RATE}")
    flow = learned(Udp())
    d, sent = Delta(), 0
    while not d["end.limit"]:
        for _ in range(5):
            flow.client.send(bytes(SIZE))
        sent += 5
        check(sent < 5000, "nothing is limited")
        time.sleep(0.01)        # as a sender at a rate: bytes beyond the quota tell of time
        drain(flow.server)
    # 500 packets a second at most: 100 ms, and as much for a machine that has other work.
    check(sent * (SIZE + HEADS[4]) - 400000 < 110000, f"{sent} packets passed")
    equal((d["end.limit"], user(4)["policy"], user(4)["why"]), (1, "p", "volume"), "the flow ended, and why")
    again(flow)
    is_rate(RATE, Flood(flow))
    access.write(f"grant device={mac('c', 'c0')} minutes=5")
    is_free(flow)
    access.write(f"grant device={mac('c', 'c0')} minutes=0")
    again(flow)
    is_rate(RATE, Flood(flow))


def case_policy_rate_schedule():
    """A rate begins and ends with its schedule; the flow is fast behind either."""
    with access.clock() as set_clock:
        set_clock("2026-02-11 20:30:00")
        bind(f"rate={RATE}/{RATE},schedule=21:00-22:00")
        flow = learned(Udp())
        d = Delta()
        set_clock("2026-02-11 21:00:00", 0.3)
        wait(lambda: d["end.limit"] == 1, "21:00")
        again(flow)
        is_rate(RATE, Flood(flow))
        set_clock("2026-02-11 22:00:00", 0.3)
        wait(lambda: d["end.limit"] == 2, "22:00")
        is_free(flow)


def counted(fast):
    """Each datagram arrives, or is counted as dropped, under its reason and beside what its user has sent."""
    begin()
    limit(ADDR["c", 4])
    flow = learned(Udp())
    if not fast:
        slowly()
    wait(lambda: users()[ADDR["c", 4]]["tx_packets"] == "7", "all that was sent is counted")
    d, sent, flood = Delta(), 0, Flood(flow)
    while d["drop.over"] < 50:
        for _ in range(10):
            flood.turn()
            sent += flood.batch
    flood.batch = 0
    wait(lambda: flood.turn() or flood.bytes // (SIZE + HEADS[4]) + d["drop.over"] + d["drop.early"] >= sent, "all arrive, or are counted")
    arrived = flood.bytes // (SIZE + HEADS[4])
    equal(arrived + d["drop.over"] + d["drop.early"], sent, f"datagrams, {d.changed()}")
    row = users()[ADDR["c", 4]]
    equal([int(row[k]) for k in ("dropped_packets", "dropped_bytes")], [sent - arrived, (sent - arrived) * (SIZE + HEADS[4])],
          "what natflow says that its user lost")
    wait(lambda: users()[ADDR["c", 4]]["tx_packets"] == str(7 + arrived), "its user has sent the others")
    equal(d["hits"], arrived if fast else 0, "hits")


def case_counted_fast():
    counted(True)


def case_counted_slow():
    counted(False)


def ect(flow):
    """Both ends say that they know ECN; the server sees what arrives."""
    flow.client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 2)
    flow.server.setsockopt(socket.IPPROTO_IP, 13, 1)        # IP_RECVTOS
    return flow


def marks(flow, batch=20):
    """Send some; how many of those that arrive say congestion."""
    for _ in range(batch):
        flow.client.send(bytes(SIZE))
    flow.server.setblocking(False)
    seen = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            _, control, _, _ = flow.server.recvmsg(2 * SIZE, 64)
            seen += sum(data[0] & 3 == 3 for _, kind, data in control if kind == socket.IP_TOS)
    flow.server.setblocking(True)
    return seen


def case_marked():
    """ECN-capable packets are marked where others are dropped early; a mark on the stack teaches nothing."""
    begin()
    limit(ADDR["c", 4], more=",burst=400000")
    flow = ect(Udp())
    learned(flow)
    d, seen = Delta(), []
    wait(lambda: seen.append(marks(flow)) or sum(seen) > 2, "marks arrive")
    equal((d["drop.marked"], d["drop.early"]), (sum(seen), 0), "drop.marked, drop.early")
    check(d["hits"] > 100, f"{d.changed()}")
    flow.client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0)
    wait(lambda: marks(flow) or d["drop.early"], "others are dropped: drop.early")
    ctl("delay_pkts=1000000\nflush")
    flow = ect(Udp())
    flow.learn()
    wait(lambda: marks(flow) and d["learn.marked"], "learn.marked")
    equal(d["learn.rewritten"], 0, "directions that are said to be rewritten")


def case_super_packet():
    """A connection whose super-packets are larger than the burst goes on."""
    begin()
    limit(ADDR["c", 4], rx=4000000, tx=4000000, more=",burst=1500")
    flow = Tcp()
    data = bytes(range(256)) * 4096
    Tcp.pass_data(flow.client, flow.server, data)
    Tcp.pass_data(flow.server, flow.client, data)
    check(stats()["hits"] > 20, "hits")


def passed(dev, mark):
    """Packets that leave with a mark, as tc counts them."""
    for f in json.loads(run("r", f"tc -s -j filter show dev {dev} egress")):
        keys = f.get("options", {})
        if "actions" in keys and keys.get("mark", {}).get("value") == f"{mark:#x}":
            return keys["actions"][0]["stats"]["packets"]
    return 0


def case_marks():
    """tc_classid_mode=1: rules only mark, what users receive with odd numbers; flows are fast, and marked by the fast path, too."""
    begin()
    for module in ("sch_ingress", "cls_u32", "act_gact"):
        modprobe(module)
    for dev, mark in (("r0", 3), ("r1", 4)):
        run("r", f"tc qdisc add dev {dev} clsact")
        run("r", f"tc filter add dev {dev} egress protocol ip u32 match mark {mark} 0xffffffff action pass")
    write("tc_classid_mode=1\n" + LINE.format("10.9.9.9", 1000, 1000) + "\n" + LINE.format("10.0.1.2", 1000, 1000))
    flow = Udp()
    flow.learn()
    hits = stats()["hits"]
    for _ in range(100):
        flow.send()
        flow.reply()
    check(stats()["hits"] - hits > 150, f"hits {stats()['hits'] - hits}")
    for dev in ("r0", "r1"):
        text = run("r", f"tc -s filter show dev {dev} egress")
        check("Sent" in text and max(int(l.split()[3]) for l in text.splitlines() if "Sent" in l) >= 102, text)
    equal(stats()["drop.over"], 0, "drops")


def case_often_changed():
    """A rate that changes a thousand times hands out no burst each time; nothing ends."""
    begin()
    limit(ADDR["c", 4])
    flow = learned(Udp())
    d, flood = Delta(), Flood(flow)
    flood.until(lambda: d["drop.over"] > 20)
    begun, flood.bytes = time.monotonic(), 0
    for i in range(200):
        write("begin\nclear\n" + LINE.format("10.0.1.2", RATE, RATE + i % 2) + "\ncommit")
        flood.turn()
    most = RATE * (time.monotonic() - begun) * 1.02 + BURST + 20 * SIZE     # 200 bursts would be 26 MB
    check(flood.bytes <= most, f"{flood.bytes} bytes, {most:.0f} at most")
    equal(d["end.limit"], 0, "flows that ended")


def case_namespace():
    """It goes with rules, limits of users and a live flow; an open device says so."""
    netns_add("x")
    ctl("add user=10.0.1.2,rxbytes=1000\nadd user=10.0.1.3,txbytes=1000", "x", QOS)
    with opened(QOS, 0, "x") as fd, open(fd, closefd=False) as reader:
        check("10.0.1.3" in reader.read(), "rules of x")
        equal(rules(), [], "rules of r")
        netns_del("x")
        wait(lambda: gone(reader), "ENODEV")
    begin()
    limit(ADDR["c", 4])
    Flood(learned(Udp())).until(lambda: stats()["drop.over"] > 20)
