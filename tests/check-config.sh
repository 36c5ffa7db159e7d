#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# check-config.sh KDIR: prints the kernel options that natflow needs and this kernel lacks.
kdir=$1
config=
for f in "$kdir/.config" "$kdir/include/config/auto.conf"; do
	[ -r "$f" ] && { config=$f; break; }
done
if [ -z "$config" ]; then
	echo "natflow: no kernel headers in $kdir (on Debian: apt install linux-headers-$(uname -r))" >&2
	exit 1
fi
bad=0
need() {
	grep -qE "^$1=[ym]$" "$config" && return
	echo "natflow: the kernel lacks $1: $2" >&2
	bad=1
}
need CONFIG_NETFILTER_INGRESS "the RX hook"
need CONFIG_NF_CONNTRACK "connection tracking"
need CONFIG_NF_CONNTRACK_MARK "select=mark:"
need CONFIG_NETFILTER_XTABLES "the iptables target"
need CONFIG_IPV6 "IPv6"
need CONFIG_PROC_FS "/proc/natflow"
need CONFIG_SYSCTL "the switch of the log of names"
need CONFIG_CRYPTO_LIB_AES "names in QUIC"
need CONFIG_CRYPTO_LIB_SHA256 "names in QUIC"
exit $bad
