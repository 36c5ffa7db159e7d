# SPDX-License-Identifier: GPL-2.0-only
"""State and counters of conntrack and nftables."""
import re

from .programs import equal, run


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
