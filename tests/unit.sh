#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# unit.sh: lib/ and the tools on the host under ASan and UBSan; what hardware reads also with words of 32 bits and
# on a big-endian machine. TAP.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/lab/setup.sh tools check >&2
mkdir -p build/unit
rm -f build/unit/*.tap
FLAGS=(-std=gnu11 -g -O1 -Wall -Wextra -Wno-unused-parameter -Werror -fsanitize=address,undefined -fno-sanitize-recover=all)
build() { gcc "${FLAGS[@]}" -o "build/unit/$1" "${@:2}" build/unit/lib/*.o -lcmocka -lnettle; }
# lib/ is compiled once for all tests.
rm -rf build/unit/lib
mkdir build/unit/lib
for f in lib/*/*.c; do gcc "${FLAGS[@]}" -c -o "build/unit/lib/$(basename "$f").o" "$f"; done
build natflow-ppe natflowctl/natflow-ppe.c natflow_hwnat/foe.c
tests/unit/natflow-ppe.sh build/unit/natflow-ppe >build/unit/natflow-ppe.tap || true
build natflow-list natflowctl/natflow-list.c
tests/unit/natflow-list.sh build/unit/natflow-list >build/unit/natflow-list.tap || true
run() {
	CMOCKA_MESSAGE_OUTPUT=TAP "${@:2}" >"build/unit/$1.tap" 2>&1 || echo "# $1 failed" >>"build/unit/$1.tap"
}
for t in tests/unit/test_*.c; do
	name=$(basename "$t" .c)
	build "$name" "$t"
	run "$name" "build/unit/$name"
done
for machine in i686 s390x; do
	$machine-linux-gnu-gcc -std=gnu11 -O1 -Wall -Wextra -Wno-unused-parameter -Werror -static -Itests/unit/foreign \
		-o build/unit/foe.$machine tests/unit/test_foe.c
done
run test_foe_i686 build/unit/foe.i686
run test_foe_s390x qemu-s390x-static build/unit/foe.s390x
echo "1..$(cat build/unit/*.tap | sed -n 's/^1\.\.//p' | paste -sd+ | bc)"
cat build/unit/*.tap | grep -v '^1\.\.'
! grep -q '^# test_.* failed' build/unit/*.tap
