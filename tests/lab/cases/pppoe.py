# SPDX-License-Identifier: GPL-2.0-only
"""PPPoE packets are looked up at the device below PPP: which, what PPP still has of them, and when they pass PPP instead.

Takes long: PPPoE dials.
"""
import ctypes
import fcntl
import os
import struct

import links
from links import ROUNDS, session
from natlab import Capture, Delta, bare, check, ctl, equal, frame, inject, ip_packet, mac, ns, select, udp, wait

# ioctls of /dev/ppp, include/uapi/linux/ppp-ioctl.h.
ATTACH, IDLE, PASS, ACTIVE = 0x4004743d, 0x8010743f, 0x40107447, 0x40107446
BURST = 40


class Session:
    """A flow from c to s, which is behind PPPoE, and the frames that come back."""

    def __init__(self, family, kind=links.pppoe):
        links.gateway()
        self.lan, self.wan, self.family = links.make(links.eth, "c", 1, 1), links.make(kind, "s", 2, 1), family
        self.pair = links.Pair(self.lan, self.wan, family)
        self.pair.client.sendto(b"hello", self.pair.to)
        self.peer = self.pair.server.recvfrom(100)[1]
        self.below = self.wan.below[-2]
        self.from_mac = mac("s", self.wan.h)

    def fast(self):
        select()
        self.again()

    def again(self):
        """Until packets skip PPP; a flow that is new teaches."""
        def skips():
            self.pair.exchange()
            return self.went()[0] == "below"
        wait(skips, "packets skip PPP")

    def new_flow(self):
        """One exchange of another flow."""
        pair = links.Pair(self.lan, self.wan, self.family)
        pair.exchange()
        pair.close()

    def went(self):
        """Where the packets of one exchange were forwarded, and what changed; the one a second that PPP gets is in neither."""
        for _ in range(10):
            d = Delta()
            self.pair.exchange()
            above = d["refuse.not-ip"] + d["refuse.path-changed"]
            if d["hits"] == 2 * ROUNDS and d["refuse.idle-time"] == 0 and above in (0, ROUNDS):
                return "above" if above else "below", d.changed()
        return None, d.changed()

    def frame(self, data, number=None, protocol=None, source=None, padding=b""):
        """What s would send."""
        to, port = self.pair.to
        packet = ip_packet(self.family, to, self.peer[0], 17, udp(self.family, to, self.peer[0], port, self.peer[1], data))
        protocol = protocol or (0x21 if self.family == 4 else 0x57)
        head = struct.pack("!HBBHHH", 0x8864, 0x11, 0, number or session(), len(packet) + 2, protocol)
        return frame(mac("r", self.below), source or self.from_mac, packet)[:12] + head + packet + padding

    def unit(self):
        """The PPP unit of the gateway, which pppd holds, too."""
        fd = os.open("/dev/ppp", os.O_RDWR)
        with ns("r"):
            number = next(n for n in range(8) if try_ioctl(fd, ATTACH, struct.pack("=i", n)))
        check(number >= 0, "unit")
        return fd


def try_ioctl(fd, what, data):
    try:
        fcntl.ioctl(fd, what, data)
        return True
    except OSError:
        return False


def skips(family, kind=links.pppoe):
    """The stack's bytes and counters, on the PPP device and below it."""
    s = Session(family, kind)
    # An ARP may come between.
    for _ in range(5):
        slow = s.pair.counted()
        if slow[s.lan.dev, "rx"] == ROUNDS == slow[s.lan.dev, "tx"]:
            break
    s.fast()
    for _ in range(5):
        d = Delta()
        fast = s.pair.counted()
        if [fast, d["hits"], d["refuse.not-ip"]] == [slow, 2 * ROUNDS, 0]:
            break
    equal([fast, d["hits"], d["refuse.not-ip"]], [slow, 2 * ROUNDS, 0], f"counters: {d.changed()}")
    before = links.counters(s.pair)
    for n, padding in ((1, bytes(40)), (3, b""), (2, bytes(7))):
        inject(s.below, s.frame(bytes([n]) * n, padding=padding))
        equal(s.pair.client.recv(100), bytes([n]) * n, "at the client")
    headers = 28 if family == 4 else 48
    now = links.counters(s.pair)
    equal(now[s.wan.dev, "rx bytes"] - before[s.wan.dev, "rx bytes"], 3 * headers + 6, "PPP's bytes, without padding")


