# SPDX-License-Identifier: GPL-2.0-only
"""Copies of iptables-legacy's tables: a command is typed once in a VM, and its result written wherever it would be the same.

A table that had the same rules and counters before has the same ones after the same command. The kernel takes a copy as it
takes what iptables-legacy writes: one setsockopt() replaces the table.
"""
import ctypes
import errno
import socket
import struct

from .programs import LIBC, ns

GET_INFO, GET_ENTRIES, SET_REPLACE = 64, 65, 64
LEVEL = {4: (socket.AF_INET, 0), 6: (socket.AF_INET6, 41)}      # SOL_IP, SOL_IPV6
RESULTS = {}        # (family, table, command, table before): table after


class Table:
    """A table of the namespace we are in."""

    def __init__(self, sock, family, name):
        self.sock, self.level, self.name = sock, LEVEL[family][1], name.encode()

    def get(self, option, head, size):
        """getsockopt() with a head that says what is wanted."""
        data = ctypes.create_string_buffer(head, size)
        if LIBC.getsockopt(self.sock.fileno(), self.level, option, data, ctypes.byref(ctypes.c_uint(size))):
            raise OSError(ctypes.get_errno(), f"table {self.name.decode()}")
        return data.raw

    def read(self):
        """(valid hooks, offsets of hooks and policies, number and size of entries), and the entries.

        None: the module is not there, because no iptables has run yet.
        """
        try:
            info = self.get(GET_INFO, self.name, 84)
        except OSError as e:
            if e.errno == errno.ENOPROTOOPT:
                return None
            raise
        name, hooks, *offsets, count, size = struct.unpack("@32s13I", info)
        head = struct.pack("@32sI0Q", name, size)
        return (hooks, *offsets, count, size), self.get(GET_ENTRIES, head, len(head) + size)[len(head):]

    def write(self, table, before):
        (hooks, *offsets, count, size), entries = table
        old = before[0][-2]
        counters = ctypes.create_string_buffer(16 * old)        # what the old entries have counted
        head = struct.pack("@32sIII10IIP0Q", self.name, hooks, count, size, *offsets, old, ctypes.addressof(counters))
        self.sock.setsockopt(self.level, SET_REPLACE, head + entries)


def once(family, command, where, type_in, name):
    """The effect of type_in(), which runs iptables-legacy's @command in a namespace: its own the first time, a copy later."""
    with ns(where), socket.socket(LEVEL[family][0], socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        table = Table(sock, family, name)
        before = table.read()
        key = family, name, command, before
        if key in RESULTS:
            table.write(RESULTS[key], before)
        else:
            type_in()
            RESULTS[key] = table.read()
