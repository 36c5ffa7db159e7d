# SPDX-License-Identifier: GPL-2.0-only
"""All kinds of links between a host and the gateway.

make(kind, host, side, number) builds one; what it returns has addresses

    10.SIDE.NUMBER.2, fd0SIDE:NUMBER::2 (host)   .1, ::1 (gateway)

and a default route on the host, so that a socket bound to its device goes there.
"""
import fcntl
import os
import socket
import struct

from natlab import AT_END, PATIENCE, carriers_reported, equal, ip, modprobe, netns_add, ns, quiet, read, reachable, rtnl, rule, run, sh, start, sysctls, wait

MODULES = ("8021q", "bridge", "bonding", "macvlan", "tun", "wireguard", "pppoe", "dummy", "veth")


class Link:
    """One link: the L3 device at each end, and all devices of the gateway's below it."""

    def __init__(self, kind, host, side, number):
        self.kind, self.host, self.side, self.number = kind, host, side, number
        self.h, self.g = f"h{side}{number}", f"g{side}{number}"
        self.below = [self.g]

    def address(self, family, end):
        """end: 1 the gateway's, 2 the host's."""
        return f"10.{self.side}.{self.number}.{end}" if family == 4 else f"fd0{self.side}:{self.number}::{end}"

    def index(self, leg=0):
        """An ifindex that no device of the gateway has: see natlab.up()."""
        return 1000 * self.side + 10 * self.number + leg

    def wire(self):
        """An Ethernet cable."""
        with rtnl(None) as net:
            net.veth(self.index(), (self.h, self.host), (self.g, "r"))
        for where, dev in ((self.host, self.h), ("r", self.g)):
            with rtnl(where) as net:
                net.up(dev)

    def vlan(self, where, dev, vid=10, proto="802.1Q"):
        name = f"{dev}.{vid}"
        ip(where, f"link add link {dev} name {name} type vlan id {vid} protocol {proto}\nlink set {name} up")
        return name

    def bridge(self, port, more=""):
        """A bridge of the gateway, with a second port without a host."""
        name = f"b{self.side}{self.number}"
        ip("r", f"""link add {name} type bridge mcast_snooping 0 {more}
            link add i{name} type dummy
            link set i{name} master {name} up
            link set {port} master {name}
            link set {name} up""")
        return name


def eth(link):
    link.wire()
    return link.h, link.g


def vlan(link):
    link.wire()
    return link.vlan(link.host, link.h), link.vlan("r", link.g)


def qinq(link):
    link.wire()
    ends = []
    for where, dev in ((link.host, link.h), ("r", link.g)):
        outer = link.vlan(where, dev, 100, "802.1ad")
        ends.append(link.vlan(where, outer))
    link.below.append(f"{link.g}.100")
    return ends


def three_tags(link):
    ends = qinq(link)
    link.below.append(ends[1])
    return link.vlan(link.host, ends[0], 5), link.vlan("r", ends[1], 5)


def bridge(link):
    link.wire()
    return link.h, link.bridge(link.g)


def bridge_on_vlan(link):
    link.wire()
    port = link.vlan("r", link.g)
    link.below.append(port)
    return link.vlan(link.host, link.h), link.bridge(port)


def vlan_on_bridge(link):
    link.wire()
    br = link.bridge(link.g)
    link.below.append(br)
    return link.vlan(link.host, link.h), link.vlan("r", br)


def pvid(link):
    """A VLAN-filtering bridge: the port is untagged, the gateway's end a VLAN on the bridge."""
    link.wire()
    br = link.bridge(link.g, "vlan_filtering 1 vlan_default_pvid 0")
    sh("r", f"bridge vlan add dev {link.g} vid 10 pvid untagged; bridge vlan add dev {br} vid 10 self")
    link.below.append(br)
    return link.h, link.vlan("r", br)


def trunk(link):
    """A VLAN-filtering bridge: the port is tagged, the gateway's end the bridge itself."""
    link.wire()
    br = link.bridge(link.g, "vlan_filtering 1 vlan_default_pvid 0")
    sh("r", f"bridge vlan add dev {link.g} vid 10; bridge vlan add dev {br} vid 10 pvid untagged self")
    return link.vlan(link.host, link.h), br


