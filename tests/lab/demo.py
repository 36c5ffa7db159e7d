#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The demo, inside the VM: demo.py veth|virtio|shell.

The same work three times: by the stack alone, by the kernel's nf_flow_table,
by natflow. Lines "# ..." are progress, "DEMO {...}" is a row of the table,
"SHOW ..." is text to show; demo.sh on the host prints them.
"""
import hashlib
import json
import os
import sys
import time

sys.path.insert(0, "/lab")
from natlab import ADDR, IPT, ip, netns_add, run, start, stats, trouble, up, wait  # noqa: E402

SIZE = 64 << 20
BULK = 16 << 20
CHUNK = os.urandom(1 << 20)


def say(text):
    print("# " + text, flush=True)


def virtio_ports():
    """Four virtio-net devices, two and two on one wire, take the places of the veth pairs."""
    found = {}

    def all_there():
        for dev in os.listdir("/sys/class/net"):
            with open(f"/sys/class/net/{dev}/address") as f:
                found[f.read().strip()] = dev
        return all(f"52:54:00:00:00:0{i}" in found for i in range(1, 5))

    wait(all_there, "virtio-net devices")
    for n in "crs":
        netns_add(n)
    for i, (name, where) in enumerate((("c0", "c"), ("r0", "r"), ("r1", "r"), ("s0", "s"))):
        ip(None, f"link set {found[f'52:54:00:00:00:0{i + 1}']} name {name} netns {where}")


def prepare(ports):
    run(None, "modprobe -a nf_conntrack veth virtio_pci virtio_net nf_flow_table_inet nft_flow_offload xt_MASQUERADE "
              "iptable_nat ip6table_nat iptable_filter ip6table_filter")
    if ports == "virtio":
        virtio_ports()
    up(made=ports == "virtio")
    for n, size in (("s", SIZE), ("c", SIZE // 4)):
        os.makedirs(f"/tmp/{n}")
        with open(f"/tmp/{n}/data", "wb") as f:
            for i in range(size >> 20):
                f.write(i.to_bytes(4, "big") + CHUNK[4:])
        start(n, f"busybox httpd -f -p 80 -h /tmp/{n}")
        start(n, "iperf3 -s")
    for n in "sc":
        for port in (80, 5201):
            wait(lambda: f":{port:04X} " in open_ports(n), f"server on port {port} in {n}")
    run("r", f"{IPT[4]} -w -t nat -A POSTROUTING -o r1 -j MASQUERADE")
    run("r", f"{IPT[4]} -w -t nat -A PREROUTING -i r1 -p tcp --dport 8080 -j DNAT --to {ADDR['c', 4]}:80")
    run("r", f"{IPT[6]} -w -t nat -A PREROUTING -i r1 -p tcp --dport 8080 -j DNAT --to [{ADDR['c', 6]}]:80")


def open_ports(where):
    return run(where, "cat /proc/self/net/tcp /proc/self/net/tcp6").replace("\n", " ")


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def url(address, port, name="data"):
    return f"http://[{address}]:{port}/{name}" if ":" in address else f"http://{address}:{port}/{name}"


class Work:
    """The work that each path does; counts bytes and checks them."""

    def __init__(self):
        self.good = self.all = self.bytes = 0
        self.seconds = 0.0
        self.udp = []

    def job(self, what, work):
        say(f"  {what}")
        self.all += 1
        begin = time.monotonic()
        try:
            ok, count = work()
        except Exception as e:  # noqa: BLE001 - a failed job is a row that says so
            say(f"  {what} failed: {e}")
            return
        if count:
            self.bytes += count
            self.seconds += time.monotonic() - begin
        self.good += ok
        if not ok:
            say(f"  {what}: bytes are missing or wrong")

    def curl(self, where, address, port, source):
        run(where, f"curl -sgf -o /tmp/got {url(address, port)}")
        return digest("/tmp/got") == digest(source), os.path.getsize("/tmp/got")

    def iperf(self, address, args):
        out = run("c", f"iperf3 -J -c {address} {args}", ok=False)[1]
        end = json.loads(out)["end"]
        if "-u" in args:
            self.udp.append(end["sum"]["lost_packets"])
            return end["sum"]["bytes"] > 0 and end["sum"]["lost_packets"] == 0, 0
        # iperf3 stops its receiver when the sender is done: what is in its window is not counted.
        got = end["sum_received"]["bytes"]
        return got > 0.9 * BULK, got

    def all_of_it(self):
        for v in (4, 6):
            s, r1 = ADDR["s", v], ADDR["r1", v]
            self.job(f"IPv{v}: curl {SIZE >> 20} MB", lambda: self.curl("c", s, 80, "/tmp/s/data"))
            self.job(f"IPv{v}: port forward, curl {SIZE >> 22} MB", lambda: self.curl("s", r1, 8080, "/tmp/c/data"))
            self.job(f"IPv{v}: iperf3 TCP up", lambda: self.iperf(s, f"-n {BULK} -w 256K"))
            self.job(f"IPv{v}: iperf3 TCP down", lambda: self.iperf(s, f"-n {BULK} -w 256K -R"))
            self.job(f"IPv{v}: iperf3 UDP", lambda: self.iperf(s, "-u -b 4M -l 1200 -n 1M"))


def received():
    return sum(json.loads(run("r", f"ip -j -s link show {d}"))[0]["stats64"]["rx"]["packets"] for d in ("r0", "r1"))


def entered_forward():
    total = 0
    for family in (4, 6):
        for line in run("r", f"{IPT[family]} -w -L FORWARD -vxn").splitlines():
            if line.startswith("Chain FORWARD"):
                total += int(line.split()[4])
    return total


def measure(ports, path):
    say(f"{ports}: {path}")
    run("r", "conntrack -F", ok=False)
    before = received(), entered_forward(), stats()["hits"] if path == "natflow" else 0
    work = Work()
    work.all_of_it()
    hits = stats()["hits"] - before[2] if path == "natflow" else 0
    print("DEMO " + json.dumps({
        "ports": ports, "path": path, "good": work.good, "all": work.all, "bytes": work.bytes,
        "packets": received() - before[0], "forward": entered_forward() - before[1], "natflow": hits,
        "mbit": work.bytes * 8 / work.seconds / 1e6 if work.seconds else 0}), flush=True)


def flowtable():
    run("r", ["nft", "-f", "-"], text="""table inet ft {
        flowtable f { hook ingress priority 0; devices = { r0, r1 }; }
        chain fl { type filter hook forward priority -10; policy accept; meta l4proto { tcp, udp } flow add @f; }
        }""")


def load():
    run(None, "insmod /lab/natflow.ko")
    run(None, "insmod /lab/xt_FLOWOFFLOAD.ko")


def show(what):
    print(f"SHOW \nSHOW # {what}", flush=True)


def show_state():
    show("cat /proc/natflow        (lines that are not 0)")
    for line in run("r", "cat /proc/natflow").splitlines():
        if not line.endswith(" 0"):
            print("SHOW " + line)
    show("head -2 /proc/natflow_flows")
    for line in run("r", "head -n 2 /proc/natflow_flows").splitlines():
        print("SHOW " + line)


def compare(ports):
    print()     # behind what the firmware wrote
    prepare(ports)
    measure(ports, "stack")
    flowtable()
    measure(ports, "nf_flow_table")
    run("r", "nft delete table inet ft")
    load()
    run("r", f"{IPT[4]} -w -I FORWARD 1 -j FLOWOFFLOAD")
    run("r", f"{IPT[6]} -w -I FORWARD 1 -j FLOWOFFLOAD")
    wait(lambda: stats()["hooked"] == 1, "hooks in place")
    measure(ports, "natflow")
    if ports == "veth":
        show_state()
    for line in trouble():
        print("DEMO " + json.dumps({"ports": ports, "path": "kernel log", "trouble": line}))


def shell():
    # What Debian calls iptables, and a page's reader.
    for name in ("iptables", "ip6tables"):
        for what in ("", "-save", "-restore"):
            os.symlink(f"{name}-nft{what}", f"/usr/sbin/{name}{what}")
    IPT.update({4: "iptables", 6: "ip6tables"})
    os.symlink("/lab/natflow-list", "/usr/bin/natflow-list")
    with open("/usr/sbin/man", "w") as f:
        f.write("#!/bin/sh\nexec mman \"$@\"\n")
    os.chmod("/usr/sbin/man", 0o755)
    prepare("veth")
    load()
    print("""
You are on the gateway. A client (10.0.1.2) and a server (10.0.2.2) are in
the namespaces c and s. Five commands to try; `man natflow` says more and
`exit` ends the VM:

  iptables -I FORWARD 1 -j FLOWOFFLOAD
  ip netns exec c iperf3 -u -b 8M -c 10.0.2.2 -t 3
  cat /proc/natflow
  cat /proc/natflow_flows
  echo disabled=1 > /dev/natflow_ctl
""", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "shell":
        shell()
    else:
        compare(sys.argv[1])
        print("LAB-DONE", flush=True)
