#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""names.py LIBRARY CAPTURES...: compares lib/'s parsers with tshark's on captured packets. Prints TAP.

tshark takes packets apart; streams are gathered and read by lib/. What counts are the names of each
stream: all that tshark shows must be ours, and ours no others.
"""
import collections
import concurrent.futures
import ctypes
import os
import subprocess
import sys

PARSED, MORE, OTHER, MALFORMED, UNTRUSTED, ROOM = range(6)
HELLO_MAX = 16384
QUIC_VERSIONS = {"0x00000001", "0x6b3343cf", "0xff00001d"}


class Hostname(ctypes.Structure):
    _fields_ = [("len", ctypes.c_uint8), ("odd", ctypes.c_bool), ("text", ctypes.c_char * 254)]


class Tls(ctypes.Structure):
    _fields_ = [("host", Hostname), ("alpn", ctypes.c_char * 32), ("version", ctypes.c_uint16), ("ech", ctypes.c_bool),
                ("end", ctypes.c_uint32)]


class Span(ctypes.Structure):
    _fields_ = [("at", ctypes.c_uint16), ("len", ctypes.c_uint16)]


class Http(ctypes.Structure):
    _fields_ = [("host", Hostname), ("port", ctypes.c_uint16), ("flags", ctypes.c_uint16), ("header_len", ctypes.c_uint16),
                ("body", ctypes.c_int), ("body_len", ctypes.c_uint64), ("method", Span), ("target", Span),
                ("user_agent", Span)]


class Gather(ctypes.Structure):
    _fields_ = [("first", ctypes.c_void_p), ("last", ctypes.c_void_p), ("have", ctypes.c_void_p),
                ("size", ctypes.c_uint32), ("prefix", ctypes.c_uint32), ("want", ctypes.c_uint32)]


class Crypto(ctypes.Structure):
    _fields_ = [("at", ctypes.c_uint32), ("len", ctypes.c_uint32), ("data", ctypes.c_void_p)]


def library(path):
    """lib/'s parsers, as the module begins with them."""
    lib = ctypes.CDLL(path)
    lib.natflow_quic_init()
    return lib


