// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flow_rule of one direction, for TC_SETUP_CLSFLOWER.
 *
 * It is what net/netfilter/nf_flow_table_offload.c makes for the same flow, since that
 * is what drivers are written for: keys with full masks, then MACs, tags off, tags on,
 * addresses and ports, checksums, and REDIRECT last. The mask of a MANGLE has the bits
 * that stay.
 *
 * Invariant: what leaves carries the direction's tuple after NAT, which is the inverse
 * of the other direction's tuple before it.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/slab.h>
#include <linux/tc_act/tc_csum.h>
#include <linux/tcp.h>
#include <net/flow_offload.h>
#include "rule.h"

/* MACs 4, tags off and on, NAT of IPv6 8 + 2, REDIRECT 1. */
#define ACTIONS (4 + 2 * NATFLOW_HWNAT_ENCAPS + 10 + 1)

struct keys {
	struct flow_dissector_key_meta meta;
	struct flow_dissector_key_control control;
	struct flow_dissector_key_basic basic;
	struct flow_dissector_key_vlan vlan, cvlan;
	union {
		struct flow_dissector_key_ipv4_addrs ipv4;
		struct flow_dissector_key_ipv6_addrs ipv6;
	};
	struct flow_dissector_key_tcp tcp;
	struct flow_dissector_key_ports ports;
} __aligned(BITS_PER_LONG / 8);		/* flow_dissector compares longs */

struct natflow_hwnat_rule {
	struct flow_rule *rule;
	struct net_device *out;		/* held: REDIRECT's */
	struct flow_dissector dissector;
	struct keys key, mask;
	struct flow_action_entry none;	/* where an action goes that there is no room for */
	bool full;
};

#define USE(r, type, field) use(r, type, offsetof(struct keys, field))

static void use(struct natflow_hwnat_rule *r, enum flow_dissector_key_id type, size_t offset)
{
	r->dissector.offset[type] = offset;
	r->dissector.used_keys |= BIT_ULL(type);
}

static void match_tag(struct flow_dissector_key_vlan *key, struct flow_dissector_key_vlan *mask,
		      const struct natflow_hwnat_encap *tag)
{
	key->vlan_id = tag->id;
	key->vlan_tpid = tag->proto;
	mask->vlan_id = VLAN_VID_MASK;
	mask->vlan_tpid = htons(0xffff);
}

/* The kernel's rules do not name a PPPoE session, and there is no key for one in 6.1. */
static void match_tags(struct natflow_hwnat_rule *r, const struct natflow_hwnat_side *in)
{
	unsigned int i, tags = 0;

	for (i = 0; i < in->encaps; i++) {
		if (!eth_type_vlan(in->encap[i].proto))
			continue;
		if (tags++ == 0) {
			USE(r, FLOW_DISSECTOR_KEY_VLAN, vlan);
			match_tag(&r->key.vlan, &r->mask.vlan, &in->encap[i]);
		} else {
			USE(r, FLOW_DISSECTOR_KEY_CVLAN, cvlan);
			match_tag(&r->key.cvlan, &r->mask.cvlan, &in->encap[i]);
		}
	}
}

static void match_addresses(struct natflow_hwnat_rule *r, u8 family,
			    const struct natflow_hw_tuple *tuple)
{
	if (family == NFPROTO_IPV4) {
		USE(r, FLOW_DISSECTOR_KEY_IPV4_ADDRS, ipv4);
		r->key.control.addr_type = FLOW_DISSECTOR_KEY_IPV4_ADDRS;
		r->key.basic.n_proto = htons(ETH_P_IP);
		r->key.ipv4.src = tuple->src[0];
		r->key.ipv4.dst = tuple->dst[0];
		memset(&r->mask.ipv4, 0xff, sizeof(r->mask.ipv4));
	} else {
		USE(r, FLOW_DISSECTOR_KEY_IPV6_ADDRS, ipv6);
		r->key.control.addr_type = FLOW_DISSECTOR_KEY_IPV6_ADDRS;
		r->key.basic.n_proto = htons(ETH_P_IPV6);
		memcpy(&r->key.ipv6.src, tuple->src, sizeof(tuple->src));
		memcpy(&r->key.ipv6.dst, tuple->dst, sizeof(tuple->dst));
		memset(&r->mask.ipv6, 0xff, sizeof(r->mask.ipv6));
	}
	/* mask.control.flags stays 0: with a bit of it drivers refuse the rule since 6.10. */
	r->mask.control.addr_type = 0xffff;
	r->mask.basic.n_proto = htons(0xffff);
}

