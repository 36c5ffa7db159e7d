# SPDX-License-Identifier: GPL-2.0-only
"""Messages of clients, and a reader of the log of names.

Hellos are made by OpenSSL; QUIC's packets are sealed here, by AES and GCM written
down once more from the standards, so that the module is not its own judge.
"""
import hashlib
import hmac
import os
import select
import socket
import ssl
import struct

import natlab
from natlab import (ADDR, AT_END, PATIENCE, Capture, Tcp, check, equal, frame, inject, ip_packet, mac, ns, sysctl, tcp,
                    wait)
from natlab.packets import l4_sum

QUEUE = "/dev/natflow_urllogger_queue"
ACL = "/dev/hostacl_ctl"
HTTP, TLS, QUIC, DNS, ANSWER, HINT = range(1, 7)
NO_RULE = 64
ACK, PSH, URG, FIN, RST, SYN = 16, 8, 32, 1, 4, 2


def enable(on=True, where="r", window=0):
    sysctl(where, "urllogger_store.timestamp_freq", window)
    sysctl(where, "urllogger_store.enable", int(on))


def acl(text, where="r"):
    with ns(where):
        fd = os.open(ACL, os.O_WRONLY)
    try:
        data = text.encode() + b"\n"
        equal(os.write(fd, data), len(data), "bytes written")
    finally:
        os.close(fd)


def load(name, domains, where="r"):
    """A list's domains."""
    acl(f"list name={name} load\n" + "".join(d + "\n" for d in domains) + "end", where)


def quiet(sock):
    """No data arrives for a while, and no end of the stream."""
    sock.settimeout(0.5)
    try:
        check(False, f"came: {sock.recv(100)}")
    except TimeoutError:
        sock.settimeout(PATIENCE)


def name(text):
    """A name of the DNS as it is on the wire."""
    return b"".join(bytes([len(l)]) + l.encode() for l in text.split(".")) + b"\0"


def question(host, kind=1, ident=0x1234, edns=True):
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0) if edns else b""
    return struct.pack("!HHHHHH", ident, 0x0120, 1, 0, 0, int(edns)) + name(host) + struct.pack("!HH", kind, 1) + opt


def answer(asked, *records, ident=None):
    """What a server says: each record is (owner, type, data); the owner "" is the name that was asked for."""
    end = 12 + asked[12:].index(b"\0") + 5
    out = asked[:2] if ident is None else struct.pack("!H", ident)
    out += struct.pack("!HHHHH", 0x8180, 1, len(records), 0, 0) + asked[12:end]
    for owner, kind, data in records:
        out += (name(owner) if owner else b"\xc0\x0c") + struct.pack("!HHIH", kind, 1, 300, len(data)) + data
    return out


