#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""mutants.py [N...]: break natflow in known ways, one at a time; a case must notice each. Prints TAP.

A mutant is a file, a text in it, what to put there instead, and the cases that are to fail on stock 6.1.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
WORK = TOP / "build/mutants"
KERNEL = "6.1"

MUTANTS = (
    ("lib/nat.h", "\t\tiph->ttl--;\n", "", "nat.routed_v4"),
    ("lib/nat.h", "\t\tiph->hop_limit--;\n", "", "skb.fields_v6_udp"),
    ("lib/nat.h", "\t\tif (udp && !check)\n\t\t\treturn;", "\t\tif (udp && !check)\n\t\t\tcheck = 0;", "skb.udp_checksum_zero"),
    ("lib/nat.h", "(u32)check + sums.addr)", "(u32)check + sums.addr + sums.ports)", "skb.checksums_v4_tcp"),
    ("lib/pkt.h", "htons(IP_MF | IP_OFFSET)", "htons(IP_OFFSET)", "refuse.ip4_only"),
    ("natflow_access.c", "\tif (nn->access->paces)\n\t\tnatflow_limit_review(nn);\n", "", "qos.policy_rate_schedule"),
    ("policy/access.c", "f->throttled = why;", "f->throttled = 0;", "qos.policy_throttle"),
    ("policy/access.c", "pace->device = mac->key;", "pace->device = mac->key;\n\tpace->device.mac[0] ^= user->id;", "qos.policy_rate"),
    ("natflow_limit.c", "if (rule && rule->group)", "if (rule && 0)", "qos.group"),
    ("core/dscp.h", "ipv6_hdr(skb), INET_ECN_MASK", "ipv6_hdr(skb), 0", "qos.dscp_v6"),
    ("core/learn.c", "look ^= (u64)(c->painted.from", "look ^= 0 & (u64)(c->painted.from", "qos.dscp"),
    ("core/flow/publish.c", ">> 2 && flow->meta[!d].linked)", ">> 2 && 0 && flow->meta[!d].linked)", "marks.restored_v4"),
    ("shape/dscp.c", "p.ruled || ", "", "marks.rules_win_v4"),
    ("shape/dscp.c", "if (usual)", "if (0 && usual)", "marks.tagged_v4"),
    ("natflow_path.c", "natflow_dscp_set(skb, how >> 2);", ";", "marks.restored_v6"),
    ("natflow_path.c", "skb->pkt_type != PACKET_HOST", "skb->pkt_type == PACKET_LOOPBACK", "refuse.plain_v4"),
    ("natflow_path.c", "unlikely(skb->_nfct | skb->_skb_refdst)", "unlikely(skb->_skb_refdst)", "refuse.plain|containers_br"),
    ("natflow_path.c", "!= natflow_clock(c->nn, family)", "== natflow_clock(c->nn, family) + 77", "events.route_replace_v4"),
    ("natflow_path.c", "len > READ_ONCE(c->egress->mtu)", "!READ_ONCE(c->egress->mtu)", "refuse.mtu"),
    ("core/flow/seen.c", "if (diff & NATFLOW_LOOK_TTL)", "if (!diff)", "refuse.relearn_v4"),
    ("natflow_path.c", "\tif (!natflow_ct_alive(flow->ct)) {", "\tif (!flow->ct) {", "refuse.conntrack_gone"),
    ("natflow_path.c", "\tskb->mark = c->mark;\n", "", "skb.mark_and_priority"),
    ("natflow_path.c", "& NATFLOW_TCP_STATE)", "& 0x12)", "conntrack.half_close_v4"),
    ("natflow_path.c", "\t\treturn NATFLOW_CT_MARK;", "\t\treturn NATFLOW_OK;", "events.connmark_v4"),
    ("core/xmit.h", "\tskb_clear_tstamp(skb);\n", "", "skb.timestamp"),
    ("core/listen.c", "\t\tnatflow_doubt_routes(nn, family_of(nlh), NATFLOW_CAUSE_ROUTE);\n", "", "events.sibling_deleted_v6"),
    ("core/listen.c", "\t\tnatflow_doubt_routes(nn, family_of(nlh), NATFLOW_CAUSE_RULE);\n", "", "events.rule_delete_v6"),
    ("core/listen.c", "\tcase RTM_DELNEXTHOP:\n\t\tnatflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_NEXTHOP);\n", "\tcase RTM_DELNEXTHOP:\n",
     "events.group_member_deleted_v4"),
    ("core/listen.c", "all ? all_routes : NULL", "NULL", "events.route_replace_v4"),
    ("core/topo/egress.c", "\tnatflow_attach_egress_changed(eg->nn, eg);\n\tcall_rcu", "\tcall_rcu", "events.reported_v4"),
    ("core/topo/egress.c", "!(rebuild_header(eg) && same_path(eg))", "!(resolved(eg) && same_path(eg))",
     "events.neighbour_edited_v4"),
    ("core/listen.c", "\tif (!doubt)\n", "\tif (nn)\n", "flat.vlan_state"),
    ("core/listen.c", "\t\treturn NATFLOW_DOUBT_PATHS | NATFLOW_DOUBT_BRIDGES;\n\tcase RTM_NEWROUTE", "\t\treturn NATFLOW_DOUBT_PATHS;\n\tcase RTM_NEWROUTE",
     "flat.vlan_state"),
    ("core/listen.c", "nla_get_u8(state) == BR_STATE_FORWARDING", "nla_get_u8(state) <= BR_STATE_FORWARDING",
     "flat.port_state"),
    ("core/topo/descend.c", "READ_ONCE(rcu_dereference(txq->qdisc)->enqueue)", "!txq", "flat.tc_hooks_vlan"),
    ("core/topo/descend.c", "!list_empty(&dev->ptype_all)", "!dev", "flat.taps_bridge"),
    ("core/topo/descend.c", "vlan->vlan_id | vlan_dev_get_egress_qos_mask(dev, priority)", "vlan->vlan_id", "flat.map_tags"),
    ("core/topo/path_in.c", "eth_type_vlan(protocol) ? NULL : skb", "skb", "flat.two_of_three"),
    ("core/xmit.c", "\t\tput_back(skb, q);\n", "\t\tkfree_skb(skb);\n", "xmit.empty_queue"),
    ("core/xmit.c", "natflow_bypass_count(&eg->down.bypass, l3, true)", "natflow_bypass_count(&eg->down.bypass, l3 + 4, true)",
     "links.matrix"),
    ("natflow_path.c", "\t\treturn NATFLOW_STATION;", "\t\treturn NATFLOW_OK;", "flat.stations"),
    ("core/events.c", "\tcase NETDEV_CHANGEMTU:\n", "", "events.mtu_lowered_v6"),
    ("core/flow/flow.c", "\t\tatomic_dec(&nn->flows.dead_count);\n", "", "scale.churn"),
    ("core/base/ct.c", "\tif (news)\n\t\t*theirs = number;\n", "\tif (news)\n\t\t*told = number;\n", "conntrack.far_behind"),
    ("core/base/ct.c", "\t\tnote_last(tcp, w);\n", "\t\t(void)note_last;\n", "window.unacknowledged"),
    ("core/learn.c", "&& is_foreign(c))", "&& is_foreign(c) && c->deferred)", "window.slowed_v4"),
    ("core/base/ct.c", "\tif (nfct_help(ct))", "\tif (nfct_help(ct) == (void *)1)", "learn.helper_v4"),
    ("core/base/ct.c", "\t\tWRITE_ONCE(ct->timeout, nfct_time_stamp + udp_timeout(ct));", "\t\t(void)udp_timeout(ct);", "conntrack.udp_life_v4"),
    ("core/flow/flow.c", "\tnatflow_ct_account(", "\tif (dir == 2)\n\t\tnatflow_ct_account(", "conntrack.counters_v4"),
    ("core/flow/flow.c", "if (is_victim(flow))", "if (is_victim(flow) || flow)", "apart.flood_answered"),
    ("core/flow/flow.c", "if (nn->flows.half_count >= clamp(", "if (nn->flows.half_count > 3 * clamp(", "end.half_evicted_v4"),
    ("core/learn.c", "\tif (dst_xfrm(dst))", "\tif (!dst)", "ipsec"),
    ("core/learn.c", "reason = natflow_attach_check(c->nn, c->ct, &c->lesson.watch);", "reason = NATFLOW_OK;", "urls.held_v4"),
    ("core/base/attach.c", "number > nn->attached[slot].since", "number", "attach.life_v4"),
    ("natflow_path.c", "reason = natflow_attach_recheck(flow->nn, flow);", "reason = NATFLOW_OK;", "attach.recheck_v4"),
    ("core/base/ring.c", "\tc->dropped += record->before - c->passed;\n", "", "records.identity"),
    ("core/base/ring.c", "count_in(ring, 1, lot) > count_in(ring, 0, lot)", "count_in(ring, 1, lot) < count_in(ring, 0, lot)",
     "logs.classes"),
    ("core/base/ring.c", "\tif (record->held.lot == FRESH)\n\t\tnatflow_holders_move(", "\tif (!ring)\n\t\tnatflow_holders_move(",
     "logs.clients_v4"),
    ("core/base/holder.c", "\t    NATFLOW_SHARE_ENTRY_WEIGHT * ", "\t    99999 * ", "logs.forged"),
    ("core/base/holder.c", "->count >\n\t       rb_entry(b", "->count <\n\t       rb_entry(b", "logs.clients_v6"),
    ("names/hints.c", "\told = victim(hints);\n", "\told = find(hints, BY_ADDRESS, &new->by[0].key) ?: victim(hints);\n", "logs.hints_v4"),
    ("names/log.c", "log->ring.open > OPEN_MAX", "log->ring.open > SLOTS", "logs.window"),
    ("natflow_path.c", "\tif (look & NATFLOW_LOOK_QUIC && ", "\tif (!flow && ", "quic.same_socket_v4"),
    ("names/quic.c", "\tc->done = !natflow_url_blocks(", "\tc->done = c || !natflow_url_blocks(", "quic.same_socket_v4"),
    ("natflow_urllogger.c", " && !natflow_ct_assured(s->ct))", " && !s->ct)", "generated.unverified_v4"),
    ("names/reading.c", "ack <= NATFLOW_ACK_PENDING && !natflow_outcome_blocks(in, said) &&\n\t    ", "!in && ", "evasion.(quic_low_ttl|far_ack_garbage_v4)"),
    ("policy/acl.c", "host[len - rule->len - 1] == '.'", "host", "hostacl.matching"),
    ("policy/acl.c", "return at < q->at;", "return at > q->at;", "hostacl.list_matching"),
    ("names/dns.c", "\t\tanswer = judge_answers(", "\t\t(void)judge_answers(", "dns.targets_v4"),
    ("names/inspection.c", "\tif (!blocked)\n\t\treturn;", "\tif (!blocked || in)\n\t\treturn;", "hostacl.live_v4"),
    ("natflow_urllogger.c", "\tnatflow_ct_close(s->ct);\n", "", "hostacl.reset_v4"),
    ("natflow_urllogger.c", "natflow_ct_get_first(s->ct) : NULL;", "NULL : NULL;", "urls.at_once_v4"),
    ("names/inspection.c", "watch->on = in->state == NATFLOW_INSPECTION_WATCHED;", "watch->on = !in;", "urls.kept_v4"),
    ("natflow_path.c", "len - from) > 0", "len - from) >= 0", "urls.large_body_v4"),
    ("names/reading.c", "\t\tif (natflow_outcome_blocks(in, &w->other))\n\t\t\treturn true;", "", "urls.pipelined"),
    ("names/reading.c", "\tu8 part = in->judged_part;\n", "\tu8 part = 0;\n", "urls.chunked_v4"),
    ("names/inspection.c", "\tif (natflow_tcp_is_idle(in, s))\n", "\tif (natflow_tcp_is_idle(in, s) && !in)\n", "urls.chunks_closed"),
    ("names/reading.c", "\treturn blocks_without(in, first, 1, name) ||", "\treturn (blocks_without(in, first, 1, name) && 0) ||",
     "readings.urgent_v4"),
    ("names/tcp.c", "\tif (!trusted || in->any.arrived)\n", "\tif (trusted && in->any.arrived)\n", "readings.marked_v4"),
    ("names/outcome.c", "!is_same(name->said.host, other->said.host)", "name", "readings.once"),
    ("names/tcp.c", "is_blank(in, s) : s->len;", "is_blank(in, s) : false;", "readings.banner_v4"),
    ("names/inspection.c", "if (reason || in->state != NATFLOW_INSPECTION_GATHERING)\n\t\t\tbreak;", "if (reason)\n\t\t\tbreak;", "evasion.chunk_doubts"),
    ("names/outcome.c", "\tsure &= !differs && !wrong;", "\tsure &= !differs;", "urls.malformed_later"),
    ("lib/names/name.c", "\tif (parsed != NATFLOW_PARSE_MALFORMED)\n", "\tif (parsed)\n", "urls.malformed_later"),
    ("policy/acl.c", "\t\tif (ret > 0)\n\t\t\treturn true;", "", "hostacl.sets_v4"),
    ("policy/portal.c", "\tif (p->sent != forth)\n\t\treturn false;\n", "", "portal.refused_v4"),
    ("policy/portal.c", "\tif (s->ack != cookie + 1 || !is_request(s))", "\tif (!is_request(s))", "portal.redirect_v4"),
    ("natflow_user.c", "natflow_access_recheck(nn, user);", "NATFLOW_OK;", "portal.rules_change_v4"),
    ("names/record.c", "skip && natflow_sources_match(", "skip && !natflow_sources_match(", "records.skipped_v4"),
    ("names/hints.c", "!memcmp(&link->key, key, sizeof(*key))", "memcmp(&link->key, key, sizeof(*key))", "dns.hints_v4"),
    ("core/learn.c", "\tif (c->deferred)", "\tif (c->deferred && !c->nn)", "learn.deferred_v4"),
    ("core/rules.c", "if (unlikely(READ_ONCE(nn->legacy.sum) != sum))", "if (!nn)", "events.revalidate_raw_v4"),
    ("core/topo/descend.c", "!is_limited(dev) &&", "(!is_limited(dev) || dev) &&", "flat.offloads_vlan"),
    ("core/learn.c", "if (likely(!natflow_compat_is_ipvs(c->skb)))", "if (likely(!natflow_compat_is_ipvs(c->skb)) || c->nn)", "ipvs.udp_v4"),
    ("control/ctl.c", "\tif (file->spoiled) {", "\tif (!file) {", "doors_ctl.ctl_transaction"),
    ("core/ask.c", "\treturn NATFLOW_OK;\n}\n", "\treturn NATFLOW_CLOCK;\n}\n", "freshness.too_big_v6"),
    ("core/ask.c", "same6(there) && same6(back)", "same6(there)", "freshness.source_v6"),
    ("core/flow/object.h", "READ_ONCE(flow->edition) == edition &&", "flow &&", "refuse.route_changed"),
    ("core/ask.c", "\tif (!forwards6(c) || ", "\tif (", "freshness.forwarding_v6"),
    ("core/ask.c", "\t\tif (rule->mark_mask)", "\t\tif (!rule)", "freshness.by_mark_v6"),
    ("core/topo/egress.c", "same = neigh == eg->neigh;", "same = !!neigh;", "freshness.nexthop_v6"),
    ("core/doubt.c", "\tif (!natflow_egress_station_moved(nn, bridge, mac, gone))\n", "\tnatflow_egress_station_moved(nn, bridge, mac, gone);\n\tif (!nn)\n",
     "freshness.stations"),
    ("core/listen.c", "if (atomic_read_acquire(&nn->listen.bridge_checks))", "if (nn)", "events.crowd"),
    ("natflow_urllogger.c", " || th->syn;", " || th->urg;", "urls.reused"),
    ("names/tcp.c", "!(in->answered && s->seq != in->answer)", "true", "urls.reused"),
    ("names/inspection.c", "\tupdate_pass(in);\n\tspin_unlock_bh(&in->lock);\n\tif (!blocked)",
     "\tspin_unlock_bh(&in->lock);\n\tif (!blocked)", "hostacl"),
    ("names/outcome.c", "\tif (blocked && in->host &&", "\tif (!in && in->host &&", "hostacl.live_v4"),
    ("natflow_path.c", "\tif (natflow_ct_eligible(flow->ct)) {", "\tif (!flow) {", "outside.state_v4"),
    ("names/questions.c", "\topen = question && !is_over(question);", "\topen = true;", "trust.open_question"),
    ("names/outcome.c", "return list->policy.add_visited ||", "return true ||", "trust.visit"),
    ("names/datagrams.c", "kept == 1", "!kept", "trust.segmented_v4"),
    ("core/learn.c", "\treturn NATFLOW_LEARN_UNSELECTED;", "\treturn NATFLOW_OK;", "status.unreached_v4"),
)


