# SPDX-License-Identifier: GPL-2.0-only
"""What connections in hardware put on the wire, and what is counted of it: see engine.py."""
import socket
import struct

import links
import natlab
from engine import PORT, Counted, Flows, bound, bulk, counters, entries, forwarded, hardware, whole
from natlab import ADDR, AT_END, Capture, Tcp, check, conntrack_entry, ctl, drain, equal, frame, ip, ip_packet, mac, ns, rule, run, tcp, udp, wait

COUNTERS = """add table netdev w
add chain netdev w i {{ type filter hook ingress device {dev} priority -500; }}
add rule netdev w i tcp {end} {port} counter comment "tcp"
add rule netdev w i udp {end} {next} counter comment "udp"
"""


def balance(flows):
    """What conntrack counted of both directions is what has arrived, in packets and bytes of IP."""
    def arrived(where, proto):
        words = next(l for l in run(where, "nft list table netdev w").splitlines() if f'comment "{proto}"' in l).split()
        return tuple(words[words.index(key) + 1] for key in ("packets", "bytes"))
    for proto in ("tcp", "udp"):
        _, pairs = conntrack_entry(proto, dport=flows.port + (proto == "udp"))
        equal(list(zip(pairs["packets"], pairs["bytes"])), [arrived("s", proto), arrived("c", proto)], f"{proto}: conntrack, and the wires")


@natlab.bare
def case_counters():
    """Packets and bytes of hardware and the CPU are those on the wire: of who stays in hardware, and of who leaves it at once."""
    hardware(offload=False)
    natlab.sysctl("r", "net.netfilter.nf_conntrack_acct", 1)

    def count(port):
        for where, dev, end in (("s", "s0", "dport"), ("c", "c0", "sport")):
            run(where, ["nft", "-f", "-"], text=COUNTERS.format(dev=dev, end=end, port=port, next=port + 1))
    flows = Flows(before=count)
    flows.bind()
    flows.load()
    ctl("hwnat=0")
    balance(flows)
    ctl("hwnat=2")
    flows.bind()
    wait(lambda: flows.load() or all(" hw=bound " in f for f in natlab.published()), "natflow sees that they are bound")
    moved = Counted()
    flows.load()
    check(moved["forwarded"] > 200 and moved["to_cpu"] < 10, f"in hardware: {moved}")
    ctl("hwnat=0")
    balance(flows)


SIZES = (0, 1, 18, 19, 512, 1400)
# DSCP and ECN, hops, identification and fragment bits
FIELDS = ({"tos": 0xb8}, {"tos": 3}, {"ttl": 2}, {"ttl": 255}, {"ident": 0xbeef, "frag": 0x4000}, {"ident": 1})
FLAGS = (0x10, 0x18, 0x30, 0x50, 0x90)


class Line:
    """A connection of crafted packets. Both hosts discard what arrives: only the test answers."""

    def __init__(self, family, proto):
        self.family, self.proto = family, proto
        self.client, self.server, self.nat = ADDR["c", family], ADDR["s", family], ADDR["r1" if family == 4 else "c", family]
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
        return f[23 if self.family == 4 else 20] == self.number and struct.pack("!H", PORT) in f[34:58] and b"warm" not in f

    def packet(self, back, data=b"", flags=0x10, seq=0, more=b"", **fields):
        src, dst = (self.server, self.nat) if back else (self.client, self.server)
        ports = (PORT, PORT + 7)[::1 if back else -1]
        if self.proto == "udp":
            l4 = udp(self.family, src, dst, *ports, data, zero=bool(more) and self.family == 4)
        else:
            l4 = tcp(self.family, src, dst, *ports, (1000, 5000)[back] + seq, (5000, 1000)[back] if flags & 0x10 else 0, flags,
                     more + data, doff=5 + len(more) // 4, window=65535)
        if self.family == 6:
            fields = {k: v for k, v in fields.items() if k in ("tos", "ttl")}
        return ip_packet(self.family, src, dst, self.number, l4, **fields)

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
        kinds = [{"data": bytes(range(250)) * 5, **f} for f in FIELDS] + [{"data": b"d" * n} for n in SIZES]
        kinds += [{"flags": f, "data": b"flags"} for f in FLAGS if self.proto == "tcp"]
        kinds += [{"more": b"\1\1\x08\x0a" + bytes(8), "data": b"more"}]
        cpu = [{"data": b"options", "options": bytes((7, 3, 4, 0))}] if self.family == 4 else []
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
    for where in "cs":
        natlab.drop(where, "prerouting", f"meta l4proto {{ tcp, udp }} th sport {{ {PORT}, {PORT + 7} }}")
    for proto in ("udp", "tcp"):
        ctl("hwnat=0")
        line = Line(family, proto)
        line.begin()
        want, *_ = line.all_kinds()
        ctl("hwnat=2")
        line.warm()
        count = Counted()
        got, forward, cpu = line.all_kinds()
        whole(count)
        equal((count["forwarded"], count["to_cpu"]), (forward, cpu), f"{proto}: frames by hardware and by the CPU: {count}")
        for a, b in zip(got, want):
            equal(a.hex(), b.hex(), f"{proto} IPv{family}: by hardware, and by the CPU")


case_oracle_v4 = natlab.bare(lambda: oracle(4))


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
