#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh: instructions per packet on stock 6.1, counted by QEMU (one
# instruction is one nanosecond of guest time), held against budgets. Results
# go to build/bench.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
K=6.1
LAB=tests/lab
$LAB/setup.sh tools kernel:$K >&2
make -s KDIR="${XDG_CACHE_HOME:-$HOME/.cache}/natflow/k/$K/headers" xt_FLOWOFFLOAD/libxt_FLOWOFFLOAD.so
$LAB/build.sh $K >&2
$LAB/image.sh $K build/lab/$K.cpio.gz
# No fast string instructions: each byte of a "rep stosb" would count as an instruction.
SMP=1 ACCEL=tcg QARGS="-icount shift=0,sleep=off" CPU=max,erms=off,fsrm=off APPEND="init_on_alloc=0" TMO=600 \
	$LAB/vm.sh $K build/lab/$K.cpio.gz /lab/bench.py </dev/null | tr -d '\r' >build/bench.log
python3 - <<'PY'
import json, re
BUDGET = {("nat-udp-v4", "natflow"): 1005, ("memory-v4", "natflow"): 448}
rows, ok = [], True
text = open("build/bench.log", errors="replace").read()
for case, path, flows, value in re.findall(r"^BENCH (\S+) (\S+) (\d+) (\d+)$", text, re.M):
    unit = "bytes/flow" if case.startswith("memory") else "instructions/packet"
    rows.append({"case": case, "path": path, "flows": int(flows), "unit": unit, "value": int(value)})
json.dump(rows, open("build/bench.json", "w"), indent=1)
value = {(r["case"], r["path"], r["flows"]): r["value"] for r in rows}
checks = [(f"{c} {p} {f} flows: {v} <= {BUDGET[c, p]}", v <= BUDGET[c, p])
          for (c, p, f), v in value.items() if (c, p) in BUDGET]
for f in (1, 1000):
    a, b = value.get(("nat-udp-v4", "natflow", f)), value.get(("nat-udp-v6", "natflow", f))
    if a and b:
        checks.append((f"v6 {f} flows: {b} <= {a} + 15 %", b <= a * 1.15))
    other = value.get(("nat-udp-v4", "nf_flow_table", f))
    if a and other:
        checks.append((f"v4 {f} flows: {a} < nf_flow_table's {other}", a < other))
checks.append(("all cases measured", len(rows) == 15))
print(f"1..{len(checks)}")
for r in rows:
    print(f"# {r['case']} {r['path']} {r['flows']} flows: {r['value']} {r['unit']}")
for i, (what, good) in enumerate(checks, 1):
    print(f"{'ok' if good else 'not ok'} {i} - bench {what}")
if len(rows) != 15:
    print("\n".join("# " + l for l in text.splitlines()[-20:]))
PY
