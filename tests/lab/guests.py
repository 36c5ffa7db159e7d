# SPDX-License-Identifier: GPL-2.0-only
"""Documentation/portal.md on the gateway of `make test-visit`: dnsmasq, Caddy, and a browser that has to log in."""
import base64
import contextlib
import json
import os
import re
import socket
import struct
import subprocess
import threading

import documents
from cdp import Chromium
from world import ASKED, CLIENT, PATIENCE, TARGET, hits, point, run, setns, type_in, wait

PROGRAMS = ("dnsmasq", "caddy")
PAGE = "Documentation/portal.md"
GATEWAY = {4: "10.9.1.1", 6: "fd09:1::1"}
ME = "10.9.1.2"
API = "https://portal.example/captive"
NAME = b"\6portal\7example\0"
KINDS = {"A": 1, "AAAA": 28, "HTTPS": 65}
BIG = 8 << 20


def text(first):
    """A block, with the addresses of this lab."""
    return [line.replace("192.168.1.", "10.9.1.").replace("fd00:1::", "fd09:1::")
            for line in documents.block(PAGE, first)]


def put(path, content):
    data = base64.b64encode(content.encode()).decode()
    type_in(f"mkdir -p {os.path.dirname(path)}; echo {data} | base64 -d > {path}")


def behind(command, log):
    type_in(f"setsid {command} > /tmp/{log}.log 2>&1 < /dev/null &")


def packages():
    """The document's packages are those that this machine got from Debian."""
    (line,) = text("sudo apt")
    have = run("dpkg-query", "-W", "-f", "${Package} ").split()
    missing = [p for p in line.split()[3:] if p not in have and p + "-base" not in have]
    point("portal.md names packages of Debian", not missing, f"{missing}")


def set_up(place):
    """Type the document."""
    packages()
    conf = text("# /etc/dnsmasq.d/portal.conf")
    put("/etc/dnsmasq.d/portal.conf", "\n".join(conf) + "\n")
    put("/etc/leaky.conf", "\n".join(line for line in conf if line.startswith("address=") and ":" not in line) + "\n")
    put("/etc/caddy/Caddyfile", "\n".join(text("# /etc/caddy/Caddyfile")) + "\n")
    put("/srv/portal/index.html", "\n".join(text("<!doctype html>")) + "\n")
    put("/usr/local/sbin/portal", "\n".join(text("#!/bin/sh")) + "\n")
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        "/CN=portal.example", "-addext", "subjectAltName=DNS:portal.example", "-keyout", f"{place}/portal.key", "-out",
        f"{place}/portal.pem")
    for name in ("portal.pem", "portal.key"):
        with open(f"{place}/{name}") as f:
            put(f"/etc/caddy/{name}", f.read())
    type_in("chmod 755 /usr/local/sbin/portal; mkdir -p /var/lib/misc")
    (unit,) = [line[len("ExecStart="):] for line in text("# /etc/systemd/system/portal.service") if line.startswith("ExecStart=")]
    behind(unit, "portal")
    behind("env HOME=/tmp caddy run --config /etc/caddy/Caddyfile", "caddy")
    upstream = f"--no-resolv --server={TARGET[4]} --keep-in-foreground"
    behind(f"dnsmasq {upstream} --conf-file=/etc/dnsmasq.d/portal.conf", "dnsmasq")
    behind(f"dnsmasq {upstream} --conf-file=/etc/leaky.conf --port=5353 --pid-file=/run/leaky.pid", "leaky")
    wait("dnsmasq and Caddy", lambda: all(f":{port} " in type_in("ss -Hltun") for port in (53, 67, 80, 443, 547, 5353)))
    for line in text("ipset create"):
        type_in(documents.command(line))
    with open(f"/etc/netns/{CLIENT}/resolv.conf", "w") as f:
        f.write(f"nameserver {GATEWAY[4]}\n")


# -- what clients are told

def in_client(function):
    """Run it in a thread of the client's namespace."""
    got = []

    def inside():
        setns(os.open(f"/run/netns/{CLIENT}", os.O_RDONLY))
        got.append(function())
    thread = threading.Thread(target=inside)
    thread.start()
    thread.join(PATIENCE)
    return got[0] if got else None


def lease(place):
    """What busybox's DHCP client is told as option 114."""
    with open(f"{place}/told", "w") as f:
        f.write(f"#!/bin/sh\n[ $1 = bound ] && env > {place}/lease\nexit 0\n")
    os.chmod(f"{place}/told", 0o755)
    run("busybox", "udhcpc", "-i", "lan", "-f", "-n", "-q", "-O", "114", "-s", f"{place}/told", where=CLIENT)
    with open(f"{place}/lease") as f:
        said = dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line)
    point("DHCP gives an address of the range", re.fullmatch(r"10\.9\.1\.(1\d\d|200)", said.get("ip", "")), said.get("ip"))
    point("and option 114", bytes.fromhex(said.get("opt114", "")).decode() == API, said.get("opt114"))


