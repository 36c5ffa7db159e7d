# SPDX-License-Identifier: GPL-2.0-only
"""What ctnetlink changes in the conntrack entry of a fast flow (conntrack -U): followed, or harmless."""
from natlab import Delta, Tcp, Udp, both, check, conntrack_entry, equal, hits, published, run, select, sysctl, wait

BYTES = bytes(range(256)) * 400


def update(proto, family, change, port):
    run("r", f"conntrack -U -f ipv{family} -p {proto} --orig-port-src {port} {change}")


def entry(proto, family, port):
    return conntrack_entry(proto, more=f"-f ipv{family}", sport=port)[0]


def set_state(family):
    """TCP's state set by hand: the flow ends within a tick, conntrack has its packets and its short timeout."""
    sysctl("r", "net.netfilter.nf_conntrack_tcp_loose", 0)
    select()
    # From LAST_ACK an ACK leads on to TIME_WAIT (nf_conntrack_proto_tcp.c:tcp_conntracks).
    for state, then in (("CLOSE", "CLOSE"), ("TIME_WAIT", "TIME_WAIT"), ("LAST_ACK", "TIME_WAIT")):
        conn = Tcp(family)
        port = conn.client.getsockname()[1]
        Tcp.pass_data(conn.client, conn.server, BYTES)
        conn.settle()
        equal(len(published()), 1, "fast")
        d = Delta()
        update("tcp", family, f"--state {state}", port)
        wait(lambda: Tcp.pass_data(conn.client, conn.server, b"more") or d["end.conntrack-state"], "the flow ended")
        equal([d["refuse.conntrack-state"], d["end.conntrack-state"]], [1, 1], f"{state}: {d.changed()}")
        conn.settle()
        d = Delta()
        Tcp.pass_data(conn.client, conn.server, BYTES)
        Tcp.pass_data(conn.server, conn.client, BYTES)
        conn.settle()
        equal(d["hits"], 0, f"{state}: hits")
        check(d["refuse.miss"] > 0, f"{state}: {d.changed()}")
        line = entry("tcp", family, port).split()
        equal(line[3], then, "conntrack's state, after traffic")
        check(int(line[2]) <= 120, f"its timeout: {line}")
        conn.close()
        run("r", f"conntrack -D -f ipv{family} -p tcp --orig-port-src {port}")


case_state_v4, case_state_v6 = both(set_state)


def stays(family):
    """Timeout and status of an entry: the flow goes on, and conntrack does with them what it does with the stack's."""
    select()
    flow = hits(Udp(family).learn())
    port = flow.client.getsockname()[1]
    d = Delta()
    update("udp", family, "--status ASSURED", port)
    hits(flow)
    check("[ASSURED]" in entry("udp", family, port), "assured")
    sysctl("r", "net.netfilter.nf_conntrack_udp_timeout_stream", 180)
    update("udp", family, "--timeout 20", port)
    # A packet moves the timeout, as it does on the stack.
    wait(lambda: hits(flow, count=1) and int(entry("udp", family, port).split()[2]) > 20, "timeout moved by traffic")
    # Traffic does not move a fixed one.
    update("udp", family, "--timeout 9 --status FIXED_TIMEOUT", port)
    wait(lambda: hits(flow, count=1) and int(entry("udp", family, port).split()[2]) < 8, "a fixed timeout runs down")
    equal({k: v for k, v in d.changed().items() if k.startswith("end.")}, {}, "ends")
    run("r", f"conntrack -D -f ipv{family} -p udp --orig-port-src {port}")
    wait(lambda: d["end.conntrack-gone"] == 1, "deleted: ended")


case_timeout_and_status_v4, case_timeout_and_status_v6 = both(stays)
