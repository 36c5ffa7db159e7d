#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""plot.py LOG...: judges the output of shaping.py and accuracy.py. Prints TAP, writes build/shaping.json and build/shaping.svg."""
import json
import math
import re
import sys

COLOUR = {"natflow": "#1b7837", "cake": "#2166ac", "htb+fq_codel": "#b35806", "nothing": "#b2182b"}
LEFT, TOP, WIDTH, HEIGHT = 60, 20, 640, 300
LOW, HIGH = 100, 400_000        # us, on a logarithmic axis


def read(paths):
    text = ""
    for path in paths:
        with open(path, encoding="utf-8", errors="replace") as f:
            text += f.read()
    figures = {(q, what): float(v) for q, what, v in re.findall(r"^SHAPE (\S+) (\S+) (\S+)$", text, re.M)}
    delays = {}
    for queue, ms, us in re.findall(r"^DELAY (\S+) (\d+) (\w+)$", text, re.M):
        delays.setdefault(queue, []).append((int(ms), None if us == "lost" else int(us)))
    return figures, delays, text.count("LAB-DONE") == len(paths)


def height(us):
    part = math.log(max(LOW, min(us, HIGH)) / LOW) / math.log(HIGH / LOW)
    return TOP + HEIGHT * (1 - part)


def svg(delays):
    longest = max(ms for points in delays.values() for ms, _ in points)

    def x(ms):
        return LEFT + WIDTH * ms / longest
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {TOP + HEIGHT + 70}" font-family="sans-serif" font-size="12">',
           "<!-- SPDX-License-Identifier: GPL-2.0-only; made by make shaping -->",
           f'<rect width="{LEFT + WIDTH + 20}" height="{TOP + HEIGHT + 70}" fill="white"/>']
    for us, label in ((100, "0.1 ms"), (1000, "1 ms"), (10_000, "10 ms"), (100_000, "100 ms")):
        y = height(us)
        out += [f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ccc"/>',
                f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>']
    for second in range(longest // 1000 + 1):
        out.append(f'<text x="{x(second * 1000):.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{second} s</text>')
    for n, (queue, points) in enumerate(delays.items()):
        path = " ".join(f"{x(ms):.1f},{height(us):.1f}" for ms, us in points if us is not None)
        out += [f'<polyline fill="none" stroke="{COLOUR[queue]}" stroke-width="1.3" points="{path}"/>',
                f'<rect x="{LEFT + n * 150}" y="{TOP + HEIGHT + 36}" width="12" height="12" fill="{COLOUR[queue]}"/>',
                f'<text x="{LEFT + n * 150 + 18}" y="{TOP + HEIGHT + 46}">{queue}</text>']
    return "\n".join(out + ["</svg>"]) + "\n"


def accuracy(f):
    """A line has its rate; a rule's lets one TCP connection have most of it."""
    for (what, rate), share in f.items():
        out, flows, trip = (what.split("-") + ["", ""])[:3]
        # One connection cannot fill every line behind a long round trip: told, not judged.
        if out == "shape" and (flows, trip) == ("1", "1ms"):
            yield f"{what} {rate}: {share} is 1 +- 2 %", abs(share - 1) <= 0.02
        if out == "police" and rate == "20000kbit":
            yield f"{what} {rate}: {share} >= 0.85", share >= 0.85


def claims(f):
    ours, cake = f["natflow", "call-p99-us"], f["cake", "call-p99-us"]
    yield f"a call's delay, p99: {ours:.0f} us <= 5 ms", ours <= 5000
    # A frame takes 606 us: what is on the link when a packet comes is chance.
    yield f"a call's delay, p99: {ours:.0f} us <= cake's {cake:.0f} us + a frame's 606", ours <= cake + 606
    down = f["natflow-rx", "call-p99-us"]
    yield f"a call's delay in a download, p99: {down:.0f} us <= 5 ms", down <= 5000
    for way in ("natflow", "natflow-rx"):
        yield f"{way}: the call lost {f[way, 'call-lost']:.0f} packets", f[way, "call-lost"] == 0
        for what in ("1-flow-beside-64", "v4-and-v6-beside-v4"):
            yield f"{way}: Jain's index of two users, {what}: {f[way, 'jain-' + what]} >= 0.99", f[way, "jain-" + what] >= 0.99
    for what in ("1-flow-beside-64", "v4-and-v6-beside-v4"):
        use = f["natflow", "use-" + what]
        yield f"the link's use, {what}: {use} is 1 +- 3 %", abs(use - 1) <= 0.03
    yield from accuracy(f)
    worst = f["nothing", "call-p99-us"]
    yield f"without a rate at the gateway a call waits longer: {worst:.0f} us", worst > 10 * ours


def main(*paths):
    figures, delays, done = read(paths)
    lines = [("the whole was measured", done)] + (list(claims(figures)) if done else [])
    for n, (claim, good) in enumerate(lines, 1):
        print(f"{'ok' if good else 'not ok'} {n} - {claim}")
    print(f"1..{len(lines)}")
    with open("build/shaping.json", "w", encoding="utf-8") as f:
        json.dump([{"queue": q, "what": w, "value": v} for (q, w), v in figures.items()], f, indent=1)
    for (queue, what), value in figures.items():
        print(f"# {queue} {what} {value:g}")
    if delays:
        with open("build/shaping.svg", "w", encoding="utf-8") as f:
            f.write(svg(delays))
    return not all(good for _, good in lines)


sys.exit(main(*sys.argv[1:]))
