# SPDX-License-Identifier: GPL-2.0-only
"""Drivers that refuse, fail, forget and lose, under natflow_hwnat.ko: software goes on, the reason counts, nothing is left."""
import contextlib
import errno
import glob
import re
import socket
import struct
import time

import cards
import links
from cards import burst, bursting, engine, finish, forwarded, hardware, hopefully, hwnat, in_hardware, off, passes, refused, udp
from meter import users
from natlab import LONG, Tcp, Udp, bare, check, conntrack, ctl, equal, ip, published, refuses, rule, run, start, sysctl, udp_socket, wait


def again():
    """Flows that were refused may be offered again at once, ports asked again."""
    ctl("hwnat=1")


@bare
def case_bind():
    """BIND answers EBUSY, EOPNOTSUPP, ENOMEM: nothing is bound, and the word hwnat=1 has the driver asked again."""
    engine()
    flow = udp(1)
    for err, key in ((errno.EBUSY, "busy"), (errno.EOPNOTSUPP, "no-ft"), (errno.ENOMEM, "memory")):
        cards.say(f"fail bind 1 {-err}")
        again()
        refused(flow, key)
        passes(flow, "cpu")
        equal(cards.rule_count(), 0, f"rules, BIND said {key}")
    again()
    hardware(flow)
    finish()


@bare
def case_empty_bind():
    """BIND succeeds and adds no callback: the port has no flow table."""
    engine("netdevsim")
    flow = udp(1)
    refused(flow, "no-ft")
    passes(flow, "cpu")
    finish()


@bare
def case_replace():
    """REPLACE fails for the first or the second direction: neither is in hardware."""
    engine()
    flow = udp(1)
    for nth in (1, 2):
        for err, key in ((errno.ENOSPC, "full"), (errno.ENOMEM, "memory"), (errno.EOPNOTSUPP, "driver"), (errno.EIO, "driver")):
            cards.say("clear")
            cards.say(f"fail replace {nth} {-err}")
            again()
            refused(flow, key)
            equal(cards.rule_count(), 0, f"rules, REPLACE {nth} said {key}")
            equal([c[0] for c in cards.calls() if c[0] != "bind"],
                  ["replace"] * nth + (["stats", "destroy"] if nth == 2 else []), "calls")
            passes(flow, "cpu")
    again()
    hardware(flow)
    passes(flow, "hw")
    equal(hwnat()["driver_errors"], 8, "driver_errors")
    off()
    cards.say(f"fail replace 1 {-errno.EEXIST}")        # an entry of the same cookie goes before the new one
    again()
    hardware(flow)
    passes(flow, "hw")
    finish()


@bare
def case_retry():
    """A flow that is refused waits 2 s, then 4 s, and more each time; a word lets it in at once."""
    engine()
    flow = udp(1)
    cards.say("places 1")
    times = []
    for _ in range(3):
        refused(flow, "full")
        times.append(time.monotonic())
    gaps = [b - a for a, b in zip(times, times[1:])]
    check(gaps[0] > 1.5 and gaps[1] > 3.5, f"seconds between refusals: {gaps}")
    equal(cards.rule_count(), 0, "rules")
    cards.say("places 0")
    again()
    hardware(flow)
    finish()


@bare
def case_lost():
    """DESTROY of what the driver has lost is no error; what it fails to do is asked for again.

    A flow whose entry STATS does not know, or cannot tell of, leaves hardware, and comes back.
    """
    engine()
    flow = udp(1)
    for err in (errno.ENOENT, errno.EINVAL, errno.EIO):
        hardware(flow)
        cards.say(f"fail destroy 1 {-err}")
        off()
        passes(flow, "cpu")
        again()
    equal(hwnat()["driver_errors"], 0, "driver_errors")
    for err in (errno.ENOENT, errno.EINVAL, errno.EIO):
        again()
        hardware(flow)
        before = hwnat()
        cards.say(f"fail stats 1 {-err}")
        hopefully(lambda: hwnat()["refused.driver"] > before["refused.driver"], "refused.driver counts")
        equal(cards.rule_count(), 0, "rules of the flow")
        equal(hwnat()["driver_errors"], before["driver_errors"] + 1, "driver_errors")
        passes(flow, "cpu")
    finish()


