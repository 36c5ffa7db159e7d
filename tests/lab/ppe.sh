#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# ppe.sh KERNEL DIR: put the kernel's own driver of the PPE beside our shim, in DIR/ppe, as it is, and in
# DIR/ppe_patched with natflow_hwnat/patches. Without that source: no PPE. The files' sums go to DIR/ppe/SHA256.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
K=${1%-core} DIR=$2
K=${K/debug/6.1}
TREE=${XDG_CACHE_HOME:-$HOME/.cache}/natflow/k/$K.mediatek FILES=drivers/net/ethernet/mediatek
[ -d "$TREE/$FILES" ] || exit 0
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT

# put NAME: what differs becomes new, and nothing else, as make goes by times.
put() {
	cp "$TOP"/tests/lab/kmod/ppe_emulate.[ch] "$TOP"/tests/lab/kmod/ppe/* "$T/"
	mkdir -p "$DIR/$1"
	(cd "$T" && sha256sum mtk_ppe*.c mtk_ppe*.h) >"$T/SHA256"
	rsync -rlpgoD --checksum "$T/" "$DIR/$1/"
}

cp "$TREE/$FILES"/{mtk_ppe,mtk_ppe_offload,mtk_ppe_debugfs}.c "$TREE/$FILES"/*.h "$T/"
put ppe
SERIES=$(grep -oE '^[0-9]+\.[0-9]+' "${TREE%.mediatek}/release")
[ -d "$TOP/natflow_hwnat/patches/$SERIES" ] || exit 0
mkdir -p "$T/tree/$FILES"
cp "$TREE/$FILES"/*.[ch] "$T/tree/$FILES/"
for p in "$TOP/natflow_hwnat/patches/$SERIES"/*.patch; do patch -s -F 0 -p1 -d "$T/tree" <"$p"; done
cp "$T/tree/$FILES"/{mtk_ppe,mtk_ppe_offload,mtk_ppe_debugfs}.c "$T/tree/$FILES"/*.h "$T/"
rm -rf "$T/tree"
put ppe_patched
