#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""house.py RULE: print what breaks a rule of the source tree, one a line. RULE is the name of a function in RULES."""
import collections
import json
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
os.chdir(TOP)

# From below: a file includes files of its own room and of rooms before it.
ROOMS = ("include/uapi", "lib", "lib/names", "lib/text", "core/base", "core/topo", "core/flow", "core", "natflow_path", "policy", "shape",
         "names", "natflow_urllogger", "natflow_user", "natflow_limit", "natflow_access", "control", "natflow_main", "natflow_hwnat", "xt_FLOWOFFLOAD", "natflowctl")
# These know less than their place in the order allows.
ONLY = {"natflow_path": r"lib/|include/uapi|core/", "natflow_hwnat": r"control/api\.h|core/hw\.h|core/base/(netns|holder)\.h|lib/", "xt_FLOWOFFLOAD": r"control/api\.h|core/rules\.h|include/uapi", "natflowctl": r"lib/|natflow_hwnat/foe\.h"}
# Headers that only these files include.
PRIVATE = {"names/names.h": r"names/|natflow_urllogger\.c", "names/flow.h": r"names/"}

FILE_LINES = 800
FUNCTION_LINES = 100
HOOK_LINES = 60             # functions of natflow_path.c
COLUMNS = 100               # a tab reaches to the next multiple of 8
IFS_IN_FUNCTIONS = 5        # in all of the module
WINDOW = 8                  # lines that stand in two places


def listed(*patterns):
    return subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", *patterns], text=True).split()


def sources():
    """The product's C files, without what stands between it and kernels, and between lib/ and the host."""
    return [f for f in listed("*.c", "*.h") if not f.startswith(("tests/", "compat/")) and f != "lib/host.h"]


def text(file):
    return pathlib.Path(file).read_text(encoding="utf-8")


def room(file):
    """The innermost room that a file is in."""
    return max((r for r in ROOMS if file == r or file.startswith((r + "/", r + "."))), key=len, default=None)


def includes(file):
    for name in re.findall(r'^#include "([^"]+)"', text(file), re.M):
        path = os.path.normpath(os.path.join(os.path.dirname(file), name))
        if os.path.exists(path):
            yield path


def functions():
    """(file, name, first line, last line, is it static) of each function."""
    out = subprocess.check_output(["ctags", "-f", "-", "--output-format=json", "--fields=+nef", "--kinds-C=f", *sources()], text=True)
    for line in out.splitlines():
        tag = json.loads(line)
        yield tag["path"], tag["name"], tag["line"], tag.get("end", tag["line"]), tag.get("file", False)


def layers():
    for file in sources():
        mine = room(file)
        if mine is None:
            yield f"{file} is in no room of ROOMS"
            continue
        for other in includes(file):
            theirs = room(other)
            if not re.match(PRIVATE.get(other, ""), file):
                yield f"{file} must not include {other}, which is private"
            if theirs == mine:
                continue
            if theirs is None or ROOMS.index(theirs) > ROOMS.index(mine) or not re.match(ONLY.get(mine, ""), other):
                yield f"{file} must not include {other}"


