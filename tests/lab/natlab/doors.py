# SPDX-License-Identifier: GPL-2.0-only
"""natflow's device files and counters."""
import contextlib
import errno
import os
import re

from .programs import check, equal, ns

CTL = "/dev/natflow_ctl"
NET = "/proc/net/"


def ctl(text, where="r", device=CTL):
    """Write to a control device in one write; raises the kernel's OSError."""
    with ns(where):
        fd = os.open(device, os.O_WRONLY)
    try:
        data = (text if text.endswith("\n") else text + "\n").encode()
        equal(os.write(fd, data), len(data), "bytes written")
    finally:
        os.close(fd)


def read(path, where="r"):
    with ns(where), open(path) as f:
        return f.read()


def stats(where="r", name="natflow"):
    """The lines of "key value" of /proc/net/NAME."""
    out = {}
    for line in read(f"/proc/net/{name}", where).splitlines():
        key, value = line.split(" ", 1)
        out[key] = int(value) if value.isdigit() else value
    return out


def rows(name, key, where="r"):
    """The lines of "key=value" words of /proc/net/NAME, by the value of @key."""
    table = (dict(word.split("=", 1) for word in line.split()) for line in read(f"/proc/net/{name}", where).splitlines())
    return {row[key]: row for row in table}


def gone(reader):
    """Has the namespace of an open device file gone?"""
    try:
        reader.seek(0)
        reader.readline()
    except OSError as e:
        return e.errno == errno.ENODEV
    return False


class Delta:
    """Counters since the object was made."""

    def __init__(self, where="r"):
        self.where = where
        self.before = stats(where)

    def __getitem__(self, key):
        return stats(self.where)[key] - self.before[key]

    def changed(self):
        now = stats(self.where)
        return {k: now[k] - v for k, v in self.before.items()
                if isinstance(v, int) and now[k] != v}


def flows(where="r"):
    return read("/proc/net/natflow_flows", where).splitlines()


def published(where="r"):
    return [f for f in flows(where) if " state=published " in f]


@contextlib.contextmanager
def opened(path=CTL, flags=os.O_RDWR, where="r"):
    with ns(where):
        fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def refuses(call, *numbers):
    """call() fails with one of these errnos."""
    try:
        call()
    except OSError as e:
        check(e.errno in numbers, f"{e}, want {[errno.errorcode[n] for n in numbers]}")
        return
    check(False, f"succeeded, want {[errno.errorcode[n] for n in numbers]}")


def settings(where="r", device=CTL):
    return [line for line in read(device, where).splitlines() if not line.startswith("#")]


def log(where="r"):
    with ns(where), open(NET + "natflow_log", "rb") as f:
        return [re.sub(r"^\[\d+\.\d{3}\] ", "", line.decode("latin1")) for line in f.read().splitlines()]
