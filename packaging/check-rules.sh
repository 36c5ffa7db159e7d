#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# check-rules.sh: fail while a FLOWOFFLOAD rule exists, and print the commands that delete it. Without the extension iptables
# can neither list nor save such a table, and iptables-restore refuses a whole file that names the target.
deletions() {
	"$1-save" 2>/dev/null | awk -v program="$1" '
		/^\*/ { table = substr($0, 2) }
		/ -j FLOWOFFLOAD/ { sub(/^.*-A /, "-D "); print "    " program " -t " table " " $0 }'
}

# The kernel counts the rules of both kinds of iptables and of all network namespaces.
rules=$(cat /sys/module/xt_FLOWOFFLOAD/refcnt 2>/dev/null || echo 0)
files=$(grep -lse '-j FLOWOFFLOAD' /etc/iptables/* /etc/sysconfig/iptables /etc/sysconfig/ip6tables)
[ "$rules" != 0 ] || [ "$files" ] || exit 0
{
	if [ "$rules" != 0 ]; then
		echo "natflow: $rules FLOWOFFLOAD rules are in use, in all network namespaces. Here they are deleted by:"
		for program in iptables-legacy ip6tables-legacy iptables-nft ip6tables-nft; do deletions $program; done
	fi
	for f in $files; do
		echo "natflow: $f has a FLOWOFFLOAD rule: without natflow the next boot would lose the whole table."
	done
	echo "natflow: nothing was removed. FORCE=1 removes natflow nevertheless; iptables then cannot list such a table."
} >&2
exit 1
