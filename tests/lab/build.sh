#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# build.sh KERNEL: build the modules, and the lab's own, against a kernel that
# setup.sh fetched, in build/KERNEL. The source tree stays clean. SPARSE=1:
# each source is read by sparse, with endian checks, too.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
K=$1
OUT=$TOP/build/$K
. "$TOP/tests/lab/target.sh"

mkdir -p "$OUT/src" "$OUT/lab"
exec 7>"$OUT/lock"
flock 7
SRC=$OUT/src LAB=$OUT/lab HEADERS=$CACHE/k/$K/headers RUN=()
ARGS=(KCFLAGS=-Werror W=1 "NAMES=$NAMES" CONFIG_DEBUG_INFO= CONFIG_DEBUG_INFO_BTF_MODULES=)
[ -z "${SPARSE:-}" ] || ARGS+=(C=2 CF=-D__CHECK_ENDIAN__)
if [[ $K == newest* ]]; then
	# Built inside the chroot, in a copy for this source tree.
	ROOT=$CACHE/trixie R=$(cat "$CACHE/k/$K/release") COPY=$(cksum <<<"$TOP${K#newest}" | cut -d' ' -f1)
	SRC=$ROOT/build/$COPY/natflow LAB=$ROOT/build/$COPY/lab HEADERS=/usr/src/linux-headers-$R
	RUN=(chroot "$ROOT")
	mkdir -p "$SRC" "$LAB"
	mountpoint -q "$ROOT/proc" || mount -t proc proc "$ROOT/proc"
fi
# Headers have no vmlinux to take types from.
[ -z "$CROSS" ] || ARGS+=("ARCH=$KERNEL_ARCH" "CROSS_COMPILE=$CROSS" CONFIG_DEBUG_INFO_BTF_MODULES=)
# What differs becomes new, however old it is where it comes from: make goes by times.
copy() { rsync -rlpgoD --checksum --delete --exclude-from="$TOP/.gitignore" --exclude .git --exclude build "$@"; }
copy "$TOP/" "$SRC/"
copy --exclude '/ppe*/' "$TOP/tests/lab/kmod/" "$LAB/"
"$TOP/tests/lab/ppe.sh" "$K" "$LAB"
inside() { echo "${1#"${ROOT:-}"}"; }
"${RUN[@]}" make -s -j"$(nproc)" -C "$HEADERS" M="$(inside "$SRC")" "${ARGS[@]}" modules
# Nobody reads what sparse says of the lab's modules, and without an emulator nobody runs them.
[ -z "${SPARSE:-}" ] && [ -n "${QEMU:-}" ] || exit 0
rm -f "$LAB/Module.symvers"	# modpost runs again: it does not notice that natflow's symbols changed
"${RUN[@]}" make -s -C "$HEADERS" M="$(inside "$LAB")" NATFLOW="$(inside "$SRC")" "${ARGS[@]}" modules
for f in "$SRC"/*.ko "$LAB"/*.ko "$LAB"/ppe*/*.ko; do
	[ -e "$f" ] || continue
	cp "$f" "$OUT/"
	"${CROSS}strip" -g "$OUT/$(basename "$f")"
done
