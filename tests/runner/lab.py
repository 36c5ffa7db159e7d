# SPDX-License-Identifier: GPL-2.0-only
"""The lab on one kernel: VMs that are fed case files until none is left."""
import contextlib
import os
import re
import select
import subprocess
import time

import children
import load

POINT = re.compile(r"(not )?ok \d+ - (\S+|no memory leaked)(?: # ([\d.]+) s)?$")
CASE = re.compile(r"LAB-CASE (\S+)( long)?$")
BOOT = 30               # seconds
# About how many seconds a case of a file takes, if it is not one; the long files begin first.
PACE = {"links": 60, "soak": 60, "scale": 40, "teardown": 12, "storms": 10, "apart": 8, "flat": 4, "sqm": 4}
TRIES = 3               # VMs for one file, if the emulator breaks them


class Died(Exception):
    """The VM is gone. again: for a reason of the emulator's own."""

    def __init__(self, again):
        super().__init__()
        self.again = again


class Lab:
    """A kernel, the cases that are to run there, and which of their files nobody has taken."""

    def __init__(self, kernel, pattern=".", ring="lab", words=(), append="", memory=None, silence=900, cost=1.0, judged=False,
                 vm="tests/lab/vm.sh"):
        self.kernel, self.pattern, self.ring = kernel, pattern, f"{ring}-{kernel}"
        self.words, self.append, self.memory, self.silence, self.vm = words, append, memory, silence, vm
        self.needs = (kernel,)
        self.cost, self.judged = cost, judged
        self.files = None       # {file: [case...]} not taken yet; unknown until the first VM tells its cases
        self.long = set()
        self.working = 0

    # -- for the queue, under its lock

    @property
    def weight(self):
        """About how many seconds are left for one more VM."""
        left = 600 if self.files is None else sum(map(self.seconds, self.files))
        return self.cost * left / (1 + self.working)

    def seconds(self, file):
        return PACE.get(file, 1) * len(self.files[file])

    def may_join(self):
        """A second VM comes when the first has told what there is, and that is worth a boot."""
        if not self.working:
            return self.files is None or bool(self.files)
        return bool(self.files) and self.weight > BOOT

    def join(self, _queue):
        self.working += 1

    def is_over(self):
        return self.files == {} and not self.working

    def learn(self, cases):
        """What the first VM says."""
        if self.files is None:
            chosen = [(name, long) for name, long in cases if re.search(self.pattern, name)]
            self.long = {name for name, long in chosen if long}
            self.files = {}
            for name, _ in chosen:
                self.files.setdefault(name.split(".")[0], []).append(name)
        return bool(self.files)

    def take(self):
        """The longest file."""
        if not self.files:
            return None
        file = max(self.files, key=self.seconds)
        return file, self.files.pop(file)

    # -- for a worker

    def run(self, ladder):
        begin, vm, ended = time.monotonic(), Machine(self, ladder.report), "the runner failed"
        try:
            self.work(ladder, vm)
            ended = None
        except Died:
            ended = "the VM ended early" if vm.booted else "the VM does not boot"
        finally:
            if ended:
                ladder.report.point(self.ring, ended, False, kernel=self.kernel)
                vm.tell_tail()
                self.give_up(ladder, vm)
            ladder.report.took(self.ring, begin, time.monotonic(), vm.close())
            with ladder.change:
                self.working -= 1
                self.files = self.files or {}

    def give_up(self, ladder, vm):
        """The files that are left are another VM's, if there is one or one can be had."""
        with ladder.change:
            if vm.booted or self.working > 1:
                return
            lost, self.files = self.files or {}, {}
        for file, cases in lost.items():
            ladder.report.point(self.ring, f"{file}: none of {len(cases)} cases ran", False, kernel=self.kernel)

    def work(self, ladder, vm):
        cases = vm.boot()
        with ladder.change:
            if not self.learn(cases):
                ladder.report.point(self.ring, f"no case matches {self.pattern}", False, kernel=self.kernel)
            ladder.change.notify_all()
        while True:
            with ladder.change:
                job = self.take()
            if not job:
                break
            self.run_file(ladder, vm, *job)
        vm.end()

    def run_file(self, ladder, vm, file, cases):
        """All cases of a file, and its unload. A breakpoint of the emulator's takes a VM, but no point."""
        want, have, problem = len(cases) + 1, 0, None
        for attempt in range(TRIES):
            try:
                have += vm.feed(file, have)
                break
            except Died as e:
                have += vm.count
                if not e.again or attempt == TRIES - 1:
                    problem = "the VM died, "
                    vm.tell_tail()
                else:
                    vm.report.say(self.ring, f"the emulator ran a breakpoint that was gone; on behind point {have} of {file}")
                if problem:
                    break
                vm.boot()
        if have != want:
            ladder.report.point(self.ring, f"{file}: {problem or ''}{have} of {want} points", False, kernel=self.kernel)
        if problem:
            vm.boot()


