#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A list that an editor saved with a byte order mark, in dnsmasq 2.90 (Debian 12).
#
# Expected: the mark is skipped, or the file refused, in both kinds of file alike.
# Seen: a hosts file loses its first name and no other ("bad address ... line 1" in the log, and the rest is served);
# a configuration file with the same mark keeps dnsmasq from starting. A block list in hosts format so has one hole, at
# a place that nobody looks at. CRLF, in contrast, is taken in both.
. "$(dirname "$0")/lib.sh"
packages dnsmasq-base=2.90-4~deb12u2

ask() {	# ask NAME: the response code, of a question for A; "none" without an answer
	python3 - "$1" <<-'PY'
	import socket, struct, sys
	labels = b"".join(bytes([len(l)]) + l for l in sys.argv[1].encode().split(b"."))
	with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
	    s.settimeout(0.5)
	    s.connect(("127.0.0.1", 5391))
	    for _ in range(20):
	        try:
	            s.send(struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack("!xHH", 1, 1))
	            print("answer" if struct.unpack("!H", s.recv(512)[6:8])[0] else "no address")
	            break
	        except OSError:
	            __import__("time").sleep(0.1)
	    else:
	        print("none")
	PY
}

serve() {	# serve ARGUMENT...: dnsmasq on 127.0.0.1 port 5391, nobody behind it
	dnsmasq -k --no-resolv --no-hosts --port=5391 --listen-address=127.0.0.1 --bind-interfaces \
		--user=root --pid-file= --log-facility="$WORK/log" "$@" 2>"$WORK/err" &
	PIDS=("$!")
}

printf '\xef\xbb\xbf0.0.0.0 first.example\r\n0.0.0.0 second.example\r\n' >"$WORK/hosts"
: >"$WORK/empty"
serve -C "$WORK/empty" --addn-hosts="$WORK/hosts"
seen "hosts file with a mark, second name" "$(ask second.example)" answer
seen "hosts file with a mark, first name" "$(ask first.example)" "no address"
kill "${PIDS[0]}"
wait "${PIDS[0]}" || true

printf '\xef\xbb\xbfaddress=/first.example/0.0.0.0\n' >"$WORK/conf"
serve -C "$WORK/conf"
status=0
wait "${PIDS[0]}" || status=$?
PIDS=()
seen "configuration file with a mark" "exit status $status, $(sed -n 's/.*: \(bad option at line 1\).*/\1/p' "$WORK/err")" \
	"exit status 1, bad option at line 1"
