#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shaping.sh: a full link with natflow's qdisc, with others' and without, on
# stock 6.1 in a VM that counts instructions; TAP, build/shaping.json and the
# plot build/shaping.svg.
set -euo pipefail
cd "$(dirname "$0")/../.."
K=6.1
LAB=tests/lab
$LAB/setup.sh tools kernel:$K >&2
$LAB/build.sh $K >&2
$LAB/image.sh $K build/lab/$K.cpio.gz
SMP=1 ACCEL=tcg QARGS="-icount shift=0,sleep=off" CPU=max,erms=off,fsrm=off APPEND="init_on_alloc=0" TMO=3600 \
	$LAB/vm.sh $K build/lab/$K.cpio.gz /lab/shaping.py </dev/null 2>&1 | tr -d '\r' >build/shaping.log
$LAB/plot.py build/shaping.log
