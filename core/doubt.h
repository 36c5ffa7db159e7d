/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one fan-out of events. Each event that may make a learned flow wrong ends
 * in natflow_doubt() or natflow_doubt_neigh(). When they return, the route
 * clocks have moved, ingress paths and egresses have been checked, and attached
 * features have been told.
 *
 * Lock order, outermost first: RTNL, a bridge's lock, a neighbour's or its
 * table's lock, the receive queue of a listen socket; then
 * natflow_net.egress_lock; then the locks of a listener's operations.
 * natflow_net.flow_lock is not held. An event takes none of the mutexes.
 */
#ifndef _NATFLOW_CORE_DOUBT_H
#define _NATFLOW_CORE_DOUBT_H

#include <linux/bits.h>
#include <linux/types.h>

struct natflow_net;
struct neighbour;
struct net_device;

/* What an event makes doubtful; bits. */
enum natflow_doubt {
	NATFLOW_DOUBT_IP4	= BIT(0),	/* what routes, rules or settings say of IPv4 flows */
	NATFLOW_DOUBT_IP6	= BIT(1),	/* the same of IPv6 flows */
	NATFLOW_DOUBT_ROUTES	= NATFLOW_DOUBT_IP4 | NATFLOW_DOUBT_IP6,
	NATFLOW_DOUBT_PATHS	= BIT(2),	/* which devices may be bypassed, where stations are */
	NATFLOW_DOUBT_BRIDGES	= BIT(3),	/* the L3 device of frames from bridge ports */
	NATFLOW_DOUBT_DEVICE	= BIT(4),	/* every path by one device */
	NATFLOW_DOUBT_CARRIER	= BIT(5),	/* egress by one device, if it has no carrier */
};

void natflow_doubt_routes(struct natflow_net *nn, unsigned int what);
void natflow_doubt(struct natflow_net *nn, unsigned int what, const struct net_device *dev);
void natflow_doubt_neigh(struct natflow_net *nn, struct neighbour *neigh);

#endif /* _NATFLOW_CORE_DOUBT_H */
