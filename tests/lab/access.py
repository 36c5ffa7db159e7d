# SPDX-License-Identifier: GPL-2.0-only
"""Who may use the line: c is a user in LAN zone 1, s is outside."""
import calendar
import contextlib
import errno
import time

from natlab import ADDR, ctl, drain, refuses, rows, select, settings, sysctl

USER, ZONE, INFO = "/dev/natflow_user_ctl", "/dev/natflow_zone_ctl", "/dev/natflow_userinfo_ctl"
PROHIBITED = {4: (errno.EHOSTUNREACH,), 6: (errno.EACCES,)}


def write(text):
    ctl(text, device=USER)


def lines(*words):
    """The lines that reading shows, of these words."""
    return [line for line in settings(device=USER) if line.split(" ")[0] in words]


def begin():
    """Nobody is refused yet."""
    ctl("lan_zone 1=r0\nwan_zone 2=r1", device=ZONE)
    sysctl("r", "net.ipv4.icmp_ratelimit", 0)
    sysctl("r", "net.ipv6.icmp.ratelimit", 0)
    write("timezone=UTC0\ndisabled=0")
    select()


def user(family):
    """What /proc/natflow_users says of c."""
    return rows("natflow_users", "addr")[ADDR["c", family]]


def prohibited(flow):
    drain(flow.client)
    flow.client.send(b"no")
    refuses(lambda: flow.client.recv(1), *PROHIBITED[flow.family])


def utc(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


@contextlib.contextmanager
def clock():
    """Set the wall clock, seconds ahead of a time, as often as you like; it is right again behind it."""
    before, begun = time.time(), time.monotonic()
    try:
        yield lambda text, ahead=0: time.clock_settime(time.CLOCK_REALTIME, utc(text) - ahead)
    finally:
        time.clock_settime(time.CLOCK_REALTIME, before + time.monotonic() - begun)
