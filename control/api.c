// SPDX-License-Identifier: GPL-2.0-only
/* The functions that other modules call. */
#include <linux/module.h>
#include "api.h"
#include "../core/base/attach.h"
#include "../core/doubt.h"
#include "../core/flow/flow.h"
#include "../core/hooks.h"
#include "../core/learn.h"
#include "../core/listen.h"
#include "../core/base/log.h"
#include "../core/base/netns.h"

#define ADD_RULE "iptables -I FORWARD 1 -j FLOWOFFLOAD"

/**
 * natflow_rule_add() - a FLOWOFFLOAD rule was checked and will be used
 * @net: its namespace
 *
 * Context: process, may sleep; hooks follow in a worker.
 * Return: 0, or -ENOMEM: there will be no rule.
 */
int natflow_rule_add(struct net *net)
{
	struct natflow_net *nn = natflow_net(net);
	int err = natflow_flow_start(nn);

	if (err)
		return err;
	atomic_inc(&nn->rules);
	natflow_hooks_kick(nn);
	return 0;
}
EXPORT_SYMBOL_GPL(natflow_rule_add);

/**
 * natflow_rule_check() - log a rule that can have no effect
 * @net: its namespace
 * @table: its table
 * @hooks: where it can be reached from, BIT(NF_INET_*); 0: not known
 * @proto: the only protocol it matches, 0: any
 *
 * The rule is accepted: it does no harm, and other tools expect that. iptables
 * checks all rules of a table again when one changes, so a message that the log
 * still has is not repeated.
 *
 * Context: process.
 */
void natflow_rule_check(struct net *net, const char *table, unsigned int hooks, u8 proto)
{
	static const char * const chains[] = {
		"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"
	};
	struct natflow_net *nn = natflow_net(net);

	hooks &= BIT(ARRAY_SIZE(chains)) - 1;
	if (hooks && !(hooks & BIT(NF_INET_FORWARD)))
		natflow_log_once(nn, NATFLOW_LOG_WARN,
				 "a FLOWOFFLOAD rule in %s of table %*pE has no effect; "
				 "expected one in FORWARD, as in " ADD_RULE,
				 chains[__ffs(hooks)], (int)strnlen(table, 40), table);
	else if (proto && proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		natflow_log_once(nn, NATFLOW_LOG_WARN,
				 "a FLOWOFFLOAD rule for protocol %u has no effect; "
				 "expected tcp, udp or none, as in " ADD_RULE, proto);
}
EXPORT_SYMBOL_GPL(natflow_rule_check);

/**
 * natflow_rule_remove() - a FLOWOFFLOAD rule was destroyed
 * @net: its namespace
 *
 * Flows that it selected stay. The tables of a namespace may go after natflow's part
 * of it.
 *
 * Context: process, may sleep; neither natflow_net.lock nor RTNL is held.
 */
void natflow_rule_remove(struct net *net)
{
	struct natflow_net *nn = natflow_net(net);

	if (!nn)
		return;
	atomic_dec(&nn->rules);
	/* iptables replaces a whole table: its old rules go when the new ones are in force. */
	if (READ_ONCE(nn->config.revalidate))
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_RULESET);
	natflow_attach_settle(nn);
	natflow_hooks_kick(nn);
}
EXPORT_SYMBOL_GPL(natflow_rule_remove);

/**
 * natflow_flow_offload() - a packet matched a FLOWOFFLOAD rule
 * @net: namespace
 * @skb: packet in FORWARD
 * @hw: the rule says --hw; without a hardware back end the flow is accelerated in
 *	software only, and the reason is counted
 *
 * Context: RCU read side.
 */
void natflow_flow_offload(struct net *net, struct sk_buff *skb, bool hw)
{
	struct natflow_net *nn = natflow_net(net);
	enum natflow_reason reason;

	if (!nn || !READ_ONCE(nn->learning) || READ_ONCE(nn->config.select) > NATFLOW_SELECT_RULES)
		return;
	local_bh_disable();
	reason = natflow_learn_select(nn, skb, hw);
	if (reason)
		natflow_stats_reason(nn->pcpu, reason);
	else if (hw && !natflow_attach_has(nn, NATFLOW_SLOT_HW))
		natflow_stats_reason(nn->pcpu, NATFLOW_LEARN_HW_NONE);
	local_bh_enable();
}
EXPORT_SYMBOL_GPL(natflow_flow_offload);

/* Receive the messages that the attached features need. The tick retries. */
static void relisten(struct natflow_net *nn)
{
	lockdep_assert_held(&nn->lock);
	if (nn->forwarding && !natflow_listen_start(nn))
		WRITE_ONCE(nn->incomplete, true);
}

/**
 * natflow_feature_attach() - plug in a feature that is a module of its own
 * @net: namespace; the feature detaches before it goes
 * @slot: which
 * @ops: its calls; stay as they are until natflow_feature_detach() has returned
 *
 * Context: process, may sleep.
 * Return: 0, -EBUSY if the slot is taken, -ENODEV if the namespace goes.
 */
int natflow_feature_attach(struct net *net, enum natflow_slot slot,
			   const struct natflow_attach *ops)
{
	struct natflow_net *nn = natflow_net(net);
	int err;

	mutex_lock(&nn->lock);
	err = natflow_attach_add(nn, slot, ops);
	if (!err)
		relisten(nn);
	mutex_unlock(&nn->lock);
	return err;
}
EXPORT_SYMBOL_GPL(natflow_feature_attach);

/**
 * natflow_feature_detach() - empty a slot
 * @net: namespace
 * @slot: which
 *
 * No CPU is in a call of the feature when this returns, and none will be.
 *
 * Context: process, may sleep.
 */
void natflow_feature_detach(struct net *net, enum natflow_slot slot)
{
	struct natflow_net *nn = natflow_net(net);

	mutex_lock(&nn->lock);
	natflow_attach_remove(nn, slot);
	relisten(nn);
	mutex_unlock(&nn->lock);
}
EXPORT_SYMBOL_GPL(natflow_feature_detach);
