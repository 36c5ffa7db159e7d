# SPDX-License-Identifier: GPL-2.0-only
"""Failures, waiting, namespaces, programs."""
import contextlib
import ctypes
import os
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
IPT = {4: "iptables-legacy", 6: "ip6tables-legacy"}
PATIENCE = 60.0     # seconds before a condition that should hold is a failure
BOOT_WORDS = open("/proc/cmdline").read().split()
LONG = "long" in BOOT_WORDS      # the long forms of what has one


class Failure(Exception):
    """A check failed."""


def check(ok, what):
    if not ok:
        raise Failure(what)


def equal(got, want, what):
    check(got == want, f"{what}: got {got!r}, want {want!r}")


def wait(condition, what, seconds=PATIENCE):
    """Wait until condition() is true; its value is returned."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {seconds:.0f} s for: {what}")
        time.sleep(0.01)


def _setns(fd):
    if LIBC.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def ns(name):
    """Enter a namespace; sockets and files opened inside stay in it."""
    fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    _setns(fd)
    os.close(fd)
    try:
        yield
    finally:
        _setns(before)
        os.close(before)


STARTED = []
AT_END = []          # what to call before programs are stopped


def start(where, command, **kw):
    """Start a program in a namespace (None: where we are)."""
    words = command.split() if isinstance(command, str) else command
    kw.setdefault("stdout", subprocess.PIPE)
    kw.setdefault("stderr", subprocess.STDOUT)
    with ns(where) if where else contextlib.nullcontext():
        p = subprocess.Popen(words, text=True, stdin=kw.pop("stdin", subprocess.DEVNULL), **kw)
    STARTED.append(p)
    return p


def stop_all():
    """End programs that a case left running: they would keep its namespace alive."""
    while AT_END:
        AT_END.pop()()
    for p in STARTED:
        if p.poll() is None:
            p.kill()
            p.wait()
    STARTED.clear()


def run(where, command, ok=True, seconds=120, text=None):
    """Run a program to its end; its output. ok=False: (status, output) instead."""
    p = start(where, command, stdin=subprocess.PIPE if text is not None else subprocess.DEVNULL)
    try:
        out, _ = p.communicate(text, timeout=seconds)
    except subprocess.TimeoutExpired:
        p.kill()
        out = p.communicate()[0]
        raise Failure(f"{command}: still running after {seconds} s: {out}") from None
    if not ok:
        return p.returncode, out
    check(p.returncode == 0, f"{command}: status {p.returncode}: {out.strip()}")
    return out


def sh(where, script):
    return run(where, ["sh", "-ec", script])


def modprobe(*names):
    """Load modules. A missing one is built in, or the program that needs it fails."""
    for name in names:
        run(None, ["modprobe", "-q", name], ok=False)


# finit_module, delete_module
SYSCALLS = {"x86_64": (313, 176), "aarch64": (273, 106), "armv7l": (379, 129), "s390x": (344, 129)}[os.uname().machine]


def insmod(path, parameters=""):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    failed = LIBC.syscall(SYSCALLS[0], fd, parameters.encode(), 0)
    os.close(fd)
    check(not failed, f"insmod {path}: {os.strerror(ctypes.get_errno())}")


def rmmod(name):
    """Unload a module. False: not loaded, or in use."""
    return not LIBC.syscall(SYSCALLS[1], name.encode(), os.O_NONBLOCK)


def sysctls(where, values):
    """Values by name. The files are looked up from inside: each namespace has its own."""
    with ns(where):
        for name, value in values.items():
            with open("/proc/sys/" + name.replace(".", "/"), "w") as f:
                f.write(str(value))


def sysctl(where, name, value):
    sysctls(where, {name: value})


@contextlib.contextmanager
def kernel_wide(path, value):
    """Change a global setting and restore it at the end."""
    def put(text):
        with open(path, "w") as f:      # at its start: sysctl ignores what is written further on
            f.write(text)
    with open(path) as f:
        before = f.read()
    try:
        put(str(value))
        yield
    finally:
        put(before)
