# SPDX-License-Identifier: GPL-2.0-only
"""The lab: a client, a gateway and a server in namespaces, and ways to look at them.

    c (c0 10.0.1.2, fd00:1::2) --- r (r0 | r1) --- s (s0 10.0.2.2, fd00:2::2)

Runs as root inside the VM, in one thread, so that entering a namespace is a
plain setns(). Waits are for conditions, never for time.
"""
import contextlib
import ctypes
import errno
import fcntl
import os
import re
import socket
import struct
import subprocess
import termios
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
IPT = {4: "iptables-legacy", 6: "ip6tables-legacy"}
PATIENCE = 60.0     # seconds before a condition that should hold is a failure
LONG = " long " in open("/proc/cmdline").read() + " "     # the long forms of what has one


class Failure(Exception):
    """A claim did not hold."""


def check(ok, what):
    if not ok:
        raise Failure(what)


def equal(got, want, what):
    check(got == want, f"{what}: got {got!r}, want {want!r}")


def wait(condition, what, seconds=PATIENCE):
    """Wait until condition() is true; its value is returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {seconds:.0f} s for: {what}")
        time.sleep(0.01)


# -- namespaces and programs

def _setns(fd):
    if LIBC.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def ns(name):
    """Be in a namespace; sockets and files opened there stay there."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
    _setns(fd)
    os.close(fd)
    try:
        yield
    finally:
        _setns(before)
        os.close(before)


STARTED = []
AT_END = []          # what to call before programs are stopped


def start(where, command, **kw):
    """Start a program in a namespace (None: where we are)."""
    words = command.split() if isinstance(command, str) else command
    kw.setdefault("stdout", subprocess.PIPE)
    kw.setdefault("stderr", subprocess.STDOUT)
    with ns(where) if where else contextlib.nullcontext():
        p = subprocess.Popen(words, text=True, stdin=kw.pop("stdin", subprocess.DEVNULL), **kw)
    STARTED.append(p)
    return p


def stop_all():
    """End what a case left running: it would keep its namespace."""
    while AT_END:
        AT_END.pop()()
    for p in STARTED:
        if p.poll() is None:
            p.kill()
            p.wait()
    STARTED.clear()


def run(where, command, ok=True, seconds=120, text=None):
    """Run a program to its end; its output. ok=False: (status, output) instead."""
    p = start(where, command, stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL)
    try:
        out, _ = p.communicate(text, timeout=seconds)
    except subprocess.TimeoutExpired:
        p.kill()
        out = p.communicate()[0]
        raise Failure(f"{command}: still running after {seconds} s: {out}") from None
    if not ok:
        return p.returncode, out
    check(p.returncode == 0, f"{command}: status {p.returncode}: {out.strip()}")
    return out


def sh(where, script):
    return run(where, ["sh", "-ec", script])


def modprobe(*names):
    """Modules that are not there are built in, or what needs them fails and says so."""
    for name in names:
        run(None, ["modprobe", "-q", name], ok=False)


SYSCALLS = {"x86_64": (313, 176), "aarch64": (273, 106), "s390x": (344, 129)}[os.uname().machine]   # finit, delete_module


