# SPDX-License-Identifier: GPL-2.0-only
"""Connections with NAT in hardware, and what must take them out of it: see engine.py."""
import threading

import access
import natlab
from engine import Counted, Flows, NAT, SERVER, bulk, counters, entries, found, hardware, slots, whole
from natlab import ADDR, Udp, check, ctl, equal, mac, run, wait


def left(flows, what):
    """No entry is bound any more, no frame is forwarded by one, and both connections go on, by the CPU."""
    equal(entries("bind"), [], f"bound entries after {what}")
    count = Counted()
    flows.exchange()
    equal(count["forwarded"], 0, f"frames forwarded after {what}: {count}")
    whole(count)


def at_once(flows, event, what):
    """When the event's command has returned."""
    flows.bind()
    event()
    left(flows, what)


def soon(flows, event, what):
    """A moment later, without traffic."""
    flows.bind()
    event()
    wait(lambda: not entries("bind"), f"nothing is bound after {what}")
    left(flows, what)


@natlab.bare
def case_commands():
    """Commands of natflow's devices: what they end has left hardware when they return."""
    hardware()
    flows = Flows()
    ctl("users=1")
    access.begin()
    for device, text in ((access.INFO, f"kick {ADDR['c', 4]}"), (natlab.CTL, "flush"), (natlab.CTL, "hwnat=0")):
        at_once(flows, lambda: ctl(text, device=device), text)
    ctl("hwnat=2")
    flows.bind()
    seen = natlab.Capture("s", "s0", lambda f: f[23] == 17)       # a connection's ends get a reset
    access.write(f"policy name=p,verdict=block\nbind policy=p,ip={ADDR['c', 4]}")
    equal(entries("bind"), [], "bound entries of who is blocked")
    natlab.drain(flows.udp.client, seen.sock)
    access.prohibited(flows.udp)
    seen.none()
    access.write("policy_clean")
    flows.udp.send()


@natlab.bare
def case_devices():
    """What is done to the port that they leave by; each ends before its command returned."""
    hardware()
    flows = Flows()
    at_once(flows, lambda: run("r", "ip link set r1 mtu 1490"), "mtu")
    at_once(flows, lambda: run("r", "ip link set r1 mtu 1500"), "mtu")
    at_once(flows, lambda: run("r", "ethtool -K r1 hw-tc-offload off"), "hw-tc-offload off")
    run("r", "ethtool -K r1 hw-tc-offload on")
    flows.bind()
    run("r", "ip link set r1 down")
    equal(entries("bind"), [], "bound entries when r1 is down")
    run("r", "ip link set r1 up")
    wait(lambda: natlab.reachable("c", 4, SERVER), "the server reachable again")
    left(flows, "down and up")
    flows.bind()


@natlab.bare
def case_heard():
    """What is told in atomic context, or by nobody."""
    hardware()
    natlab.second_link("s", "s2", 3)
    flows = Flows()
    soon(flows, lambda: run("r", "conntrack -D --orig-dst " + SERVER), "conntrack -D")
    flows.bind()
    other = Counted()
    via = natlab.Capture("s", "s2", lambda f: f[23] == 17)
    run("r", f"ip route add {SERVER} via 10.0.3.2 dev r2")
    wait(lambda: not entries("bind"), "nothing is bound after another route")
    left(flows, "another route")
    via.next()
    equal(other["lost"], 0, "lost frames")
    run("r", f"ip route del {SERVER}")
    before = mac("s", "s0")
    for address in ("02:00:00:00:55:01", before):
        flows.bind()
        run("s", f"ip link set s0 address {address}")
        run("r", f"ip neigh replace {SERVER} lladdr {address} dev r1 nud permanent")
        wait(lambda: not entries("bind"), "nothing is bound after a neighbour's new address")
        left(flows, "a neighbour's new address")


@natlab.bare
def case_unload():
    """The module goes under load, and takes all with it."""
    hardware()
    flows = Flows()
    flows.bind()
    stop, problems = threading.Event(), []

    def load():
        try:
            while not stop.is_set():
                bulk(flows.tcp, 1 << 17)
        except Exception as e:  # noqa: BLE001 - told by the case
            problems.append(e)
    thread = threading.Thread(target=load)
    thread.start()
    try:
        moved = Counted()
        wait(lambda: moved["forwarded"] > 500, "load in hardware")
        natlab.AT_END.pop()
        check(natlab.rmmod("natflow_hwnat"), "unloads")
        equal(entries("bind"), [], "bound entries after rmmod")
        count = Counted()
        wait(lambda: count["from_wire0"] > 500, "load by the CPU")
        equal(count["forwarded"], 0, f"frames forwarded after rmmod: {count}")
    finally:
        stop.set()
        thread.join()
    equal(problems, [], "the load")


@natlab.bare
def case_namespace():
    """The namespace of the ports goes while they have flows in hardware."""
    hardware()
    flows = Flows()
    flows.bind()
    natlab.netns_del("r")
    wait(lambda: {new for _, new in found().values()} >= {"r0", "r1"}, "the ports are back in the first namespace")
    equal((entries("bind"), counters()["lost"]), ([], 0), "bound entries and lost frames")
    flows.reset()


@natlab.bare
def case_stranger():
    """What P11 is for: a connection that natflow does not know, in the same bucket, makes the driver leave the entry bound.

    sticky=1 says so, and hwnat=1 would not have asked for it. This kernel's driver has the defect; when it has not, this fails.
    """
    hardware()
    natlab.rule(4, "-R FORWARD 1 -p tcp -j FLOWOFFLOAD --hw")
    flows = Flows()
    port, (client, _) = flows.tcp.peer[1], slots(ADDR["c", 4], flows.tcp.peer[1], SERVER, flows.tcp.peer[1])
    sport = next(p for p in range(1024, 65536) if p != port and slots(ADDR["c", 4], p, SERVER, 9999)[0] == client)
    wait(lambda: flows.load() or counters()["bound"] == 2, "TCP is bound")
    stranger = Udp(4, sport=sport, dport=9999)
    count = Counted()

    def asked():
        for _ in range(40):
            stranger.send()
        return count["reason_0f"]
    wait(asked, "the driver was asked about the stranger")
    equal(natlab.stats("r", "natflow_hwnat")["sticky"], 1, "what /proc/natflow_hwnat says")
    ctl("hwnat=0")
    stays = entries("bind")
    equal(len(stays), 1, f"entries that stay: {stays}")
    check(f"{ADDR['c', 4]}:{port}->{SERVER}:{port}" in stays[0] and NAT in stays[0], stays[0])
    for dev in ("r0", "r1"):
        run("r", f"ip link set {dev} down")
    equal(entries("bind"), [], "bound entries when both ports were down")
    flows.reset()
