#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""install.py [shell|debian|documents]: what a stranger types. Prints TAP."""
import sys

import shell
from terminal import Tap

if __name__ == "__main__":
    tap = Tap()
    if not sys.argv[1:] or "shell" in sys.argv:
        shell.points(tap)
    tap.plan()
    sys.exit(bool(tap.failed))
