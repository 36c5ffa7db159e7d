/* SPDX-License-Identifier: GPL-2.0-only */
/* What other modules call: xt_FLOWOFFLOAD.ko, and features that are modules of their own. */
#ifndef _NATFLOW_CONTROL_API_H
#define _NATFLOW_CONTROL_API_H

#include <linux/types.h>
#include "../core/base/slot.h"

struct net;
struct sk_buff;

int natflow_rule_add(struct net *net);
void natflow_rule_check(struct net *net, const char *table, unsigned int hooks, u8 proto);
void natflow_rule_remove(struct net *net);
void natflow_flow_offload(struct net *net, struct sk_buff *skb, bool hw);

int natflow_feature_attach(struct net *net, enum natflow_slot slot,
			   const struct natflow_attach *ops);
void natflow_feature_detach(struct net *net, enum natflow_slot slot);

#endif /* _NATFLOW_CONTROL_API_H */
