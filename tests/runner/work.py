# SPDX-License-Identifier: GPL-2.0-only
"""What is to be done, and who does it: a queue of jobs and two workers."""
import os
import re
import subprocess
import threading
import time
import traceback

import children

POINT = re.compile(r"(not )?ok \d+ - (.*?)(?: # ([\d.]+) s)?$")
PLAN = re.compile(r"\b1\.\.(\d+)$")


class Once:
    """Work for one worker."""

    def may_join(self):
        return True

    def join(self, queue):
        queue.remove(self)

    def is_over(self):
        return False


class Command(Once):
    """A program on this machine that prints TAP: one ring."""

    def __init__(self, ring, command, needs=(), weight=60, env=None):
        self.ring, self.command, self.needs, self.weight, self.env = ring, command, needs, weight, env

    def run(self, ladder):
        begin = last = time.monotonic()
        want, have, lines = None, 0, []
        with children.start(self.command, stdin=subprocess.DEVNULL, text=True, errors="replace",
                            env={**os.environ, **(self.env or {})}) as process:
            for line in process.stdout:
                line = line.rstrip()
                lines.append(line)
                found = POINT.match(line)
                if found:
                    now = time.monotonic()
                    ladder.report.point(self.ring, found[2], not found[1], float(found[3] or now - last))
                    have, last = have + 1, now
                elif line.startswith("# "):
                    ladder.report.say(self.ring, line[2:])
                elif PLAN.search(line) and want is None:
                    want = int(PLAN.search(line)[1])
            status, cpu = children.wait(process)
        if status or have != want:
            ladder.report.point(self.ring, f"ended early ({have} of {want} points, status {status})", False)
            for line in lines[-15:]:
                ladder.report.say(self.ring, line)
        ladder.report.took(self.ring, begin, time.monotonic(), cpu)


class Prepare(Once):
    """What a VM boots from: one failed point if that cannot be had, and nothing is run on that kernel."""

    def __init__(self, kernel, more=()):
        self.kernel, self.more, self.needs, self.ring = kernel, more, (), f"prepare-{kernel}"
        self.weight = 10000         # others wait for it

    def run(self, ladder):
        k, begin = self.kernel, time.monotonic()
        script = f"""tests/lab/setup.sh tools kernel:{k} {' '.join(self.more)} && tests/lab/build.sh {k} &&
                     tests/lab/image.sh {k} build/lab/{k}.cpio.gz"""
        with children.start(["sh", "-c", script], stdin=subprocess.DEVNULL, text=True, errors="replace") as process:
            out = process.stdout.read()
            status, cpu = children.wait(process)
        ladder.report.took(self.ring, begin, time.monotonic(), cpu)
        if status:
            ladder.report.point(self.ring, "the lab can be prepared", False, kernel=k)
            for line in out.splitlines()[-15:]:
                ladder.report.say(self.ring, line)
            ladder.cancel(k)


class Ladder:
    """The queue. Work is a Command, a Prepare or a Lab: it has weight, needs and run()."""

    def __init__(self, report, work, workers=2):
        self.report, self.work, self.workers = report, list(work), workers
        self.done, self.failed = set(), set()       # kernels
        self.change = threading.Condition()
        self.active = 0

    def cancel(self, kernel):
        with self.change:
            self.failed.add(kernel)

    def next(self):
        """The heaviest work that can begin now, once there is some; None when there is no more."""
        with self.change:
            while True:
                self.give_up()
                ready = [w for w in self.work if set(w.needs) <= self.done and w.may_join()]
                if ready:
                    best = max(ready, key=lambda w: w.weight)
                    best.join(self.work)
                    self.active += 1
                    return best
                if not self.work:
                    return None
                self.change.wait()

    def give_up(self):
        """What nobody works at and has nothing left is over; what needs a kernel that there is not has failed."""
        for w in list(self.work):
            if w.is_over():
                self.work.remove(w)
            elif set(w.needs) & self.failed:
                self.work.remove(w)
                self.report.point(w.ring, f"cannot begin without {' '.join(set(w.needs) & self.failed)}", False)

    def finished(self, work):
        with self.change:
            self.active -= 1
            if isinstance(work, Prepare) and work.kernel not in self.failed:
                self.done.add(work.kernel)
            self.change.notify_all()

    def worker(self):
        while True:
            work = self.next()
            if work is None:
                return
            try:
                work.run(self)
            except Exception:  # noqa: BLE001 - a fault of the runner is a failed point, and the others go on
                self.cancel(getattr(work, "kernel", None))
                self.report.point(work.ring, "the runner itself", False)
                for line in traceback.format_exc().splitlines():
                    self.report.say(work.ring, line)
            self.finished(work)

    def run(self):
        threads = [threading.Thread(target=self.worker, daemon=True) for _ in range(self.workers)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