static void match(struct natflow_hwnat_rule *r, const struct natflow_hwnat_way *way,
		  bool conduit_meta)
{
	const struct natflow_hw_tuple *tuple = &way->flow->dir[way->dir].before;

	USE(r, FLOW_DISSECTOR_KEY_META, meta);
	USE(r, FLOW_DISSECTOR_KEY_CONTROL, control);
	USE(r, FLOW_DISSECTOR_KEY_BASIC, basic);
	USE(r, FLOW_DISSECTOR_KEY_PORTS, ports);
	/* mtk takes the table of the GMAC that this is: a port of a switch is none. */
	r->key.meta.ingress_ifindex = conduit_meta ? way->in->conduit : way->in->port;
	r->mask.meta.ingress_ifindex = ~0;
	match_tags(r, way->in);
	match_addresses(r, way->flow->family, tuple);
	r->key.basic.ip_proto = way->flow->proto;
	r->mask.basic.ip_proto = 0xff;
	r->key.ports.src = tuple->sport;
	r->key.ports.dst = tuple->dport;
	r->mask.ports.src = htons(0xffff);
	r->mask.ports.dst = htons(0xffff);
	if (way->flow->proto != IPPROTO_TCP)
		return;
	/* Segments with FIN or RST go to conntrack. */
	USE(r, FLOW_DISSECTOR_KEY_TCP, tcp);
	r->mask.tcp.flags = cpu_to_be16(be32_to_cpu(TCP_FLAG_RST | TCP_FLAG_FIN) >> 16);
}

static struct flow_action_entry *next(struct natflow_hwnat_rule *r, enum flow_action_id id)
{
	struct flow_action *actions = &r->rule->action;
	struct flow_action_entry *entry = &r->none;

	if (actions->num_entries < ACTIONS)
		entry = &actions->entries[actions->num_entries++];
	else
		r->full = true;
	entry->id = id;
	return entry;
}

/* @keep and @value are four bytes as in the packet. */
static void mangle(struct natflow_hwnat_rule *r, enum flow_action_mangle_base base, u32 offset,
		   const void *keep, const void *value)
{
	struct flow_action_entry *entry = next(r, FLOW_ACTION_MANGLE);

	entry->mangle.htype = base;
	entry->mangle.offset = offset;
	memcpy(&entry->mangle.mask, keep, 4);
	memcpy(&entry->mangle.val, value, 4);
}

static void mangle_word(struct natflow_hwnat_rule *r, enum flow_action_mangle_base base,
			u32 offset, __be32 keep, __be32 value)
{
	mangle(r, base, offset, &keep, &value);
}

/* Words of the header are of four bytes: the third has the end of one and the start of another. */
static void mangle_macs(struct natflow_hwnat_rule *r, const struct natflow_hwnat_side *out)
{
	u8 start[4] = { 0, 0, out->src[0], out->src[1] };
	u8 end[4] = { out->dst[4], out->dst[5], 0, 0 };

	mangle(r, FLOW_ACT_MANGLE_HDR_TYPE_ETH, 4, "\xff\xff\0", start);
	mangle(r, FLOW_ACT_MANGLE_HDR_TYPE_ETH, 8, "\0\0\0", out->src + 2);
	mangle(r, FLOW_ACT_MANGLE_HDR_TYPE_ETH, 0, "\0\0\0", out->dst);
	mangle(r, FLOW_ACT_MANGLE_HDR_TYPE_ETH, 4, "\0\0\xff\xff", end);
}

static void change_tags(struct natflow_hwnat_rule *r, const struct natflow_hwnat_way *way)
{
	struct flow_action_entry *entry;
	unsigned int i;

	for (i = 0; i < way->in->encaps; i++)
		if (eth_type_vlan(way->in->encap[i].proto))
			next(r, FLOW_ACTION_VLAN_POP);
	for (i = 0; i < way->out->encaps; i++) {
		const struct natflow_hwnat_encap *encap = &way->out->encap[i];

		if (encap->proto == htons(ETH_P_PPP_SES)) {
			entry = next(r, FLOW_ACTION_PPPOE_PUSH);
			entry->pppoe.sid = encap->id;
		} else {
			entry = next(r, FLOW_ACTION_VLAN_PUSH);
			entry->vlan.vid = encap->id;
			entry->vlan.proto = encap->proto;
		}
	}
}