def told6():
    """The options of the answer to a DHCPv6 INFORMATION-REQUEST for option 103."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE)
    sock.bind(("::", 546))
    duid = struct.pack("!HH", 3, 1) + bytes.fromhex("025254000901")
    sock.sendto(b"\x0b\1\2\3" + struct.pack("!HH", 1, len(duid)) + duid + struct.pack("!HHH", 6, 2, 103),
                ("ff02::1:2", 547, 0, socket.if_nametoindex("lan")))
    answer, options, at = sock.recv(4096), {}, 4
    while at + 4 <= len(answer):
        kind, size = struct.unpack("!HH", answer[at:at + 4])
        options[kind] = answer[at + 4:at + 4 + size]
        at += 4 + size
    return options


def resolve(name, kind, port=53):
    """The data of the answers of the gateway's DNS server."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(PATIENCE)
    sock.sendto(struct.pack("!HHHHHH", kind, 0x100, 1, 0, 0, 0) + name + struct.pack("!HH", kind, 1), (GATEWAY[4], port))
    answer, found = sock.recv(4096), []
    at = 12 + len(name) + 4
    for _ in range(struct.unpack("!H", answer[6:8])[0]):
        size = struct.unpack("!H", answer[at + 10:at + 12])[0]
        found.append(answer[at + 12:at + 12 + size])
        at += 12 + size
    return found


def names():
    """The portal's name is here, in all types; without local= its other types are asked for upstream."""
    want = {"A": [socket.inet_aton(GATEWAY[4])], "AAAA": [socket.inet_pton(socket.AF_INET6, GATEWAY[6])], "HTTPS": []}
    ASKED.clear()
    got = {k: in_client(lambda: resolve(NAME, n)) for k, n in KINDS.items()}
    in_client(lambda: resolve(b"\3www" + NAME, 65))
    point("portal.example is the gateway, by A and AAAA", got == want, f"{got}")
    point("and no question about it goes upstream", not [n for n, _ in ASKED if NAME in n], f"{ASKED}")
    for number in KINDS.values():
        in_client(lambda: resolve(NAME, number, 5353))
    point("which address= alone does not do", sorted(k for n, k in ASKED if n == NAME) == [28, 65], f"{ASKED}")


def captive(place):
    """The API's answer, as curl gets it over HTTPS."""
    out = run("curl", "-sS", "-i", "--cacert", f"{place}/portal.pem", API, where=CLIENT)
    head, body = out.split("\n\n" if "\r\n\r\n" not in out else "\r\n\r\n", 1)
    return "application/captive+json" in head and json.loads(body)


