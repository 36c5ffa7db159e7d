# SPDX-License-Identifier: GPL-2.0-only
"""Every kind of NAT, both families, both protocols: the fast path did it, and the bytes are right."""
from natlab import ADDR, Delta, Tcp, Udp, check, equal, published, rule, select, wait

COUNT = 20


def udp_hits(flow):
    """After learning, each datagram either way is exactly one hit."""
    flow.learn()
    wait(lambda: len(published()) == 1, "flow published")
    d = Delta()
    for i in range(COUNT):
        flow.send(f"to server {i}".encode())
        flow.reply(f"to client {i}".encode())
    equal(d["hits"], 2 * COUNT, "hits")
    return flow


def udp_and_tcp(family, to=None, dport=7000, check_peer=None):
    flow = udp_hits(Udp(family, to=to, dport=dport))
    if check_peer:
        check_peer(flow.peer)
    flow.close()
    conn = Tcp(family, to=to, dport=dport)
    d = Delta()
    Tcp.pass_data(conn.client, conn.server, bytes(range(256)) * 2000)
    Tcp.pass_data(conn.server, conn.client, bytes(range(255, -1, -1)) * 2000)
    check(d["hits"] > 20, f"TCP went fast: {d.changed()}")
    equal(d["bytes"] > 1024000, True, "TCP bytes went fast")
    if check_peer:
        check_peer(conn.peer)
    conn.close()


def case_routed_v4():
    select()
    udp_and_tcp(4)


def case_routed_v6():
    select()
    udp_and_tcp(6)


def peer_is(address, port=None):
    def look(peer):
        equal(peer[0], address, "source address at the server")
        if port:
            check(peer[1] in port, f"source port {peer[1]} in {port}")
    return look


def case_masquerade_v4():
    rule(4, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    select()
    udp_and_tcp(4, check_peer=peer_is(ADDR["r1", 4]))


def case_masquerade_v6():
    rule(6, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    select()
    udp_and_tcp(6, check_peer=peer_is(ADDR["r1", 6]))


def snat_ports(family, address, target):
    for proto in ("udp", "tcp"):
        rule(family, f"-A POSTROUTING -o r1 -p {proto} -j SNAT --to-source {target}", table="nat")
    select()
    udp_and_tcp(family, check_peer=peer_is(address, range(40000, 40100)))


def case_snat_port_v4():
    snat_ports(4, ADDR["r1", 4], ADDR["r1", 4] + ":40000-40099")


def case_snat_port_v6():
    snat_ports(6, ADDR["r1", 6], f"[{ADDR['r1', 6]}]:40000-40099")


def dnat(family, target, source=None):
    for proto in ("udp", "tcp"):
        rule(family, f"-A PREROUTING -i r0 -p {proto} --dport 80 -j DNAT --to-destination {target}", table="nat")
    if source:
        rule(family, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    select()
    udp_and_tcp(family, to=(ADDR["r0", family], 80), check_peer=peer_is(source) if source else None)


def case_dnat_v4():
    dnat(4, ADDR["s", 4] + ":7000")


def case_dnat_v6():
    dnat(6, f"[{ADDR['s', 6]}]:7000")


def case_snat_and_dnat_v4():
    dnat(4, ADDR["s", 4] + ":7000", ADDR["r1", 4])


def case_snat_and_dnat_v6():
    dnat(6, f"[{ADDR['s', 6]}]:7000", ADDR["r1", 6])


def hairpin(family):
    """A client reaches a server on its own side through the gateway's address: in and out by one device."""
    target = "10.0.1.2:7001" if family == 4 else "[fd00:1::2]:7001"
    for proto in ("udp", "tcp"):
        rule(family, f"-A PREROUTING -p {proto} --dport 80 -j DNAT --to-destination {target}", table="nat")
    rule(family, "-A POSTROUTING -o r0 -j MASQUERADE", table="nat")
    select()
    flow = Udp(family, to=(ADDR["r0", family], 80), dport=7001, server="c")
    udp_hits(flow)
    equal(flow.peer[0], ADDR["r0", family], "source address at the server")


def case_hairpin_v4():
    hairpin(4)


def case_hairpin_v6():
    hairpin(6)
