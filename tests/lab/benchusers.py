# SPDX-License-Identifier: GPL-2.0-only
"""The bench's users: what counting and access cost a packet, a new user, a listing, and the memory of 65,536."""
import time

import bench
from natlab import check, ctl, equal, frame, ip_packet, ns, read, rule, run, stats, udp, wait

USERS = 65536
ZONES, ACCESS, INFO = "/dev/natflow_zone_ctl", "/dev/natflow_user_ctl", "/dev/natflow_userinfo_ctl"
QOS = "/dev/natflow_qos_ctl"
LISTS = {"ctl": INFO, "proc": "/proc/net/natflow_users"}
PORT = 4000         # without a conntrack: what users cost is measured, not what connections do


def hosts(family):
    """A packet from another host each time; IPv4's and IPv6's have the same MACs."""
    source = "11.64.64.64" if family == 4 else "fd00:11::40:4040"
    server = bench.ADDR[family][1]
    return frame(bench.MAC["in0"], "02:11:11:40:40:40", ip_packet(family, source, server, 17,
                                                                  udp(family, source, server, 1024, PORT, bytes(18))))


def off():
    ctl("disabled=1", device=ACCESS)
    ctl("users=0")


def count():
    ctl("wan_zone 1=out0", device=ZONES)
    ctl("users=1")


def access():
    """The client's status is by a rule: it may use the line. Sets are asked each second."""
    run("r", "ipset restore -exist", text=f"create all4 hash:net\nadd all4 0.0.0.0/1\n")
    ctl("begin\nclean\nauth id=1,szone=0,type=auto,sipgrp=all4\ndisabled=0\ncommit", device=ACCESS)


def limited():
    """The client's flows are charged to the bucket of the last of 4,096 rules, whose rate they do not reach."""
    off()
    for n in (0, 8):
        ctl("begin\n" + "\n".join(f"add user=10.9.{n + i // 256}.{i % 256},rxbytes=1" for i in range(2048 - n // 8)) + "\ncommit", device=QOS)
    ctl("add txbytes=1000000000000,rxbytes=1000000000000", device=QOS)


def stack(name, family, floor):
    """A packet of the stack, of a connection that is there; natflow's own hooks are away."""
    bench.generate("in0", family, 1, 128, bench.original(family))
    bench.say(f"stack-{name}-v{family}", "natflow", 1,
              min(bench.generate("in0", family, 1, bench.COUNT, bench.original(family)) for _ in range(3)) - floor)


def packets(floor):
    for name, begin in (("off", off), ("users", count), ("access", access), ("limit", limited)):
        begin()
        for family in (4, 6):
            bench.measure("natflow", family, 1, floor, name)
        ctl("disabled=1")
        for family in (4, 6):
            stack(name, family, floor)
        ctl("disabled=0")
    ctl("clear", device=QOS)
    off()


def slabs():
    """Records, holders, hash and index: all of it is slab."""
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")
    time.sleep(2)       # grace periods; idle time passes at once
    return int(read("/proc/meminfo").split("Slab:")[1].split()[0]) * 1024


def births():
    """Half of them by IPv4, half by IPv6: two addresses a MAC."""
    for family in (4, 6):
        data = hosts(family)
        plain = bench.generate("in0", family, 1, USERS // 2, data)
        count()
        before = slabs()
        first = bench.generate("in0", family, 1, USERS // 2, data)
        taken = slabs() - before
        again = bench.generate("in0", family, 1, USERS // 2, data)
        bench.say(f"user-first-v{family}", "natflow", USERS // 2, first - plain)
        bench.say(f"user-again-v{family}", "natflow", USERS // 2, again - plain)
        bench.say(f"usermemory-v{family}", "natflow", USERS // 2, taken // (USERS // 2))
        ctl("users=0")
    equal(stats("r")["users"], USERS, "users")


def read_all(path, keep=None):
    """CPU time, of the reader too, as little as that is; @keep: gets what was read."""
    buffer, begin = bytearray(131072), time.process_time_ns()
    with ns("r"), open(path, "rb", buffering=0) as f:
        while n := f.readinto(buffer):
            if keep is not None:
                keep += buffer[:n]
    return time.process_time_ns() - begin


def listings():
    for name, path in LISTS.items():
        text = bytearray()
        read_all(path, text)
        equal(text.count(b"\n"), USERS, "lines")
        print(f"# {bytes(text[:300])} ... {len(text)}")
        bench.say(f"userlist-{name}", "natflow", USERS, read_all(path))


def measure(floor):
    packets(floor)
    for family in (4, 6):
        rule(family, f"-A PREROUTING -p udp --dport {PORT} -j CT --notrack", table="raw")
    births()
    listings()
    bench.forget("natflow")
    bench.establish(4, 32)
    bench.probes("users", lambda: [read_all(path) for path in LISTS.values()], tries=5)
