# SPDX-License-Identifier: GPL-2.0-only
"""A saved firewall on a kernel that has no natflow: with the target in it nothing is restored, without it all is."""
import re

from natlab import check, equal, reachable, run, wait_rules

VARIANTS = [(f"{ip}-{kind}", 6 if "6" in ip else 4) for kind in ("legacy", "nft") for ip in ("iptables", "ip6tables")]


def saved(program, family):
    def ipt(command):
        return run("r", f"{program} -w {command}")

    def save():
        return re.sub(r"\[\d+:\d+\]", "[0:0]", run("r", f"{program}-save"))

    server = "10.0.2.2" if family == 4 else "fd00:2::2"
    ipt("-P FORWARD DROP")
    ipt("-A FORWARD -p tcp -j ACCEPT")
    without = save()
    ipt("-I FORWARD 1 -j FLOWOFFLOAD")
    with_rule = save()
    check("-j FLOWOFFLOAD" in with_rule, with_rule)
    ipt("-F")
    ipt("-P FORWARD ACCEPT")
    wait_rules(0)
    run(None, "rmmod xt_FLOWOFFLOAD natflow")
    status, out = run("r", f"{program}-restore", ok=False, text=with_rule)
    check(status, f"a table with a target that the kernel does not know was restored: {out}")
    equal(ipt("-S FORWARD").splitlines(), ["-P FORWARD ACCEPT"], "FORWARD after the refused restore")
    check(reachable("c", family, server), "FORWARD is not open")
    run("r", f"{program}-restore", text=without)
    equal(ipt("-S FORWARD").splitlines(), ["-P FORWARD DROP", "-A FORWARD -p tcp -j ACCEPT"], "FORWARD after the restore without the rule")


for _program, _family in VARIANTS:
    globals()[f"case_{_program.replace('-', '_')}"] = lambda program=_program, family=_family: saved(program, family)
