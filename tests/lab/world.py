#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""visit.py VM-COMMAND...: a browser behind a gateway that runs natflow. Prints TAP.

Debian's Chromium and curl in one network namespace, Caddy and a DNS server in another, the gateway in a VM with a
network card in each. The commands of the README on names are typed on the gateway, and the browser visits sites over TCP
and over QUIC.
"""
import atexit
import base64
import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = 60
ME = f"natflow-{os.getpid()}"
CLIENT, SERVER, CABLES = f"{ME}-c", f"{ME}-s", f"{ME}-q"
TARGET = {4: "10.9.2.2", 6: "fd09:2::2"}
POINTS = []


def run(*command, where=None, **kw):
    inside = ["ip", "netns", "exec", where] if where else []
    return subprocess.run([*inside, *command], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=PATIENCE, check=True, **kw).stdout


def start(*command, where=None, **kw):
    """A process in its own group; it ends with this program."""
    inside = ["ip", "netns", "exec", where] if where else []
    p = subprocess.Popen([*inside, *command], start_new_session=True, **kw)
    atexit.register(end, p)
    return p


def end(p):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(p.pid, signal.SIGKILL)
    p.wait()


def wait(what, true):
    until = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.05)


def point(what, good, more=""):
    POINTS.append(good)
    print(f"{'ok' if good else 'not ok'} {len(POINTS)} - visit {what}", flush=True)
    if not good:
        print("\n".join("# " + line for line in str(more).splitlines()[-30:]), flush=True)


def setns(fd):
    import ctypes
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


def type_in(command):
    """Run a command on the gateway; returns its output, fails if it fails."""
    out = run("sh", "-c", 'printf "%s\\n" "$0" | timeout 50 nc 10.9.1.1 7000', command, where=CLIENT)
    text, status = out.rstrip("\n").rsplit("\n", 1)
    if status != "0":
        raise RuntimeError(f"{command}: status {status}: {text}")
    return text.rstrip("\n")


# -- the world behind the gateway

def name_server():
    """Every name is at the server; those that begin with "six" over IPv6 only. A thread, in the server's namespace."""
    setns(os.open(f"/run/netns/{SERVER}", os.O_RDONLY))
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((TARGET[4], 53))
    while True:
        asked, peer = sock.recvfrom(4096)
        stop = 12 + asked[12:].index(0) + 5
        kind = struct.unpack("!H", asked[stop - 4:stop - 2])[0]
        family = 6 if asked[13:16] == b"six" else 4
        data = {1: socket.inet_aton(TARGET[4]), 28: socket.inet_pton(socket.AF_INET6, TARGET[6])}.get(kind, b"")
        said = [data] if kind == {4: 1, 6: 28}[family] else []
        sock.sendto(asked[:2] + struct.pack("!HHHHH", 0x8180, 1, len(said), 0, 0) + asked[12:stop] +
                    b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(d)) + d for d in said), peer)


