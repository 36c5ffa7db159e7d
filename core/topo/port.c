// SPDX-License-Identifier: GPL-2.0-only
/* Ports: devices with an RX hook. RTNL guards changes, RCU guards lookups. */
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/netfilter_netdev.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include "../base/log.h"
#include "device.h"
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

	hash_for_each_possible_rcu(nn->topo.ports, port, node, ifindex,
				   lockdep_rtnl_is_held())
		if (port->ifindex == ifindex)
			return port;
	return NULL;
}

/**
 * natflow_port_device_ok() - may a device be a port
 * @dev: any device
 *
 * Members of a bond or team are not ports, because the master delivers their IP
 * packets. Members of a bridge are ports, for paths through the bridge. Members
 * of a VRF are ports: a VRF only selects the routing table.
 *
 * Context: RTNL.
 */
bool natflow_port_device_ok(struct net_device *dev)
{
	struct net_device *master;

	ASSERT_RTNL();
	if (!natflow_device_ok(dev) || dev->reg_state != NETREG_REGISTERED)
		return false;
	master = netdev_master_upper_dev_get(dev);
	return !master || netif_is_l3_master(master) || netif_is_bridge_master(master);
}

static void free_way_rcu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct natflow_way, rcu));
}

/**
 * natflow_port_way_del() - remove an ingress path
 * @port: lowest device of the path
 * @way: path, freed one RCU grace period later
 *
 * Context: natflow_net.topo.egress_lock held.
 */
void natflow_port_way_del(struct natflow_port *port, struct natflow_way *way)
{
	lockdep_assert_held(&port->nn->topo.egress_lock);
	port->way_count--;
	hlist_del_rcu(&way->node);
	call_rcu(&way->rcu, free_way_rcu);
}

/**
 * natflow_port_session_del() - remove a PPPoE session
 * @port: the port below PPP
 * @s: session, freed one RCU grace period later
 *
 * Context: natflow_net.topo.egress_lock held.
 */
void natflow_port_session_del(struct natflow_port *port, struct natflow_session *s)
{
	lockdep_assert_held(&port->nn->topo.egress_lock);
	WRITE_ONCE(port->session_count, port->session_count - 1);
	hlist_del_rcu(&s->node);
	kfree_rcu(s, rcu);
}

/* Remove all ingress paths whose lowest device is @port's; @gone: no new one is added. */
static void empty(struct natflow_port *port, bool gone)
{
	struct natflow_session *s;
	struct hlist_node *tmp;
	struct natflow_way *way;
	unsigned int b;

	spin_lock_bh(&port->nn->topo.egress_lock);
	port->gone = gone;
	for (b = 0; b < NATFLOW_WAY_BUCKETS; b++)
		hlist_for_each_entry_safe(way, tmp, &port->ways[b], node)
			natflow_port_way_del(port, way);
	for (b = 0; b < NATFLOW_SESSION_BUCKETS; b++)
		hlist_for_each_entry_safe(s, tmp, &port->sessions[b], node)
			natflow_port_session_del(port, s);
	spin_unlock_bh(&port->nn->topo.egress_lock);
}

/* symbol_get(): natflow loads without the bridge module. */
static bool is_forwarding(const struct net_device *dev)
{
	bool yes = false;

#if IS_ENABLED(CONFIG_BRIDGE)
	typeof(br_port_get_stp_state) *state = symbol_get(br_port_get_stp_state);

	ASSERT_RTNL();
	if (state) {
		yes = state(dev) == BR_STATE_FORWARDING;
		symbol_put(br_port_get_stp_state);
	}
#endif
	return yes;
}

/*
 * Read the bridge membership and state of a port. The bridge changes the state
 * without RTNL and reports it to natflow_port_forwards() afterwards. The loop
 * keeps an older state from overwriting the reported one.
 */
static void update(struct natflow_port *port)
{
	bool member = netif_is_bridge_port(port->dev), forwards;

	ASSERT_RTNL();
	if (port->member != member)
		empty(port, false);
	WRITE_ONCE(port->member, member);
	do {
		forwards = member && is_forwarding(port->dev);
		WRITE_ONCE(port->forwards, forwards);
		smp_mb();	/* store @forwards before is_forwarding() reads again */
	} while (forwards != (member && is_forwarding(port->dev)));
}

/**
 * natflow_port_named() - is a name in a group
 * @group: group
 * @name: of a device
 *
 * Context: any; RTNL for natflow_net.topo.group.
 */
bool natflow_port_named(const struct natflow_group *group, const char *name)
{
	unsigned int i;

	for (i = 0; i < group->count; i++)
		if (!strcmp(group->name[i], name))
			return true;
	return false;
}

/*
 * A port above others comes, before its hook: from now on those below note what they hand
 * up, and no packet is on its way any more of which they did not.
 */
static void note_upper(struct natflow_net *nn)
{
	WRITE_ONCE(nn->topo.uppers, nn->topo.uppers + 1);
	if (nn->topo.uppers == 1)
		synchronize_net();
}

/**
 * natflow_port_add() - hook a device
 * @nn: namespace of @dev
 * @dev: device without a port
 *
 * The hook runs after tc ingress, and with the lowest priority after the user's
 * own ingress chains.
 *
 * Context: RTNL, may sleep.
 * Return: 0 or an errno.
 */
