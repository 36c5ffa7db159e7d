/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a hardware back end may know of a flow: tuples, devices of the routes, next
 * hops. It needs no other header of core/ than this one, base/netns.h and
 * base/holder.h.
 */
#ifndef _NATFLOW_CORE_HW_H
#define _NATFLOW_CORE_HW_H

#include <linux/if_ether.h>
#include <linux/string.h>
#include <linux/types.h>
#include "../include/uapi/linux/natflow.h"
#include "base/slot.h"

/* Addresses and ports as in the packet, network order. IPv4 uses the first word. */
struct natflow_hw_tuple {
	__be32 src[4], dst[4];
	__be16 sport, dport;
};

/* One direction. A description is a copy: it holds no reference. */
struct natflow_hw_dir {
	struct natflow_hw_tuple before, after;	/* as packets arrive, and as they leave */
	int in;		/* ifindex: the port that packets arrive at, or a device above it */
	int in_l3;			/* of the L3 device that they are delivered to */
	int out_l3;			/* of the route's device */
	const void *egress;		/* names the egress in natflow_attach.egress_changed() */
	u8 next_hop[ETH_ALEN];		/* MAC of the neighbour; zero if @out_l3 has none */
	u32 mtu;			/* bytes of L3 */
};

static inline bool natflow_hw_is_nated(const struct natflow_hw_dir *dir)
{
	return memcmp(&dir->before, &dir->after, sizeof(dir->before));
}

struct natflow_hw_flow {
	u64 number;			/* natflow_flow.number, unique in the namespace */
	u8 family;			/* NFPROTO_IPV4 or NFPROTO_IPV6 */
	u8 proto;			/* IPPROTO_TCP or IPPROTO_UDP */
	bool asked;			/* selected by --hw, or hwnat=1 with select=all */
	bool watched;			/* the stack or a feature wants to see its packets */
	bool limited;			/* it is charged to a bucket, or given a DSCP */
	u16 zone;			/* conntrack zone */
	struct natflow_hw_dir dir[2];	/* IP_CT_DIR_* */
};

bool natflow_hw_describe(struct natflow_flow *flow, struct natflow_hw_flow *d);
struct natflow_hw_mark *natflow_hw_mark(struct natflow_flow *flow);
bool natflow_hw_hold(struct natflow_flow *flow);
void natflow_hw_put(struct natflow_flow *flow);
void natflow_hw_unseen(struct natflow_flow *flow);
void natflow_hw_account(struct natflow_flow *flow, unsigned int dir, u64 packets, u64 bytes);
void natflow_hw_alive(struct natflow_flow *flow, unsigned int dir);

#endif /* _NATFLOW_CORE_HW_H */
