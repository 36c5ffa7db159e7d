# SPDX-License-Identifier: GPL-2.0-only
"""What connections in hardware put on the wire, and what is counted of it: see engine.py."""
import socket
import struct

import links
import natlab
from engine import PORT, Counted, Flows, apart, bound, bulk, counters, entries, forwarded, hardware, seen, whole
from natlab import ADDR, AT_END, Capture, Tcp, check, conntrack_entry, ctl, drain, equal, frame, ip, ip_packet, mac, ns, rule, run, tcp, udp, wait

COUNTERS = """add table netdev w
add chain netdev w i {{ type filter hook ingress device {dev} priority -500; }}
add rule netdev w i tcp {end} {port} counter comment "tcp"
add rule netdev w i udp {end} {next} counter comment "udp"
"""


def counted(flows):
    """Per protocol: packets and bytes of both directions that conntrack counted, and that arrived."""
    out = {}
    for proto in ("tcp", "udp"):
        _, pairs = conntrack_entry(proto, dport=flows.port + (proto == "udp"))
        arrived = []
        for where in "sc":
            words = next(l for l in run(where, "nft list table netdev w").splitlines() if f'comment "{proto}"' in l).split()
            arrived += [(words[words.index("packets") + 1], words[words.index("bytes") + 1])]
        out[proto] = list(zip(pairs["packets"], pairs["bytes"])), arrived
    return out


def balance(flows):
    """What conntrack counted is what has arrived. natflow tells conntrack twice a second of what the CPU forwarded."""
    try:
        wait(lambda: all(a == b for a, b in counted(flows).values()), "conntrack, and the wires", 10)
    except natlab.Failure as e:
        raise natlab.Failure(f"{e}: {counted(flows)}, {counters()}, {run('r', 'tc -s qdisc')}") from None


def end(flows):
    """Everything is acknowledged, and no frame is on its way, when the entries go: what passes between STATS and DESTROY is in no sum."""
    flows.tcp.settle()
    flows.exchange()
    flows.tcp.settle()
    ctl("hwnat=0")
    balance(flows)


@natlab.bare
def case_counters():
    """Packets and bytes of hardware and the CPU are those on the wire: of who stays in hardware, and of who leaves it at once."""
    hardware(offload=False)
    natlab.sysctl("r", "net.netfilter.nf_conntrack_acct", 1)
    # CoDel drops on a busy machine: what conntrack has counted by then would not arrive.
    for dev in ("r0", "r1"):
        run("r", f"tc qdisc replace dev {dev} root pfifo limit 10000")

    def count(port):
        for where, dev, end in (("s", "s0", "dport"), ("c", "c0", "sport")):
            run(where, ["nft", "-f", "-"], text=COUNTERS.format(dev=dev, end=end, port=port, next=port + 1))
    flows = Flows(before=count)
    flows.bind()
    flows.load()
    end(flows)
    ctl("hwnat=2")
    flows.bind()
    wait(lambda: flows.load() or all(" hw=bound " in f for f in natlab.published()), "natflow sees that they are bound")
    moved = Counted()
    flows.load()
    check(moved["forwarded"] > 200 and moved["to_cpu"] < 10, f"in hardware: {moved}")
    end(flows)


SIZES = (0, 1, 18, 19, 512, 1400)
# DSCP and ECN, hops; identification and fragment bits, or the flow label
FIELDS = {4: ({"tos": 0xb8}, {"tos": 3}, {"ttl": 2}, {"ttl": 255}, {"ident": 0xbeef, "frag": 0x4000}, {"ident": 1}),
          6: ({"tos": 0xb8}, {"tos": 3}, {"ttl": 2}, {"ttl": 255}, {"flow": 0xfffff}, {"flow": 1})}
# Record route; hop-by-hop, behind its first two bytes: padding
OPTIONS = {4: bytes((7, 3, 4, 0)), 6: bytes((1, 4, 0, 0, 0, 0))}
FLAGS = (0x10, 0x18, 0x30, 0x50, 0x90)


