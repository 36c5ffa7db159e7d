/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flattening: what is between the IP layer and the wire and does nothing but
 * add or take a tag, or choose a port, is worked out once and then skipped. A
 * device is skipped only while nobody put anything on it: a queue, a tc or
 * netfilter hook, an XDP program, a tap; and nobody took offloads away from it.
 * Its counters go on as if it were not.
 */
#ifndef _NATFLOW_CORE_TOPO_FLAT_H
#define _NATFLOW_CORE_TOPO_FLAT_H

#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <net/neighbour.h>
#include "../base/netns.h"

#define NATFLOW_FLAT_MAX 3	/* devices that may be skipped in one direction */

/* A VLAN tag. Both 0: none. */
struct natflow_tag {
	__be16 proto;		/* ETH_P_8021Q or ETH_P_8021AD */
	u16 tci;		/* host byte order */
};

/* A device that packets skip. Valid while its egress or way is, under RCU. */
struct natflow_between {
	struct net_device *dev;
	void __percpu *stats;	/* struct vlan_pcpu_stats or struct pcpu_sw_netstats */
	bool vlan;
	u8 extra;		/* bytes beyond L3 that it counts */
};

struct natflow_flat {
	u8 count;
	struct natflow_between dev[NATFLOW_FLAT_MAX];
};

/* The way down from the device of a route. */
struct natflow_down {
	struct net_device *dev;		/* where packets are sent */
	struct natflow_flat over;
	u8 tags;			/* innermost first */
	u8 inside;			/* those in the header; @dev may write the outer one */
	struct natflow_tag tag[NET_DEVICE_PATH_VLAN_MAX];
};

static __always_inline void
natflow_between_count(const struct natflow_between *b, unsigned int bytes, const bool tx)
{
	if (b->vlan) {
		struct vlan_pcpu_stats __percpu *all = b->stats;
		struct vlan_pcpu_stats *s = this_cpu_ptr(all);

		u64_stats_update_begin(&s->syncp);
		u64_stats_inc(tx ? &s->tx_packets : &s->rx_packets);
		u64_stats_add(tx ? &s->tx_bytes : &s->rx_bytes, bytes);
		u64_stats_update_end(&s->syncp);
	} else {
		struct pcpu_sw_netstats __percpu *all = b->stats;
		struct pcpu_sw_netstats *s = this_cpu_ptr(all);

		u64_stats_update_begin(&s->syncp);
		u64_stats_inc(tx ? &s->tx_packets : &s->rx_packets);
		u64_stats_add(tx ? &s->tx_bytes : &s->rx_bytes, bytes);
		u64_stats_update_end(&s->syncp);
	}
}

/* One packet of @l3 bytes passed by all of @flat. Context: BH disabled. */
static __always_inline void
natflow_flat_count(const struct natflow_flat *flat, unsigned int l3, const bool tx)
{
	unsigned int i;

	for (i = 0; i < flat->count; i++)
		natflow_between_count(&flat->dev[i], l3 + flat->dev[i].extra, tx);
}

bool natflow_flat_holds(const struct natflow_flat *flat);
bool natflow_flat_has(const struct natflow_flat *flat, const struct net_device *dev);
bool natflow_flat_skip(struct natflow_flat *flat, struct net_device *dev, unsigned int extra);
void natflow_flat_down(struct natflow_net *nn, struct neighbour *neigh, u32 priority,
		       struct natflow_down *down);

#endif /* _NATFLOW_CORE_TOPO_FLAT_H */
