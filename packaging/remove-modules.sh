#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# remove-modules.sh [ROOT]: remove natflow's modules for all kernels, DKMS builds and the DKMS source tree included.
set -e
root=$1
for tree in "$root"/usr/src/natflow-[0-9]*; do
	[ -e "$tree/dkms.conf" ] || continue
	if [ -z "$root" ] && [ -e "/var/lib/dkms/natflow/${tree#/usr/src/natflow-}" ]; then
		dkms remove "natflow/${tree#/usr/src/natflow-}" --all
	fi
	rm -rf "$tree"
done
for module in "$root"/lib/modules/*/extra/natflow.ko*; do
	[ -e "$module" ] || continue
	dir=${module%/natflow.ko*}
	release=${dir%/extra} release=${release##*/}
	rm -f "$dir"/natflow.ko* "$dir"/xt_FLOWOFFLOAD.ko* "$dir"/natflow_hwnat.ko*
	[ ! -e "${dir%/extra}/modules.builtin" ] || depmod -b "$root/" "$release"
done