def web_server(place):
    """Caddy, whose pages name the HTTP version; returns the hash of its key."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=visit", "-addext", "subjectAltName=DNS:*.example,DNS:*.net.example", "-keyout", f"{place}/key.pem", "-out",
        f"{place}/cert.pem")
    with open(f"{place}/big", "wb") as f:
        f.write(os.urandom(8 << 20))
    with open(f"{place}/Caddyfile", "w") as f:
        f.write(f"""{{
            auto_https off
            admin off
        }}
        :443 {{
            tls {place}/cert.pem {place}/key.pem
            header /page Content-Type text/html
            respond /page "<p>welcome to {{http.request.host}} by {{http.request.proto}}</p>"
            root * {place}
            file_server
        }}
        http://:80 {{
            header Content-Type text/html
            respond "<p>welcome to {{http.request.host}} by {{http.request.proto}}</p>"
        }}
        """)
    start("caddy", "run", "--config", f"{place}/Caddyfile", "--adapter", "caddyfile", where=SERVER,
          stdout=subprocess.DEVNULL, stderr=open(f"{place}/caddy.log", "w"), env={**os.environ, "HOME": place})
    wait("the web server", lambda: ":443" in run("ss", "-ltn", where=SERVER) and ":443" in run("ss", "-lun", where=SERVER))
    public = subprocess.run(["openssl", "pkey", "-in", f"{place}/key.pem", "-pubout", "-outform", "der"], check=True,
                            stdout=subprocess.PIPE).stdout
    return base64.b64encode(hashlib.sha256(public).digest()).decode()


def network(vm):
    """Namespaces, the gateway's VM, and its cables in their places."""
    for where in (CLIENT, SERVER, CABLES):
        run("ip", "netns", "add", where)
        atexit.register(subprocess.run, ["ip", "netns", "del", where], check=False)
        run("ip", "-n", where, "link", "set", "lo", "up")
    cards = " ".join(f"-netdev tap,id=nv{i},ifname={name},script=no,downscript=no "
                     f"-device virtio-net-pci,netdev=nv{i},romfile=,mac=52:54:00:09:0{i}:01"
                     for i, name in ((1, "lan"), (2, "wan")))
    gateway = start(*vm, "/lab/gateway.py", where=CABLES, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, env={**os.environ, "QARGS": cards, "TMO": "900"}, text=True)
    lines = []
    for line in gateway.stdout:
        lines.append(line)
        if "GATEWAY-UP" in line:
            break
    else:
        raise RuntimeError("".join(lines))
    threading.Thread(target=lambda: lines.extend(gateway.stdout), daemon=True).start()
    for where, card, n in ((CLIENT, "lan", 1), (SERVER, "wan", 2)):
        run("ip", "-n", CABLES, "link", "set", card, "netns", where)
        for command in (f"link set {card} up", f"addr add 10.9.{n}.2/24 dev {card}", f"addr add fd09:{n}::2/64 dev {card} nodad"):
            run("ip", "-n", where, *command.split())
    run("ip", "-n", CLIENT, "route", "add", "default", "via", "10.9.1.1")
    run("ip", "-n", CLIENT, "-6", "route", "add", "default", "via", "fd09:1::1")
    resolver = f"/etc/netns/{CLIENT}"
    os.makedirs(resolver)
    atexit.register(shutil.rmtree, resolver)
    with open(f"{resolver}/resolv.conf", "w") as f:
        f.write(f"nameserver {TARGET[4]}\n")
    return lines


# -- who visits it