class Line:
    """A connection of crafted packets. Both hosts discard what arrives: only the test answers."""

    def __init__(self, family, proto, port):
        self.family, self.proto, self.port = family, proto, port
        self.client, self.server, self.nat = seen(family)
        self.number = 17 if proto == "udp" else 6
        self.ends = []
        for where, dev, port in (("c", "c0", "r0"), ("s", "s0", "r1")):
            with ns(where):
                sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sock.bind((dev, 0))
            self.ends.append((sock, mac("r", port), mac(where, dev), Capture(where, dev, self.is_ours)))
        AT_END.append(self.close)

    def close(self):
        for sock, _, _, capture in self.ends:
            sock.close()
            capture.close()

    def is_ours(self, f):
        at = 23 if self.family == 4 else 20 if f[20] else 54        # behind hop-by-hop options
        return f[at:at + 1] == bytes([self.number]) and struct.pack("!H", self.port) in f[34:64] and b"warm" not in f

    def packet(self, back, data=b"", flags=0x10, seq=0, more=b"", **fields):
        src, dst = (self.server, self.nat) if back else (self.client, self.server)
        ports = self.port, self.port
        if self.proto == "udp":
            l4 = udp(self.family, src, dst, *ports, data, zero=bool(more) and self.family == 4)
        else:
            l4 = tcp(self.family, src, dst, *ports, (1000, 5000)[back] + seq, (5000, 1000)[back] if flags & 0x10 else 0, flags,
                     more + data, doff=5 + len(more) // 4, window=65535)
        first = self.number
        if self.family == 6 and "options" in fields:
            first, fields["options"] = 0, bytes((self.number, 0)) + fields["options"]
        return ip_packet(self.family, src, dst, first, l4, **fields)

    def send(self, back, *args, **fields):
        sock, port, own, _ = self.ends[back]
        sock.send(frame(port, own, self.packet(back, *args, **fields)))

    def begin(self):
        """Both directions are known, and for TCP the handshake was seen."""
        shake = ((0, 2, -1), (1, 0x12, -1), (0, 0x10, 0)) if self.proto == "tcp" else ((0, 0, 0), (1, 0, 0))
        for back, flags, seq in shake:
            self.send(back, flags=flags, seq=seq)
            self.ends[not back][3].next()

    def warm(self):
        """Packets that hardware counts until it has the connection."""
        before = counters()["bound"]

        def try_it():
            for _ in range(40):
                self.send(0, b"warm")
                self.send(1, b"warm")
            return counters()["bound"] == before + 2
        wait(try_it, f"{self.proto} IPv{self.family} is bound")

    def all_kinds(self):
        """What arrives of packets of all kinds, one after the other; how many hardware forwards, and leaves to the CPU."""
        drain(*(end[3].sock for end in self.ends))
        kinds = [{"data": bytes(range(250)) * 5, **f} for f in FIELDS[self.family]] + [{"data": b"d" * n} for n in SIZES]
        kinds += [{"flags": f, "data": b"flags"} for f in FLAGS if self.proto == "tcp"]
        kinds += [{"more": b"\1\1\x08\x0a" + bytes(8), "data": b"more"}]
        cpu = [{"data": b"options", "options": OPTIONS[self.family]}]
        got = []
        for back in (0, 1):
            for kind in kinds + cpu:
                self.send(back, **kind)
                got.append(self.ends[not back][3].next())
            self.send(back, b"no hop left", ttl=1)
        for end in self.ends:
            end[3].none()
        return got, 2 * len(kinds), 2 * (len(cpu) + 1)


def oracle(family):
    """Packets of all kinds leave as the CPU sends them, to the last bit; hardware gives the CPU those it must not forward."""
    hardware(family=family)
    first = apart(family)
    for where in "cs":
        natlab.drop(where, "prerouting", f"meta l4proto {{ tcp, udp }} th sport {{ {first}, {first + 1} }}")
    for port, proto in enumerate(("tcp", "udp"), first):
        ctl("hwnat=0")
        line = Line(family, proto, port)
        line.begin()
        want, *_ = line.all_kinds()
        ctl("hwnat=2")
        line.warm()
        count = Counted()
        got, forward, cpu = line.all_kinds()
        whole(count)
        equal(count["forwarded"], forward, f"{proto}: frames by hardware: {count}")
        check(count["to_cpu"] >= cpu, f"{proto}: frames by the CPU, besides ARP and neighbour discovery: {count}")
        for a, b in zip(got, want):
            equal(a.hex(), b.hex(), f"{proto} IPv{family}: by hardware, and by the CPU")


case_oracle_v4 = natlab.bare(lambda: oracle(4))
case_oracle_v6 = natlab.bare(lambda: oracle(6))


def goes(to=None, family=4):
    """A TCP connection to s is bound, and stays in hardware with right bytes."""
    conn = Tcp(family, to=to and (to, PORT), dport=PORT)
    bound(conn)
    forwarded(conn)
    ctl("hwnat=0")
    equal(entries("bind"), [], "bound entries once hwnat=0 was written")
    bulk(conn, 1 << 17)
    conn.close()


@natlab.bare
def case_ipv6():
    """Routed IPv6."""
    hardware(family=6)
    goes(family=6)


def wan(dev, address):
    rule(4, f"-A POSTROUTING -o {dev} -j MASQUERADE", table="nat")
    goes(address)


@natlab.bare
def case_vlan():
    """The WAN is a VLAN of the second port."""
    hardware()
    natlab.modprobe("8021q")
    for where, end, port in (("r", 1, "r1"), ("s", 2, "s0")):
        ip(where, f"""link add link {port} name {port}.35 type vlan id 35
            addr add 10.0.3.{end}/24 dev {port}.35
            link set {port}.35 up""")
    wait(lambda: natlab.reachable("r", 4, "10.0.3.2"), "the VLAN's other end")
    wan("r1.35", "10.0.3.2")


@natlab.bare
def case_pppoe():
    """The WAN is a PPPoE session by the second port; a real pppd dials."""
    hardware()
    natlab.modprobe("pppoe")
    link = links.Link("pppoe", "s", 2, 1)
    link.h, link.g = "s0", "r1"
    peer, dev = links.dial(link, "s0", "r1")
    wait(lambda: natlab.reachable("r", 4, link.address(4, 2)), "the session's other end")
    wan(dev, link.address(4, 2))
    link.pppd.terminate()
    wait(lambda: peer not in run("s", "ip -o link"), "the session has ended at both ends")
