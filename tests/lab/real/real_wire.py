# SPDX-License-Identifier: GPL-2.0-only
"""What connections in hardware put on the wire, and what is counted of it: see engine.py."""
import socket

import links
import natlab
from engine import DATA, Counted, Flows, NAT, bound, bulk, counters, entries, forwarded, hardware, whole
from natlab import ADDR, AT_END, Capture, Tcp, check, conntrack_entry, ctl, equal, ip, ip_packet, mac, ns, rule, run, udp, wait

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


PORT = 5000


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


@natlab.bare
def case_dsa():
    """Behind the first port is a switch, with the kernel's own DSA and MediaTek's tags: they come in, and the right ones leave."""
    hardware()
    for dev in ("r0", "r1"):        # a driver looks for DSA when its first port is opened
        run("r", f"ip link set {dev} down")
    run("r", "insmod /lab/natdsa.ko conduit=r0")
    AT_END.append(lambda: run(None, "rmmod natdsa"))
    run(None, "ip link set lan1 netns r")
    ip("r", f"""addr flush dev r0
        addr add 10.0.1.1/24 dev lan1
        neigh add {ADDR['c', 4]} lladdr {mac('c', 'c0')} dev lan1 nud permanent
        link set r0 up
        link set r1 up
        link set lan1 up""")
    wait(lambda: "LOWER_UP" in run("r", "ip link show lan1"), "the switch's port has a link")
    port, host = (bytes.fromhex(mac(*end).replace(":", "")) for end in (("r", "lan1"), ("c", "c0")))
    with ns("c"):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wire.bind(("c0", 0))
    server = natlab.udp_socket("s", port=PORT)
    back = Capture("c", "c0", lambda f: f[16:18] == b"\x08\0" and f[27] == 17)

    def around(data):
        packet = ip_packet(4, ADDR["c", 4], ADDR["s", 4], 17, udp(4, ADDR["c", 4], ADDR["s", 4], PORT + 7, PORT, data))
        wire.send(port + host + bytes((0, 1, 0, 0)) + b"\x08\0" + packet)      # from port 1
        got, peer = server.recvfrom(2000)
        equal((got, peer), (data, (NAT, PORT + 7)), "at the server")
        server.sendto(data, peer)
        f = back.next()
        equal(f[:18], host + port + bytes((0, 2, 0, 0)) + b"\x08\0", "the frame for port 1")
        return f[18:22] + f[24:28] + f[30:]           # but for the identification, and its sum
    want = around(DATA)

    def bind():
        for _ in range(40):
            around(DATA)
        return counters()["bound"] == 2
    wait(bind, "bound")
    count = Counted()
    equal(around(DATA), want, "the packet by hardware, and by the CPU")
    equal((count["forwarded"], count["to_cpu"]), (2, 0), f"by hardware: {count}")
    whole(count)
    ctl("hwnat=0")
    equal(entries("bind"), [], "bound entries once hwnat=0 was written")
    equal(around(DATA), want, "the packet afterwards")
    for sock in (wire, server, back):
        sock.close()