def insmod(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    failed = LIBC.syscall(SYSCALLS[0], fd, b"", 0)
    os.close(fd)
    check(not failed, f"insmod {path}: {os.strerror(ctypes.get_errno())}")


def rmmod(name):
    """False: it is not there, or in use."""
    return not LIBC.syscall(SYSCALLS[1], name.encode(), os.O_NONBLOCK)


def sysctl(where, name, value):
    with ns(where), open("/proc/sys/" + name.replace(".", "/"), "w") as f:
        f.write(str(value))


@contextlib.contextmanager
def kernel_wide(path, value):
    """A setting that no namespace has for itself, for as long as it is needed."""
    def put(text):
        with open(path, "w") as f:      # at its start: sysctl ignores what is written further on
            f.write(text)
    with open(path) as f:
        before = f.read()
    try:
        put(str(value))
        yield
    finally:
        put(before)


# -- natflow's doors

CTL = "/dev/natflow_ctl"
NET = "/proc/net/"


def ctl(text, where="r"):
    """Write to natflow_ctl, in one write; OSError as the kernel says."""
    with ns(where):
        fd = os.open(CTL, os.O_WRONLY)
    try:
        data = (text if text.endswith("\n") else text + "\n").encode()
        equal(os.write(fd, data), len(data), "bytes written")
    finally:
        os.close(fd)


def read(path, where="r"):
    with ns(where), open(path) as f:
        return f.read()


def stats(where="r"):
    out = {}
    for line in read("/proc/net/natflow", where).splitlines():
        key, value = line.split(" ", 1)
        out[key] = int(value) if value.isdigit() else value
    return out


class Delta:
    """Counters since the object was made."""

    def __init__(self, where="r"):
        self.where = where
        self.before = stats(where)

    def __getitem__(self, key):
        return stats(self.where)[key] - self.before[key]

    def changed(self):
        now = stats(self.where)
        return {k: now[k] - v for k, v in self.before.items()
                if isinstance(v, int) and now[k] != v}


def flows(where="r"):
    return read("/proc/net/natflow_flows", where).splitlines()


def published(where="r"):
    return [f for f in flows(where) if " state=published " in f]


@contextlib.contextmanager
def opened(path=CTL, flags=os.O_RDWR, where="r"):
    with ns(where):
        fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def refuses(call, *numbers):
    """call() fails with one of these errnos."""
    try:
        call()
    except OSError as e:
        check(e.errno in numbers, f"{e}, want {[errno.errorcode[n] for n in numbers]}")
        return
    check(False, f"succeeded, want {[errno.errorcode[n] for n in numbers]}")


def settings(where="r"):
    return [line for line in read(CTL, where).splitlines() if not line.startswith("#")]


def log(where="r"):
    with ns(where), open(NET + "natflow_log", "rb") as f:
        return [re.sub(r"^\[\d+\.\d{3}\] ", "", line.decode("latin1")) for line in f.read().splitlines()]


# -- topology

ADDR = {("c", 4): "10.0.1.2", ("s", 4): "10.0.2.2", ("r0", 4): "10.0.1.1", ("r1", 4): "10.0.2.1",
        ("c", 6): "fd00:1::2", ("s", 6): "fd00:2::2", ("r0", 6): "fd00:1::1", ("r1", 6): "fd00:2::1"}
ENDS = (("c", "c0"), ("r", "r0"), ("r", "r1"), ("s", "s0"))


def attributes(data):
    """A netlink message's attributes, by number."""
    out = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        out[kind & 0x3fff] = data[4:size]
        data = data[size + 3 & ~3:]
    return out


def devices(where):
    """A namespace's devices, by name: (flags, attributes); what `ip link show` asks for."""
    with ns(where), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.send(struct.pack("=IHHIIBBHiII", 32, 18, 0x301, 0, 0, 0, 0, 0, 0, 0, 0))    # RTM_GETLINK, a dump
        out = {}
        while True:
            data = sock.recv(1 << 20)
            while data:
                size, kind = struct.unpack_from("=IH", data)
                if kind == 3:                                                       # NLMSG_DONE
                    return out
                values = attributes(data[32:size])
                out[values[3].rstrip(b"\0").decode()] = struct.unpack_from("=I", data, 24)[0], values      # IFLA_IFNAME
                data = data[size + 3 & ~3:]


def mac(where, dev):
    return devices(where)[dev][1][1].hex(":")         # IFLA_ADDRESS


def netns_add(name):
    """What `ip netns add` does, without a program; sockets do not label their packets."""
    path = f"/run/netns/{name}"
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    open(path, "x").close()
    try:
        if LIBC.unshare(CLONE_NEWNET) or \
           LIBC.mount(b"/proc/self/ns/net", path.encode(), b"none", 4096, None):   # MS_BIND
            raise OSError(ctypes.get_errno(), "netns_add")
    finally:
        _setns(before)
        os.close(before)
    sysctl(name, "net.ipv6.auto_flowlabels", 0)     # crafted packets of a flow have no label either


def netns_del(name):
    path = f"/run/netns/{name}"
    if LIBC.umount2(path.encode(), 2):      # MNT_DETACH
        raise OSError(ctypes.get_errno(), "netns_del")
    os.unlink(path)


def ip(where, commands, family=None):
    """Many ip commands in one process; family for those that do not tell it themselves."""
    run(where, ["ip", *([f"-{family}"] if family else []), "-batch", "-"], text="\n".join(line.strip() for line in commands.splitlines()) + "\n")


def gro(where, dev, on):
    with ns(where), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        value = ctypes.create_string_buffer(struct.pack("=II", 0x2c, on))       # ETHTOOL_SGRO
        request = struct.pack("16sP8x", dev.encode(), ctypes.addressof(value))
        fcntl.ioctl(sock, 0x8946, request)                                      # SIOCETHTOOL


def reachable(where, family, address):
    """A round trip: nobody listens there, and the other side says so."""
    with ns(where), socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6) as sock:
        sock.settimeout(2)
        return sock.connect_ex((address, 9)) == errno.ECONNREFUSED


