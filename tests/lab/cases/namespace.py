# SPDX-License-Identifier: GPL-2.0-only
"""What a network namespace costs the machine, who pays for it, and what happens when the payer has no more."""
import os
import re
import socket
import subprocess
import traceback

import bench
from natlab import (LIBC, Delta, Udp, bare, check, ctl, equal, fast, insmod, learned, log, modprobe, no_memory, rmmod,
                    run, stats, sysctl, trouble, wait)

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
ROOT = "/sys/fs/cgroup"
GROUP = f"{ROOT}/tenant"
NOBODY = 65534
FILES = 5 * 256             # the kernel charges entries of /proc to nobody (fs/proc/inode.c:proc_init_kmemcache())
MEMORY = ("table_bytes", "percpu_bytes", "names_bytes")


def put(path, text):
    with open(path, "w") as f:
        f.write(str(text))


def has_groups():
    """Mount the cgroups and make one; False: the kernel cannot count memory by group."""
    if not os.path.exists(f"{ROOT}/cgroup.controllers"):
        LIBC.mount(b"none", ROOT.encode(), b"cgroup2", 0, None)
    path = f"{ROOT}/cgroup.controllers"
    if not os.path.exists(path) or "memory" not in open(path).read().split() or os.path.exists("/sys/kernel/debug/kmemleak"):
        return False
    put(f"{ROOT}/cgroup.subtree_control", "+memory")
    os.makedirs(GROUP, exist_ok=True)
    return True


def charged():
    """Bytes of the kernel's memory that the group pays for."""
    return int(re.search(r"^kernel (\d+)", open(f"{GROUP}/memory.stat").read(), re.M)[1])


def used():
    """Bytes of the kernel's: neither free, nor kept by a CPU as free, nor a process's or a cache's, which come and go."""
    put("/proc/sys/vm/drop_caches", 3)
    info = dict(re.findall(r"(\w+): +(\d+)", open("/proc/meminfo").read()))
    others = ("MemFree", "AnonPages", "Cached", "Buffers", "SReclaimable", "PageTables", "KernelStack")
    kept = sum(map(int, re.findall(r"^ +count: (\d+)", open("/proc/zoneinfo").read(), re.M)))
    return -1024 * (sum(int(info[key]) for key in others) + 4 * kept)


def settled():
    """used(), once nothing of others' goes any more: what ended a moment ago is freed late."""
    def twice():
        before, now = used(), used()
        return abs(now - before) < 1 << 16 and now
    return wait(twice, "the kernel's memory settles")


