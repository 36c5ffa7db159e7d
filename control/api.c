// SPDX-License-Identifier: GPL-2.0-only
/* The exported door of rules. */
#include <linux/module.h>
#include "api.h"
#include "../core/clock.h"
#include "../core/hooks.h"
#include "../core/learn.h"
#include "../core/netns.h"

/**
 * natflow_rule_add() - a FLOWOFFLOAD rule was checked and will be used
 * @net: its namespace
 *
 * Context: process; hooks follow in a worker.
 */
void natflow_rule_add(struct net *net)
{
	struct natflow_net *nn = natflow_net(net);

	atomic_inc(&nn->rules);
	natflow_hooks_kick(nn);
}
EXPORT_SYMBOL_GPL(natflow_rule_add);

/**
 * natflow_rule_remove() - a FLOWOFFLOAD rule was destroyed
 * @net: its namespace
 *
 * Flows it selected live on.
 *
 * Context: process.
 */
void natflow_rule_remove(struct net *net)
{
	struct natflow_net *nn = natflow_net(net);

	atomic_dec(&nn->rules);
	/* iptables replaces a whole table: its old rules go when the new ones are in force. */
	if (READ_ONCE(nn->config.revalidate))
		natflow_clock_bump_all(nn);
	natflow_hooks_kick(nn);
}
EXPORT_SYMBOL_GPL(natflow_rule_remove);

/**
 * natflow_flow_offload() - a packet matched a FLOWOFFLOAD rule
 * @net: namespace
 * @skb: packet in FORWARD
 * @hw: the rule says --hw; there is no hardware back end yet, so the flow is
 *	accelerated in software and the reason is counted
 *
 * Context: RCU read side.
 */
void natflow_flow_offload(struct net *net, struct sk_buff *skb, bool hw)
{
	struct natflow_net *nn = natflow_net(net);
	enum natflow_reason reason;

	if (!READ_ONCE(nn->learning) || READ_ONCE(nn->config.select) > NATFLOW_SELECT_RULES)
		return;
	local_bh_disable();
	reason = natflow_learn_select(nn, skb, hw);
	if (reason)
		natflow_stats_reason(nn->pcpu, reason);
	else if (hw)
		natflow_stats_reason(nn->pcpu, NATFLOW_LEARN_HW_NONE);
	local_bh_enable();
}
EXPORT_SYMBOL_GPL(natflow_flow_offload);