def bonded(link, mode):
    for where, dev in ((link.host, link.h), ("r", link.g)):
        ip(where, f"link add B{dev} type bond mode {mode} miimon 10")
    link.below = []
    for i, leg in enumerate("ab"):
        h, g = link.h + leg, link.g + leg
        ip(None, f"link add {h} index {link.index(i)} netns {link.host} type veth peer name {g} netns r")
        for where, dev, bond in ((link.host, h, "B" + link.h), ("r", g, "B" + link.g)):
            ip(where, f"link set {dev} master {bond}")
        link.below.append(g)
    for where, dev in ((link.host, link.h), ("r", link.g)):
        ip(where, f"link set B{dev} up")
    return "B" + link.h, "B" + link.g


def bond(link):
    return bonded(link, "active-backup")


def lacp(link):
    ends = bonded(link, "802.3ad lacp_rate fast")
    for where, dev in zip((link.host, "r"), ends):
        path = f"/proc/net/bonding/{dev}"
        with ns(where):
            wait(lambda: open(path).read().count("port state: 63") == 4, f"{dev}: both legs collect and distribute")
    return ends


def cards(driver):
    """Unused network cards of that kind, two per cable."""
    return sorted(dev for dev in os.listdir("/sys/class/net")
                  if os.path.basename(os.path.realpath(f"/sys/class/net/{dev}/device/driver")) == driver)


def cable(link, driver):
    """A cable between two cards of the machine's own, instead of veth's: the first namespace, where their names stay,
    has no other such names."""
    modprobe("virtio_pci", driver)
    pair = sorted(cards(driver), key=lambda dev: os.path.realpath(f"/sys/class/net/{dev}/device"))[:2]
    link.h, link.g = link.h + driver[0], link.g + driver[0]
    link.below = [link.g]
    for dev, where, name in zip(pair, (link.host, "r"), (link.h, link.g)):
        ip(None, f"link set {dev} netns {where} name {name}")
        run(where, f"ethtool -K {name} tso off")
        ip(where, f"link set {name} up")
    return link.h, link.g


def e1000e(link):
    return cable(link, "e1000e")


def virtio(link):
    return cable(link, "virtio_net")


def e1000e_vlan(link):
    """The card strips and inserts the tag (offload)."""
    cable(link, "e1000e")
    return link.vlan(link.host, link.h), link.vlan("r", link.g)


def macvlan(link):
    link.wire()
    ip("r", f"link add link {link.g} name m{link.g} type macvlan mode private\nlink set m{link.g} up")
    return link.h, "m" + link.g


PUMP = """
import os, select, sys
a, b = map(int, sys.argv[1:])
while True:
    for fd in select.select([a, b], [], [])[0]:
        os.write(b if fd == a else a, os.read(fd, 70000))
"""


def pump(program, mode, ends, *fds):
    """tun (mode 1) or tap (2) devices whose program is one, which carries packets over; @fds are its first ones."""
    fds = list(fds)
    for where, dev in ends:
        with ns(where):
            fd = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", dev.encode(), 0x1000 | mode))    # TUNSETIFF, NO_PI
        fds.append(fd)
        ip(where, f"link set {dev} up")
    start(None, ["python3", "-c", program, *map(str, fds)], pass_fds=fds)
    for fd in fds:
        os.close(fd)


def tun(link):
    link.below = []
    pump(PUMP, 1, ((link.host, link.h), ("r", link.g)))
    return link.h, link.g


# What a switch does behind the CPU port, with MediaTek's tags: four bytes in place of the EtherType, or of a VLAN's TPID.
SWITCH = """
import os, select, sys
cpu, *ports = map(int, sys.argv[1:])
TPID = {1: bytes([0x81, 0]), 2: bytes([0x88, 0xa8])}
while True:
    for fd in select.select([cpu] + ports, [], [])[0]:
        f = os.read(fd, 70000)
        if fd == cpu:
            out = f[:12] + (TPID[f[12]] + f[14:] if f[12] else f[16:])
            for i, port in enumerate(ports):
                if f[13] >> i & 1:
                    os.write(port, out)
        else:
            os.write(cpu, f[:12] + bytes([0, ports.index(fd), 0, 0]) + f[12:])
"""
DSA = "/lab/natdsa.ko"      # there on kernels that have DSA


def dsa(link):
    """A port of a switch, the host behind it: lan0 for side 1, lan1 for side 2, both by one conduit."""
    if "natdsa" not in open("/proc/modules").read():
        pump(SWITCH, 2, (("r", "conduit"), ("c", "port0"), ("s", "port1")))
        run("r", f"insmod {DSA} conduit=conduit")
        AT_END.append(lambda: run(None, "rmmod natdsa"))
    link.h, link.g = f"port{link.side - 1}", f"lan{link.side - 1}"
    link.below = [link.g]
    ip(None, f"link set {link.g} netns r")
    ip("r", f"link set {link.g} up")
    return link.h, link.g


