# SPDX-License-Identifier: GPL-2.0-only
"""The blocks of commands in README.md and Documentation/*.md."""
import glob
import os
import re

TOP = os.path.abspath(os.path.dirname(__file__) + "/../..")


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
    return lines


def command(line):
    """A line of a block without its comment."""
    return re.sub(r"\s+#\s.*", "", line)
