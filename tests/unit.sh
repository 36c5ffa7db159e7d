#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# unit.sh: lib/ and natflow-list on the host under ASan and UBSan. TAP.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/lab/setup.sh tools >&2
mkdir -p build/unit
rm -f build/unit/*.tap
build() {
	gcc -std=gnu11 -g -O1 -Wall -Wextra -Wno-unused-parameter -Werror -fsanitize=address,undefined \
		-fno-sanitize-recover=all -o "build/unit/$1" "${@:2}" lib/*/*.c -lcmocka -lnettle
}
build natflow-list natflowctl/natflow-list.c
tests/unit/natflow-list.sh build/unit/natflow-list >build/unit/natflow-list.tap || true
for t in tests/unit/test_*.c; do
	name=$(basename "$t" .c)
	build "$name" "$t"
	CMOCKA_MESSAGE_OUTPUT=TAP "build/unit/$name" >"build/unit/$name.tap" 2>&1 || echo "# $name failed" >>"build/unit/$name.tap"
done
echo "1..$(cat build/unit/*.tap | sed -n 's/^1\.\.//p' | paste -sd+ | bc)"
cat build/unit/*.tap | grep -v '^1\.\.'
! grep -q '^# test_.* failed' build/unit/*.tap
