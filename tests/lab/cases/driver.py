# SPDX-License-Identifier: GPL-2.0-only
"""Everything at random, at once: words of the control files, rules, devices, namespaces, modules, packets.

Nothing is expected of what is done, except that the kernel has nothing to report, every process comes to its end, and
natflow can be unloaded. Takes long: half a minute, and half an hour in the long form.

Each process draws from a generator of its own, which follows from the seed: `seed=N` on the kernel's command line
repeats their decisions, SEED=N does so for the runner. The order in which they meet in the kernel is new each time.
"""
import collections
import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import time

from natlab import ADDR, CTL, LONG, PATIENCE, check, insmod, netns_add, netns_del, ns, rmmod, sysctl, trouble, wait

SECONDS = 1800 if LONG else 30
SEED = int((re.search(r"\bseed=(\d+)", open("/proc/cmdline").read()) or [0, 1])[1])
HOSTACL, QUEUE, STORE = "/dev/hostacl_ctl", "/dev/natflow_urllogger_queue", "/proc/sys/urllogger_store"
SPACES = ("c", "r", "s", "x0", "x1")
DEVICES = ("r0", "r1", "v0", "v1", "br0", "r0.7", "lo", "none")
ADDRESSES = ("10.0.1.2", "10.0.2.2", "10.0.1.0/24", "fd00:1::2", "fd00::/16", "0.0.0.0/0", "::", "256.1.1.1")
HOSTS = ("example.com", "a.b.example", "x" * 63 + ".org", "..", "*", "xn--bcher-kva.example", "localhost", "a" * 254)
# What the values in a usage stand for.
KINDS = {
    "NAME": lambda d: d.choice(DEVICES), "IPSET": lambda d: d.choice(("set0", "set1")), "HOST": lambda d: d.choice(HOSTS),
    "URL": lambda d: d.choice(("http://10.0.0.1/", "https://x/" + "y" * d.randrange(300), "ftp://x", "")),
    "MAC": lambda d: ":".join(f"{d.randrange(256):02x}" for _ in range(d.choice((6, 6, 6, 5)))),
    "ADDR": lambda d: d.choice(ADDRESSES), "A": lambda d: d.choice(ADDRESSES), "ID": lambda d: str(d.choice((0, 1, 31, 63, 64, 255, -1))),
    "ACTION": lambda d: d.choice(("0", "1", "2", "3", "accept", "drop", "reset", "redirect", "4")),
}
NUMBERS = (0, 1, 1, 2, 3, 7, 16, 24, 32, 53, 63, 255, 1000, 65536, 1 << 20, (1 << 32) - 1, 1 << 32, 1 << 63)


class Grammar:
    """The lines that a control file's usage describes."""

    def __init__(self, path):
        with open(path) as f:
            text = f.read()
        self.shapes = re.findall(r"^#    (\S.*?)(?:  .*)?$", text, re.M) + re.findall(r"^([a-z]\S*.*)$", text, re.M)
        self.shapes = [s for s in self.shapes if "..." not in s] + ["begin", "commit"]

    def value(self, dice, word):
        if word in KINDS:
            return KINDS[word](dice)
        if re.fullmatch(r"[A-Z]|LEN|\d+\.\.\d+|0x[0-9a-f]+|\d+", word):
            return str(dice.choice(NUMBERS))
        return word

    def choose(self, dice, token):
        """One of a|b, of word=a|b, or of word=A|other=B."""
        word = "" if token.count("=") != 1 else token[:token.index("=") + 1]
        return word + dice.choice(token[len(word):].split("|"))

    def line(self, dice):
        shape = dice.choice(self.shapes)
        while "[" in shape:
            shape = re.sub(r"\[([^][]*)\]", lambda m: dice.choice(("", m[1])), shape)
        shape = " ".join(self.choose(dice, token) for token in shape.split())
        return re.sub(r"[A-Za-z0-9_.]+", lambda m: self.value(dice, m[0]), shape)

    def text(self, dice):
        data = "".join(self.line(dice) + dice.choice(("\n", "\n", "\n", "", "\r\n", "\0\n")) for _ in range(dice.randrange(1, 9))).encode()
        if dice.random() < 0.3:
            data = bytearray(data)
            for _ in range(dice.randrange(1, 4)):
                data[dice.randrange(len(data))] = dice.randrange(256)
        return bytes(data * dice.choice((1, 1, 1, 1, 50)))


def write(dice, path):
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        data = Grammar(path).text(dice)
        while data:
            size = dice.choice((len(data), dice.randrange(1, len(data) + 1)))
            with contextlib.suppress(OSError):
                os.write(fd, data[:size])
            data = data[size:]
            if dice.random() < 0.1:
                os.read(fd, dice.choice((1, 100, 65536)))
    finally:
        os.close(fd)