def curl(*args):
    """Status of curl, and what it says."""
    done = subprocess.run(["ip", "netns", "exec", CLIENT, "curl", "-sS", "-m", str(PATIENCE), *args], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


# -- a browser

def my(key):
    """A counter of the client's IPv4 address."""
    (line,) = [l for l in type_in("cat /proc/natflow_users").splitlines() if l.startswith(f"addr={ME} ")]
    return int(re.search(rf" {key}=(\d+)", line)[1])


def counted():
    """A browser's own log and the record of its device agree within TCP's and IP's headers."""
    wait("no flow from before", lambda: my("flows") == 0)
    keys = ("rx_bytes", "rx_packets", "tx_bytes", "tx_packets")
    before = [my(k) for k in keys]
    b = Chromium(CLIENT, f"--host-resolver-rules=MAP * {TARGET[4]}", "--ignore-certificate-errors")
    try:
        b.visit("https://www.example/page")
        got = b.script("fetch('/big').then(r => r.arrayBuffer()).then(b => b.byteLength)", wait=True)
        log = b.close()
    finally:
        b.kill()
    point("a browser fetches eight megabytes", got == BIG, f"{got}")
    wait("its flows have ended", lambda: my("flows") == 0)
    rx, rx_packets, tx, tx_packets = (my(k) - b for k, b in zip(keys, before))
    # 20 bytes of IPv4; TCP's header has 20 to 60: acknowledgements behind a loss carry SACK blocks.
    for name, ours, packets, theirs in (("received", rx, rx_packets, log[0]), ("sent", tx, tx_packets, log[1])):
        point(f"/proc/natflow_users: {ours} bytes {name} in {packets} packets; the browser's log: {theirs}",
              theirs > (BIG if name == "received" else 0) and 40 * packets <= ours - theirs <= 80 * packets, "")


@contextlib.contextmanager
def browser():
    one = Chromium(CLIENT)
    try:
        yield one
    finally:
        one.kill()


def sent_to_portal(place):
    """Before the login."""
    shot = f"{documents.TOP}/build/visit/portal.png"
    os.makedirs(os.path.dirname(shot), exist_ok=True)
    with browser() as b:
        url, page = b.visit("http://www.example/")
        b.picture(shot)
    point("http://www.example/ leads to the portal", re.fullmatch(
        rf"http://10\.9\.1\.1/index\.html\?ip={re.escape(ME)}&mac=[0-9a-f:]{{17}}&rid=0&_t=\d+", url) and "Welcome, guest" in page,
        f"{url}: {page}")
    with open(shot, "rb") as f:
        point("build/visit/portal.png shows it", f.read(8) == b"\x89PNG\r\n\x1a\n")
    point("HTTPS is refused at once", curl("https://www.example/page")[0] == 7, curl("https://www.example/page"))
    said = curl("-6", "-i", "http://six.example/")[1]
    point("over IPv6 the 302 names the portal's IPv6 address", f"Location: http://[{GATEWAY[6]}]/index.html?ip=fd09:1:" in said, said)
    said = captive(place)
    point("the API says captive", said == {"captive": True, "user-portal-url": "https://portal.example/"}, said)


def let_in(place):
    """By hand, and by the page."""
    let, back = (line.replace("10.9.1.100", ME) for line in text("echo set-status"))
    type_in(let)
    with browser() as b:
        url, page = b.visit("http://www.example/")
    point("after one set-status the site is there", url == "http://www.example/" and "welcome to www.example" in page, f"{url}: {page}")
    point("and the API says so", captive(place) == {"captive": False}, captive(place))
    counted()
    type_in(back)
    with browser() as b:
        url, page = b.visit("http://www.example/")
        point("set-status 0 takes it back", "Welcome, guest" in page, f"{url}: {page}")
        b.script("document.querySelector('button').click()")
        b.event("Page.loadEventFired")
        page = b.script("document.body.innerText")
        point("who clicks is in", "You are in." in page, page)
        for url in ("http://www.example/", "http://six.example/"):
            wait(f"{url} by the device's login", lambda: "welcome to" in curl(url)[1])
            page = b.visit(url)[1]
            point(f"{url} is there for the browser", "welcome to" in page, page)
    point("and the API knows the device", captive(place) == {"captive": False}, captive(place))


def of(path, first):
    """The words of the first line of a file of /proc that begins so."""
    (line,) = [l for l in type_in(f"cat {path}").splitlines() if l.startswith(first)]
    return dict(word.split("=", 1) for word in line.split())


def bedtime():
    """A schedule begins while a download runs: it ends; 30 minutes more, and it goes on."""
    mac = of("/proc/natflow_users", f"addr={ME} ")["mac"]
    type_in("iptables -F FORWARD; iptables -A FORWARD -j FLOWOFFLOAD")
    type_in("date -u -s '2026-02-11 20:59:00' && echo 'policy name=night,verdict=block,schedule=sun-thu 21:00-07:00' > /dev/natflow_user_ctl"
            f" && echo 'bind policy=night,device={mac}' > /dev/natflow_user_ctl")
    b = Chromium(CLIENT, f"--host-resolver-rules=MAP * {TARGET[4]}", "--ignore-certificate-errors")
    try:
        b.visit("https://www.example/page")
        b.script("window.times = 0; (async () => { for (;; times++) await (await fetch('/big?' + times)).arrayBuffer(); })()"
                 ".catch(e => window.why = String(e))")
        wait("two downloads", lambda: b.script("window.times") >= 2)
        before, had = hits(), my("rx_bytes")
        wait("two more", lambda: b.script("window.times") >= 4)
        point("a download runs, by the fast path", hits() - before > 100 and my("rx_bytes") > had, f"{hits() - before} hits")
        type_in("date -u -s '2026-02-11 21:00:00'")
        wait("the end of the download", lambda: b.script("window.why"))
        point("when the schedule begins, it fails", b.script("window.why") == "TypeError: Failed to fetch", b.script("window.why"))
        record = of("/proc/natflow_users", f"addr={ME} ")
        point("the user's record says why", (record["policy"], record["why"]) == ("night", "schedule"), record)
        point("and a new connection is refused", curl("-k", "https://www.example/page")[0] == 7, curl("-k", "https://www.example/page"))
        type_in(f"echo grant device={mac} minutes=30 > /dev/natflow_user_ctl")
        page = b.visit("https://www.example/page")[1]
        point("with 30 minutes more the page is there", "welcome to www.example" in page, page)
        got = b.script("fetch('/big').then(r => r.arrayBuffer()).then(b => b.byteLength)", wait=True)
        point("and the download, too", got == BIG, f"{got}")
        left = int(of("/proc/natflow_devices", f"mac={mac} ")["grant"])
        point("/proc/natflow_devices has the seconds that are left", 1700 < left <= 1800, left)
    finally:
        b.kill()


def meet(place):
    set_up(place)
    lease(place)
    point("and DHCPv6 option 103", (in_client(told6) or {}).get(103) == API.encode(), in_client(told6))
    names()
    sent_to_portal(place)
    let_in(place)
    bedtime()
    left = [line for name, (line, *_) in documents.blocks() if name == PAGE and
            not any(line.startswith(first) for n, first in documents.USED if n == PAGE)]
    point("every block of portal.md has been run", not left, left)
