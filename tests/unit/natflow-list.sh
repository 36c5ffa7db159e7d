#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# natflow-list.sh PROGRAM: what natflow-list takes, refuses, reports and writes. TAP.
set -uo pipefail
LIST=$(realpath "$1")
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T" || exit 1
N=0

# expect STATUS PATTERN ARGUMENTS...: the status, and stderr (or stdout, for --help) matches.
expect() {
	local status=$1 pattern=$2
	shift 2
	"$LIST" "$@" >out 2>err
	local got=$?
	N=$((N + 1))
	if [ $got = "$status" ] && grep -qE -- "$pattern" err out; then
		echo "ok $N - natflow-list $*"
	else
		echo "not ok $N - natflow-list $*: status $got, want $status; /$pattern/ in:"
		sed 's/^/# /' err
	fi
}

# The set holds this many domains, in a file of the size that its head says.
holds() {
	local buckets count
	read -r buckets count < <(od -An -tu4 -j24 -N8 "$1")
	N=$((N + 1))
	if [ "$count" = "$2" ] && [ "$(stat -c %s "$1")" = $((32 + 64 * buckets)) ]; then
		echo "ok $N - $1 holds $2"
	else
		echo "not ok $N - $1: $count domains in $buckets buckets, $(stat -c %s "$1") bytes, want $2 domains"
	fi
}

printf '\xef\xbb\xbf127.0.0.1 localhost\r\n0.0.0.0 A.example b.example\r\n' >hosts
printf '[Adblock Plus 2.0]\n||c.example^\n@@||d.example^\n||e.example^$script\n/re/\n||a.example^' >adblock
for i in $(seq 98412); do echo "name$i.example"; done >many
: >none

expect 0 '^Usage: natflow-list .*FILE' --help
expect 0 'natflow-list: 2 taken, 0 skipped$' -o set hosts
holds set 2
expect 1 "natflow-list: adblock:4: '\|\|e.example.*': expected nothing behind .*--skip-bad" -o refused hosts adblock
expect 0 'natflow-list: 3 taken, 2 skipped, first: line 4$' --skip-bad -o set adblock
expect 0 'natflow-list: 4 taken, 1 of them twice or more, 2 skipped, first: adblock line 4$' --skip-bad -o set hosts adblock
holds set 4
expect 0 'natflow-list: 98,412 taken, 0 skipped$' many
holds out 98412
expect 0 'natflow-list: 0 taken, 0 skipped$' none
holds out 0
expect 0 'natflow-list: 2 taken' - <hosts
expect 0 'natflow-list: 2 taken' <hosts
expect 1 'missing: No such file' hosts missing
expect 1 '/dev/full: No space left' -o /dev/full hosts
expect 2 'natflow-list --help' --nonsense
expect 2 'natflow-list --help' -o
N=$((N + 1))
if [ ! -e refused ]; then echo "ok $N - nothing is written of what is refused"; else echo "not ok $N - refused is there"; fi
N=$((N + 1))
if script -qec "'$LIST' hosts; echo status \$?" typescript </dev/null | grep -q 'status 2' && grep -q 'use -o SET' typescript; then
	echo "ok $N - a terminal gets no set"
else
	echo "not ok $N - a terminal"
	sed 's/^/# /' typescript
fi
echo "1..$N"
