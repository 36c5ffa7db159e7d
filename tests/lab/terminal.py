# SPDX-License-Identifier: GPL-2.0-only
"""A pseudo-terminal in which a test types, and TAP."""
import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time

NOISE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1bc|\x1b[=>]|.\x08|\r(?!\n)|\0")     # colours, overstriking, redrawn lines


class Failure(Exception):
    """A check failed."""


def check(ok, what):
    if not ok:
        raise Failure(what)


class Terminal:
    """A program that has a pseudo-terminal of its own as its controlling terminal, as a person's shell has."""

    def __init__(self, command, prompt, **kw):
        self.prompt = prompt
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.text = ""      # output that expect() has not consumed
        self.all = ""
        self.process = subprocess.Popen(
            command, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **kw)

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            piece = os.read(self.master, 65536).decode("latin1")
            self.all += piece
            self.text += piece
            return True
        return False

    def expect(self, pattern, seconds=600):
        """Read until the pattern; returns the text before it."""
        end = time.monotonic() + seconds
        while True:
            clean = NOISE.sub("", self.text).replace("\r\n", "\n")
            found = re.search(pattern, clean)
            if found:
                self.text = clean[found.end():]
                return clean[:found.start()]
            check(self.process.poll() is None or self.read(0), f"ended while {pattern!r} was waited for: {clean[-2000:]}")
            check(time.monotonic() < end, f"{pattern!r} did not come in {seconds} s: {clean[-2000:]}")
            self.read(1)

    def type(self, line, status=0):
        """Type a command; its output, after its exit status was compared. None: it may be anything."""
        self.send(line)
        output = self.expect(self.prompt).partition("\n")[2]
        self.send("echo status=$?")
        got = self.expect(self.prompt).rpartition("status=")[2].strip()
        check(status is None or got == str(status), f"{line}: status {got}: {output}")
        return output

    def send(self, line):
        os.write(self.master, line.encode() + b"\r")

    def end(self, seconds=120):
        """Wait for the program's end; its exit status. The terminal must be as it was."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            check(time.monotonic() < end, f"still running after {seconds} s: {self.all[-2000:]}")
            self.read(0.2)
        while self.read(0):
            pass
        check(termios.tcgetattr(self.slave) == self.before, "the terminal's settings are not restored")
        return self.process.returncode

    def close(self):
        """End the program and close the terminal, whatever happened."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class Tap:
    """Numbered points; the others run even if one fails."""

    def __init__(self):
        self.number = self.failed = 0

    def point(self, name, test):
        self.number += 1
        begin = time.monotonic()
        trouble = None
        try:
            test()
        except (Failure, OSError, subprocess.SubprocessError) as e:
            self.failed += 1
            trouble = str(e)
        print(f"{'not ok' if trouble is not None else 'ok'} {self.number} - {name} # {time.monotonic() - begin:.1f} s", flush=True)
        for line in (trouble or "").splitlines():
            print("# " + line, flush=True)
        return trouble is None

    def plan(self):
        print(f"1..{self.number}", flush=True)