def carriers_reported(where):
    """A device's own carrier may be reported up to a second late, and routes and bridges are looked up anew then."""
    def late(flags, values):
        state = values[16][0]                                       # IFLA_OPERSTATE; UNKNOWN 0, DOWN 2, LOWERLAYERDOWN 3
        kind = attributes(values.get(18, b"")).get(1)               # IFLA_LINKINFO, IFLA_INFO_KIND
        return flags & 1 and (state in (2, 3) or state == 0 and kind == b"bridge\0")
    wait(lambda: not any(late(*device) for device in devices(where).values()), f"carriers of {where}")


def settled(where, addresses):
    """All IPv6 addresses are there with their routes, a router's anycast ones too: nothing will move by itself."""
    with ns(where):
        have = [l.split() for l in open("/proc/self/net/if_inet6")]
        routes = {l.split()[0] for l in open("/proc/self/net/ipv6_route") if l.split()[1] == "80"}
    wanted = {a[0] for a in have}
    if addresses == 5:
        wanted |= {a[0][:16] + 16 * "0" for a in have if a[2] == "40"}
    return len(have) == addresses and wanted <= routes


def quiet(where):
    """A host does not report its multicast groups: it would at a random moment, in the middle of an exact count."""
    rule(6, "-A OUTPUT -p icmpv6 --icmpv6-type 143 -j DROP", where=where)


def up(names="crs", offload=True, made=False):
    """The standard topology, any names of three namespaces will do; GRO on unless offload=False.

    made=True: namespaces and devices are there already.
    """
    c, r, s = names
    where = {"c0": c, "r0": r, "r1": r, "s0": s}
    if not made:
        for n in names:
            netns_add(n)
        # Where both ends of a pair have one ifindex the kernel takes the carrier's change as one that can wait, up to a
        # second (net/core/link_watch.c:linkwatch_urgent_event()). The index must be free where ip(8) runs, too
        # (net/core/rtnetlink.c:__rtnl_newlink()): kernels with tunnels built in have some twenty devices there.
        ip(None, f"""link add c0 index 720 netns {c} type veth peer name r0 netns {r}
            link add s0 index 730 netns {s} type veth peer name r1 netns {r}""")
    for dev, n in where.items():
        # Addresses of a namespace that was just made would still be probed for duplicates.
        for k in ("all", "default", dev):
            sysctl(n, f"net.ipv6.conf.{k}.accept_dad", 0)
            sysctl(n, f"net.ipv4.conf.{k}.rp_filter", 0)
            sysctl(n, f"net.ipv4.conf.{k}.send_redirects", 0)
        sysctl(n, f"net.ipv6.conf.{dev}.router_solicitations", 0)
        gro(n, dev, offload)
    for k in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
        sysctl(r, k, 1)
    quiet(c)
    quiet(s)
    # The router first: the kernel reports a carrier that comes later at once, its own up to a second late.
    ip(r, """link set lo up
        addr add 10.0.1.1/24 dev r0
        addr add fd00:1::1/64 dev r0
        link set r0 up
        addr add 10.0.2.1/24 dev r1
        addr add fd00:2::1/64 dev r1
        link set r1 up""")
    ip(c, """link set lo up
        addr add 10.0.1.2/24 dev c0
        addr add fd00:1::2/64 dev c0
        link set c0 up
        route add default via 10.0.1.1
        route add default via fd00:1::1""")
    ip(s, """link set lo up
        addr add 10.0.2.2/24 dev s0
        addr add fd00:2::2/64 dev s0
        link set s0 up
        route add 10.0.1.0/24 via 10.0.2.1
        route add fd00:1::/64 via fd00:2::1""")
    for n, addresses in ((c, 3), (s, 3), (r, 5)):
        wait(lambda: settled(n, addresses), f"IPv6 of {n}")
    carriers_reported(r)
    # Both ends resolve each other's gateway now, not in the middle of an exact count.
    for family in (4, 6):
        for n, peer in ((c, "r0"), (s, "r1"), (c, "s")):
            wait(lambda: reachable(n, family, ADDR[peer, family]), f"{peer} reachable from {n}, IPv{family}")