def toggled(driver):
    """ethtool -K hw-tc-offload off: hardware is empty when the command returns, although the driver refuses DESTROY from then on."""
    lan, _wan = engine(driver, "hwnat=2")
    flow = udp(1)
    hardware(flow)
    run("r", f"ethtool -K {lan.g} hw-tc-offload off")
    equal(cards.rule_count(), 0, "rules when the command has returned")
    check("hw-tc-offload: off" in run("r", f"ethtool -k {lan.g}"), "it is off")
    passes(flow, "cpu")
    refused(flow, "hw-tc-off")
    run("r", f"ethtool -K {lan.g} hw-tc-offload on")
    ctl("hwnat=2")
    hardware(flow)
    finish()


case_toggled = bare(lambda: toggled("generic"))
case_toggled_mtk = bare(lambda: toggled("mtk"))


@bare
def case_toggled_meanwhile():
    """A flow ends after hw-tc-offload was turned off, and before anybody was told: the driver refuses DESTROY, until the command returns."""
    lan, _wan = engine()
    flow = udp(1)
    hardware(flow)
    cards.hold("features")
    toggle = start("r", f"ethtool -K {lan.g} hw-tc-offload off")
    wait(cards.held, "the feature is off, and nobody was told")
    ctl("flush")
    cards.say("go")
    equal((toggle.wait(), cards.rule_count(), hwnat()["undeleted"]), (0, 0, 0), "status, rules, undeleted when the command has returned")
    run("r", f"ethtool -K {lan.g} hw-tc-offload on")
    again()
    hardware(flow)
    finish()


def binds_a_port():
    """natflow_hwnat's worker waits for RTNL."""
    for stack in glob.glob("/proc/[0-9]*/stack"):
        with contextlib.suppress(OSError), open(stack) as f:
            if "natflow_hwnat_port_bind" in f.read():
                return True
    return False


@bare
def case_overtaken():
    """An event while the worker has described a flow, and waits to bind its port: when the command has returned, no entry is made."""
    engine()
    flow = udp(1)
    cards.hold("rtnl")
    wait(cards.held, "RTNL is held")
    bursting([flow], binds_a_port, "the worker wants to bind a port")
    ctl("update_magic")
    cards.say("go")
    hopefully(lambda: not hwnat()["flows"], "the offer is answered")
    equal({call[0] for call in cards.calls()}, {"bind"}, "calls of the driver")
    hardware(flow)
    finish()


@bare
def case_polled_between_offers():
    """Offers wait for the worker: before it has installed the last of them, it counts what is in hardware."""
    engine(ports=3)
    other = links.make(links.eth, "s", 2, 2)
    rule(4, "-F POSTROUTING", table="nat")
    first = udp(0)
    hardware(first)
    ip("s", f"rule add from {other.address(4, 2)} table 100\nroute add default via {other.address(4, 1)} table 100")
    new = Udp(4, to=(other.address(4, 2), 7300), dport=7300, at=other.address(4, 2)).learn()
    many = [udp(i) for i in range(1, 9)]
    cards.hold("rtnl")
    wait(cards.held, "RTNL is held")
    begun = time.monotonic()
    bursting([new], binds_a_port, "the worker wants to bind a port")
    bursting(many, lambda: hwnat()["state.offered"] == len(many) and time.monotonic() - begun > 1.5, "the others wait, and a poll is due")
    cards.say("clear")
    cards.say("go")
    hopefully(lambda: hwnat()["state.bound"] == 10, "all are in hardware")
    kinds = [call[0] for call in cards.calls()]
    check("stats" in "".join(kinds).rpartition("replace")[0], f"calls of the driver: {kinds}")
    finish()


def begun_by_server(number):
    """A flow of another client, with another address and MAC."""
    return Udp(4, to=("10.1.1.2", 7100 + number), dport=7100 + number, client="s", server="c").learn()


