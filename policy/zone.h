/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Zones: which devices lead to users (LAN), and which to the Internet (WAN).
 *
 * A line of natflow_zone_ctl names the device, or the bridge, bond or team that it is
 * a port of. A device without a line is WAN, zone 0, if it is the loopback device, a
 * default route leaves by it, or a masquerading rule was seen to; else LAN, zone 0.
 */
#ifndef _NATFLOW_POLICY_ZONE_H
#define _NATFLOW_POLICY_ZONE_H

#include <linux/types.h>

struct natflow_net;
struct natflow_zone_lines;
struct net_device;
struct nf_conn;

struct natflow_zone {
	u8 id;		/* 0 to NATFLOW_ZONE_ID_MAX */
	bool lan;
};

struct natflow_zone natflow_zone_of(const struct natflow_net *nn, const struct net_device *dev);
u32 natflow_zone_generation(const struct natflow_net *nn);
void natflow_zone_masqueraded(struct natflow_net *nn, const struct net_device *dev);

int natflow_zone_start(struct natflow_net *nn);
const struct natflow_zone_lines *natflow_zone_lines(const struct natflow_net *nn);
void natflow_zone_set_lines(struct natflow_net *nn, struct natflow_zone_lines *lines);
void natflow_zone_update(struct natflow_net *nn);
void natflow_zone_print(struct natflow_net *nn);

void natflow_zone_net_stop(struct natflow_net *nn);
void natflow_zone_net_exit(struct natflow_net *nn);
int natflow_zone_init(void);
void natflow_zone_exit(void);

#endif /* _NATFLOW_POLICY_ZONE_H */