def down(names="crs"):
    for n in names:
        netns_del(n)


def offloads(state):
    for n, d in ENDS:
        run(n, f"ethtool -K {d} tso {state} gso {state} tx {state} rx {state} sg {state}", ok=False)


def rule(family=4, command="-A FORWARD -j FLOWOFFLOAD", where="r", table=None):
    run(where, f"{IPT[family]} -w {'-t ' + table + ' ' if table else ''}{command}")


def select(where="r"):
    """The README's first command, for both families; returns when the hooks are in place."""
    for family in (4, 6):
        rule(family, where=where)
    wait(lambda: stats(where)["hooked"] == 1, "hooks in place")


def wait_rules(n, where="r"):
    wait(lambda: stats(where)["rules"] == n, f"{n} rules")


# -- traffic

def udp_socket(where, family=4, address=None, port=0):
    with ns(where):
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE)
    if family == 6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address or ("0.0.0.0" if family == 4 else "::"), port))
    return sock


def drain(*socks):
    """Forget what has come until now."""
    for sock in socks:
        patience = sock.gettimeout()
        sock.setblocking(False)
        try:
            while sock.recv(70000):
                pass
        except OSError:
            sock.settimeout(patience)


class Udp:
    """One UDP flow from client to server; learn() brings it into the table."""

    def __init__(self, family=4, to=None, dport=0, sport=0, client="c", server="s", tos=None, at=None):
        self.family = family
        self.server = udp_socket(server, family, at, dport)
        self.client = udp_socket(client, family, port=sport)
        if tos is not None:
            for sock in (self.client, self.server):
                sock.setsockopt(*((socket.IPPROTO_IP, socket.IP_TOS) if family == 4 else
                                  (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)), tos)
        address, port = to or (ADDR["s", family], self.server.getsockname()[1])
        self.client.connect((address, port))
        self.peer = None

    def send(self, data=b"x"):
        self.client.send(data)
        got, self.peer = self.server.recvfrom(70000)
        equal(got, data, "datagram at the server")

    def reply(self, data=b"y"):
        self.server.sendto(data, self.peer)
        equal(self.client.recv(70000), data, "datagram at the client")

    def learn(self):
        self.send()
        self.reply()
        self.send()
        self.reply()
        return self

    def close(self):
        self.client.close()
        self.server.close()


