# SPDX-License-Identifier: GPL-2.0-only
"""`make shell` in a terminal: its banner's commands, and the blocks of the documents that need a gateway with traffic."""
import re

from documents import TOP, block, command
from terminal import Terminal, check

NAMES = "echo 1 > /proc/sys"
USERS = "echo disabled=0 > /dev/natflow_user_ctl"
SITES = "echo list name="
LOOK = "cat /proc/natflow "
KEPT = "iptables -I"
RULES = "echo flush"
RATES = (("README.md", "echo link dev=wan"), ("Documentation/shaping.md", "echo link dev=wan"), ("Documentation/rates.md", "echo add user"),
         ("Documentation/rates.md", "echo group"), ("Documentation/rates.md", "echo add remote"))
VISIT = "ip netns exec c curl -sS -m 20 -o /dev/null -H 'Host: {}' http://10.0.2.2/data"


def numbers(text):
    """The counters of /proc/natflow."""
    return dict(re.findall(r"^([\w.-]+) (\d+)$", text, re.M))


def fast_by(shell):
    """Type the banner's commands in order and check their output."""
    lines = re.findall(r"^  (\S.*)$", shell.banner, re.M)
    check(len(lines) == 5, f"the banner has {len(lines)} commands")
    for line in lines:
        output = shell.type(line)
        if "iperf3" in line:
            check("iperf Done." in output, output)
        elif line == "cat /proc/natflow":
            check(int(numbers(output)["hits"]) > 1000, output)
        elif line == "cat /proc/natflow_flows":
            check(re.search(r"^\S.* state=published", output, re.M), f"no flow: {output}")
    check(numbers(shell.type("cat /proc/natflow"))["disabled"] == "1", "disabled=1 was not done")
    shell.type("echo disabled=0 > /dev/natflow_ctl")


def tools(shell):
    """Programs that a user expects in the shell."""
    page = shell.type("man natflow | cat")
    check("FLOWOFFLOAD" in page and "iptables" in page, page)
    shell.send("man natflow")
    shell.expect(r"NATFLOW\(8\)", 60)
    shell.send("q")
    shell.expect(shell.prompt, 60)
    saved = shell.type("iptables-save")
    check("-A FORWARD -j FLOWOFFLOAD" in saved and "COMMIT" in saved, saved)
    shell.type("iptables-save > /tmp/saved; iptables -F FORWARD; iptables-restore < /tmp/saved")
    check("-A FORWARD -j FLOWOFFLOAD" in shell.type("iptables -S FORWARD"), "not restored")
    shell.type("ip6tables-save | ip6tables-restore")
    shell.type("echo example.com | natflow-list > /tmp/one.set && test -s /tmp/one.set")
    shell.type("false", status=1)


def kept(shell):
    """README: a rule that selects all but some."""
    for line in block("README.md", KEPT):
        shell.type(command(line))
    check("-A FORWARD -m conntrack ! --ctorigdstport 5060 -j FLOWOFFLOAD" in shell.type("iptables -S FORWARD"), "no such rule")
    shell.type("iptables -D FORWARD 1")


def changed(shell):
    """README: a changed firewall for flows that are fast already."""
    ended = numbers(shell.type("cat /proc/natflow"))["end.flush"]
    shell.type("ip netns exec c iperf3 -u -b 8M -c 10.0.2.2 -t 1")
    for line in block("README.md", RULES):
        shell.type(command(line))
    check(int(numbers(shell.type("cat /proc/natflow"))["end.flush"]) > int(ended), "flush ended no flow")
    check("revalidate=1" in shell.type("cat /dev/natflow_ctl").splitlines(), "revalidate=1 was not set")
    shell.type("echo revalidate=0 > /dev/natflow_ctl")


def refused(shell):
    """The sentence of Documentation/control-language.md about a line that is refused."""
    shell.type("printf 'debug=2\\nflow_limit=99999999\\n' > /dev/natflow_ctl", status=1)
    said = shell.type("cat /proc/natflow_log")
    for line in block("Documentation/control-language.md", "natflow_ctl line 2"):
        check(line in said, f"{line!r} is not in {said}")


def looked_at(shell):
    """README: what to look at. Its words and its shapes."""
    for line in block("README.md", LOOK):
        output = shell.type(command(line))
        if line.startswith("cat /proc/natflow "):
            wrong = [l for l in output.splitlines() if not re.match(r"[\w.-]+:? \S", l)]
            check(not wrong and "hits" in numbers(output), f"not lines of a key and a value: {wrong}")
        elif line.startswith("cat /dev/natflow_ctl"):
            check(re.search(r"^# ", output) and re.search(r"^select=", output, re.M), output)
            shell.type("cat /dev/natflow_ctl > /tmp/settings; cat /tmp/settings > /dev/natflow_ctl")
    check(numbers(shell.type("cat /proc/natflow"))["disabled"] == "1", "disabled=1 was not done")
    shell.type("echo disabled=0 > /dev/natflow_ctl")


