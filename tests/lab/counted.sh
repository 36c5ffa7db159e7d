#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# counted.sh PROGRAM...: run tests/lab/PROGRAM.py on stock 6.1, in a VM each
# that counts instructions (one is one nanosecond of guest time). What they
# print goes to build/PROGRAM.log.
set -euo pipefail
cd "$(dirname "$0")/../.."
K=6.1
LAB=tests/lab
$LAB/setup.sh tools kernel:$K >&2
$LAB/build.sh $K >&2
$LAB/image.sh $K build/lab/$K.cpio.gz
# One CPU. No fast string instructions: each byte of a "rep stosb" would count as an instruction.
for what; do
	SMP=1 ACCEL=tcg QARGS="-icount shift=0,sleep=off" CPU=max,erms=off,fsrm=off APPEND="init_on_alloc=0" TMO=3600 \
		$LAB/vm.sh $K build/lab/$K.cpio.gz "/lab/$what.py" </dev/null 2>&1 | tr -d '\r' >"build/$what.log" &
done
wait
