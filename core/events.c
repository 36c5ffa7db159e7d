// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel notifications. IPv4 routing needs none: its generation counter moves
 * after every change. IPv6 deletions do not move fib6_sernum, but their
 * notification comes after the route is unlinked
 * (net/ipv6/ip6_fib.c:fib6_del_route(), 6.1 to 7.3), so it may move our bias.
 */
#include <linux/netdevice.h>
#include <net/addrconf.h>
#include <net/fib_notifier.h>
#include <net/netevent.h>
#include "clock.h"
#include "egress.h"
#include "events.h"
#include "port.h"

/* Context: RTNL. */
static int netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct natflow_net *nn = natflow_net(dev_net(dev));

	switch (event) {
	case NETDEV_UNREGISTER:
		natflow_port_remove(nn, dev);
		fallthrough;
	case NETDEV_GOING_DOWN:
	case NETDEV_DOWN:
	case NETDEV_CHANGEMTU:
	case NETDEV_CHANGEADDR:
		/* fib6_ifdown() is silent: neither sernum nor a FIB notification moves. */
		natflow_egress_dev_gone(nn, dev);
		natflow_clock_bump(nn, NFPROTO_IPV6);
		break;
	case NETDEV_CHANGE:
		if (!netif_carrier_ok(dev)) {
			natflow_egress_dev_gone(nn, dev);
			natflow_clock_bump(nn, NFPROTO_IPV6);
		}
		break;
	case NETDEV_REGISTER:
	case NETDEV_UP:
	case NETDEV_CHANGEUPPER:
		natflow_port_sync(nn);
		break;
	case NETDEV_CHANGENAME:
		natflow_port_renamed(nn, dev);
		break;
	}
	return NOTIFY_DONE;
}

/* Context: atomic. */
static int neigh_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct neighbour *neigh = ptr;

	if (event == NETEVENT_NEIGH_UPDATE)
		natflow_egress_neigh_update(natflow_net(dev_net(neigh->dev)), neigh);
	return NOTIFY_DONE;
}

/* Context: atomic or RTNL. */
static int addr6_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct inet6_ifaddr *ifa = ptr;

	natflow_clock_bump(natflow_net(dev_net(ifa->idev->dev)), NFPROTO_IPV6);
	return NOTIFY_DONE;
}

/* Context: atomic. Additions move fib6_sernum themselves. */
static int fib_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct fib_notifier_info *info = ptr;

	if (info->family == AF_INET6)
		natflow_clock_bump(container_of(nb, struct natflow_net, fib_nb), NFPROTO_IPV6);
	return NOTIFY_DONE;
}

/**
 * natflow_events_watch_fib6() - let IPv6 route deletions move the clock
 * @nn: namespace
 *
 * Registering dumps the FIB to us and may lose a race against changes; it is
 * then tried again once a second.
 *
 * Context: process, natflow_net.lock held, RTNL not held.
 */
void natflow_events_watch_fib6(struct natflow_net *nn)
{
	lockdep_assert_held(&nn->lock);
	if (nn->fib6_watched)
		return;
	nn->fib_nb.notifier_call = fib_event;
	nn->fib6_watched = !register_fib_notifier(nn->net, &nn->fib_nb, NULL, NULL);
}

/**
 * natflow_events_unwatch_fib6() - the reverse
 * @nn: namespace
 *
 * Context: process, natflow_net.lock held.
 */
void natflow_events_unwatch_fib6(struct natflow_net *nn)
{
	lockdep_assert_held(&nn->lock);
	if (nn->fib6_watched)
		unregister_fib_notifier(nn->net, &nn->fib_nb);
	nn->fib6_watched = false;
}

static struct notifier_block netdev_nb = { .notifier_call = netdev_event };
static struct notifier_block neigh_nb = { .notifier_call = neigh_event };
static struct notifier_block addr6_nb = { .notifier_call = addr6_event };

/**
 * natflow_events_init() - begin to listen, in all namespaces
 *
 * Context: after the pernet operations are registered, before any hook can be.
 * Return: 0 or an errno.
 */
int __init natflow_events_init(void)
{
	int err = register_netdevice_notifier(&netdev_nb);

	if (err)
		return err;
	err = register_netevent_notifier(&neigh_nb);
	if (err)
		goto err_netdev;
	err = register_inet6addr_notifier(&addr6_nb);
	if (err)
		goto err_netevent;
	return 0;

err_netevent:
	unregister_netevent_notifier(&neigh_nb);
err_netdev:
	unregister_netdevice_notifier(&netdev_nb);
	return err;
}

/**
 * natflow_events_exit() - stop listening
 *
 * Unregistering replays NETDEV_UNREGISTER for every device: all ports go.
 */
void natflow_events_exit(void)
{
	unregister_inet6addr_notifier(&addr6_nb);
	unregister_netevent_notifier(&neigh_nb);
	unregister_netdevice_notifier(&netdev_nb);
}
