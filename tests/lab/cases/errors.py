# SPDX-License-Identifier: GPL-2.0-only
"""Every refusal is one sentence in /proc/natflow_log: the line, the word, what was expected, and an example that works."""
import errno
import os
import re

from natlab import (CTL, check, ctl, equal, log, netns_add, netns_del, no_memory, ns, opened, read, refuses, settings,
                    wait)
from urls import ACL, QUEUE, acl

SENTENCE = re.compile(r"(\w+) line (\d+): '(.*)': expected (.+), as in: (.+)")
ZONE, USER = "/dev/natflow_zone_ctl", "/dev/natflow_user_ctl"
WRITE = {CTL: ctl, ACL: acl, ZONE: lambda text: ctl(text, device=ZONE), USER: lambda text: ctl(text, device=USER)}


def said(call, *numbers):
    """The one new line of the log."""
    before = log()
    refuses(call, *numbers)
    new = log()[len(before):]
    equal(len(new), 1, f"log lines {new}")
    check(not re.search(r"\berror\b|errno", new[0]), new[0])
    return new[0]


def store(name, value):
    """One write, where sysctl() may try a second time when it closes the file."""
    with ns("r"), opened(f"/proc/sys/urllogger_store/{name}", os.O_WRONLY) as fd:
        os.write(fd, f"{value}\n".encode())


def words(device):
    """What a line may begin with, by the usage that the device prints."""
    usage = [line for line in read(device).splitlines() if line.startswith("#    ")]
    found = re.findall(r"^#    ((?:add |del |list )?[a-z_0-9]+=?)", "\n".join(usage), re.M)
    # Some share a line of the usage.
    return sorted(set(found) | ({"ifname_group_clear"} if device == CTL else set()) | {"commit"})


POLICY, BIND = "policy name=kids,verdict=block\n", "bind policy=kids,device=02:00:00:00:00:01\n"
# What an example needs.
BEFORE = {"commit": "begin\n", "del acl=": "add acl=0,2,example.com\n", "bind": POLICY, "policy": "policy_clean\n",
          "policy_change": "policy_clean\n" + POLICY, "policy_del": "policy_clean\n" + POLICY, "unbind": "policy_clean\n" + POLICY + BIND}


def case_words():
    """Each word of each device with a wrong value: the sentence, and its example is accepted."""
    for device, least in ((CTL, 21), (ACL, 8), (ZONE, 7), (USER, 13)):
        name = os.path.basename(device)
        every = words(device)
        check(len(every) >= least, f"{every}")
        for word in every:
            line = word + ("? ?" if word.endswith("=") else " ? ?")
            text = said(lambda: WRITE[device]("# first\n" + line), errno.EINVAL, errno.ERANGE)
            m = SENTENCE.fullmatch(text)
            check(m and m[1] == name and m[2] == "2" and ("?" in m[3] or m[3] == ""), f"{line}: {text}")
            check(m[5].startswith(word.rstrip("=")), f"{line}: {text}")
            WRITE[device](BEFORE.get(word, "") + m[5])
        text = said(lambda: WRITE[device]("what is this"), errno.EINVAL)
        m = SENTENCE.fullmatch(text)
        equal((m[3], m[4]), ("what is this", "a command that reading the device lists"), text)
        WRITE[device](m[5])


# As scripts of the original natflow have them; those of other devices of its, too.
ORIGINAL = """hwnat=1
hwnat_wed_disabled=0
vline_add=eth0,eth1,ipv4
vline_apply
vline_clear
relay_add=eth0,eth1,ipv6
lan_zone 1=br-lan
wan_zone 2=eth0+
update_match
print_zone
clean
auth id=0,szone=1,type=web,sipgrp=users
dst_bypasslist_name=pass
src_bypasslist_name=
redirect_ip=10.10.10.10
redirect_ip6=fd00::1
no_flow_timeout=86400
https_redirect_en=1
https_redirect_port=443
auth_open_weixin_reply=0
kickall
kick 10.0.1.2
set-status 10.0.1.2 1
set-token-ctrl 10.0.1.2 1000 1000
tc_classid_mode=1
add user=10.0.1.0/24,user_port=,remote=,remote_port=,proto=,rxbytes=1000,txbytes=1000
enable=1
disable
events_clear"""


def case_original():
    """What the original has and this one does not: EOPNOTSUPP, the line, and what to use instead."""
    before = settings()
    for line in ORIGINAL.splitlines():
        text = said(lambda: ctl("# first\n" + line), errno.EOPNOTSUPP)
        check(re.fullmatch(rf"natflow_ctl line 2: '{re.escape(line[:40])}' is of the original natflow: no .+; .+", text),
              text)
    equal(settings(), before, "settings")


