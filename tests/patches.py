#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""patches.py [all]: natflow_hwnat/patches on the kernels' sources. TAP.

They apply without fuzz, in order, and P11 and P12 alone; the driver's directory
builds with them, without a warning: for arm64 and for mips, with all for each
series, and as it was.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "natflow"
OUT = TOP / "build/patches"
DRIVER = "drivers/net/ethernet/mediatek"
SERIES = {"6.1": "6.1", "6.12": "6.12", "newest": "7.3"}    # the lab's name, the directory's
LINES = 150
NEEDED = ("P11", "P12")         # what natflow asks for: they apply alone, too
# Compiler, options, and files that must have been compiled.
ARCHES = {
    "arm64": ("aarch64-linux-gnu-", ("CONFIG_ARCH_MEDIATEK=y", "CONFIG_NET_DSA=y"), ("mtk_ppe.o", "mtk_ppe_offload.o", "mtk_wed.o")),
    "mips": ("mipsel-linux-gnu-", ("CONFIG_RALINK=y", "CONFIG_SOC_MT7621=y", "CONFIG_CPU_LITTLE_ENDIAN=y", "CONFIG_NET_DSA=y"),
             ("mtk_ppe.o", "mtk_ppe_offload.o")),
}
CONFIG = "MODULES NET INET IPV6 NETDEVICES ETHERNET NET_VENDOR_MEDIATEK VLAN_8021Q DEBUG_FS".split()
WARNINGS = "-Werror -Wunused -Wmissing-prototypes -Wmissing-declarations"
SHORT = (("6.12", "arm64", True), ("6.1", "mips", True))
LONG = [(series, arch, patched) for series in SERIES for arch in ARCHES for patched in (True, False)]


class Failed(Exception):
    pass


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if done.returncode:
        raise Failed(f"{' '.join(str(word) for word in command[:3])}...: {done.stdout}")
    return done.stdout


def source(series):
    return (CACHE / "k" / f"{series}.mediatek").resolve()


def patches(series):
    """In the order of their names, as OpenWrt applies them."""
    found = sorted((TOP / "natflow_hwnat/patches" / SERIES[series]).glob("P*.patch"))
    if not set(NEEDED) <= {number(p) for p in found}:
        raise Failed(f"no {' and '.join(NEEDED)} for {series}")
    return found


def number(path):
    return path.name.partition("-")[0]


def copy(series, name):
    """The driver's directory alone, to be changed."""
    tree = OUT / name
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(source(series) / DRIVER, tree / DRIVER)
    return tree


def apply(tree, some):
    """Every hunk where the patch says, unless others before it were left out: then an offset will do, never fuzz."""
    for path in some:
        out = run("patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch", "-d", tree, "-i", path)
        if "fuzz" in out:
            raise Failed(out)


def applied(series):
    every = patches(series)
    apply(copy(series, f"{series}-needed"), [p for p in every if number(p) in NEEDED])
    tree = copy(series, f"{series}-all")
    apply(tree, every)
    return tree


def values(series):
    """What cannot be seen in a VM: mt7986 is offered, and all entries that cross 1024 bytes are left out on mt7621."""
    for tree, fixed in ((copy(series, f"{series}-plain"), False), (applied(series), True)):
        driver, ppe = ((tree / DRIVER / name).read_text() for name in ("mtk_eth_soc.c", "mtk_ppe.c"))
        offered = bool(re.search(r" mt7986_data = {[^}]*\.offload_version = 2,", driver))
        if offered != (fixed or series != "6.1"):
            raise Failed(f"mt7986 is {'' if offered else 'not '}offered, {fixed=}")
        skipped = [int(n) for n in re.search(r" skip\[\] = {([\d, ]+)}", ppe)[1].split(",")]
        crossing = [n for n in range(128) if n * 80 // 1024 != (n * 80 + 79) // 1024]
        if (skipped == crossing) != fixed:
            raise Failed(f"{skipped} are skipped, {crossing} cross, {fixed=}")


def written(series):
    """Small, additive to the driver, and with a message that can be sent upstream."""
    for path in patches(series):
        text = path.read_text()
        if text.count("\n") > LINES:
            raise Failed(f"{path.name}: more than {LINES} lines")
        if not re.match(r"Subject: \[PATCH\] net: ethernet: mtk_\w+: [a-z].{,72}\n\n", text):
            raise Failed(f"{path.name}: its subject")
        if not re.search(r"\n---\n [^\n]*\|", text):
            raise Failed(f"{path.name}: no message that ends in ---")
        for name in re.findall(r"^\+\+\+ b/(\S+)", text, re.M):
            if not name.startswith(f"{DRIVER}/"):
                raise Failed(f"{path.name}: changes {name}")


def prepared(series, arch):
    """A directory that is configured, and ready to build a module."""
    compiler, options, _ = ARCHES[arch]
    out = OUT / f"{series}-{arch}"
    stamp = f"{source(series)} {compiler} {options}"
    words = ("make", "-s", "-C", source(series), f"O={out}", f"ARCH={arch}", f"CROSS_COMPILE={compiler}")
    if not (out / "ready").exists() or (out / "ready").read_text() != stamp:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        lines = [f"CONFIG_{word}=y" for word in CONFIG] + [*options, "CONFIG_NET_MEDIATEK_SOC=m"]
        (out / "wanted").write_text("\n".join(lines) + "\n")
        run(*words, "allnoconfig", env={**os.environ, "KCONFIG_ALLCONFIG": str(out / "wanted")})
        config = (out / ".config").read_text().splitlines()
        missing = [line for line in lines if line not in config]
        if missing:
            raise Failed(f"not in the configuration: {missing}")
        run(*words, "modules_prepare")
        (out / "ready").write_text(stamp)
    return words


def built(series, arch, patched):
    words = prepared(series, arch)
    tree = copy(series, f"{series}-{arch}-{'patched' if patched else 'plain'}")
    if patched:
        apply(tree, patches(series))
    said = run(*words, f"M={tree / DRIVER}", f"KCFLAGS={WARNINGS}", f"-j{os.cpu_count()}", "mtk_eth.o")
    if said:
        raise Failed(said)
    for name in ARCHES[arch][2]:
        if not (tree / DRIVER / name).exists():
            raise Failed(f"{name} was not compiled")


def main(words):
    points = [(f"{what} ({series})", act, (series,)) for series in SERIES
              for what, act in (("patches are small and say why", written), ("patches apply", applied),
                                 ("patches correct tables", values))]
    points += [(f"the driver builds {'with patches' if patched else 'as it was'} ({series}, {arch})", built, (series, arch, patched))
               for series, arch, patched in (LONG if words == ["all"] else SHORT)]
    print(f"1..{len(points)}", flush=True)
    bad = 0
    for number, (name, act, args) in enumerate(points, 1):
        try:
            act(*args)
            print(f"ok {number} - {name}", flush=True)
        except Failed as e:
            bad += 1
            print(f"not ok {number} - {name}")
            print("".join(f"# {line}\n" for line in str(e).splitlines()[-20:]), end="", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
