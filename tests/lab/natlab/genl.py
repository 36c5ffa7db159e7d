# SPDX-License-Identifier: GPL-2.0-only
"""Generic netlink by hand: an independent client of natflow's family."""
import os
import socket
import struct
import sys

from .programs import PATIENCE, ns
from .rtnl import ACK, DONE, DUMP, ERROR, REQUEST, attributes, listed, text

CONTROLLER = 16
GET, SET, FLOW_GET = 1, 2, 3                                       # NATFLOW_CMD_*
DEVICE, LINE, FILTER = 2, 3, 4                                     # NATFLOW_A_*
STATES = ("selected", "half", "published", "ambiguous")
HW = ("off", "offered", "installed", "bound", "no-back-end")
CHANGED, CAPPED, DETAILS = 0x10, 0x100, 0x200                      # NLM_F_DUMP_INTR, NLM_F_CAPPED, NLM_F_ACK_TLVS


class Refused(OSError):
    """The kernel's errno, its sentence, and the offset of the attribute that is to blame."""

    def __init__(self, number, sentence, offset):
        super().__init__(number, os.strerror(number))
        self.sentence, self.offset = sentence, offset


def number(data):
    return int.from_bytes(data, sys.byteorder)


class Genl:
    """A socket of the family in a namespace."""

    def __init__(self, where="r", name="natflow"):
        with ns(where):
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)      # NETLINK_GENERIC
        self.sock.settimeout(PATIENCE)
        self.sock.setsockopt(270, 11, 1)                                           # SOL_NETLINK, NETLINK_EXT_ACK
        self.sock.setsockopt(270, 10, 1)                                           # NETLINK_CAP_ACK
        answer = self.ask(CONTROLLER, 3, text(2, name))                            # CTRL_CMD_GETFAMILY
        self.family = number(attributes(answer[0][1])[1])

    def send(self, kind, command, *body, flags=0):
        data = struct.pack("=BBH", command, 1, 0) + b"".join(body)
        self.sock.send(struct.pack("=IHHII", 16 + len(data), kind, REQUEST | flags, 1, 0) + data)

    def messages(self):
        """What one recv() brings: (kind, flags, data)."""
        data = self.sock.recv(1 << 20)
        while len(data) >= 16:
            size, kind, flags, _, _ = struct.unpack_from("=IHHII", data)
            yield kind, flags, data[16:size]
            data = data[size + 3 & ~3:]

    def ask(self, kind, command, *body, flags=ACK):
        """Send, and return the answers up to the ACK or the end of the dump, as (flags, attributes)."""
        self.send(kind, command, *body, flags=flags)
        answers = []
        while True:
            for what, its, data in self.messages():
                if what == DONE:
                    return answers
                if what == ERROR:
                    code = struct.unpack_from("=i", data)[0]
                    if not code:
                        return answers
                    more = attributes(data[20:]) if its & DETAILS else {}
                    raise Refused(-code, more.get(1, b"").rstrip(b"\0").decode(), number(more[2]) if 2 in more else None)
                answers.append((its, data[4:]))

    def get(self):
        return list(listed(self.ask(self.family, GET)[0][1]))

    def set(self, *lines, device="natflow_ctl"):
        self.ask(self.family, SET, text(DEVICE, device), *(text(LINE, line) for line in lines))

    def flows(self, condition=None):
        """A dictionary for each flow, and whether the dump was disturbed."""
        answers = self.ask(self.family, FLOW_GET, *([text(FILTER, condition)] if condition else []), flags=DUMP)
        return [flow(attributes(data)) for _, data in answers], any(flags & CHANGED for flags, _ in answers)

    def close(self):
        self.sock.close()


def flow(a):
    """What a message says of a flow."""
    def address(data):
        return socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data)

    def direction(data):
        d = attributes(data)
        ports = [int.from_bytes(d[k], "big") for k in (4, 5, 8, 9)]
        return {"tuple": (address(d[2]), address(d[3]), *ports[:2], address(d[6]), address(d[7]), *ports[2:]),
                "in": number(d.get(10, b"")), "out": number(d.get(11, b"")), "packets": number(d[12]), "bytes": number(d[13])}
    return {"id": int.from_bytes(a[5], "big"), "family": {2: 4, 10: 6}[a[6][0]], "proto": {6: "tcp", 17: "udp"}[a[7][0]],
            "state": STATES[a[8][0]], "hw": HW[a[9][0]], "idle": number(a[10]), "orig": direction(a[11]), "reply": direction(a[12])}
