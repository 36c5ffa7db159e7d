#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# image.sh KERNEL OUT: an initramfs with programs (the host's, or those that
# setup.sh fetched for another architecture), the kernel's modules and the lab.
# Three archives one after the other; the first two are made once.
set -euo pipefail
TOP=$(cd "$(dirname "$0")/../.." && pwd)
K=$1 OUT=$2
. "$TOP/tests/lab/target.sh"
PROGRAMS="bash dash ip tc bridge iptables-legacy iptables-nft iptables-legacy-save iptables-legacy-restore
 iptables-nft-save iptables-nft-restore ip6tables-legacy ip6tables-legacy-save ip6tables-legacy-restore
 ip6tables-nft ip6tables-nft-save ip6tables-nft-restore nft ss nc socat du date readlink timeout iperf3 conntrack ethtool curl kmod ipset /usr/bin/python3 capsh setpriv
 mman pppd pppoe-server pppoe wg ipvsadm"
MODULES="veth dummy nf_conntrack nf_nat nf_flow_table nf_flow_table_inet nf_tables nft_flow_offload
 nft_chain_nat nft_objref nft_nat nft_masq nft_ct nft_compat nf_conntrack_netlink ip_tables iptable_nat
 iptable_filter iptable_mangle iptable_raw ip6_tables ip6table_nat ip6table_filter ip6table_mangle
 ip6table_raw xt_MASQUERADE xt_nat xt_conntrack xt_mark xt_connmark xt_comment xt_tcpudp xt_state
 xt_TCPMSS xt_multiport xt_dscp xt_length xt_limit xt_statistic xt_CT xt_DSCP xt_HL xt_CLASSIFY ipt_REJECT ip6t_REJECT ip6t_rpfilter bridge br_netfilter
 8021q sch_ingress sch_cake sch_prio sch_htb sch_tbf sch_fq_codel cls_matchall cls_u32 cls_flower cls_fw act_gact act_mirred act_skbedit act_police act_ctinfo sch_netem sch_fq nft_counter nft_limit nft_numgen nf_dup_netdev
 nf_conntrack_ftp nf_nat_ftp nfnetlink_cttimeout nfnetlink_queue xt_NFQUEUE mpls_iptunnel mpls_router virtio_pci virtio_net xfrm_user esp4 esp6
 drbg jitterentropy_rng ctr sha512_generic authenc cbc hmac sha1_generic sha1 aes_generic echainiv seqiv cryptomgr crypto_null algapi libaes ipip ip6_tunnel sit tun ifb vrf macvlan vxlan ip_gre pppoe bonding wireguard e1000e

 mtk_eth tag_mtk mt7530 mt7530_mmio
 xfrm_interface ip_vti xt_set ip_set_hash_ip ip_set_hash_mac ip_set_hash_net ip_set_list_set ip_vs ip_vs_rr"

pack() { (cd "$1" && find . -print0 | cpio -0 -o -H newc --quiet -R 0:0 | gzip -1) >"$2.new" && mv "$2.new" "$2"; }

put() {
	local f
	for f in "$@"; do
		[ -e "$T$f" ] && continue
		mkdir -p "$T$(dirname "$f")"
		cp -L "$f" "$T$f"
	done
}

# lean FROM TO: a copy without what no case needs.
lean() {
	rsync -a --exclude '*.opt-*.pyc' --exclude test --exclude 'lib2to3' --exclude idlelib --exclude tkinter \
		--exclude pydoc_data --exclude ensurepip --exclude distutils --exclude 'config-*' \
		--exclude unittest --exclude email --exclude xml --exclude asyncio --exclude multiprocessing \
		--exclude /share --exclude 'perl*' "$1/" "$2/"
}

host_programs() {
	local p f b
	cp /bin/busybox "$T/usr/bin/busybox"
	for p in $PROGRAMS; do
		b=$(basename "$p")
		f=$(PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v "$p") || continue
		f=$(readlink -f "$f")
		put "$f"
		[ "$(basename "$f")" = "$b" ] || ln -sf "$f" "$T/usr/sbin/$b"
		# shellcheck disable=SC2046
		put $(ldd "$f" 2>/dev/null | grep -o '/[^ ]*')
	done
	for p in modprobe insmod rmmod lsmod depmod; do ln -sf /usr/bin/kmod "$T/usr/sbin/$p"; done
	put /usr/lib/x86_64-linux-gnu/xtables/*.so /usr/lib/pppd/*/rp-pppoe.so
	mkdir -p "$T/usr/lib/python3.11"
	lean /usr/lib/python3.11 "$T/usr/lib/python3.11"
	put /usr/lib/x86_64-linux-gnu/libffi.so.8 /usr/lib/x86_64-linux-gnu/libnetfilter_conntrack.so.3 \
		/usr/lib/x86_64-linux-gnu/libz.so.1 /usr/lib/x86_64-linux-gnu/libexpat.so.1
}

