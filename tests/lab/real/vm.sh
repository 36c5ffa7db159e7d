#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vm.sh KERNEL IMAGE LAB-COMMAND[,ARG...]: tests/lab/vm.sh with a frame engine in the device tree. The kernel's parameter soc=
# says which: mt7622, with counters of flows, or mt7621, without. The third CPU is the hardware: nobody else runs there.
set -euo pipefail
HERE=$(dirname "$0") K=$1 SOC=mt7622
[[ ${APPEND:-} != *soc=* ]] || SOC=${APPEND##*soc=} SOC=${SOC%% *}
. "$HERE/../target.sh"
export SMP=3 MEM=${MEM:-1536} CPU APPEND="isolcpus=2 ${APPEND:-}"
DTB=${2%.cpio.gz}-$SOC.dtb
T=$(mktemp -d)
$QEMU -cpu "$CPU" -smp $SMP -m "$MEM" -nographic -nodefaults -machine "dumpdtb=$T/virt.dtb" </dev/null >/dev/null 2>&1
dtc -q -I dtb -O dts "$T/virt.dtb" >"$T/fe.dts"
sed "s/COMPATIBLE/mediatek,$SOC-eth/" "$HERE/fe.dtsi" >>"$T/fe.dts"
dtc -q -I dts -O dtb -o "$T/fe.dtb" "$T/fe.dts"
mv "$T/fe.dtb" "$DTB"
rm -r "$T"
QARGS="${QARGS:-} -dtb $DTB" exec "$HERE/../vm.sh" "$@"
