# SPDX-License-Identifier: GPL-2.0-only
"""The lab: a client, a gateway and a server in namespaces, and functions to check them.

    c (c0 10.0.1.2, fd00:1::2) --- r (r0 | r1) --- s (s0 10.0.2.2, fd00:2::2)

Runs as root inside the VM, in one thread, so that entering a namespace is a
plain setns(). Waits are for conditions, never for time.
"""
from .programs import (AT_END, BOOT_WORDS, Failure, IPT, LIBC, LONG, PATIENCE, check, equal, insmod, kernel_wide, modprobe, ns,
                       rmmod, run, sh, start, stop_all, sysctl, sysctls, wait)
from .doors import CTL, Delta, NET, ctl, flows, gone, log, opened, published, read, refuses, rows, settings, stats
from .topology import (ADDR, ENDS, carriers_reported, first_rule, gro, ip, mac, netns_add, netns_del, quiet, reachable, rule,
                       select, up, wait_rules)
from .traffic import Tcp, Udp, drain, drop, on_one_bridge, udp_socket
from .packets import Capture, csum, forwarded, frame, inet, inject, ip_packet, tcp, udp
from .conntrack import conntrack, conntrack_entry, nft_counter
from .kernel import Queue, cpu, no_memory, on_each_cpu, trouble
from .rtnl import attribute, rtnl
from .listener import groups, listener
from .claims import ROUNDS, bare, both, exchange, fast, hits, is_fast, learned, second_link, slow
