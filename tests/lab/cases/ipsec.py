# SPDX-License-Identifier: GPL-2.0-only
"""Law 10, never in clear: what came or leaves through IPsec is left to the stack."""
import random

from natlab import ADDR, Capture, Delta, Udp, both, check, equal, exchange, ip, learned, modprobe, run, select

AUTH = "auth hmac(sha1) 0x" + "11" * 20 + " enc cbc(aes) 0x" + "22" * 16
COUNT = 10
EVENTS = 40


def states(left, right, a, b, more=""):
    """Both ends' security associations, ESP tunnels between addresses a and b."""
    for where in (left, right):
        ip(where, f"""xfrm state add src {a} dst {b} proto esp spi 1 mode tunnel {more} {AUTH}
            xfrm state add src {b} dst {a} proto esp spi 2 mode tunnel {more} {AUTH}""")


def tunnel():
    """ESP tunnel between client and gateway for everything between client and server."""
    c, r, s = ADDR["c", 4], ADDR["r0", 4], ADDR["s", 4]
    states("c", "r", c, r)
    for where, out, back in (("c", "out", "in"), ("r", "fwd", "out")):
        ip(where, f"""xfrm policy add src {c} dst {s} dir {out} tmpl src {c} dst {r} proto esp mode tunnel
            xfrm policy add src {s} dst {c} dir {back} tmpl src {r} dst {c} proto esp mode tunnel""")
    ip("r", f"xfrm policy add src {c} dst {s} dir in tmpl src {c} dst {r} proto esp mode tunnel")


def is_clear(f):
    """A UDP packet outside ESP, and not the neighbour discovery or control traffic of the links."""
    return f[12:14] == b"\x08\x00" and f[23] == 17 or f[12:14] == b"\x86\xdd" and f[20] == 17


def case_decrypted_and_encrypted():
    select()
    tunnel()
    clear = Capture("r", "r0", is_clear, sent=True)
    flow = Udp()
    d = Delta()
    exchange(flow, COUNT)
    equal(d["hits"], 0, "hits")
    equal(d["refuse.secpath"], COUNT, f"decrypted packets: {d.changed()}")           # refuse.secpath
    # The first packet of the flow is not confirmed yet, the first reply makes the flow known.
    check(d["learn.secpath"] >= COUNT - 2, f"{d.changed()}")                         # learn.secpath
    check(d["learn.xfrm"] >= COUNT - 2, f"{d.changed()}")                            # learn.xfrm
    clear.none()


def case_policy_added_later():
    """An accelerated flow, then a policy: from the next packet on nothing leaves in clear."""
    select()
    flow = learned(Udp())
    tunnel()
    clear = Capture("r", "r0", is_clear, sent=True)
    d = Delta()
    exchange(flow, COUNT)
    equal(d["hits"], 0, f"hits after the policy {d.changed()}")
    clear.none()


class Site:
    """The gateway and a second one, which is the server's host; something between them is encrypted, or not."""

    def __init__(self, family, add, remove):
        self.family, self.add, self.remove, self.encrypted = family, add, remove, False
        self.a, self.b = ADDR["r1", family], ADDR["s", family]
        self.here, self.there = (("10.0.1.0/24", "10.0.9.0/24") if family == 4 else ("fd00:1::/64", "fd00:9::/64"))
        self.server = self.there.replace("0/24", "2").replace("::/64", "::2")
        ip("s", f"""link add site type dummy
            link set site up
            addr add {self.server}/{self.there.split('/')[1]} dev site""" + (" nodad" if family == 6 else ""))
        ip("r", f"route add {self.there} via {self.b}", family)
        self.flow = None

    def renew(self):
        if self.flow:
            self.flow.close()
        self.flow = Udp(self.family, to=(self.server, 7000), dport=7000, at=self.server)

    def associate(self, on, more=""):
        for where in ("r", "s"):
            run(where, "ip xfrm state flush")
        if on:
            states("r", "s", self.a, self.b, more)

    def lost(self):
        """Whether packets come through or not is the stack's business; a try each way."""
        for sock, to in ((self.flow.client, None), (self.flow.server, self.flow.peer)):
            try:
                sock.send(b"x") if to is None else sock.sendto(b"y", to)
            except OSError:
                pass
        for sock in (self.flow.client, self.flow.server):
            sock.setblocking(False)
            try:
                while True:
                    sock.recv(100)
            except OSError:
                sock.settimeout(60)


    def settle(self):
        """What was on its way while keys came and went has arrived, or never will."""
        self.flow.client.send(b"sync")
        while self.flow.server.recvfrom(100)[0] != b"sync":
            pass
        self.flow.server.sendto(b"sync", self.flow.client.getsockname()[:2])
        while self.flow.client.recv(100) != b"sync":
            pass


