# SPDX-License-Identifier: GPL-2.0-only
"""Cards that forward by rules (natnic.ko): links whose cables end at them, what they have counted and been told."""
import links
from natlab import AT_END, ip, rmmod, run, wait

CARDS = "/proc/natnic"


def insert(driver="generic", ports=2):
    """Cards, and links.Link that uses them for cables from now on."""
    run(None, f"insmod /lab/natnic.ko driver={driver} ports={ports}")
    AT_END.append(lambda: wait(lambda: rmmod("natnic"), "natnic unloads"))
    free = iter(range(ports))

    def wire(link):
        n = next(free)
        ip(None, f"""link set wire{n} netns {link.host} name {link.h}
            link set nic{n} netns r name {link.g}""")
        for where, dev in ((link.host, link.h), ("r", link.g)):
            ip(where, f"link set {dev} up")
    before, links.Link.wire = links.Link.wire, wire
    AT_END.append(lambda: setattr(links.Link, "wire", before))


def lines(word):
    """The lines of /proc/natnic that begin with that word, as words."""
    with open(CARDS) as f:
        return [l.split() for l in f.read().splitlines() if l.startswith(word + " ")]


def rules():
    """What each card was told, without cookies and counters."""
    return sorted(f"{l[1]} {' '.join(l[6:])}" for l in lines("rule"))


def bound():
    """Rules that forward."""
    return sum(l[3] == "bound=1" for l in lines("rule"))


def callbacks():
    return int(lines("callbacks")[0][1])


def calls():
    """(kind, card, cookie, errno) of each call of the driver."""
    return [(l[1], l[2], l[3], int(l[4])) for l in lines("call")]


def counted():
    """Frames that each card has forwarded, and has given to the CPU."""
    return {l[1]: (int(l[3]), int(l[6])) for l in lines("port")}


def say(line):
    with open(CARDS, "w") as f:
        f.write(line + "\n")
