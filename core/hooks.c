// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hooks exist only while a flow exists or may be selected. A worker places and
 * withdraws them when rules change, because rules are checked under locks inside
 * which RTNL must not be taken. A write to natflow_ctl has its effect before it returns.
 */
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/rtnetlink.h>
#include "ageing.h"
#include "base/charge.h"
#include "base/ct.h"
#include "doubt.h"
#include "flow/flow.h"
#include "hooks.h"
#include "learn.h"
#include "base/log.h"
#include "topo/port.h"
#include "listen.h"

/* May flows be selected? */
static bool may_learn(const struct natflow_net *nn)
{
	const struct natflow_config *c = &nn->config;

	if (READ_ONCE(c->disabled) || READ_ONCE(nn->dead))
		return false;
	switch (READ_ONCE(c->select)) {
	case NATFLOW_SELECT_ALL:
	case NATFLOW_SELECT_MARK:
		return true;
	case NATFLOW_SELECT_AUTO:
		return READ_ONCE(c->enabled_once) || atomic_read(&nn->rules);
	default:
		return atomic_read(&nn->rules);
	}
}

/* The table of a rule is there. A setting's is made here, by the process that writes it. */
static bool has_memory(struct natflow_net *nn)
{
	if (!natflow_flow_start(nn))
		return true;
	natflow_log(nn, NATFLOW_LOG_ERROR,
		    "no memory for flow_limit=%u flows; write a lower one, then the setting again",
		    READ_ONCE(nn->config.flow_limit));
	return false;
}

/* Register one hook function for both families. */
static int hook_inet(struct natflow_net *nn, struct nf_hook_ops *ops, nf_hookfn *hook,
		     unsigned int hooknum, int priority)
{
	static const u8 family[NATFLOW_FAMILIES] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	unsigned int i;

	for (i = 0; i < NATFLOW_FAMILIES; i++) {
		ops[i].hook = hook;
		ops[i].priv = nn;
		ops[i].pf = family[i];
		ops[i].hooknum = hooknum;
		ops[i].priority = priority;
	}
	return nf_register_net_hooks(nn->net, ops, NATFLOW_FAMILIES);
}

static void unhook_stack(struct natflow_net *nn)
{
	if (!nn->hooked)
		return;
	nf_unregister_net_hooks(nn->net, nn->post_ops, NATFLOW_FAMILIES);
	nf_unregister_net_hooks(nn->net, nn->pre_ops, NATFLOW_FAMILIES);
}

/* After unhook_stack() and the end of all flows. */
static void unhook_window(struct natflow_net *nn)
{
	if (!nn->hooked)
		return;
	nf_unregister_net_hooks(nn->net, nn->window_ops, NATFLOW_FAMILIES);
	nn->hooked = false;
}

/*
 * First at PRE_ROUTING: the packet is as it arrived. There once more, right before
 * conntrack. Last at POST_ROUTING: it is as it leaves; conntrack's confirm comes after
 * natflow.
 */
static bool hook_stack(struct natflow_net *nn)
{
	if (nn->hooked)
		return true;
	if (hook_inet(nn, nn->pre_ops, nn->arrival, NF_INET_PRE_ROUTING, INT_MIN))
		return false;
	if (hook_inet(nn, nn->window_ops, natflow_learn_window, NF_INET_PRE_ROUTING,
		      NF_IP_PRI_CONNTRACK - 1))
		goto err_pre;
	if (hook_inet(nn, nn->post_ops, natflow_learn, NF_INET_POST_ROUTING, INT_MAX))
		goto err_window;
	nn->hooked = true;
	return true;

err_window:
	nf_unregister_net_hooks(nn->net, nn->window_ops, NATFLOW_FAMILIES);
err_pre:
	nf_unregister_net_hooks(nn->net, nn->pre_ops, NATFLOW_FAMILIES);
	return false;
}

/* The stack's hooks come first: a flow is looked up only if it can be learned. */
static void place(struct natflow_net *nn)
{
	const bool again = READ_ONCE(nn->incomplete);
	const char *missing = NULL;

	lockdep_assert_held(&nn->lock);
	WRITE_ONCE(nn->incomplete, false);	/* from here on core/listen.c may set it */
	if (!natflow_listen_start(nn))
		missing = "changes of routes or rules are not heard";
	if (!nn->tracked)
		nn->tracked = !natflow_ct_track(nn->net);
	if (!hook_stack(nn))
		missing = "no PRE_ROUTING or POST_ROUTING hook";
	rtnl_lock();
	natflow_port_sync(nn);
	natflow_doubt(nn, NATFLOW_DOUBT_PATHS, NATFLOW_CAUSE_SETTING, NULL);
	rtnl_unlock();
	natflow_ageing_start(nn);
	if (!nn->tracked)
		missing = "conntrack does not track";
	if (missing)
		WRITE_ONCE(nn->incomplete, true);
	if (missing && !again)
		natflow_log(nn, NATFLOW_LOG_WARN, "%s, trying again", missing);
}

static void withdraw(struct natflow_net *nn)
{
	lockdep_assert_held(&nn->lock);
	rtnl_lock();
	natflow_port_sync(nn);
	rtnl_unlock();
	unhook_stack(nn);
	if (nn->tracked)
		natflow_ct_untrack(nn->net);
	nn->tracked = false;
	natflow_listen_stop(nn);
	synchronize_net();	/* packets that still learn publish before the flush */
	natflow_flow_flush(nn, nn->dead ? NATFLOW_END_NETNS : NATFLOW_END_DISABLED, NULL, NULL);
	natflow_ageing_stop(nn);
	unhook_window(nn);
	WRITE_ONCE(nn->strict, false);
}

/**
 * natflow_hooks_update() - place or withdraw the hooks by the settings, now
 * @nn: namespace
 *
 * Context: process, may sleep, neither natflow_net.lock nor RTNL held.
 */
void natflow_hooks_update(struct natflow_net *nn)
{
	mutex_lock(&nn->lock);
	WRITE_ONCE(nn->learning, may_learn(nn) && has_memory(nn));
	if (nn->learning) {
		if (!nn->forwarding)
			natflow_log(nn, NATFLOW_LOG_INFO, "hooks placed");
		WRITE_ONCE(nn->forwarding, true);
		place(nn);
	} else if (nn->forwarding &&
		   (nn->config.disabled || nn->dead || !READ_ONCE(nn->flows.count))) {
		WRITE_ONCE(nn->forwarding, false);
		withdraw(nn);
		natflow_log(nn, NATFLOW_LOG_INFO, "hooks withdrawn");
	}
	mutex_unlock(&nn->lock);
}

/**
 * natflow_hooks_work() - the work of natflow_net.sync
 * @work: embedded work
 */
void natflow_hooks_work(struct work_struct *work)
{
	struct natflow_net *nn = container_of(work, struct natflow_net, sync);
	struct mem_cgroup *before = natflow_charge_begin(nn);

	natflow_hooks_update(nn);
	natflow_charge_end(before);
}

/**
 * natflow_hooks_exit() - withdraw the hooks for good
 * @nn: namespace
 *
 * Context: process, may sleep.
 */
void natflow_hooks_exit(struct natflow_net *nn)
{
	WRITE_ONCE(nn->dead, true);
	cancel_work_sync(&nn->sync);
	natflow_hooks_update(nn);
}
