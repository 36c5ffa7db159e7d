#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""visit.py VM-COMMAND...: a browser behind a gateway that runs natflow. Prints TAP.

Debian's Chromium and curl in one network namespace, Caddy and a DNS server in another, the gateway in a VM with a
network card in each. The commands of the README on names are typed on the gateway, and the browser visits sites over TCP
and over QUIC. Then the gateway gets the portal of Documentation/portal.md.
"""
import os
import re
import subprocess
import sys
import tempfile
import threading

import guests
from world import CLIENT, PATIENCE, POINTS, end, hits, image, name_server, network, point, start, type_in, web_server


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
        vm, kernel, base = sys.argv[1:]
        console = network([vm, kernel, image(place, base, *guests.PROGRAMS)])
        threading.Thread(target=name_server, daemon=True).start()
        browser = Browser(place, web_server(place))
        visits(browser)
        blocks(browser)
        guests.meet(place)
        trouble = [line for line in console if re.search(r"BUG|WARNING|Oops|Call Trace", line)]
        point("and the gateway's kernel has nothing to say", not trouble, "".join(console))
    print(f"1..{len(POINTS)}", flush=True)


main()
