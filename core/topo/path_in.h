/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ingress paths by bypassed devices. natflow learns a path from a packet that
 * went up the stack, past the hook of each device on it, and forgets the path
 * when one of these devices changes.
 */
#ifndef _NATFLOW_CORE_TOPO_PATH_IN_H
#define _NATFLOW_CORE_TOPO_PATH_IN_H

#include "../base/clock.h"
#include "port.h"
#include "way.h"

/*
 * Packets of a bridged station bypass the bridge for at most this long, then the
 * bridge sees one and refreshes its FDB entry. The shortest ageing time that
 * IEEE 802.1D-2004 allows is 10 s (table 7-5).
 */
#define NATFLOW_STATION_TICKS (5 * HZ >> NATFLOW_TICK_SHIFT)

/*
 * The way of a packet that carries @tags or arrives at a bridge port.
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
 * True if tc redirected @skb at ingress, for example to an ifb, and no hook of
 * natflow saw it since. The kernel sets this bit on redirect (skb_set_redirected())
 * and never clears it. natflow clears it on packets that go up the stack. Only ifb
 * reads the bit, after another redirect, which sets it again.
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

#endif /* _NATFLOW_CORE_TOPO_PATH_IN_H */
