#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# setup.sh WHAT...: what the demo, the tests and the benches need, installed or
# fetched once. Idempotent; only Debian packages. WHAT:
#   tools          host packages for building and running the lab
#   check          static checkers and cross compilers
#   kernel:6.1 kernel:6.12 kernel:newest   stock amd64 kernel with headers
#   kernel:6.1-rt  the same with PREEMPT_RT
#   kernel:6.1-arm64 kernel:6.12-arm64 kernel:newest-arm64 kernel:6.1-armhf kernel:6.1-s390x
#                  the same of another architecture, its QEMU, compiler and programs
#   selftests:KERNEL   the kernel's own test of its flow table, after kernel:KERNEL
#   mediatek:KERNEL    the source of MediaTek's Ethernet driver, after kernel:KERNEL
#   debian         a Debian 12 to install natflow into, after kernel:6.1
#   browser visit  a browser; and a web server that speaks QUIC
#   names          the oracle for names in packets
#   headers:ARCH   6.1 headers of mipsel or s390x
#   kernel:debug kernel:kcsan   the hostile ring's kernels, built from linux-source
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/natflow
APT=$CACHE/apt
mkdir -p "$CACHE"

say() { echo "setup: $*" >&2; }
need_root() { [ "$(id -u)" = 0 ] || exec sudo -E "$0" "$@"; }

install_packages() {
	local missing=() p
	for p in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$p" 2>/dev/null)" = "ii " ] || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing ${#missing[@]} packages"
	{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
		--no-install-recommends "${missing[@]}"; } >"$CACHE/apt.log" 2>&1 ||
		{ tail -20 "$CACHE/apt.log" >&2; return 1; }
}

tools() {
	install_packages gcc make bc xz-utils zstd cpio kmod libelf-dev pkg-config python3 \
		qemu-system-x86 busybox-static iproute2 iptables nftables conntrack ipset ethtool iperf3 curl \
		netcat-openbsd socat ppp pppoe wireguard-tools ipvsadm \
		libxtables-dev libnetfilter-conntrack-dev libmnl-dev libcmocka-dev nettle-dev debootstrap rsync \
		flex bison libssl-dev dwarves mandoc
}

check() {
	install_packages sparse clang universal-ctags gcc-aarch64-linux-gnu \
		gcc-mipsel-linux-gnu gcc-s390x-linux-gnu libc6-dev-s390x-cross libc6-dev-i386-cross \
		gcc-i686-linux-gnu qemu-user-static perl patch
}

# An apt world of our own, so that other suites and architectures leave the system's alone.
# Mirrors are those of the system.
apt_world() {
	local uri security keys=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -s "$APT/done" ] && grep -q "arm64 .*trixie-backports" "$APT/etc/sources.list" && [ "$(find "$APT/done" -mmin -720)" ] && return 0
	say "reading package lists"
	mkdir -p "$APT"/{lists/partial,cache/archives/partial,state,etc}
	: >"$APT/status"
	uri=$(grep -rhoE 'https?://[^ ]*/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -1 || true)
	security=$(grep -rhoE 'https?://[^ ]*/debian-security/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -1 || true)
	uri=${uri:-http://deb.debian.org/debian} security=${security:-http://deb.debian.org/debian-security}
	{
		echo "deb [signed-by=$keys] $uri bookworm main"
		echo "deb [arch=amd64,arm64 signed-by=$keys] $security bookworm-security main"
		echo "deb [arch=amd64,arm64 signed-by=$keys] $uri trixie main"
		echo "deb [arch=amd64,arm64 signed-by=$keys] $uri trixie-backports main"
	} >"$APT/etc/sources.list"
	cat >"$APT/apt.conf" <<-E
		Dir::State "$APT/state"; Dir::State::Lists "$APT/lists"; Dir::State::status "$APT/status";
		Dir::Cache "$APT/cache"; Dir::Etc::SourceList "$APT/etc/sources.list";
		Dir::Etc::SourceParts "$APT/etc/none"; Dir::Etc::Preferences "$APT/etc/none";
		Dir::Etc::PreferencesParts "$APT/etc/none";
		APT::Architectures { "amd64"; "arm64"; "armhf"; "mipsel"; "s390x"; };
		Acquire::Languages "none"; Acquire::Retries "3"; APT::Sandbox::User "root";
	E
	mkdir -p "$APT/etc/none"
	apt-get -qq -c "$APT/apt.conf" update
	echo "$uri" >"$APT/done"
}

# release_of SERIES ARCH FLAVOUR: the newest complete kernel of a series, e.g. 6.1.0-56-amd64.
release_of() {
	local pattern r
	case $1 in
	6.1) pattern='6\.1\.0-[0-9]+' ;;
	6.12) pattern='6\.12\.[0-9]+\+deb12' ;;
	newest) pattern='[0-9]+\.[0-9]+\.[0-9]+\+deb13' ;;
	esac
	for r in $(apt-cache -c "$APT/apt.conf" pkgnames linux-headers- |
		   grep -E "^linux-headers-$pattern-$3\$" | sed 's/^linux-headers-//' | sort -rV); do
		# Signed images follow their headers by days: take one that has both.
		if [ -n "$(image_packages "$r" "$2")" ]; then
			echo "$r"
			return 0
		fi
	done
	say "no kernel $1 for $2"
	return 1
}

