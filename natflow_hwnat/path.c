// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a flow's routes to the wires that its packets leave by, and what is put around
 * them on the way: dev_fill_forward_path() from the route's device down.
 *
 * A driver's rule names what arrives, too. That is what leaves by the same port in the
 * other direction; a flow whose directions differ in it is refused.
 */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_pppox.h>
#include <linux/if_vlan.h>
#include <linux/rcupdate.h>
#include <net/dsa.h>
#include <net/geneve.h>
#include <net/gre.h>
#include <net/vxlan.h>
#include "path.h"

static bool is_tunnel(const struct net_device *dev)
{
	if (netif_is_vxlan(dev) || netif_is_geneve(dev) || netif_is_gretap(dev) ||
	    netif_is_ip6gretap(dev))
		return true;
	return dev->type != ARPHRD_ETHER;
}

/* A card, or what looks like one. Who passes frames on to other devices has those below. */
static enum natflow_hwnat_reason check_port(const struct net_device *dev, bool dsa)
{
	if (is_tunnel(dev))
		return NATFLOW_HWNAT_TUNNEL;
	if (dev->flags & IFF_LOOPBACK || !is_valid_ether_addr(dev->dev_addr))
		return NATFLOW_HWNAT_PATH;
	if (!dsa && !list_empty(&dev->adj_list.lower))
		return NATFLOW_HWNAT_PATH;
	return NATFLOW_HWNAT_OK;
}

/* Innermost first until the port is reached. */
static enum natflow_hwnat_reason push(struct natflow_hwnat_side *side, __be16 proto, u16 id)
{
	if (side->encaps == NATFLOW_HWNAT_ENCAPS)
		return NATFLOW_HWNAT_ENCAP;
	side->encap[side->encaps++] = (struct natflow_hwnat_encap){ .proto = proto, .id = id };
	return NATFLOW_HWNAT_OK;
}

static enum natflow_hwnat_reason pass_bridge(struct natflow_hwnat_side *side,
					     const struct net_device_path *path)
{
	switch (path->bridge.vlan_mode) {
	case DEV_PATH_BR_VLAN_KEEP:
		return NATFLOW_HWNAT_OK;
	case DEV_PATH_BR_VLAN_TAG:
		return push(side, path->bridge.vlan_proto, path->bridge.vlan_id);
	case DEV_PATH_BR_VLAN_UNTAG_HW:
	case DEV_PATH_BR_VLAN_UNTAG:
		if (!side->encaps)
			return NATFLOW_HWNAT_PATH;
		side->encaps--;
		return NATFLOW_HWNAT_OK;
	}
	return NATFLOW_HWNAT_PATH;
}

static enum natflow_hwnat_reason end_at(struct natflow_hwnat_side *side,
					const struct net_device *dev, int conduit)
{
	side->port = dev->ifindex;
	side->conduit = conduit;
	return check_port(dev, side->dsa_proto);
}

static enum natflow_hwnat_reason pass(struct natflow_hwnat_side *side,
				      const struct net_device_path *path)
{
	switch (path->type) {
	case DEV_PATH_VLAN:
		return push(side, path->encap.proto, path->encap.id);
	case DEV_PATH_PPPOE:
		ether_addr_copy(side->dst, path->encap.h_dest);
		return push(side, path->encap.proto, path->encap.id);
	case DEV_PATH_BRIDGE:
		return pass_bridge(side, path);
	case DEV_PATH_DSA:
		side->dsa_proto = path->dsa.proto;
		side->dsa_port = path->dsa.port;
		return end_at(side, path->dev, dev_get_iflink(path->dev));
	case DEV_PATH_MTK_WDMA:
		side->wed = true;
		return end_at(side, path->dev, path->dev->ifindex);
	case DEV_PATH_ETHERNET:
		return end_at(side, path->dev, path->dev->ifindex);
	default:
		return natflow_compat_path_is_tunnel(path) ? NATFLOW_HWNAT_TUNNEL :
							     NATFLOW_HWNAT_PATH;
	}
}

/* The first device with an address is whose frames they are: a PPP device has none. */
static enum natflow_hwnat_reason descend(struct natflow_hwnat_side *side,
					 const struct net_device_path_stack *stack)
{
	enum natflow_hwnat_reason reason;
	int i;

	for (i = 0; i < stack->num_paths && !side->port; i++) {
		const struct net_device_path *path = &stack->path[i];

		if (path->dev->type == ARPHRD_ETHER && is_zero_ether_addr(side->src))
			ether_addr_copy(side->src, path->dev->dev_addr);
		reason = pass(side, path);
		if (reason)
			return reason;
	}
	if (!side->port)
		return NATFLOW_HWNAT_PATH;
	for (i = 0; i < side->encaps / 2; i++)
		swap(side->encap[i], side->encap[side->encaps - 1 - i]);
	return is_valid_ether_addr(side->dst) && is_valid_ether_addr(side->src) ?
		NATFLOW_HWNAT_OK : NATFLOW_HWNAT_NEIGHBOUR;
}