def any_order(family, add, remove, more=""):
    """Random events; as long as encryption is ordered, with or without keys, nothing leaves in clear."""
    site = Site(family, add, remove)
    select()
    site.renew()
    learned(site.flow)
    chance = random.Random(family)
    keys, fast, guarded = False, 0, 0
    for _ in range(EVENTS):
        event = chance.choice(("order", "keys", "rekey", "flow", "nothing"))
        if event == "order":
            (site.remove if site.encrypted else site.add)(site)
            site.encrypted = not site.encrypted
        elif event in ("keys", "rekey"):
            keys = not keys if event == "keys" else keys
            site.associate(keys, more)
        elif event == "flow":
            site.renew()
        clear = [Capture("r", "r1", is_clear, sent=True), Capture("s", "s0", is_clear, sent=True)]
        d = Delta()
        if site.encrypted:
            for _ in range(4):
                site.lost()
            clear[0].none()
            equal(d["hits"], 0, f"hits while everything is to be encrypted, after {event}: {d.changed()}")
            guarded += 1
        else:
            site.settle()
            learned(site.flow)
            fast += 1
        for c in clear:
            c.close()
    check(fast > 8 and guarded > 8, f"{fast} times fast, {guarded} guarded")
    print(f"# IPv{family}: {EVENTS} events, {fast} times fast, {guarded} times nothing in clear", flush=True)


def policies(verb):
    def change(site):
        words = "tmpl src {} dst {} proto esp mode tunnel" if verb == "add" else ""
        for where, out, back in (("r", "out", "fwd"), ("s", "in", "out")):
            ip(where, f"""xfrm policy {verb} src {site.here} dst {site.there} dir {out} {words.format(site.a, site.b)}
                xfrm policy {verb} src {site.there} dst {site.here} dir {back} {words.format(site.b, site.a)}""")
    return change


case_policy_based_v4, case_policy_based_v6 = both(lambda family: any_order(family, policies("add"), policies("del")))


def route_based(family):
    """An xfrm interface at both ends: the route through it is the order to encrypt."""
    modprobe("xfrm_interface")
    for where, dev in (("r", "r1"), ("s", "s0")):
        ip(where, f"""link add ipsec0 type xfrm dev {dev} if_id 42
            link set ipsec0 up""")

    def through(site, dev):
        ip("r", f"route replace {site.there} " + (f"dev {dev}" if dev else f"via {site.b}"), family)
        ip("s", f"route replace {site.here} " + (f"dev {dev}" if dev else f"via {site.a}"), family)

    def add(site):
        for where, out, back in (("r", "out", "fwd"), ("s", "in", "out")):
            ip(where, f"""xfrm policy add src {site.here} dst {site.there} dir {out} if_id 42 tmpl src {site.a} dst {site.b} proto esp mode tunnel
                xfrm policy add src {site.there} dst {site.here} dir {back} if_id 42 tmpl src {site.b} dst {site.a} proto esp mode tunnel""")
        through(site, "ipsec0")

    def remove(site):
        through(site, None)
        for where in ("r", "s"):
            run(where, "ip xfrm policy flush")
    any_order(family, add, remove, "if_id 42")


case_route_based_v4, case_route_based_v6 = both(route_based)
