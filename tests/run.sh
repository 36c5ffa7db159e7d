#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh short|long|check|test-unit|test-browser|test-visit|test-install|test-names|fuzz|test-lab|test-hostile|test-selftest|endurance|mutants|bench|links: the test
# ladder. Every ring prints TAP; the last line is "N passed, N failed".
set -uo pipefail
cd "$(dirname "$0")/.."
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

# prepare NAME KERNEL: what a VM boots from; a failed point if that cannot be had.
prepare() {
	{ $LAB/setup.sh tools "kernel:$2" && $LAB/build.sh "$2" && $LAB/image.sh "$2" "build/lab/$2.cpio.gz"; } >&2 ||
		{ echo "not ok - cannot prepare the lab for $2" | tee "$TAP/$1-$2"; return 1; }
}

# run_vm KERNEL PATTERN LAST: one VM, all cases, or those behind the case that the file LAST names, which is kept.
# 2: the emulator ran a breakpoint that the kernel, which patches itself, had taken away already.
run_vm() {
	TMO=${TMO:-3000} APPEND="${APPEND:-} after=$(cat "$3")" $LAB/vm.sh "$1" "build/lab/$1.cpio.gz" \
		"/lab/run-cases.py${2:+,$2}" </dev/null | {
		local line status=1 began=
		while IFS= read -r line; do
			line=${line//$'\r'/}
			echo "$line"
			case $line in
			1..*) began=1 ;;
			"ok "*" # "* | "not ok "*" # "*) line=${line#*- } && echo "${line%% *}" >"$3" ;;
			*"int3: 0000 "*) status=2 ;;
			LAB-DONE*) status=0 ;;
			esac
		done
		[ "$began" ] || status=2
		return $status
	}
}

# boot KERNEL [PATTERN]: the same. After a breakpoint of the emulator's (see KEEP in run-cases.py) it goes on, twice at
# most, with the case that was under way.
boot() {
	local last status=2 tries
	last=$(mktemp)
	for tries in 1 2 3; do
		[ $status = 2 ] || break
		[ $tries = 1 ] || echo "# the emulator ran a breakpoint that was gone; on behind $(cat "$last")"
		run_vm "$1" "${2:-}" "$last"
		status=$?
	done
	rm "$last"
	return $status
}

