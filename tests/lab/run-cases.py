#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run lab cases inside the VM: run-cases.py [PATTERN [FILE [ARG...]]]. Prints TAP.

A case is a function of cases/*.py, or FILE, whose name begins with case_. Each gets the
topology fresh, natflow loaded and no flows; after it, the kernel log must be
clean and the module must unload.
"""
import glob
import importlib.util
import os
import re
import subprocess
import sys
import time
import traceback

sys.path.insert(0, "/lab")
import natlab  # noqa: E402


def load():
    cases = []
    for path in sys.argv[2:3] or sorted(glob.glob("/lab/cases/*.py")):
        name = os.path.basename(path)[:-3]
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for key, value in vars(module).items():
            if key.startswith("case_"):
                cases.append((f"{name}.{key[5:]}", value))
    return cases


def namespaces():
    return set(os.listdir("/run/netns"))


def run_one(case):
    """Why it failed, or None."""
    problem = None
    try:
        natlab.run(None, "insmod /lab/natflow.ko")
        natlab.run(None, "insmod /lab/xt_FLOWOFFLOAD.ko")
        if not getattr(case, "bare", False):
            natlab.up()
        case()
    except Exception as e:  # noqa: BLE001 - whatever it was, the case failed
        problem = f"{e}" if isinstance(e, natlab.Failure) else traceback.format_exc()
        try:
            problem += f"\ncounters: { {k: v for k, v in natlab.stats().items() if v} }"
            problem += "\n" + "\n".join(natlab.flows()[:5]) + "\n" + natlab.read("/proc/net/natflow_log")
        except Exception:  # noqa: BLE001 - there may be no namespace to ask
            pass
    natlab.stop_all()
    for name in namespaces():
        natlab.netns_del(name)
    try:
        natlab.wait(lambda: natlab.run(None, "rmmod xt_FLOWOFFLOAD natflow", ok=False)[0] == 0 or
                    "natflow" not in open("/proc/modules").read(), "modules unload")
    except natlab.Failure as e:
        problem = f"{problem or ''} {e}"
    bad = natlab.trouble()
    if bad:
        problem = f"{problem or ''}\nkernel log: " + "\n".join(bad)
    return problem


def kmemleak():
    """On the debug kernel: what nobody points to any more."""
    path = "/sys/kernel/debug/kmemleak"
    if not os.path.exists(path):
        return ""
    for _ in range(2):
        with open(path, "w") as f:
            f.write("scan")
    return open(path).read()


# Hooks of somebody else, in the namespace the lab does not use. The kernel patches
# its code when the first hook of a kind comes and the last one goes, and QEMU's
# translator can go on running the breakpoint that is there meanwhile.
KEEP = """table inet keep {
    chain a { type filter hook prerouting priority 0; }
    chain b { type filter hook input priority 0; }
    chain c { type filter hook forward priority 0; }
    chain d { type filter hook output priority 0; }
    chain e { type filter hook postrouting priority 0; }
}
table netdev keep {
    chain a { type filter hook ingress device lo priority 0; }
}
"""


def main():
    pattern = re.compile(sys.argv[1] if len(sys.argv) > 1 else ".")
    cases = [(n, f) for n, f in load() if pattern.search(n)]
    last = re.search(r"\bafter=(\S+)", open("/proc/cmdline").read())
    if last:
        cases = cases[[n for n, _ in cases].index(last[1]) + 1:]
    for m in ("nf_conntrack", "veth", "nf_conntrack_netlink", "dummy", "x_tables", "nf_nat"):
        subprocess.run(["modprobe", m], check=False, capture_output=True)
    natlab.run(None, "insmod /lab/natlab.ko")
    # A kernel with tunnels built in would put their devices into every namespace.
    with open("/proc/sys/net/core/fb_tunnels_only_for_init_net", "w") as f:
        f.write("2")
    if os.path.exists("/sys/kernel/debug/kcsan"):
        with open("/sys/kernel/debug/kcsan", "w") as f:
            f.write("on")
    natlab.run(None, ["nft", "-f", "-"], ok=False, text=KEEP)
    natlab.trouble()
    print(f"\n1..{len(cases) + 1}", flush=True)
    number = 0
    for number, (name, case) in enumerate(cases, 1):
        begin = time.monotonic()
        problem = run_one(case)
        print(f"{'not ok' if problem else 'ok'} {number} - {name} # {time.monotonic() - begin:.1f} s", flush=True)
        for line in (problem or "").splitlines():
            print(f"# {line}", flush=True)
    leaks = kmemleak()
    print(f"{'not ok' if 'natflow' in leaks else 'ok'} {number + 1} - no memory leaked", flush=True)
    for line in leaks.splitlines():
        print(f"# {line}")
    print("LAB-DONE", flush=True)


main()