/* Hardware knows the port's MTU only: larger packets than the route's would be sent. */
static bool is_too_small(const struct natflow_hwnat_side *side, u32 mtu,
			 const struct net_device *port)
{
	return mtu + natflow_hwnat_path_headers(side) - ETH_HLEN < READ_ONCE(port->mtu);
}

/* RCU is held: it keeps the devices of the path. */
static enum natflow_hwnat_reason find(struct net *net, const struct natflow_hw_flow *flow,
				      const struct natflow_hw_dir *dir,
				      struct natflow_hwnat_side *side)
{
	struct net_device *dev = dev_get_by_index_rcu(net, dir->out_l3), *own, *port;
	struct net_device_path_stack stack;
	enum natflow_hwnat_reason reason;

	if (!dev)
		return NATFLOW_HWNAT_PATH;
	ether_addr_copy(side->dst, dir->next_hop);
	/* The tables of a VRF are not in any hardware's key. */
	if (netif_is_l3_slave(dev) || netif_is_l3_master(dev))
		return NATFLOW_HWNAT_PATH;
	if (dev->type != ARPHRD_ETHER && dev->type != ARPHRD_PPP)
		return NATFLOW_HWNAT_TUNNEL;
	if (natflow_compat_forward_path(dev, side->dst, flow->family == NFPROTO_IPV4 ?
					htons(ETH_P_IP) : htons(ETH_P_IPV6), &stack) < 0)
		return NATFLOW_HWNAT_PATH;
	reason = descend(side, &stack);
	natflow_compat_forward_path_release(&stack);
	if (reason)
		return reason;
	own = dev_get_by_index_rcu(net, side->conduit);
	port = dev_get_by_index_rcu(net, side->port);
	if (!own || !port)
		return NATFLOW_HWNAT_PATH;
	/* A switch's conduit in another namespace: what has its number here is a stranger. */
	if (own != port && !netdev_has_upper_dev_all_rcu(own, port))
		return NATFLOW_HWNAT_PATH;
	ether_addr_copy(side->own, own->dev_addr);
	return is_too_small(side, dir->mtu, port) ? NATFLOW_HWNAT_MTU : NATFLOW_HWNAT_OK;
}

/*
 * Do packets of the other direction, @dir, arrive at what this one's leave by? Above VLANs,
 * bridges and PPPoE core knows the L3 device only: below it the way in is the way out, as
 * tags and sessions have one device, and a bridge learns its ports from what arrives.
 */
static bool is_way_back(const struct natflow_hwnat_side *side, const struct natflow_hw_dir *dir,
			int out_l3)
{
	return dir->in_l3 == out_l3 &&
	       (dir->in == out_l3 || dir->in == side->port || dir->in == side->conduit);
}

/**
 * natflow_hwnat_path_find() - the wires of a flow
 * @net: of its devices
 * @flow: what core knows of it
 * @side: where what direction d leaves by is stored, in side[d]
 *
 * Context: any that may take RCU. Nothing is held: whoever uses @side later learns from
 * core when a route, a neighbour, a bridge or a device changes.
 *
 * Return: NATFLOW_HWNAT_OK, or why hardware cannot follow: PATH, TUNNEL, ENCAP, NEIGHBOUR,
 * MTU.
 */
enum natflow_hwnat_reason natflow_hwnat_path_find(struct net *net,
						  const struct natflow_hw_flow *flow,
						  struct natflow_hwnat_side side[2])
{
	enum natflow_hwnat_reason reason = NATFLOW_HWNAT_OK;
	int d;

	memset(side, 0, 2 * sizeof(*side));
	rcu_read_lock();
	for (d = 0; d < 2 && !reason; d++)
		reason = find(net, flow, &flow->dir[d], &side[d]);
	rcu_read_unlock();
	for (d = 0; d < 2 && !reason; d++)
		if (!is_way_back(&side[d], &flow->dir[!d], flow->dir[d].out_l3))
			reason = NATFLOW_HWNAT_PATH;
	return reason;
}

/**
 * natflow_hwnat_path_headers() - bytes before IP in frames of a side
 * @side: what natflow_hwnat_path_find() stored
 *
 * Return: Ethernet's, tags' and PPPoE's. The tag of a switch is between it and the conduit.
 */
unsigned int natflow_hwnat_path_headers(const struct natflow_hwnat_side *side)
{
	unsigned int size = ETH_HLEN, i;

	for (i = 0; i < side->encaps; i++)
		size += side->encap[i].proto == htons(ETH_P_PPP_SES) ? PPPOE_SES_HLEN : VLAN_HLEN;
	return size;
}
