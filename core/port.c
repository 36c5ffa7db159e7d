// SPDX-License-Identifier: GPL-2.0-only
/* Ports follow devices: placed and removed under RTNL, found under RCU. */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/netfilter_netdev.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include "clock.h"
#include "log.h"
#include "port.h"

/**
 * natflow_port_find() - the port of a device
 * @nn: namespace
 * @ifindex: of the device
 *
 * Context: RCU read side or RTNL.
 * Return: the port or NULL.
 */
struct natflow_port *natflow_port_find(struct natflow_net *nn, int ifindex)
{
	struct natflow_port *port;

	hash_for_each_possible_rcu(nn->ports, port, node, ifindex,
				   lockdep_rtnl_is_held())
		if (port->ifindex == ifindex)
			return port;
	return NULL;
}

/**
 * natflow_port_device_ok() - does a device deserve a hook
 * @dev: any device
 *
 * Members of a bridge, bond, team or VRF are not ports: the master is where
 * their IP packets surface.
 *
 * Context: RTNL.
 */
bool natflow_port_device_ok(struct net_device *dev)
{
	ASSERT_RTNL();
	return dev->type == ARPHRD_ETHER && !(dev->flags & IFF_LOOPBACK) &&
	       !netif_is_l3_master(dev) && !netdev_master_upper_dev_get(dev) &&
	       dev->reg_state == NETREG_REGISTERED;
}

static bool in_group(const struct natflow_net *nn, const char *name)
{
	unsigned int i;

	ASSERT_RTNL();
	for (i = 0; i < nn->groups; i++)
		if (!strcmp(nn->group[i], name))
			return true;
	return false;
}

/**
 * natflow_port_add() - hook a device
 * @nn: namespace of @dev
 * @dev: device without a port
 *
 * The hook comes after tc ingress (always) and after an admin's own ingress
 * chains (lowest priority).
 *
 * Context: RTNL, may sleep.
 * Return: 0 or an errno.
 */
int natflow_port_add(struct natflow_net *nn, struct net_device *dev)
{
	struct natflow_port *port;
	int err;

	ASSERT_RTNL();
	port = kzalloc(sizeof(*port), GFP_KERNEL);
	if (!port)
		return -ENOMEM;
	port->nn = nn;
	port->id = ++nn->port_seq;
	port->ifindex = dev->ifindex;
	port->dev = dev;
	port->in_group = in_group(nn, dev->name);
	port->ops.hook = nn->ingress;
	port->ops.priv = port;
	port->ops.dev = dev;
	port->ops.pf = NFPROTO_NETDEV;
	port->ops.hooknum = NF_NETDEV_INGRESS;
	port->ops.priority = INT_MAX;
	err = nf_register_net_hook(nn->net, &port->ops);
	if (err) {
		kfree(port);
		return err;
	}
	hash_add_rcu(nn->ports, &port->node, port->ifindex);
	return 0;
}

static void port_free_rcu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct natflow_port, rcu));
}

static void unhook(struct natflow_port *port)
{
	hash_del_rcu(&port->node);
	nf_unregister_net_hook(port->nn->net, &port->ops);
	call_rcu(&port->rcu, port_free_rcu);
}

/**
 * natflow_port_remove() - unhook a device
 * @nn: namespace
 * @dev: device, with or without a port
 *
 * Flows that came in by it keep its id, which no packet carries any more.
 *
 * Context: RTNL.
 */
void natflow_port_remove(struct natflow_net *nn, const struct net_device *dev)
{
	struct natflow_port *port;

	ASSERT_RTNL();
	port = natflow_port_find(nn, dev->ifindex);
	if (port)
		unhook(port);
}

/**
 * natflow_port_sync() - hook exactly what should be hooked
 * @nn: namespace; its @forwarding says whether anything should
 *
 * Context: RTNL, may sleep. A device that cannot be hooked stays slow.
 */
void natflow_port_sync(struct natflow_net *nn)
{
	struct net_device *dev;

	ASSERT_RTNL();
	for_each_netdev(nn->net, dev) {
		bool want = nn->forwarding && !nn->dead && natflow_port_device_ok(dev);
		bool have = natflow_port_find(nn, dev->ifindex);

		if (want && !have && natflow_port_add(nn, dev))
			natflow_log(nn, NATFLOW_LOG_WARN, "%s not hooked", dev->name);
		else if (have && !want)
			natflow_port_remove(nn, dev);
	}
}

/* Group membership decides at learn time: let every flow pass there once. */
static void regroup(struct natflow_net *nn)
{
	struct natflow_port *port;
	unsigned int i;

	ASSERT_RTNL();
	hash_for_each(nn->ports, i, port, node)
		WRITE_ONCE(port->in_group, in_group(nn, port->dev->name));
	natflow_clock_bump_all(nn);
}

/**
 * natflow_port_group_add() - put an interface name into the group
 * @nn: namespace
 * @name: name of a device that exists or may come
 *
 * Context: RTNL. Nothing happens if it was in already, or there is no room.
 */
void natflow_port_group_add(struct natflow_net *nn, const char *name)
{
	ASSERT_RTNL();
	if (in_group(nn, name) || nn->groups == NATFLOW_GROUP_MAX)
		return;
	strscpy(nn->group[nn->groups++], name, IFNAMSIZ);
	regroup(nn);
}

/**
 * natflow_port_group_clear() - empty the group
 * @nn: namespace
 *
 * Context: RTNL.
 */
void natflow_port_group_clear(struct natflow_net *nn)
{
	ASSERT_RTNL();
	nn->groups = 0;
	regroup(nn);
}

/**
 * natflow_port_renamed() - a device changed its name
 * @nn: namespace
 * @dev: device
 *
 * Context: RTNL.
 */
void natflow_port_renamed(struct natflow_net *nn, struct net_device *dev)
{
	if (natflow_port_find(nn, dev->ifindex))
		regroup(nn);
}
