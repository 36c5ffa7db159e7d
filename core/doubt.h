/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one fan-out of events. Each event that may make a learned flow wrong ends
 * in natflow_doubt() or natflow_doubt_neigh(). When they return, the route
 * clocks have moved, ingress paths and egresses have been checked, and attached
 * features have been told.
 *
 * Lock order, outermost first: RTNL, a bridge's lock, a neighbour's or its
 * table's lock, the receive queue of a listen socket; then
 * natflow_net.topo.egress_lock; then the locks of a listener's operations.
 * natflow_net.flows.lock is not held. An event takes none of the mutexes.
 */
#ifndef _NATFLOW_CORE_DOUBT_H
#define _NATFLOW_CORE_DOUBT_H

#include "base/slot.h"

struct neighbour;

void natflow_doubt_routes(struct natflow_net *nn, unsigned int what, enum natflow_cause cause);
void natflow_doubt(struct natflow_net *nn, unsigned int what, enum natflow_cause cause,
		   const struct net_device *dev);
void natflow_doubt_station(struct natflow_net *nn, int bridge, const u8 *mac, bool gone);
void natflow_doubt_neigh(struct natflow_net *nn, struct neighbour *neigh);
void natflow_doubt_tick(struct natflow_net *nn);

#endif /* _NATFLOW_CORE_DOUBT_H */
