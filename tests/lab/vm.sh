#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm.sh KERNEL IMAGE LAB-COMMAND[,ARG...]: boot the image, console on stdout.
# SMP, MEM, TMO (seconds), QARGS and APPEND may be set.
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/natflow
K=$1 IMAGE=$2 LAB=$3
exec timeout -k 5 "${TMO:-600}" qemu-system-x86_64 -M q35 -accel "${ACCEL:-tcg,thread=multi}" -cpu "${CPU:-max}" \
	-smp "${SMP:-2}" -m "${MEM:-1536}" -nographic -nodefaults -no-user-config -serial "${SERIAL:-stdio}" -no-reboot \
	${QARGS:-} -kernel "$CACHE/k/$K/vmlinuz" -initrd "$IMAGE" \
	-append "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable nokaslr random.trust_cpu=on ${APPEND:-} lab=$LAB"
