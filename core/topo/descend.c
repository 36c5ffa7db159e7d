// SPDX-License-Identifier: GPL-2.0-only
/* Which devices may be bypassed, and the forward path through them on egress. */
#include <linux/etherdevice.h>
#include <linux/if_bridge.h>
#include <net/sch_generic.h>
#include "descend.h"
#include "port.h"

static bool has_taps(const struct net_device *dev)
{
	return !list_empty(&dev->ptype_all);
}

static bool has_qdisc(const struct net_device *dev)
{
	unsigned int i;

	for (i = 0; i < dev->real_num_tx_queues; i++) {
		const struct netdev_queue *txq = netdev_get_tx_queue(dev, i);

		if (READ_ONCE(rcu_dereference(txq->qdisc)->enqueue))
			return true;
	}
	return false;
}

/* True if another module or the user has a hook. At ingress natflow may have one. */
static bool has_hooks(const struct net_device *dev)
{
	const struct nf_hook_entries *in = rcu_dereference(dev->nf_hooks_ingress);
	bool ours = natflow_port_find(natflow_net(dev_net(dev)), dev->ifindex);

	if (in && in->num_hook_entries > ours)
		return true;
#ifdef CONFIG_NETFILTER_EGRESS
	if (rcu_access_pointer(dev->nf_hooks_egress))
		return true;
#endif
	return natflow_compat_has_tc(dev) || rcu_access_pointer(dev->xdp_prog);
}

/* True if a netfilter chain of the bridge family sees bridged packets. */
static bool bridge_has_hooks(const struct net *net)
{
#ifdef CONFIG_NETFILTER_FAMILY_BRIDGE
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(net->nf.hooks_bridge); i++)
		if (rcu_access_pointer(net->nf.hooks_bridge[i]))
			return true;
#endif
	return false;
}

/*
 * True if the user disabled an offload of @dev (ethtool -K, ip link set
 * gso_max_size or gso_max_segs). The stack then completes checksums and segments
 * GSO packets before @dev (net/core/dev.c:validate_xmit_skb()). Limits that @dev
 * inherits from a lower device do not count: the lower device has them too.
 */
static bool is_limited(const struct net_device *dev)
{
	const netdev_features_t tx = NETIF_F_CSUM_MASK | NETIF_F_SG | NETIF_F_FRAGLIST |
				     NETIF_F_HIGHDMA | NETIF_F_GSO | NETIF_F_GSO_MASK;

	return dev->hw_features & ~dev->wanted_features & tx ||
	       READ_ONCE(dev->gso_max_size) < min(dev->tso_max_size, GSO_LEGACY_MAX_SIZE) ||
	       READ_ONCE(dev->gso_max_segs) < min_t(u16, dev->tso_max_segs, GSO_MAX_SEGS);
}

/**
 * natflow_receives_plainly() - does nobody look at the packets that a device receives
 * @dev: device
 *
 * Context: RCU read side.
 */
bool natflow_receives_plainly(const struct net_device *dev)
{
	return netif_running(dev) && !has_hooks(dev) && !has_taps(dev);
}

static bool is_plain(const struct net_device *dev)
{
	/* Without REORDER_HDR the VLAN device delivers frames that still have the tag. */
	if (is_vlan_dev(dev) && !(vlan_dev_priv(dev)->flags & VLAN_FLAG_REORDER_HDR))
		return false;
	return natflow_receives_plainly(dev) && !has_qdisc(dev) && !is_limited(dev) &&
	       !(netif_is_bridge_master(dev) && bridge_has_hooks(dev_net(dev)));
}

/**
 * natflow_bypass_holds() - may these devices still be bypassed
 * @bypass: bypassed devices
 *
 * Context: RCU read side.
 */
bool natflow_bypass_holds(const struct natflow_bypass *bypass)
{
	unsigned int i;

	for (i = 0; i < bypass->count; i++)
		if (!is_plain(bypass->dev[i].dev))
			return false;
	return true;
}

/**
 * natflow_bypass_add() - append a device
 * @bypass: bypassed devices
 * @dev: VLAN or bridge device
 * @extra: bytes per packet that @dev counts beyond L3
 *
 * Context: RCU read side.
 * Return: false if packets must go through @dev.
 */
