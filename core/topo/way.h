/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A way is how packets come in: the device whose hook sees them first, and
 * the device where they surface for IP. Where these are one it is the port's
 * own way. Others are learned from packets that went up the stack, past the
 * hooks of all devices in between, and are forgotten when one of these changes.
 */
#ifndef _NATFLOW_CORE_TOPO_WAY_H
#define _NATFLOW_CORE_TOPO_WAY_H

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include "../base/clock.h"
#include "flat.h"
#include "port.h"

/*
 * How long a station behind a bridge may be fast without the bridge seeing it:
 * below the shortest ageing time that IEEE 802.1D-2004 allows (table 7-5: 10 s).
 */
#define NATFLOW_STATION_TICKS (5 * HZ >> NATFLOW_TICK_SHIFT)

/* A tag in 16 bits: the VLAN id, and what kind of tag; two of them in a word, the outer one low. */
#define NATFLOW_TAG_PRESENT	0x2000
#define NATFLOW_TAG_8021AD	0x1000

static inline u32 natflow_tag_pack(__be16 proto, u16 tci)
{
	return (tci & VLAN_VID_MASK) | NATFLOW_TAG_PRESENT |
	       (proto == htons(ETH_P_8021AD) ? NATFLOW_TAG_8021AD : 0);
}

/*
 * The tags of a packet at its ingress hook: the outer one beside it, the next
 * in front of it; and the protocol behind these.
 */
static inline u32 natflow_way_tags(const struct sk_buff *skb, __be16 *protocol)
{
	u32 tags = 0;

	*protocol = skb->protocol;
	if (skb_vlan_tag_present(skb))
		tags = natflow_tag_pack(skb->vlan_proto, skb->vlan_tci);
	if (unlikely(eth_type_vlan(skb->protocol)) && tags) {
		struct vlan_hdr space;
		const struct vlan_hdr *inner = skb_header_pointer(skb, 0, sizeof(space), &space);

		if (inner) {
			tags |= natflow_tag_pack(skb->protocol, ntohs(inner->h_vlan_TCI)) << 16;
			*protocol = inner->h_vlan_encapsulated_proto;
		}
	}
	return tags;
}

/* Ids are even: natflow_key_tail.way has the protocol in the lowest bit. */
static inline u32 natflow_way_new_id(struct natflow_net *nn)
{
	return (u32)atomic_add_return(2, &nn->way_seq);
}

static inline unsigned int natflow_way_hash(u32 tags)
{
	return (tags ^ tags >> 16) % NATFLOW_WAY_BUCKETS;
}

/*
 * The way of a packet that carries @tags or is a bridge's.
 * Context: RCU read side. Return: the way or NULL.
 */
static inline const struct natflow_way *
natflow_way_find(const struct natflow_port *port, const struct sk_buff *skb, u32 tags)
{
	const struct natflow_way *way;

	hlist_for_each_entry_rcu(way, &port->ways[natflow_way_hash(tags)], node)
		if (way->tags == tags &&
		    ether_addr_equal_64bits(way->mac, eth_hdr(skb)->h_dest))
			return way;
	return NULL;
}

/*
 * Was @skb redirected at ingress, to an ifb say, and has no hook of natflow seen it since?
 *
 * The kernel sets this bit when it redirects (skb_set_redirected()) and never clears it.
 * natflow clears it on every packet that it sends up the stack. The kernel reads it in
 * ifb alone, behind another redirect, which sets it again.
 */
#ifdef CONFIG_NET_REDIRECT
static inline bool natflow_way_unseen(const struct sk_buff *skb)
{
	return skb->from_ingress;
}

static inline void natflow_way_seen(struct sk_buff *skb)
{
	skb->from_ingress = 0;
}
#else
static inline bool natflow_way_unseen(const struct sk_buff *skb)
{
	return false;
}

static inline void natflow_way_seen(struct sk_buff *skb)
{
}
#endif

void natflow_way_note(const struct natflow_port *port, const struct sk_buff *skb);
const struct natflow_way *natflow_way_learn(struct natflow_net *nn, const struct sk_buff *skb,
					    struct natflow_port *in);
void natflow_way_forget(struct natflow_net *nn, const struct net_device *dev);
void natflow_way_check(struct natflow_net *nn, bool bridges);

#endif /* _NATFLOW_CORE_TOPO_WAY_H */
