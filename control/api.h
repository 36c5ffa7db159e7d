/* SPDX-License-Identifier: GPL-2.0-only */
/* What xt_FLOWOFFLOAD.ko calls: natflow.ko itself never depends on x_tables. */
#ifndef _NATFLOW_CONTROL_API_H
#define _NATFLOW_CONTROL_API_H

#include <linux/types.h>

struct net;
struct sk_buff;

void natflow_rule_add(struct net *net);
void natflow_rule_check(struct net *net, const char *table, unsigned int hooks, u8 proto);
void natflow_rule_remove(struct net *net);
void natflow_flow_offload(struct net *net, struct sk_buff *skb, bool hw);

#endif /* _NATFLOW_CONTROL_API_H */