/* One end of the tuple: its address, and its port, which is the upper or lower half of a word. */
static void mangle_end(struct natflow_hwnat_rule *r, const struct natflow_hw_flow *flow,
		       const __be32 *address, bool source, __be16 port)
{
	enum flow_action_mangle_base base = flow->proto == IPPROTO_TCP ?
		FLOW_ACT_MANGLE_HDR_TYPE_TCP : FLOW_ACT_MANGLE_HDR_TYPE_UDP;
	u32 shift = source ? 16 : 0, offset, i;

	if (flow->family == NFPROTO_IPV4) {
		offset = source ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr);
		mangle_word(r, FLOW_ACT_MANGLE_HDR_TYPE_IP4, offset, 0, address[0]);
	} else {
		offset = source ? offsetof(struct ipv6hdr, saddr) : offsetof(struct ipv6hdr, daddr);
		for (i = 0; i < 4; i++)
			mangle_word(r, FLOW_ACT_MANGLE_HDR_TYPE_IP6, offset + 4 * i, 0, address[i]);
	}
	mangle_word(r, base, 0, ~htonl(0xffffU << shift), htonl((u32)ntohs(port) << shift));
}

/* In the order of the kernel's: what SNAT changed in the flow, then what DNAT did. */
static void mangle_tuple(struct natflow_hwnat_rule *r, const struct natflow_hwnat_way *way)
{
	const struct natflow_hw_flow *flow = way->flow;
	const struct natflow_hw_tuple *is = &flow->dir[way->dir].before;
	const struct natflow_hw_tuple *be = &flow->dir[way->dir].after;
	bool source = is->sport != be->sport || memcmp(is->src, be->src, sizeof(is->src));
	bool dest = is->dport != be->dport || memcmp(is->dst, be->dst, sizeof(is->dst));
	struct flow_action_entry *entry;

	if (source && way->dir == IP_CT_DIR_ORIGINAL)
		mangle_end(r, flow, be->src, true, be->sport);
	if (dest)
		mangle_end(r, flow, be->dst, false, be->dport);
	if (source && way->dir == IP_CT_DIR_REPLY)
		mangle_end(r, flow, be->src, true, be->sport);
	if (flow->family != NFPROTO_IPV4 || !(source || dest))
		return;
	entry = next(r, FLOW_ACTION_CSUM);
	entry->csum_flags = TCA_CSUM_UPDATE_FLAG_IPV4HDR |
			    (flow->proto == IPPROTO_TCP ? TCA_CSUM_UPDATE_FLAG_TCP :
							  TCA_CSUM_UPDATE_FLAG_UDP);
}

/**
 * natflow_hwnat_rule_make() - the rule of one direction
 * @net: of the devices
 * @way: the direction; a back end's check() has taken it
 * @conduit_meta: name the conduit of a DSA port that packets arrive by, not the port
 *
 * Context: may sleep; no lock is needed. The device that packets leave by is held.
 *
 * Return: the rule, or ERR_PTR(): -ENOMEM, -ENODEV, -E2BIG.
 */
struct natflow_hwnat_rule *natflow_hwnat_rule_make(struct net *net,
						   const struct natflow_hwnat_way *way,
						   bool conduit_meta)
{
	struct natflow_hwnat_rule *r = kzalloc(sizeof(*r), GFP_KERNEL);
	int err = -ENOMEM;

	if (!r)
		return ERR_PTR(err);
	/* It sets hw_stats of each action: drivers warn about zero. */
	r->rule = flow_rule_alloc(ACTIONS);
	if (!r->rule)
		goto failed;
	r->rule->match.dissector = &r->dissector;
	r->rule->match.key = &r->key;
	r->rule->match.mask = &r->mask;
	r->rule->action.num_entries = 0;
	err = -ENODEV;
	r->out = dev_get_by_index(net, way->out->port);
	if (!r->out)
		goto failed;
	match(r, way, conduit_meta);
	mangle_macs(r, way->out);
	change_tags(r, way);
	mangle_tuple(r, way);
	next(r, FLOW_ACTION_REDIRECT)->dev = r->out;
	err = -E2BIG;
	if (!r->full)
		return r;
failed:
	natflow_hwnat_rule_free(r);
	return ERR_PTR(err);
}

/**
 * natflow_hwnat_rule_free() - forget a rule
 * @r: what natflow_hwnat_rule_make() returned; no driver keeps a pointer to it
 */
void natflow_hwnat_rule_free(struct natflow_hwnat_rule *r)
{
	dev_put(r->out);
	kfree(r->rule);
	kfree(r);
}

/**
 * natflow_hwnat_rule_get() - what a driver is given
 * @r: what natflow_hwnat_rule_make() returned
 *
 * Return: the rule; it lives as long as @r.
 */
struct flow_rule *natflow_hwnat_rule_get(struct natflow_hwnat_rule *r)
{
	return r->rule;
}
