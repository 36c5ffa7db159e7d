# SPDX-License-Identifier: GPL-2.0-only
"""Quotas: volume and minutes of a device, over both families; extra time; what is restored."""
import errno
import re
import time

from access import INFO, begin, clock, lines, prohibited, user, write
from natlab import ADDR, Delta, Udp, both, check, ctl, drain, equal, learned, log, mac, refuses, rows, wait

OTHER = "02:00:00:00:00:99"
USED = re.compile(r"restore device=(\S+) period=(\S+) at=(\d+) volume=(\d+) minutes=(\d+)")


def usage(device=None):
    """(number of the period, bytes, minutes) of c by period, from one reading: between two of them a minute may end."""
    found = (USED.fullmatch(line).groups() for line in lines("restore"))
    return {what: tuple(int(n) for n in numbers) for who, what, *numbers in found if who == (device or mac("c", "c0"))}


def used(period="day", device=None):
    return usage(device).get(period)


def device(address=None):
    return rows("natflow_devices", "mac")[address or mac("c", "c0")]


def wan():
    row = device()
    return int(row["rx_bytes"]) + int(row["tx_bytes"])


def bind(policy):
    write(f"policy name=p,{policy}\nbind policy=p,device={mac('c', 'c0')}")


def why(family=4):
    return user(family)["why"]


def is_over(flow):
    drain(flow.client)
    patience = flow.client.gettimeout()
    flow.client.settimeout(1)
    try:
        flow.client.send(b"?")
        return flow.client.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        flow.client.settimeout(patience)


def passes(flow):
    drain(flow.client, flow.server)
    flow.send(b"!")


PACE = 0.005        # seconds between packets, where it counts how many are too many


def pour(flow):
    """Send until somebody refuses it, at PACE once a quota of 300,000 bytes is near. Bytes a second on the wire, at most.

    Who sends without a pause leaves no CPU for natflow where the machine has other work: then bytes tell nothing of time.
    """
    n = 0
    while True:
        try:
            flow.client.send(bytes(1000))
        except OSError:
            return (1028 if flow.family == 4 else 1048) / PACE
        n += 1
        check(n < 20000, f"nothing was refused: {used()}")
        if n % 10 == 0:
            drain(flow.server)
        if n > 250:
            time.sleep(PACE)


def volume(family):
    """Bytes of both families count, on fast flows as on slow ones. When they are used up nothing passes, a tenth of a second later."""
    begin()
    bind("volume=300000/day")
    flows = {f: learned(Udp(f)) for f in (4, 6)}
    flow, d = flows[family], Delta()
    wait(lambda: used() is not None, "the device's usage")
    for f in (4, 6):
        flows[f].send(bytes(1000))
    rate = pour(flow)
    wait(lambda: d["end.policy"] >= 1, "the flows end")
    over = used()[1] - 300000
    # 100 ms, and as much for a machine that has other work.
    check(0 <= over <= rate / 5, f"{over} bytes too many, at {rate:.0f} bytes a second")
    print(f"# {over} bytes too many, at {rate:.0f} bytes a second: {1000 * over / rate:.0f} ms")
    for f in (4, 6):
        prohibited(flows[f])
        equal([why(f), user(f)["policy"]], ["volume", "p"], "why")
    # What is not delivered is not used. The rest of what was is no more than before the first question.
    before = used()[1]
    prohibited(flow)
    equal(used()[1], before, "bytes used")
    check(0 <= wan() - before < 2000, f"{wan()} {before}")
    # No change of rules is a new quota.
    write(f"unbind device={mac('c', 'c0')}\npolicy_del name=p")
    passes(flow)
    bind("volume=300000/week")
    prohibited(flow)
    write("policy_change name=p,volume=600000/week")
    passes(flow)
    now = list(usage().values())
    check(now[0][1] > before and now[0][1:] == now[1][1:] == now[2][1:], f"{before}, then {now}")


case_volume_v4, case_volume_v6 = both(volume)


