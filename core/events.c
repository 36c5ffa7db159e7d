// SPDX-License-Identifier: GPL-2.0-only
/* Notifiers of devices, neighbours and addresses. Routes: see listen.c. */
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/addrconf.h>
#include <net/netevent.h>
#include "base/attach.h"
#include "doubt.h"
#include "events.h"
#include "topo/port.h"

/* Context: RTNL. */
static int netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct natflow_net *nn = natflow_net(dev_net(dev));

	switch (event) {
	/*
	 * fib6_ifdown() and fib6_ifup() may change IPv6 routes without a message
	 * (net/ipv6/route.c), fib_netdev_event() does so to IPv4 routes
	 * (net/ipv4/fib_frontend.c), before this notifier runs.
	 */
	case NETDEV_UNREGISTER:
		natflow_port_remove(nn, dev);
		fallthrough;
	case NETDEV_DOWN:
	case NETDEV_CHANGEMTU:
		natflow_doubt(nn, NATFLOW_DOUBT_DEVICE | NATFLOW_DOUBT_ROUTES,
			      NATFLOW_CAUSE_DEVICE, dev);
		break;
	case NETDEV_GOING_DOWN:
	case NETDEV_CHANGEADDR:
		natflow_doubt(nn, NATFLOW_DOUBT_DEVICE | NATFLOW_DOUBT_IP6,
			      NATFLOW_CAUSE_DEVICE, dev);
		break;
	case NETDEV_CHANGE:
		natflow_doubt(nn, NATFLOW_DOUBT_CARRIER | NATFLOW_DOUBT_ROUTES,
			      NATFLOW_CAUSE_CARRIER, dev);
		break;
	case NETDEV_UP:
		natflow_port_sync_one(nn, dev);
		natflow_doubt(nn, NATFLOW_DOUBT_PATHS | NATFLOW_DOUBT_ROUTES,
			      NATFLOW_CAUSE_DEVICE, NULL);
		break;
	case NETDEV_REGISTER:
	case NETDEV_CHANGEUPPER:
		natflow_port_sync_one(nn, dev);
		fallthrough;
	case NETDEV_FEAT_CHANGE:
		natflow_doubt(nn, NATFLOW_DOUBT_PATHS, NATFLOW_CAUSE_DEVICE, NULL);
		break;
	case NETDEV_CHANGENAME:
		if (natflow_port_renamed(nn, dev))
			natflow_doubt(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_SETTING, NULL);
		break;
	}
	natflow_attach_settle(nn);
	return NOTIFY_DONE;
}

/* Context: atomic. */
static int neigh_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct neighbour *neigh = ptr;

	if (event == NETEVENT_NEIGH_UPDATE)
		natflow_doubt_neigh(natflow_net(dev_net(neigh->dev)), neigh);
	return NOTIFY_DONE;
}

/* Context: atomic or RTNL. */
static int addr6_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct inet6_ifaddr *ifa = ptr;

	natflow_doubt_routes(natflow_net(dev_net(ifa->idev->dev)), NATFLOW_DOUBT_IP6,
			     NATFLOW_CAUSE_ADDRESS);
	return NOTIFY_DONE;
}

static struct notifier_block netdev_nb = { .notifier_call = netdev_event };
static struct notifier_block neigh_nb = { .notifier_call = neigh_event };
static struct notifier_block addr6_nb = { .notifier_call = addr6_event };

/**
 * natflow_events_init() - register the notifiers, for all namespaces
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
 * natflow_events_exit() - unregister the notifiers
 *
 * Unregistering replays NETDEV_UNREGISTER for every device, which removes all
 * ports. No worker may add a port afterwards.
 */
void natflow_events_exit(void)
{
	struct net *net;

	rtnl_lock();
	down_read(&net_rwsem);
	for_each_net(net)
		WRITE_ONCE(natflow_net(net)->dead, true);
	up_read(&net_rwsem);
	rtnl_unlock();
	unregister_inet6addr_notifier(&addr6_nb);
	unregister_netevent_notifier(&neigh_nb);
	unregister_netdevice_notifier(&netdev_nb);
}
