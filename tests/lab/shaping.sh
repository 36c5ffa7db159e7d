#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shaping.sh: a full link with natflow's qdisc, with others' and without; TAP,
# build/shaping.json and the plot build/shaping.svg.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/lab/counted.sh shaping accuracy
tests/lab/plot.py build/shaping.log build/accuracy.log