def run(tree, *command, **kw):
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, errors="replace", **kw)


def mutate(number, tree):
    """Returns why the mutant lives, or None."""
    name, old, new, cases = MUTANTS[number]
    run(TOP, "rsync", "-a", "--delete", "--exclude", ".git", "--exclude", "build", f"{TOP}/", f"{tree}/", check=True)
    text = (tree / name).read_text()
    if old not in text:
        return "its text is not there any more"
    (tree / name).write_text(text.replace(old, new, 1))
    for command in (("tests/lab/build.sh", KERNEL), ("tests/lab/image.sh", KERNEL, f"build/lab/{KERNEL}.cpio.gz")):
        p = run(tree, *command, env={**os.environ, "WERROR": ""})
        if p.returncode:
            return "it cannot be built: " + (p.stdout + p.stderr)[-500:]
    p = run(tree, "tests/lab/vm.sh", KERNEL, f"build/lab/{KERNEL}.cpio.gz", f"/lab/run-cases.py,{cases}",
            stdin=subprocess.DEVNULL, env={**os.environ, "TMO": "600"})
    points = re.findall(r"^(ok|not ok) \d+ - \S+\.", p.stdout, re.M)
    if not points:
        return f"no case {cases}"
    return None if "not ok" in points or "LAB-DONE" not in p.stdout else f"{cases} did not notice"


def worker(place, numbers):
    tree = WORK / place
    (tree / "build/lab").mkdir(parents=True, exist_ok=True)
    for number in numbers:
        problem = mutate(number, tree)
        name, old, *_ = MUTANTS[number]
        print(f"{'not ok' if problem else 'ok'} {number + 1} - mutant {name}: {' '.join(old.split())}" +
              (f"\n# {problem}" if problem else ""), flush=True)


def stale():
    """Mutants whose text is nowhere, one a line: for make check."""
    for number, (name, old, *_) in enumerate(MUTANTS):
        if not (TOP / name).exists() or old not in (TOP / name).read_text():
            print(f"mutant {number + 1}: {name} has no {old!r}")


def main():
    if sys.argv[1:] == ["--stale"]:
        return stale()
    chosen = [int(n) - 1 for n in sys.argv[1:]] or range(len(MUTANTS))
    print(f"1..{len(chosen)}", flush=True)
    subprocess.run(["tests/lab/setup.sh", "tools", f"kernel:{KERNEL}"], cwd=TOP, check=True, stdout=sys.stderr)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(worker, "ab", (chosen[0::2], chosen[1::2])))


main()