def shared(bound):
    """Four places, and one client has them all: the others go on; another client gets half of them, and nobody more."""
    engine()
    bound()
    mine = [udp(i) for i in range(5)]
    hardware(*mine[:4])
    refused(mine[4], "full")
    passes(mine[4], "cpu")
    equal(in_hardware(*mine), 4, "the client's flows in hardware")
    theirs = [begun_by_server(i) for i in range(3)]
    for n, flow in enumerate(theirs[:2]):
        bursting([flow], lambda: in_hardware(flow), "the other client has a place")
        equal((in_hardware(*mine), in_hardware(*theirs)), (3 - n, n + 1), "flows of both in hardware")
    refused(theirs[2], "full")
    refused(mine[4], "full")
    equal((in_hardware(*mine), in_hardware(*theirs)), (2, 2), "flows of both in hardware")
    equal(cards.rule_count(), 8, "rules")
    finish()


@bare
def case_shared_limit():
    """hwnat_limit=4."""
    shared(lambda: ctl("hwnat_limit=4"))


@bare
def case_shared_table():
    """The driver's table has places for four flows."""
    shared(lambda: cards.say("places 8"))


def settled(before, clients, server):
    """All flows of these sockets are fast, and each has been installed or refused since."""
    burst_at = 0

    def ended():
        nonlocal burst_at
        now = hwnat()
        done = sum(now[k] - before[k] for k in now if k == "installs" or k.startswith("refused."))
        if done >= len(clients) and not now["state.offered"] + now["state.installing"]:
            return True
        if time.monotonic() > burst_at:     # two of natflow's half seconds may share a burst
            for client in clients:
                for _ in range(20):
                    client.send(b"forth")
                    server.recv(100)
            burst_at = time.monotonic() + 2
        return False
    hopefully(ended, f"{len(clients)} flows are installed or refused")


@bare
def case_churn():
    """Flows come, are bound and end, 50 at a time; the long form is 10,000 of them, of cards that fail one call in ten.

    Takes long: each flow has 25 packets.
    """
    engine()
    server = udp_socket("s", port=7000)
    if LONG:
        cards.say("random 10")
    for n in range(200 if LONG else 6):
        before = hwnat()
        clients = [udp_socket("c", port=20000 + (50 * n + i) % 30000) for i in range(50)]
        for client in clients:
            client.connect(("10.2.1.2", 7000))
            for _ in range(2):
                client.send(b"forth")
                server.sendto(b"back", server.recvfrom(100)[1])
                equal(client.recv(100), b"back", "at the client")
        settled(before, clients, server)
        if not LONG:
            equal(hwnat()["state.bound"], 50, "bound")
        if n % 2:
            ctl("flush")
        else:
            run("r", "conntrack -D -p udp --orig-port-dst 7000")
            hopefully(lambda: not hwnat()["flows"], "flows go with their conntracks")
        equal((hwnat()["flows"], cards.rule_count()), (0, 0), "flows and rules after their end")
        for client in clients:
            client.close()
    cards.say("random 0")
    check(LONG or hwnat()["driver_errors"] == 0, f"driver_errors: {hwnat()}")
    finish()


def sums():
    """Packets and bytes of the flow, of its conntrack, of the user: sent, received."""
    both = r"packets=(\d+) bytes=(\d+)"
    (line,) = [l for l in conntrack("-L -p udp").splitlines() if " dport=7001 " in l]
    flow = re.findall(both, published()[0])
    row = users().get("10.1.1.2", {})
    return ([(int(a), int(b)) for a, b in re.findall(both, line)], [(int(a), int(b)) for a, b in flow],
            [tuple(int(row.get(f"{way}_{what}", 0)) for what in ("packets", "bytes")) for way in ("tx", "rx")])


class Counted:
    """A flow that counts its round trips; learning took two."""

    def __init__(self, flow):
        self.flow, self.sent, self.reply = flow, 2, flow.reply

    def send(self, data):
        self.sent += 1
        self.flow.send(data)


