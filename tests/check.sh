#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# check.sh: everything that needs no running kernel. TAP.
set -uo pipefail
cd "$(dirname "$0")/.."
tests/lab/setup.sh tools check kernel:6.1 kernel:6.12 kernel:newest kernel:debug kernel:6.1-s390x-core \
	headers:mipsel headers:s390x >&2 || exit 1
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/natflow
SOURCE=$CACHE/k/debug/source
N=0
# point NAME COMMAND...: ok if it succeeds and prints nothing.
point() {
	local name=$1 out status
	shift
	N=$((N + 1))
	out=$("$@" 2>&1)
	status=$?
	if [ $status = 0 ] && [ -z "$out" ]; then
		echo "ok $N - $name"
	else
		echo "not ok $N - $name"
		printf '%s\n' "$out" | head -30 | sed 's/^/# /'
	fi
}

build() { tests/lab/build.sh "$1" 2>&1 | grep -v '^Skipping BTF'; return "${PIPESTATUS[0]}"; }

# sparse with endian checks, over natflow's own sources only.
sparse_clean() {
	SPARSE=1 tests/lab/build.sh 6.1 2>&1 | grep -F "$PWD/build/6.1/src/" | grep -vE '^Skipping|BTF' || true
}

checkpatch() {
	# Trace headers and the X-macros are their frameworks' style, not checkpatch's.
	git ls-files '*.c' '*.h' |
		grep -vE '^(tests/unit|core/base/trace.h|xt_FLOWOFFLOAD/libxt|lib/host.h|include/uapi/linux/natflow_reason.h|tests/lab/kmod/.*compat|tests/lab/prog/)' |
		xargs perl "$SOURCE/scripts/checkpatch.pl" --no-tree --strict --terse --show-types --file --max-line-length=100 \
			--ignore CAMELCASE,COMPLEX_MACRO,MACRO_ARG_REUSE,MACRO_ARG_PRECEDENCE,MULTISTATEMENT_MACRO_USE_DO_WHILE,FILE_PATH_CHANGES,LINUX_VERSION_CODE,PREFER_DEFINED_ATTRIBUTE_MACRO,MACRO_WITH_FLOW_CONTROL,CONSTANT_COMPARISON,SPDX_LICENSE_TAG,BRACKET_SPACE |
		grep -vE '^total:|^$'
	true
}

kernel_doc() {
	perl "$SOURCE/scripts/kernel-doc" -none $(git ls-files '*.c' | grep -v '^tests/') lib/*.h lib/*/*.h core/xmit.h core/flow/flow.h 2>&1 |
		grep -vE '^$|: warning: no structured comments found'
	true
}

sleeps() { ! grep -nE '(^|[^a-z_.])sleep [0-9]' $(git ls-files tests | grep -v check.sh); }

licences() { git ls-files '*.c' '*.h' '*.sh' '*.py' Makefile Kbuild | xargs grep -L 'SPDX-License-Identifier'; true; }

# Every reason is hit on purpose by some case, or it is dead.
reasons_tested() {
	sed -nE 's/^\tX\((\w+), \w+, "([^"]+)".*/\1.\2/p' include/uapi/linux/natflow_reason.h | while read -r r; do
		grep -qrE "\"$r\"|\b${r#*.}\b.*# $r" tests/lab/cases || echo "no case names $r"
	done
}

# Every word of the control devices is documented. A verb without usage of its own is in that of another.
words_documented() {
	local settings verbs usage w
	settings=$(sed -nE 's/^\tSETTING\((\w+),.*/\1=/p' lib/text/settings.h)
	verbs=$(sed -nE 's/^\t\.word = "([^"]+)",$/\1/p' control/*.c)
	usage=$(sed -nE 's/^\t\.values = //p' control/*.c)
	[ -n "$settings" ] && [ -n "$verbs" ] || echo "no words found"
	while read -r w; do
		grep -qF -- "$w" Documentation/control-language.md || echo "not documented: $w"
	done <<<"$settings"$'\n'"$verbs"
	sed -nE '/^\t\.word = /{N;/\.values/!s/^\t\.word = "([^"]+)".*/\1/p}' control/*.c | while read -r w; do
		grep -qF -- "$w" <<<"$usage" || echo "not in a usage: $w"
	done
}

# A row of a table behind a blank line has lost its header: Markdown shows it as text.
tables() {
	git ls-files '*.md' | while read -r f; do
		{ cat "$f"; echo; } | awk -v f="$f" '
			begun && !/^\|[-| :]+\|$/ { print f ": no header above: " begun }
			{ begun = /^\|/ && !in_table ? $0 : ""; in_table = /^\|/ }'
	done
}

uapi_alone() {
	local f
	for f in $(git ls-files include/uapi); do
		gcc -std=c99 -Wall -Werror -fsyntax-only -Iinclude/uapi -x c "$f"
		g++ -Wall -Werror -fsyntax-only -Iinclude/uapi -x c++ "$f"
	done
}



for k in 6.1 6.12 newest 6.1-mipsel 6.1-s390x-core debug; do point "builds -Werror W=1 for $k" build "$k"; done
point "sparse" sparse_clean
point "checkpatch" checkpatch
point "kernel-doc" kernel_doc
for rule in layers circles sizes columns conditions prefixes versions windows bounds; do point "$rule" tests/house.py $rule; done
point "sleeps" sleeps
point "licences" licences
point "uapi headers stand alone" uapi_alone
point "every reason has a case" reasons_tested
point "every word is documented" words_documented
point "tables" tables
point "mutants fit the sources" tests/mutants.py --stale
echo "1..$N"