def circles():
    """Files that need one another; NAME.c and NAME.h count as one."""
    needs = collections.defaultdict(set)
    for file in sources():
        needs[file[:-2]] |= {other[:-2] for other in includes(file)} - {file[:-2]}
    reach = {}
    for file in needs:
        seen, todo = set(), [file]
        while todo:
            for other in needs.get(todo.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        reach[file] = seen
    for ring in {tuple(sorted(other for other in reach[f] if f in reach.get(other, ()))) for f in needs if f in reach[f]}:
        yield "a circle of includes: " + ", ".join(ring)


def sizes():
    for file in sources() + [f for f in listed("tests") if f.endswith((".c", ".h", ".py", ".sh"))]:
        if text(file).count("\n") > FILE_LINES:
            yield f"{file}: {text(file).count(chr(10))} lines ({FILE_LINES})"
    for file, name, first, last, _ in functions():
        most = HOOK_LINES if file == "natflow_path.c" else FUNCTION_LINES
        if last - first >= most:
            yield f"{file}: {name} has {last - first + 1} lines ({most})"


def columns():
    """Lists of X-macros and strings that users see may be wider: they cannot be broken."""
    for file in sources():
        if file.endswith("natflow_reason.h"):
            continue
        for number, line in enumerate(text(file).splitlines(), 1):
            if len(line.expandtabs(8)) > COLUMNS and not re.search(r'"[^"]*"[,;)]* ?\\?$|^\s*X\(|^\s*"', line):
                yield f"{file}:{number}: {len(line.expandtabs(8))} columns ({COLUMNS})"


def conditions():
    """Preprocessor conditions within functions."""
    found = []
    ranges = collections.defaultdict(list)
    for file, _, first, last, _ in functions():
        ranges[file].append((first, last))
    for file, spans in ranges.items():
        for number, line in enumerate(text(file).splitlines(), 1):
            if line.startswith("#if") and any(a <= number <= b for a, b in spans):
                found.append(f"{file}:{number}: {line}")
    if len(found) > IFS_IN_FUNCTIONS:
        yield from found


def prefixes():
    for file, name, _, _, static in functions():
        if not static and not re.match(r"natflow_|init_module|cleanup_module", name) and not file.startswith("natflowctl/"):
            yield f"{file}: {name}() has no prefix natflow_"


def versions():
    for file in sources():
        for number, line in enumerate(text(file).splitlines(), 1):
            if re.search(r"LINUX_VERSION_CODE|KERNEL_VERSION\(", line):
                yield f"{file}:{number}: kernel versions belong into compat/"
            if re.search(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b", line):
                yield f"{file}:{number}: unfinished"


def windows():
    """Lines that mean something, WINDOW of them in a row, in two places."""
    seen = {}
    for file in sources():
        lines = [(n, re.sub(r"\s+", " ", line).strip()) for n, line in enumerate(text(file).splitlines(), 1)]
        lines = [(n, line) for n, line in lines if re.search(r"\w", line) and not re.match(r"(/?\*|//|#include|[{}]$)", line)]
        last = None
        for i in range(len(lines) - WINDOW + 1):
            key = tuple(line for _, line in lines[i:i + WINDOW])
            if key not in seen:
                seen[key] = file, lines[i][0]
            elif last != i - 1:
                yield f"{file}:{lines[i][0]} stands again at {seen[key][0]}:{seen[key][1]}"
                last = i
            else:
                last = i


BOUND = r"^#define\s+(\w*(?:_MAX|_MIN|_LIMIT|_BUDGET|_AT_ONCE|SLOTS|PLACES|_RATE|_ALL|_SYNS|_PASSING|_RECENT))\s+(.+?)\s*(?:/\*.*)?$"
THREATS = "Documentation/threats.md"


def rows(document, title):
    """The cells of the tables below a title, without their heads."""
    part = text(document).split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    for line, below in zip(lines, lines[1:] + [""]):
        if not re.match(r"[-|]+$", line) and not re.match(r"[-|]+$", below):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def defaults():
    """Of settings, as their rows in the table of words give them."""
    return dict(re.findall(r"SETTING\((\w+), \w+, [^,]+, [^,]+, ([^,]+),", text("lib/text/settings.h")))


def keys():
    """Of /proc/natflow: reasons, and what the status files print."""
    reasons = re.findall(r'^\tX\((\w+), \w+, "([^"]+)"', text("include/uapi/linux/natflow_reason.h"), re.M)
    printed = re.findall(r'"([a-z][\w.-]+)[ :]', "".join(text(f) for f in listed("control/*.c")))
    printed += ["refused." + key for key in re.findall(r'X\(\w+, "([^"]+)"', text("natflow_hwnat/reason.h"))]
    return {".".join(r) for r in reasons} | set(printed)


def bounds():
    """The tables of bounds in Documentation/threats.md have every bound of the code, with its value and its counter."""
    settings, counters, shown = defaults(), keys(), set()
    for what, value, _, counter, _ in rows(THREATS, "Bounds"):
        value = value.strip("`")
        for key in re.findall(r"`([^`]+)`", counter):
            if key not in counters:
                yield f"{THREATS}: {what}: no counter {key}"
        for file, name in re.findall(r"`([\w/]+\.[ch])` `(\w+)`", what):
            shown.add((file, name))
            found = re.search(rf"^#define\s+{name}\s+(.+?)\s*(?:/\*.*)?$", text(file), re.M)
            if not found or found[1] != value:
                yield f"{THREATS}: {name} of {file} is {found[1] if found else 'unknown'} in the code, not {value}"
        for word in re.findall(r"^(?:\w+: )?`(\w+)=`", what):
            if settings.get(word) != value:
                yield f"{THREATS}: {word}= is {settings.get(word)} in the code, not {value}"
    sizes_of_formats = set(re.findall(r"`([\w/.:]+)`", text(THREATS).split("Not bounds", 1)[1].split("\n## ", 1)[0]))
    for file in sources():
        if file.startswith(("core/", "names/", "natflow_hwnat/", "policy/", "shape/")):
            for name, _ in re.findall(BOUND, text(file), re.M):
                if (file, name) not in shown and not {name, f"{file}:{name}"} & sizes_of_formats:
                    yield f"{file}: {name} is not in {THREATS}"


def family():
    """Documentation/natflow.yaml has the commands and attributes of include/uapi/linux/natflow.h, in their order."""
    header, spec = text("include/uapi/linux/natflow.h"), text("Documentation/natflow.yaml")
    for prefix, part in re.findall(r"name-prefix: (natflow-[a-z-]+)-\n(.*?)(?=\n +name-prefix:|\noperations:|\Z)", spec, re.S):
        start = prefix.upper().replace("-", "_") + "_"
        names = [start + n.upper().replace("-", "_") for n in re.findall(r"^ {6}(?:  )?name: ([a-z-]+)$", part, re.M)]
        body = re.search(rf"{{\s*{start}UNSPEC,(.*?)__{start}LAST", header, re.S).group(1)
        if re.findall(r"^\t(NATFLOW_\w+),", body, re.M) != names:
            yield f"Documentation/natflow.yaml has other {prefix} than the header, or another order"


RULES = {rule.__name__: rule for rule in (layers, circles, sizes, columns, conditions, prefixes, versions, windows, bounds, family)}


def main(names):
    for name in names or RULES:
        for problem in sorted(RULES[name]()):
            print(problem)


main(sys.argv[1:])