def counters(driver):
    """Into hardware, out and in again: each packet is counted once, in the conntrack, in the flow, and for the user."""
    lan, wan = engine(driver)
    sysctl("r", "net.netfilter.nf_conntrack_acct", 1)
    ctl(f"lan_zone 1={lan.g}\nwan_zone 2={wan.g}", device="/dev/natflow_zone_ctl")
    ctl("users=1")
    flow = Counted(udp(1))
    stack = set()

    def right(what):
        sent = flow.sent
        want = [(sent, 33 * sent - 8), (sent, 32 * sent - 6)]       # the first two of each way are one byte long
        hopefully(lambda: sums()[0] == want, f"{what}: {sent} were sent, conntrack {sums()[0]}, want {want}")
        hopefully(lambda: sums()[2] == want, f"{what}: the user has {sums()[2]}, want {want}")
        stack.add(tuple(sent - packets for packets, _ in sums()[1]))
        equal(len(stack), 1, f"{what}: packets of both ways that the flow does not have, which are those of the stack")
    for _ in range(2):
        bursting([flow], lambda: cards.bound() == 2, "in hardware")
        passes(flow, "hw", 50)
        right("in hardware")
        off()
        right("when it has left")
        passes(flow, "cpu")
        right("in software")
        ctl("hwnat=1")
    finish()


case_counters = bare(lambda: counters("generic"))
case_counters_delayed = bare(lambda: counters("mlx5"))      # counts are up to a second old


def lives(driver):
    """Alone in hardware a flow lives beyond its timeout; without packets it goes in time."""
    engine(driver, "hwnat=2")
    for name in ("udp_timeout", "udp_timeout_stream"):
        sysctl("r", f"net.netfilter.nf_conntrack_{name}", 6)
    flow = udp(1)
    hardware(flow)
    (was,) = re.findall(r"id=(\d+)", conntrack("-L -p udp -o id --orig-port-dst 7001"))
    begun, cpu = time.monotonic(), forwarded()[1]

    bursting([flow], lambda: time.monotonic() - begun > 13, "twice its timeout passes")
    equal(re.findall(r"id=(\d+)", conntrack("-L -p udp -o id --orig-port-dst 7001")), [was], "its conntrack")
    check(forwarded()[1] - cpu < 10, f"{forwarded()[1] - cpu} frames passed the CPU")
    hopefully(lambda: not cards.rule_count(), "it goes when no packet comes any more")
    check("7001" not in conntrack("-L -p udp"), "its conntrack has gone")
    finish()


case_lives = bare(lambda: lives("generic"))
case_lives_mtk = bare(lambda: lives("mtk"))


@bare
def case_lives_uncounted():
    """mt7621 counts nothing: `approx 1`, and the time of the last packet counts instead."""
    lives("mt7621")


@bare
def case_never_bound():
    """Who has never been bound is not asked about: on mtk the answer means nothing, and may spoil the entry."""
    engine("mt7621", "hwnat=2")
    bound_one, other = udp(1), udp(2)
    hardware(bound_one)
    cards.say("rate 1000000")
    bursting([other], lambda: cards.rule_count() == 4, "the other is installed")
    mine = {l[2] for l in cards.lines("rule") if l[3] == "bound=1"}
    cards.say("clear")

    bursting([other, bound_one], lambda: sum(c[0] == "stats" for c in cards.calls()) >= 8, "the poll comes by four times")
    equal({f"cookie={c[2]}" for c in cards.calls() if c[0] == "stats"} - mine, set(), "others that were asked about")
    equal(hwnat()["approx"], 1, "approx")
    equal((hwnat()["state.installed"], hwnat()["state.bound"]), (1, 1), "states")
    finish()


@bare
def case_storm():
    """A rule changes whenever flows in hardware are asked for their paths, so each is in doubt at any time: they are counted nevertheless."""
    engine()
    sysctl("r", "net.netfilter.nf_conntrack_acct", 1)
    flows = [Counted(udp(i)) for i in range(3)]
    hardware(*flows)
    removals = hwnat()["removals"]
    cards.say("storm 1")
    ip("r", "rule add pref 700 to 10.77.0.0/24 table main")         # the first event

    def counted():
        return {int(dport): int(packets) for dport, packets in re.findall(r" dport=(700\d) packets=(\d+)", conntrack("-L -p udp"))}
    for what in ("once", "again"):
        for flow in flows:
            burst(flow, 10)
        want = {7000 + i: flow.sent for i, flow in enumerate(flows)}
        hopefully(lambda: counted() == want, f"counted {what}: conntracks have {counted()}, want {want}")
    equal((hwnat()["removals"], cards.bound()), (removals, 6), "removals, rules that forward")
    cards.say("storm 0")
    finish()