class Tcp:
    """One TCP connection from client to server."""

    def __init__(self, family=4, to=None, dport=0, sport=0, client="c", server="s", established=True,
                 prepare=None):
        with ns(server):
            self.listener = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == 6:
            self.listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.listener.bind(("0.0.0.0" if family == 4 else "::", dport))
        self.listener.listen(64)
        with ns(client):
            self.client = socket.socket(self.listener.family)
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sport:
            self.client.bind(("0.0.0.0" if family == 4 else "::", sport))
        self.client.settimeout(PATIENCE)
        if prepare:
            prepare(self.client)
        self.client.connect(to or (ADDR["s", family], self.listener.getsockname()[1]))
        self.server, self.peer = self.listener.accept()
        self.server.settimeout(PATIENCE)
        if established:
            self.learn()

    def learn(self):
        for _ in range(3):
            self.pass_data(self.client, self.server, b"ping")
            self.pass_data(self.server, self.client, b"pong")
        return self

    def settle(self):
        """All that was sent is acknowledged: no delayed ACK comes later."""
        for sock in (self.client, self.server):
            wait(lambda: not any(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4))), "all data acknowledged")

    @staticmethod
    def pass_data(a, b, data):
        """Send data from a to b and compare it; both in this thread, so in pieces."""
        sent = got = 0
        view = memoryview(data)
        while got < len(data):
            if sent < len(data):
                sent += a.send(view[sent:sent + 32768])
            piece = b.recv(1 << 20)
            check(piece, "connection closed early")
            check(piece == view[got:got + len(piece)], f"bytes differ at {got}")
            got += len(piece)

    def close(self):
        for sock in (self.client, self.server, self.listener):
            sock.close()


def drop(where, hook, match=""):
    """Drop packets there before anybody sees them, or some of them; returns what ends it."""
    run(where, ["nft", f"add table inet lossy; add chain inet lossy c {{ type filter hook {hook} priority -400; }}; "
                f"add rule inet lossy c {match} counter drop"])
    return lambda: run(where, "nft delete table inet lossy")


def on_one_bridge(family):
    """Client and server on one bridge, whose packets netfilter sees."""
    modprobe("br_netfilter")
    ip("r", """link add br0 type bridge
        link set r0 master br0
        link set r1 master br0
        link set br0 up""")
    for words in ("iptables", "ip6tables"):
        sysctl("r", f"net.bridge.bridge-nf-call-{words}", 1)
    for n, net in (("c", 2), ("s", 1)):
        ip(n, f"route replace {f'10.0.{net}.0/24' if family == 4 else f'fd00:{net}::/64'} dev {n}0", family)


# -- slow or fast, exactly

ROUNDS = 5


def bare(case):
    """A case that makes its own namespaces and links."""
    case.bare = True
    return case


def both(test):
    """A case for each family."""
    return (lambda: test(4)), (lambda: test(6))


def exchange(flow, rounds=ROUNDS):
    for i in range(rounds):
        flow.send(b"forth %d" % i)
        flow.reply(b"back %d" % i)


def slow(flow, reason, forth=1, back=0):
    """Each datagram is counted so often, none goes fast, all arrive."""
    d = Delta()
    exchange(flow)
    equal(d[reason], ROUNDS * (forth + back), f"{reason}: {d.changed()}")
    equal(d["hits"], 0, f"hits {d.changed()}")


def fast(flow):
    d = Delta()
    exchange(flow)
    equal(d["hits"], 2 * ROUNDS, f"hits {d.changed()}")


def learned(flow):
    """Learned only now, and then fast."""
    flow.learn()
    fast(flow)
    return flow


def second_link(where, dev, net, r_dev="r2"):
    """One more link to the gateway: 10.0.NET.1 and fd00:NET::1 are the gateway's end."""
    quiet(where)
    ip(None, f"link add {dev} index {1100 + net} netns {where} type veth peer name {r_dev} netns r")
    for n, d, host in ((where, dev, 2), ("r", r_dev, 1)):
        ip(n, f"""addr add 10.0.{net}.{host}/24 dev {d}
            addr add fd00:{net}::{host}/64 dev {d}
            link set {d} up""")
    for family, address in ((4, f"10.0.{net}.1"), (6, f"fd00:{net}::1")):
        wait(lambda: reachable(where, family, address), f"{address} reachable")


def hits(flow, want=1, count=5, where="r"):
    """Round trips with right bytes; all of them are hits, or none."""
    d = Delta(where)
    for i in range(count):
        flow.send(b"there %d" % i)
        flow.reply(b"back %d" % i)
    equal(d["hits"], 2 * count * want, f"hits of {count} round trips: {d.changed()}")
    return flow


# -- crafted packets

