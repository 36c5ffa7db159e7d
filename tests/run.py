#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""run.py test|test-all|check|test-unit|...: the test ladder, as in `make help`.

Prints TAP as points come, writes build/test.json, and ends with the line "N passed, N failed". K, CASE, T, RUNS and SEED
are read from the environment.
"""
import os
import pathlib
import random
import signal
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests/runner"))
from lab import Lab  # noqa: E402
from report import Report  # noqa: E402
from work import Command, Ladder, Prepare  # noqa: E402

LAB = "tests/lab"
STOCK = ("6.1", "6.12", "newest")
CORE = "6.1-core"            # natflow without the log of names
SMALL = "6.1-s390x-core"     # the same in another byte order
# lib/ for programs that are not C.
LIBRARY = "mkdir -p build/names; gcc -std=gnu11 -O2 -shared -fPIC -o build/names/libnames.so lib/*/*.c -lnettle"
BENCH_NAMES = "mkdir -p build/unit; gcc -std=gnu11 -O2 -o build/unit/bench_names tests/unit/bench_names.c lib/*/*.c -lnettle"
NAMES = f"captures=$({LAB}/captures.sh); {LIBRARY}; find $captures -type f -name '*cap*' -print0 | " \
        f"xargs -0 {LAB}/names.py build/names/libnames.so"

# Rings that are one program of this machine's: (command, about how many seconds, kernels that must be built before).
# A new one is a row here, its name in ENTRIES, and a target in the Makefile.
HOST = {
    "unit": ("tests/unit.sh", 60, ()),
    "runner": ("tests/runner/test.py", 30, ()),
    "check": ("tests/check.sh", 350, (*STOCK, "debug", SMALL)),
    # natflow_hwnat/patches on the kernels' sources: two builds, or all.
    "patches": (f"{LAB}/setup.sh check tools mediatek:6.1 mediatek:6.12 mediatek:newest >&2; tests/patches.py ${{T:-}}", 60, STOCK),
    "fuzz": ("tests/fuzz.sh ${T:-60}", 100, ()),
    # What Debian's Chromium says today, over TCP and QUIC.
    "browser": (f"{LAB}/setup.sh tools browser >&2; {LIBRARY}; {LAB}/browser.py build/names/libnames.so 1000 200", 100, ()),
    # A browser behind a gateway with natflow, over TCP and QUIC.
    "visit": (f"{LAB}/setup.sh visit >&2; {LAB}/visit.py {LAB}/vm.sh 6.1 build/lab/6.1.cpio.gz", 120, ("6.1",)),
    # What a stranger types: the README in a terminal, and on a Debian machine.
    "install": (f"{LAB}/setup.sh debian >&2; {LAB}/install.py", 240, ("6.1",)),
    "demo": (f"{LAB}/install.py demo", 240, ("6.1",)),
    # Names that tshark shows in other people's captures, and ours.
    "names": (NAMES, 120, ()),
    "bench": (f"{LAB}/bench.sh", 300, ("6.1",)),
    # A full link with natflow's qdisc, others' and none; the plot of Documentation/shaping.md.
    "shaping": (f"{LAB}/shaping.sh", 300, ("6.1",)),
    # What the parsers cost at worst, on this machine.
    "parsers": (f"{BENCH_NAMES}; build/unit/bench_names", 60, ()),
    "mutants": ("tests/mutants.py", 3600, ("6.1",)),
}

# 6.1 runs every case but FIXED: what lasts a fixed time, or goes on until a race is hit. That is on the newest, in a short
# form, or on the hostile ring, which has the driver of random events. The newest has all that may depend on the kernel, too;
# there of cases that are alike (PAIRS) some, and of what depends on lib/, on control/, on netfilter's hooks, on users'
# counters and on kinds of links (SAMPLED) a few cases of each file. The kernel in the middle says least: where kernels are
# known to differ, and SAMPLES. Of SoCs with a PPE each kernel runs one. All with test-all, in the long form, too; links.redials
# there alone.
FIXED = "exact|storms|soak|driver|scale|apart.(flood|many)|links.(matrix|redials)|teardown.(loads|unload_under_load)"
SAMPLED = "(urls|records|evasion|hostacl|dns|doors_(ctl|proc|target)|netlink|errors|lists|saved|readings|quic|generated|trust|logs|shares|" \
          "portal|policies|quotas|qos|zones|devices|users|userqueue|flat|ipvs|pmtu|coexist|status|hwevents|hwreasons)[.]"
# What is below IP.
BELOW = r"flat[.](nft_hooks_vlan$|tc_hooks_bridge|taps_vlan$|offloads_bridge|port_state|stations|vlan_moved)|" \
        r"pmtu[.](pppoe$|behind_vlan_v4|locked)"
SAMPLES = r"urls[.](tls|http|quic|chunk|large_body)\w*(?<!_v6)$|records[.](text|merged)|evasion[.](overlap|quic)|hostacl[.](live|reset|list_live)|" \
          r"dns[.](targets|hints)|doors_ctl[.]ctl_(flush|trans)|doors_proc[.](proc|two)|netlink[.](set|flows_v4|resized)|errors[.]words|lists[.](formats|hits)|" \
          r"readings[.](server_first|streams)_v4|quic[.](same|late)|generated[.]unv|trust[.]open|logs[.]hints_v4|" \
          r"portal[.](redirect|login|neighbours)|policies[.](order_v6|status_v4)|quotas[.]volume_v6|qos[.](lines|rate_fast_v4|changed|marked)|zones[.](devices|packets)|" \
          r"devices[.]sums|users[.](nat_v4|bridge_v6|netns)|userqueue[.](layout_v4|delta)|ipvs[.]tunnel_v4|" \
          rf"{BELOW}|coexist[.](containers$|beside_flowtable_v4|generic)|status[.]notes|" \
          r"doors_target[.](target_selects_iptables|target_elsewhere_ip6tables_nft|rule_removed|select_auto)|" \
          r"hwevents[.](route|roam_v4|unload|card)|hwreasons.wed$"
# What lasts, and asks on one kernel what the other would answer alike: the newest has ELSEWHERE, 6.1 has HERE; 6.12 neither.
ELSEWHERE = r"packets[.](eth|jumbo|vlan|qinq)|userscale|sqm[.]links|hwrules[.](engine_(eth|vlan)|airoha_source)|" \
            rf"(events|freshness)[.]\w+_v4|teardown|hwevents[.](route|roam_v4|card)|{BELOW}"
HERE = r"shapers|pppoe[.](idle|setting|compressed|forged)|packets[.](bridge|e1000e)|sqm[.](wan|lan)|hwrules[.](engine_pvid|airoha$|mlx5$)|shape[.](users|rate|tins|download)|fields|storms[.]r\w+6"
LATER = "lives|aged|silent|counters_delayed|toggled$|shared_table|empty"
PAIRS = rf"(?!(nat|attach|hwnat|namespace|newest)[.])\w+[.].*_v6|hwrules.same_(eth|vlan_qinq|bridge_pppoe|trunk)|hwfaults[.](?!{LATER})"
OLDEST = rf"^(?!{FIXED}|{ELSEWHERE}|hwfaults[.]({LATER})|hwrules.same_(pvid|vlan_on|bridge_on)|ppe(_entries|direct)?[.].*mt7(622|986))"
NEWEST = rf"^(?!exact|driver|links.redials|{HERE}|{SAMPLED}|{PAIRS}|ppe.*mt7(62|986))|^({SAMPLES})"
MIDDLE = r"^(nat|end|attach|newest|xmit|races|namespace|hwnat|hwrules.(same_eth|engine|mtk)|hwfaults.(toggled$|shared_limit)|ppe\w*|cut|window|" \
         rf"events[.](route|rule|neigh|device))(?!.*_v6|.*mt7(62|988))|^(?!flat|coexist|hwreasons|hwevents[.](?!unload)|pmtu|hostacl[.]live)({SAMPLES})"
# The hostile ring is many times as slow: the engine and conntrack, where memory, locks or lifetimes are at stake, and what of
# the names juggles memory. All with test-all.
HOSTILE = r"^(nat[.](?!snat_port|hairpin|.*_v6)|refuse[.](lengths_v4|conntrack_gone)|attach[.](life|detach)|" \
          r"events[.](route_replace|device_deleted)_v4|ipsec[.](dec|pol.*later)|conntrack[.](?!unseen|.*_v6)|memory|" \
          r"links[.]dsa_vlan|headers[.]qinq_v4|hwreasons.dsa$|hostacl[.](live|list_live)|evasion.(overlap|chunk)|urls.chunk|dns.targets|shape[.](tc|order)|driver)"
# Another architecture, another byte order: that packets are rewritten right.
FOREIGN = ("6.1-arm64", "6.1-s390x")
# Softirqs that can be preempted, words of 32 bits: the engine.
OTHER = ("6.1-rt", "6.1-armhf")
# The distribution's own driver of MediaTek's frame engine, on an engine in memory. In make test the first stands for arm64.
REAL = ("6.12-arm64", "newest-arm64")
# Within two minutes of CPU: each kind of question once.
REAL_SHORT = r"[.](probe|hwnat|stops|devices|heard|stranger|oracle_v4|vlan|dsa)$"
ENGINE = r"^(nat[.]|attach[.]life|skb|end[.])"


def host(*rings, **env):
    return [Command(ring, ["bash", "-euo", "pipefail", "-c", HOST[ring][0]], weight=HOST[ring][1], needs=HOST[ring][2], env=env)
            for ring in rings]


def labs(pattern, *kernels, **more):
    return [Lab(kernel, pattern or ".", **{"cost": 4 if kernel in ("debug", "kcsan") else 1, **more}) for kernel in kernels]


def real(*kernels, pattern="", soc="mt7622"):
    return labs(pattern, *kernels, ring=f"real-{soc}", words=("/lab/real",), vm=f"{LAB}/real/vm.sh", append=f"soc={soc}")


def endurance():
    """What takes minutes: storms of one each, ten of a household, a million flows."""
    return labs("^(storms|soak|scale|shares|links.redials|flat.born|hwfaults.churn|hwreasons.slow)", "6.1", ring="endurance", append="long", memory=5120, silence=5400)


def repeated(*kernels):
    """All pairs of links, and what goes away or fails as often as it takes to hit a race."""
    return labs("^(links.matrix|teardown|memory)", *kernels, ring="repeated", append="long", silence=1800)


def driver():
    """Everything at random for half an hour, on the kernel that looks for faults; SEED repeats what each process decides."""
    seed = setting("SEED", str(random.randrange(1 << 31)))
    return labs("^driver", "debug", ring="driver", append=f"long seed={seed}", memory=3072, silence=3600)


def exact():
    """More than ten million packets, and no difference between the sums of users and those of a tap."""
    return labs(setting("CASE", "^exact"), setting("K", "6.1"), ring="exact", append="long", silence=1800)


def selftests(*kernels):
    """The kernel's test of its flow table, RUNS times with MTUs that follow from SEED."""
    words = "/lab/selftest.py", setting("RUNS", "20"), setting("SEED", str(random.randrange(32768)))
    return labs(setting("CASE"), *kernels, ring="selftest", words=words, silence=3600)


