#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# demo.sh [--shell]: a client, a gateway and a server in a VM with a stock
# Debian kernel. The same downloads, uploads and port forwards by the stack, by
# nf_flow_table and by natflow; fails unless every byte is right and natflow
# did the work. --shell: a prompt on that gateway instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
LAB=tests/lab K=6.1 T0=$SECONDS
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/natflow
step() { echo "[$((SECONDS - T0)) s] $*"; }

step "fetching what is missing: 300 MB and two to five minutes the first time, little or nothing later"
$LAB/setup.sh tools kernel:$K
step "building natflow for $(cat "$CACHE/k/$K/release")"
$LAB/build.sh $K 2>&1 | { grep -v '^Skipping BTF' || true; }
$LAB/image.sh $K build/lab/$K.cpio.gz

if [ "${1:-}" = --shell ]; then
	step "booting"
	SERIAL=chardev:tty QARGS="-chardev stdio,id=tty,signal=off" TMO=86400 \
		$LAB/vm.sh $K build/lab/$K.cpio.gz shell
	exit
fi

LOG=build/demo.log
: >$LOG
# vm NAME: run one part, show its progress.
vm() {
	{ $LAB/vm.sh $K build/lab/$K.cpio.gz "$1" </dev/null 2>>$LOG || true; } | tr -d '\r' | tee -a $LOG |
		sed -u -n 's/^# /      /p'
}
step "booting: veth ports, GRO on"
vm /lab/demo.py,veth
step "booting: virtio-net ports"
nic() { echo "-netdev hubport,id=n$1,hubid=$2 -device virtio-net-pci,netdev=n$1,mac=52:54:00:00:00:0$1"; }
QARGS="$(nic 1 1) $(nic 2 1) $(nic 3 2) $(nic 4 2)" vm /lab/demo.py,virtio
step "booting: counting instructions"
SMP=1 ACCEL=tcg QARGS="-icount shift=0,sleep=off" CPU=max,erms=off,fsrm=off APPEND="init_on_alloc=0" \
	vm /lab/bench.py,1
python3 - $LOG $((SECONDS - T0)) <<'PY'
import json, re, sys
log = open(sys.argv[1], errors="replace").read()
rows = [json.loads(l[5:]) for l in log.splitlines() if l.startswith("DEMO ")]
cost = {(f, p): int(v) for f, p, v in re.findall(r"^BENCH nat-udp-v(\d) (\S+) 1 (\d+)$", log, re.M)}
bad = [r["trouble"] for r in rows if "trouble" in r]
rows = [r for r in rows if "trouble" not in r]
line = "{:<7} {:<14} {:>13} {:>9} {:>9} {:>9} {:>8}  {}".format
print()
print(line("ports", "path", "bytes ok", "packets", "FORWARD", "natflow", "Mbit/s", "instr/pkt v4, v6"))
for r in rows:
    count = cost.get(("4", r["path"]), 0), cost.get(("6", r["path"]), 0)
    print(line(r["ports"], r["path"], f"{r['good']}/{r['all']} {r['bytes'] >> 20} MB", r["packets"], r["forward"],
               r["natflow"], f"{r['mbit']:.0f}", f"{count[0]}, {count[1]}"))
    if r["good"] != r["all"]:
        bad.append(f"{r['ports']} {r['path']}: {r['all'] - r['good']} of {r['all']} jobs failed")
    if r["path"] == "natflow" and r["natflow"] < 19 * r["forward"]:
        bad.append(f"{r['ports']}: natflow forwarded {r['natflow']} packets, the stack {r['forward']}")
print("""
bytes ok   jobs whose bytes arrived (curl: with the right sha256), and how much
packets    received by the gateway's ports, before GRO merges them
FORWARD    packets that entered that chain
natflow    packets natflow forwarded
Mbit/s     of all TCP jobs; client, gateway and server share one emulated machine
instr/pkt  for NAT of 60-byte UDP packets, counted by the emulator""")
print("\n".join(l[5:] for l in log.splitlines() if l.startswith("SHOW")))
if len(rows) != 6:
    bad.append(f"only {len(rows)} of 6 rows; see build/demo.log")
if len(cost) != 6:
    bad.append("instructions were not counted; see build/demo.log")
for b in bad:
    print("FAILED: " + b)
print(f"\n{'demo failed' if bad else 'demo ok'}, {sys.argv[2]} s")
sys.exit(bool(bad))
PY