case_skips_v4, case_skips_v6 = bare(lambda: skips(4)), bare(lambda: skips(6))
case_on_vlan = bare(lambda: skips(4, links.pppoe_on_vlan))


@bare
def case_forged():
    """Of another MAC or session: nothing is forwarded, as by the stack."""
    s = Session(4)
    s.fast()
    d = Delta()
    seen = Capture("c", s.lan.h, lambda f: b"forged" in f)
    for more in ({"source": "02:00:00:00:66:66"}, {"number": session() + 1}):
        inject(s.below, s.frame(b"forged", **more))
    inject(s.below, s.frame(b"forged in what is cut off")[:-4])
    equal(d["hits"], 0, f"{d.changed()}")
    s.pair.exchange()
    seen.none()


@bare
def case_idle():
    """PPP gets one packet a second, so that its idle time is right: refuse.idle-time. None overtakes another."""
    s = Session(4)
    s.fast()
    fd = s.unit()
    d, count = Delta(), 0

    def passed():
        nonlocal count
        for _ in range(BURST):
            s.pair.server.sendto(struct.pack("!I", count), s.peer)
            count += 1
        got = [struct.unpack("!I", s.pair.client.recv(100))[0] for _ in range(BURST)]
        equal(got, list(range(count - BURST, count)), "in order")
        return d["refuse.idle-time"]
    seconds = 0

    def thrice():
        nonlocal seconds
        before = d["refuse.idle-time"]
        seconds += passed() > before
        return seconds == 3
    wait(thrice, "PPP gets packets")
    idle = struct.unpack("=qq", fcntl.ioctl(fd, IDLE, bytes(16)))
    check(idle[1] <= 1, f"seconds without packets, out and in: {idle}")
    check(d["refuse.not-ip"] < BURST and d["refuse.idle-time"] <= 3 * BURST < count, f"{d.changed()}, {count} packets")
    check(d["hits"] >= count - BURST, f"{count} packets: {d.changed()}")
    os.close(fd)


def filtered(which):
    """pppd's filters see every packet."""
    s = Session(4)
    s.fast()
    fd = s.unit()
    program = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0xffff))       # all pass
    fcntl.ioctl(fd, which, struct.pack("=H6xQ", 1, ctypes.addressof(program)))
    s.new_flow()
    equal(s.went()[0], "above", "with a filter")
    s.new_flow()
    equal(s.went()[0], "above", "with a filter, and a new flow")
    fcntl.ioctl(fd, which, struct.pack("=H6xQ", 0, 0))
    s.new_flow()
    equal(s.went()[0], "below", "without")
    os.close(fd)


case_pass_filter, case_active_filter = bare(lambda: filtered(PASS)), bare(lambda: filtered(ACTIVE))


@bare
def case_setting():
    """pppoe=0: every packet passes PPP, from the next one on."""
    s = Session(4)
    s.fast()
    ctl("pppoe=0")
    equal(s.went()[0], "above", "pppoe=0")
    s.new_flow()
    equal(s.went()[0], "above", "pppoe=0, and a new flow")
    ctl("pppoe=1")
    s.new_flow()
    equal(s.went()[0], "below", "pppoe=1")


@bare
def case_compressed():
    """A packet shows that the peer compresses: PPP sees every packet of the session from then on."""
    s = Session(4)
    s.fast()
    inject(s.below, s.frame(b"compressed", protocol=0xfd))
    equal(s.went()[0], "above", "behind a compressed packet")
    s.new_flow()
    equal(s.went()[0], "above", "and a new flow")


@bare
def case_tapped():
    """A tap on the PPP device sees every packet."""
    s = Session(4)
    s.fast()
    seen = Capture("r", s.wan.dev, lambda f: b"back" in f)
    wait(lambda: s.went()[0] == "above", "the tap is noticed")
    s.pair.server.sendto(b"back, tapped", s.peer)
    equal(s.pair.client.recv(100), b"back, tapped", "at the client")
    wait(lambda: b"back, tapped" in seen.next(), "the tap has it")
    seen.sock.close()
    s.new_flow()
    equal(s.went()[0], "below", "without the tap")