def csum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def inet(family, address):
    return socket.inet_pton(socket.AF_INET if family == 4 else socket.AF_INET6, address)


def ip_packet(family, src, dst, proto, l4, ttl=64, tos=0, frag=0, options=b"", ident=0, flow=0):
    """An IP packet around l4; the L4 checksum is left alone."""
    if family == 4:
        head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, tos, 20 + len(options) + len(l4), ident,
                           frag, ttl, proto, 0) + inet(4, src) + inet(4, dst) + options
        return head[:10] + struct.pack("!H", 0xffff ^ csum(head)) + head[12:] + l4
    return struct.pack("!IHBB", 6 << 28 | tos << 20 | flow, len(options) + len(l4), proto, ttl) + \
        inet(6, src) + inet(6, dst) + options + l4


def l4_sum(family, src, dst, proto, l4, at):
    pseudo = inet(family, src) + inet(family, dst) + struct.pack("!HH", proto, len(l4))
    value = 0xffff ^ csum(pseudo + l4)
    if proto == 17 and not value:
        value = 0xffff
    return l4[:at] + struct.pack("!H", value) + l4[at + 2:]


def partial_sum(family, src, dst, proto, l4, at):
    """What a CHECKSUM_PARTIAL field holds: the pseudo header, not complemented."""
    value = csum(inet(family, src) + inet(family, dst) + struct.pack("!HH", proto, len(l4)))
    return l4[:at] + struct.pack("!H", value) + l4[at + 2:]


def udp(family, src, dst, sport, dport, data, partial=False, zero=False, length=None):
    l4 = struct.pack("!HHHH", sport, dport, 8 + len(data) if length is None else length, 0) + data
    if zero:
        return l4
    return (partial_sum if partial else l4_sum)(family, src, dst, 17, l4, 6)


def tcp(family, src, dst, sport, dport, seq, ack, flags, data=b"", partial=False, doff=5, window=1024):
    l4 = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, doff << 4, flags,
                     window, 0, 0) + data
    return (partial_sum if partial else l4_sum)(family, src, dst, 6, l4, 16)


def frame(dst, src, packet, family=None):
    """An Ethernet frame; the type from the IP version unless family is a number above 6."""
    kind = family if family and family > 6 else (0x0800 if packet[0] >> 4 == 4 else 0x86dd)
    return bytes.fromhex(dst.replace(":", "")) + bytes.fromhex(src.replace(":", "")) + struct.pack("!H", kind) + packet


def inject(dev, data, flags="plain", where="r"):
    """Hand a frame to a device's receive path, as an skb of the wanted kind."""
    with ns(where), open("/proc/natlab_inject", "wb", buffering=0) as f:
        f.write(f"{dev} {flags} {data.hex()}\n".encode())


class Capture:
    """Frames that arrive at a device from now on, or with sent=True those it sends."""

    def __init__(self, where, dev, match=None, sent=False):
        with ns(where):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.sock.bind((dev, 3))
        wanted = match or (lambda f: True)
        # 4 is PACKET_OUTGOING.
        self.match = lambda data, address: (address[2] == 4) == sent and wanted(data)

    def next(self, seconds=PATIENCE):
        """The next frame that matches."""
        end = time.monotonic() + seconds
        while True:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                data, address = self.sock.recvfrom(70000)
            except (TimeoutError, BlockingIOError):
                raise Failure("no frame arrived") from None
            if self.match(data, address):
                return data

    def none(self):
        """Nothing that matches has arrived up to now."""
        self.sock.setblocking(False)
        while True:
            try:
                data, address = self.sock.recvfrom(70000)
            except BlockingIOError:
                return
            except OSError as e:
                check(e.errno == errno.ENETDOWN, e)     # said once; what came before is still there
                continue
            check(not self.match(data, address), f"unexpected frame {data.hex()}")

    def close(self):
        self.sock.close()


# -- conntrack

def conntrack(args, where="r"):
    return run(where, "conntrack " + args, ok=False)[1]


