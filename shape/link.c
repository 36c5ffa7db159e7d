// SPDX-License-Identifier: GPL-2.0-only
/* Links: see link.h. All under RTNL. */
#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include "../core/base/log.h"
#include "../core/base/netns.h"
#include "../core/doubt.h"
#include "../policy/zone.h"
#include "link.h"

/**
 * natflow_links() - a namespace's lines
 * @nn: namespace
 *
 * Context: RTNL, or the door's lock, which keep writers out. Return: NULL if there is none.
 */
const struct natflow_links *natflow_links(const struct natflow_net *nn)
{
	return nn->links;
}

/**
 * natflow_links_add() - one more line, or another one for its device
 * @links: lines
 * @link: line
 *
 * Return: 0 or -ENOSPC.
 */
int natflow_links_add(struct natflow_links *links, const struct natflow_link *link)
{
	unsigned int i, at = links->count, rx = 0;

	for (i = 0; i < links->count; i++) {
		if (!strcmp(links->link[i].dev, link->dev))
			at = i;
		else if (links->link[i].rx)
			rx++;
	}
	if (at == NATFLOW_LINKS_MAX || (link->rx && rx == NATFLOW_RX_MAX))
		return -ENOSPC;
	links->link[at] = *link;
	links->count = max(links->count, at + 1);
	return 0;
}

/**
 * natflow_link_of() - a device's line
 * @nn: its namespace
 * @dev: device
 *
 * Context: RTNL. Return: NULL if there is none.
 */
const struct natflow_link *natflow_link_of(const struct natflow_net *nn,
					   const struct net_device *dev)
{
	unsigned int i;

	ASSERT_RTNL();
	for (i = 0; nn->links && i < nn->links->count; i++)
		if (!strcmp(nn->links->link[i].dev, dev->name))
			return &nn->links->link[i];
	return NULL;
}

static bool has_dscp(const struct natflow_link *link)
{
	return link->rx && link->dscp != NATFLOW_LINK_KEEP;
}

/**
 * natflow_links_have_dscp() - does a line of these give packets a DSCP
 * @links: lines
 *
 * Context: any.
 */
bool natflow_links_have_dscp(const struct natflow_links *links)
{
	unsigned int i;

	for (i = 0; i < links->count; i++)
		if (has_dscp(&links->link[i]))
			return true;
	return false;
}

/* For shape/dscp.c: lines were written, or a device has come. Flows are learned anew. */
static void set_dscp(struct natflow_net *nn)
{
	const struct natflow_links *links = nn->links;
	struct natflow_rx_dscp now[NATFLOW_RX_MAX] = {};
	unsigned int i, count = 0;
	bool changed = false;

	for (i = 0; links && i < links->count; i++) {
		struct net_device *dev = has_dscp(&links->link[i]) ?
			__dev_get_by_name(nn->net, links->link[i].dev) : NULL;

		if (!dev)
			continue;
		now[count].ifindex = dev->ifindex;
		now[count++].wash = links->link[i].dscp == NATFLOW_LINK_WASH;
	}
	for (i = 0; i < NATFLOW_RX_MAX; i++) {
		changed |= now[i].ifindex != nn->rx_dscp[i].ifindex ||
			   now[i].wash != nn->rx_dscp[i].wash;
		WRITE_ONCE(nn->rx_dscp[i].wash, now[i].wash);
		WRITE_ONCE(nn->rx_dscp[i].ifindex, now[i].ifindex);
	}
	/* What packets learned between the two writes goes with the rest. */
	if (changed)
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_SETTING);
}

/* Does a line want the qdisc on the device? */
static bool is_wanted(struct natflow_net *nn, struct net_device *dev)
{
	const struct natflow_link *own = natflow_link_of(nn, dev);
	bool rx = false, lan;
	unsigned int i;

	if (own)
		return own->tx;
	for (i = 0; nn->links && i < nn->links->count; i++)
		rx |= nn->links->link[i].rx &&
		      __dev_get_by_name(nn->net, nn->links->link[i].dev);
	if (!rx || !(dev->flags & IFF_UP) || dev->type != ARPHRD_ETHER ||
	    netdev_has_any_upper_dev(dev))
		return false;
	rcu_read_lock();
	lan = natflow_zone_of(nn, dev).lan;
	rcu_read_unlock();
	return lan;
}

