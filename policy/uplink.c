// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does a default route of the main table leave by a device? The tables are read, as
 * packets do it. No event tells of all changes (see core/listen.c), so callers ask
 * again from time to time.
 */
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/nexthop.h>
#include "uplink.h"

#define NODES_MAX 256

/*
 * The longest prefix of 0.0.0.0 that leaves by @dev. 0.0.0.0/1, with its other half, is
 * how VPN clients put a route before the default route.
 */
static bool has_route4(const struct net_device *dev)
{
	const struct flowi4 key = { .flowi4_oif = dev->ifindex };
	struct fib_table *table = natflow_compat_main_table(dev_net(dev));
	struct fib_result res;

	return table &&
	       !fib_table_lookup(table, &key, &res,
				 FIB_LOOKUP_NOREF | FIB_LOOKUP_IGNORE_LINKSTATE) &&
	       res.type == RTN_UNICAST && res.prefixlen <= 1;
}

static int is_by(struct fib6_nh *nh, void *dev)
{
	return nh->fib_nh_dev == dev;
}

/* A route without a way ends the list: those behind it are not used. */
static bool leaves_by(const struct fib6_node *node, const struct net_device *dev)
{
	const struct fib6_info *route;
	void *by = (void *)dev;

	if (!(node->fn_flags & RTN_RTINFO))
		return false;
	for (route = rcu_dereference(node->leaf); route && !(route->fib6_flags & RTF_REJECT);
	     route = rcu_dereference(route->fib6_next))
		if (route->nh ? nexthop_for_each_fib6_nh(route->nh, is_by, by) :
				is_by((struct fib6_nh *)route->fib6_nh, by))
			return true;
	return false;
}

/* The next node below @root. A node that is taken out meanwhile still leads upwards. */
static const struct fib6_node *step(const struct fib6_node *node, const struct fib6_node *root)
{
	const struct fib6_node *next = rcu_dereference(node->left) ?: rcu_dereference(node->right);

	if (next)
		return next;
	while (node && node != root) {
		const struct fib6_node *up = rcu_dereference(node->parent);

		next = up ? rcu_dereference(up->right) : NULL;
		if (next && next != node && rcu_dereference(up->left) == node)
			return next;
		node = up;
	}
	return NULL;
}

/* Default routes for one source prefix each are in a tree below the root of the table. */
static bool has_route6(const struct net_device *dev)
{
	const struct fib6_node *root, *node;
	struct fib6_table *table;
	unsigned int n;

	if (!ipv6_mod_enabled())
		return false;
	table = fib6_get_table(dev_net(dev), RT6_TABLE_MAIN);
	if (!table)
		return false;
	if (leaves_by(&table->tb6_root, dev))
		return true;
	root = natflow_compat_subtree(&table->tb6_root);
	for (node = root, n = 0; node && n < NODES_MAX; node = step(node, root), n++)
		if (leaves_by(node, dev))
			return true;
	return false;
}

/**
 * natflow_uplink_family() - does a default route leave by a device
 * @dev: device
 *
 * Context: RCU read side.
 * Return: NFPROTO_IPV4 or NFPROTO_IPV6, the family of such a route, or 0.
 */
u8 natflow_uplink_family(const struct net_device *dev)
{
	if (has_route4(dev))
		return NFPROTO_IPV4;
	return has_route6(dev) ? NFPROTO_IPV6 : 0;
}
