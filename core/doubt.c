// SPDX-License-Identifier: GPL-2.0-only
/* Events move clocks, end paths and egresses, and reach listeners. */
#include "base/clock.h"
#include "doubt.h"
#include "topo/egress.h"
#include "topo/path_in.h"

/**
 * natflow_doubt_routes() - routes, rules or settings changed
 * @nn: namespace
 * @what: NATFLOW_DOUBT_IP4, _IP6 or both
 *
 * When it returns, the next packet of each flow takes the stack, which learns
 * the flow again.
 *
 * Context: any, interrupts may be off.
 */
void natflow_doubt_routes(struct natflow_net *nn, unsigned int what)
{
	if (what & NATFLOW_DOUBT_IP4)
		natflow_clock_bump(nn, NFPROTO_IPV4);
	if (what & NATFLOW_DOUBT_IP6)
		natflow_clock_bump(nn, NFPROTO_IPV6);
}

/**
 * natflow_doubt() - something changed
 * @nn: namespace
 * @what: bits of enum natflow_doubt
 * @dev: device for NATFLOW_DOUBT_DEVICE and _CARRIER; it went down, changed or disappears
 *
 * When it returns, no packet bypasses a device that it must not bypass, leaves
 * by a port where its station is no more, or by an egress of @dev.
 *
 * Context: any but hard interrupts, interrupts on.
 */
void natflow_doubt(struct natflow_net *nn, unsigned int what, const struct net_device *dev)
{
	if (what & NATFLOW_DOUBT_DEVICE) {
		natflow_way_forget(nn, dev);
		natflow_egress_dev_gone(nn, dev);
	} else if (what & NATFLOW_DOUBT_CARRIER && !netif_carrier_ok(dev)) {
		natflow_egress_dev_gone(nn, dev);
	}
	natflow_doubt_routes(nn, what);
	if (what & (NATFLOW_DOUBT_PATHS | NATFLOW_DOUBT_BRIDGES)) {
		natflow_way_check(nn, what & NATFLOW_DOUBT_BRIDGES);
		natflow_egress_check_paths(nn);
	}
}

/**
 * natflow_doubt_neigh() - a neighbour changed its address or its state
 * @nn: namespace of the neighbour's device
 * @neigh: the neighbour
 *
 * When it returns, the next packet carries the new address or takes the stack.
 *
 * Context: atomic, from the netevent chain.
 */
void natflow_doubt_neigh(struct natflow_net *nn, struct neighbour *neigh)
{
	natflow_egress_neigh_update(nn, neigh);
}
