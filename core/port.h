/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A port is a device packets may come in by: its RX hook, its identity in
 * keys, its group.
 *
 * Devices are hooked where their IP packets surface: a bridge, bond or VLAN
 * device itself, never its members, so everything below (their qdiscs, taps
 * and counters) works as ever.
 */
#ifndef _NATFLOW_CORE_PORT_H
#define _NATFLOW_CORE_PORT_H

#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include "netns.h"

struct natflow_port {
	struct natflow_net *nn;
	u32 id;				/* in keys; never given out twice in a namespace */
	int ifindex;
	bool in_group;			/* written under RTNL */
	struct net_device *dev;		/* the port goes before the device does */
	struct nf_hook_ops ops;
	struct hlist_node node;		/* natflow_net.ports */
	struct rcu_head rcu;
};

struct natflow_port *natflow_port_find(struct natflow_net *nn, int ifindex);
bool natflow_port_device_ok(struct net_device *dev);
int natflow_port_add(struct natflow_net *nn, struct net_device *dev);
void natflow_port_remove(struct natflow_net *nn, const struct net_device *dev);
void natflow_port_sync(struct natflow_net *nn);
void natflow_port_group_add(struct natflow_net *nn, const char *name);
void natflow_port_group_clear(struct natflow_net *nn);
void natflow_port_renamed(struct natflow_net *nn, struct net_device *dev);

#endif /* _NATFLOW_CORE_PORT_H */