class Stream:
    """One direction's beginning."""

    def __init__(self, lib):
        self.lib = lib
        self.first, self.last = (ctypes.create_string_buffer(HELLO_MAX) for _ in range(2))
        self.have = ctypes.create_string_buffer(HELLO_MAX // 8)
        self.gather = Gather(ctypes.addressof(self.first), None, ctypes.addressof(self.have), HELLO_MAX, 0, 0)
        self.base = None
        self.quic = ctypes.create_string_buffer(1024)

    def differs(self):
        """Allocate the second version of the bytes."""
        ctypes.memmove(self.last, self.first, HELLO_MAX)
        self.gather.last = ctypes.addressof(self.last)

    def put(self, at, data):
        data = data[:max(0, HELLO_MAX - at)]
        if self.lib.natflow_gather_put(ctypes.byref(self.gather), at, data, len(data)) < 0:
            self.differs()
            self.lib.natflow_gather_put(ctypes.byref(self.gather), at, data, len(data))

    def datagram(self, data, work):
        self.lib.natflow_quic_begin(work, data, len(data))
        crypto = Crypto()
        while (state := self.lib.natflow_quic_next(self.quic, work)) in (PARSED, UNTRUSTED):
            while state == PARSED and self.lib.natflow_quic_crypto(work, ctypes.byref(crypto)) == PARSED:
                self.put(crypto.at, ctypes.string_at(crypto.data, crypto.len))

    def names(self, records):
        """Of all hellos, the first and the one after a HelloRetryRequest."""
        out, at = set(), 0
        while True:
            tls = Tls()
            begin = ctypes.addressof(self.first) + at
            state = self.lib.natflow_tls_hello(ctypes.c_void_p(begin), self.gather.prefix - at, records, ctypes.byref(tls))
            if tls.host.len and state in (PARSED, MORE, MALFORMED):
                out.add(tls.host.text.decode())
            if state != PARSED:
                return out
            at += tls.end


FIELDS = ("tcp.stream", "tcp.srcport", "tcp.seq_raw", "tcp.flags.syn", "tcp.payload", "udp.stream", "udp.srcport",
          "udp.payload", "tls.handshake.type", "tls.handshake.extensions_server_name", "quic.version", "http.request.method",
          "http.request.uri", "http.host")


def tshark(path):
    """A dictionary for each TCP or UDP packet that is in no tunnel."""
    args = ["tshark", "-n", "-r", path, "-Y", "(tcp || udp) && !icmp && !icmpv6", "-T", "fields", "-E", "separator=/t"]
    for field in FIELDS:
        args += ["-e", field]
    out = subprocess.run(args, capture_output=True, text=True, errors="replace", check=False).stdout
    packets = (dict(zip(FIELDS, line.split("\t"))) for line in out.splitlines())
    return [p for p in packets if "," not in p["tcp.stream"] + p["udp.stream"]]


def shown(p):
    """What tshark shows in a packet: the names of clients' hellos, or None."""
    if "1" not in p["tls.handshake.type"].split(","):
        return None
    return {name.lower().rstrip(".") for name in p["tls.handshake.extensions_server_name"].split(",") if name}


def tcp(lib, packets):
    """The streams, by their number and the port they come from."""
    streams = {}
    for p in packets:
        if not p["tcp.stream"]:
            continue
        key, syn = (p["tcp.stream"], p["tcp.srcport"]), p["tcp.flags.syn"] in ("1", "True")
        stream = streams.setdefault(key, Stream(lib))
        seq = int(p["tcp.seq_raw"]) + syn
        if stream.base is None or syn:
            stream.base = seq
        at = (seq - stream.base) & 0xffffffff
        if p["tcp.payload"] and at < HELLO_MAX:
            stream.put(at, bytes.fromhex(p["tcp.payload"]))
    return streams


def tls(lib, packets):
    """By stream, what tshark shows and what we say; only streams that begin with TLS."""
    theirs, streams = collections.defaultdict(set), tcp(lib, packets)
    for p in packets:
        theirs[p["tcp.stream"], p["tcp.srcport"]] |= shown(p) or set()
    ours = {key: stream.names(True) for key, stream in streams.items() if stream.first.raw[0] in (0x14, 0x16)}
    return {key: theirs[key] for key in ours}, ours


def bare(authority):
    """A host in natflow's form: without user, port, brackets and final dot."""
    authority = authority.rsplit("@", 1)[-1]
    host = authority[1:].split("]")[0] if authority.startswith("[") else authority.split(":")[0]
    return host.lower().rstrip(".")


def asked(p):
    """Whose page the first request in a packet asks for; the target's word goes before the header's (RFC 9112 section 3.2)."""
    uri = p["http.request.uri"].split(",")[0]
    if p["http.request.method"].split(",")[0] == "CONNECT":
        return bare(uri)
    if "://" in uri.split("?")[0]:
        return bare(uri.split("://", 1)[1].split("/")[0].split("?")[0])
    return bare(p["http.host"].split(",")[0])


def http(lib, packets):
    """The same for the first request of a stream; only of streams that begin with it."""
    theirs, ours, streams = {}, {}, tcp(lib, packets)
    for p in packets:
        key = p["tcp.stream"], p["tcp.srcport"]
        if not p["tcp.stream"] or not p["http.request.method"] or key in theirs or not streams[key].first.raw[:1].isalpha():
            continue
        head = streams[key].first.raw[:streams[key].gather.prefix].split(b"\r\n\r\n")[0]
        if b"\0" in head:
            continue    # fuzzed; and tshark's fields show a name only up to there
        theirs[key] = {asked(p)} - {""}
        request = Http()
        state = lib.natflow_http_parse(streams[key].first, streams[key].gather.prefix, ctypes.byref(request))
        ours[key] = {request.host.text.decode()} - {""} if state == PARSED else set()
    return theirs, ours


def quic(lib, packets):
    theirs, ours, streams = collections.defaultdict(set), collections.defaultdict(set), {}
    work = ctypes.create_string_buffer(16384)
    for p in packets:
        if not p["udp.payload"]:
            continue
        key = p["udp.stream"], p["udp.srcport"]
        if set(p["quic.version"].split(",")) <= QUIC_VERSIONS:
            theirs[key] |= shown(p) or set()
        stream = streams.setdefault(key, Stream(lib))
        stream.datagram(bytes.fromhex(p["udp.payload"]), work)
        ours[key] |= stream.names(False)
    return theirs, ours


def compare(lib, path):
    """For each kind, how many streams have the same names, and what differs."""
    out, packets = [], tshark(path)
    for kind in (tls, http, quic):
        theirs, ours = kind(lib, packets)
        keys = [k for k in set(theirs) | set(ours) if theirs.get(k) or ours.get(k)]
        wrong = [k for k in keys if theirs.get(k) != ours.get(k)]
        out.append((len(keys) - len(wrong), [f"{os.path.basename(path)} {'/'.join(k)}: tshark {theirs.get(k)}, natflow {ours.get(k)}"
                                             for k in wrong]))
    return out


def main():
    lib = library(sys.argv[1])
    print("1..3")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda path: compare(lib, path), sys.argv[2:]))
    for number, (kind, share) in enumerate((("TLS", 1), ("HTTP", 1), ("QUIC", 0.999)), 1):
        same = sum(r[number - 1][0] for r in results)
        wrong = [line for r in results for line in r[number - 1][1]]
        good = same and same >= share * (same + len(wrong))
        print(f"{'ok' if good else 'not ok'} {number} - {kind}: the names of {same} streams, {len(wrong)} differ", flush=True)
        for line in wrong:
            print(f"# {line}")


if __name__ == "__main__":
    main()