# Not in a pipe: grep -q leaves at the first match, and with pipefail apt-cache's SIGPIPE would be the status.
has_package() { [[ $(apt-cache -c "$APT/apt.conf" show "$1" 2>/dev/null) == *$'\nFilename:'* ]]; }

image_packages() {
	if has_package "linux-binary-$1:$2" && has_package "linux-modules-$1:$2"; then
		echo "linux-binary-$1:$2 linux-modules-$1:$2"
	elif has_package "linux-image-$1:$2"; then
		echo "linux-image-$1:$2"
	fi
}

# unpack DIR PACKAGE...
unpack() {
	local dir=$1 d
	shift
	d=$(mktemp -d "$CACHE/debs.XXXXXX")
	(cd "$d" && apt-get -qq -c "$APT/apt.conf" download "$@" 2>"$CACHE/apt.log") ||
		{ cat "$CACHE/apt.log" >&2; return 1; }
	for deb in "$d"/*.deb; do dpkg-deb -x "$deb" "$dir"; done
	rm -rf "$d"
}

# kernel_image DIR RELEASE ARCH: vmlinuz and modules beside the headers; vmlinuz comes last.
kernel_image() {
	# shellcheck disable=SC2046
	unpack "$1" $(image_packages "$2" "$3")
	[ -d "$1/lib/modules" ] || { mkdir -p "$1/lib"; ln -s ../usr/lib/modules "$1/lib/modules"; }
	depmod -b "$1" "$2" 2>/dev/null
	ln -sf "$(find "$1" -type f \( -name "vmlinuz-$2" -o -path "*/modules/$2/vmlinuz" \) | head -1)" "$1/vmlinuz"
}

# kernel SERIES [ARCH FLAVOUR]: links $CACHE/k/SERIES[-ARCH|-rt] to an unpacked kernel; headers/, release, amd64's vmlinuz.
kernel() {
	local series=$1 arch=${2:-amd64} flavour=${3:-amd64} name r dir version kbuild common h
	name=$series
	[ "$arch" = amd64 ] || name=$series-$arch
	[[ $flavour != rt-* ]] || name=$series-rt
	[ -e "$CACHE/k/$name/release" ] && [ "$(find "$CACHE/k/$name.checked" -mmin -1440 2>/dev/null)" ] && return 0
	apt_world
	r=$(release_of "$series" "$arch" "$flavour")
	dir=$CACHE/kernels/$arch-$r
	if [ ! -e "$dir/release" ]; then
		say "fetching kernel $r"
		rm -rf "$dir"
		mkdir -p "$dir"
		kbuild=linux-kbuild-${r%-"$flavour"}
		[ "$series" = 6.1 ] && kbuild=linux-kbuild-6.1
		common=linux-headers-${r%-"$flavour"}-common
		[[ $flavour != rt-* ]] || common+=-rt
		version=$(apt-cache -c "$APT/apt.conf" show "linux-headers-$r:$arch" | sed -n 's/^Version: //p' | sed -n 1p)
		unpack "$dir" "linux-headers-$r:$arch=$version" "$common=$version" \
			"$kbuild:amd64"
		h=$dir/usr/src/linux-headers-$r
		if [ "$series" != newest ]; then
			sed -i "s#^include /usr/src#include $dir/usr/src#" "$h/Makefile"
		fi
		ln -sfn "$h" "$dir/headers"
		[ "$arch" != amd64 ] || kernel_image "$dir" "$r" "$arch"
		echo "$r" >"$dir/release"
	fi
	mkdir -p "$CACHE/k"
	ln -sfn "$dir" "$CACHE/k/$name"
	if [ "$series" = newest ]; then newest_chroot "$dir" "$r" "$arch"; fi
	touch "$CACHE/k/$name.checked"
}