def case_out_of_place():
    """Lines that are right and not possible now."""
    with opened() as fd:
        def write(text):
            return lambda: os.write(fd, text.encode() + b"\n")
        equal(said(write("commit"), errno.ENOENT), "natflow_ctl line 1: 'commit': expected begin before it, as in: begin",
              "log")
        os.write(fd, b"begin\n")
        equal(said(write("begin"), errno.EBUSY),
              "natflow_ctl line 3: 'begin': expected commit before another begin, as in: commit", "log")
        equal(said(write("commit"), errno.ECANCELED), "natflow_ctl line 4: 'commit': expected line 3 to be right, nothing "
              "was changed; all again, as in: begin", "log")
        equal(said(write("begin\n" + "delay_pkts=1\n" * 2048 + "delay_pkts=2"), errno.E2BIG), "natflow_ctl line 2054: "
              "'delay_pkts=': expected at most 2048 lines between begin and commit, as in: commit", "log")
    # In a transaction the line that cannot be done is named, not the commit.
    names = "".join(f"ifname_group_add=e{i}\n" for i in range(33))
    equal(said(lambda: ctl("begin\n" + names + "commit"), errno.ENOSPC), "natflow_ctl line 34: 'ifname_group_add=': "
          "expected at most 32 names, as in: ifname_group_clear", "log")
    equal(said(lambda: ctl("".join(f"log_skip src=10.0.0.{i}\n" for i in range(17))), errno.ENOSPC),
          "natflow_ctl line 17: 'log_skip': expected at most 16 of them, as in: log_skip_clear", "log")
    for line in ("list name=x remove", "list name=x load"):
        equal(said(lambda: acl(line), errno.ENOENT), "hostacl_ctl line 1: 'list name=': expected the name of a list that is "
              "there, as in: list name=ads action=drop", "log")
    acl("list name=x action=drop")
    equal(said(lambda: acl("begin\nlist name=x load"), errno.EBUSY),
          "hostacl_ctl line 2: 'list name=': expected no load between begin and commit, as in: commit", "log")
    equal(said(lambda: acl("begin\n" + "".join(f"list name=l{i} action=drop\n" for i in range(64)) + "commit"),
               errno.ENOSPC), "hostacl_ctl line 65: 'list name=': expected at most 64 lists, as in: list name=ads remove", "log")
    equal(said(lambda: acl("begin\n" + "".join(f"add acl=1,1,h{i}.example\n" for i in range(1025)) + "commit"),
               errno.ENOSPC), "hostacl_ctl line 1026: 'add acl=': expected at most 1024 rules, as in: clear", "log")
    text = said(lambda: acl("list name=x load\na.example\n-..-\nend"), errno.EINVAL)
    check("hostacl_ctl list x line 2: '-..-': " in text, text)


def case_too_long():
    for device in (CTL, ACL):
        equal(said(lambda: WRITE[device]("\n" + "#" * 256), errno.EINVAL), os.path.basename(device) +
              " line 2: expected at most 255 printable bytes, as in: # a comment", "log")


def case_no_memory():
    with no_memory("natflow_table_alloc", 1) as works:
        if works:
            equal(said(lambda: ctl("flow_limit=100"), errno.ENOMEM),
                  "natflow_ctl line 1: no memory, nothing was changed; write it again", "log")
    with no_memory("natflow_acl_alloc", 1) as works:
        if works:
            equal(said(lambda: acl("clear"), errno.ENOMEM),
                  "hostacl_ctl line 1: no memory, nothing was changed; write it again", "log")
    with no_memory("natflow_site_load_begin", 1) as works:
        if works:
            acl("list name=x action=drop")
            equal(said(lambda: acl("list name=x load"), errno.ENOMEM),
                  "hostacl_ctl line 1: no memory, nothing was changed; write it again", "log")
    for value, why in ((-errno.ENOMEM, "no memory; write it again"),
                       (-errno.ENOENT, "the hooks were refused; is conntrack there?")):
        with no_memory("nf_register_net_hooks", 1, value) as works:
            if works:
                equal(said(lambda: store("enable", 1), -value), f"urllogger_store/enable: not switched on, {why}", "log")


def case_queue():
    """What the queue does not take, and a read that is too small for a record."""
    words = "cache=N, records=2, records=3, from=oldest or clear, as in: records=3"
    with opened(QUEUE) as fd:
        for text, word, want in ((b"nonsense\n", "nonsense", words), (b"records=4\n", "records=4", words),
                                 (b"\x1b[2J\n", r"\e[2J", words),
                                 (b"clear\ncache=x\n", "x", "0 to 4294967295, as in: cache=0"),
                                 (b"cache=4294967296\n", "4294967296", "0 to 4294967295, as in: cache=0")):
            equal(said(lambda: os.write(fd, text), errno.EINVAL, errno.ERANGE),
                  f"natflow_urllogger_queue: '{word}': expected {want}", "log")
        for text in (b"x" * 64, b"clear\0\n", b"x" * 100000):
            equal(said(lambda: os.write(fd, text), errno.EINVAL),
                  "natflow_urllogger_queue: expected at most 63 printable bytes a write, as in: records=3", "log")
        for text in (b"records=3\n", b"cache=0\n", b"clear\n", b"from=oldest\n", b"\n" * 63, b"x" * 0):
            equal(os.write(fd, text), len(text), "bytes written")


def case_store():
    for name, most, bad in (("enable", 1, "2"), ("timestamp_freq", 86400, "-1"), ("tuple_type", 2, "many")):
        equal(said(lambda: store(name, bad), errno.EINVAL),
              f"urllogger_store/{name}: '{bad}': expected 0 to {most}, as in: echo 1 > /proc/sys/urllogger_store/{name}",
              "log")
        store(name, 1)


def case_gone():
    """A namespace that is gone has no log: the writer's own says so, once."""
    netns_add("x")
    for device in (CTL, ACL, QUEUE):
        with opened(device, where="x") as fd:
            netns_del("x")

            def gone():
                try:
                    os.write(fd, b"clear\n")
                except OSError as e:
                    return e.errno == errno.ENODEV
            with ns("r"):
                wait(gone, "it is gone")
                gone()
            equal(log().count(f"{os.path.basename(device)}: expected a network namespace that is there; open it again"), 1,
                  f"{log()}")
        netns_add("x")
