# SPDX-License-Identifier: GPL-2.0-only
"""The driver itself, the kernel's own offload, natflow, natflow_hwnat: see engine.py."""
import natlab
from engine import Counted, bound, bulk, counters, entries, forwarded, up, whole
from natlab import ADDR, Tcp, Udp, check, equal, run, wait


@natlab.bare
def case_probe():
    """The stock driver probes: two ports with a link, a PPE with an empty table."""
    up()
    for dev in ("r0", "r1"):
        out = run("r", f"ethtool -i {dev}")
        check("driver: mtk_soc_eth" in out, out)
        check("Speed: 1000Mb/s" in run("r", f"ethtool {dev}"), "link of 1000 Mbit/s")
    equal(entries("bind"), [], "bound entries")
    equal(counters()["lost"], 0, "lost frames")


@natlab.bare
def case_rings():
    """Frames of both directions through the driver's rings: segments that the port cuts, checksums that it makes."""
    up()
    count = Counted()
    for family in (4, 6):
        tcp = Tcp(family)
        bulk(tcp)
        tcp.close()
        Udp(family).learn()
    whole(count)
    check(count["to_cpu"] > 1000 and not count["forwarded"], f"all frames by the CPU: {count}")
    check(count["reason_0d"] >= 4 and count["reason_0e"] > 30 and count["reason_0f"] > 1000, f"reasons of the PPE: {count}")


FLOWTABLE = """table inet ft {
    flowtable f { hook ingress priority 0; devices = { r0, r1 }; flags offload; }
    chain forward { type filter hook forward priority 0; meta l4proto { tcp, udp } flow add @f; }
}
table ip nat {
    chain post { type nat hook postrouting priority 100; oif r1 masquerade; }
}
"""


@natlab.bare
def case_kernel_offload():
    """The kernel's own flow table offloads a masqueraded connection: the driver's entries forward it, bytes are right."""
    up()
    run("r", ["nft", "-f", "-"], text=FLOWTABLE)
    tcp = Tcp(4)
    equal(tcp.peer[0], ADDR["r1", 4], "source address at the server")
    bound(tcp)
    forwarded(tcp)
    run("r", "conntrack -F")
    wait(lambda: not entries("bind"), "no bound entry")
    bulk(tcp)
    tcp.close()


@natlab.bare
def case_natflow():
    """natflow on the driver's ports, in software: what the ports receive is a hit."""
    up()
    natlab.rule(4, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    natlab.select()
    for family in (4, 6):
        natlab.learned(Udp(family)).close()
        tcp = Tcp(family)
        count, delta = Counted(), natlab.Delta()
        bulk(tcp)
        whole(count)
        check(delta["hits"] > 20 and delta["bytes"] > 2 << 20, f"TCP went fast: {delta.changed()}")
        tcp.close()


@natlab.bare
def case_hwnat():
    """natflow_hwnat.ko offers a masqueraded connection, the driver binds it: hardware forwards, counts arrive, all is taken back."""
    up()
    natlab.insmod("/lab/natflow_hwnat.ko")
    natlab.AT_END.append(lambda: natlab.rmmod("natflow_hwnat"))
    natlab.sysctl("r", "net.netfilter.nf_conntrack_acct", 1)
    natlab.rule(4, "-A POSTROUTING -o r1 -j MASQUERADE", table="nat")
    natlab.rule(4, "-A FORWARD -j FLOWOFFLOAD --hw")
    tcp = Tcp(4)

    def refused():
        bulk(tcp, 1 << 17)
        return natlab.stats("r", "natflow_hwnat")["refused.sticky"]
    wait(refused, "an unpatched driver gets no flow with NAT unasked")
    natlab.ctl("hwnat=2")
    bound(tcp)

    def told():
        bulk(tcp, 1 << 17)
        return all(f.split(" hw=")[1].startswith("bound ") for f in natlab.published())
    wait(told, "natflow sees that it is bound")
    forwarded(tcp)
    natlab.ctl("hwnat=0")
    equal(entries("bind"), [], "bound entries once hwnat=0 was written")
    bulk(tcp)
    tcp.close()


@natlab.bare
def case_stops():
    """The driver stops its rings and starts them again while natflow has a flow on its ports."""
    up()
    natlab.select()
    tcp = Tcp(4)
    for _ in range(2):
        bulk(tcp)
        for dev in ("r0", "r1"):
            run("r", f"ip link set {dev} down")
        for dev in ("r0", "r1"):
            run("r", f"ip link set {dev} up")
        wait(lambda: natlab.reachable("c", 4, ADDR["s", 4]), "the server reachable again")
    bulk(tcp)
    equal(counters()["lost"], 0, "lost frames")
    tcp.close()