def dsa_vlan(link):
    dsa(link)
    return link.vlan(link.host, link.h), link.vlan("r", link.g)


def dsa_bridge(link):
    dsa(link)
    return link.h, link.bridge(link.g)


def dsa_pppoe(link):
    return dial(link, *dsa(link))


def wireguard(link):
    link.wire()
    for where, dev, end in ((link.host, link.h, 2), ("r", link.g, 1)):
        ip(where, f"addr add 10.9{link.side}.{link.number}.{end}/24 dev {dev}\nlink add W{dev} type wireguard")
        sh(where, f"wg genkey > /tmp/key; wg set W{dev} listen-port 5{link.side}{link.number:02} private-key /tmp/key")
    for where, dev, other, peer, end in ((link.host, link.h, "r", link.g, 1), ("r", link.g, link.host, link.h, 2)):
        key = run(other, f"wg show W{peer} public-key").strip()
        run(where, f"wg set W{dev} peer {key} allowed-ips 0.0.0.0/0,::/0 "
                   f"endpoint 10.9{link.side}.{link.number}.{end}:5{link.side}{link.number:02}")
        ip(where, f"link set W{dev} up mtu 1420")
    return "W" + link.h, "W" + link.g


# pppoe-server would carry packets through a pseudo terminal: give the session it made to the kernel instead.
SERVE = """#!/usr/bin/env python3
import os, sys
args = ["pppd"] + sys.argv[1:]
at = args.index("pty")
words = args[at + 1].split()
args[at:at + 2] = ["plugin", "rp-pppoe.so", "rp_pppoe_sess", words[words.index("-e") + 1], words[words.index("-I") + 1]]
os.execv("/usr/sbin/pppd", args)
"""
PPP = "noauth noccp novj novjccomp nodefaultroute lcp-echo-interval 0"


def ppp_device(where, address):
    """The name of the device with that address, once it is there."""
    def find():
        return [l.split()[1] for l in run(where, "ip -o addr").splitlines() if f" inet {address} " in l]
    return wait(find, f"PPP: {address} is up")[0]


def dial(link, h, g):
    """The host is the access concentrator, the gateway dials in."""
    for path, text in (("/tmp/pppoe-options", f"{PPP} ipv6 ::2,::1\n"), ("/tmp/pppoe-pppd", SERVE)):
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o755)
    start(link.host, f"pppoe-server -F -I {h} -O /tmp/pppoe-options -q /tmp/pppoe-pppd -L {link.address(4, 2)} "
                     f"-R {link.address(4, 1)} -N 1 -X /run/pppoe-{link.h}.pid")
    link.pppd = start("r", f"pppd nodetach {PPP} ipv6 ::1,::2 maxfail 0 holdoff 1 persist ifname p{link.g} "
                           f"plugin rp-pppoe.so {g}")
    return ppp_device(link.host, link.address(4, 2)), ppp_device("r", link.address(4, 1))


def session():
    """The PPPoE session's number; the file shows it in network byte order."""
    number = int(read("/proc/net/pppoe").splitlines()[1].split()[0], 16)
    return struct.unpack("=H", struct.pack("!H", number))[0]


def pppoe(link):
    link.wire()
    return dial(link, link.h, link.g)


def pppoe_on_vlan(link):
    link.wire()
    g = link.vlan("r", link.g)
    link.below.append(g)
    return dial(link, link.vlan(link.host, link.h), g)


LAN = (eth, vlan, qinq, bridge, bridge_on_vlan, vlan_on_bridge, pvid, trunk, bond, lacp, macvlan, tun, wireguard, e1000e, virtio)
WAN = (eth, vlan, qinq, bridge, vlan_on_bridge, bond, macvlan, pppoe, pppoe_on_vlan, tun, wireguard, e1000e_vlan,
       virtio)


def linkwatch_ran():
    """What the kernel had to say of the gateway's devices it has said.

    A carrier that changes before its device is up can wait for a second (net/core/link_watch.c:linkwatch_urgent_event()),
    and routes are looked up anew then. One that cannot wait takes all along that could not, by now.
    """
    with rtnl("r") as net:
        net.veth(990, ("lw0", "r"), ("lw1", "r"))
        net.up("lw0")
        net.up("lw1")
        carriers_reported("r")
        net.delete("lw0")


