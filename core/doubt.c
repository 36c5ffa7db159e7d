// SPDX-License-Identifier: GPL-2.0-only
/* Events move clocks, end paths and egresses, and reach listeners. */
#include "base/attach.h"
#include "base/clock.h"
#include "doubt.h"
#include "topo/egress.h"
#include "topo/path_in.h"

#define CAUSE_SHOWN(name, key, shown) [NATFLOW_CAUSE_##name] = shown,

/* Would a route lookup answer otherwise after such a change? */
static const bool is_shown[] = { NATFLOW_CAUSES_LIST(CAUSE_SHOWN) };

static void move_clocks(struct natflow_net *nn, unsigned int what, enum natflow_cause cause)
{
	if (!(what & NATFLOW_DOUBT_ROUTES))
		return;
	atomic_inc(&nn->bumps[cause]);
	if (what & NATFLOW_DOUBT_IP4)
		natflow_clock_bump(nn, NFPROTO_IPV4, is_shown[cause]);
	if (what & NATFLOW_DOUBT_IP6)
		natflow_clock_bump(nn, NFPROTO_IPV6, is_shown[cause]);
}

/**
 * natflow_doubt_routes() - routes, rules or settings changed
 * @nn: namespace
 * @what: NATFLOW_DOUBT_IP4, _IP6 or both
 * @cause: which
 *
 * When it returns, the next packet of each flow asks for its route, or takes the
 * stack, which learns the flow again.
 *
 * Context: any, interrupts may be off.
 */
void natflow_doubt_routes(struct natflow_net *nn, unsigned int what, enum natflow_cause cause)
{
	move_clocks(nn, what, cause);
	natflow_attach_doubt(nn, what, NULL);
}

/**
 * natflow_doubt() - something changed
 * @nn: namespace
 * @what: bits of enum natflow_doubt
 * @cause: which, if @what has _IP4 or _IP6
 * @dev: device that went down, changed or disappears, with NATFLOW_DOUBT_DEVICE
 *	or _CARRIER; else NULL
 *
 * When it returns, no packet bypasses a device that it must not bypass, leaves
 * by a port where its station is no more, or by an egress of @dev.
 *
 * Context: any but hard interrupts, interrupts on.
 */
void natflow_doubt(struct natflow_net *nn, unsigned int what, enum natflow_cause cause,
		   const struct net_device *dev)
{
	if (what & NATFLOW_DOUBT_CARRIER && netif_carrier_ok(dev)) {
		what &= ~NATFLOW_DOUBT_CARRIER;
		dev = NULL;
	}
	if (what & NATFLOW_DOUBT_DEVICE)
		natflow_way_forget(nn, dev);
	if (what & (NATFLOW_DOUBT_DEVICE | NATFLOW_DOUBT_CARRIER))
		natflow_egress_dev_gone(nn, dev);
	move_clocks(nn, what, cause);
	if (what & (NATFLOW_DOUBT_PATHS | NATFLOW_DOUBT_BRIDGES)) {
		natflow_way_check(nn, what & NATFLOW_DOUBT_BRIDGES);
		natflow_egress_check_paths(nn);
	}
	natflow_attach_doubt(nn, what, dev);
}

/**
 * natflow_doubt_station() - a bridge learned, moved or forgot a station
 * @nn: namespace
 * @bridge: its ifindex, 0 if unknown
 * @mac: address of the station
 * @gone: it was forgotten
 *
 * Anybody may make a bridge learn any number of stations, so a station that no
 * flow sends to costs one look into a hash. If one in use was forgotten, its
 * egresses are killed and the clocks move: its flows take the stack, where the
 * bridge learns it again, and others ask for their route.
 *
 * Context: any but hard interrupts, interrupts on.
 */
void natflow_doubt_station(struct natflow_net *nn, int bridge, const u8 *mac, bool gone)
{
	const unsigned int what = gone ? NATFLOW_DOUBT_ROUTES | NATFLOW_DOUBT_PATHS :
					 NATFLOW_DOUBT_PATHS;

	if (!natflow_egress_station_moved(nn, bridge, mac, gone))
		return;
	move_clocks(nn, what, NATFLOW_CAUSE_STATION);
	natflow_attach_doubt(nn, what, NULL);
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

/**
 * natflow_doubt_tick() - report changes that only the kernel's counters show
 * @nn: namespace
 *
 * XFRM policies, route/flush and some sysctls move a counter without a message.
 * Hits compare the counter; a feature with doubt() hears of it here.
 *
 * Context: process; only the tick calls it.
 */
void natflow_doubt_tick(struct natflow_net *nn)
{
	const u32 ip4 = rt_genid_ipv4(nn->net), ip6 = rt_genid_ipv6(nn->net);
	const unsigned int what = (ip4 != nn->reported[0] ? NATFLOW_DOUBT_IP4 : 0) |
				  (ip6 != nn->reported[1] ? NATFLOW_DOUBT_IP6 : 0);

	WRITE_ONCE(nn->moved[0], nn->moved[0] + (u32)(ip4 - nn->reported[0]));
	WRITE_ONCE(nn->moved[1], nn->moved[1] + (u32)(ip6 - nn->reported[1]));
	nn->reported[0] = ip4;
	nn->reported[1] = ip6;
	if (what)
		natflow_attach_doubt(nn, what, NULL);
}
