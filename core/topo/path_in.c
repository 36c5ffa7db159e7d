// SPDX-License-Identifier: GPL-2.0-only
/* Ingress paths, learned from packets that go up the stack. */
#include <linux/if_arp.h>
#include <linux/slab.h>
#include "../base/charge.h"
#include "descend.h"
#include "path_in.h"
#include "pppoe.h"

/**
 * natflow_way_note() - a packet goes up the stack from a hook
 * @port: whose hook
 * @skb: packet
 *
 * Each hook that a packet passes adds its device to this CPU's trail, from the
 * lowest device up. natflow_way_learn() reads the trail. Where no port is above another
 * (natflow_topo.uppers), there is nothing to note.
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_way_note(const struct natflow_port *port, const struct sk_buff *skb)
{
	struct natflow_trail *t = this_cpu_ptr(&port->nn->pcpu->trail);
	__be16 protocol;

	preempt_disable_nested();
	/* A packet that a redirect returned did not pass the hooks of lower devices. */
	if (port->upper && !natflow_way_unseen(skb) && t->of == skb &&
	    t->count < ARRAY_SIZE(t->ifindex)) {
		t->ifindex[t->count++] = port->ifindex;
	} else {
		t->tags = natflow_way_tags(skb, &protocol);
		/* A third tag also selects the path, and natflow_way.tags has room for two. */
		t->of = eth_type_vlan(protocol) ? NULL : skb;
		t->count = 1;
		t->ifindex[0] = port->ifindex;
	}
	preempt_enable_nested();
}

static unsigned int tags_in(u32 tags)
{
	return !!(tags & NATFLOW_TAG_PRESENT) + !!(tags >> 16);
}

/* True if @dev is a VLAN of @below, or a bridge of which @below is a forwarding port. */
static bool is_above(struct net_device *dev, struct net_device *below)
{
	const struct natflow_port *port;

	/* An ingress map sets the priority from PCP bits, which natflow_way.tags omits. */
	if (is_vlan_dev(dev))
		return vlan_dev_priv(dev)->real_dev == below &&
		       !vlan_dev_priv(dev)->nr_ingress_mappings;
	port = natflow_port_find(natflow_net(dev_net(below)), below->ifindex);
	return netif_is_bridge_master(dev) && netdev_master_upper_dev_get_rcu(below) == dev &&
	       port && READ_ONCE(port->forwards);
}

/* Add the devices of a trail to @way. Return: false if one cannot be bypassed. */
static bool follow(const struct natflow_trail *t, struct net_device *below,
		   struct natflow_way *way)
{
	unsigned int i, tags = tags_in(t->tags), inband;

	for (i = 1; i < t->count; i++) {
		struct net_device *dev = dev_get_by_index_rcu(dev_net(below), t->ifindex[i]);

		if (!dev || !is_above(dev, below))
			return false;
		/* Count the in-band tags that remain; the outer tag is offloaded. */
		if (is_vlan_dev(dev)) {
			tags -= !!tags;
			inband = tags;
		} else {
			inband = tags ? tags - 1 : 0;
			way->bridged = true;
		}
		if (!natflow_bypass_add(&way->bypass, dev, inband * VLAN_HLEN))
			return false;
		below = dev;
	}
	ether_addr_copy(way->mac, below->dev_addr);
	return true;
}

static const struct natflow_way *find_known(const struct natflow_port *bottom, u32 tags,
					    const struct natflow_port *in)
{
	const struct natflow_way *way;

	lockdep_assert_held(&bottom->nn->topo.egress_lock);
	hlist_for_each_entry(way, &bottom->ways[natflow_way_hash(tags)], node)
		if (way->tags == tags && way->l3_ifindex == in->ifindex)
			return way;
	return NULL;
}

/* Create a path and add it to its lowest port. */
static const struct natflow_way *create(struct natflow_port *bottom, const struct natflow_trail *t,
					const struct natflow_port *in)
{
	struct mem_cgroup *before = natflow_charge_begin(bottom->nn);
	struct natflow_way *way = kzalloc(sizeof(*way), NATFLOW_GFP_PACKET);

	natflow_charge_end(before);
	lockdep_assert_held(&bottom->nn->topo.egress_lock);
	if (!way)
		return NULL;
	way->tags = t->tags;
	way->l3_ifindex = in->ifindex;
	if (bottom->way_count == NATFLOW_WAYS_MAX || !follow(t, bottom->dev, way)) {
		kfree(way);
		return NULL;
	}
	way->id = natflow_way_new_id(bottom->nn);
	bottom->way_count++;
	hlist_add_head_rcu(&way->node, &bottom->ways[natflow_way_hash(way->tags)]);
	return way;
}

