# SPDX-License-Identifier: GPL-2.0-only
"""A Debian 12 system: natflow is installed with the README's commands, then the system is booted twice.

Built in a chroot, since a compiler takes for ever in an emulator; the rest is typed at the machine's console.
"""
import os
import re
import shutil
import subprocess

from documents import TOP, block, command
from terminal import Terminal, check

CACHE = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")) + "/natflow"
WORK = f"{TOP}/build/debian"
ROOT, STAGE, DISK, INITRD = (f"{WORK}/{name}" for name in ("root", "stage", "disk", "initrd"))
INSTALL = "make && sudo make install"
BOOT = "sudo mkdir"
DRIVERS = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")
# What the machine does not need to run.
LEFT_OUT = ("/usr/src", "/usr/lib/gcc", "/usr/lib/linux-kbuild-*", "/usr/share/locale", "/usr/share/perl", "*.a", "*.o", "/proc/*")
# An ordinary firewall: its first rule accepts established packets. A FLOWOFFLOAD rule behind it would see none.
FIREWALL = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i lan -j ACCEPT
COMMIT
"""
# Two hosts beside it.
NET = """set -e
for f in ipv4/ip_forward ipv6/conf/all/forwarding; do echo 1 >/proc/sys/net/$f; done
for n in c s; do ip netns add $n; done
ip link add lan type veth peer name c0 netns c
ip link add wan type veth peer name s0 netns s
net() {
	ip addr add 10.0.$4.1/24 dev $3
	ip addr add fd00:$4::1/64 dev $3 nodad
	ip link set $3 up
	ip -n $1 addr add 10.0.$4.2/24 dev $2
	ip -n $1 addr add fd00:$4::2/64 dev $2 nodad
	ip -n $1 link set $2 up
	ip -n $1 route add default via 10.0.$4.1
	ip -n $1 route add default via fd00:$4::1
}
net c c0 lan 1
net s s0 wan 2
"""
FETCH = """head -c 20000000 /dev/zero | ip netns exec s timeout 60 nc -N -l $1 5000 >/dev/null &
until ip netns exec s ss -Hltn | grep -q :5000; do :; done
ip netns exec c timeout 60 nc -d $1 5000 | wc -c
wait
"""
# Lines of a build that say that something is wrong; headers without the kernel itself cannot make BTF.
WRONG = re.compile(r"^.*(?:error|warning|sign-file|System\.map|not found).*$", re.I | re.M)

# `readelf -SW`: a section's name, size and flags; and what a kernel frees, or does not keep, when it has loaded a module.
SECTION = re.compile(r"^ +\[ *\d+\] (\S+) +\S+ +[0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) [0-9a-f]+ +([A-Za-z]*) ", re.M)
NOT_KEPT = (".init", ".modinfo", "__versions")


def run(command, ok=True, **kw):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **kw)
    check(not ok or done.returncode == 0, f"{command}: status {done.returncode}: {done.stdout[-3000:]}")
    return done.stdout if ok else (done.returncode, done.stdout)


def put(path, text):
    path = ROOT + path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


class Debian:
    def __init__(self):
        with open(f"{CACHE}/k/6.1/release") as f:
            self.release = f.read().strip()
        self.modules = f"/lib/modules/{self.release}"

    def inside(self, line, ok=True):
        """A line in the root's shell, in the source tree. `uname -r` is the host's kernel there: KDIR says which is meant."""
        return run(["chroot", ROOT, "env", "-i", "PATH=/usr/sbin:/usr/bin", f"KDIR={self.modules}/build", "MAKEFLAGS=-j2",
                    "sh", "-c", "cd /root/natflow && " + line], ok)

    def make_root(self):
        """A copy of the cached system, the kernel's modules, and the tree as a clone has it."""
        self.free()
        shutil.rmtree(WORK, ignore_errors=True)
        os.makedirs(WORK)
        run(["cp", "-a", "--reflink=auto", f"{CACHE}/debian", ROOT])
        os.makedirs(f"{ROOT}{self.modules}/kernel")
        lab = f"{TOP}/build/lab/modules-6.1-{self.release}.cpio.gz"
        run(["sh", "-c", f"gzip -dc {lab} | cpio -idu --quiet 'usr/lib/modules/*'"], cwd=ROOT)
        self.drivers = []
        for driver in DRIVERS:
            shown = run(["modprobe", "-d", f"{CACHE}/k/6.1", "-S", self.release, "-aD", "--show-depends", driver])
            self.drivers += [f for f in re.findall(r"^insmod (\S+)", shown, re.M) if f not in self.drivers]
        for path in self.drivers:
            shutil.copy(path, f"{ROOT}{self.modules}/kernel/")
        run(["depmod", "-b", ROOT, self.release])
        os.symlink(f"/usr/src/linux-headers-{self.release}", f"{ROOT}{self.modules}/build")
        run(["sh", "-c", f"git ls-files -co --exclude-standard -z | rsync -a --from0 --files-from=- ./ {ROOT}/root/natflow/"], cwd=TOP)
        for path, text in (("/etc/hostname", "gateway\n"), ("/etc/hosts", "127.0.0.1 localhost gateway\n"),
                           ("/etc/sudoers.d/kdir", "Defaults env_keep += \"KDIR MAKEFLAGS\"\n"), ("/etc/iptables/rules.v4", FIREWALL),
                           ("/root/net.sh", NET), ("/root/fetch.sh", FETCH),
                           ("/etc/systemd/system/serial-getty@.service.d/login.conf",
                            "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root %I 115200 linux\n")):
            put(path, text)
        run(["mount", "-t", "proc", "proc", f"{ROOT}/proc"])

    def free(self):
        if os.path.ismount(f"{ROOT}/proc"):
            run(["umount", f"{ROOT}/proc"])

    def files(self):
        """All files, except those that package managers change."""
        skip = ("root/natflow", "proc", "var/lib/dkms", "tmp")
        out = run(["find", ".", "-xdev", "-not", "-type", "d", "-printf", "%P\n"], cwd=ROOT).splitlines()
        return {f for f in out if not f.startswith(skip) and "/modules." not in f}

    def installed(self):
        """Run the README's install line."""
        (line,) = [l for l in block("README.md", "sudo apt") if l.startswith(INSTALL)]
        before = self.files()
        said = self.inside(command(line))
        wrong = [l for l in WRONG.findall(said) if "-W" not in l and "BTF" not in l]
        check(not wrong, f"{wrong}")
        libxt = "usr/lib/x86_64-linux-gnu/xtables/libxt_FLOWOFFLOAD.so"
        want = {"usr/" + self.modules[1:] + f"/extra/{m}.ko" for m in ("natflow", "natflow_hwnat", "xt_FLOWOFFLOAD")} | {
            libxt, "usr/local/sbin/natflow-list", "usr/local/sbin/natflow-ppe", "usr/local/share/man/man8/natflow.8",
            "usr/local/lib/systemd/system/natflow.service"}
        check(self.files() - before == want, f"installed {self.files() ^ before ^ want}")
        self.is_lean(f"{ROOT}{self.modules}/extra/natflow.ko")
        said = self.inside(f"modprobe -S {self.release} -nv xt_FLOWOFFLOAD && modprobe -S {self.release} -nv natflow")
        check("extra/natflow.ko" in said, said)
        self.inside("man natflow | grep FLOWOFFLOAD")

    def is_lean(self, module):
        """No debug information, and no more memory than Documentation says."""
        sections = SECTION.findall(run(["readelf", "-SW", module]))
        debug = [name for name, _, _ in sections if name.startswith((".debug", ".rela.debug"))]
        check(not debug, f"{module}: {debug}")
        kept = sum(int(size, 16) for name, size, flags in sections if "A" in flags and not name.startswith(NOT_KEPT))
        with open(f"{TOP}/Documentation/install.md") as f:
            most = int(re.search(r"^\| the kernel keeps in memory: .*; at most (\d+) KiB \|$", f.read(), re.M)[1])
        check(0 < kept <= most << 10, f"{module}: the kernel keeps {kept} bytes of it, {most} KiB are documented")

    def packages(self):
        """The README's package list is complete: the root has no other build packages."""
        (line,) = [l for l in block("README.md", "sudo apt") if l.startswith("sudo apt")]
        have = run(["dpkg-query", f"--admindir={ROOT}/var/lib/dpkg", "-W", "-f", "${Package} "]).split()
        missing = [p for p in command(line).replace("$(uname -r)", "").split()[3:] if p not in have and not p.startswith("linux-headers-")]
        check(not missing, f"README says {missing}, the root has been made without")

    def refuses(self):
        """Without xtables.pc the build stops with the package's name; nothing is compiled or installed."""
        before = self.files()
        for target in ("install", "install-dkms"):
            status, said = self.inside(f"make {target} PKG_CONFIG=/bin/false DESTDIR=/tmp/refused", ok=False)
            check(status and "libxtables-dev" in said and "CC" not in said, said)
        check(not os.path.exists(f"{ROOT}/tmp/refused") and self.files() == before, "something was installed")

    def staged(self):
        """DESTDIR receives every file and nothing else changes, as packages need it."""
        before = self.files()
        self.inside("make install DESTDIR=/tmp/staged")
        staged = run(["find", ".", "-type", "f", "-printf", "%P "], cwd=f"{ROOT}/tmp/staged").split()
        check(len(staged) == 8 and f"lib/modules/{self.release}/extra/natflow.ko" in staged, f"{staged}")
        check(self.files() == before, "changed outside DESTDIR")
        self.inside("make uninstall DESTDIR=/tmp/staged")
        left = run(["find", ".", "-type", "f"], cwd=f"{ROOT}/tmp/staged")
        check(not left, f"left: {left}")

    def dkms(self):
        """DKMS builds natflow, its modules win over others, and uninstall removes them."""
        self.inside("make uninstall")
        bare = self.files()
        self.inside("make install-dkms")
        check("installed" in self.inside(f"dkms status natflow -k {self.release}"), "dkms status")
        check("updates/dkms/natflow.ko" in self.inside(f"modprobe -S {self.release} -nv natflow"), "modprobe")
        status, said = self.inside("make install", ok=False)
        check(status and "DKMS" in said, said)
        self.inside("make uninstall")
        check(self.files() == bare, f"left: {self.files() ^ bare}")

    def make_disk(self):
        """A file system with that root in it, and an initramfs that mounts it."""
        run(["rsync", "-a", *(f"--exclude={p}" for p in LEFT_OUT), f"{ROOT}/", STAGE])
        run(["mke2fs", "-q", "-t", "ext4", "-d", STAGE, DISK, "1200M"])
        os.makedirs(f"{INITRD}/bin")
        for d in ("dev", "root"):
            os.makedirs(f"{INITRD}/{d}")
        shutil.copy("/bin/busybox", f"{INITRD}/bin/busybox")
        for path in self.drivers:
            shutil.copy(path, INITRD)
        loads = "".join(f"insmod /{os.path.basename(path)}\n" for path in self.drivers)
        with open(f"{INITRD}/init", "w") as f:
            f.write("#!/bin/busybox sh\n/bin/busybox --install -s /bin\nmount -t devtmpfs dev /dev\n" + loads +
                    "until [ -e /dev/vda ]; do :; done\nmount -t ext4 /dev/vda /root\numount /dev\nexec switch_root /root /sbin/init\n")
        os.chmod(f"{INITRD}/init", 0o755)
        run(["sh", "-c", "find . | cpio -o -H newc --quiet | gzip -1 >../initrd.gz"], cwd=INITRD)


