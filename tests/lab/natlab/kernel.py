# SPDX-License-Identifier: GPL-2.0-only
"""Queued packets, failing allocations, and the kernel log."""
import contextlib
import ctypes
import os
import re
import socket
import struct

from .programs import LIBC, PATIENCE, equal, ns
from .rtnl import attribute


@contextlib.contextmanager
def cpu(number):
    """Run on one CPU; packets sent here are received and routed here."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def on_each_cpu(do):
    """do(0) on one CPU and do(1) on another, at once."""
    pid = os.fork()
    if not pid:
        try:
            with cpu(1):
                do(1)
            os._exit(0)
        finally:
            os._exit(1)
    with cpu(0):
        do(0)
    equal(os.waitpid(pid, 0)[1], 0, "the other CPU's")


class Queue:
    """An NFQUEUE: packets wait for a verdict; accepting one sends it on in the caller's context."""

    def __init__(self, number=0, where="r"):
        self.number = number
        with ns(where):
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)       # NETLINK_NETFILTER
        self.sock.settimeout(PATIENCE)
        for data in (attribute(1, "!BxH", 1, 0), attribute(2, "!IB", 0, 1)):        # bind; copy no payload
            self.ask(2, data, 5)
            kind, answer = self.receive()
            equal((kind, answer[:4]), (2, bytes(4)), "answer to a queue command")   # NLMSG_ERROR, no error

    def ask(self, command, data, flags=1):
        body = struct.pack("!BBH", 0, 0, self.number) + data
        self.sock.send(struct.pack("=IHHII", 16 + len(body), 3 << 8 | command, flags, 0, 0) + body)

    def receive(self):
        data = self.sock.recv(65536)
        return struct.unpack_from("=H", data, 4)[0], data[16:]

    def next(self):
        """The number of the next packet; the packet header is the first attribute."""
        kind, data = self.receive()
        equal((kind, data[4:8]), (3 << 8, struct.pack("=HH", 11, 1)), "a packet in the queue")
        return struct.unpack_from("!I", data, 8)[0]

    def accept(self, packet):
        self.ask(1, attribute(2, "!II", 1, packet))

    def close(self):
        self.sock.close()


@contextlib.contextmanager
def no_memory(function, count, value=0):
    """natflow's next calls of a function fail with value; False if this kernel cannot do that."""
    path = "/proc/natlab_fail"
    works = os.path.exists(path)
    try:
        if works:
            with open(path, "w") as f:
                f.write(f"{function} {count} {value}")
        yield works
    finally:
        if works:
            with open(path, "w") as f:
                f.write("stop")


TROUBLE = re.compile(r"BUG:|WARNING:|Oops|possible circular|possible recursive|unreferenced object|suspicious RCU|"
                     r"refcount_t:|general protection|UBSAN|KASAN|unregister_netdevice: waiting|ref_tracker|"
                     r"INFO: task|rcu_sched|rcu_preempt detected|skb_warn_bad|hw csum failure|deprecated workqueue")


def trouble():
    """Forbidden lines of the kernel log, with the lines behind each; reading consumes the log."""
    text = ctypes.create_string_buffer(LIBC.klogctl(10, None, 0))           # SIZE_BUFFER
    lines = text[:LIBC.klogctl(4, text, len(text))].decode("latin1").splitlines()        # READ_CLEAR
    # Other people's data races are not ours to judge.
    bad = [i for i, l in enumerate(lines) if TROUBLE.search(l) and ("KCSAN" not in l or re.search(r"\[(natflow|xt_FLOW)", l))]
    return [l for i in bad for l in lines[i:i + 30]]
