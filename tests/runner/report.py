# SPDX-License-Identifier: GPL-2.0-only
"""What was seen: points as they come, build/test.json, and the last words."""
import json
import os
import pathlib
import statistics
import sys
import threading
import time

import load

BUILD = pathlib.Path("build")
LIMIT = 60 * 60         # seconds for the whole of `make test`, on two cores
CASE_LIMIT = 30         # seconds for a case that does not say why it takes long
CASE_RATIO = 8          # and only if it takes so many times as long as the median case of its kernel
SECOND_TRIES = 3        # cases of a whole run that may fail once


class Report:
    def __init__(self, out=sys.stdout):
        self.out = out
        self.lock = threading.RLock()
        self.points = []        # dicts: ring, kernel, name, ok, seconds, cpu
        self.second_tries = []  # (ring, name) of cases that failed and were run once more
        self.spans = {}         # ring: [first begin, last end, CPU seconds]
        self.begin = load.Sample()
        (BUILD / "tap").mkdir(parents=True, exist_ok=True)
        for old in (BUILD / "tap").iterdir():
            old.unlink()

    def say(self, ring, text):
        """A line that is no point."""
        with self.lock:
            self.keep(ring, f"# {text}")
            print(f"# {ring}: {text}", file=self.out, flush=True)

    def keep(self, ring, line):
        with open(BUILD / "tap" / ring, "a", encoding="utf-8", errors="replace") as f:
            f.write(line + "\n")

    def point(self, ring, name, ok, seconds=0.0, kernel="", cpu=0.0):
        with self.lock:
            self.points.append({"ring": ring, "kernel": kernel, "name": name, "ok": ok, "seconds": round(seconds, 1),
                                "cpu": round(cpu, 1)})
            words = "ok" if ok else "not ok"
            self.keep(ring, f"{words} {sum(p['ring'] == ring for p in self.points)} - {name} # {seconds:.1f} s")
            print(f"{words} {len(self.points)} - {ring}: {name} # {seconds:.1f} s", file=self.out, flush=True)

    def again(self, ring, name):
        """A case failed, without a word of the kernel, and runs once more."""
        with self.lock:
            self.second_tries.append((ring, name))
        self.say(ring, f"{name} failed, and runs once more")

    def judge_tries(self):
        """Many second tries are no accident."""
        for ring, name in self.second_tries:
            self.write(f"# run twice: {ring}: {name}")
        if len(self.second_tries) > SECOND_TRIES:
            self.point("again", f"{len(self.second_tries)} cases were run twice, limit {SECOND_TRIES}", False)

    def took(self, ring, begin, end, cpu):
        """A part of a ring ran from begin to end."""
        with self.lock:
            span = self.spans.setdefault(ring, [begin, end, 0.0])
            span[:] = min(span[0], begin), max(span[1], end), span[2] + cpu

    def judge_case(self, ring, name, kernel, since):
        """A case of minutes must say why, where nobody else had the CPUs meanwhile."""
        seconds = time.monotonic() - since.wall
        with self.lock:
            if (ring, name) in self.second_tries:
                return          # it may have waited in vain before
            usual = statistics.median([p["seconds"] for p in self.points if p["kernel"] == kernel] or [0])
        if is_too_long(seconds, usual) and not since.disturbed():
            self.point(ring, f"{name}: {seconds:.0f} s (the median is {usual:.1f} s) and no \"Takes long: \" in its head", False,
                       kernel=kernel)

    def judge_whole(self):
        seconds = time.monotonic() - self.begin.wall
        others = self.begin.others()
        text = f"the whole took {seconds / 60:.0f} min, limit {LIMIT // 60} min, on {os.cpu_count()} CPUs of which others had {others:.0%}"
        if seconds > LIMIT and not self.begin.disturbed() and os.cpu_count() >= 2:
            self.point("time", text, False)
        else:
            self.say("time", text)

    def finish(self):
        """The last words; the exit status."""
        with self.lock:
            self.judge_tries()
            good = sum(p["ok"] for p in self.points)
            bad = [p for p in self.points if not p["ok"]]
            rings = {r: {"seconds": round(e - b, 1), "cpu": round(cpu, 1)} for r, (b, e, cpu) in self.spans.items()}
            with open(BUILD / "test.json", "w", encoding="utf-8") as f:
                json.dump({"seconds": round(time.monotonic() - self.begin.wall, 1), "others": round(self.begin.others(), 3),
                           "rings": rings, "points": self.points}, f, indent=1)
            self.write(f"1..{len(self.points)}", "# the slowest:")
            for p in sorted(self.points, key=lambda p: -p["seconds"])[:20]:
                self.write(f"# {p['seconds']:7.1f} s  {p['ring']}: {p['name']}")
            self.write("# the rings, from their begin to their end, and what they used of the CPUs:")
            for ring, r in rings.items():
                self.write(f"# {r['seconds']:7.1f} s {r['cpu']:7.1f} CPU s  {ring}")
            self.write(f"# {time.monotonic() - self.begin.wall:7.1f} s {load.ours():7.1f} CPU s  in all")
            for p in bad:
                self.write(f"# failed: {p['ring']}: {p['name']}")
            self.write(f"{good} passed, {len(bad)} failed")
            return 0 if good and not bad else 1

    def write(self, *lines):
        print(*lines, sep="\n", file=self.out, flush=True)


def is_too_long(seconds, usual):
    return seconds > CASE_LIMIT and seconds > CASE_RATIO * usual
