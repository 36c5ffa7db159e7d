# SPDX-License-Identifier: GPL-2.0-only
"""The setup of sqm-scripts on the gateway: cake on a device, and cake on an ifb for its ingress."""
import json

from natlab import ip, modprobe, run


def redirect(dev, ifb, bandwidth="unlimited"):
    """The setup of sqm-scripts for the ingress of one device."""
    modprobe("ifb", "sch_cake", "act_mirred", "cls_matchall")
    ip("r", f"link add {ifb} type ifb\nlink set {ifb} up")
    run("r", ["tc", "-batch", "-"], text=f"""qdisc add dev {ifb} root cake {bandwidth} besteffort ingress
        qdisc add dev {dev} handle ffff: ingress
        filter add dev {dev} parent ffff: matchall action mirred egress redirect dev {ifb}
        """)


def restore(dev, ifb):
    run("r", f"tc qdisc del dev {dev} ingress")
    ip("r", f"link del {ifb}")


def root(dev, where="r"):
    """The root qdisc: kind, packets, bytes, drops and the like."""
    return [q for q in json.loads(run(where, f"tc -j -s qdisc show dev {dev}")) if q.get("root")][0]


def cake(dev):
    """(packets, bytes) that left dev's root qdisc."""
    queue = root(dev)
    return queue["packets"], queue["bytes"]
