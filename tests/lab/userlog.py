# SPDX-License-Identifier: GPL-2.0-only
"""Readers of the events of users: the records, and what each user had since the last look (Documentation/users.md)."""
import collections
import os
import select
import socket
import struct

from natlab import AT_END, check, equal, ns, wait

QUEUE = "/dev/natflow_userinfo_queue"
LISTED, LIST_END, NEW, ACTIVE, MOVE, CONFLICT, STATUS, KICK, GRANT, GRANT_END, LAST = range(1, 12)
UNSAID, HAND, RULE, POLICY, SCHEDULE, VOLUME, MINUTES, GRANTED, EVICTED, IDLE, MEMORY, ZONE = range(12)
V3 = ("version", "header", "size", "family", "idle", "ip", "mac", "type", "status", "rule", "rx_packets", "rx_bytes", "tx_packets",
      "tx_bytes", "rx_pps", "rx_bps", "tx_pps", "tx_bps", "ifname")
V4 = ("version", "header", "size", "cookie", "number", "time", "dropped", "limited", "user", "kind", "why", "family", "zone", "type",
      "status", "before", "zero", "rule", "zero2")
# Attributes: name and format.
ATTRIBUTES = {1: ("addr", None), 2: ("mac", "6s"), 3: ("other", "6s"), 4: ("device", None), 5: ("name", None), 6: ("policy", None),
              7: ("value", "=Q"), 8: ("times", "=IIII"), 9: ("sums", "=10Q"), 10: ("rates", "=8Q"), 11: ("gone", "=11Q")}


def add(a, b, sign=1):
    return tuple(x + sign * y for x, y in zip(a, b))


class Log:
    """An open file of the queue; records come as dictionaries."""

    def __init__(self, version=4, where="r"):
        with ns(where):
            self.fd = os.open(QUEUE, os.O_RDWR | os.O_NONBLOCK)
        AT_END.append(self.close)       # an open file would keep the module
        self.version, self.records = version, []
        if version == 4:
            self.write("records=4")

    def write(self, line):
        os.write(self.fd, line.encode() + b"\n")

    def read(self, size=65536):
        """Read all available records; returns the number of new ones."""
        before = len(self.records)
        while data := os.read(self.fd, size):
            while data:
                r = (self.take3 if self.version == 3 else self.take4)(data)
                self.records.append(r)
                data = data[r["size"]:]
        return len(self.records) - before

    def ready(self, seconds=0):
        p = select.poll()
        p.register(self.fd, select.POLLIN)
        return bool(p.poll(seconds * 1000))

    def kinds(self):
        """How many records of each kind can be read, and the first and the last one: quicker than read()."""
        out, self.first = collections.Counter(), None
        while data := os.read(self.fd, 65536):
            at = 0
            self.first = self.first or self.take4(data)
            while at < len(data):
                (size,), (kind,) = struct.unpack_from("=I", data, at + 4), struct.unpack_from("=H", data, at + 56)
                out[kind] += 1
                last, at = at, at + size
            self.end = self.take4(data[last:])
        return out

    def hangs_up(self, seconds):
        p = select.poll()
        p.register(self.fd, 0)
        return any(what & select.POLLHUP for _, what in p.poll(seconds * 1000))

    def take3(self, data):
        r = dict(zip(V3, struct.unpack_from("=HHHHI16s6sBBHQQQQIIII16s", data)))
        equal((r["version"], r["header"], r["size"]), (3, 102, 102), "version, header and size")
        r["addr"] = socket.inet_ntop(r["family"], r["ip"][:4 if r["family"] == socket.AF_INET else 16])
        r["device"] = r["ifname"].rstrip(b"\0").decode()
        return r

    def take4(self, data):
        r = dict(zip(V4, struct.unpack_from("=HHIQQQQQQHHBBBBBBHI", data)))
        equal((r["version"], r["header"], r["size"] % 8, r["zero"], r["zero2"]), (4, 72, 0, 0, 0), "version, header, size, zeros")
        at = r["header"]
        while at < r["size"]:
            n, kind, zero = struct.unpack_from("=HHI", data, at)
            value, padding = data[at + 8:at + 8 + n], -n % 8
            equal((zero, data[at + 8 + n:at + 8 + n + padding]), (0, bytes(padding)), "zero and padding")
            key, form = ATTRIBUTES[kind]
            check(key not in r, f"{key} twice")
            if key == "addr":
                r[key] = socket.inet_ntop(r["family"], value)
            elif form:
                values = struct.unpack(form, value)
                r[key] = values if len(values) > 1 else values[0]
            else:
                r[key] = value.decode()
            at += 8 + n + padding
        equal(at, r["size"], "attributes end with the record")
        return r

    def of(self, *kinds):
        return [r for r in self.records if r["kind"] in kinds]

    def wait(self, what, condition):
        """Wait for a record that meets a condition, and return it; earlier ones are forgotten."""
        def found():
            self.read()
            for i, r in enumerate(self.records):
                if condition(r):
                    del self.records[:i + 1]
                    return r
            return None
        try:
            return wait(found, what, 20)
        except Exception as e:
            raise type(e)(f"{e}; have {self.records}") from None

    def list(self):
        """What users have now, and the list's end; events that came before are kept in self.records."""
        self.write("list")
        (end,) = wait(lambda: self.read() and self.of(LIST_END), "the list's end")
        users = self.of(LISTED)
        self.records = [r for r in self.records if r["kind"] not in (LISTED, LIST_END)]
        equal(len(users), end.get("value", 0), "users in the list")
        return users, end

    def close(self):
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None


NOTHING = (0,) * 10


class Reader(Log):
    """What each user had since this reader began: by its own arithmetic, from numbers of records that only grow."""

    def __init__(self, where="r"):
        super().__init__(where=where)
        self.known, self.had, self.lost, self.gone, self.missed = {}, {}, NOTHING, (0,) * 11, 0
        self.cookie = self.next = None
        self.last = 0                   # records with the final sums of a user
        self.update()
        self.had, self.lost = {}, NOTHING

    def update(self):
        self.write("list")
        listed = set()
        done = False
        while not done:
            wait(lambda: self.records or self.read(), "records")
            done = self.take(self.records.pop(0), listed)

    def take(self, r, listed):
        """True: the list is complete."""
        check(self.cookie in (None, r["cookie"]), "the module was loaded again")
        self.cookie = r["cookie"]
        self.next = r["number"] + 1 if r["number"] else self.next
        user = r["user"]
        if r["kind"] == LIST_END:
            self.unnamed(r["gone"], NOTHING)
            if r["dropped"] + r["limited"] > self.missed:
                for user in set(self.known) - listed:
                    self.lost = add(self.lost, self.known.pop(user), -1)
            self.missed = r["dropped"] + r["limited"]
            return True
        growth = add(r["sums"], self.known.get(user, NOTHING), -1)
        check(min(growth) >= 0, f"sums of user {user} have shrunk: {r}")
        self.had[user] = add(self.had.get(user, NOTHING), growth)
        self.known[user] = r["sums"]
        listed.add(user)
        if r["kind"] == LAST:
            self.last += 1
            del self.known[user]
            self.unnamed(r["gone"], r["sums"])
        return False

    def unnamed(self, gone, own):
        """Users whose last record this reader has lost: known in sum."""
        self.lost = add(self.lost, add(add(gone[1:], self.gone[1:], -1), own, -1))
        self.gone = gone

    def total(self):
        out = self.lost
        for sums in self.had.values():
            out = add(out, sums)
        return out
