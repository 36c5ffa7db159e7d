// SPDX-License-Identifier: GPL-2.0-only
/* The kinds of devices that natflow sends to and receives from. */
#include <linux/if_arp.h>
#include <linux/netdevice.h>
#include <linux/string.h>
#include <net/rtnetlink.h>
#include "device.h"

/*
 * True if @dev sends every packet unchanged to one peer: PPP, raw IP modems and
 * the link kinds below. Other devices without an L2 header are tunnels, which
 * do a route lookup of their own.
 */
static bool is_point_to_point(const struct net_device *dev)
{
	static const char *const kinds[] = { "ppp", "rmnet", "tun", "wireguard" };

	if (dev->type != ARPHRD_PPP && dev->type != ARPHRD_NONE && dev->type != ARPHRD_RAWIP)
		return false;
	return !dev->rtnl_link_ops ||
	       match_string(kinds, ARRAY_SIZE(kinds), dev->rtnl_link_ops->kind) >= 0;
}

/**
 * natflow_device_ok() - can natflow send to this device itself
 * @dev: the device a route points to
 *
 * Ethernet-like devices build the whole L2 header in header_ops. Point-to-point
 * devices need none. The stack sends to tunnels.
 *
 * Context: any.
 * Return: true if flows may leave and enter by @dev.
 */
bool natflow_device_ok(const struct net_device *dev)
{
	if (dev->flags & IFF_LOOPBACK || netif_is_l3_master(dev))
		return false;
	return dev->type == ARPHRD_ETHER ? dev->header_ops && dev->header_ops->create :
					   is_point_to_point(dev);
}
