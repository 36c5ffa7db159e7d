# SPDX-License-Identifier: GPL-2.0-only
"""Hardware NAT's core on its dry run (backend=null): what is offered, and what takes an entry away, before the command returned."""
import errno
import socket
import time

import access

from natlab import (ADDR, AT_END, Tcp, Udp, both, check, ctl, equal, insmod, mac, netns_add, netns_del, published, read,
                    refuses, rmmod, rule, run, select, settings, stats, wait)

FAST = 24       # packets of a burst: at least 15 of them fall into one of natflow's half seconds


def load():
    insmod("/lab/natflow_hwnat.ko", "backend=null")
    AT_END.append(lambda: rmmod("natflow_hwnat"))


def hwnat(where="r"):
    return stats(where, "natflow_hwnat")


def states():
    return sorted(f.split(" hw=")[1].split()[0] for f in published())


def burst(flow):
    for _ in range(FAST):
        flow.send()
        flow.reply()


def offered(*many):
    """They are fast until all are bound."""
    def bound():
        for flow in many:
            burst(flow)
        return hwnat()["state.bound"] == len(many)
    wait(bound, f"{len(many)} flows are bound")


def select_hw():
    """The README's rule, with --hw."""
    for family in (4, 6):
        rule(family, "-A FORWARD -j FLOWOFFLOAD --hw")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")


def installed(family=4):
    select_hw()
    flow = Udp(family)
    flow.learn()
    offered(flow)
    return flow


def gone(what=""):
    """No entry is left now, without waiting."""
    now = hwnat()
    equal((now["flows"], now["state.bound"], now["state.removing"]), (0, 0, 0), f"flows in hardware {what}")


def life(family):
    """Slow, it stays in software; fast, it is bound; flushed, it is gone when the command returns; then it comes back."""
    load()
    select_hw()
    flow = Udp(family)
    flow.learn()
    for _ in range(3):
        flow.send()
        flow.reply()
    equal((hwnat()["flows"], states()), (0, ["off"]), "a slow flow")
    offered(flow)
    equal(states(), ["bound"], "what natflow_flows says")
    equal(sorted(p.split()[1] for p in ports()), ["r0", "r1"], f"{ports()}")
    check(all(" flows=1 " in p and " driver=null " in p for p in ports()), f"{ports()}")
    ctl("flush")
    gone("after flush")
    equal(hwnat()["removals"], 1, "removals")
    flow.learn()
    offered(flow)
    equal(hwnat()["installs"], 2, "installs")


case_life_v4, case_life_v6 = both(life)


def case_asked():
    """A rule without --hw keeps its flows in software; select=all, and hwnat=1, let them in. hwnat=0 empties hardware."""
    load()
    select()
    flow = Udp()
    flow.learn()

    def refused(key):
        burst(flow)
        return hwnat()["refused." + key]
    wait(lambda: refused("not-asked"), "a reason")
    equal(states(), ["off"], "the flow")
    ctl("select=all")
    ctl("hwnat=1")
    offered(flow)
    ctl("hwnat=0")
    gone("after hwnat=0")
    for word in ("hwnat=0", "hwnat_wed_disabled=0", "hwnat_limit=16384"):
        check(word in settings(), f"{word}: {settings()}")
    refuses(lambda: ctl("hwnat=3"), errno.ERANGE)
    ctl("hwnat_wed_disabled=1\nhwnat=1\nhwnat_limit=1")
    offered(flow)
    other = Udp()
    other.learn()

    def full():
        burst(other)
        return hwnat()["refused.full"]
    wait(full, "hwnat_limit=1 refuses another flow")
    equal(hwnat()["flows"], 1, "flows")
    AT_END.pop()
    check(rmmod("natflow_hwnat"), "unloads")
    refuses(lambda: ctl("hwnat=0"), errno.EOPNOTSUPP)
    check(not any("hwnat" in line for line in settings()), f"{settings()}")
    equal(states(), ["off", "off"], "flows")
    burst(flow)


def case_rate():
    """A rule takes its flow out of hardware, and keeps it in software: no-hw: rate; so does a DSCP of a link line; then it comes back."""
    load()
    ctl("lan_zone 1=r0\nwan_zone 2=r1", device=access.ZONE)
    flow = installed()
    ctl("add user=10.0.1.0/24,rxbytes=100000000", device="/dev/natflow_qos_ctl")
    gone("after a rule")
    flow.learn()

    def refused():
        burst(flow)
        return hwnat()["refused.rate"]
    wait(refused, "refused.rate")
    equal((hwnat()["flows"], states()), (0, ["off"]), "the flow")
    ctl("clear", device="/dev/natflow_qos_ctl")
    flow.learn()
    offered(flow)
    flow.server.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 46 << 2)
    ctl("link dev=r1,rx=1gbit", device="/dev/natflow_qos_ctl")
    gone("after a link line")
    flow.learn()
    before = hwnat()["refused.rate"]
    wait(lambda: refused() > before, "refused.rate by a DSCP")
    ctl("clear", device="/dev/natflow_qos_ctl")
    flow.learn()
    offered(flow)


