/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A port is a device with natflow's RX hook, its ingress paths and its group.
 *
 * L3 devices are ports, and so are bridge ports, whose frames the bridge delivers
 * to L3. Members of a bond are not: the bond is the lowest device with a hook.
 */
#ifndef _NATFLOW_CORE_TOPO_PORT_H
#define _NATFLOW_CORE_TOPO_PORT_H

#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include "../base/netns.h"
#include "session.h"
#include "way.h"

struct natflow_port {
	struct natflow_net *nn;
	struct natflow_way own;		/* path without bypassed devices */
	bool upper;			/* a VLAN or bridge: lower hooks run first */
	bool member;			/* a port of a bridge; written under RTNL */
	bool forwards;			/* @member, and in state forwarding */
	bool gone;			/* no path may be added; natflow_net.topo.egress_lock */
	u16 way_count;			/* natflow_net.topo.egress_lock */
	int ifindex;
	u16 session_count;		/* natflow_net.topo.egress_lock */
	struct hlist_head ways[NATFLOW_WAY_BUCKETS];
	struct hlist_head sessions[NATFLOW_SESSION_BUCKETS];	/* PPPoE's, by number */
	atomic_t above;			/* a PPP device: packets on their way through PPP */
	bool in_group;			/* written under RTNL */
	struct net_device *dev;		/* the port is removed before the device */
	struct nf_hook_ops ops;
	struct hlist_node node;		/* natflow_net.topo.ports */
	struct rcu_head rcu;
};

void natflow_port_way_del(struct natflow_port *port, struct natflow_way *way);
void natflow_port_session_del(struct natflow_port *port, struct natflow_session *s);
struct natflow_port *natflow_port_find(struct natflow_net *nn, int ifindex);
bool natflow_port_device_ok(struct net_device *dev);
int natflow_port_add(struct natflow_net *nn, struct net_device *dev);
void natflow_port_remove(struct natflow_net *nn, const struct net_device *dev);
void natflow_port_sync_one(struct natflow_net *nn, struct net_device *dev);
void natflow_port_sync(struct natflow_net *nn);
void natflow_port_forwards(struct natflow_net *nn, int ifindex, bool yes);
bool natflow_port_named(const struct natflow_group *group, const char *name);
bool natflow_port_regroup(struct natflow_net *nn, const struct natflow_group *group);
bool natflow_port_renamed(struct natflow_net *nn, struct net_device *dev);

#endif /* _NATFLOW_CORE_TOPO_PORT_H */