# guest SERIES ARCH TRIPLET QEMU-PACKAGE [FLAVOUR]: all that the lab on another architecture needs.
guest() {
	local dir=$CACHE/k/$1-$2 flavour=${5:-$2}
	install_packages "$4" "gcc-$3" "libc6-dev-$2-cross"
	# Headers that were fetched alone may be of a release that is gone by now.
	[ -e "$dir/vmlinuz" ] || rm -f "$dir.checked"
	kernel "$1" "$2" "$flavour"
	[ -e "$dir/vmlinuz" ] || kernel_image "$(readlink -f "$dir")" "$(cat "$dir/release")" "$2"
	userland "$2"
}

# userland ARCH: Debian 12's programs for the lab, files only: nothing of them ever runs here.
userland() {
	local root=$CACHE/userland/$1 d deb
	local list="bash dash busybox-static iproute2 iptables nftables conntrack ipset ethtool kmod python3 libcap2-bin
		util-linux libnetfilter-conntrack3 ppp pppoe usr-is-merged"
	[ "$(cat "$root/ready" 2>/dev/null)" != "$list" ] || return 0
	say "fetching programs for $1"
	apt_world
	rm -rf "$root"
	mkdir -p "$root"/usr/{bin,sbin,lib}
	for d in bin sbin lib; do ln -s "usr/$d" "$root/$d"; done
	d=$(mktemp -d "$CACHE/debs.XXXXXX")
	# shellcheck disable=SC2086
	apt-get -qq -y -c "$APT/apt.conf" -t bookworm -o "APT::Architecture=$1" -o "Dir::Cache=$d" \
		--no-install-recommends --download-only install $list >"$CACHE/apt.log" 2>&1 ||
		{ cat "$CACHE/apt.log" >&2; return 1; }
	for deb in "$d"/archives/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root"; done
	rm -rf "$d"
	echo "$list" >"$root/ready"
}

# The newest headers want a compiler and a libc that Debian 12 does not have: a chroot builds against them.
newest_chroot() {
	local dir=$1 r=$2 arch=$3 root=$CACHE/trixie uri
	if [ ! -e "$root/ready" ]; then
		say "making a build chroot for the newest kernel"
		rm -rf "$root"
		uri=$(cat "$APT/done")
		debootstrap --variant=minbase --include=gcc-14,make,libelf1t64,libc6-dev,bc,kmod,pahole \
			trixie "$root" "$uri" >"$CACHE/debootstrap.log" 2>&1 ||
			{ tail "$CACHE/debootstrap.log" >&2; return 1; }
		touch "$root/ready"
	fi
	if [ ! -e "$root/usr/src/linux-headers-$r" ]; then
		cp -a "$dir"/usr/src/* "$root/usr/src/"
		cp -a "$dir"/usr/lib/linux-kbuild-* "$root/usr/lib/"
	fi
	if [ "$arch" = arm64 ] && [ ! -e "$root/usr/bin/aarch64-linux-gnu-gcc-14" ]; then
		{ chroot "$root" apt-get -qq update &&
			chroot "$root" apt-get -qq -y --no-install-recommends install gcc-14-aarch64-linux-gnu; } \
			>"$CACHE/apt.log" 2>&1 || { tail "$CACHE/apt.log" >&2; return 1; }
	fi
}

# A Debian 12 with what the README says is needed, the headers of the lab's 6.1 and a firewall that is loaded at boot.
# A test copies it.
debian() {
	local root=$CACHE/debian k=$CACHE/k/6.1 r list
	r=$(cat "$k/release")
	list=systemd-sysv,udev,iptables,iptables-persistent,kmod,iproute2,netcat-openbsd,man-db,sudo
	list+=,gcc,make,libc6-dev,pkg-config,libxtables-dev,dkms,libelf1
	[ "$(cat "$root/ready" 2>/dev/null)" != "$r $list" ] || return 0
	say "making a Debian to install natflow into (100 MB to fetch, 2 minutes)"
	rm -rf "$root"
	apt_world
	debootstrap --variant=minbase --include="$list" bookworm "$root" "$(cat "$APT/done")" >"$CACHE/debootstrap.log" 2>&1 ||
		{ tail "$CACHE/debootstrap.log" >&2; return 1; }
	rm -rf "$root"/var/cache/apt/archives "$root"/var/lib/apt/lists
	cp -a "$k"/usr/src/linux-headers-* "$root/usr/src/"
	cp -a "$k"/usr/lib/linux-kbuild-* "$root/usr/lib/"
	sed -i "s#^include .*/usr/src#include /usr/src#" "$root/usr/src/linux-headers-$r/Makefile"
	echo "$r $list" >"$root/ready"
}

