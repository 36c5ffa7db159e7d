#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh short|long|check|test-unit|fuzz|test-lab|test-hostile|bench: the test
# ladder. Every ring prints TAP; the last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/natflow
LAB=tests/lab
TAP=build/tap
mkdir -p "$TAP"

# ring NAME COMMAND...: run it, keep what it says, show the points that are not ok.
ring() {
	local name=$1 t0=$SECONDS
	shift
	echo "== $name"
	"$@" >"$TAP/$name" 2>&1
	echo "status $?" >>"$TAP/$name"
	grep -aE '^(ok|not ok) |^# ' "$TAP/$name" | grep -avE "${QUIET:-^$}"
	# No plan, a short plan or a bad end is a failure of its own.
	local want have
	want=$(sed -n 's/^.*\b1\.\.\([0-9][0-9]*\)$/\1/p' "$TAP/$name" | head -1)
	have=$(grep -acE '^(ok|not ok) ' "$TAP/$name")
	if [ "${want:-x}" != "$have" ] || ! grep -qaE '^status 0$' "$TAP/$name"; then
		echo "not ok - $name: ended early ($have of ${want:-?} points)" | tee -a "$TAP/$name"
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

# lab KERNEL [PATTERN]: boot the VM once and run the cases.
lab() {
	local k=$1 image=build/lab/$1.cpio.gz
	$LAB/setup.sh tools "kernel:$k" && libxt && $LAB/build.sh "$k" && $LAB/image.sh "$k" "$image" || return 1
	TMO=${TMO:-1500} $LAB/vm.sh "$k" "$image" "/lab/run-cases.py${2:+,$2}" </dev/null | tr -d '\r'
	grep -qa '^LAB-DONE' "$TAP/${RING:-lab-$k}"
}
test_lab() { RING=lab-$1 ring "lab-$1" lab "$@"; }

case $1 in
short | long)
	rm -f "$TAP"/*
	ring unit tests/unit.sh
	ring check tests/check.sh
	for k in 6.1 6.12 newest debug; do test_lab $k; done
	[ "$1" = short ] || ring fuzz tests/fuzz.sh 300
	[ "$1" = long ] || ring fuzz tests/fuzz.sh 10
	ring bench $LAB/bench.sh
	;;
check) rm -f "$TAP"/*; ring check tests/check.sh ;;
test-unit) rm -f "$TAP"/*; ring unit tests/unit.sh ;;
fuzz) rm -f "$TAP"/*; ring fuzz tests/fuzz.sh "${T:-60}" ;;
test-lab) rm -f "$TAP"/*; test_lab "${K:-6.1}" "${CASE:-}" ;;
test-hostile) rm -f "$TAP"/*; test_lab debug "${CASE:-}" ;;
bench) rm -f "$TAP"/*; ring bench $LAB/bench.sh ;;
*) echo "run.sh: what is $1?" >&2; exit 2 ;;
esac
finish
