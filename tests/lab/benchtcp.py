#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Bulk TCP over pairs of links, in a VM that counts one nanosecond per instruction.

Real hosts at both ends, each packet a packet of its own (no TSO, no GRO), so that
what the gateway does for each shows. Prints lines "BENCH tcp-LAN-WAN path 1 value",
the value in instructions of all three machines together for a kilobyte.
"""
import socket
import sys
import time

sys.path.insert(0, "/lab")
import links  # noqa: E402
from bench import say  # noqa: E402
from natlab import PATIENCE, Delta, Tcp, check, ns, run, select  # noqa: E402

DATA = bytes(range(256)) * 4096         # 1 MiB
PAIRS = (("eth", "eth"), ("vlan", "eth"), ("eth", "vlan"), ("vlan", "vlan"), ("qinq", "eth"), ("eth", "qinq"),
         ("bridge", "eth"), ("eth", "bridge"), ("bridge", "vlan"), ("eth", "pppoe"), ("bridge", "pppoe"))
OFF = "tso off gso off gro off"


def bound(where, dev):
    with ns(where):
        sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, dev.encode())
    sock.settimeout(PATIENCE)
    return sock


def transfer(lan, wan):
    """Instructions per kilobyte, both ways, over one connection."""
    listener = bound("s", wan.host_dev)
    listener.bind((wan.address(4, 2), 0))
    listener.listen()
    client = bound("c", lan.host_dev)
    client.connect(listener.getsockname())
    server = listener.accept()[0]
    server.settimeout(PATIENCE)
    for _ in range(4):
        Tcp.pass_data(client, server, DATA[:65536])
        Tcp.pass_data(server, client, DATA[:65536])
    begin = time.monotonic_ns()
    Tcp.pass_data(client, server, DATA)
    Tcp.pass_data(server, client, DATA)
    took = time.monotonic_ns() - begin
    for sock in (client, server, listener):
        sock.close()
    return took * 1000 // (2 * len(DATA))


def main():
    links.gateway()
    run(None, "modprobe -a nf_flow_table_inet nft_flow_offload nf_conntrack", ok=False)
    lans = {name: links.make(getattr(links, name), "c", 1, i)
            for i, name in enumerate(dict.fromkeys(lan for lan, _ in PAIRS), 1)}
    wans = {name: links.make(getattr(links, name), "s", 2, i)
            for i, name in enumerate(dict.fromkeys(wan for _, wan in PAIRS), 1)}
    wires = [link.g for link in (*lans.values(), *wans.values())]
    for link in (*lans.values(), *wans.values()):
        run(link.host, f"ethtool -K {link.h} {OFF}", ok=False)
        run(link.host, f"ethtool -K {link.host_dev} {OFF}", ok=False)
        run("r", f"ethtool -K {link.g} {OFF}", ok=False)
    print()
    for path in ("stack", "nf_flow_table", "natflow"):
        if path == "nf_flow_table":
            run("r", ["nft", "-f", "-"], text=f"""table inet ft {{
                flowtable f {{ hook ingress priority 0; devices = {{ {", ".join(wires)} }}; }}
                chain fl {{ type filter hook forward priority -10; meta l4proto tcp flow add @f; }}
                }}""")
        if path == "natflow":
            run("r", "nft delete table inet ft")
            run(None, "insmod /lab/natflow.ko")
            run(None, "insmod /lab/xt_FLOWOFFLOAD.ko")
            select()
        for lan, wan in PAIRS:
            d = Delta() if path == "natflow" else None
            say(f"tcp-{lan}-{wan}", path, 1, transfer(lans[lan], wans[wan]))
            check(not d or d["hits"] > 1500, f"{lan} {wan}: {d and d.changed()}")
    print("LAB-DONE", flush=True)


main()