class Browser:
    def __init__(self, place, key):
        self.place, self.key = place, key

    def visit(self, url, quic=False):
        """The final page of the browser, maybe an error page."""
        host = url.split("/")[2]
        with tempfile.TemporaryDirectory(dir=self.place, ignore_cleanup_errors=True) as profile:
            p = start("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-component-update",
                      "--disable-background-networking", f"--user-data-dir={profile}",
                      f"--ignore-certificate-errors-spki-list={self.key}",
                      *(["--enable-quic", f"--origin-to-force-quic-on={host}:443"] if quic else ["--disable-quic"]),
                      "--dump-dom", url, where=CLIENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            try:
                return p.communicate(timeout=PATIENCE)[0]
            except subprocess.TimeoutExpired:
                return "no page"
            finally:
                end(p)


def seen(host, source, action="accept"):
    """Lines of the log about a host."""
    return [line for line in type_in("cat /proc/natflow_urls").splitlines()
            if f" host={host} " in line and f" source={source} " in line and f" action={action} " in line]


def curl(url):
    """The exit status of curl, which names the failure: 6 no address, 35 and 56 a reset."""
    return subprocess.run(["ip", "netns", "exec", CLIENT, "curl", "-sk", "-o", "/dev/null", url], check=False,
                          timeout=PATIENCE).returncode


def hits():
    return int(re.search(r"^hits (\d+)$", type_in("cat /proc/natflow"), re.M)[1])


def visits(browser):
    type_in("iptables -A FORWARD -j FLOWOFFLOAD; ip6tables -A FORWARD -j FLOWOFFLOAD")
    type_in("echo 1 > /proc/sys/urllogger_store/enable")
    for host, quic, protocol, source in (("www.example", False, "HTTP/2.0", "tls"), ("six.example", False, "HTTP/2.0", "tls"),
                                         ("fast.example", True, "HTTP/3.0", "quic"), ("six-fast.example", True, "HTTP/3.0", "quic")):
        page = browser.visit(f"https://{host}/page", quic)
        point(f"{host} by {protocol}", f"welcome to {host} by {protocol}" in page, page)
        lines = seen(host, source) + seen(host, "dns") + seen(host, "dns-a")
        point(f"{host} is in the log, by {source} and dns, with the client's address",
              len({line.split(" source=")[1].split()[0] for line in lines}) == 3 and
              all(" src=10.9.1.2 " in line or " src=fd09:1::2 " in line for line in lines), type_in("cat /proc/natflow_urls"))
    page = browser.visit("http://plain.example/a/b?secret=1")
    point("plain.example by HTTP/1.1", "welcome to plain.example by HTTP/1.1" in page, page)
    point("and its path without the query", any(line.endswith(" uri=/a/b") for line in seen("plain.example", "http")),
          type_in("cat /proc/natflow_urls"))
    before = hits()
    data = subprocess.run(["ip", "netns", "exec", CLIENT, "curl", "-sk", "https://big.example/big"], check=True,
                          stdout=subprocess.PIPE, timeout=PATIENCE).stdout
    with open(f"{browser.place}/big", "rb") as f:
        same = f.read() == data
    point("eight megabytes arrive as they are, by the fast path", same and hits() - before > 100, f"{same}, {hits() - before} hits")


def blocks(browser):
    type_in("echo add acl=0,2,example.net > /dev/hostacl_ctl; echo add acl=0,2,blocked.example > /dev/hostacl_ctl")
    page = browser.visit("https://blocked.example/page")
    point("blocked.example over TCP is reset", "welcome" not in page and curl("https://blocked.example/page") in (35, 56), page)
    page = browser.visit("https://blocked.example/page", quic=True)
    point("blocked.example over QUIC has no page", "welcome" not in page and seen("blocked.example", "quic", "reset"), page)
    point("the log says so", seen("blocked.example", "tls", "reset"), type_in("cat /proc/natflow_urls"))
    page = browser.visit("https://www.example/page")
    point("another site is still there", "welcome to www.example" in page, page)
    type_in("echo dns_answer=nxdomain > /dev/hostacl_ctl")
    page = browser.visit("https://blocked.example/page")
    point("now it has no address", "welcome" not in page and curl("https://blocked.example/page") == 6, page)
    type_in("echo dns_answer=none > /dev/hostacl_ctl; echo clear > /dev/hostacl_ctl")
    page = browser.visit("https://blocked.example/page")
    point("and is back without the rule", "welcome to blocked.example" in page, page)
    type_in("echo list name=ads action=reset src=10.9.1.0/24 src=fd09:1::/64 > /dev/hostacl_ctl;"
            "{ echo list name=ads load; echo ads.example; echo end; } > /dev/hostacl_ctl")
    for host in ("ads.example", "six.ads.example"):
        page = browser.visit(f"https://{host}/page")
        point(f"{host}, which a list has, is reset", "welcome" not in page and curl(f"https://{host}/page") in (35, 56), page)
    type_in("echo redirect_url=http://portal.example/why > /dev/hostacl_ctl; echo add acl=1,3,bad.example > /dev/hostacl_ctl")
    page = browser.visit("http://bad.example/")
    point("bad.example in clear is sent elsewhere", "welcome to portal.example" in page, page)
    point("the rules can be written back", type_in("cat /dev/hostacl_ctl > /tmp/a; cat /tmp/a > /dev/hostacl_ctl;"
                                                   "cat /dev/hostacl_ctl | diff /tmp/a - && echo same") == "same")


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        os.chmod(place, 0o755)
        console = network(sys.argv[1:])
        threading.Thread(target=name_server, daemon=True).start()
        browser = Browser(place, web_server(place))
        visits(browser)
        blocks(browser)
        trouble = [line for line in console if re.search(r"BUG|WARNING|Oops|Call Trace", line)]
        point("and the gateway's kernel has nothing to say", not trouble, "".join(console))
    print(f"1..{len(POINTS)}", flush=True)


main()
