# SPDX-License-Identifier: GPL-2.0-only
"""Users under load: commands take effect at once, thousands come and go, memory fails, namespaces and the module go."""
import contextlib
import errno
import os
import select as polling
import socket
import struct
import sys
import time

from natlab import (ADDR, Delta, Udp, both, check, ctl, fast, frame, gone, insmod, ip_packet, learned, mac, netns_add, netns_del,
                    nft_counter, ns, opened, read, rmmod, run, select, start, stats, udp, wait)

INFO, ZONES, USER = "/dev/natflow_userinfo_ctl", "/dev/natflow_zone_ctl", "/dev/natflow_user_ctl"
SO_RCVBUFFORCE, SO_TIMESTAMPNS, ETH_P_ALL = 33, 35, 3

# Numbered datagrams on a socket, as fast as this machine can, whatever comes back.
SEND = """
import os, socket, sys
fd, family, kind, *to = sys.argv[1:]
sock = socket.socket(int(family), socket.SOCK_DGRAM, fileno=int(fd))
n = 0
while True:
    n += 1
    try:
        sock.sendto(b"%016d" % n, (to[0], int(to[1]))) if to else sock.send(b"%016d" % n)
    except OSError:
        pass
"""


def flood(sock, *to):
    p = start(None, [sys.executable, "-c", SEND, str(sock.fileno()), str(int(sock.family)), "0", *map(str, to)],
              pass_fds=[sock.fileno()])
    return p


def stamped(sock):
    """What a socket has received, by the time at which each came."""
    times = []
    sock.setblocking(False)
    while True:
        try:
            _, control, *_ = sock.recvmsg(100, 256)
        except BlockingIOError:
            return times
        except OSError:
            continue        # an ICMP error has come, too
        times += [struct.unpack("qq", data) for level, kind, data in control if kind == SO_TIMESTAMPNS]


def at_once(family, line, device, seen, prepare):
    """A flow is fast in both directions while a line is written. How long, in ms, its last packets and the write took."""
    flow = Udp(family)
    for sock in (flow.client, flow.server):
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 26)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    learned(flow)
    prepare()
    fast(flow)
    programs = [flood(flow.client), flood(flow.server, *flow.peer[:2])]
    wait(lambda: len(polling.select((flow.client, flow.server), (), (), 0)[0]) == 2, "both directions")
    d = Delta()
    wait(lambda: d["hits"] > 2000, "a live flow")
    with opened(device, os.O_WRONLY) as fd:
        before = seen()
        begin = time.time_ns()
        os.write(fd, line.encode() + b"\n")
        end = time.time_ns()
    wait(lambda: seen() > before + 200, f"{line}: later packets are refused", 20)
    for p in programs:
        p.kill()
        p.wait()
    times = [[s * 10**9 + n for s, n in stamped(sock)] for sock in (flow.server, flow.client)]
    flow.close()
    for way, t in zip(("up", "down"), times):
        check(len(t) > 200, f"{line}: hardly any packets {way}: {len(t)}")
        late = [x - end for x in t if x > end]
        check(not late, f"{line}: {len(late)} packets {way} behind it, the last {max(late or [0]) / 1e6:.3f} ms")
    return [(max(t) - begin) / 1e6 for t in times] + [(end - begin) / 1e6]


def commands(family):
    """What ends flows has ended them when the write returns: no packet is delivered later, in either direction."""
    ctl("lan_zone 1=r0\nwan_zone 2=r1", device=ZONES)
    run("r", "ipset restore", text="create all hash:mac\nadd all " + mac("c", "c0") + "\n")
    ctl("auth id=1,szone=1,type=auto,sipgrp=all\ndisabled=0", device=USER)
    select()
    def refused():
        return stats()["access_refused"]

    def dropped():
        return nft_counter("late", "late", family="inet")

    def drop_later():
        """A rule that only packets of the stack meet."""
        run("r", ["nft", "add table inet late; add chain inet late c { type filter hook forward priority 10; }; "
                  "add rule inet late c meta l4proto udp counter comment late; add rule inet late c meta l4proto udp drop"])
    client = ADDR["c", family]
    for line, device, seen, prepare in (
            (f"set-status {client} 6", INFO, refused, lambda: None),
            (f"kick {client}", INFO, dropped, drop_later),
            ("kickall", INFO, dropped, drop_later),
            ("begin\nclean\nauth id=1,szone=1,type=web,sipgrp=all\ncommit", USER, refused, lambda: None)):
        ctl("kickall", device=INFO)
        up, down, took = at_once(family, line, device, seen, prepare)
        print(f"# {line!r}, IPv{family}: took {took:.2f} ms, the last packet up {up:.2f}, down {down:.2f} ms after its begin", flush=True)
        run("r", "nft delete table inet late", ok=False)