def conntrack_entry(proto, where="r", more="", **match):
    """The one entry that matches, as (line, {key: [orig, reply]})."""
    lines = [l for l in conntrack(f"-L -p {proto} {more}", where).splitlines()
             if l.startswith(proto) and all(f"{k}={v} " in l for k, v in match.items())]
    equal(len(lines), 1, f"conntrack entries for {match}")
    pairs = {}
    for k, v in re.findall(r"(\w+)=(\S+)", lines[0]):
        pairs.setdefault(k, []).append(v)
    return lines[0], pairs


def nft_counter(table, comment, where="r", family="netdev"):
    """Packets of the one nft rule with that comment."""
    text = run(where, f"nft list table {family} {table}")
    return int(re.search(rf'counter packets (\d+) bytes \d+ comment "{comment}"', text).group(1))


# -- packets held back

@contextlib.contextmanager
def cpu(number):
    """Be on one CPU; what is sent here is received, and routed, here."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def on_each_cpu(do):
    """do(0) on one CPU and do(1) on another, at once."""
    pid = os.fork()
    if not pid:
        try:
            with cpu(1):
                do(1)
            os._exit(0)
        finally:
            os._exit(1)
    with cpu(0):
        do(0)
    equal(os.waitpid(pid, 0)[1], 0, "the other CPU's")


def attribute(kind, fmt, *values):
    data = struct.pack(fmt, *values)
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


class Queue:
    """An NFQUEUE: packets wait until they are accepted, which sends them on in the caller's context."""

    def __init__(self, number=0, where="r"):
        self.number = number
        with ns(where):
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)       # NETLINK_NETFILTER
        self.sock.settimeout(PATIENCE)
        for data in (attribute(1, "!BxH", 1, 0), attribute(2, "!IB", 0, 1)):        # bind; copy no payload
            self.ask(2, data, 5)
            kind, answer = self.receive()
            equal((kind, answer[:4]), (2, bytes(4)), "answer to a queue command")   # NLMSG_ERROR, no error

    def ask(self, command, data, flags=1):
        body = struct.pack("!BBH", 0, 0, self.number) + data
        self.sock.send(struct.pack("=IHHII", 16 + len(body), 3 << 8 | command, flags, 0, 0) + body)

    def receive(self):
        data = self.sock.recv(65536)
        return struct.unpack_from("=H", data, 4)[0], data[16:]

    def next(self):
        """The number of the next packet; the packet header is the first attribute."""
        kind, data = self.receive()
        equal((kind, data[4:8]), (3 << 8, struct.pack("=HH", 11, 1)), "a packet in the queue")
        return struct.unpack_from("!I", data, 8)[0]

    def accept(self, packet):
        self.ask(1, attribute(2, "!II", 1, packet))

    def close(self):
        self.sock.close()


# -- memory that is not there

@contextlib.contextmanager
def no_memory(function, count, value=0):
    """natflow's next calls of a function fail with value; False if this kernel cannot do that."""
    path = "/proc/natlab_fail"
    works = os.path.exists(path)
    try:
        if works:
            with open(path, "w") as f:
                f.write(f"{function} {count} {value}")
        yield works
    finally:
        if works:
            with open(path, "w") as f:
                f.write("stop")


# -- the kernel's opinion

TROUBLE = re.compile(r"BUG:|WARNING:|Oops|possible circular|possible recursive|unreferenced object|suspicious RCU|"
                     r"refcount_t:|general protection|UBSAN|KASAN|unregister_netdevice: waiting|ref_tracker|"
                     r"INFO: task|rcu_sched|rcu_preempt detected|skb_warn_bad|hw csum failure|deprecated workqueue")


def trouble():
    """What must not be in the kernel log, with the lines behind it; reading takes it off."""
    text = ctypes.create_string_buffer(LIBC.klogctl(10, None, 0))           # SIZE_BUFFER
    lines = text[:LIBC.klogctl(4, text, len(text))].decode("latin1").splitlines()        # READ_CLEAR
    # Other people's data races are not ours to judge.
    bad = [i for i, l in enumerate(lines) if TROUBLE.search(l) and ("KCSAN" not in l or re.search(r"\[(natflow|xt_FLOW)", l))]
    return [l for i in bad for l in lines[i:i + 30]]