def words(dice):
    """Lines of a control file, as its usage has them and broken, in one write or several."""
    write(dice, dice.choice((CTL, HOSTACL, QUEUE)))


def lists(dice):
    """A list of domains, perhaps cut off."""
    body = "".join(f"d{dice.randrange(10 ** 6)}.{dice.choice(HOSTS)}\n" for _ in range(dice.choice((1, 10, 3000))))
    fd = os.open(HOSTACL, os.O_WRONLY)
    try:
        os.write(fd, f"list name=l{dice.randrange(3)} action=drop\nlist name=l{dice.randrange(3)} load\n{body}".encode())
        if dice.random() < 0.7:
            os.write(fd, b"end\n")
    finally:
        os.close(fd)


def reads(dice):
    """A file below /proc or a device, in pieces, from anywhere."""
    path = dice.choice(("/proc/natflow", "/proc/natflow_flows", "/proc/natflow_log", "/proc/natflow_urls", CTL, HOSTACL, QUEUE))
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for _ in range(dice.randrange(1, 20)):
            if dice.random() < 0.2:
                with contextlib.suppress(OSError):
                    os.lseek(fd, dice.choice((0, 1, 4096, 1 << 40)), dice.choice((0, 1, 2)))
            if not os.read(fd, dice.choice((1, 17, 4096, 65536))):
                break
    finally:
        os.close(fd)


def sysctls(dice):
    """natflow's, and those of the kernel that change what it may do."""
    path = dice.choice((*(f"{STORE}/{n}" for n in ("enable", "enable", "enable", "count", "timestamp_freq", "tuple_type")),
                        "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding",
                        "/proc/sys/net/netfilter/nf_conntrack_acct"))
    with open(path, "w") as f:
        f.write(str(dice.choice((0, 1, 1, 1, 2, 60, -1, 1 << 31, "x"))))


def program(command):
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)


def rules(dice):
    """FLOWOFFLOAD where it belongs and where it does not."""
    table = dice.choice(("filter", "filter", "filter", "mangle", "nat", "raw"))
    program(f"{dice.choice(('iptables', 'ip6tables'))}-{dice.choice(('legacy', 'nft'))} -w -t {table} " + dice.choice(
        ("-F", "-D FORWARD 1", *["{a} {chain} {match} -j FLOWOFFLOAD {hw}".format(
            a=dice.choice(("-A", "-I", "-D")), chain=dice.choice(("FORWARD", "FORWARD", "FORWARD", "OUTPUT", "PREROUTING")),
            match=dice.choice(("", "-p udp", "-p tcp", "-p icmp", "-m conntrack --ctstate ESTABLISHED")), hw=dice.choice(("", "--hw")))] * 3)))


def devices(dice):
    """Devices come, go and change."""
    dev, n = dice.choice(DEVICES), dice.randrange(2)
    program(dice.choice((
        f"ip link add v{n} type veth peer name v{n}p", f"ip link add link r0 name r0.7 type vlan id 7", "ip link add br0 type bridge",
        f"ip link del {dice.choice(('v0', 'v1', 'br0', 'r0.7'))}", f"ip link set {dev} up", f"ip link set v{n} down",
        f"ip link set v{n} master br0", f"ip link set v{n} nomaster", f"ip link set {dev} mtu {dice.choice((1280, 1400, 1500))}",
        f"ip addr add 10.9.{n}.1/24 dev {dev}", f"ip addr flush dev v{n}", "ip link set r1 down; ip link set r1 up",
        f"ip route replace 10.8.{n}.0/24 via 10.0.2.2", f"ip neigh replace 10.0.2.9 lladdr 02:00:00:00:00:0{n} dev r1",
        f"tc qdisc add dev {dev} clsact", f"tc qdisc del dev {dev} clsact", f"ip rule add fwmark {n} lookup main", "ip rule del fwmark 0",
        "conntrack -F", "conntrack -D -p udp", "conntrack -D -p tcp")))


def namespaces(dice):
    """One more, or one less, in whatever state it is."""
    name = dice.choice(SPACES[3:])
    (netns_del if dice.random() < 0.5 else netns_add)(name)


def modules(dice):
    """Unload while all others go on; load again."""
    for name in ("xt_FLOWOFFLOAD", "natflow"):
        rmmod(name)
    time.sleep(dice.random() / 5)
    for name in ("natflow", "xt_FLOWOFFLOAD"):
        with contextlib.suppress(Exception):
            insmod(f"/lab/{name}.ko")


