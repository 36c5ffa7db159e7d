#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""install.py [shell|debian|demo...]: types the commands of README.md and Documentation/. Prints TAP."""
import subprocess
import sys

import debian
import documents
import shell
from terminal import Tap, check


def demo():
    """`make demo` ends with the README's table; figures may differ."""
    done = subprocess.run(["make", "-s", "demo"], cwd=documents.TOP, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    check(done.returncode == 0, done.stdout[-3000:])
    said = [documents.shape(line) for line in done.stdout.splitlines()]
    missing = [line for line in documents.block("README.md", "ports ") if documents.shape(line) not in said]
    check(not missing, f"not shown: {missing}: {done.stdout}")


def handled():
    unknown = documents.unknown()
    check(not unknown, f"not run, and no reason in documents.py: {unknown}")


def main():
    parts = sys.argv[1:] or ["shell", "debian"]
    tap = Tap()
    if "shell" in parts:
        shell.points(tap)
    if "debian" in parts:
        debian.points(tap)
    if "demo" in parts:
        tap.point("demo: the README's table", demo)
    if {"shell", "debian"} <= set(parts):
        tap.point("every block of commands is run, or says why not", handled)
    tap.plan()
    sys.exit(bool(tap.failed))


main()
