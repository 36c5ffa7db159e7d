// SPDX-License-Identifier: GPL-2.0-only
/* Links: see link.h. All under RTNL. */
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include "../core/base/log.h"
#include "../core/base/netns.h"
#include "../core/doubt.h"
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
	unsigned int i;

	for (i = 0; i < links->count; i++)
		if (!strcmp(links->link[i].dev, link->dev))
			break;
	if (i == NATFLOW_LINKS_MAX)
		return -ENOSPC;
	links->link[i] = *link;
	links->count = max(links->count, i + 1);
	return 0;
}

static const struct natflow_link *find(const struct natflow_links *links, const char *dev)
{
	unsigned int i;

	for (i = 0; links && i < links->count; i++)
		if (!strcmp(links->link[i].dev, dev))
			return &links->link[i];
	return NULL;
}

/**
 * natflow_link_of() - a device's line
 * @dev: device
 * @link: set if there is one
 *
 * Context: RTNL. Return: is there one?
 */
bool natflow_link_of(const struct net_device *dev, struct natflow_link *link)
{
	const struct natflow_net *nn = natflow_net(dev_net(dev));
	const struct natflow_link *found = nn ? find(nn->links, dev->name) : NULL;

	ASSERT_RTNL();
	if (found)
		*link = *found;
	return found;
}

/* The device gets its line's rate, and the qdisc if it has none that somebody chose. */
static void apply(struct natflow_net *nn, struct net_device *dev)
{
	const struct natflow_link *link = find(nn->links, dev->name);
	int err;

	if (natflow_qdisc_is_on(dev)) {
		natflow_qdisc_set_link(dev, link);
		return;
	}
	if (!link)
		return;
	err = natflow_qdisc_attach(dev);
	if (!err)	/* what tc's message would do */
		natflow_doubt(nn, NATFLOW_DOUBT_PATHS, NATFLOW_CAUSE_DEVICE, dev);
	if (err == -EBUSY)
		natflow_log(nn, NATFLOW_LOG_WARN,
			    "link: %s has a qdisc of its own, which stays: tc qdisc replace dev %s root natflow",
			    dev->name, dev->name);
	else if (err)
		natflow_log(nn, NATFLOW_LOG_ERROR, "link: %s has no qdisc: error %d", dev->name,
			    err);
}

/**
 * natflow_links_set() - new lines
 * @nn: namespace
 * @links: taken over; NULL: none
 *
 * The qdiscs of devices whose line is gone, and that natflow attached, go too.
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
	for_each_netdev(nn->net, dev) {
		apply(nn, dev);
		if (find(old, dev->name) && !find(links, dev->name))
			natflow_qdisc_detach(dev);
	}
	rtnl_unlock();
	kfree(old);
}

static int device_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct natflow_net *nn = natflow_net(dev_net(dev));

	/* At UP the kernel has given a device without a qdisc its default one. */
	if ((event == NETDEV_UP || event == NETDEV_CHANGENAME) && nn && nn->links)
		apply(nn, dev);
	return NOTIFY_DONE;
}

static struct notifier_block device_notifier = { .notifier_call = device_event };

/**
 * natflow_link_net_stop() - a namespace's lines go, and all qdiscs "natflow" in it
 * @nn: namespace
 *
 * No packet asks for @nn any more.
 */
void natflow_link_net_stop(struct natflow_net *nn)
{
	struct net_device *dev;

	natflow_links_set(nn, NULL);
	rtnl_lock();
	for_each_netdev(nn->net, dev)
		natflow_qdisc_detach(dev);
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
