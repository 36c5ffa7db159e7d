/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The forward path on egress, from the device of the route down to the lowest
 * device that natflow may send to. A VLAN or bridge device is bypassed unless
 * it has a qdisc, a tc or netfilter hook, an XDP program or a tap, or the user
 * disabled one of its offloads.
 */
#ifndef _NATFLOW_CORE_TOPO_DESCEND_H
#define _NATFLOW_CORE_TOPO_DESCEND_H

#include <net/neighbour.h>
#include "../base/netns.h"
#include "bypass.h"

/* The forward path below the device of a route. */
struct natflow_down {
	struct net_device *dev;		/* lowest device, which packets are sent to */
	struct natflow_bypass bypass;
	u8 tags;			/* of bypassed VLAN devices, innermost first */
	u8 inband;			/* tags in the frame; @dev inserts an offloaded outer one */
	struct natflow_tag tag[NET_DEVICE_PATH_VLAN_MAX];
};

bool natflow_receives_plainly(const struct net_device *dev);
bool natflow_bypass_holds(const struct natflow_bypass *bypass);
bool natflow_bypass_add(struct natflow_bypass *bypass, struct net_device *dev, unsigned int extra);
void natflow_descend(struct natflow_net *nn, struct neighbour *neigh, u32 priority,
		     struct natflow_down *down);

#endif /* _NATFLOW_CORE_TOPO_DESCEND_H */