REQUESTS = (b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", b"POST /x HTTP/1.1\r\nHost: a.b.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"SSH-2.0-x\r\n", b"")


def packets(dice):
    """A few packets of some connection between the client and the server, their payload more or less a request's."""
    family, port = dice.choice((4, 6)), dice.choice((53, 80, 443, 5000))
    kind = dice.choice((socket.SOCK_DGRAM, socket.SOCK_STREAM))
    address, af = ADDR["s", family], socket.AF_INET if family == 4 else socket.AF_INET6
    with ns("s"), socket.socket(af, kind) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.settimeout(0.2)
        server.bind((address, port))
        if kind == socket.SOCK_STREAM:
            server.listen()
        with ns("c"), socket.socket(af, kind) as client:
            client.settimeout(0.2)
            client.connect((address, port))
            data = bytearray(dice.choice(REQUESTS) + dice.randbytes(dice.randrange(200)))
            if data and dice.random() < 0.5:
                data[dice.randrange(len(data))] = dice.randrange(256)
            far = server.accept()[0] if kind == socket.SOCK_STREAM else None
            for _ in range(dice.randrange(1, 6)):
                client.send(data)
                if far:
                    far.send(dice.randbytes(50))
                else:
                    server.sendto(dice.randbytes(50), server.recvfrom(2000)[1])


# What a process does, and where.
WORKERS = ((words, lists), (words, reads, sysctls), (rules, sysctls, words), (devices,), (packets,), (packets, packets, reads), (namespaces, words),
           (modules,))


def is_over(kinds, done, end):
    """On a loaded machine a process goes on until each of its kinds was done once, for a while."""
    idle = {do.__name__ for do in kinds} - set(done)
    return time.monotonic() > end + (PATIENCE if idle else 0)


def note(diary, now, done):
    diary.seek(0)
    diary.write(f"{now}\n{json.dumps(done)}\n")
    diary.truncate()
    diary.flush()


def work(number, kinds, seed, end):
    dice, done, last = random.Random(f"{seed}.{number}"), collections.Counter(), ""
    with open(f"/tmp/driver.{number}", "w") as diary:
        while not is_over(kinds, done, end):
            state, do = dice.getrandbits(64), dice.choice(kinds)
            where = dice.choice(SPACES) if do in (words, lists, reads, sysctls, rules) else "r"
            note(diary, f"{do.__name__} in {where}, {state:#x}; before: {last}", done)
            # Most of it is refused, and things are not where another process has removed them.
            try:
                with ns(where):
                    do(random.Random(state))
                done[do.__name__] += 1
                last = "done"
            except Exception as e:  # noqa: BLE001 - whatever it is, the kernel has judged
                last = repr(e).replace("\n", " ")[:200]
            if do is modules:
                time.sleep(2)
        note(diary, f"ended; before: {last}", done)


def diaries():
    """What each process did last."""
    return "; ".join(open(f"/tmp/driver.{n}").read().split("\n")[0] for n in range(len(WORKERS)))


def case_words():
    """See above."""
    print(f"# driver: seed={SEED}", flush=True)
    netns_add("x0")
    # A closed socket keeps its namespace, and so the rules there, as long as it repeats its last data to nobody: 100 s.
    for where in ("c", "s"):
        sysctl(where, "net.ipv4.tcp_orphan_retries", 1)
    end, children = time.monotonic() + SECONDS, []
    for number, kinds in enumerate(WORKERS):
        pid = os.fork()
        if not pid:
            os.setsid()
            try:
                work(number, kinds, SEED, end)
            finally:
                os.killpg(0, signal.SIGKILL)        # a command that took too long must not keep its namespace
        children.append(pid)
    try:
        wait(lambda: time.monotonic() > end or os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT), "the end", SECONDS + 60)
        early = time.monotonic() < end
        check(not early, f"a process ended early, seed={SEED}: {diaries()}")
        for pid in children:
            wait(lambda p=pid: os.waitpid(p, os.WNOHANG)[0], f"a process ends, seed={SEED}: {diaries()}", 180)
            children = [c for c in children if c != pid]
    finally:
        for pid in children:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
    done = sum((collections.Counter(json.loads(open(f"/tmp/driver.{n}").read().split("\n")[1])) for n in range(len(WORKERS))),
               collections.Counter())
    print(f"# driver: {dict(done)}", flush=True)
    idle = {do.__name__ for kinds in WORKERS for do in kinds} - set(done)
    check(not idle, f"nothing was done by {idle}, seed={SEED}: {diaries()}")
    bad = trouble()
    check(not bad, f"seed={SEED}: {diaries()}\n" + "\n".join(bad))