# source_of SERIES: the package of that series' source.
source_of() {
	echo "linux-source-$(grep -oE '^[0-9]+\.[0-9]+' "$CACHE/k/$1/release")"
}

# some_source KIND SERIES TAR-WORD...: links $CACHE/k/SERIES.KIND to what those words take of that series' source.
some_source() {
	local package version dir src
	apt_world
	package=$(source_of "$2")
	version=$(apt-cache -c "$APT/apt.conf" policy "$package" | sed -n 's/ *Candidate: //p')
	dir=$CACHE/kernels/$1-$version
	if [ ! -d "$dir" ]; then
		say "fetching $package: $1"
		src=$(mktemp -d "$CACHE/source.XXXXXX")
		unpack "$src" "$package=$version"
		mkdir "$src/out"
		tar -C "$src/out" -xf "$src/usr/src/$package.tar.xz" "${@:3}"
		mv "$src/out" "$dir"
		rm -rf "$src"
	fi
	ln -sfn "$dir" "$CACHE/k/$2.$1"
}

# selftests SERIES: links $CACHE/k/SERIES.selftests to nft_flowtable.sh, and what it sources, of that series.
selftests() {
	some_source selftests "$1" --strip-components=4 \
		--wildcards '*/selftests/net*/nft_flowtable.sh' '*/selftests/net*/*lib*.sh'
}

# mediatek SERIES: links $CACHE/k/SERIES.mediatek to that series' source, as much of it as is needed to build the directory
# drivers/net/ethernet/mediatek for arm64 and mips.
mediatek() {
	local package d parts=()
	[ "$(find "$CACHE/k/$1.mediatek.checked" -mmin -1440 2>/dev/null)" ] && return 0
	package=$(source_of "$1")
	for d in Makefile Kbuild Kconfig scripts include arch/Kconfig arch/arm64 arch/mips arch/x86/entry/syscalls kernel/bounds.c \
		kernel/time/timeconst.bc tools/build tools/include tools/scripts lib/vdso drivers/net/ethernet/mediatek; do
		parts+=("$package/$d")
	done
	some_source mediatek "$1" --strip-components=1 --exclude '*/dts/*' \
		--wildcards "${parts[@]}" "$package/*/Kconfig*" "$package/*/Kbuild*" "$package/*/Makefile*"
	touch "$CACHE/k/$1.mediatek.checked"
}

# The source of Debian's 6.1, unpacked once; its directory on stdout.
kernel_source() {
	local version dir src
	version=$(apt-cache -c "$APT/apt.conf" policy linux-source-6.1 | sed -n 's/ *Candidate: //p')
	dir=$CACHE/kernels/source-$version
	if [ ! -e "$dir" ]; then
		src=$(mktemp -d "$CACHE/source.XXXXXX")
		unpack "$src" "linux-source-6.1=$version"
		tar -C "$src" -xf "$src"/usr/src/linux-source-6.1.tar.xz
		mv "$src/linux-source-6.1" "$dir"
		rm -rf "$src"
	fi
	echo "$dir"
}