base() {
	mkdir -p "$T"/usr/{bin,sbin,lib,lib64} "$T"/{proc,sys,dev,tmp,run,etc,root,lab,var/run}
	for d in bin sbin lib lib64; do ln -s "usr/$d" "$T/$d"; done
	if [ -n "$USERLAND" ]; then lean "$USERLAND/usr" "$T/usr"; else host_programs; fi
	ln -sf dash "$T/usr/bin/sh"
	printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$T/etc/passwd"
	printf 'root:x:0:\n' >"$T/etc/group"
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$T/etc/hosts"
	put /etc/protocols /etc/services
	mkdir -p "$T/etc/ppp"
	: >"$T/etc/ppp/options"
	cp "$TOP/tests/lab/init" "$T/init"
}

kernel_modules() {
	local dir=$CACHE/k/$K/ r m f
	r=$(cat "$dir/release")
	mkdir -p "$T/usr/lib/modules/$r/kernel"
	case $K in
	debug | kcsan)		# nearly all of it is built in
		find "$(readlink -f "$dir/headers")"/{net,drivers} -name '*.ko' -exec cp {} "$T/usr/lib/modules/$r/kernel/" \;
		depmod -b "$T/usr" "$r" 2>/dev/null || true
		return ;;
	esac
	for m in $MODULES; do
		modprobe -d "$dir" -S "$r" -aD --show-depends "$m" 2>/dev/null | awk '$1=="insmod"{print $2}' || true
	done | sort -u | while read -r f; do
		case $f in
		*.xz) xz -dc "$f" >"$T/usr/lib/modules/$r/kernel/$(basename "${f%.xz}")" ;;
		*.zst) zstd -qdc "$f" >"$T/usr/lib/modules/$r/kernel/$(basename "${f%.zst}")" ;;
		*) cp "$f" "$T/usr/lib/modules/$r/kernel/" ;;
		esac
	done
	cp "$dir/lib/modules/$r"/modules.builtin* "$dir/lib/modules/$r/modules.order" "$T/usr/lib/modules/$r/" 2>/dev/null || true
	ln -s usr/lib "$T/lib"
	depmod -b "$T" "$r"
	rm "$T/lib"
}

lab() {
	local libs=/usr/lib/$TRIPLET cc="${CROSS}gcc -idirafter /usr/include"
	local libxt=$T$libs/xtables/libxt_FLOWOFFLOAD.so
	mkdir -p "$T/lab" "$(dirname "$libxt")"
	cp -r "$TOP"/tests/lab/{natlab,real,engine.py,links.py,cards.py,urls.py,access.py,meter.py,tap.py,userlog.py,sqm.py,cases,run-cases.py,selftest.py,demo.py,gateway.py,bench.py,benchlinks.py,benchtcp.py,benchsqm.py,benchshape.py,benchusers.py,shaping.py,accuracy.py} "$T/lab/"
	[ ! -e "$CACHE/k/$K.selftests" ] || cp -rL "$CACHE/k/$K.selftests" "$T/lab/kernel-selftests"
	# Python would compile all of it at each boot.
	/usr/bin/python3 -m compileall -q -s "$T" -p / "$T/lab"
	cp "$TOP/include/uapi/linux/natflow_reason.h" "$T/lab/"
	cp "$TOP/build/$K"/*.ko "$T/lab/"
	make -s -C "$TOP" CC="$cc" LIBXT="$libxt" "$libxt"
	make -s -C "$TOP" CC="$cc" LIST="$T/lab/natflow-list" "$T/lab/natflow-list"
	make -s -C "$TOP" CC="$cc" PPE="$T/lab/natflow-ppe" "$T/lab/natflow-ppe"
	make -s -C "$TOP" MAN="$T/usr/share/man/man8/natflow.8" "$T/usr/share/man/man8/natflow.8"
	$cc -O2 -Wall -Werror -o "$T/lab/ctprog" "$TOP/tests/lab/prog/ctprog.c" -L"$USERLAND$libs" \
		-Wl,-rpath-link,"$USERLAND$libs" -l:libnetfilter_conntrack.so.3
}

mkdir -p "$TOP/build/lab"
exec 7>"$TOP/build/lab/lock"
flock 7
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
part() {	# part FILE FUNCTION
	rm -rf "$T"
	mkdir "$T"
	"$2"
	pack "$T" "$1"
}
BASE=$TOP/build/lab/base-$TRIPLET.cpio.gz MODS=$TOP/build/lab/modules-$K-$(cat "$CACHE/k/$K/release").cpio.gz
[ "$BASE" -nt "$0" ] && [ "$BASE" -nt "$TOP/tests/lab/init" ] && [ "$BASE" -nt "$USERLAND/ready" ] || part "$BASE" base
[ "$MODS" -nt "$0" ] || part "$MODS" kernel_modules
part "$TOP/build/lab/lab-$K.cpio.gz" lab
cat "$BASE" "$MODS" "$TOP/build/lab/lab-$K.cpio.gz" >"$OUT.new"
mv "$OUT.new" "$OUT"		# a VM may be reading the old one
