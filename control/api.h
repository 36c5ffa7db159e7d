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

/* A number in natflow_ctl, of a module. Calls: process, may sleep, the door's lock held. */
struct natflow_feature_setting {
	const char *word;		/* with its "=" */
	const char *values, *help;	/* in the usage */
	const char *expected, *example;	/* in the log, if a value is refused */
	u32 min, max;
	u32 (*get)(struct natflow_net *nn);
	void (*set)(struct natflow_net *nn, u32 value);
};

int natflow_feature_settings_add(const struct natflow_feature_setting *settings,
				 unsigned int count);
void natflow_feature_settings_remove(void);
int natflow_feature_attach(struct net *net, enum natflow_slot slot,
			   const struct natflow_attach *ops);
void natflow_feature_detach(struct net *net, enum natflow_slot slot);

#endif /* _NATFLOW_CONTROL_API_H */
