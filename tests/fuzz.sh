#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# fuzz.sh SECONDS: coverage-guided fuzzing of lib/, SECONDS for each target. TAP.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/lab/setup.sh tools check >&2
targets="pkt command listline tls quic dns http h2"
FLAGS=(-std=gnu11 -g -O1 -Wall -Werror -fno-sanitize-recover=all)
# lib/ is compiled once for all targets.
rm -rf build/fuzz/lib
mkdir -p build/fuzz/lib
for f in lib/*/*.c; do clang "${FLAGS[@]}" -fsanitize=fuzzer-no-link,address,undefined -c -o "build/fuzz/lib/$(basename "$f").o" "$f"; done
echo "1..$(wc -w <<<"$targets")"
n=0
for t in $targets; do
	n=$((n + 1))
	clang "${FLAGS[@]}" -fsanitize=fuzzer,address,undefined -o build/fuzz/$t tests/unit/fuzz_$t.c build/fuzz/lib/*.o -lnettle
	mkdir -p build/fuzz/corpus-$t
	if build/fuzz/$t -max_total_time="$1" -max_len=4096 -print_final_stats=1 -artifact_prefix=build/fuzz/ \
		build/fuzz/corpus-$t tests/unit/corpus/$t >build/fuzz/$t.log 2>&1; then
		echo "ok $n - fuzz $t: $(sed -n 's/stat::number_of_executed_units: *//p' build/fuzz/$t.log) inputs in $1 s"
	else
		echo "not ok $n - fuzz $t"
		tail -20 build/fuzz/$t.log | sed 's/^/# /'
	fi
done
