#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Run lab cases inside the VM. Prints TAP.

    run-cases.py [PATTERN [FILE [ARG...]]]   the cases that match, once
    run-cases.py serve [FILE [ARG...]]       what the runner asks for, line by line: see serve()

A case is a function of cases/*.py, or of FILE or FILE/*.py, whose name begins with case_. Each gets the topology fresh and no flows;
after it, the kernel log must be clean. natflow is loaded before the first case of a file and must unload after the last
one; after every case where the file says UNLOAD, on the kernels that look for faults, and after a case that failed.
"""
import contextlib
import glob
import importlib.util
import os
import re
import subprocess
import sys
import termios
import time
import traceback

sys.path.insert(0, "/lab")
import natlab  # noqa: E402

AGAIN = "again" in natlab.BOOT_WORDS
HOSTILE = any(os.path.exists(f"/sys/kernel/debug/{n}") for n in ("kmemleak", "kcsan"))


class Case:
    def __init__(self, module, key, function):
        self.file = module.__name__
        self.name = f"{self.file}.{key[5:]}"
        self.function = function
        self.unload = HOSTILE or getattr(module, "UNLOAD", False)
        self.long = any("Takes long: " in (doc or "") for doc in (function.__doc__, module.__doc__))


def load(paths):
    cases = []
    for path in paths:
        name = os.path.basename(path)[:-3]
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        cases += [Case(module, key, value) for key, value in vars(module).items() if key.startswith("case_")]
    return cases


def namespaces():
    return set(os.listdir("/run/netns"))


def is_loaded():
    return "natflow" in open("/proc/modules").read()


def load_modules():
    if not is_loaded():
        natlab.insmod("/lab/natflow.ko")
        natlab.insmod("/lab/xt_FLOWOFFLOAD.ko")


def words(path):
    """A file of /proc in one line; empty if its process ended."""
    with contextlib.suppress(OSError), open(path) as f:
        return " ".join(f.read().replace("\0", " ").split())
    return ""


def links(pattern):
    """What the links of a directory of /proc point to."""
    for path in glob.glob(pattern):
        with contextlib.suppress(OSError):
            yield os.readlink(path)


def holders():
    """What may hold the modules or a namespace with rules: modules, closed sockets that still send, processes."""
    lines = [l.strip() for path, start in (("/proc/modules", ("natflow", "xt_FLOW")), ("/proc/net/sockstat", "TCP:"))
             for l in open(path) if l.startswith(start)]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        stack, spaces, files = words(f"/proc/{pid}/stack"), set(links(f"/proc/{pid}/ns/net")), set(links(f"/proc/{pid}/fd/*"))
        held = [f for f in files if re.search("natflow|hostacl|urllogger|net:", f)]
        if "cleanup_net" in stack or held or spaces - {os.readlink("/proc/1/ns/net")}:
            lines.append(f"{pid} {words(f'/proc/{pid}/comm')}, {words(f'/proc/{pid}/cmdline')}: {held} {spaces} {stack}")
    return "\n".join(lines)


def unload_modules():
    """The error if the modules do not unload, or None."""
    def gone():
        for name in ("xt_FLOWOFFLOAD", "natflow"):
            natlab.rmmod(name)
        return not is_loaded()
    try:
        natlab.wait(gone, "modules unload")
    except natlab.Failure as e:
        return f"{e}\n{holders()}"
    return None


def complaints():
    bad = natlab.trouble()
    return "kernel log: " + "\n".join(bad) if bad else None


def attempt(case):
    """Run one case; returns its failure, or None."""
    try:
        load_modules()
        if not getattr(case.function, "bare", False):
            natlab.up()
        case.function()
    except Exception as e:  # noqa: BLE001 - whatever it was, the case failed
        problem = f"{e}" if isinstance(e, natlab.Failure) else traceback.format_exc()
        try:
            problem += f"\ncounters: { {k: v for k, v in natlab.stats().items() if v} }"
            problem += "\n" + "\n".join(natlab.flows()[:5]) + "\n" + natlab.read("/proc/net/natflow_log")
        except Exception:  # noqa: BLE001 - there may be no namespace to ask
            pass
        return problem
    return None


def run_once(case):
    """Run one case and clean up: what failed, and what the kernel and the unload say."""
    problem = attempt(case)
    natlab.stop_all()
    for name in namespaces():
        natlab.netns_del(name)
    worse = [complaints()]
    if case.unload or problem or any(worse):
        worse += [unload_modules(), complaints()]
    return problem, "\n".join(p for p in worse if p)


def run_one(case):
    """Run one case; with AGAIN a second time, if nothing but a condition of the case's own failed."""
    problem, worse = run_once(case)
    if AGAIN and case.file != "driver" and problem and not worse:
        print(*f"# again: {case.name}\n{problem}".splitlines(), sep="\n# ", flush=True)
        problem, worse = run_once(case)
    return "\n".join(p for p in (problem, worse) if p)


def unload():
    """After the last case of a file."""
    return "\n".join(p for p in (unload_modules(), complaints()) if p)


def kmemleak():
    """On the debug kernel: memory that kmemleak reports."""
    path = "/sys/kernel/debug/kmemleak"
    for _ in range(2):
        with open(path, "w") as f:
            f.write("scan")
    leaks = open(path).read()
    return leaks if "natflow" in leaks else ""


def tap(points):
    """Run (name, function) one after the other."""
    print(f"\n1..{len(points)}", flush=True)
    for number, (name, function) in enumerate(points, 1):
        begin = time.monotonic()
        problem = function()
        print(f"{'not ok' if problem else 'ok'} {number} - {name} # {time.monotonic() - begin:.1f} s", flush=True)
        for line in problem.splitlines():
            print(f"# {line}", flush=True)


def points_of(cases):
    """The cases of a file, and that natflow unloads."""
    return [(c.name, lambda c=c: run_one(c)) for c in cases] + [(f"{c.file}.unload", unload) for c in cases[-1:]]


def leaks():
    """Only the debug kernel can tell."""
    return [("no memory leaked", kmemleak)] if os.path.exists("/sys/kernel/debug/kmemleak") else []


def serve(cases):
    """Print the names of all cases, run those that standard input names, and report each file's end.

    A line is FILE SKIP PATTERN: the cases of that file that match, but for the first SKIP. Its end is the end: is
    memory missing?
    """
    if os.isatty(0):
        mode = termios.tcgetattr(0)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(0, termios.TCSANOW, mode)
    print("", *(f"LAB-CASE {c.name}{' long' * c.long}" for c in cases), "LAB-READY", sep="\n", flush=True)
    for line in iter(sys.stdin.readline, ""):
        if line.split()[0] == "END":
            break
        file, skip, pattern = line.split()
        chosen = [c for c in cases if c.file == file and re.search(pattern, c.name)]
        tap(points_of(chosen)[int(skip):])
        print("LAB-READY", flush=True)
    tap(leaks())


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


def prepare():
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


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "."
    where = sys.argv[2] if len(sys.argv) > 2 else "/lab/cases"
    cases = load(sorted(glob.glob(f"{where}/*.py")) if os.path.isdir(where) else [where])
    prepare()
    if what == "serve":
        serve(cases)
    else:
        chosen = [c for c in cases if re.search(what, c.name)]
        files = dict.fromkeys(c.file for c in chosen)
        tap([p for f in files for p in points_of([c for c in chosen if c.file == f])] + leaks())
    print("LAB-DONE", flush=True)


main()