def become_nobody():
    """Root of a user namespace, and nobody outside of it."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    LIBC.prctl(4, 1, 0, 0, 0)       # PR_SET_DUMPABLE: the maps below are its own again
    check(not LIBC.unshare(CLONE_NEWUSER), "a user namespace")
    put("/proc/self/setgroups", "deny")
    put("/proc/self/uid_map", f"0 {NOBODY} 1")
    put("/proc/self/gid_map", f"0 {NOBODY} 1")


def live(sock, count):
    """The tenant: make the namespaces, then do in each what the lines from the socket say."""
    put(f"{GROUP}/cgroup.procs", 0)
    become_nobody()
    spaces, watches = [], []
    for _ in range(count):
        check(not LIBC.unshare(CLONE_NEWNET), "a network namespace")
        spaces.append(os.open("/proc/self/ns/net", os.O_RDONLY))
        watches.append(os.open("/proc/sys/net/ipv4/ip_forward", os.O_RDONLY))
    socket.send_fds(sock, [b"born"], watches)
    while command := sock.recv(1000).decode():
        announced = 0
        for space in spaces:
            check(not LIBC.setns(space, CLONE_NEWNET), "setns")
            subprocess.run(command, shell=True, check=True, env={**os.environ, "XTABLES_LOCKFILE": "/tmp/tenant.lock"})
            here = dict(line.split(" ", 1) for line in open("/proc/self/net/natflow"))
            announced += sum(int(here[key]) for key in MEMORY)
        sock.send(str(announced).encode())


class Tenant:
    """So many namespaces of an unprivileged user, in one memory cgroup."""

    def __init__(self, count):
        self.sock, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if not self.pid:
            try:
                self.sock.close()
                live(far, count)
            except BaseException:  # noqa: BLE001 - the parent shows it
                far.send(traceback.format_exc().encode())
            os._exit(0)
        far.close()
        word, self.watches, _, _ = socket.recv_fds(self.sock, 5000, 250)
        check(word == b"born", word.decode())

    def do(self, command):
        """Bytes that all namespaces announce afterwards."""
        self.sock.send(command.encode())
        answer = self.sock.recv(5000).decode()
        check(answer.isdigit(), answer)
        return int(answer)

    def is_gone(self):
        """The sysctls of a namespace go with it."""
        try:
            return not [os.pread(fd, 10, 0) for fd in self.watches]
        except FileNotFoundError:
            os.close(self.watches.pop())
            return not self.watches

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
        os.waitpid(self.pid, 0)
        wait(self.is_gone, "the tenant's namespaces are gone")


def unload():
    """Then the namespaces of earlier cases are gone: what they had is not given back in the middle of a measurement."""
    with Tenant(1):
        pass
    wait(lambda: (rmmod("xt_FLOWOFFLOAD"), rmmod("natflow"))[1], "natflow is unloaded")


def load():
    for name in ("natflow", "xt_FLOWOFFLOAD"):
        insmod(f"/lab/{name}.ko")


def idle_cost(count):
    """Bytes per namespace that does nothing with natflow. To the byte: slabs and free pages depend on what was there before."""
    paid = charged()
    with Tenant(count):
        return (charged() - paid) // count


@bare
def case_idle():
    """A namespace that does nothing with natflow costs at most 16 KiB more than without natflow, its files in /proc included."""
    if not has_groups():
        return
    idle_cost(80)
    dear = idle_cost(80)
    unload()
    cheap = idle_cost(80)
    load()
    check(0 < dear - cheap <= 16384 - FILES, f"{dear - cheap} bytes, {cheap} without natflow")


def tenant_takes():
    """Bytes that 12 namespaces with names and a rule announce, that are gone, and that their group pays for."""
    with Tenant(12) as tenant:
        equal(tenant.do("true"), 0, "announced by idle namespaces")
        was, paid = settled(), charged()
        announced = tenant.do("iptables-legacy -w -A FORWARD -j FLOWOFFLOAD; echo 1 >/proc/sys/urllogger_store/enable")
        return announced, settled() - was, charged() - paid


@bare
def case_tenant():
    """Names and a rule in namespaces of an unprivileged user: what is announced is what is gone, and the user pays."""
    if not has_groups():
        return
    modprobe("iptable_filter")
    unload()
    load()
    # The machine's free memory belongs to all: a fault of natflow's is there each time, others' coming and going is not.
    for last in (False, False, True):
        announced, taken, pays = tenant_takes()
        if last or abs(taken - announced) < announced / 20:
            break
    check(announced > 12 << 21, f"{announced} bytes announced")
    check(abs(taken - announced) < announced / 20, f"{taken} bytes are gone, {announced} announced")
    check(pays > 0.95 * taken, f"{pays} of {taken} bytes charged")


def case_no_table():
    """No memory for the table: a rule is refused, and after a setting the status says it; the next write finds memory."""
    with no_memory("natflow_table_alloc", 2) as works:
        if not works:
            return
        check(run("r", "iptables-legacy -w -A FORWARD -j FLOWOFFLOAD", ok=False)[0], "the rule is accepted")
        ctl("select=all")
    check("no memory for 65536 flows" in stats()["status"], stats()["status"])
    check("no memory for flow_limit=65536" in log()[-1], f"{log()}")
    equal([stats()[k] for k in ("rules", "learning", "table_bytes")], [0, 0, 0], "rules, learning, bytes")
    ctl("select=all")
    fast(learned(Udp()))


def in_group(do):
    """Do it as a process of the group, which pays for what it causes."""
    pid = os.fork()
    if not pid:
        put(f"{GROUP}/cgroup.procs", 0)
        do()
        os._exit(0)
    equal(os.waitpid(pid, 0)[1], 0, "the process in the group")


@bare
def case_packets_pay():
    """Flows are charged to who selected them. Beyond its limit there are none: the packets take the stack, silently."""
    if not has_groups():
        return
    bench.setup()
    bench.nat()
    in_group(lambda: ctl("select=all"))
    equal(stats()["hooked"], 1, "hooked")
    paid = charged()
    bench.establish(4, 4096)
    equal(stats()["flows"], 4096, "flows")
    want = 4096 * stats()["flow_bytes_ipv4"]
    wait(lambda: charged() - paid > 0.95 * want, f"{want} bytes charged")
    put(f"{GROUP}/memory.max", int(open(f"{GROUP}/memory.current").read()) + (1 << 18))
    d, sent = Delta(), bench.sent()
    bench.establish(4, 8192, port=10)
    check(0 <= bench.sent() - sent - 16384 <= 4, f"{bench.sent() - sent} packets sent")
    check(d["learn.no-memory"] > 1000, f"refused for lack of memory: {d.changed()}")
    put(f"{GROUP}/memory.max", "max")
    equal(trouble(), [], "kernel log")


@bare
def case_records_pay():
    """Records of names are charged to who switched names on."""
    if not has_groups():
        return
    bench.setup()
    sysctl("r", "urllogger_store.timestamp_freq", 0)        # a record for each event
    in_group(lambda: sysctl("r", "urllogger_store.enable", 1))
    paid, d = charged(), Delta()
    for n in range(32):
        name = f"n{n}".rjust(60, "x").encode()
        question = bytes.fromhex("123401000001000000000000") + bytes([60]) + name + b"\7example\0" + bytes.fromhex("00010001")
        bench.generate("in0", 4, 256, 256, bench.original(4, dport=53, data=question))
    equal(d["names_produced"], 8192, "events")
    records = d["names_produced"] - d["names_merged"] - d["names_limited"]
    wait(lambda: charged() - paid > 200 * records, f"{records} records are charged")