class Machine:
    """A VM, and another one in its place when it broke."""

    def __init__(self, lab, report):
        self.lab, self.report = lab, report
        self.process, self.cpu = None, 0.0
        self.lines, self.buffer, self.count, self.booted, self.broken = [], b"", 0, False, False

    def start(self):
        self.close()
        self.lines, self.buffer, self.count, self.booted, self.broken = [], b"", 0, False, False
        # Grace periods that end at once: nobody waits for them but who takes namespaces and modules away.
        env = {**os.environ, "TMO": "86400", "APPEND": f"rcupdate.rcu_expedited=1 {self.lab.append}"}
        if self.lab.memory:
            env["MEM"] = str(self.lab.memory)
        words = ",".join(("/lab/run-cases.py", "serve", *map(str, self.lab.words)))
        self.process = children.start([self.lab.vm, self.lab.kernel, f"build/lab/{self.lab.kernel}.cpio.gz", words],
                                      stdin=subprocess.PIPE, env=env)

    def close(self):
        """CPU seconds of all VMs that were here."""
        if self.process:
            children.kill(self.process.pid)
            self.cpu += children.wait(self.process)[1]
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            self.process.stdout.close()
            self.process = None
        return self.cpu

    def boot(self):
        """The cases there are, as (name, long)."""
        for attempt in range(TRIES):
            self.start()
            try:
                return self.listen()
            except Died:
                if attempt == TRIES - 1:
                    raise
                self.report.say(self.lab.ring, "the VM did not boot; once more")
        raise AssertionError

    def listen(self):
        cases = []
        while True:
            text = self.line()
            found = CASE.match(text)
            if found:
                cases.append((found[1], bool(found[2])))
            if text == "LAB-READY":
                self.booted = True
                return cases

    def line(self):
        """The next line of the console; Died when there will be none, or none came for too long."""
        while b"\n" not in self.buffer:
            data = b""
            if select.select([self.process.stdout], [], [], self.lab.silence)[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
            else:
                self.lines.append(f"silent for {self.lab.silence} s")
            if not data:
                raise Died(self.broken)
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        text = line.decode("utf-8", "replace").replace("\r", "")
        self.broken |= "int3: 0000 " in text
        self.lines = self.lines[-24:] + [text]
        return text

    def send(self, text):
        try:
            self.process.stdin.write(f"{text}\n".encode())
            self.process.stdin.flush()
        except OSError:
            raise Died(self.broken) from None

    def until(self, last):
        """Report what comes before that line."""
        since, cpu = load.Sample(), load.session(self.process.pid)
        while True:
            text = self.line()
            if text == last:
                return
            if self.take(text, since, cpu):
                since, cpu = load.Sample(), load.session(self.process.pid)

    def take(self, text, since, cpu):
        """Report a line; true if it is a point."""
        found = POINT.match(text)
        if not found:
            if text.startswith("# again: "):
                self.report.again(self.lab.ring, text[9:])
            elif text.startswith("# "):
                self.report.say(self.lab.ring, text[2:])
            return False
        self.count += 1
        used = load.session(self.process.pid) - cpu
        self.report.point(self.lab.ring, found[2], not found[1], float(found[3] or 0), self.lab.kernel, used)
        if self.lab.judged and found[2] not in self.lab.long:
            self.report.judge_case(self.lab.ring, found[2], self.lab.kernel, since)
        return True

    def feed(self, file, skip):
        """Run a file's cases, but for the first so many points; how many points came."""
        self.count = 0
        self.send(f"{file} {skip} {self.lab.pattern}")
        self.until("LAB-READY")
        return self.count

    def end(self):
        """Is memory missing?"""
        self.send("END")
        self.until("LAB-DONE")

    def tell_tail(self):
        for line in self.lines:
            self.report.say(self.lab.ring, line)