int natflow_port_add(struct natflow_net *nn, struct net_device *dev)
{
	struct natflow_port *port;
	int err;

	ASSERT_RTNL();
	port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);
	if (!port)
		return -ENOMEM;
	port->nn = nn;
	port->own.id = natflow_way_new_id(nn);
	port->own.l3_ifindex = dev->ifindex;
	port->ifindex = dev->ifindex;
	port->dev = dev;
	port->upper = is_vlan_dev(dev) || netif_is_bridge_master(dev);
	update(port);
	port->in_group = natflow_port_named(&nn->topo.group, dev->name);
	port->ops.hook = dev->type == ARPHRD_PPP ? nn->ingress_ppp : nn->ingress;
	port->ops.priv = port;
	port->ops.dev = dev;
	port->ops.pf = NFPROTO_NETDEV;
	port->ops.hooknum = NF_NETDEV_INGRESS;
	port->ops.priority = INT_MAX;
	if (port->upper)
		note_upper(nn);
	err = nf_register_net_hook(nn->net, &port->ops);
	if (err) {
		WRITE_ONCE(nn->topo.uppers, nn->topo.uppers - port->upper);
		kfree(port);
		return err;
	}
	hash_add_rcu(nn->topo.ports, &port->node, port->ifindex);
	return 0;
}

static void port_free_rcu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct natflow_port, rcu));
}

static void unhook(struct natflow_port *port)
{
	empty(port, true);
	hash_del_rcu(&port->node);
	nf_unregister_net_hook(port->nn->net, &port->ops);
	WRITE_ONCE(port->nn->topo.uppers, port->nn->topo.uppers - port->upper);
	call_rcu(&port->rcu, port_free_rcu);
}

/**
 * natflow_port_remove() - unhook a device
 * @nn: namespace
 * @dev: device, with or without a port
 *
 * Flows that came in by it keep its id, which no packet carries any more. The
 * caller forgets paths of other ports through @dev, see natflow_way_forget().
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
 * natflow_port_sync_one() - register or unregister the RX hook of one device
 * @nn: namespace of @dev
 * @dev: device that is new, came up, or joined or left another
 *
 * As natflow_port_sync(). With thousands of devices, an event of one of them must not
 * cost a look at all.
 *
 * Context: RTNL, may sleep.
 */
void natflow_port_sync_one(struct natflow_net *nn, struct net_device *dev)
{
	bool want = nn->forwarding && !nn->dead && natflow_port_device_ok(dev);
	struct natflow_port *have = natflow_port_find(nn, dev->ifindex);

	if (want && !have && natflow_port_add(nn, dev))
		natflow_log(nn, NATFLOW_LOG_WARN, "%s not hooked", dev->name);
	else if (have && !want)
		unhook(have);
	else if (have)
		update(have);
}

/**
 * natflow_port_sync() - register and unregister RX hooks to fit the devices
 * @nn: namespace; no device is hooked unless @forwarding is set
 *
 * The caller checks paths afterwards, see natflow_way_check(): they may lead
 * through a device that is no port any more or that joined a bridge. Packets of
 * a device whose hook cannot be registered take the stack.
 *
 * Context: RTNL, may sleep.
 */
void natflow_port_sync(struct natflow_net *nn)
{
	struct net_device *dev;

	ASSERT_RTNL();
	for_each_netdev(nn->net, dev)
		natflow_port_sync_one(nn, dev);
}

/**
 * natflow_port_forwards() - a bridge reported the state of a port
 * @nn: namespace
 * @ifindex: of the port
 * @yes: its state is forwarding
 *
 * Context: any.
 */
void natflow_port_forwards(struct natflow_net *nn, int ifindex, bool yes)
{
	struct natflow_port *port;

	rcu_read_lock();
	port = natflow_port_find(nn, ifindex);
	if (port)
		WRITE_ONCE(port->forwards, yes);
	rcu_read_unlock();
}

static void regroup(struct natflow_net *nn)
{
	struct natflow_port *port;
	unsigned int i;

	ASSERT_RTNL();
	hash_for_each(nn->topo.ports, i, port, node)
		WRITE_ONCE(port->in_group, natflow_port_named(&nn->topo.group, port->dev->name));
}

/**
 * natflow_port_regroup() - replace the group of interfaces
 * @nn: namespace
 * @group: copied
 *
 * Context: RTNL.
 * Return: true if the group changed: every flow must be learned again.
 */
bool natflow_port_regroup(struct natflow_net *nn, const struct natflow_group *group)
{
	ASSERT_RTNL();
	if (!memcmp(&nn->topo.group, group, sizeof(*group)))
		return false;
	nn->topo.group = *group;
	regroup(nn);
	return true;
}

/**
 * natflow_port_renamed() - a device changed its name
 * @nn: namespace
 * @dev: device
 *
 * Context: RTNL.
 * Return: true if @dev is a port: every flow must be learned again.
 */
bool natflow_port_renamed(struct natflow_net *nn, struct net_device *dev)
{
	if (!natflow_port_find(nn, dev->ifindex))
		return false;
	regroup(nn);
	return true;
}
