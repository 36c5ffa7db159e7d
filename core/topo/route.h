/* SPDX-License-Identifier: GPL-2.0-only */
/* What learning and asking must both know of an IPv4 route. */
#ifndef _NATFLOW_CORE_TOPO_ROUTE_H
#define _NATFLOW_CORE_TOPO_ROUTE_H

#include <net/route.h>

/*
 * Does the stack forward with a learned path MTU? That MTU changes and expires inside
 * the route, without a counter or an event
 * (net/ipv4/route.c:update_or_create_fnhe(); include/net/ip.h:
 * ip_dst_mtu_maybe_forward()). IPv6 never forwards with one.
 */
static inline bool natflow_route_has_pmtu(const struct net *net, const struct rtable *rt)
{
	return READ_ONCE(net->ipv4.sysctl_ip_fwd_use_pmtu) || (rt->rt_pmtu && rt->rt_mtu_locked);
}

#endif /* _NATFLOW_CORE_TOPO_ROUTE_H */