def setting(name, default=""):
    return os.environ.get(name) or default


def test():
    short = {"judged": True, "append": "again"}
    return host("unit", "runner", "check", "patches", "browser", "install", "bench") + host("fuzz", T="10") + \
        labs(OLDEST, "6.1", **short) + labs(MIDDLE, "6.12", **short) + labs(NEWEST, "newest", **short) + \
        labs(HOSTILE, "debug", append="again") + labs("^(nat.(masquerade|snat_and_dnat)|attach.(life|veto))", SMALL) + \
        real(REAL[0], pattern=REAL_SHORT)


def test_all():
    return host("unit", "runner", "check", "browser", "visit", "install", "demo", "names", "mutants", "bench", "shaping", "parsers") + \
        host("patches", T="all") + host("fuzz", T="300") + \
        labs("", *STOCK, "debug", "kcsan") + driver() + labs(ENGINE, *OTHER) + labs("^(nat|conntrack|end|skb|refuse|learn|doors)", *FOREIGN) + \
        labs("^(nat|conntrack|end|skb|refuse|learn|doors_target|attach.(life|veto)|flat)", CORE) + selftests(*STOCK) + \
        repeated(*STOCK, "debug", "kcsan") + real(*REAL) + endurance()


def test_lab():
    if setting("K") in REAL:
        return real(setting("K"), pattern=setting("CASE"), soc=setting("SOC", "mt7622"))
    return labs(setting("CASE"), setting("K", "6.1"), append=f"seed={setting('SEED', '1')}")


