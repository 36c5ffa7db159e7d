#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# build.sh KERNEL: build the modules, and the lab's own, against a kernel that
# setup.sh fetched, in build/KERNEL. The source tree stays clean.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/natflow
K=$1
OUT=$TOP/build/$K
declare -A CROSS=([6.1-arm64]="arm64 aarch64-linux-gnu-" [6.1-mipsel]="mips mipsel-linux-gnu-" [6.1-s390x]="s390 s390x-linux-gnu-")

mkdir -p "$OUT/src" "$OUT/lab"
SRC=$OUT/src LAB=$OUT/lab HEADERS=$CACHE/k/$K/headers RUN=()
ARGS=(KCFLAGS=-Werror W=1)
if [ "$K" = newest ]; then
	# Built inside the chroot, in its own copy.
	ROOT=$CACHE/trixie R=$(cat "$CACHE/k/newest/release")
	SRC=$ROOT/build/natflow LAB=$ROOT/build/lab HEADERS=/usr/src/linux-headers-$R
	RUN=(chroot "$ROOT")
	mkdir -p "$SRC" "$LAB"
	mountpoint -q "$ROOT/proc" || mount -t proc proc "$ROOT/proc"
fi
if [ -n "${CROSS[$K]:-}" ]; then
	read -r arch prefix <<<"${CROSS[$K]}"
	ARGS+=("ARCH=$arch" "CROSS_COMPILE=$prefix")
fi
copy() { rsync -a --delete --exclude-from="$TOP/.gitignore" --exclude .git --exclude build "$@"; }
copy "$TOP/" "$SRC/"
copy "$TOP/tests/lab/kmod/" "$LAB/"
inside() { echo "${1#"${ROOT:-}"}"; }
"${RUN[@]}" make -s -C "$HEADERS" M="$(inside "$SRC")" "${ARGS[@]}" modules
[ -n "${CROSS[$K]:-}" ] || "${RUN[@]}" make -s -C "$HEADERS" M="$(inside "$LAB")" modules
for f in "$SRC"/*.ko "$LAB"/*.ko; do
	[ -e "$f" ] || continue
	cp "$f" "$OUT/"
	"${prefix:-}strip" -g "$OUT/$(basename "$f")"
done