def make(kind, host, side, number):
    """A link of that kind; what leaves by side 2 is masqueraded, if it is IPv4."""
    link = Link(kind.__name__, host, side, number)
    link.host_dev, link.dev = kind(link)
    link.below.append(link.dev)
    has_ipv4 = "pppoe" in kind.__name__         # from PPP, and no next hop for IPv6
    for where, dev, end in ((host, link.host_dev, 2), ("r", link.dev, 1)):
        with rtnl(where) as net:
            if not has_ipv4:
                net.address(dev, f"{link.address(4, end)}/24")
                net.up(dev)
            net.address(dev, f"{link.address(6, end)}/64")
    if side == 2:
        rule(4, f"-A POSTROUTING -o {link.dev} -j MASQUERADE", table="nat")
    for family in (4, 6):
        via = link.address(family, 1) if family == 4 or not has_ipv4 else None
        with rtnl(host) as net:
            net.route("0.0.0.0/0" if family == 4 else "::/0", via, link.host_dev, link.side * 100 + number)
        wait(lambda: reachable("r", family, link.address(family, 2)), f"{link.kind}: host reachable, IPv{family}")
    linkwatch_ran()
    return link


def gateway():
    """Three namespaces, a router between; no duplicate address is looked for in any."""
    modprobe(*MODULES)
    run(None, "rmmod br_netfilter", ok=False)       # with it, bridges are never skipped
    for where in "crs":
        netns_add(where)
        values = {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1} if where == "r" else {}
        for k in ("all", "default"):
            values |= {f"net.ipv6.conf.{k}.accept_dad": 0, f"net.ipv6.conf.{k}.router_solicitations": 0,
                       f"net.ipv4.conf.{k}.rp_filter": 0, f"net.ipv4.conf.{k}.send_redirects": 0}
        sysctls(where, values)
        with rtnl(where) as net:
            net.up("lo")
        quiet(where)


ROUNDS = 5


def bound(where, dev, family, address, port=0):
    """A UDP socket that sends and receives by one device."""
    with ns(where):
        sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, dev.encode())
    sock.settimeout(PATIENCE)
    sock.bind((address, port))
    return sock


class Pair:
    """One UDP flow from a LAN link's host to a WAN link's; IPv4 is masqueraded."""

    def __init__(self, lan, wan, family):
        self.lan, self.wan, self.family = lan, wan, family
        self.client = bound("c", lan.host_dev, family, lan.address(family, 2))
        self.server = bound("s", wan.host_dev, family, wan.address(family, 2))
        self.to = (wan.address(family, 2), self.server.getsockname()[1])

    def round(self, data):
        self.client.sendto(b"forth" + data, self.to)
        got, peer = self.server.recvfrom(2000)
        equal(got, b"forth" + data, f"{self}: at the server")
        equal(peer[0], self.wan.address(4, 1) if self.family == 4 else self.lan.address(6, 2), f"{self}: source")
        self.server.sendto(b"back" + data, peer)
        equal(self.client.recvfrom(2000)[0], b"back" + data, f"{self}: at the client")

    def exchange(self, size=100):
        for i in range(ROUNDS):
            self.round(bytes([i]) * size)

    def counted(self):
        """What an exchange adds to the gateway's device counters; some of them lag behind the packet."""
        before = counters(self)
        self.exchange()

        def added():
            return {k: v - before[k] for k, v in counters(self).items()}
        ends = [(dev, way) for dev in (self.lan.dev, self.wan.dev) for way in ("rx", "tx")]
        wait(lambda: all(added()[k] >= ROUNDS for k in ends), f"{self}: both ends count all packets")
        return added()

    def close(self):
        self.client.close()
        self.server.close()

    def __str__(self):
        return f"{self.lan.kind} x {self.wan.kind} IPv{self.family}"


def counters(pair):
    out = {}
    with ns("r"), open("/proc/net/dev") as f:
        for line in f.read().splitlines()[2:]:
            dev, values = line.split(":")
            v = values.split()
            if dev.strip() in pair.lan.below + pair.wan.below:
                out.update({(dev.strip(), k): int(v[i]) for k, i in
                            (("rx bytes", 0), ("rx", 1), ("tx bytes", 8), ("tx", 9))})
    return out