def takes(flow, event, what):
    """The entry is bound before the event, and gone when its command returns."""
    flow.learn()
    offered(flow)
    event()
    gone(f"after {what}")


def lines_of(flow):
    """Lines of natflow's devices, each of which ends or doubts the flow."""
    ctl("users=1")
    access.begin()
    for device, text in (("natflow_ctl", "flush"), ("natflow_ctl", "update_magic"), ("natflow_ctl", "ifname_group_type=0"),
                         ("natflow_ctl", "hwnat_limit=16384"), ("natflow_ctl", "disabled=1"),
                         ("natflow_userinfo_ctl", f"kick {ADDR['c', flow.family]}"), ("natflow_userinfo_ctl", "kickall")):
        takes(flow, lambda: ctl(text, device=f"/dev/{device}"), text)
        if text == "disabled=1":
            ctl("disabled=0")
            wait(lambda: stats()["hooked"] == 1, "hooks in place")


def case_lines():
    """A line of a device takes entries away before its write returns."""
    load()
    lines_of(installed(4))


def devices(family):
    """So does what happens to a device of the flow, and its end."""
    load()
    flow = installed(family)
    for command in ("ip link set r1 mtu 1490", "ip link set r0 address 02:00:00:00:77:01"):
        takes(flow, lambda: run("r", command), command)
        run("c", "ip neigh flush all")
        wait(lambda: is_answered(flow), "the way is back")
    takes(flow, lambda: run("r", "ip link set r1 down"), "down")
    run("r", "ip link set r1 up")
    equal(len(ports()), 2, "ports stay bound")
    run("r", "ip link del r1")
    equal([p.split()[1] for p in ports()], ["r0"], "the port of the device is gone")


case_devices_v4, case_devices_v6 = both(devices)


def ports():
    return [line for line in read("/proc/net/natflow_hwnat").splitlines() if line.startswith("port ")]


def is_answered(flow):
    try:
        flow.client.send(b"?")
        flow.server.settimeout(0.2)
        return flow.server.recvfrom(10)[0] == b"?"
    except OSError:
        return False
    finally:
        flow.server.settimeout(10)


def soon(flow, command, where="r"):
    """The entry goes right after the command: milliseconds."""
    flow.learn()
    offered(flow)
    removals, begun = hwnat()["removals"], time.monotonic()
    run(where, command)
    wait(lambda: hwnat()["removals"] > removals, f"gone after {command}", 3)
    print(f"# {command}: {(time.monotonic() - begun) * 1000:.0f} ms", flush=True)


def heard(family):
    """What is told in atomic context, or by nobody, takes entries away a moment later."""
    load()
    flow = installed(family)
    gate = ADDR["s", family]
    soon(flow, f"ip neigh replace {gate} lladdr 02:00:00:00:00:77 dev r1 nud permanent")
    soon(flow_again(flow, gate), f"conntrack -D -f ipv{family} -p udp --orig-port-dst {flow.server.getsockname()[1]}")
    equal(stats()["missed_event"], 0, "missed events")


case_heard_v4, case_heard_v6 = both(heard)


def flow_again(flow, gate):
    run("r", f"ip neigh replace {gate} lladdr {mac('s', 's0')} dev r1 nud permanent")
    return flow


def case_tcp():
    """A connection in hardware is liberal, goes on in software afterwards, and ends in order; its entry ends with it."""
    load()
    select_hw()
    conn = Tcp(4)

    def bound():
        for _ in range(FAST):
            conn.pass_data(conn.client, conn.server, b"data")
        return hwnat()["state.bound"]
    wait(bound, "bound")
    ctl("flush")
    gone("after flush")
    conn.pass_data(conn.client, conn.server, b"after")
    wait(bound, "bound again")
    conn.close()
    wait(lambda: not hwnat()["flows"], "ends with the connection", 3)


def case_namespace():
    """A namespace goes with flows in hardware, and so does the module, under load."""
    load()
    flow = installed(4)
    netns_add("x")
    equal(hwnat("x")["flows"], 0, "flows of another namespace")
    netns_del("x")
    burst(flow)
    AT_END.pop()
    check(rmmod("natflow_hwnat"), "unloads with a flow in hardware")
    load()
    flow.learn()
    burst(flow)
    ctl("flush")
    flow.learn()
    offered(flow)
