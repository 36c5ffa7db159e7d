# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's nft_flowtable.sh with natflow in place of its flow table: cases for run-cases.py.

The script comes from the kernel's source package and is edited here, at run time. Its flow table becomes one
FLOWOFFLOAD rule for each family; its scenarios and its counter checks stay. What differs:

- Time limits and file sizes fit an emulated machine, and the nc version waits for conditions.
- IPsec: natflow leaves it to the stack, so its counters are replaced by what is on the wire between the gateways.
- IPIP, IP6IP6: left to the stack as well; bytes are checked, counters are not.
- A DSCP rule in the forward chain: the script wants packets that have missed it. natflow leaves such flows to the
  stack, so all have met it; and it is taken away afterwards, or no later scenario would be fast.
"""
import glob
import os
import random
import re
import sys

import natlab
from natlab import check

RUNS, SEED = (int(a) for a in sys.argv[3:5])
MTUS = 1280, 65535      # the range of the script's own random runs
SIZE = 2 << 20          # the script's own size; random runs send up to half as much again
# Bash says these and goes on, past the check it was about to make.
BROKEN = re.compile(r"FAIL|ERROR|SKIP|integer expression|command not found|syntax error|Could not|No such file")

# Run before the script's first line; it names its namespaces itself.
PRELUDE = r"""
natflow_rules()
{
	ip netns exec "$nsr1" iptables-legacy -A FORWARD -j FLOWOFFLOAD
	ip netns exec "$nsr1" ip6tables-legacy -A FORWARD -j FLOWOFFLOAD
}

hits() { ip netns exec "$nsr1" sed -n 's/^hits //p' /proc/net/natflow; }

test_tcp_forwarding_ip()
{
	local before result
	before=$(hits)
	kernels_test_tcp_forwarding_ip "$@"
	result=$?
	echo "HITS: $(($(hits) - before))"
	return $result
}

check_counters()
{
	case $1 in
	"ipsec tunnel mode"*) check_wire "$1" ;;
	*IPIP* | *IP6IP6*) echo "PASS: $1: left to the stack" ;;
	*) kernels_check_counters "$1"; return ;;
	esac
	ip netns exec "$nsr1" nft reset counters table inet filter >/dev/null
}

# Count what both gateways send to each other.
watch_wire()
{
	local end
	for end in "$nsr1 veth1" "$nsr2 veth0"; do
		ip netns exec ${end% *} nft -f - <<-E
			table netdev wire {
				counter sealed { }
				counter clear { }
				chain out {
					type filter hook egress device "${end#* }" priority 0;
					ip protocol esp counter name sealed accept
					ip saddr 192.168.10.0/24 ip protocol icmp accept
					meta protocol ip counter name clear
				}
			}
		E
	done
}

on_wire() { ip netns exec "$1" nft list counter netdev wire $2 | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }

check_wire()
{
	local ns sealed clear
	for ns in $nsr1 $nsr2; do
		sealed=$(on_wire $ns sealed) clear=$(on_wire $ns clear)
		if [ "${sealed:-0}" -gt 0 ] && [ "${clear:-1}" -eq 0 ]; then continue; fi
		echo "FAIL: $1: $ns sent $sealed packets of ESP, $clear in clear"
		ret=1
		return
	done
	echo "PASS: $1: $clear clear packets, $sealed of ESP"
}

delete_dscp_rule()
{
	ip netns exec "$nsr1" nft delete rule inet filter forward handle \
		$(ip netns exec "$nsr1" nft -a list chain inet filter forward | sed -n 's/.*dscp set .*handle //p')
}

