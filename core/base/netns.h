/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything natflow keeps for one network namespace. Found by net_generic();
 * lives from pernet init to pernet exit.
 */
#ifndef _NATFLOW_CORE_BASE_NETNS_H
#define _NATFLOW_CORE_BASE_NETNS_H

#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/netfilter.h>
#include <linux/rhashtable-types.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include "slot.h"
#include "stats.h"

struct ctl_table_header;
struct natflow_table;

enum natflow_select {
	NATFLOW_SELECT_AUTO,	/* rules while there is one, else all once disabled=0 was written */
	NATFLOW_SELECT_RULES,
	NATFLOW_SELECT_ALL,
	NATFLOW_SELECT_MARK,	/* conntrack mark & mask == mark */
};

enum natflow_group_type {
	NATFLOW_GROUP_OFF,	/* groups do not matter */
	NATFLOW_GROUP_ONLY,	/* accelerate only if both ports are in the group */
	NATFLOW_GROUP_EXCEPT,	/* slow path if both ports are in the group */
};

#define NATFLOW_GROUP_MAX 32

/* Interface names; of devices that exist or may come. */
struct natflow_group {
	unsigned int count;
	char name[NATFLOW_GROUP_MAX][IFNAMSIZ];
};

/*
 * Settings are written under natflow_net.lock and read with READ_ONCE() from
 * the packet path; no two of them must be seen together.
 */
struct natflow_config {
	bool disabled;
	bool enabled_once;	/* somebody wrote disabled=0 */
	bool revalidate;	/* a change of firewall rules sends every flow once to the stack */
	u8 select;		/* enum natflow_select */
	u8 group_type;		/* enum natflow_group_type */
	u32 mark, mark_mask;	/* for NATFLOW_SELECT_MARK */
	u32 delay_pkts;
	u32 flow_limit;
	u32 debug;		/* which messages the log keeps: 1 errors, 2 warnings, 4 facts */
};

struct natflow_net {
	struct net *net;
	struct natflow_config config;
	struct natflow_pcpu __percpu *pcpu;

	/* Serialises settings and everything that registers hooks. Outermost but for RTNL,
	 * which is taken inside it: nothing that holds RTNL takes it.
	 */
	struct mutex lock;
	atomic_t rules;			/* FLOWOFFLOAD rules in this namespace */
	bool forwarding;		/* ports are hooked; written under @lock */
	bool learning;			/* new flows may be selected */
	bool hooked;			/* @pre_ops, @post_ops are registered; under @lock */
	bool tracked;			/* conntrack is asked for; under @lock */
	struct socket *routes, *rulesets;	/* heard by core/listen.c; under @lock */
	bool all_routes;		/* @routes hears of IPv4 routes too; under @lock */
	atomic_t bridge_checks;		/* senders of news that look at bridges just now */
	u32 strict;			/* rules were seen to classify packets, see core/learn.c */
	bool incomplete;		/* learning, but one of these failed: the tick retries */
	bool dead;			/* namespace or module goes: no hook is registered again */

	/* Ports, by ifindex: written under RTNL, read under RCU; their ways under @egress_lock. */
	DECLARE_HASHTABLE(ports, 6);
	atomic_t way_seq;		/* last id of a way given out, see natflow_way_new_id() */
	struct natflow_group group;	/* written by one door's writer at a time, under RTNL */

	/* Egresses, by neighbour: under @egress_lock. */
	spinlock_t egress_lock;
	DECLARE_HASHTABLE(egresses, 8);

	/* Flows: see core/flow/flow.h. */
	struct natflow_table __rcu *table;	/* replaced under @lock, filled under @flow_lock */
	struct rhashtable by_ct;
	spinlock_t flow_lock;		/* which flows can be found, and what they learned */
	struct list_head halves;	/* selected but unpublished, oldest first; @flow_lock */
	struct list_head *half_hand;	/* the one ageing looks at next; @flow_lock */
	u32 half_count;			/* @flow_lock */
	u32 flow_count;			/* all flow objects; @flow_lock */
	u32 flow_peak;			/* @flow_lock */
	u64 flow_seq;			/* number of the last flow object; @flow_lock */
	struct llist_head dead_flows;	/* without references, to be freed by @undertaker */
	atomic_t dead_count;		/* ended and not freed yet */
	struct work_struct undertaker;
	u32 clock_hand;			/* next bucket to look for a victim; @flow_lock */
	u32 slice, ticks;		/* next bucket of the ageing walk; only the tick */

	atomic_t clock_bias[NATFLOW_FAMILIES];	/* natflow's own part of the route clocks */
	u32 reported[NATFLOW_FAMILIES];	/* kernel's part at the last tick; only the tick */
	/* Legacy tables, see core/rules.c: */
	u32 rules_seen;			/* jiffies of the last look */
	bool rules_new;			/* something is elsewhere: the tick should read them */
	unsigned long rules_sum;	/* of where they are... */
	unsigned long rules_content_at;	/* ...as it was with @rules_content */
	u32 rules_content;		/* sum of what they contain */
	bool rules_closed;		/* the namespace goes; these three under rules.c's lock */
	atomic_t missed_events;		/* changes only the backstops noticed: a bug each */

	struct delayed_work tick;	/* ageing, folding, neighbours */
	struct work_struct sync;	/* hooks follow settings and rules */

	/* Registered per namespace; filled from templates whose owners are elsewhere. */
	struct nf_hook_ops pre_ops[NATFLOW_FAMILIES], post_ops[NATFLOW_FAMILIES];
	nf_hookfn *ingress;		/* natflow_path's hook, for ports */
	nf_hookfn *arrival;		/* natflow_path's hook, for @pre_ops */

	struct natflow_attached attached[NATFLOW_SLOTS];	/* features, by slot */
	void *room[NATFLOW_SLOTS];		/* features' own state; each has its accessor */

	struct natflow_log *log;
	struct natflow_door *door;	/* what open device files hold on to */
	struct ctl_table_header *store;	/* see control/store.c */
};

extern unsigned int natflow_net_id __read_mostly;

static inline struct natflow_net *natflow_net(const struct net *net)
{
	return net_generic(net, natflow_net_id);
}

/*
 * Settings or rules changed, or the last flow went: hooks follow soon, see
 * core/hooks.c. Context: any.
 */
static inline void natflow_hooks_kick(struct natflow_net *nn)
{
	if (!READ_ONCE(nn->dead))
		schedule_work(&nn->sync);
}

static __always_inline unsigned int natflow_family_index(const u8 family)
{
	return family == NFPROTO_IPV6;
}

#endif /* _NATFLOW_CORE_BASE_NETNS_H */
