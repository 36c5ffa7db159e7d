# SPDX-License-Identifier: GPL-2.0-only
"""VLANs and bridges are skipped while nobody put anything on them, and not one packet longer."""
import json
import socket
import time

import links
from links import ROUNDS
from natlab import (LONG, Capture, Delta, Failure, Tcp, Udp, bare, check, ctl, drain, equal, frame, hits, inject, ip, ip_packet, mac,
                    modprobe, netns_add, netns_del, nft_counter, ns, reachable, rule, run, select, sh, stats, sysctl, udp, wait)


AGAIN = 50 if LONG else 10


def pair_of(lan, wan=links.eth, family=4):
    """One accelerated flow between two kinds of link."""
    links.gateway()
    pair = links.Pair(links.make(lan, "c", 1, 1), links.make(wan, "s", 2, 1), family)
    select()
    pair.exchange()
    skipped(pair)
    return pair


def not_skipped(pair):
    """Why not all packets are fast and pass unseen by VLAN and bridge devices, or nothing."""
    d = Delta()
    pair.exchange()
    good = d["hits"] == 2 * ROUNDS and d["refuse.vlan-tag"] + d["refuse.bridge-member"] < ROUNDS
    return None if good else d.changed()


def skipped(pair):
    """They are; a device's own packet may come into one look, not into three."""
    why = not_skipped(pair) and not_skipped(pair) and not_skipped(pair)
    check(not why, f"{pair}: {why}")


def fast(pair):
    d = Delta()
    pair.exchange()
    equal(d["hits"], 2 * ROUNDS, f"{pair}: {d.changed()}")


def seen(pair, count, each=ROUNDS, others=0):
    """Every packet is counted, the very next one too; and then fast again, and counted. So are @others of the device's own."""
    before = count()
    pair.exchange()
    check(0 <= count() - before - each <= others, f"{pair}: packets seen: {count() - before} of {each}")
    fast(pair)
    check(0 <= count() - before - 2 * each <= others, f"{pair}: packets seen when fast: {count() - before} of {2 * each}")


def each(*kinds):
    """A case for some kinds of LAN link: names of cases get the kind's."""
    def make(test):
        for kind in kinds:
            globals()[f"case_{test.__name__}_{kind.__name__}"] = bare(lambda kind=kind: test(pair_of(kind)))
        return test
    return make


FLAT = (links.vlan, links.bridge, links.vlan_on_bridge, links.pvid)


def nft(text):
    run("r", ["nft", "-f", "-"], text=text)


@each(*FLAT)
def nft_hooks(pair):
    """A netdev chain on a device that is skipped: it counts from the next packet on."""
    for way in ("ingress", "egress"):
        nft(f"""table netdev look {{
            chain l {{ type filter hook {way} device {pair.lan.dev} priority 0; meta l4proto udp counter comment "seen"; }}
            }}""")
        seen(pair, lambda: nft_counter("look", "seen"))
        nft("delete table netdev look")
        fast(pair)


def tc_packets(dev, way):
    return json.loads(run("r", f"tc -s -j filter show dev {dev} {way}"))[-1]["options"]["actions"][0]["stats"]["packets"]


@bare
def case_two_of_three_tags():
    """Behind three tags is another link than behind the first two: a packet with these is not taken for the flow's."""
    links.gateway()
    pair = links.Pair(links.make(links.three_tags, "c", 1, 1), links.make(links.eth, "s", 2, 1), 6)
    select()
    pair.exchange()
    fast(pair)
    source, to = pair.client.getsockname(), pair.to
    packet = ip_packet(6, source[0], to[0], 17, udp(6, source[0], to[0], source[1], to[1], b"astray"))
    tags = bytes.fromhex("88a80064" "8100000a" "81000005")
    for n, want in ((12, 1), (8, 0)):
        d = Delta()
        inject(pair.lan.g, frame(mac("r", pair.lan.g), mac("c", pair.lan.h), packet)[:12] + tags[:n] + b"\x86\xdd" + packet)
        equal(d["hits"], want, f"{n // 4} tags: {d.changed()}")


