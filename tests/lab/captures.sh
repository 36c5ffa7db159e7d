#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# captures.sh: packet captures from Debian's source packages, fetched once; their directory on stdout.
set -euo pipefail
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/natflow
APT=$CACHE/apt
OUT=$CACHE/captures
# package, where captures are in it
FROM="wireshark:test/captures ndpi:tests/pcap tcpdump:tests"

"$(dirname "$0")/setup.sh" tools names >&2
if [ ! -e "$OUT/ready" ]; then
	rm -rf "$OUT"
	mkdir -p "$OUT/source/lists/partial"
	sed -n 's/^deb \(\[signed[^]]*\] [^ ]* bookworm main\)$/deb-src \1/p' "$APT/etc/sources.list" >"$OUT/source/list"
	WORLD=(-qq -c "$APT/apt.conf" -o "Dir::State::Lists=$OUT/source/lists" -o "Dir::Etc::SourceList=$OUT/source/list")
	apt-get "${WORLD[@]}" update >&2
	for from in $FROM; do
		(cd "$OUT/source" && apt-get "${WORLD[@]}" source --download-only --tar-only "${from%%:*}" >&2)
		tar -C "$OUT" -xf "$OUT/source/${from%%:*}"_*.orig.tar.* --wildcards "*/${from#*:}/*cap*"
	done
	rm -rf "$OUT/source"
	touch "$OUT/ready"
fi
echo "$OUT"
