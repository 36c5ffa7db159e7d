# SPDX-License-Identifier: GPL-2.0-only
# What findings share: a temporary folder with pinned packages, and how to end. Sourced, not run.
set -euo pipefail
WORK=$(mktemp -d)
PIDS=()
trap 'for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null || true; done; rm -rf "$WORK"' EXIT

# packages NAME=VERSION...: unpacked, not installed, below $WORK/root.
packages() {
	(cd "$WORK" && apt-get -qq -o APT::Sandbox::User=root download "$@") ||
		{ echo "cannot fetch $*: not tried"; exit 2; }
	for deb in "$WORK"/*.deb; do dpkg-deb -x "$deb" "$WORK/root"; done
	PATH=$WORK/root/usr/sbin:$WORK/root/usr/bin:$WORK/root/sbin:$WORK/root/bin:$PATH
}

# seen WHAT GOT WANT: print what was seen; a difference ends the script with 1.
seen() {
	echo "$1: $2"
	[ "$2" = "$3" ] || { echo "changed: it was: $3"; exit 1; }
}
