// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first lines of /proc/natflow, in words. "status" says whether packets are
 * accelerated; if not, the first condition of reasons[] that holds says why.
 * Each condition of notes[] that holds adds a line "note.KEY".
 *
 * To add one: a function that returns false, or puts a sentence into the status
 * and returns true; and a row in a table.
 */
#include <linux/inetdevice.h>
#include <linux/seq_file.h>
#include <net/addrconf.h>
#include "status.h"
#include "../core/base/ct.h"
#include "../core/flow/flow.h"
#include "../core/base/netns.h"

#define ADD_RULE "iptables -I FORWARD 1 -j FLOWOFFLOAD"

/* The state that the conditions test, read once. */
struct status {
	const struct natflow_net *nn;
	const struct natflow_stats *sum;
	int rules;
	u32 flows, limit;	/* published; that the table holds of all */
	u32 entries;		/* published and half */
	bool learning, hooked, tracked, ported;
	bool forwards4, forwards6;
	char text[256];
};

static __printf(2, 3) bool say(struct status *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vscnprintf(s->text, sizeof(s->text), format, args);
	va_end(args);
	return true;
}

/* -- why nothing is accelerated */

static bool is_disabled(struct status *s)
{
	if (!READ_ONCE(s->nn->config.disabled))
		return false;
	return say(s, "disabled=1 was written; echo disabled=0 > /dev/natflow_ctl");
}

static bool has_no_table(struct status *s)
{
	const struct natflow_config *c = &s->nn->config;

	if (rcu_access_pointer(s->nn->flows.table) || c->select == NATFLOW_SELECT_RULES ||
	    (c->select == NATFLOW_SELECT_AUTO && !c->enabled_once))
		return false;
	return say(s, "there was no memory for %u flows; echo flow_limit=4096 > /dev/natflow_ctl;"
		   " then the setting", s->limit);
}

static bool is_not_asked(struct status *s)
{
	if (s->learning)
		return false;
	return say(s, "no rule and no setting selects a flow; " ADD_RULE
		   " (and ip6tables), or echo select=all > /dev/natflow_ctl");
}

static bool is_not_tracked(struct status *s)
{
	if (s->tracked && s->hooked)
		return false;
	return say(s, "%s; natflow tries again each second, see /proc/natflow_log",
		   s->tracked ? "the hook at POST_ROUTING could not be registered" :
				"conntrack does not track in this namespace");
}

