#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A saved firewall that cannot be loaded, in netfilter-persistent 1.0.20 (Debian 12).
#
# Expected: the service fails when the rules do not load, as `iptables-restore` does, so that systemd shows it.
# Seen: with IPTABLES_TEST_RULESET=yes, which is what the package sets, it says so in its output and exits with 0: the unit
# is "active", no rule is loaded, and every policy is ACCEPT. Without the test it exits with 2. A rule that names a host is
# enough: names are resolved when the file is loaded, at boot, and before there is a network they have no address.
. "$(dirname "$0")/lib.sh"
packages iptables-persistent=1.0.20 netfilter-persistent=1.0.20 iptables=1.8.9-2 libxtables12=1.8.9-2 libip4tc2=1.8.9-2 \
	libnftnl11=1.2.4-2 libmnl0=1.0.4-3
LIB=$(echo "$WORK"/root/usr/lib/*-linux-gnu)
export LD_LIBRARY_PATH=$LIB XTABLES_LIBDIR=$LIB/xtables
mkdir "$WORK/etc"
cat >"$WORK/etc/rules.v4" <<'RULES'
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -s printer.invalid -j ACCEPT
COMMIT
RULES
# The package's own script; only its folders are elsewhere.
sed -e "s#/etc/iptables/#$WORK/etc/#; s#/etc/default/netfilter-persistent#$WORK/etc/default#; s#^PATH=.*#PATH=$PATH#" \
	"$WORK/root/usr/share/netfilter-persistent/plugins.d/15-ip4tables" >"$WORK/plugin"
ln -sf xtables-nft-multi "$WORK/root/usr/sbin/iptables-restore"
ln -sf xtables-nft-multi "$WORK/root/usr/sbin/iptables"

start() {	# start DEFAULTS: in a network namespace without any network
	echo "$1" >"$WORK/etc/default"
	unshare -n sh -c "status=0; sh $WORK/plugin start >$WORK/out 2>&1 || status=\$?
		echo \"exit status \$status, \$(iptables -S FORWARD | head -1)\""
}

sed -n 's/^\(IPTABLES_TEST_RULESET=.*\)/\1/p' "$WORK/root/etc/default/netfilter-persistent" >"$WORK/packaged"
seen "the package's default" "$(cat "$WORK/packaged")" "IPTABLES_TEST_RULESET=yes"
seen "with it" "$(start "$(cat "$WORK/packaged")")" "exit status 0, -P FORWARD ACCEPT"
seen "its output" "$(tail -n 1 "$WORK/out")" "Error: IPv4 rules failed test load. New rules NOT loaded"
seen "without it" "$(start "")" "exit status 2, -P FORWARD ACCEPT"
