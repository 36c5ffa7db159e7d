# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
# target.sh, sourced: what depends on the architecture of kernel $K, by its name.
case ${K%-core} in
*-arm64)
	DEB_ARCH=arm64 KERNEL_ARCH=arm64 TRIPLET=aarch64-linux-gnu
	QEMU="qemu-system-aarch64 -M virt" CPU=${CPU:-cortex-a72} CONSOLE=ttyAMA0
	;;
*-armhf)
	DEB_ARCH=armhf KERNEL_ARCH=arm TRIPLET=arm-linux-gnueabihf
	QEMU="qemu-system-arm -M virt,highmem=off" CPU=${CPU:-cortex-a15} CONSOLE=ttyAMA0
	;;
*-s390x)
	DEB_ARCH=s390x KERNEL_ARCH=s390 TRIPLET=s390x-linux-gnu
	QEMU="qemu-system-s390x -M s390-ccw-virtio" CONSOLE=ttyS0
	;;
*-mipsel)
	DEB_ARCH=mipsel KERNEL_ARCH=mips TRIPLET=mipsel-linux-gnu
	;;
*)
	TRIPLET=x86_64-linux-gnu
	QEMU="qemu-system-x86_64 -M q35" CONSOLE=ttyS0
	# What emulation pays for: copies byte by byte, one more level of page tables, and a new block of code at each
	# access to user memory.
	CPU=${CPU:-max,erms=off,fsrm=off,la57=off,smap=off}
	;;
esac
# natflow without the log of names, on the kernel before the "-core".
NAMES=y
[[ $K != *-core ]] || NAMES=n
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/natflow
CROSS=${DEB_ARCH:+$TRIPLET-}
# The host's programs go into its own VM; these are another architecture's.
USERLAND=${DEB_ARCH:+$CACHE/userland/$DEB_ARCH}
