/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Links: the devices that have a rate, and the qdisc "natflow" on them.
 *
 * A line stays when its device goes. With tx= the qdisc is attached to the device, now or
 * when it comes; with rx= to the devices of zone LAN that are nobody's port and carry no
 * other device. One that has a qdisc that somebody chose keeps it, and the log says so.
 */
#ifndef _NATFLOW_SHAPE_LINK_H
#define _NATFLOW_SHAPE_LINK_H

#include "../lib/text/link.h"

#define NATFLOW_LINKS_MAX 16

struct natflow_net;
struct net_device;

struct natflow_links {
	unsigned int count;
	struct natflow_link link[NATFLOW_LINKS_MAX];
};

/* link.c */
const struct natflow_links *natflow_links(const struct natflow_net *nn);
bool natflow_links_have_dscp(const struct natflow_links *links);
int natflow_links_add(struct natflow_links *links, const struct natflow_link *link);
void natflow_links_set(struct natflow_net *nn, struct natflow_links *links);
const struct natflow_link *natflow_link_of(const struct natflow_net *nn,
					   const struct net_device *dev);
int natflow_link_net_init(struct natflow_net *nn);
void natflow_link_net_stop(struct natflow_net *nn);
int natflow_link_init(void);
void natflow_link_exit(void);

/* qdisc.c */
bool natflow_qdisc_is_on(const struct net_device *dev);
int natflow_qdisc_attach(struct net_device *dev);
void natflow_qdisc_detach(struct net_device *dev, bool others);
int natflow_qdisc_configure(struct net_device *dev);

#endif /* _NATFLOW_SHAPE_LINK_H */
