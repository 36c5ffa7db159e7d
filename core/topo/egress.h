/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An egress is a next hop that flows share: device, L2 header, MTU.
 *
 * A neighbour event rewrites one egress, and the next packet of each of its flows
 * carries the new header. If the neighbour fails, the egress is killed and its
 * flows take the stack.
 *
 * Lifetime: each flow direction that points to an egress holds a reference. A
 * killed egress releases device and neighbour one grace period later, even if
 * flows still point to it. Readers therefore check @mtu or @alive before they
 * use @dev, in the same RCU section.
 */
#ifndef _NATFLOW_CORE_TOPO_EGRESS_H
#define _NATFLOW_CORE_TOPO_EGRESS_H

#include <linux/netdevice.h>
#include <linux/refcount.h>
#include <linux/seqlock.h>
#include <net/neighbour.h>
#include "../base/netns.h"
#include "descend.h"

/* Ethernet and the in-band VLAN tags. */
#define NATFLOW_L2_MAX 32

struct natflow_egress {
	/* The line the packet path reads. */
	struct net_device *dev;		/* lowest device; valid under RCU while @alive */
	seqcount_spinlock_t seq;	/* guards @header against a torn read */
	u32 mtu;			/* bytes of L3; 0 once killed, so that nothing fits */
	u16 headroom;			/* bytes in front of L3 that @dev wants, L2 included */
	u8 header_len;
	bool alive;
	bool suspect;			/* differed at the last check; egress_lock */
	u8 header[NATFLOW_L2_MAX];
	u16 used;			/* natflow_tick_now() of the last hit, for the neighbour */
	bool bypassing;			/* @down.bypass is not empty */
	bool tracked;			/* packets carry their conntrack: see is_tracked() */
	struct natflow_down down;	/* forward path from @out to @dev at creation */

	/* Under natflow_net.topo.egress_lock. */
	struct hlist_node node;
	struct hlist_node by_station;	/* natflow_net.topo.stations, if @bridge */
	int bridge;			/* ifindex of the bridge that it sends by, or 0 */
	struct net_device *out;		/* of the route */
	struct neighbour *neigh;
	u32 priority;
	u32 mtu6;			/* IPv6: net.ipv6.conf.DEV.mtu of @out at creation */
	__be16 ethertype;
	struct natflow_net *nn;
	refcount_t ref;
	netdevice_tracker tracker, out_tracker;
	struct rcu_head rcu;
};

/*
 * Push the L2 header of @eg in front of the L3 header @skb is at.
 * Context: RCU read side; @eg->headroom bytes of writable room.
 */
static __always_inline void natflow_egress_header(const struct natflow_egress *eg,
						  struct sk_buff *skb)
{
	unsigned int seq, len;

	do {
		seq = read_seqcount_begin(&eg->seq);
		len = READ_ONCE(eg->header_len);
		if (likely(len == ETH_HLEN))
			memcpy(skb->data - ETH_HLEN, eg->header, ETH_HLEN);
		else if (len == VLAN_ETH_HLEN)
			memcpy(skb->data - VLAN_ETH_HLEN, eg->header, VLAN_ETH_HLEN);
		else
			memcpy(skb->data - len, eg->header, len);
	} while (read_seqcount_retry(&eg->seq, seq));
	__skb_push(skb, len);
}

bool natflow_egress_mtu_holds(const struct natflow_egress *eg);
struct natflow_egress *natflow_egress_get(struct natflow_net *nn, struct neighbour *neigh,
					  u32 mtu, u32 priority, __be16 ethertype);
void natflow_egress_put(struct natflow_egress *eg);
void natflow_egress_neigh_update(struct natflow_net *nn, struct neighbour *neigh);
bool natflow_egress_station_moved(struct natflow_net *nn, int bridge, const u8 *mac, bool gone);
bool natflow_egress_still(const struct natflow_egress *eg, struct dst_entry *dst,
			  const void *daddr, u32 mtu);
void natflow_egress_check_paths(struct natflow_net *nn);
void natflow_egress_dev_gone(struct natflow_net *nn, const struct net_device *dev);
void natflow_egress_keep_neighbours(struct natflow_net *nn);
void natflow_egress_exit(struct natflow_net *nn);

#endif /* _NATFLOW_CORE_TOPO_EGRESS_H */