def visited(shell):
    """README: names are logged, and blocked."""
    log, blocked = [], VISIT.format("www.example.com")
    for line in block("README.md", NAMES):
        output = shell.type(command(line))
        if "urllogger_store/enable" in line:
            shell.type(blocked)
        elif "natflow_urls" in line:
            log = output.splitlines()
        elif line.startswith("cat /dev/hostacl_ctl"):
            check("add acl=0,2,example.com" in output and "dns_answer=nxdomain" in output, output)
    check(any("www.example.com" in l for l in log), f"not logged: {log}")
    shell.type(blocked, status=56)      # reset
    shell.type(VISIT.format("www.example.net"))


def used(shell):
    """README and Documentation/users.md: who uses the line, and who may."""
    visit = VISIT.format("www.example.org")
    mac = shell.type("ip netns exec c cat /sys/class/net/c0/address").split()[-1]
    for line in block("README.md", USERS):
        line = line.replace("02:00:00:00:00:01", mac).replace("sun-thu 21:00-07:00", "mon-sun 00:00-24:00")
        output = shell.type(command(line))
        if "natflow_users" in line:
            check("addr=10.0.1.2 " in output, output)
        else:
            shell.type(visit, status=7 if "bind" in line else 0)
    check("policy=night why=schedule" in shell.type("cat /proc/natflow_users"), "not blocked by the schedule")
    shell.type(f"echo grant device={mac} minutes=30 > /dev/natflow_user_ctl")
    shell.type(visit)
    shell.type(f"echo unbind device={mac} > /dev/natflow_user_ctl")
    for line in block("Documentation/users.md", "sed "):
        check(re.search(r"^\d+ addr=", shell.type(line), re.M), line)


def shaped(shell):
    """README, Documentation/shaping.md and rates.md: a fair line, and rates of users, groups and rules."""
    for name, first in RATES:
        for line in block(name, first):
            line = command(line).replace("dev=wan", "dev=r1").replace("192.168.1.7", "10.0.1.2")
            output = shell.type(line)
            if line.startswith("echo link"):
                check("qdisc natflow" in shell.type("tc qdisc show dev r1"), "the line's device has another queue")
            elif line.startswith("cat "):
                check(re.search("^link dev=r1,tx=38mbit,rx=190mbit", output, re.M), output)
            if line.startswith("echo add user=10.0.1.2"):
                check("add user=10.0.1.2," in shell.type("cat /dev/natflow_qos_ctl"), "no such rule")
        check("iperf Done." in shell.type("ip netns exec c iperf3 -u -b 8M -c 10.0.2.2 -t 1"), "nothing passes")
        shell.type("echo clear > /dev/natflow_qos_ctl")
    check("qdisc natflow" not in shell.type("tc qdisc show dev r1"), "the queue stayed")


def listed(shell):
    """Documentation/names.md: lists, as text and compiled."""
    shell.type("cd /tmp; echo clear > /dev/hostacl_ctl")
    for line in block("Documentation/names.md", SITES):
        shell.type(command(line.replace("192.168.1.0/24", "10.0.1.0/24")))
    check("name=ads" in shell.type("cat /dev/hostacl_ctl"), "the list is not there")
    shell.type(VISIT.format("www.ads.example.com"), status=56)
    shell.type(VISIT.format("www.example.com"))
    shell.type("cd /")


class Shell(Terminal):
    def start(self):
        self.banner = self.expect(self.prompt, 900)


def points(tap):
    (line,) = [l for l in block("README.md", "make demo") if l.startswith("make shell")]
    shell = Shell(["sh", "-c", command(line)], r"gateway# $", cwd=TOP)

    def end():
        shell.send("exit")
        check(shell.end() == 0, f"make shell: status {shell.process.returncode}")
    try:
        # Without a prompt no other point can run.
        if tap.point("shell: a prompt on the gateway", shell.start):
            tap.point("shell: what the banner says", lambda: fast_by(shell))
            tap.point("shell: man, iptables-save, iptables-restore, natflow-list", lambda: tools(shell))
            tap.point("shell: README, what to look at", lambda: looked_at(shell))
            tap.point("shell: README, who uses the line", lambda: used(shell))
            tap.point("shell: README, a rule for all but some", lambda: kept(shell))
            tap.point("shell: README, a changed firewall", lambda: changed(shell))
            tap.point("shell: README, shaping.md and rates.md", lambda: shaped(shell))
            tap.point("shell: what is said of a refused line", lambda: refused(shell))
            tap.point("shell: README, names", lambda: visited(shell))
            tap.point("shell: Documentation/names.md, lists", lambda: listed(shell))
            tap.point("shell: exit, and the terminal is as it was", end)
    finally:
        shell.close()