class Log:
    """A reader of the queue; records come as dictionaries."""

    def __init__(self, where="r", version=2, oldest=False):
        with ns(where):
            self.fd = os.open(QUEUE, os.O_RDWR | os.O_NONBLOCK)
        AT_END.append(self.close)       # an open file would keep the module
        self.version = version
        if version == 3:
            os.write(self.fd, b"records=3\n")
        if oldest:
            os.write(self.fd, b"from=oldest\n")
        self.records, self.dropped, self.limited = [], 0, 0

    def read(self, size=65536):
        """Read all available records; returns the number of new ones."""
        before = len(self.records)
        while data := os.read(self.fd, size):
            while data:
                data = data[(self.take2 if self.version == 2 else self.take3)(data):]
        return len(self.records) - before

    def ready(self, seconds=0):
        p = select.poll()
        p.register(self.fd, select.POLLIN)
        return bool(p.poll(seconds * 1000))

    def take2(self, data):
        keys = ("version", "header", "size", "family", "timestamp", "sport", "dport", "sip", "dip", "mac", "hits",
                "host_len", "method", "source", "rule", "action")
        r = dict(zip(keys, struct.unpack_from("=HHHHIHH16s16s6sHHBBBB", data)))
        equal((r["version"], r["header"]), (2, 62), "version and header")
        text = data[62:r["size"]]
        r["host"], r["uri"] = text[:r["host_len"]].decode(), text[r["host_len"]:].decode()
        n = 4 if r["family"] == socket.AF_INET else 16
        r["src"], r["dst"] = (socket.inet_ntop(r["family"], r[k][:n]) for k in ("sip", "dip"))
        self.records.append(r)
        return r["size"]

    def take3(self, data):
        keys = ("version", "header", "size", "sequence", "time", "hits", "dropped", "limited", "family", "protocol",
                "source", "method", "action", "rule", "flags")
        r = dict(zip(keys, struct.unpack_from("=HHIQQQQQBBBBBBH", data)))
        equal((r["version"], r["header"], r["size"] % 8), (3, 56, 0), "version, header and size")
        at = r["header"]
        r.update(mac=None, host="", uri="", alpn="", list="", answer="")
        while at < r["size"]:
            n, kind = struct.unpack_from("=HH", data, at)
            value = data[at + 4:at + 4 + n]
            if kind in (2, 3):
                width = 4 if r["family"] == socket.AF_INET else 16
                src, dst, sport, dport = struct.unpack("=16s16sHH", value)
                r[{2: "tuple", 3: "nat"}[kind]] = (socket.inet_ntop(r["family"], src[:width]), sport,
                                                   socket.inet_ntop(r["family"], dst[:width]), dport)
            elif kind == 1:
                r["mac"] = value
            else:
                r[{4: "host", 5: "uri", 6: "alpn", 7: "list", 8: "answer"}[kind]] = value.decode()
            at += -(-(4 + n) // 8) * 8
        equal(at, r["size"], "attributes end with the record")
        self.dropped, self.limited = r["dropped"], r["limited"]
        self.records.append(r)
        return r["size"]

    def wait(self, count):
        """Wait for that many records, return and forget them."""
        wait(lambda: self.read() or len(self.records) >= count, f"{count} records, have {self.records}")
        wait(lambda: len(self.records) >= count or self.read() and False, f"{count} records, have {self.records}")
        out, self.records = self.records, []
        equal(len(out), count, f"records {out}")
        return out

    def close(self):
        os.close(self.fd)


def outcomes(d):
    """Results of inspections since the Delta was made."""
    return {k: v for k, v in d.changed().items() if k.startswith("name.")}


# -- TLS

def hello(host, alpn=(), records=True):
    """A ClientHello; records=False: the handshake message alone, as QUIC carries it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    out = ssl.MemoryBIO()
    conn = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=host)
    try:
        conn.do_handshake()
    except ssl.SSLWantReadError:
        pass
    data = out.read()
    return data if records else data[5:]


# -- QUIC (RFC 9000, 9001, 9369)

def _sbox():
    """FIPS 197, 5.1.1: the inverse in GF(2^8) and an affine map."""
    p = q = 1
    box = [0] * 256
    while True:
        p ^= (p << 1) & 0xff ^ (0x1b if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q ^= q << shift & 0xff
        if q & 0x80:
            q ^= 9
        x = q
        for shift in (1, 2, 3, 4):
            x ^= (q << shift | q >> 8 - shift) & 0xff
        box[p] = x ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    return box


SBOX = _sbox()


def _double(x):
    return x << 1 & 0xff ^ (0x1b if x & 0x80 else 0)


class Aes:
    """FIPS 197, 128 bits, one way."""

    def __init__(self, key):
        words, rcon = [list(key[i:i + 4]) for i in range(0, 16, 4)], 1
        while len(words) < 44:
            w = list(words[-1])
            if len(words) % 4 == 0:
                w = [SBOX[x] for x in w[1:] + w[:1]]
                w[0] ^= rcon
                rcon = _double(rcon)
            words.append([a ^ b for a, b in zip(w, words[-4])])
        self.keys = [sum(words[i:i + 4], []) for i in range(0, 44, 4)]

    def encrypt(self, block):
        s = [a ^ b for a, b in zip(block, self.keys[0])]
        for r in range(1, 11):
            s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
            if r < 10:
                mixed = []
                for c in range(0, 16, 4):
                    a = s[c:c + 4]
                    whole = a[0] ^ a[1] ^ a[2] ^ a[3]
                    mixed += [a[i] ^ whole ^ _double(a[i] ^ a[(i + 1) % 4]) for i in range(4)]
                s = mixed
            s = [a ^ b for a, b in zip(s, self.keys[r])]
        return bytes(s)


def gcm_seal(key, nonce, plain, aad):
    """SP 800-38D with a nonce of 96 bits."""
    aes = Aes(key)
    out = bytearray()
    for i in range(0, len(plain), 16):
        pad = aes.encrypt(nonce + struct.pack("!I", i // 16 + 2))
        out += bytes(a ^ b for a, b in zip(plain[i:i + 16], pad))
    h = int.from_bytes(aes.encrypt(bytes(16)), "big")
    y = 0
    for data in (aad, bytes(out)):
        for i in range(0, len(data), 16):
            x, v, y = y ^ int.from_bytes(data[i:i + 16].ljust(16, b"\0"), "big"), h, 0
            while x:
                if x >> 127:
                    y ^= v
                v = v >> 1 ^ (0xe1 << 120 if v & 1 else 0)
                x = x << 1 & (1 << 128) - 1
    x, v, y = y ^ (len(aad) * 8 << 64 | len(out) * 8), h, 0
    while x:
        if x >> 127:
            y ^= v
        v = v >> 1 ^ (0xe1 << 120 if v & 1 else 0)
        x = x << 1 & (1 << 128) - 1
    tag = bytes(a ^ b for a, b in zip(y.to_bytes(16, "big"), aes.encrypt(nonce + b"\0\0\0\1")))
    return bytes(out) + tag


def label(secret, text, length):
    """HKDF-Expand-Label, RFC 8446 7.1, for lengths of one hash at most."""
    info = struct.pack("!HB", length, 6 + len(text)) + b"tls13 " + text + b"\0"
    return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:length]


VERSIONS = {
    1: (1, "38762cf7f55934b34d179ae6a4c80cadccbb7f0a", b"quic", 0),
    2: (0x6b3343cf, "0dede3def700a6db819381be6e269dcbf9bd2ed9", b"quicv2", 1),
}


def varint(n):
    return struct.pack("!H", 0x4000 | n)


def crypto(offset, data):
    return b"\6" + varint(offset) + varint(len(data)) + data


def initial(frames, number=0, dcid=b"natflow!", version=1, size=1200, token=b"", forge=False):
    """A client's Initial, padded to a datagram of that size."""
    wire, salt, prefix, kind = VERSIONS[version]
    secret = label(hmac.new(bytes.fromhex(salt), dcid, hashlib.sha256).digest(), b"client in", 32)
    key, iv, hp = (label(secret, prefix + b" " + what, n) for what, n in ((b"key", 16), (b"iv", 12), (b"hp", 16)))
    head = bytes([0xc0 | kind << 4 | 3]) + struct.pack("!IB", wire, len(dcid)) + dcid + b"\0" + \
        varint(len(token)) + token
    plain = frames.ljust(size - len(head) - 2 - 4 - 16, b"\0")
    head += varint(4 + len(plain) + 16) + struct.pack("!I", number)
    nonce = bytes(a ^ b for a, b in zip(iv, number.to_bytes(12, "big")))
    sealed = gcm_seal(key, nonce, plain, head)
    if forge:
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    mask = Aes(hp).encrypt(sealed[:16])
    head = bytes([head[0] ^ mask[0] & 15]) + head[1:-4] + bytes(a ^ b for a, b in zip(head[-4:], mask[1:]))
    return head + sealed


def begin(**kw):
    natlab.select()
    enable(**kw)
    return Log(version=3)


def connect(family=4, **kw):
    conn = Tcp(family, established=False, **kw)
    conn.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return conn


class Victim:
    """A connection, and segments as if its client had sent them."""

    def __init__(self, family, ttl=64):
        self.family = family
        seen = Capture("r", "r0", lambda f: f[12:14] == (b"\x08\0" if family == 4 else b"\x86\xdd"))
        self.conn = Tcp(family, established=False)
        self.conn.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = self.conn.client.getsockname()[1]
        while True:
            f = seen.next()
            at = 14 + (20 if family == 4 else 40)
            if struct.unpack_from("!H", f, at)[0] == port and f[at + 13] == ACK:
                break
        seen.close()
        self.l4 = f[at:]
        self.seq, self.ack = struct.unpack_from("!II", f, at + 4)
        self.ports = struct.unpack_from("!HH", f, at)
        # NOP, NOP, timestamps
        equal(self.l4[20:24], b"\1\1\x08\x0a", "options of an ACK")
        self.stamps = struct.unpack_from("!II", self.l4, 24)

    def send(self, data, at=0, flags=ACK | PSH, ttl=64, stamp=0, options=None, ack=0, spoil=0, urgent=0):
        """A segment @at of the stream."""
        if options is None:
            options = b"\1\1\x08\x0a" + struct.pack("!II", self.stamps[0] + stamp & 0xffffffff, self.stamps[1])
        src, dst = ADDR["c", self.family], ADDR["s", self.family]
        l4 = tcp(self.family, src, dst, *self.ports, self.seq + at, self.ack + ack, flags, options + data,
                 doff=5 + len(options) // 4)
        l4 = l4_sum(self.family, src, dst, 6, l4[:16] + bytes(2) + struct.pack("!H", urgent) + l4[20:], 16)
        l4 = l4[:16] + struct.pack("!H", struct.unpack_from("!H", l4, 16)[0] ^ spoil) + l4[18:]
        inject("r0", frame(mac("r", "r0"), mac("c", "c0"), ip_packet(self.family, src, dst, 6, l4, ttl=ttl)))

    def is_blocked(self, data=None):
        """The client's own hello: the connection is reset."""
        self.conn.client.send(data or hello("blocked.example"))
        try:
            check(False, f"not blocked: {self.conn.client.recv(100)}")
        except ConnectionResetError:
            pass


def get(conn, data):
    """The server received exactly these bytes."""
    got = b""
    while len(got) < len(data):
        piece = conn.server.recv(65536)
        check(piece, "connection closed early")
        got += piece
    equal(got, data, "bytes at the server")


def say(conn, data, pieces=1):
    """The client sends the data in that many segments; all of it arrives."""
    size = -(-len(data) // pieces)
    for at in range(0, len(data), size):
        conn.client.send(data[at:at + size])
        get(conn, data[at:at + size])
