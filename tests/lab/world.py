# SPDX-License-Identifier: GPL-2.0-only
"""What is around the gateway of `make test-visit`: namespaces, cables, a DNS server and a web server."""
import atexit
import base64
import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

PATIENCE = 60
ME = f"natflow-{os.getpid()}"
CLIENT, SERVER, CABLES = f"{ME}-c", f"{ME}-s", f"{ME}-q"
TARGET = {4: "10.9.2.2", 6: "fd09:2::2"}
POINTS = []
ASKED = []              # (name, type) of the questions that the DNS server of the world got


def run(*command, where=None, **kw):
    inside = ["ip", "netns", "exec", where] if where else []
    return subprocess.run([*inside, *command], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=PATIENCE, check=True, **kw).stdout


def start(*command, where=None, **kw):
    """A process in its own group; it ends with this program."""
    inside = ["ip", "netns", "exec", where] if where else []
    p = subprocess.Popen([*inside, *command], start_new_session=True, **kw)
    atexit.register(end, p)
    return p


def end(p):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(p.pid, signal.SIGKILL)
    p.wait()


def wait(what, true):
    until = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.05)


def point(what, good, more=""):
    POINTS.append(good)
    print(f"{'ok' if good else 'not ok'} {len(POINTS)} - visit {what}", flush=True)
    if not good:
        print("\n".join("# " + line for line in str(more).splitlines()[-30:]), flush=True)


def setns(fd):
    import ctypes
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


def type_in(command):
    """Run a command on the gateway; returns its output, fails if it fails."""
    out = run("sh", "-c", 'printf "%s\\n" "$0" | timeout 50 nc 10.9.1.1 7000', command, where=CLIENT)
    text, status = out.rstrip("\n").rsplit("\n", 1)
    if status != "0":
        raise RuntimeError(f"{command}: status {status}: {text}")
    return text.rstrip("\n")


def hits():
    return int(re.search(r"^hits (\d+)$", type_in("cat /proc/natflow"), re.M)[1])


# -- the world behind the gateway

def name_server():
    """Every name is at the server; those that begin with "six" over IPv6 only. A thread, in the server's namespace."""
    setns(os.open(f"/run/netns/{SERVER}", os.O_RDONLY))
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((TARGET[4], 53))
    while True:
        asked, peer = sock.recvfrom(4096)
        stop = 12 + asked[12:].index(0) + 5
        kind = struct.unpack("!H", asked[stop - 4:stop - 2])[0]
        ASKED.append((asked[12:stop - 4], kind))
        family = 6 if asked[13:16] == b"six" else 4
        data = {1: socket.inet_aton(TARGET[4]), 28: socket.inet_pton(socket.AF_INET6, TARGET[6])}.get(kind, b"")
        said = [data] if kind == {4: 1, 6: 28}[family] else []
        sock.sendto(asked[:2] + struct.pack("!HHHHH", 0x8180, 1, len(said), 0, 0) + asked[12:stop] +
                    b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(d)) + d for d in said), peer)


def web_server(place):
    """Caddy, whose pages name the HTTP version; returns the hash of its key."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=visit", "-addext", "subjectAltName=DNS:*.example,DNS:*.net.example", "-keyout", f"{place}/key.pem", "-out",
        f"{place}/cert.pem")
    with open(f"{place}/big", "wb") as f:
        f.write(os.urandom(8 << 20))
    with open(f"{place}/Caddyfile", "w") as f:
        f.write(f"""{{
            auto_https off
            admin off
        }}
        :443 {{
            tls {place}/cert.pem {place}/key.pem
            header /page Content-Type text/html
            respond /page "<p>welcome to {{http.request.host}} by {{http.request.proto}}</p>"
            root * {place}
            file_server
        }}
        http://:80 {{
            header Content-Type text/html
            respond "<p>welcome to {{http.request.host}} by {{http.request.proto}}</p>"
        }}
        """)
    start("caddy", "run", "--config", f"{place}/Caddyfile", "--adapter", "caddyfile", where=SERVER,
          stdout=subprocess.DEVNULL, stderr=open(f"{place}/caddy.log", "w"), env={**os.environ, "HOME": place})
    wait("the web server", lambda: ":443" in run("ss", "-ltn", where=SERVER) and ":443" in run("ss", "-lun", where=SERVER))
    public = subprocess.run(["openssl", "pkey", "-in", f"{place}/key.pem", "-pubout", "-outform", "der"], check=True,
                            stdout=subprocess.PIPE).stdout
    return base64.b64encode(hashlib.sha256(public).digest()).decode()


def image(place, base, *programs):
    """The VM's image with more of this machine's programs in it."""
    files = {os.path.realpath(shutil.which(p)): shutil.which(p) for p in programs}
    listed = "".join(run("sh", "-c", f"ldd {path} 2>/dev/null || true") for path in files)
    for line in listed.split():
        if line.startswith("/"):
            files[line] = line
    for path, name in files.items():
        # /lib is a link to /usr/lib there: a directory of that name would take its place.
        name = re.sub(r"^/(?!usr/)", "/usr/", name)
        os.makedirs(f"{place}/root{os.path.dirname(name)}", exist_ok=True)
        shutil.copy(path, f"{place}/root{name}")
    run("sh", "-c", f"cd {place}/root && find * | cpio -o -H newc --quiet | gzip -1 | cat {os.path.abspath(base)} - > {place}/image")
    shutil.rmtree(f"{place}/root")
    return f"{place}/image"


def network(vm):
    """Namespaces, the gateway's VM, and its cables in their places."""
    for where in (CLIENT, SERVER, CABLES):
        run("ip", "netns", "add", where)
        atexit.register(subprocess.run, ["ip", "netns", "del", where], check=False)
        run("ip", "-n", where, "link", "set", "lo", "up")
    cards = " ".join(f"-netdev tap,id=nv{i},ifname={name},script=no,downscript=no "
                     f"-device virtio-net-pci,netdev=nv{i},romfile=,mac=52:54:00:09:0{i}:01"
                     for i, name in ((1, "lan"), (2, "wan")))
    gateway = start(*vm, "/lab/gateway.py", where=CABLES, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, env={**os.environ, "QARGS": cards, "TMO": "900"}, text=True)
    lines = []
    for line in gateway.stdout:
        lines.append(line)
        if "GATEWAY-UP" in line:
            break
    else:
        raise RuntimeError("".join(lines))
    threading.Thread(target=lambda: lines.extend(gateway.stdout), daemon=True).start()
    for where, card, n in ((CLIENT, "lan", 1), (SERVER, "wan", 2)):
        run("ip", "-n", CABLES, "link", "set", card, "netns", where)
        for command in (f"link set {card} up", f"addr add 10.9.{n}.2/24 dev {card}", f"addr add fd09:{n}::2/64 dev {card} nodad"):
            run("ip", "-n", where, *command.split())
    run("ip", "-n", CLIENT, "route", "add", "default", "via", "10.9.1.1")
    run("ip", "-n", CLIENT, "-6", "route", "add", "default", "via", "fd09:1::1")
    resolver = f"/etc/netns/{CLIENT}"
    os.makedirs(resolver)
    atexit.register(shutil.rmtree, resolver)
    with open(f"{resolver}/resolv.conf", "w") as f:
        f.write(f"nameserver {TARGET[4]}\n")
    return lines