# debug_compile NAME DIR SOURCE CONFIG...
debug_compile() {
	local dir=$2 src=$3
	[ ! -e "$dir/release" ] || return 0
	say "building the kernel $1 (some minutes)"
	rm -rf "$dir"
	mkdir -p "$dir/build"
	ln -s "$src" "$dir/source"
	cat "${@:4}" >"$dir/config"
	make -s -C "$src" O="$dir/build" KCONFIG_ALLCONFIG="$dir/config" allnoconfig >"$dir/build.log" 2>&1
	make -s -C "$dir/build" -j"$(nproc)" bzImage modules >>"$dir/build.log" 2>&1 ||
		{ tail -20 "$dir/build.log" >&2; return 1; }
	cp "$dir/build/arch/x86/boot/bzImage" "$dir/vmlinuz"
	ln -sfn build "$dir/headers"
	make -s -C "$dir/build" kernelrelease >"$dir/release.new"
	find "$dir/build" -name '*.o' -not -path '*/scripts/*' -not -path '*/tools/*' -delete
	mv "$dir/release.new" "$dir/release"
}

# debug_kernel NAME DETECTOR: a kernel of the hostile ring, keyed by source version and configuration.
debug_kernel() {
	local name=$1 configs=("$HERE/debug.config" "$HERE/debug-$2.config") key dir src
	install_packages flex bison libssl-dev libelf-dev bc
	key=$(cat "${configs[@]}" | sha256sum | cut -c1-12)
	[ -e "$CACHE/k/$name/release" ] && [ "$(find "$CACHE/k/$name.checked-$key" -mmin -1440 2>/dev/null)" ] && return 0
	apt_world
	src=$(kernel_source)
	dir=$CACHE/kernels/$name-${src##*/source-}-$key
	flock -u 7
	(flock 8 && debug_compile "$name" "$dir" "$src" "${configs[@]}") 8>"$CACHE/$name.lock"
	flock 7
	mkdir -p "$CACHE/k"
	ln -sfn "$dir" "$CACHE/k/$name"
	touch "$CACHE/k/$name.checked-$key"
}

# One at a time: dpkg and the caches have one owner. While a kernel is compiled others may come in.
need_root "$@"
exec 7>"$CACHE/lock"
flock 7
for what in "$@"; do
	case $what in
	tools) tools ;;
	check) check ;;
	names) install_packages tshark && apt_world ;;
	debian) debian ;;
	browser) install_packages chromium ;;
	visit) install_packages chromium caddy openssl dnsmasq-base ipset socat curl ;;
	kernel:debug) debug_kernel debug kasan ;;
	kernel:kcsan) debug_kernel kcsan kcsan ;;
	kernel:6.1-arm64) guest 6.1 arm64 aarch64-linux-gnu qemu-system-arm ;;
	kernel:6.12-arm64 | kernel:newest-arm64)
		install_packages device-tree-compiler
		what=${what#kernel:}
		guest "${what%-arm64}" arm64 aarch64-linux-gnu qemu-system-arm ;;
	kernel:6.1-armhf) guest 6.1 armhf arm-linux-gnueabihf qemu-system-arm armmp ;;
	kernel:6.1-rt) kernel 6.1 amd64 rt-amd64 ;;
	kernel:6.1-s390x*) guest 6.1 s390x s390x-linux-gnu qemu-system-misc && ln -sfn 6.1-s390x "$CACHE/k/6.1-s390x-core" ;;
	kernel:6.1-core) kernel 6.1 && ln -sfn 6.1 "$CACHE/k/6.1-core" ;;	# for natflow without names
	selftests:*) selftests "${what#selftests:}" ;;
	mediatek:*) mediatek "${what#mediatek:}" ;;
	kernel:6.1 | kernel:6.12 | kernel:newest) kernel "${what#kernel:}" && mediatek "${what#kernel:}" ;;	# for natppe.ko
	kernel:*) kernel "${what#kernel:}" ;;
	headers:mipsel) kernel 6.1 mipsel 4kc-malta ;;
	headers:s390x) kernel 6.1 s390x s390x ;;
	*) say "unknown: $what"; exit 2 ;;
	esac
done
