# SPDX-License-Identifier: GPL-2.0-only
"""Lists as they are published: what is taken, what is refused or skipped, what is said about it."""
import errno
import os
import subprocess

import urls
from natlab import Udp, check, equal, log as messages, opened, read, refuses, select
from urls import ACL, acl, load, question

# A file of every format, with what usually surrounds names, and the end of its last line.
MIXED = """\xef\xbb\xbf# hosts
127.0.0.1 localhost localhost.localdomain
::1 ip6-localhost ip6-loopback
fe80::1%lo0 localhost
255.255.255.255 broadcasthost
0.0.0.0 0.0.0.0
0.0.0.0 hosts.example  two.example # both
127.0.0.1\tTABS.Example#near
[Adblock Plus 2.0]
! Title: a, b
||adblock.example^
||third.example^$third-party
@@||ok.adblock.example^
address=/dnsmasq.example/0.0.0.0
local=/l1.example/l2.example/
server=/ok.l1.example/#
*.wild.example
.dot.example.
  blanks.example ; a comment

last.example"""
BLOCKED = ("hosts", "two", "tabs", "x.adblock", "third", "dnsmasq", "l1", "x.l2", "a.wild", "dot", "blanks", "last")
EXEMPT = ("ok.adblock", "x.ok.l1")


class Asker:
    """Asks the DNS for names: a blocked one is answered by the gateway, others reach the server."""

    def __init__(self):
        select()
        urls.enable()
        acl("dns_answer=nxdomain")
        self.log = urls.Log(version=3)
        self.flow = Udp(dport=53)

    def ask(self, host):
        """Return: the action and list of the record."""
        asked = question(host)
        self.flow.client.send(asked)
        r, = self.log.wait(1)
        if r["action"]:
            got = self.flow.client.recv(4096)
            equal((got[:2], got[3] & 15), (asked[:2], 3), f"answer for {host}")
        else:
            equal(self.flow.server.recvfrom(4096)[0], asked, f"question for {host} at the server")
        return r["action"], r["list"]

    def expect(self, want):
        for host, verdict in want.items():
            equal(self.ask(host), verdict, host)


def said(name):
    """What reading the device says about a list."""
    line, = (l for l in read(ACL).splitlines() if l.startswith(f"# list {name}: "))
    return line


def write(pieces):
    """What a program writes, which goes on after errors as shells do. Return: the errnos."""
    errors = []
    with opened(ACL, os.O_WRONLY) as fd:
        for piece in pieces:
            try:
                os.write(fd, piece)
            except OSError as e:
                errors.append(e.errno)
    return errors


def case_formats():
    """A list that mixes all formats, with each kind of line end, in pieces of any size: the same names."""
    asker = Asker()
    acl("list name=ads action=drop")
    for end, size in (("\n", 1), ("\r\n", 7), ("\r", 300), ("\r\n", 5000)):
        acl("list name=ads load\nend")
        data = b"list name=ads load\n" + (MIXED + "\nend\n").replace("\n", end).encode("latin1")
        equal(write(data[i:i + size] for i in range(0, len(data), size)), [], "errors")
        check(said("ads").startswith("# list ads: 14 domains, 0 hits, "), said("ads"))
    asker.expect({f"{n}.example": (1, "ads") for n in BLOCKED} | {f"{n}.example": (0, "ads") for n in EXEMPT})
    asker.expect({n: (0, "") for n in ("localhost", "broadcasthost", "ok.example", "example", "adblock")})
    check(said("ads").startswith("# list ads: 14 domains, 14 hits, "), said("ads"))


BAD = ("a,b", "http://x/", "[Adblock]", "10.0.0.1", "fe80::1", "a b", "x" * 64, "..", "192.168.1.5 nas.lan", "0.0.0.0 a:b",
       "address=/x.example/10.0.0.1", "server=/x.example/10.0.0.1", "||x.example^$script", "||x.example", "x.example##.ad",
       "b\xfccher.example", "a\1b", "x" * 5000)


def case_refused():
    """A line that has no name: nothing of its list is loaded, the log names it; skipped, the rest is."""
    asker = Asker()
    acl("list name=ads action=drop\nlist name=ads load\nold.example\nend")
    before = read(ACL)
    for bad in BAD:
        text = f"# a\nnew.example\n{bad}\nmore.example\n".encode("latin1")
        errors = write([b"list name=ads load\n", text, b"end\n", b"dns_https=pass\n"])
        equal(errors, [errno.EINVAL, errno.ECANCELED], f"errors for {bad[:40]}")
        line = messages()[-1]
        shown = bad[:60].replace("\1", "?")
        check(line.startswith(f"hostacl_ctl list ads line 3: '{shown}'") and "expected " in line, line)
        equal(read(ACL), before, f"rules after {bad[:40]}")
    asker.expect({"old.example": (1, "ads"), "new.example": (0, "")})
    acl("list name=ads load skip\nnew.example\n" + "\n".join(BAD[:-3]) + "\n0.0.0.0 part.example a:b\nmore.example\nend")
    equal(messages()[-1], "hostacl_ctl list ads: 16 lines skipped that have no host name, first: line 2", "message")
    check(", 16 skipped, first: line 2, " in said("ads"), said("ads"))
    asker.expect({"new.example": (1, "ads"), "more.example": (1, "ads"), "part.example": (0, ""), "old.example": (0, "")})
    load("ads", ["new.example"])
    check("skipped" not in said("ads"), said("ads"))


