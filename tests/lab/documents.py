# SPDX-License-Identifier: GPL-2.0-only
"""The blocks of commands in README.md and Documentation/*.md."""
import glob
import os
import re

TOP = os.path.abspath(os.path.dirname(__file__) + "/../..")
USED = set()            # (file, first line) of the blocks that a test has asked for
# Blocks that are not run, and why.
NOT_RUN = {
    ("README.md", "ports "): "make demo takes minutes: make test-all compares it",
    ("Documentation/portal.md", ""): "make test-visit runs it, and counts its blocks",
    ("Documentation/users.md", "awk "): "devices.names runs it on leases of its own",
    ("Documentation/flow-life.md", "selected"): "a picture",
    ("Documentation/hardware.md", "modprobe natflow_hwnat"): "hwrules.* and the ring of the stock driver do so, on cards of their own",
    ("Documentation/hardware.md", "# natflow-ppe "): "ppe_entries.* does, on what mainline's driver prints",
    ("Documentation/hardware.md", "cd openwrt"): "the tree of OpenWrt is not in Debian",
    ("Documentation/hardware.md", "apt install linux-source-6.12"): "tests/patches.py applies and builds them: a whole kernel takes an hour",
    ("Documentation/locking.md", "learning"): "two CPUs side by side",
}


def blocks():
    """(file, lines) of every block that is indented by four, or fenced."""
    found = []
    for path in [f"{TOP}/README.md"] + sorted(glob.glob(f"{TOP}/Documentation/*.md")):
        name, lines, fenced, after_blank = os.path.relpath(path, TOP), None, False, True
        for line in open(path).read().splitlines() + [""]:
            if line.startswith("```"):
                fenced = not fenced
                lines = found.append((name, [])) or found[-1][1] if fenced else None
            elif fenced:
                lines.append(line)
            elif line.startswith("    ") and (lines is not None or after_blank):
                lines = found.append((name, [])) or found[-1][1] if lines is None else lines
                lines.append(line[4:])
            else:
                lines = None
            after_blank = not line.strip()
    return found


def block(name, first):
    """The one block of a file that begins so."""
    (lines,) = [lines for n, lines in blocks() if n == name and lines[0].startswith(first)]
    USED.add((name, first))
    return lines


def unknown():
    """Blocks that no test runs and that have no reason in NOT_RUN; reasons and tests without a block."""
    known, found = USED | set(NOT_RUN), blocks()
    return [f"{n}: {lines[0]}" for n, lines in found if not any(n == k and lines[0].startswith(first) for k, first in known)] + \
        [f"{n}: no block {first!r}" for n, first in known if not any(n == k and lines[0].startswith(first) for k, lines in found)]


def command(line):
    """A line of a block without its comment."""
    return re.sub(r"\s+#\s.*", "", line)


def shape(text):
    """A line with its numbers, and the blanks that align them, left out."""
    return re.sub(r"\d+", "N", " ".join(text.split()))
