// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that are bound, with the first flow that needs one. A port stays until its
 * device is unregistered or moved, or the module goes. A device that is not served is
 * remembered, and asked again after a while.
 */
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/pkt_cls.h>
#include "room.h"

#define ASK_AGAIN	(10 * HZ)

/* We hear of devices that go, so ports may be bound. Under RTNL. */
static bool hearing;

/* Bound or refused. */
static struct natflow_hwnat_port *port_of(struct natflow_hwnat_room *room, int ifindex)
{
	struct natflow_hwnat_port *port;

	lockdep_assert_held(&room->drivers);
	list_for_each_entry(port, &room->ports, list)
		if (port->dev->ifindex == ifindex)
			return port;
	return NULL;
}

/**
 * natflow_hwnat_port_find() - a bound port
 * @room: namespace's
 * @ifindex: of its device
 *
 * Context: natflow_hwnat_room.drivers held.
 */
struct natflow_hwnat_port *natflow_hwnat_port_find(struct natflow_hwnat_room *room, int ifindex)
{
	struct natflow_hwnat_port *port = port_of(room, ifindex);

	return port && !port->refused ? port : NULL;
}

/* Was it refused, and that some time ago, or before a setting was written? */
static bool ask_again(const struct natflow_hwnat_room *room, const struct natflow_hwnat_port *port)
{
	return port->refused && (port->epoch != READ_ONCE(room->epoch) ||
				 !time_before(jiffies, port->asked + ASK_AGAIN));
}

static struct natflow_hwnat_port *add_port(struct natflow_hwnat_room *room, int ifindex)
{
	struct net_device *dev = __dev_get_by_index(room->net, ifindex);
	struct natflow_hwnat_port *port;

	if (!dev || dev->reg_state != NETREG_REGISTERED)
		return NULL;
	port = kzalloc(sizeof(*port), GFP_KERNEL);
	if (!port)
		return NULL;
	port->dev = dev;
	port->backend = natflow_hwnat_backend;
	netdev_hold(dev, &port->tracker, GFP_KERNEL);
	port->refused = NATFLOW_HWNAT_NO_FT;
	port->asked = jiffies - ASK_AGAIN;
	list_add_tail(&port->list, &room->ports);
	return port;
}

static enum natflow_hwnat_reason bind(struct natflow_hwnat_room *room, int ifindex)
{
	struct natflow_hwnat_port *port;

	ASSERT_RTNL();
	if (!hearing)
		return NATFLOW_HWNAT_PATH;
	port = port_of(room, ifindex) ?: add_port(room, ifindex);
	if (!port)
		return NATFLOW_HWNAT_PATH;
	if (ask_again(room, port)) {
		port->epoch = READ_ONCE(room->epoch);
		port->refused = port->backend->bind(port);
		port->asked = jiffies;
	}
	return port->refused;
}

/**
 * natflow_hwnat_port_bind() - bind a device, unless it is bound
 * @room: namespace's
 * @ifindex: of the device
 *
 * Context: process, without RTNL and locks.
 * Return: NATFLOW_HWNAT_OK or why it is not served.
 */
enum natflow_hwnat_reason natflow_hwnat_port_bind(struct natflow_hwnat_room *room, int ifindex)
{
	enum natflow_hwnat_reason reason = NATFLOW_HWNAT_NO_FT;
	struct natflow_hwnat_port *port;
	bool ask;

	mutex_lock(&room->drivers);
	port = port_of(room, ifindex);
	ask = !port || ask_again(room, port);
	if (port)
		reason = port->refused;
	mutex_unlock(&room->drivers);
	if (!ask)
		return reason;
	rtnl_lock();
	mutex_lock(&room->drivers);
	reason = bind(room, ifindex);
	mutex_unlock(&room->drivers);
	rtnl_unlock();
	return reason;
}