@each(*FLAT)
def tc_hooks(pair):
    """So does a filter of tc, and a queue."""
    modprobe("sch_ingress", "cls_matchall", "act_gact")
    dev = pair.lan.dev
    run("r", f"tc qdisc add dev {dev} clsact")
    for way in ("ingress", "egress"):
        run("r", f"tc filter add dev {dev} {way} protocol ip matchall action ok")
        seen(pair, lambda: tc_packets(dev, way))
    run("r", f"tc qdisc del dev {dev} clsact")
    ctl("flush")            # a flow of before would go on through the device
    pair.exchange()
    skipped(pair)
    run("r", f"tc qdisc add dev {dev} root handle 1: pfifo")

    def queued():
        return json.loads(run("r", f"tc -s -j qdisc show dev {dev} root"))[0]["packets"]
    seen(pair, queued, others=2)        # neighbours are asked for


@each(*FLAT)
def taps(pair):
    """A tap sees all packets from the next tick on, as long as it is there."""
    capture = Capture("r", pair.lan.dev, lambda f: b"tapped" in f)

    def is_seen():
        pair.round(b"tapped")
        try:
            capture.next(0.1)
        except Exception:       # noqa: BLE001 - not yet
            return False
        return True
    d = Delta()
    wait(is_seen, "the tap sees packets")
    check(d["refuse.path-changed"] > 0, f"{d.changed()}")                            # refuse.path-changed
    for i in range(ROUNDS):
        pair.round(b"tapped %d" % i)
        check(b"tapped %d" % i in capture.next(), "packets in order")
    capture.close()
    fast(pair)


class Wire:
    """What a device sends: the longest frame, and how many leave their checksum to it."""

    def __init__(self, dev):
        with ns("r"):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.sock.setsockopt(263, 8, 1)                 # SOL_PACKET, PACKET_AUXDATA
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.sock.bind((dev, 3))
        self.sock.setblocking(False)

    def sent(self):
        longest = unfinished = 0
        while True:
            try:
                data, aux, _, address = self.sock.recvmsg(70000, 200)
            except BlockingIOError:
                return longest, unfinished
            if address[2] == 4:                         # PACKET_OUTGOING
                longest = max(longest, len(data))
                unfinished += int.from_bytes(aux[0][2][:4], "little") >> 3 & 1      # TP_STATUS_CSUMNOTREADY


def offloads(kind):
    """Offloads that the user takes from a device that is skipped, or a limit: it is not skipped from the next packet on."""
    def case():
        links.gateway()
        links.make(links.eth, "c", 1, 1)
        wan = links.make(kind, "s", 2, 1)
        select()
        tcp, wire = Tcp(to=(wan.address(4, 2), 7000), dport=7000), Wire(wan.g)

        def transfer():
            """Super-packets, unfinished checksums; is it fast?"""
            tcp.settle()
            wire.sent()
            d = Delta()
            tcp.pass_data(tcp.client, tcp.server, bytes(range(256)) * 256)
            longest, unfinished = wire.sent()
            return longest > 1522, unfinished > 0, d["hits"] > 0
        for off, on, want in (("ethtool -K {} tx off", "ethtool -K {} tx on sg on tso on gso on", (False, False)),
                              ("ethtool -K {} tso off gso off", "ethtool -K {} tso on gso on", (False, True)),
                              ("ip link set {} gso_max_segs 1", "ip link set {} gso_max_segs 65535", (False, True))):
            equal(transfer(), (True, True, True), f"super-packets, unfinished checksums, fast: before {off}")
            run("r", off.format(wan.dev))
            if "segs" in off:       # no event tells: within a tick
                wait(lambda: transfer()[:2] == want, off)
            equal(transfer()[:2], want, f"super-packets, unfinished checksums: {off}")
            equal(transfer(), (*want, True), f"the same, fast: {off}")
            run("r", on.format(wan.dev))
            ctl("flush")            # a flow of before would go on through the device
            tcp.learn()
    return bare(case)


