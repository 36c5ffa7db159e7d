#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The runner itself: what fails must be counted and must make it fail. Prints TAP. Its VM is a script: see VM."""
import io
import json
import os
import re
import sys
import tempfile
import time

import load
from lab import Lab
from report import Report, is_too_long
from work import Command, Ladder, Prepare

# What run-cases.py serves. BEHAVIOUR says what is wrong with the VM; "once" files remember that it was so already.
VM = """#!/usr/bin/python3
import os, re, sys
what = os.environ["APPEND"].split(" ")[1]
def once():
    try:
        os.close(os.open("once", os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False
if what == "dead" or what == "boot" and once():
    sys.exit(1)
FILES = {"one": ["one.a", "one.b"], "two": ["two.a", "two.b", "two.c"]}
print(*("LAB-CASE " + c for f in FILES.values() for c in f), "LAB-READY", sep="\\n", flush=True)
for line in sys.stdin:
    if line == "END\\n":
        break
    name, skip, pattern = line.split()
    points = ([c for c in FILES[name] if re.search(pattern, c)] + [name + ".unload"])[int(skip):]
    print(f"1..{len(points)}")
    for i, p in enumerate(points, 1):
        if what == "dies" and p == "two.b":
            print("Oops", flush=True)
            sys.exit(0)
        if what == "breakpoint" and p == "two.b" and once() or what == "always" and p == "two.b":
            print("int3: 0000 [#1]", flush=True)
            sys.exit(0)
        if what == "again" or what == "twice" and p == "two.b":
            print("# again: " + p)
        if what == "short" and p == "two.c":
            continue
        print(f"{'not ok' if what == 'fails' and p == 'two.b' else 'ok'} {i} - {p} # 0.1 s", flush=True)
    print("LAB-READY", flush=True)
print("LAB-DONE", flush=True)
"""


def run(*work, kernels=("k",)):
    """(status, passed, failed, all it said) of a run in an empty directory."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        try:
            with open("vm", "w", encoding="utf-8") as f:
                f.write(VM)
            os.chmod("vm", 0o755)
            out = io.StringIO()
            report = Report(out)
            ladder = Ladder(report, work)
            ladder.done |= set(kernels)
            ladder.run()
            status = report.finish()
            with open("build/test.json", encoding="utf-8") as f:
                points = json.load(f)["points"]
        finally:
            os.chdir(before)
    passed, failed = map(int, re.fullmatch(r"(\d+) passed, (\d+) failed", out.getvalue().splitlines()[-1]).groups())
    assert (passed, failed) == (sum(p["ok"] for p in points), sum(not p["ok"] for p in points)), "test.json says something else"
    assert len(re.findall(r"^(?:not )?ok \d+ - ", out.getvalue(), re.M)) == passed + failed, "points that were not printed"
    return status, passed, failed, out.getvalue()


def lab(behaviour="", pattern="."):
    return Lab("k", pattern, append=behaviour, vm="./vm", silence=20)


def shell(script):
    return Command("host", ["sh", "-c", script])


def expect(status, passed, failed, *work, said="", **kw):
    got = run(*work, **kw)
    assert got[:3] == (status, passed, failed), f"{got[:3]}, want {(status, passed, failed)}\n{got[3]}"
    assert said in got[3], f"{said!r} was not said\n{got[3]}"


class Broken(Command):
    def run(self, ladder):
        raise ValueError("a fault of the runner")


class Unprepared(Prepare):
    def run(self, ladder):
        ladder.report.point(self.ring, "the lab can be prepared", False)
        ladder.cancel(self.kernel)


def long_cases():
    assert is_too_long(31, 3)
    assert not is_too_long(29, 1)
    assert not is_too_long(60, 10), "a slow machine"


def whose_time():
    since, begin = load.Sample(), time.process_time()
    while time.process_time() - begin < 0.3:
        pass
    assert load.ours() - since.ours > 0.2, "our own"


TESTS = {
    "all is well": lambda: expect(0, 7, 0, lab()),
    "a selection": lambda: expect(0, 2, 0, lab(pattern="^one.b")),
    "a case that fails": lambda: expect(1, 6, 1, lab("fails"), said="failed: lab-k: two.b"),
    "a case that passes the second time": lambda: expect(0, 7, 0, lab("twice"), said="run twice: lab-k: two.b"),
    "many cases that do": lambda: expect(1, 7, 1, lab("again"), said="7 cases were run twice, limit 3"),
    "a short plan": lambda: expect(1, 6, 1, lab("short"), said="two: 3 of 4 points"),
    "a VM that dies": lambda: expect(1, 4, 1, lab("dies"), said="two: the VM died, 1 of 4 points"),
    "a breakpoint of the emulator's": lambda: expect(0, 7, 0, lab("breakpoint")),
    "breakpoints without end": lambda: expect(1, 4, 1, lab("always"), said="the VM died"),
    "a VM that boots the second time": lambda: expect(0, 7, 0, lab("boot")),
    "a VM that does not boot": lambda: expect(1, 0, 1, lab("dead"), said="does not boot"),
    "an empty selection": lambda: expect(1, 0, 1, lab(pattern="^three"), said="no case matches ^three"),
    "nothing at all": lambda: expect(1, 0, 0),
    "a kernel that cannot be prepared": lambda: expect(1, 1, 2, shell("echo ok 1 - a; echo 1..1"), Unprepared("k"), lab(), kernels=()),
    "a program": lambda: expect(0, 2, 0, shell("echo 1..2; echo ok 1 - a; echo ok 2 - b")),
    "a program without a plan": lambda: expect(1, 1, 1, shell("echo ok 1 - a"), said="ended early (1 of None points"),
    "a program with a short plan": lambda: expect(1, 1, 1, shell("echo 1..2; echo ok 1 - a")),
    "a program with a bad end": lambda: expect(1, 1, 1, shell("echo 1..1; echo ok 1 - a; exit 3"), said="status 3"),
    "a program's point that fails": lambda: expect(1, 1, 1, shell("echo 1..2; echo ok 1 - a; echo not ok 2 - b")),
    "a fault of the runner": lambda: expect(1, 2, 1, Broken("host", []), shell("echo 1..2; echo ok 1 - a; echo ok 2 - b")),
    "long cases": long_cases,
    "whose CPU time it is": whose_time,
}


def main():
    print(f"1..{len(TESTS)}", flush=True)
    failed = 0
    for i, (name, test) in enumerate(TESTS.items(), 1):
        try:
            test()
            problem = ""
        except AssertionError as e:
            problem, failed = str(e), failed + 1
        print(f"{'not ok' if problem else 'ok'} {i} - runner: {name}", *problem.splitlines(), sep="\n# ", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