static bool does_not_forward(struct status *s)
{
	if (s->forwards4 || s->forwards6)
		return false;
	return say(s, "this namespace does not forward packets; "
		   "sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
}

static bool has_no_port(struct status *s)
{
	if (s->ported)
		return false;
	return say(s, "no device of this namespace can have the hook; "
		   "echo list_net_device > /dev/natflow_ctl; cat /proc/natflow_log");
}

static bool reaches_no_rule(struct status *s)
{
	u64 passed = s->sum->reason[NATFLOW_LEARN_UNSELECTED];

	if (!s->rules || s->sum->reached || !passed ||
	    READ_ONCE(s->nn->config.select) > NATFLOW_SELECT_RULES)
		return false;
	return say(s, "rules: %d, reached by 0 of %llu packets of established connections; "
		   "put FLOWOFFLOAD before the rule that accepts them: " ADD_RULE,
		   s->rules, passed);
}

/* Reasons that every connection meets at its beginning. */
static bool is_transient(enum natflow_reason reason)
{
	switch (reason) {
	case NATFLOW_LEARN_UNCONFIRMED:
	case NATFLOW_LEARN_UNREPLIED:
	case NATFLOW_LEARN_TCP_STATE:
	case NATFLOW_LEARN_HALF:
	case NATFLOW_LEARN_HW_NONE:
	case NATFLOW_LEARN_UNSELECTED:
		return true;
	default:
		return false;
	}
}

static bool learns_nothing(struct status *s)
{
	enum natflow_reason i, most = NATFLOW_OK;

	for (i = NATFLOW_LEARN_DEFERRED; i <= NATFLOW_REASON_MAX; i++)
		if (!strcmp(natflow_reason_group(i), "learn") && !is_transient(i) &&
		    s->sum->reason[i] > (most ? s->sum->reason[most] : 0))
			most = i;
	if (s->flows || s->sum->hits || !most)
		return false;
	return say(s, "no selected connection was learned; mostly learn.%s (%llu packets): %s",
		   natflow_reason_key(most), s->sum->reason[most], natflow_reason_text(most));
}

static bool selects_nothing(struct status *s)
{
	u64 passed = s->sum->reason[NATFLOW_LEARN_UNSELECTED];

	if (s->entries || s->sum->hits || !passed)
		return false;
	return say(s, "no rule and no setting selected %llu packets of established connections",
		   passed);
}

static bool meets_no_hook(struct status *s)
{
	if (!s->flows || s->sum->hits)
		return false;
	return say(s, "%u flows are known, and no packet of theirs has met natflow's hook; "
		   "if this stays so, tc may redirect them before it", s->flows);
}

static bool is_idle(struct status *s)
{
	if (s->sum->hits)
		return say(s, "no flow is known at present");
	return say(s, "no packet of an established TCP or UDP connection was forwarded yet");
}

static bool (* const reasons[])(struct status *s) = {
	is_disabled, has_no_table, is_not_asked, is_not_tracked, does_not_forward, has_no_port,
	reaches_no_rule, learns_nothing, selects_nothing, meets_no_hook, is_idle,
};

/* -- notes, also while packets are accelerated */

static bool is_full(struct status *s)
{
	if (s->entries < s->limit)
		return false;
	return say(s, "the table is full, %u flows; echo flow_limit=%llu > /dev/natflow_ctl",
		   s->limit, min_t(u64, 2ULL * s->limit, NATFLOW_FLOW_LIMIT_MAX));
}

static bool does_not_count(struct status *s)
{
	if (natflow_ct_counts(s->nn->net))
		return false;
	return say(s, "nf_conntrack_acct is off in this namespace, connections have no counters; "
		   "sysctl -w net.netfilter.nf_conntrack_acct=1");
}

static bool forwards_no_ip4(struct status *s)
{
	if (s->forwards4)
		return false;
	return say(s, "IPv4 is not forwarded in this namespace; sysctl -w net.ipv4.ip_forward=1");
}

static bool forwards_no_ip6(struct status *s)
{
	if (s->forwards6)
		return false;
	return say(s, "IPv6 is not forwarded in this namespace; "
		   "sysctl -w net.ipv6.conf.all.forwarding=1");
}

static const struct {
	const char *key;
	bool (*holds)(struct status *s);
} notes[] = {
	{ "table", is_full },
	{ "acct", does_not_count },
	{ "ipv4", forwards_no_ip4 },
	{ "ipv6", forwards_no_ip6 },
};

/* IPv4 forwards by device; IPv6 by namespace (net/ipv6/ip6_output.c:ip6_forward()). */
static void look_at_forwarding(struct status *s, struct net *net)
{
	/* NULL with ipv6.disable=1 (net/ipv6/af_inet6.c:inet6_init()). */
	const struct ipv6_devconf *all = net->ipv6.devconf_all;
	const struct inet6_dev *in6;
	struct in_device *in;
	struct net_device *dev;

	s->forwards6 = all && READ_ONCE(all->forwarding);
	rcu_read_lock();
	for_each_netdev_rcu(net, dev) {
		in = __in_dev_get_rcu(dev);
		in6 = __in6_dev_get(dev);
		s->forwards4 |= in && IN_DEV_FORWARD(in);
		s->forwards6 |= in6 && natflow_compat_force_forwarding(&in6->cnf);
	}
	rcu_read_unlock();
}

static void look(struct status *s, struct natflow_net *nn, const struct natflow_stats *sum)
{
	u32 half = READ_ONCE(nn->flows.half_count);

	s->nn = nn;
	s->sum = sum;
	s->rules = atomic_read(&nn->rules);
	s->entries = READ_ONCE(nn->flows.count);
	s->flows = s->entries - min(half, s->entries);
	s->limit = READ_ONCE(nn->config.flow_limit);
	/* The lock waits until a change in progress is complete. */
	mutex_lock(&nn->lock);
	s->learning = nn->learning;
	s->hooked = nn->hooked;
	s->tracked = nn->tracked;
	mutex_unlock(&nn->lock);
	s->ported = !hash_empty(nn->topo.ports);
	look_at_forwarding(s, nn->net);
}

#define BUMP_KEY(name, key, shown) [NATFLOW_CAUSE_##name] = key,

/**
 * natflow_status_bumps() - why the route clocks moved
 * @nn: namespace
 * @sum: its counters
 * @m: where to
 *
 * Context: any.
 */
void natflow_status_bumps(const struct natflow_net *nn, const struct natflow_stats *sum,
			  struct seq_file *m)
{
	static const char * const key[] = { NATFLOW_CAUSES_LIST(BUMP_KEY) };
	unsigned int i;

	seq_printf(m, "route_confirmed %llu\n", sum->confirmed);
	seq_printf(m, "bump.kernel-ipv4 %llu\n", READ_ONCE(nn->moved[0]));
	seq_printf(m, "bump.kernel-ipv6 %llu\n", READ_ONCE(nn->moved[1]));
	for (i = 0; i < NATFLOW_CAUSES; i++)
		seq_printf(m, "bump.%s %u\n", key[i], (u32)atomic_read(&nn->bumps[i]));
}

/**
 * natflow_status_show() - the first lines of /proc/natflow
 * @nn: namespace
 * @sum: its counters
 * @m: where to
 *
 * Context: process, may sleep.
 */
void natflow_status_show(struct natflow_net *nn, const struct natflow_stats *sum,
			 struct seq_file *m)
{
	struct status s = {};
	unsigned int i;

	look(&s, nn, sum);
	if (s.flows && sum->hits) {
		seq_printf(m, "status accelerating: %u flows\n", s.flows);
	} else {
		for (i = 0; !reasons[i](&s); i++)
			;
		seq_printf(m, "status not accelerating: %s\n", s.text);
	}
	for (i = 0; i < ARRAY_SIZE(notes); i++)
		if (s.learning && notes[i].holds(&s))
			seq_printf(m, "note.%s %s\n", notes[i].key, s.text);
}
