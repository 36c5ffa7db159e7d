# SPDX-License-Identifier: GPL-2.0-only
"""A switch behind the stock driver's port. The last file: the driver never clears what it tells a port for DSA
(mtk_eth_soc.c:mtk_gdm_config(), MTK_GDMA_SPECIAL_TAG, 6.12), so this port's frames without a tag pass the PPE by from then on."""
import socket

import natlab
from engine import DATA, NAT, PORT, Counted, counters, entries, hardware, whole
from natlab import ADDR, AT_END, Capture, check, ctl, equal, ip, ip_packet, mac, ns, run, stats, udp, wait


class Around:
    """A datagram through the switch's port to s, and one back."""

    def __init__(self):
        self.port, self.host = (bytes.fromhex(mac(*end).replace(":", "")) for end in (("r", "lan1"), ("c", "c0")))
        with ns("c"):
            self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.wire.bind(("c0", 0))
        self.server = natlab.udp_socket("s", port=PORT)
        self.back = Capture("c", "c0", lambda f: f[16:18] == b"\x08\0" and f[27] == 17)

    def pass_(self, data):
        """What came back, but for the identification, and its sum."""
        packet = ip_packet(4, ADDR["c", 4], ADDR["s", 4], 17, udp(4, ADDR["c", 4], ADDR["s", 4], PORT + 7, PORT, data))
        self.wire.send(self.port + self.host + bytes((0, 1, 0, 0)) + b"\x08\0" + packet)      # from port 1
        got, peer = self.server.recvfrom(2000)
        equal((got, peer), (data, (NAT, PORT + 7)), "at the server")
        self.server.sendto(data, peer)
        f = self.back.next()
        equal(f[:18], self.host + self.port + bytes((0, 2, 0, 0)) + b"\x08\0", "the frame for port 1")
        return f[18:22] + f[24:28] + f[30:]

    def close(self):
        for sock in (self.wire, self.server, self.back):
            sock.close()


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
    around = Around()
    want = around.pass_(DATA)

    def bind():
        for _ in range(40):
            around.pass_(DATA)
        return counters()["bound"] == 2
    wait(bind, "bound")
    count = Counted()
    equal(around.pass_(DATA), want, "the packet by hardware, and by the CPU")
    equal((count["forwarded"], count["to_cpu"]), (2, 0), f"by hardware: {count}")
    whole(count)
    ctl("hwnat=0")
    equal(entries("bind"), [], "bound entries once hwnat=0 was written")
    equal(around.pass_(DATA), want, "the packet afterwards")
    around.close()


@natlab.bare
def case_elsewhere():
    """The conduit is in another namespace than its ports, where a stranger has its number: the stranger is not asked."""
    hardware()
    for dev in ("r0", "r1"):
        run("r", f"ip link set {dev} down")
    run("r", "ip link set r0 netns 1")
    AT_END.append(lambda: run(None, "ip link set r0 down"))
    run(None, "insmod /lab/natdsa.ko conduit=r0")
    AT_END.append(lambda: run(None, "rmmod natdsa"))
    with open("/sys/class/net/r0/ifindex") as f:
        number = f.read().strip()
    run(None, "ip link set lan1 netns r")
    ip(None, "link set r0 up")
    ip("r", f"""link add index {number} name stranger type dummy
        link set stranger up
        addr add 10.0.1.1/24 dev lan1
        neigh add {ADDR['c', 4]} lladdr {mac('c', 'c0')} dev lan1 nud permanent
        link set r1 up
        link set lan1 up""")
    wait(lambda: "LOWER_UP" in run("r", "ip link show lan1"), "the switch's port has a link")
    around = Around()
    wait(lambda: [around.pass_(DATA) for _ in range(40)] and stats("r", "natflow_hwnat")["refused.path"], "refused.path counts")
    check("stranger" not in run("r", "cat /proc/net/natflow_hwnat"), "the stranger was asked")
    around.close()