/**
 * natflow_way_learn() - find or create the ingress path of a packet
 * @nn: namespace
 * @skb: packet about to leave
 * @in: port of the L3 device that received it
 *
 * Context: RCU read side, BH disabled.
 * Return: a path, valid in this RCU section; @in's own if no device may be bypassed.
 */
const struct natflow_way *natflow_way_learn(struct natflow_net *nn, const struct sk_buff *skb,
					    struct natflow_port *in)
{
	const struct natflow_way *way = NULL;
	struct natflow_port *bottom;
	struct natflow_trail copy;
	const struct natflow_trail *t = &copy;

	if (in->dev->type == ARPHRD_PPP)
		natflow_pppoe_learn(nn, skb, in);
	/* Else the trail may be an older packet's, of the same address. */
	if (!in->upper)
		return &in->own;
	preempt_disable_nested();
	copy = *this_cpu_ptr(&nn->pcpu->trail);
	preempt_enable_nested();
	if (t->of != skb || t->count < 2 || t->ifindex[t->count - 1] != in->ifindex)
		return &in->own;
	spin_lock(&nn->topo.egress_lock);
	bottom = natflow_port_find(nn, t->ifindex[0]);
	if (bottom && !bottom->gone) {
		way = find_known(bottom, t->tags, in);
		if (!way)
			way = create(bottom, t, in);
	}
	spin_unlock(&nn->topo.egress_lock);
	return way ?: &in->own;
}

/*
 * True if each device of @way is still a port above the one below it, and the
 * last one still delivers to L3.
 */
static bool holds(struct natflow_port *port, const struct natflow_way *way)
{
	const struct natflow_port *upper = port;
	struct net_device *below = port->dev;
	unsigned int i;

	if (!natflow_bypass_holds(&way->bypass))
		return false;
	for (i = 0; i < way->bypass.count; i++) {
		if (!is_above(way->bypass.dev[i].dev, below))
			return false;
		below = way->bypass.dev[i].dev;
		upper = natflow_port_find(port->nn, below->ifindex);
		if (!upper)
			return false;
	}
	return !READ_ONCE(upper->member) && ether_addr_equal(way->mac, below->dev_addr);
}

static bool leads_by(const struct natflow_port *port, const struct natflow_way *way,
		     const struct net_device *dev)
{
	return port->dev == dev || natflow_bypass_has(&way->bypass, dev);
}

/* Forget paths through @dev. NULL: those that do not hold, with @bridges those through bridges. */
static void forget_some(struct natflow_net *nn, const struct net_device *dev, bool bridges)
{
	struct natflow_port *port;
	struct natflow_way *way;
	struct hlist_node *tmp;
	unsigned int i, b;

	rcu_read_lock();
	spin_lock_bh(&nn->topo.egress_lock);
	hash_for_each_rcu(nn->topo.ports, i, port, node) {
		/* Most of thousands of ports have none. */
		for (b = 0; port->way_count && b < NATFLOW_WAY_BUCKETS; b++) {
			hlist_for_each_entry_safe(way, tmp, &port->ways[b], node) {
				if (dev ? leads_by(port, way, dev) :
					  (bridges && way->bridged) || !holds(port, way))
					natflow_port_way_del(port, way);
			}
		}
		natflow_pppoe_prune(port, dev);
	}
	spin_unlock_bh(&nn->topo.egress_lock);
	rcu_read_unlock();
}

/**
 * natflow_way_forget() - forget ingress paths through a device
 * @nn: namespace
 * @dev: device that goes down, changes or disappears
 *
 * Context: any but hard interrupts. When it returns, received packets go up to
 * their L3 device.
 */
void natflow_way_forget(struct natflow_net *nn, const struct net_device *dev)
{
	forget_some(nn, dev, false);
}

/**
 * natflow_way_check() - forget ingress paths that may not be used any more
 * @nn: namespace
 * @bridges: forget every path through a bridge
 *
 * Context: any but hard interrupts. When it returns, no received packet
 * bypasses a device that it must not bypass.
 */
void natflow_way_check(struct natflow_net *nn, bool bridges)
{
	forget_some(nn, NULL, bridges);
}