bool natflow_bypass_add(struct natflow_bypass *bypass, struct net_device *dev, unsigned int extra)
{
	struct natflow_bypassed *b = &bypass->dev[bypass->count];

	if (bypass->count == NATFLOW_BYPASS_MAX || !is_plain(dev))
		return false;
	b->dev = dev;
	b->extra = extra;
	b->vlan = is_vlan_dev(dev);
	b->stats = b->vlan ? (void __percpu *)vlan_dev_priv(dev)->vlan_pcpu_stats :
			     (void __percpu *)dev->tstats;
	bypass->count++;
	return b->stats;
}

static bool push_tag(struct natflow_down *down, __be16 proto, u16 tci)
{
	if (down->tags == ARRAY_SIZE(down->tag))
		return false;
	down->tag[down->tags++] = (struct natflow_tag){ .proto = proto, .tci = tci };
	return true;
}

/* Below a VLAN device, which counts in-band tags, but not its own offloaded one. */
static struct net_device *below_vlan(struct natflow_down *down, struct net_device *dev,
				     u32 priority)
{
	const struct vlan_dev_priv *vlan = vlan_dev_priv(dev);

	if (!natflow_bypass_add(&down->bypass, dev, ETH_HLEN + down->tags * VLAN_HLEN))
		return NULL;
	if (!push_tag(down, vlan->vlan_proto,
		      vlan->vlan_id | vlan_dev_get_egress_qos_mask(dev, priority)))
		return NULL;
	return vlan->real_dev;
}

/*
 * Below a bridge: the forwarding port that its FDB has for station @ha. NULL if
 * the bridge filters VLANs, because it does not export a port's state per VLAN.
 */
static struct net_device *below_bridge(struct natflow_net *nn, struct natflow_down *down,
				       struct net_device *dev, const u8 *ha)
{
	struct net_device_path_ctx ctx = { .dev = dev };
	struct net_device_path path = {};
	unsigned int inband = down->tags ? (down->tags - 1) * VLAN_HLEN : 0;
	const struct natflow_port *port;

	if (!dev->netdev_ops->ndo_fill_forward_path ||
	    !natflow_bypass_add(&down->bypass, dev, ETH_HLEN + inband))
		return NULL;
	ether_addr_copy(ctx.daddr, ha);
	if (dev->netdev_ops->ndo_fill_forward_path(&ctx, &path) < 0 || path.bridge.vlan_id)
		return NULL;
	port = natflow_port_find(nn, ctx.dev->ifindex);
	return port && READ_ONCE(port->forwards) && netif_carrier_ok(ctx.dev) ?
	       (struct net_device *)ctx.dev : NULL;
}

static bool writes_tag(const struct net_device *dev, const struct natflow_tag *tag)
{
	return dev->features & (tag->proto == htons(ETH_P_8021Q) ? NETIF_F_HW_VLAN_CTAG_TX :
								   NETIF_F_HW_VLAN_STAG_TX);
}

/**
 * natflow_descend() - resolve the lowest device that packets can be sent to
 * @nn: namespace
 * @neigh: next hop, on the device of the route
 * @priority: of the packets, for egress maps of VLAN devices
 * @down: result; the device of the route itself if none can be bypassed
 *
 * Context: RCU read side.
 */
void natflow_descend(struct natflow_net *nn, struct neighbour *neigh, u32 priority,
		     struct natflow_down *down)
{
	char ha[ALIGN(MAX_ADDR_LEN, sizeof(unsigned long))];
	struct net_device *dev = neigh->dev;
	struct natflow_down next;

	/* Most next hops. */
	if (!is_vlan_dev(dev) && !netif_is_bridge_master(dev)) {
		memset(down, 0, sizeof(*down));
		down->dev = dev;
		return;
	}
	neigh_ha_snapshot(ha, neigh, dev);
	memset(&next, 0, sizeof(next));		/* callers compare results with memcmp() */
	/* This namespace gets no events of devices in another one. */
	while (dev && net_eq(dev_net(dev), nn->net)) {
		next.dev = dev;
		memcpy(down, &next, sizeof(next));
		if (!netif_running(dev))
			break;
		if (is_vlan_dev(dev))
			dev = below_vlan(&next, dev, priority);
		else if (netif_is_bridge_master(dev))
			dev = below_bridge(nn, &next, dev, ha);
		else
			break;
	}
	down->inband = down->tags && writes_tag(down->dev, &down->tag[down->tags - 1]) ?
		       down->tags - 1 : down->tags;
}
