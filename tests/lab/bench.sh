#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh: instructions per packet, held against budgets. Results go to
# build/bench.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/lab/counted.sh bench benchtcp
tests/lab/budgets.py build/bench.log build/benchtcp.log