case_commands_v4, case_commands_v6 = both(commands)

# Packets of 4096 hosts, half of them IPv4, each with its own MAC, as fast as this machine can; whatever becomes of the device.
SPOOF = """
import ctypes, os, sys
sys.path.insert(0, "/lab")
from natlab import LIBC, frame, ip_packet, udp
fd, to, servers = int(sys.argv[1]), sys.argv[2], {4: sys.argv[3], 6: sys.argv[4]}
class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]
class Message(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.POINTER(Iovec)), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int), ("pad", ctypes.c_int), ("sent", ctypes.c_uint)]
def packet(n):
    family = 4 + n % 2 * 2
    source = f"11.0.{n >> 8}.{n & 255}" if family == 4 else f"fd00:11::{n:x}"
    data = ip_packet(family, source, servers[family], 17, udp(family, source, servers[family], 1024, 9, b"x" * 18))
    return frame(to, f"02:11:00:00:{n >> 8:02x}:{n & 255:02x}", data)
frames = [packet(n) for n in range(4096)]
vectors = [Iovec(f, len(f)) for f in frames]
messages = (Message * 4096)(*(Message(None, 0, ctypes.pointer(v), 1, None, 0, 0, 0, 0) for v in vectors))
while True:
    for at in range(0, 4096, 512):
        LIBC.sendmmsg(fd, ctypes.byref(messages, at * ctypes.sizeof(Message)), 512, 0)
"""
LIMIT = 256


def spoof():
    """They come by c's cable."""
    with ns("c"):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind(("c0", ETH_P_ALL))
    with sock:
        return start(None, [sys.executable, "-c", SPOOF, str(sock.fileno()), mac("r", "r0"), ADDR["s", 4], ADDR["s", 6]],
                     pass_fds=[sock.fileno()])


def crowd():
    """Users are counted and judged, few of them, and thousands come; the innocent one's flow is fast."""
    ctl("lan_zone 1=r0\nwan_zone 2=r1", device=ZONES)
    ctl(f"users=1\nuser_limit={LIMIT}")
    run("r", "ipset restore", text="create none hash:mac\ncreate guests hash:net\nadd guests 11.0.0.0/9\n")
    ctl("auth id=1,szone=1,type=web,sipgrp=none\nauth id=2,szone=1,type=auto,sipgrp=guests\ndisabled=0", device=USER)
    run("s", "nft add table inet deaf; nft add chain inet deaf c { type filter hook input priority 0; }; "
             "nft add rule inet deaf c udp dport 9 drop", ok=False)


def case_churn():
    """Users come and go, each listing is whole, commands work, and who has a flow stays and is fast."""
    crowd()
    select()
    flow = learned(Udp(dport=5555))
    p = spoof()
    wait(lambda: stats()["users_evicted"] > 4096, "each came")
    d, begin, listings, rounds = Delta(), time.monotonic(), 0, 0
    while time.monotonic() < begin + 3 or d["users_evicted"] < 10000:
        for path in ("/proc/net/natflow_users", "/proc/net/natflow_devices", INFO):
            lines = read(path).splitlines()
            check(all(len(line) > 40 for line in lines) and len(lines) < 2 * LIMIT + 5000, f"{path}: {len(lines)} lines")
            listings += 1
        with contextlib.suppress(OSError):          # it may have given way
            ctl(f"set-status {lines[-1].split(',')[0]} 6\n", device=INFO)
        flow.send()
        flow.reply()
        rounds += 1
        check(stats()["users"] <= LIMIT, f"users {stats()['users']}")
    took = time.monotonic() - begin
    # Now and then the stack sees a sample.
    check(d["hits"] >= 1.8 * rounds, f"hits of the innocent one's flow in {rounds} rounds: {d.changed()}")
    print(f"# {d['users_evicted'] / took:.0f} users a second came and went, {listings} listings", flush=True)
    ctl("kickall", device=INFO)
    p.kill()
    check(ADDR["c", 4] in read("/proc/net/natflow_users"), "who has a flow stays")


def case_namespace():
    """The namespace goes while thousands of users come, with a list that is half read."""
    crowd()
    spoof()
    wait(lambda: stats()["users_evicted"] > 1000, "users come")
    with opened(INFO, os.O_RDONLY) as fd, open(fd, closefd=False) as half:
        check(half.readline(), "a line")
        netns_del("r")
        wait(lambda: gone(half), "the namespace is gone")


def case_module():
    """The module goes while thousands of users come, and comes again."""
    crowd()
    spoof()
    wait(lambda: stats()["users_evicted"] > 1000, "users come")
    wait(lambda: [rmmod(name) for name in ("xt_FLOWOFFLOAD", "natflow")] and "natflow" not in open("/proc/modules").read(), "unloads")
    insmod("/lab/natflow.ko")
    ctl("wan_zone 2=r1", device=ZONES)
    ctl(f"users=1\nuser_limit={LIMIT}")
    wait(lambda: stats()["users_evicted"] > 1000, "users come")


