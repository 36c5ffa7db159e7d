# SPDX-License-Identifier: GPL-2.0-only
"""A switch behind the stock driver's port. The last file: the driver never clears what it tells a port for DSA
(mtk_eth_soc.c:mtk_gdm_config(), MTK_GDMA_SPECIAL_TAG, 6.12), so this port's frames without a tag pass the PPE by from then on."""
import socket

import natlab
from engine import DATA, NAT, PORT, Counted, counters, entries, hardware, whole
from natlab import ADDR, AT_END, Capture, ctl, equal, ip, ip_packet, mac, ns, run, udp, wait


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