def connection(number):
    return Tcp(4, to=("10.2.1.2", 7200 + number), dport=7200 + number)


class Busy:
    """A connection, for bursting(): four segments at a time, as one at a time is slow where programs wake up late."""

    def __init__(self, conn):
        self.client, self.server = conn.client, conn.server
        for sock in (conn.client, conn.server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @staticmethod
    def pass_on(a, b, data):
        for _ in range(4):
            a.send(data)
        got = b""
        while len(got) < 4 * len(data):
            got += b.recv(4 * len(data) - len(got))
        equal(got, 4 * data, "what came of four segments")

    def send(self, data):
        self.pass_on(self.client, self.server, data)

    def reply(self, data):
        self.pass_on(self.server, self.client, data)


class OneWay:
    """Only the client's half of a flow."""

    def __init__(self, flow):
        self.send = flow.send

    def reply(self, data):
        pass


@bare
def case_aged():
    """The hardware forgets a connection that is idle for 7 s: it is withdrawn, and its packets offer it again."""
    engine("mtk", "hwnat=2")
    conn = connection(1)
    bursting([Busy(conn)], lambda: cards.bound() == 2 and hwnat()["state.bound"], "bound")
    hopefully(lambda: hwnat()["removals"], "withdrawn when it was idle")
    bursting([Busy(conn)], lambda: cards.bound() == 2, "bound again")
    conn.close()
    finish()


@bare
def case_reset():
    """What hardware forwarded before a RST is counted after it: the conntrack keeps the time that the RST has given it."""
    lan, _wan = engine()
    sysctl("r", "net.netfilter.nf_conntrack_tcp_timeout_unacknowledged", 500000)        # another reason for a short time
    conn = connection(1)
    bursting([Busy(conn)], lambda: cards.bound() == 2 and hwnat()["state.bound"], "bound")
    cards.hold("features")
    toggle = start("r", f"ethtool -K {lan.g} hw-tc-offload off")
    wait(cards.held, "the driver tells no counters and deletes nothing")
    burst(Busy(conn), 2)
    conn.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.client.close()
    refuses(lambda: conn.server.recv(1), errno.ECONNRESET)
    packets = hwnat()["packets"]
    cards.say("go")
    equal((toggle.wait(), cards.rule_count()), (0, 0), "status, rules when the command has returned")
    check(hwnat()["packets"] > packets, "packets were counted after the RST")
    left = [int(line.split()[2]) for line in conntrack("-L -p tcp").splitlines() if " dport=7201 " in line]
    check(left and max(left) <= 300, f"seconds that conntrack keeps the connection: {left}")
    run("r", f"ethtool -K {lan.g} hw-tc-offload on")
    finish()


@bare
def case_silent():
    """The cards lose what the server sends: connections leave hardware and go on, then all flows of these ports, until one works.

    A UDP flow of one direction stays.
    """
    _lan, wan = engine()
    good = udp(1)
    hardware(good)
    conns = [connection(i) for i in range(3)]
    bursting([Busy(c) for c in conns], lambda: hwnat()["state.bound"] == 4, "all are in hardware")
    cards.say(f"swallow {wan.g} 1")
    data = bytes(range(256)) * 80
    for conn in conns:
        equal(conn.server.send(data), len(data), "sent")

    bursting([OneWay(good)], lambda: hwnat()["refused.silent"] == 3, "three connections are silent")
    for conn in conns:
        got = b""
        while len(got) < len(data):
            got += conn.client.recv(1 << 20)
        equal(got, data, "what software brought the client")
    new = udp(2)
    refused(new, "silent")
    passes(new, "cpu")
    cards.say(f"swallow {wan.g} 0")
    passes(good, "hw")
    bursting([good, new], lambda: in_hardware(new), "a flow that works clears the ports")
    for conn in conns:
        conn.close()
    finish()