NTH = "/proc/thread-self/fail-nth"


def fails(n, where, call):
    """In a process whose @n-th allocation fails: (an allocation failed, errno of the call or 0)."""
    inside, outside = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            with ns(where):
                fd = os.open(NTH, os.O_RDWR)
                os.write(fd, b"%d" % n)
                try:
                    call()
                    number = 0
                except OSError as e:
                    number = e.errno
                failed = int(os.pread(fd, 20, 0)) == 0
                os.write(fd, b"0")
            os.write(outside, b"%d %d" % (failed, number))
        finally:
            os._exit(0)
    os.close(outside)
    os.waitpid(pid, 0)
    said = os.read(inside, 100).decode()
    os.close(inside)
    check(said, f"allocation {n}: the process did not end")
    return tuple(map(int, said.split()))


def put(path, text):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def get(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        while os.read(fd, 65536):
            pass
    finally:
        os.close(fd)


def one_by_one(what, call, again, where="r"):
    """Each allocation of a call fails once. It is refused for want of memory or done; then again() works."""
    refused = n = 0
    while True:
        n += 1
        failed, number = fails(n, where, lambda: call(n))
        # procfs says so when it finds no memory for a file (fs/proc/proc_net.c).
        lost = errno.ENOENT if what.startswith("/proc") else 0
        check(number in (0, errno.ENOMEM, lost), f"{what}, allocation {n}: {os.strerror(number)}")
        refused += number != 0
        again(n)
        if not failed:
            break
        check(n < 2000, f"{what}: no end")
    print(f"# {what}: {n - 1} allocations, {refused} refusals", flush=True)


def first_packet(n):
    """Of the n-th host, received in the writer's context."""
    family = 4 + n % 2 * 2
    source = f"11.1.{n >> 8}.{n & 255}" if family == 4 else f"fd00:12::{n:x}"
    data = ip_packet(family, source, ADDR["s", family], 17, udp(family, source, ADDR["s", family], 1024, 9, b"x" * 18))
    whole = frame(mac("r", "r0"), f"02:12:00:00:{n >> 8:02x}:{n & 255:02x}", data)
    return f"r0 plain {whole.hex()}\n"


def exhausted():
    """Every allocation of every command, listing and first packet fails once."""
    for key, value in (("ignore-gfp-wait", "N"), ("verbose", 0)):
        with open("/sys/kernel/debug/failslab/" + key, "w") as f:
            f.write(str(value))
    ctl("wan_zone 2=r1", device=ZONES)
    run("r", "ipset restore", text="create guests hash:net\nadd guests 10.0.0.0/8\n")
    select()
    flow = Udp().learn()
    packets = {n: first_packet(n) for n in range(1, 400)}

    def is_on(n):
        ctl("users=1")
        flow.learn()
        fast(flow)
        ctl("users=0")
    one_by_one("users=1", lambda n: put("/dev/natflow_ctl", "users=1\n"), is_on)
    netns_add("x")
    one_by_one("users=1, the first", lambda n: put("/dev/natflow_ctl", "users=1\n"), lambda n: (netns_del("x"), netns_add("x")), "x")
    ctl("users=1", "x")
    ctl("users=1")

    def is_known(n):
        inject_line(packets[n])
        source = f"11.1.{n >> 8}.{n & 255}" if n % 2 == 0 else f"fd00:12::{n:x}"
        check(f"addr={source} " in read("/proc/net/natflow_users"), f"{source} has a record")
    one_by_one("a first packet", lambda n: put("/proc/natlab_inject", packets[n]), is_known)
    client = ADDR["c", 4]
    for device, line in ((ZONES, "lan_zone 1=r0"), (USER, "auth id=1,szone=1,type=auto,sipgrp=guests"), (USER, "disabled=0"),
                         (USER, "begin\nclean\nauth id=1,szone=1,type=auto,sipgrp=guests\ncommit"), (INFO, f"set-status {client} 1"),
                         (INFO, f"kick {client}"), (INFO, "kickall")):
        one_by_one(repr(line), lambda n: put(device, line + "\n"), lambda n: (ctl(line, device=device), flow.learn()))
        fast(flow.learn())
    for path in (INFO, USER, ZONES, "/proc/net/natflow_users", "/proc/net/natflow_devices"):
        one_by_one(path, lambda n: get(path), lambda n: check(read(path), "empty"))
    fast(flow.learn())


def inject_line(text):
    with ns("r"):
        put("/proc/natlab_inject", text)


if os.path.exists(NTH):
    case_exhausted = exhausted