# The nc version's conditions; nsb, cpid and so on are the caller's.
listening() { ip netns exec $nsb ss -lnt | grep -q :12345; }
delivered() { cmp -s "$nsin" "$ns2out" && cmp -s "$nsin" "$ns1out"; }
patiently()
{
	local end=$((SECONDS + 60))
	until "$@" || [ $SECONDS -gt $end ]; do usleep 100000; done
}
"""

# (how often it must match, what, by what)
EDITS = [
    (1, r"  flowtable f1 \{\n.*\n.*\n   \}\n", ""),
    (0, r" flow add @f1", ""),
    (1, r"^ip netns exec \S+ nft -f - <<EOF\ntable inet filter \{\n\n   counter routed_orig", r"natflow_rules\n\g<0>"),
    (1, r"^test_tcp_forwarding_ip\(\)", r"kernels_\g<0>"),
    (1, r"^check_counters\(\)", r"kernels_\g<0>"),
    (1, r"^ip netns exec \S+ nft delete table ip nat$", r"\g<0>\nwatch_wire"),
    (2, r"ps -x?af", "ps"),                         # only hashed; the image's ps knows no options
]
NC = [
    (1, r"nc -w 5 -l", "nc -w 60 -l"),
    (1, r"nc -w 4 ", "nc -w 60 "),
    (1, r"\bsleep 1\n", "patiently listening\n"),
    (1, r"\bsleep 3\n", "patiently delivered\n"),
    (2, r"ps -p (\$.pid)", r"kill -0 \1"),
    (1, r"RANDOM % \(1024 \* 128\)", "RANDOM % 1024"),
    (1, r"SIZE \+ \(1024 \* 8\)", "SIZE + (1024 * 2)"),
]
SOCAT = [
    (1, r"busywait 1000 ", "busywait 60000 "),
    (2, r"\bsocat -(?=[4$])", "socat -t 60 -"),  # or it hangs up 0.5 s after the faster direction's end
    (1, r'\[ "\$pc4" -eq 0 \] \|\| \[ "\$pc4z" -eq 0 \]', '[ "$pc4" -eq 0 ] || [ "$pc4z" -gt 0 ]'),
    (1, r'check_dscp "dscp_fwd" "\$pmtud?"\n', r"\g<0>\tdelete_dscp_rule\n"),
]


def transform(text):
    """The script, edited for natflow; Failure if the script is unknown."""
    for count, pattern, by in EDITS + (NC if "nc -w" in text else SOCAT):
        text, n = re.subn(pattern, by, text, flags=re.M)
        check(n == count if count else n, f"nft_flowtable.sh has {n} of {pattern!r}, not {count or 'some'}")
    for word in ("flowtable f1", "@f1", "flow offload @"):
        check(word not in text, f"nft_flowtable.sh still says {word!r}")
    return PRELUDE + text


ORIGINAL = glob.glob("/lab/kernel-selftests/**/nft_flowtable.sh", recursive=True)[0]
SCRIPT = ORIGINAL.replace("flowtable", "natflow")
with open(ORIGINAL) as original:
    HAS_SIZE = "o:l:r:s:" in (TEXT := original.read())
with open(SCRIPT, "w") as script:
    script.write(transform(TEXT))


def wrong(name, hits):
    """Check that natflow or the stack, as intended, forwarded a passed scenario; returns the fault, or nothing."""
    print(f"# {name}" + ("" if hits is None else f": {hits} hits"), flush=True)
    slow = re.search("^ipsec|^dscp_fwd|IPIP|IP6IP6", name)
    return "" if hits is None or (hits == 0 if slow else hits > 0) else f"{name}: {hits} hits\n"


def run_script(omtu, lmtu, rmtu, size, seed):
    args = [str(a) for a in ("-o", omtu, "-l", lmtu, "-r", rmtu, "-s", size)[:8 if HAS_SIZE else 6]]
    print(f"# seed {SEED}: nft_flowtable.sh {' '.join(args)}", flush=True)
    # RANDOM is the script's: file sizes and SPIs.
    command = f"cd {os.path.dirname(SCRIPT)}; RANDOM={seed}; . {SCRIPT}"
    process = natlab.start(None, ["bash", "-c", command, SCRIPT, *args])
    output, problems, name, hits = "", "", "", None
    for line in process.stdout:
        output += line
        kind, _, rest = line.strip().partition(": ")
        if kind == "HITS":
            hits = (hits or 0) + int(rest)
        elif kind == "PASS":
            name = rest
            problems += wrong(name, hits)
            hits = None
    check(process.wait() == 0 and not problems and not BROKEN.search(output) and "ipsec" in name,
          f"status {process.returncode}, {problems}{output}")


def case_default_mtus():
    run_script(9000, 1500, 2000, SIZE, SEED)


def random_run(number):
    def case():
        r = random.Random(f"{SEED} {number}")
        run_script(*(r.randint(*MTUS) for _ in range(3)), r.randint(SIZE, SIZE * 3 // 2), r.randint(0, 32767))
    case.bare = True
    return case


case_default_mtus.bare = True
for i in range(1, RUNS + 1):
    globals()[f"case_random_mtus_{i}"] = random_run(i)