/* Context: RTNL and drivers held. The port's flows have left. */
static void remove_port(struct natflow_hwnat_port *port)
{
	WARN_ON_ONCE(port->flows);
	if (!port->refused)
		port->backend->unbind(port);
	list_del(&port->list);
	netdev_put(port->dev, &port->tracker);
	kfree(port);
}

/*
 * Withdraw what still has entries by a port, and take again what its driver refused. mtk and
 * airoha refuse DESTROY, too, without hw-tc-offload (mtk_eth_setup_tc_block_cb()): it comes
 * back until all is deleted. Context: RTNL, which guards it, and drivers held.
 */
static void clear_port(struct natflow_hwnat_room *room, const struct natflow_hwnat_port *port)
{
	const netdev_features_t off = ~port->dev->features & NETIF_F_HW_TC;

	ASSERT_RTNL();
	port->dev->features |= off;
	natflow_hwnat_device_gone(room, port->dev->ifindex);
	spin_lock_irq(&room->lock);
	list_splice_tail_init(&room->kept, &room->removing);
	spin_unlock_irq(&room->lock);
	natflow_hwnat_drain(room);
	port->dev->features &= ~off;
}

/**
 * natflow_hwnat_ports_exit() - unbind all
 * @room: namespace's, without flows
 *
 * Context: process, may sleep, without RTNL.
 */
void natflow_hwnat_ports_exit(struct natflow_hwnat_room *room)
{
	struct natflow_hwnat_port *port, *next;

	rtnl_lock();
	mutex_lock(&room->drivers);
	list_for_each_entry_safe(port, next, &room->ports, list)
		remove_port(port);
	mutex_unlock(&room->drivers);
	rtnl_unlock();
}

/* natflow's own notifier has run before: flows by the device were withdrawn. */
static int netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct natflow_hwnat_room *room = net_generic(dev_net(dev), natflow_hwnat_id);
	struct natflow_hwnat_port *port;

	if (event != NETDEV_UNREGISTER)
		return NOTIFY_DONE;
	mutex_lock(&room->drivers);
	port = port_of(room, dev->ifindex);
	if (port) {
		clear_port(room, port);
		remove_port(port);
	}
	mutex_unlock(&room->drivers);
	return NOTIFY_DONE;
}

static struct notifier_block netdev_nb = { .notifier_call = netdev_event };

/* ethtool -K DEV hw-tc-offload off: hardware would go on. */
static int feature_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct natflow_hwnat_room *room = net_generic(dev_net(dev), natflow_hwnat_id);
	struct natflow_hwnat_port *port;

	if (event != NETDEV_FEAT_CHANGE || tc_can_offload(dev))
		return NOTIFY_DONE;
	mutex_lock(&room->drivers);
	port = natflow_hwnat_port_find(room, dev->ifindex);
	if (port && !port->limits->dry_run)
		clear_port(room, port);
	mutex_unlock(&room->drivers);
	return NOTIFY_DONE;
}

/* Before natflow's own, which may withdraw some of them. */
static struct notifier_block feature_nb = { .notifier_call = feature_event, .priority = 1 };

/**
 * natflow_hwnat_ports_init() - learn of devices that go, in all namespaces
 *
 * Return: 0 or an errno.
 */
int natflow_hwnat_ports_init(void)
{
	int err = register_netdevice_notifier(&netdev_nb);

	if (err)
		return err;
	err = register_netdevice_notifier(&feature_nb);
	if (err) {
		unregister_netdevice_notifier(&netdev_nb);
		return err;
	}
	rtnl_lock();
	hearing = true;
	rtnl_unlock();
	return 0;
}

/**
 * natflow_hwnat_ports_stop() - the reverse, while all namespaces have their rooms
 *
 * Unregistering replays NETDEV_UNREGISTER for every device, which withdraws all flows
 * and unbinds all ports.
 */
void natflow_hwnat_ports_stop(void)
{
	rtnl_lock();
	hearing = false;
	rtnl_unlock();
	unregister_netdevice_notifier(&feature_nb);
	unregister_netdevice_notifier(&netdev_nb);
}
