# SPDX-License-Identifier: GPL-2.0-only
"""Law 10, never in clear: what came or leaves through IPsec is left to the stack."""
from natlab import ADDR, Capture, Delta, Udp, check, equal, select, sh

AUTH = "auth 'hmac(sha1)' 0x" + "11" * 20 + " enc 'cbc(aes)' 0x" + "22" * 16
COUNT = 10


def tunnel(client_side, gateway_side):
    """ESP tunnel between client and gateway for everything between client and server."""
    c, r, s = ADDR["c", 4], ADDR["r0", 4], ADDR["s", 4]
    for where in ("c", "r"):
        sh(where, f"""ip xfrm state add src {c} dst {r} proto esp spi 1 mode tunnel {AUTH}
            ip xfrm state add src {r} dst {c} proto esp spi 2 mode tunnel {AUTH}""")
    for where, out, back in (("c", "out", "in"), ("r", "fwd", "out")):
        sh(where, f"""ip xfrm policy add src {c} dst {s} dir {out} tmpl src {c} dst {r} proto esp mode tunnel
            ip xfrm policy add src {s} dst {c} dir {back} tmpl src {r} dst {c} proto esp mode tunnel""")
    sh("r", f"ip xfrm policy add src {c} dst {s} dir in tmpl src {c} dst {r} proto esp mode tunnel")


def case_decrypted_and_encrypted():
    select()
    tunnel("c", "r")
    clear = Capture("r", "r0", lambda f: f[12:14] == b"\x08\x00" and f[23] == 17, sent=True)
    flow = Udp()
    d = Delta()
    for _ in range(COUNT):
        flow.send()
        flow.reply()
    equal(d["hits"], 0, "hits")
    equal(d["refuse.secpath"], COUNT, f"decrypted packets: {d.changed()}")           # refuse.secpath
    # The first packet of the flow is not confirmed yet, the first reply makes the flow known.
    check(d["learn.secpath"] >= COUNT - 2, f"{d.changed()}")                         # learn.secpath
    check(d["learn.xfrm"] >= COUNT - 2, f"{d.changed()}")                            # learn.xfrm
    clear.none()


def case_policy_added_later():
    """An accelerated flow, then a policy: from the next packet on nothing leaves in clear."""
    select()
    flow = Udp().learn()
    d = Delta()
    flow.send()
    flow.reply()
    equal(d["hits"], 2, "accelerated before the policy")
    tunnel("c", "r")
    clear = Capture("r", "r0", lambda f: f[12:14] == b"\x08\x00" and f[23] == 17, sent=True)
    d = Delta()
    for _ in range(COUNT):
        flow.send()
        flow.reply()
    equal(d["hits"], 0, f"hits after the policy {d.changed()}")
    clear.none()
