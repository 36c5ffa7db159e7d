/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A way is an ingress path: the device whose hook sees the frame first, and the
 * L3 device that the packet is delivered to. They are the same for a plain
 * port. core/topo/path_in.c learns the others.
 */
#ifndef _NATFLOW_CORE_TOPO_WAY_H
#define _NATFLOW_CORE_TOPO_WAY_H

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include "../base/netns.h"
#include "bypass.h"

#define NATFLOW_WAY_BUCKETS	8
#define NATFLOW_WAYS_MAX	256	/* per port; packets of further VLANs take the stack */

/* The members that natflow_way_find() hashes do not change. */
struct natflow_way {
	u32 id;				/* part of flow keys: even, unique in the namespace */
	u32 tags;			/* natflow_way_tags() */
	u8 mac[ETH_ALEN + 2] __aligned(8);	/* of the L3 device */
	int l3_ifindex;			/* of the device the packet is delivered to */
	bool bridged;			/* through a bridge, which must refresh its FDB */
	struct natflow_bypass bypass;
	struct hlist_node node;
	struct rcu_head rcu;
};

/* A VLAN tag in 16 bits: id and protocol. Two in a word, the outer tag in the low half. */
#define NATFLOW_TAG_PRESENT	0x2000
#define NATFLOW_TAG_8021AD	0x1000

static inline u32 natflow_tag_pack(__be16 proto, u16 tci)
{
	return (tci & VLAN_VID_MASK) | NATFLOW_TAG_PRESENT |
	       (proto == htons(ETH_P_8021AD) ? NATFLOW_TAG_8021AD : 0);
}

/*
 * The tags of a packet at the ingress hook: the outer tag is offloaded to the skb,
 * the inner one is in-band at skb->data. @protocol is the ethertype behind both.
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
	return (u32)atomic_add_return(2, &nn->topo.way_seq);
}

static inline unsigned int natflow_way_hash(u32 tags)
{
	return (tags ^ tags >> 16) % NATFLOW_WAY_BUCKETS;
}

#endif /* _NATFLOW_CORE_TOPO_WAY_H */