case_offloads_vlan, case_offloads_bridge = offloads(links.vlan), offloads(links.bridge)


def bridge_hooks(pair):
    """A chain of the bridge family counts what goes to the bridge itself, from the next packet on."""
    nft("""table bridge look {
        chain l { type filter hook input priority 0; @nh,72,8 17 counter comment "seen"; }
        }""")     # IPv4 of protocol UDP
    seen(pair, lambda: nft_counter("look", "seen", family="bridge"))
    nft("delete table bridge look")
    fast(pair)


each(links.bridge, links.vlan_on_bridge)(bridge_hooks)


def port_state(pair):
    """Spanning tree takes the port: nothing passes, as with the stack; then all does again, and is skipped."""
    br, port = f"b{pair.lan.side}{pair.lan.number}", pair.lan.g
    pair.client.settimeout(0.3)
    pair.server.settimeout(0.3)
    # Forward delay, in centiseconds: it listens and learns for two of them.
    ip("r", f"link set {br} type bridge forward_delay 200 stp_state 1")
    sh("r", f"ip link set {port} nomaster; ip link set {port} master {br}")
    d = Delta()

    def passes():
        try:
            pair.round(b"?")
        except (OSError, Failure):
            drain(pair.client, pair.server)     # what was late
            return False
        return True
    check(not passes(), "a port that listens lets a packet through")
    equal(d["hits"], 0, f"{d.changed()}")
    wait(passes, "the port forwards")
    pair.exchange()
    wait(lambda: not not_skipped(pair), "skipped again")


each(links.bridge)(port_state)


def stations(pair):
    """A station that only natflow hears stays in the bridge's table; one that is forgotten is flooded for, as ever."""
    br, port = f"b{pair.lan.side}{pair.lan.number}", pair.lan.g
    ip("r", f"link set {br} type bridge ageing_time 1000")
    host, d, begun, rounds = mac("c", pair.lan.host_dev), Delta(), time.monotonic(), 0
    while time.monotonic() - begun < 16:
        pair.round(b"here")
        rounds += 1
        check(host in run("r", f"bridge fdb show dev {port}"), "the bridge knows its station")
    shown, seconds = d["refuse.station"], time.monotonic() - begun
    check(2 <= shown <= 1 + seconds / 4.9, f"a packet every 5 s in {seconds} s: {d.changed()}")
    # When the bridge's settings change, its flows are learned anew.
    check(d["refuse.miss"] <= 20 and d["hits"] >= 2 * rounds - shown - d["refuse.miss"], f"{rounds} rounds: {d.changed()}")
    equal(stats()["missed_event"], 0, "missed_event")
    run("r", f"bridge fdb del {host} dev {port} master")
    pair.round(b"flooded")
    equal(stats()["missed_event"], 0, "missed_event")


each(links.bridge)(stations)


@each(links.vlan, links.vlan_on_bridge)
def born_again(pair):
    """A VLAN is deleted and made again, with another index, again and again: fast and skipped each time."""
    lan = pair.lan
    below = lan.dev.rsplit(".", 1)[0]
    for i in range(AGAIN):
        sh("r", f"ip link del {lan.dev}; ip link add link {below} name {lan.dev} index {1000 + i} type vlan id 10; "
                f"ip link set {lan.dev} up; ip addr add {lan.address(4, 1)}/24 dev {lan.dev}")
        pair.exchange()
        skipped(pair)
    equal(stats()["missed_event"], 0, "missed_event")


def shut(pair, command):
    """From the next packet on nothing gets through, either way."""
    pair.client.settimeout(0.3)
    pair.server.settimeout(0.3)
    sh("r", command)
    for sock, to in ((pair.client, pair.to), (pair.server, (pair.wan.address(4, 1), pair.client.getsockname()[1]))):
        sock.sendto(b"lost", to)
    for sock in (pair.server, pair.client):
        try:
            check(False, f"{sock.recv(100)} got through")
        except TimeoutError:
            pass


