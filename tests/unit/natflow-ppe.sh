#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# natflow-ppe.sh PROGRAM: what it says of entries as mtk_ppe_debugfs.c prints them, and what it refuses. TAP.
set -uo pipefail
PPE=$(realpath "$1")
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T" || exit 1
N=0

# says STATUS WANT ARGUMENTS...: with standard input; the whole of stdout is WANT, or stderr matches /WANT/.
says() {
	local status=$1 want=$2 got
	shift 2
	"$PPE" "$@" >out 2>err
	got=$?
	N=$((N + 1))
	if [ $got = "$status" ] && { [ "$(cat out)" = "$want" ] || [[ $want = /*/ && $(cat err) =~ ${want:1:-1} ]]; }; then
		echo "ok $N - natflow-ppe $*"
	else
		echo "not ok $N - natflow-ppe $*: status $got, want $status and '$want':"
		sed 's/^/# /' out err
	fi
}

# entry WANT LINE ARGUMENTS...: one entry.
entry() {
	says 0 "$1" "${@:3}" <<<"$2"
}

ETH='eth=02:11:22:33:44:55->02:aa:bb:cc:dd:ee'
MACS='src=02:11:22:33:44:55 dst=02:aa:bb:cc:dd:ee'
V4='orig=192.168.1.22:52294->185.187.81.227:80'
NAT="$V4 new=176.98.95.135:40001->185.187.81.227:80"
V6='orig=2a01:00d0:e6c6:0000:196d:66d3:18c0:e02d:52235->2a00:1450:4010:0c0f:0000:0000:0000:00bc:443'
FROM='from=192.168.1.22:52294 to=185.187.81.227:80'
NEW='new_from=176.98.95.135:40001 new_to=185.187.81.227:80'
FROM6='from=[2a01:d0:e6c6:0:196d:66d3:18c0:e02d]:52235 to=[2a00:1450:4010:c0f::bc]:443'

entry "index=012f2 state=bound type=v4 proto=tcp time=4660 way=0 $FROM $NEW $MACS port=gdm2 queue=1 packets=3 bytes=4500" \
	"012f2 BND IPv4 5T $NAT $ETH etype=0008 vlan=0,0 ib1=21401234 ib2=007c0451 packets=3 bytes=4500"
entry "index=012f2 state=bound type=v4 proto=tcp age=16 way=0 $FROM $NEW $MACS vlan=35 pppoe=yes port=gdm2 queue=1" \
	"012f2 BND IPv4 5T $NAT $ETH etype=6488 vlan=35,0 ib1=21591252 ib2=007ff051 packets=0 bytes=0" --soc mt7621 --clock 9262
entry "index=025e5 state=bound type=v4 proto=tcp age=255 way=1 $FROM $MACS port=gdm2 queue=1 packets=1 bytes=64" \
	"025e5 BND IPv4 5T $V4 new=192.168.1.22:52294->185.187.81.227:80 $ETH etype=0008 vlan=0,0 ib1=20500035 ib2=00f08501 packets=1 bytes=64" -c 34
entry "index=005e4 state=fin type=v4 proto=udp time=0 way=0 $FROM $NEW $MACS vlan=35,36 port=gdm1 queue=7 packets=0 bytes=0" \
	"005e4 FIN IPv4 5T $NAT $ETH etype=0008 vlan=35,36 ib1=70548000 ib2=00f00307 packets=0 bytes=0"
entry "index=012f2 state=bound type=v4 proto=udp permanent=yes time=0 way=0 $FROM $NEW $MACS vlan=35 dsa=4 port=gdm1 queue=7 packets=0 bytes=0" \
	"012f2 BND IPv4 5T $NAT $ETH etype=1001 vlan=35,0 ib1=e1410000 ib2=007c0037 packets=0 bytes=0"
entry "index=01ce7 state=bound type=v6 proto=tcp time=10169 way=1 $FROM6 $MACS dsa=1 port=gdm1" \
	"01ce7 BND IPv6 5T $V6 $ETH etype=0200 vlan=0,0 ib1=2b4127b9 ib2=007ff020" --soc=mt7621
# Wi-Fi; PORT_MG of Linux 6.1 in the same bits; v2, whose station is not printed.
entry "index=012f2 state=bound type=v4 proto=tcp time=14989 way=0 $FROM $NEW $MACS port=wdma1 ring=2 bss=5 wcid=35" \
	"012f2 BND IPv4 5T $NAT $ETH etype=0008 vlan=0,35013 ib1=21403a8d ib2=007f0060"
entry "index=012f2 state=bound type=v4 proto=tcp time=0 way=0 $FROM $NEW $MACS port=gdm2" \
	"012f2 BND IPv4 5T $NAT $ETH etype=0008 vlan=0,0 ib1=21400000 ib2=007ff040"
entry "index=025e4 state=bound type=v4 proto=tcp time=87 way=0 $FROM $NEW $MACS port=wdma1 ring=2 group=3 ttl=kept" \
	"025e4 BND IPv4 5T $NAT $ETH etype=0008 vlan=0,0 ib1=20100057 ib2=003c9200" -s mt7986
# Not bound; a wrong slot.
entry "index=0006c state=unbound type=v4 proto=udp time=150 seen=1 way=0 from=192.168.1.192:9993 to=192.168.1.101:60278 packets=0 bytes=0" \
	"0006c UNB IPv4 5T orig=192.168.1.192:9993->192.168.1.101:60278 new=0.0.0.0:0->0.0.0.0:0 eth=00:00:00:00:00:00->00:00:00:00:00:00 etype=0000 vlan=0,0 ib1=50000196 ib2=00000000 packets=0 bytes=0" --soc mt7986
entry "index=00100 state=unbound type=v6 proto=tcp age=3 seen=2 way=none $FROM6" \
	"00100 UNB IPv6 5T $V6 eth=00:00:00:00:00:00->00:00:00:00:00:00 etype=0000 vlan=0,0 ib1=1a0002b2 ib2=00000000 packets=0 bytes=0" --soc mt7621 --clock 12b5
# Without ports, without addresses, odd tags.
entry "index=00002 state=bound type=v4-3t proto=other time=7 from=192.168.1.22 to=185.187.81.227 $MACS port=gdm2 queue=1" \
	"00002 BND IPv4 3T orig=192.168.1.22->185.187.81.227 new=0.0.0.0->0.0.0.0 $ETH etype=0008 vlan=0,0 ib1=23400007 ib2=007c0451"
entry "index=0000c state=bound type=bridge proto=other time=0 from=?" \
	"0000c BND UNKNOWN orig=(null)->(null) $ETH etype=0000 vlan=0,0 ib1=25400000 ib2=00000000" -s mt7622
entry "index=012f2 state=bound type=v4 proto=tcp time=0 way=0 $FROM $NEW $MACS dsa=8 port=gdm2 odd=0800" \
	"012f2 BND IPv4 5T $NAT $ETH etype=0008 vlan=0,0 ib1=21410000 ib2=007c0040"
# Linux 6.1 on mt7986 prints an IPv6 entry as IPv4.
entry "index=01000 state=bound type=v6 proto=other time=52 from=?" \
	"01000 BND IPv4 3T orig=32.1.13.184->0.0.0.0 new=0.1.0.2->32.1.13.184 $ETH etype=0000 vlan=0,0 ib1=22d00034 ib2=00000000"

UNBOUND="0006c UNB IPv4 5T orig=192.168.1.192:9993->192.168.1.101:60278 $ETH etype=0000 vlan=0,0 ib1=50000196 ib2=00000000"
says 1 '/no bound entry shows what SoC it is: use --soc/' <<<"$UNBOUND"
says 0 '' </dev/null
says 1 '/line 2 is no entry of mtk_ppe: .nonsense/' --soc mt7622 <<<"$UNBOUND"$'\nnonsense'
for wrong in orig=1.2.3:1-\>1.2.3.4:2 orig=1.2.3.4:99999-\>1.2.3.4:2 orig=1.2.3.4:1-\>1.2.3.4 orig=::1:2-\>::2:3 ib2=x vlan=65536,0 vlan= eth=02:11; do
	says 1 '/line 1 is no entry/' --soc mt7622 <<<"$(sed "s/${wrong%%=*}=[^ ]*/$wrong/" <<<"$UNBOUND")"
done
says 1 '/missing: No such file/' missing
says 2 '/natflow-ppe --help/' --soc mt7620
says 2 '/natflow-ppe --help/' --clock now
says 2 '/natflow-ppe --help/' --nonsense
for cut in $(seq 0 $((${#UNBOUND} - 1))); do echo "${UNBOUND:0:cut}"; done >cuts
says 1 "/line ${#UNBOUND} is no entry/" --soc mt7621 cuts
N=$((N + 1))
if [ ! -s out ]; then echo "ok $N - nothing is said of a line that is cut off"; else echo "not ok $N - cut lines"; fi
N=$((N + 1))
if "$PPE" --help | grep -q '^Usage: natflow-ppe ' && ! "$PPE" --help >/dev/full 2>&1; then echo "ok $N - help"; else echo "not ok $N - help"; fi
echo "1..$N"
