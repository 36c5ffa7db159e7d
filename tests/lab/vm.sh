#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm.sh KERNEL IMAGE LAB-COMMAND[,ARG...]: boot the image, console on stdout.
# SMP, MEM, TMO (seconds), QARGS and APPEND may be set.
K=$1 IMAGE=$2 LAB=$3
. "$(dirname "$0")/target.sh"
# Cables between network cards, two of each kind, for who loads their drivers.
NICS=
case $QEMU in *x86_64*)
	for hub in 0 1 2 3; do
		for end in a b; do
			NICS+=" -netdev hubport,id=n$hub$end,hubid=$hub -device $([ $hub -lt 2 ] && echo e1000e || echo virtio-net-pci),netdev=n$hub$end,romfile="
		done
	done ;;
esac
# In the foreground, or a terminal stops the emulator as soon as it reads or sets it.
# shellcheck disable=SC2086
exec timeout --foreground -k 5 "${TMO:-600}" $QEMU -accel "${ACCEL:-tcg,thread=multi}" -cpu "${CPU:-max}" \
	-smp "${SMP:-2}" -m "${MEM:-1536}" -nographic -nodefaults -no-user-config -serial "${SERIAL:-stdio}" -no-reboot \
	${QARGS:-} $NICS -kernel "$CACHE/k/$K/vmlinuz" -initrd "$IMAGE" \
	-append "console=$CONSOLE quiet panic=-1 mitigations=off tsc=reliable nokaslr random.trust_cpu=on slab_nomerge ${APPEND:-} lab=$LAB"
