#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh short|long|check|test-unit|fuzz|test-lab|test-hostile|mutants|bench: the test
# ladder. Every ring prints TAP; the last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/natflow
LAB=tests/lab
TAP=build/tap
mkdir -p "$TAP"

# ring NAME COMMAND...: run it, show its points as they come, keep all it says.
ring() {
	local name=$1 t0=$SECONDS want have status
	shift
	echo "== $name"
	"$@" 2>&1 | tee "$TAP/$name" | grep -aE --line-buffered '^(ok|not ok) |^# '
	status=${PIPESTATUS[0]}
	# No plan, a short plan or a bad end is a failure of its own.
	want=$(sed -n 's/^.*\b1\.\.\([0-9][0-9]*\)$/\1/p' "$TAP/$name" | head -1)
	have=$(grep -acE '^(ok|not ok) ' "$TAP/$name")
	if [ "${want:-x}" != "$have" ] || [ "$status" != 0 ]; then
		echo "not ok - $name: ended early ($have of ${want:-?} points, status $status)" | tee -a "$TAP/$name"
		tail -15 "$TAP/$name" | sed 's/^/# /'
	fi
	echo "# $name took $((SECONDS - t0)) s"
}

finish() {
	local passed failed
	passed=$(cat "$TAP"/* | grep -acE '^ok ')
	failed=$(cat "$TAP"/* | grep -acE '^not ok ')
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

libxt() { make -s KDIR="$CACHE/k/6.1/headers" xt_FLOWOFFLOAD/libxt_FLOWOFFLOAD.so; }

prepare() {
	$LAB/setup.sh tools "kernel:$1" && libxt && $LAB/build.sh "$1" && $LAB/image.sh "$1" "build/lab/$1.cpio.gz"
}

# boot KERNEL [PATTERN]: one VM, all cases.
boot() {
	TMO=${TMO:-2400} $LAB/vm.sh "$1" "build/lab/$1.cpio.gz" "/lab/run-cases.py${2:+,$2}" </dev/null | {
		local line status=1
		while IFS= read -r line; do
			echo "${line//$'\r'/}"
			[[ $line != LAB-DONE* ]] || status=0
		done
		return $status
	}
}

# labs PATTERN KERNEL...: the lab on each, two VMs at a time.
labs() {
	local pattern=$1 k
	shift
	for k in "$@"; do
		prepare "$k" >&2 || { echo "not ok - cannot prepare the lab for $k" | tee "$TAP/lab-$k"; return; }
	done
	while [ $# -gt 0 ]; do
		for k in "${@:1:2}"; do ring "lab-$k" boot "$k" "$pattern" & done
		wait
		shift $(($# > 1 ? 2 : 1))
	done
}

case $1 in
short | long)
	rm -f "$TAP"/*
	ring unit tests/unit.sh
	ring check tests/check.sh
	labs "" 6.1 6.12
	labs "" newest
	# Ten times as slow: here the engine and conntrack, all cases with test-all or test-hostile.
	if [ "$1" = short ]; then labs '^(nat|refuse|ipsec|conntrack|memory)' debug; else labs "" debug; fi
	[ "$1" = short ] || ring fuzz tests/fuzz.sh 300
	[ "$1" = short ] || ring mutants tests/mutants.py
	[ "$1" = long ] || ring fuzz tests/fuzz.sh 10
	ring bench $LAB/bench.sh
	;;
check) rm -f "$TAP"/*; ring check tests/check.sh ;;
test-unit) rm -f "$TAP"/*; ring unit tests/unit.sh ;;
fuzz) rm -f "$TAP"/*; ring fuzz tests/fuzz.sh "${T:-60}" ;;
test-lab) rm -f "$TAP"/*; labs "${CASE:-}" "${K:-6.1}" ;;
test-hostile) rm -f "$TAP"/*; labs "${CASE:-}" debug ;;
mutants) rm -f "$TAP"/*; ring mutants tests/mutants.py ;;
bench) rm -f "$TAP"/*; ring bench $LAB/bench.sh ;;
*) echo "run.sh: what is $1?" >&2; exit 2 ;;
esac
finish