# labs NAME PATTERN KERNEL...: the lab on each, two VMs at a time.
labs() {
	local name=$1 pattern=$2 k
	shift 2
	for k in "$@"; do
		prepare "$name" "$k" || return
	done
	while [ $# -gt 0 ]; do
		for k in "${@:1:2}"; do ring "$name-$k" boot "$k" "$pattern" & done
		wait
		shift $(($# > 1 ? 2 : 1))
	done
}

# hostile KERNEL...: all cases on each, which are many times as slow there: a VM for each file of them, two at a time.
hostile() {
	local k name
	for k in "$@"; do
		prepare lab "$k" || return
		for name in $LAB/cases/*.py; do
			name=$(basename "$name" .py)
			[ "$(jobs -rp | wc -l)" -lt 2 ] || wait -n
			ring "lab-$k-$name" boot "$k" "^${name}[.]" &
		done
		wait
	done
}

# What the parsers cost at worst, on this machine.
parsers() {
	mkdir -p build/unit
	gcc -std=gnu11 -O2 -o build/unit/bench_names tests/unit/bench_names.c lib/*.c -lnettle && build/unit/bench_names
}

# lib/ for programs that are not C.
library() {
	mkdir -p build/names
	gcc -std=gnu11 -O2 -shared -fPIC -o build/names/libnames.so lib/*.c -lnettle
}

# What Debian's Chromium says today, over TCP and QUIC.
browser() {
	$LAB/setup.sh tools browser >&2 && library && $LAB/browser.py build/names/libnames.so 1000 200
}

# A browser behind a gateway with natflow, over TCP and QUIC.
visit() {
	prepare visit 6.1 && $LAB/setup.sh visit >&2 && $LAB/visit.py $LAB/vm.sh 6.1 build/lab/6.1.cpio.gz
}

# What a stranger types: the README in a terminal.
install() {
	$LAB/setup.sh tools kernel:6.1 >&2 && $LAB/install.py
}

# Names that tshark shows in other people's captures, and ours.
names() {
	local captures
	captures=$($LAB/captures.sh) && library || return
	find "$captures" -type f -name '*cap*' -print0 | xargs -0 $LAB/names.py build/names/libnames.so
}

# What takes minutes: storms of one each, ten of a household, a million flows.
endurance() {
	TMO=5400 MEM=5120 APPEND=long labs endurance '^(storms|soak|scale|links.redials|flat.born)' 6.1
}

# selftests KERNEL...: the kernel's test of its flow table, RUNS times with MTUs that follow from SEED.
selftests() {
	local k
	for k in "$@"; do
		$LAB/setup.sh tools "kernel:$k" "selftests:$k" >&2 || { echo "not ok - no selftest of $k" | tee "$TAP/selftest-$k"; return; }
	done
	TMO=7200 labs selftest "${CASE:-.},/lab/selftest.py,${RUNS:-20},${SEED:-$RANDOM}" "$@"
}

case $1 in
short)
	rm -f "$TAP"/*
	ring unit tests/unit.sh
	# Two at a time. What says least about a kernel in the middle runs on the oldest and the newest only; all with test-all.
	if prepare lab 6.1 && prepare lab 6.12 && prepare lab newest; then
		ring lab-6.1 boot 6.1 &
		ring lab-6.12 boot 6.12 '^(?!flat|headers|links|packets|pmtu|storms|soak|scale|teardown)' &
		wait -n
		ring lab-newest boot newest &
		wait -n
	fi
	# The checks build the debug kernel, if there is none: a VM runs meanwhile.
	ring check nice tests/check.sh
	wait
	# Many times as slow: here the engine and conntrack, all cases with test-all or test-hostile.
	labs lab '^(nat|refuse|ipsec[.](dec|pol.*later)|conntrack[.](?!unseen)|memory|links[.]dsa_vlan|headers[.]qinq_v4|hostacl[.](live|list_live)|evasion.(overlap|chunk)|urls.chunk|dns.targets)' debug
	# Another architecture, another byte order: that packets are rewritten right; more with test-all.
	labs lab '^nat.(masquerade|snat_and_dnat)' 6.1-arm64 6.1-s390x
	ring fuzz tests/fuzz.sh 10
	ring browser browser
	ring install install
	ring bench $LAB/bench.sh
	;;
long)
	rm -f "$TAP"/*
	ring unit tests/unit.sh
	ring check tests/check.sh
	labs lab "" 6.1 6.12
	labs lab "" newest
	hostile debug kcsan
	labs lab '^(nat|conntrack|end|skb|refuse|learn|doors)' 6.1-arm64 6.1-s390x
	selftests 6.1 6.12 newest
	endurance
	ring fuzz tests/fuzz.sh 300
	ring browser browser
	ring visit visit
	ring install install
	ring names names
	ring mutants tests/mutants.py
	ring bench $LAB/bench.sh
	ring parsers parsers
	;;
check) rm -f "$TAP"/*; ring check tests/check.sh ;;
test-unit) rm -f "$TAP"/*; ring unit tests/unit.sh ;;
fuzz) rm -f "$TAP"/*; ring fuzz tests/fuzz.sh "${T:-60}" ;;
test-lab) rm -f "$TAP"/*; labs lab "${CASE:-}" "${K:-6.1}" ;;
test-hostile) rm -f "$TAP"/*; if [ "${CASE:-}" ]; then labs lab "$CASE" debug kcsan; else hostile debug kcsan; fi ;;
endurance) rm -f "$TAP"/*; endurance ;;
test-selftest) rm -f "$TAP"/*; selftests "${K:-6.1}" ;;
mutants) rm -f "$TAP"/*; ring mutants tests/mutants.py ;;
test-browser) rm -f "$TAP"/*; ring browser browser ;;
test-visit) rm -f "$TAP"/*; ring visit visit ;;
test-install) rm -f "$TAP"/*; ring install install ;;
test-names) rm -f "$TAP"/*; ring names names ;;
bench) rm -f "$TAP"/*; ring bench $LAB/bench.sh; ring parsers parsers ;;
links)
	rm -f "$TAP"/*
	labs lab '^links.matrix' 6.1 6.12 newest
	ring bench $LAB/bench.sh
	$LAB/links-table.py >Documentation/links.md
	;;
*) echo "run.sh: what is $1?" >&2; exit 2 ;;
esac
finish