ENTRIES = {
    "test": test,
    "test-all": test_all,
    "check": lambda: host("check"),
    "test-unit": lambda: host("unit", "runner"),
    "test-patches": lambda: host("patches", T="all"),
    "fuzz": lambda: host("fuzz"),
    "test-lab": test_lab,
    "test-hostile": lambda: labs(setting("CASE"), "debug", "kcsan"),
    "endurance": endurance,
    "test-exact": exact,
    "test-driver": driver,
    "test-selftest": lambda: selftests(setting("K", "6.1")),
    "mutants": lambda: host("mutants"),
    "test-browser": lambda: host("browser"),
    "test-visit": lambda: host("visit"),
    "test-install": lambda: host("install"),
    "test-names": lambda: host("names"),
    "bench": lambda: host("bench", "parsers"),
    "shaping": lambda: host("shaping"),
    "links": lambda: labs("^links.matrix", *STOCK, append="long") + host("bench"),
}


def main(what):
    if what not in ENTRIES:
        print(f"run.py: {what} is none of {', '.join(ENTRIES)}", file=sys.stderr)
        return 2
    os.chdir(TOP)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    report = Report()
    work = ENTRIES[what]()
    kernels = dict.fromkeys(k for w in work for k in w.needs)
    # The selftest's script is part of the image.
    more = {lab.kernel: [f"selftests:{lab.kernel}"] for lab in work if lab.ring.startswith("selftest")}
    Ladder(report, [Prepare(k, more.get(k, ())) for k in kernels] + work).run()
    if what == "test":
        report.judge_whole()
    status = report.finish()
    if what == "links" and not status:
        subprocess.run([f"{LAB}/links-table.py"], check=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