def case_exempt():
    """@@ is stronger than any block of any list, shorter or longer; an accept list only if it is as long; sets too."""
    asker = Asker()
    text = ["||a.example^", "||long.ok.example^", "@@||fine.a.example^", "@@||same.example^", "||same.example^",
            "@@||ok.example^"]
    acl("list name=ads action=drop\nlist name=more action=reset\nlist name=good action=accept")
    load("more", ["fine.a.example", "b.ok.example", "x.same.example", "long.good.example"])
    load("good", ["good.example"])
    compiled = subprocess.run(["/lab/natflow-list"], input="\n".join(text).encode(), capture_output=True, check=True)
    equal(compiled.stderr, b"natflow-list: 5 taken, 1 of them twice or more, 0 skipped\n", "report")
    for how in ("text", "set"):
        if how == "text":
            load("ads", text)
        else:
            acl("list name=ads load\nend")
            write([b"list name=ads load=%d\n" % len(compiled.stdout) + compiled.stdout])
        check(said("ads").startswith("# list ads: 5 domains, "), said("ads"))
        asker.expect({"a.example": (1, "ads"), "x.fine.a.example": (0, "ads"), "same.example": (0, "ads"),
                      "x.same.example": (0, "ads"), "long.ok.example": (0, "ads"), "b.ok.example": (0, "ads"),
                      "long.good.example": (2, "more"), "x.good.example": (0, "good")})
    acl("acl_action_default=drop")      # exempt from lists, not from the default
    asker.expect({"fine.a.example": (1, "ads"), "x.good.example": (0, "good")})
    acl("acl_action_default=accept")
    acl("list name=ads action=drop src=10.9.9.9")       # it is not for this client: nor are its exemptions
    asker.expect({"b.ok.example": (2, "more"), "a.example": (0, "")})


def case_end():
    """The end of the file ends an "end" without newline; a list whose last line swallowed it is told, and not loaded."""
    acl("list name=ads action=drop")
    equal(write([b"list name=ads load\na.example\nend"]), [], "errors")
    check(said("ads").startswith("# list ads: 1 domains, "), said("ads"))
    equal(write([b"list name=ads load\na.example\nb.example", b"end\n"]), [], "errors")
    line = messages()[-1]
    check("list ads line 2: 'b.exampleend': expected \"end\" as a line of its own" in line, line)
    check(said("ads").startswith("# list ads: 1 domains, "), said("ads"))
    equal(write([b"list name=ads load=160\nxx"]), [], "errors")
    check("list ads: expected as many bytes as load= says" in messages()[-1], messages()[-1])


def case_rules():
    """One host of a rule is deleted; names and URLs are checked when they are written."""
    asker = Asker()
    acl("add acl=1,1,a.example\nadd acl=1,1,b.example\nadd acl=2,2,a.example")
    acl("del acl=1,*.A.example.")
    equal([l for l in read(ACL).splitlines() if l.startswith("add")], ["add acl=1,1,b.example", "add acl=2,2,a.example"], "rules")
    asker.expect({"a.example": (2, ""), "b.example": (1, "")})
    acl("del acl=2,a.example\ndel acl=1,b.example")
    asker.expect({"a.example": (0, ""), "b.example": (0, "")})
    before = read(ACL)
    refuses(lambda: acl("del acl=1,b.example"), errno.ENOENT)
    for line, expected in (("add acl=0,1,http://x/", "a host name, as in: add acl="), ("add acl=0,1,a,b", "a host name"),
                           ("add acl=0,1,10.0.0.1", "a host name"), ("add acl=0,1," + "x" * 64, "a host name"),
                           ("del acl=0,a/b", "a host name"), ("del acl=0", "ID,HOST"), ("del acl=32,a", "0 to 31"),
                           ("redirect_url=portal.example", "a URL, as in: redirect_url=http://"), ("redirect_url=http://", "a URL"),
                           ("redirect_url=javascript:x", "a URL"), ("redirect_url=http://a/\xfc", "a URL")):
        refuses(lambda: acl(line), errno.EINVAL, errno.ERANGE)
        check(expected in messages()[-1], f"{line}: {messages()[-1]}")
    equal(read(ACL), before, "rules after wrong ones")


def case_hits():
    """Names that a list decides about are counted, once each; a load begins anew, a policy does not."""
    asker = Asker()
    acl("list name=ads action=drop\nlist name=other action=drop")
    check(said("ads") == "# list ads: nothing is loaded", said("ads"))
    load("ads", ["ads.example"])
    load("other", ["other.example"])
    asker.expect({"a.ads.example": (1, "ads"), "b.ads.example": (1, "ads"), "none.example": (0, "")})
    acl("list name=ads action=drop src=10.0.1.0/24")
    check(", 2 hits, " in said("ads") and ", 0 hits, " in said("other"), said("ads") + said("other"))
    load("ads", ["ads.example"])
    check(", 0 hits, " in said("ads"), said("ads"))
    check("load each list from its file again" in read(ACL), "usage")