class Machine(Terminal):
    """The system, from power-on to power-off."""

    def __init__(self):
        env = dict(os.environ, SERIAL="chardev:tty", TMO="1200",
                   QARGS=f"-chardev stdio,id=tty,signal=off -drive file={DISK},format=raw,if=virtio,cache=unsafe")
        super().__init__([f"{TOP}/tests/lab/vm.sh", "6.1", f"{WORK}/initrd.gz", "debian"], r"root@gateway:\S*# $", env=env)

    def start(self):
        self.expect(self.prompt, 900)
        self.type("sh net.sh")

    def counted(self, key):
        return int(re.search(rf"^{re.escape(key)} (\d+)$", self.type("cat /proc/natflow"), re.M).group(1))

    def fast(self, addresses=("10.0.2.2", "fd00:2::2")):
        """20 MB arrive per family, forwarded by natflow."""
        for address in addresses:
            before = self.counted("hits")
            check("20000000" in self.type(f"sh fetch.sh {address}"), "bytes")
            check(self.counted("hits") - before > 100, f"{address}: {self.counted('hits') - before} hits")

    def typed(self, lines):
        for line in lines:
            self.type(command(line))

    def selected_by_rule(self):
        """The README's lines from modprobe on; the firewall accepts established packets, so only a first rule is reached."""
        self.typed([l for l in block("README.md", "sudo apt") if not l.startswith((INSTALL, "sudo apt"))])
        check(self.counted("rules") == 2, "rules")
        self.fast()

    def not_uninstalled(self):
        """uninstall refuses while a rule exists, prints the command that deletes it, and removes nothing."""
        said = self.type("make -C natflow uninstall", status=2)
        for program in ("iptables", "ip6tables"):
            check(f"{program}-nft -t filter -D FORWARD -j FLOWOFFLOAD" in said, said)
        check("-A FORWARD -j FLOWOFFLOAD" in self.type("iptables-save"), "the rule is not listed any more")

    def selected_at_boot(self):
        """The README's lines for the next boot, then a reboot."""
        self.typed(block("README.md", BOOT))
        self.send("systemctl reboot")
        check(self.end(300) == 0, "the machine's end")

    def rebooted(self):
        """The unit has selected flows; the firewall is the saved one, without a FLOWOFFLOAD rule."""
        self.type("systemctl is-active natflow netfilter-persistent")
        check(self.type("iptables -S FORWARD").split("\n")[:2] == FIREWALL.replace(":FORWARD DROP [0:0]", "-P FORWARD DROP")
              .split("\n")[2:5:2], self.type("iptables -S FORWARD"))
        self.fast(addresses=("10.0.2.2",))

    def without_module(self):
        """After uninstall the firewall loads as at boot and is complete; only the unit fails."""
        self.type("make -C natflow uninstall && rmmod natflow && iptables -P FORWARD ACCEPT && iptables -F")
        self.type("cp natflow/packaging/natflow.service /etc/systemd/system; systemctl daemon-reload; systemctl restart natflow", status=1)
        self.type("systemctl restart netfilter-persistent")
        check("-P FORWARD DROP" in self.type("iptables -S FORWARD"), "FORWARD is open")
        self.send("poweroff")
        check(self.end(300) == 0, "the machine's end")


def points(tap):
    debian = Debian()
    try:
        if not (tap.point("debian: a system to install into", debian.make_root) and
                tap.point("debian: README, make && sudo make install", debian.installed)):
            return
        tap.point("debian: the README names every package that is needed", debian.packages)
        tap.point("debian: no xtables.pc: nothing is installed", debian.refuses)
        tap.point("debian: DESTDIR", debian.staged)
        tap.point("debian: a disk", debian.make_disk)
        boots(tap)
        tap.point("debian: install-dkms, and uninstall", debian.dkms)
    finally:
        debian.free()


def boots(tap):
    for steps in ((("boot", "start"), ("README, from modprobe to fast flows", "selected_by_rule"),
                   ("uninstall refuses while a rule is there", "not_uninstalled"), ("README, select at boot; reboot", "selected_at_boot")),
                  (("boot again", "start"), ("fast, by the unit", "rebooted"), ("without the module the firewall stands", "without_module"))):
        machine = Machine()
        try:
            for name, step in steps:
                if not tap.point("debian: " + name, getattr(machine, step)):
                    return
        finally:
            machine.close()
