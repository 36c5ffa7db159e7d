#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# unit.sh: lib/ on the host under ASan and UBSan. TAP.
set -euo pipefail
cd "$(dirname "$0")/.."
tests/lab/setup.sh tools >&2
mkdir -p build/unit
gcc -std=gnu11 -g -O1 -Wall -Wextra -Wno-unused-parameter -Werror -fsanitize=address,undefined \
	-fno-sanitize-recover=all -o build/unit/test_lib tests/unit/test_lib.c lib/command.c -lcmocka
CMOCKA_MESSAGE_OUTPUT=TAP build/unit/test_lib