def vlan_moved(pair):
    """A port of a VLAN-filtering bridge goes to another VLAN."""
    port = pair.lan.g
    shut(pair, f"bridge vlan del dev {port} vid 10; bridge vlan add dev {port} vid 20 pvid untagged")
    sh("r", f"bridge vlan del dev {port} vid 20; bridge vlan add dev {port} vid 10 pvid untagged")
    pair.exchange()
    skipped(pair)


each(links.pvid)(vlan_moved)


def vlan_state(pair):
    """A port blocks one VLAN, of which only the VLAN's own message tells."""
    shut(pair, f"bridge vlan set dev {pair.lan.g} vid 10 state blocking")
    sh("r", f"bridge vlan set dev {pair.lan.g} vid 10 state forwarding")
    pair.exchange()
    skipped(pair)


each(links.pvid, links.trunk)(vlan_state)


def map_tags(pair):
    """Egress maps of a VLAN: the priority that rules give becomes the tag's, and a new map is the next packet's."""
    lan = pair.lan
    ip("r", f"link set {lan.dev} type vlan egress-qos-map 5:3")
    capture = Capture("c", lan.h, lambda f: b"back" in f)
    with ns("c"):
        capture.sock.setsockopt(263, 8, 1)      # SOL_PACKET, PACKET_AUXDATA

    def pcp():
        """Of the next frame: the tag is beside it, or in it."""
        data, aux, _, _ = capture.sock.recvmsg(2000, 200)
        while b"back" not in data:
            data, aux, _, _ = capture.sock.recvmsg(2000, 200)
        return int.from_bytes(aux[0][2][16:18], "little") >> 13
    for priority, want in (("0:5", 3), ("0:4", 0)):
        rule(4, f"-A POSTROUTING -o {lan.dev} -j CLASSIFY --set-class {priority}", table="mangle")
        run("r", "conntrack -F")
        pair.exchange()
        skipped(pair)
        while True:
            try:
                capture.sock.recv(2000, 0x40)       # MSG_DONTWAIT: what came until now
            except BlockingIOError:
                break
        pair.round(b"tag")
        equal(pcp(), want, "priority in the tag")
        ip("r", f"link set {lan.dev} type vlan egress-qos-map 5:6 4:2")
        pair.round(b"tag")
        equal(pcp(), {3: 6, 0: 2}[want], "priority in the tag by the new map")
        ip("r", f"link set {lan.dev} type vlan egress-qos-map 5:3 4:0")
        rule(4, f"-D POSTROUTING -o {lan.dev} -j CLASSIFY --set-class {priority}", table="mangle")


each(links.vlan)(map_tags)


@bare
def case_another_namespace():
    """VLAN devices that were moved to another namespace: its gateway is fast, and sends by them."""
    links.gateway()
    netns_add("q")
    for k in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        sysctl("q", k, 1)
    for host, side in (("c", 1), ("s", 2)):
        ip(None, f"link add e0 netns {host} type veth peer name g{side} netns r")
        ip(host, f"""link set e0 up
            link add link e0 name e0.10 type vlan id 10
            link set e0.10 up
            addr add 10.{side}.0.2/24 dev e0.10
            route add default via 10.{side}.0.1""")
        ip("r", f"""link set g{side} up
            link add link g{side} name v{side} type vlan id 10
            link set v{side} netns q""")
        ip("q", f"link set v{side} up\naddr add 10.{side}.0.1/24 dev v{side}")
    rule(4, where="q")
    wait(lambda: stats("q")["hooked"] == 1, "hooks in place")
    flow = Udp(to=("10.2.0.2", 7000), dport=7000).learn()
    hits(flow, where="q")
    ip("r", "link set g2 down")
    flow.client.send(b"nowhere")
    ip("r", "link set g2 up")
    wait(lambda: reachable("q", 4, "10.2.0.2"), "the wire is back")
    flow.learn()
    hits(flow, where="q")
    netns_del("q")
    check(all(f" g{side}@" in run("r", "ip -o link show up") for side in (1, 2)), "wires of the first namespace")
