/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine's side of the slots: it asks and tells the attached features, in
 * the order of their slots. Context and locks of each call: see slot.h.
 */
#ifndef _NATFLOW_CORE_BASE_ATTACH_H
#define _NATFLOW_CORE_BASE_ATTACH_H

#include "netns.h"

/* @number: natflow_flow.number */
enum natflow_reason natflow_attach_check(struct natflow_net *nn, const struct nf_conn *ct,
					 struct natflow_watch *watch);
enum natflow_reason natflow_attach_recheck(struct natflow_net *nn, struct natflow_flow *flow);
bool natflow_attach_urgent(struct natflow_net *nn, struct natflow_flow *flow);
void natflow_attach_bind(struct natflow_net *nn, struct natflow_flow *flow, u64 number);
void natflow_attach_fold(struct natflow_net *nn, struct natflow_flow *flow, u64 number,
			 unsigned int dir, const struct natflow_folded *f);
void natflow_attach_dropped(struct natflow_net *nn, struct natflow_flow *flow, unsigned int dir,
			    u64 packets, u64 bytes);
void natflow_attach_end(struct natflow_net *nn, struct natflow_flow *flow, u64 number,
			enum natflow_reason reason);
void natflow_attach_gone(struct natflow_net *nn, struct natflow_flow *flow, u64 number);
void natflow_attach_egress_changed(struct natflow_net *nn, struct natflow_egress *eg);
void natflow_attach_doubt(struct natflow_net *nn, unsigned int what,
			  const struct net_device *dev);
void natflow_attach_settle(struct natflow_net *nn);
bool natflow_attach_has(const struct natflow_net *nn, enum natflow_slot slot);
bool natflow_attach_listens(const struct natflow_net *nn);

int natflow_attach_add(struct natflow_net *nn, enum natflow_slot slot,
		       const struct natflow_attach *ops);
void natflow_attach_remove(struct natflow_net *nn, enum natflow_slot slot);

#endif /* _NATFLOW_CORE_BASE_ATTACH_H */