/* @say: to the log, if the device has a qdisc that somebody chose. */
static void apply(struct natflow_net *nn, struct net_device *dev, bool say)
{
	int err = 0;

	if (!is_wanted(nn, dev))
		natflow_qdisc_detach(dev, false);
	else if (!natflow_qdisc_is_on(dev))
		err = natflow_qdisc_attach(dev);
	if (!err && natflow_qdisc_is_on(dev))
		err = natflow_qdisc_configure(dev);
	if (err == -EBUSY && say)
		natflow_log(nn, NATFLOW_LOG_WARN,
			    "link: %s has a qdisc of its own, which stays: tc qdisc replace dev %s root natflow",
			    dev->name, dev->name);
	else if (err && err != -EBUSY)
		natflow_log(nn, NATFLOW_LOG_ERROR, "link: %s has no qdisc: error %d", dev->name,
			    err);
}

/* At boot, lines are written before PPP's device is there; but a name may be wrong, too. */
static void say_absent(struct natflow_net *nn)
{
	unsigned int i;

	for (i = 0; nn->links && i < nn->links->count; i++)
		if (!__dev_get_by_name(nn->net, nn->links->link[i].dev))
			natflow_log(nn, NATFLOW_LOG_WARN,
				    "link: there is no device %s, its line holds when it comes",
				    nn->links->link[i].dev);
}

/**
 * natflow_links_set() - new lines
 * @nn: namespace
 * @links: taken over; NULL: none
 *
 * Qdiscs that natflow attached, and that no line wants any more, go.
 *
 * Context: process, the door's lock held.
 */
void natflow_links_set(struct natflow_net *nn, struct natflow_links *links)
{
	struct natflow_links *old;
	struct net_device *dev;

	rtnl_lock();
	old = nn->links;
	nn->links = links;
	for_each_netdev(nn->net, dev)
		apply(nn, dev, true);
	set_dscp(nn);
	say_absent(nn);
	rtnl_unlock();
	kfree(old);
}

static void links_work(struct work_struct *work)
{
	struct natflow_net *nn = container_of(work, struct natflow_net, links_work);
	struct net_device *dev;

	rtnl_lock();
	if (nn->links)
		for_each_netdev(nn->net, dev)
			apply(nn, dev, false);
	set_dscp(nn);
	rtnl_unlock();
}

/* Some drivers' devices are locked in their events, as a change of their qdisc needs. */
static int device_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct natflow_net *nn = natflow_net(dev_net(netdev_notifier_info_to_dev(ptr)));

	switch (event) {
	case NETDEV_UP:
	case NETDEV_CHANGENAME:
	case NETDEV_CHANGEUPPER:
		if (nn && nn->links)
			schedule_work(&nn->links_work);
	}
	return NOTIFY_DONE;
}

static struct notifier_block device_notifier = { .notifier_call = device_event };

int natflow_link_net_init(struct natflow_net *nn)
{
	INIT_WORK(&nn->links_work, links_work);
	return 0;
}

/**
 * natflow_link_net_stop() - a namespace's lines go, and all qdiscs "natflow" in it
 * @nn: namespace
 *
 * No file reaches @nn any more.
 */
void natflow_link_net_stop(struct natflow_net *nn)
{
	struct net_device *dev;

	natflow_links_set(nn, NULL);
	cancel_work_sync(&nn->links_work);
	rtnl_lock();
	for_each_netdev(nn->net, dev)
		natflow_qdisc_detach(dev, true);
	rtnl_unlock();
}

int natflow_link_init(void)
{
	return register_netdevice_notifier(&device_notifier);
}

void natflow_link_exit(void)
{
	unregister_netdevice_notifier(&device_notifier);
}