def case_minutes():
    """A minute counts if there was traffic in it; the last one may be used to its end; another day is another quota."""
    begin()
    bind("minutes=2/day")
    with clock() as at:
        at("2026-11-25 10:00:00")
        flow = learned(Udp())
        wait(lambda: used()[2] == 1, "the first minute")
        at("2026-11-25 10:05:20")
        passes(flow)
        wait(lambda: used()[2] == 2, "the second minute")
        at("2026-11-25 10:06:10")
        wait(lambda: is_over(flow), "the third minute")
        equal([why(), used()[2]], ["minutes", 2], "minutes")
        prohibited(flow)
        # A clock that is set back is no new quota.
        at("2026-11-24 10:00:00")
        begun = time.monotonic()
        while time.monotonic() < begun + 2:     # the clock is looked at each second
            equal(used()[0], 20782, "the day that has begun")
        prohibited(flow)
        at("2026-11-25 23:59:59")
        prohibited(flow)
        wait(lambda: not is_over(flow), "another day")
        equal([used()[0], used("week")[2] >= 2], [20783, True], "usage")


def case_grant():
    """Extra time passes whatever policies say, ends by itself, and can be taken back; whom a hand blocked stays blocked."""
    begin()
    write(f"policy name=p,verdict=block\nbind policy=p,device={mac('c', 'c0')}")
    flow, me = Udp(), mac("c", "c0")
    prohibited(flow)
    write(f"grant device={me} minutes=30")
    learned(flow)
    equal(why(), "grant", "why")
    check(1790 < int(device()["grant"]) <= 1800, f"{device()}")
    write("policy name=other,verdict=allow\npolicy_change name=p,verdict=portal\npolicy_change name=p,verdict=block")
    passes(flow)
    ctl(f"set-status {ADDR['c', 4]} 6", device=INFO)
    prohibited(flow)
    ctl(f"set-status {ADDR['c', 4]} 0", device=INFO)
    passes(flow)
    write(f"grant device={me} minutes=0")
    prohibited(flow)
    equal([why(), device()["grant"]], ["verdict", "0"], "without extra time")
    for text, error in ((f"grant device={me}", errno.EINVAL), (f"grant device={me} minutes=10081", errno.ERANGE), ("grant minutes=1", errno.EINVAL),
                        (f"grant device={me} minutes=-1", errno.EINVAL), (f"grant device={me} minutes=1 2", errno.EINVAL)):
        refuses(lambda text=text: write(text), error)


def case_restore():
    """What is read can be written: no less is used then, in a new table, too. Wrong lines and those of other days say so."""
    begin()
    bind("volume=300000/day")
    flow = learned(Udp())
    wait(lambda: used() and used()[2] == 1, "usage")
    now, me = used()[0], mac("c", "c0")
    write(f"restore device={me} period=day at={now} volume=299000 minutes=700")
    equal(used(), (now, 299000, 700), "usage")
    write(f"restore device={me} period=day at={now} volume=5 minutes=6")
    check(used()[1] >= 299000 and used()[2] >= 700, f"{used()}")
    pour(flow)
    all_lines = lines("restore")
    for line in all_lines:
        write(line)
    equal(lines("restore"), all_lines, "lines that are written back")
    # A device that is not there yet, in another day.
    write(f"restore device={OTHER} period=day at={now} volume=10 minutes=1\nrestore device={OTHER} period=week at=3 volume=10 minutes=1")
    equal(used("day", OTHER), (now, 10, 1), "of another device")
    equal(used("week", OTHER)[1:], (0, 0), "of a week that is over")
    check(any("this week is over" in line for line in log()), f"{log()[-3:]}")
    for text, error in ((f"at={now + 1} volume=1 minutes=1", errno.ERANGE), (f"at={now} volume=1", errno.EINVAL), (f"at={now} minutes=1 volume=1", errno.EINVAL),
                        (f"at={now} volume=x minutes=1", errno.EINVAL), (f"at={now} volume=1 minutes=50000", errno.ERANGE)):
        refuses(lambda text=text: write(f"restore device={me} period=day {text}"), error)
    refuses(lambda: write(f"restore device={me} period=year at=1 volume=1 minutes=1"), errno.EINVAL)
