#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A gateway between two network cards of the VM, LAN and WAN by their MACs; runs commands that the LAN sends.

A connection to port 7000 carries one command line; the reply is its output, with its status on the last line.
"""
import os
import socketserver
import subprocess

CARDS = {"52:54:00:09:01:01": ("lan", "10.9.1.1/24", "fd09:1::1/64"), "52:54:00:09:02:01": ("wan", "10.9.2.1/24", "fd09:2::1/64")}


def sh(command):
    return subprocess.run(["sh", "-c", command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


class Typed(socketserver.StreamRequestHandler):
    def handle(self):
        done = sh(self.rfile.readline().decode())
        self.wfile.write(f"{done.stdout}\n{done.returncode}\n".encode())


def main():
    sh("for p in iptables ip6tables; do ln -s $p-legacy /usr/sbin/$p; done")
    sh("modprobe -a virtio_pci virtio_net nf_conntrack xt_MASQUERADE iptable_nat ip6table_nat iptable_filter ip6table_filter")
    for card in os.listdir("/sys/class/net"):
        with open(f"/sys/class/net/{card}/address") as f:
            name, *addresses = CARDS.get(f.read().strip(), (None,))
        if name:
            sh(f"ip link set {card} name {name} up; " + "; ".join(f"ip addr add {a} dev {name} nodad" for a in addresses))
    sh("sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1;"
       "iptables -t nat -A POSTROUTING -o wan -j MASQUERADE; ip6tables -t nat -A POSTROUTING -o wan -j MASQUERADE;"
       "insmod /lab/natflow.ko; insmod /lab/xt_FLOWOFFLOAD.ko")
    socketserver.TCPServer.address_family = socketserver.socket.AF_INET
    with socketserver.TCPServer(("10.9.1.1", 7000), Typed) as server:
        print("GATEWAY-UP", flush=True)
        server.serve_forever()


main()
