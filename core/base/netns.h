/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * natflow's state of one network namespace, from pernet init to pernet exit.
 * natflow_net() finds it by net_generic(), which holds a pointer only: what the kernel
 * allocates there is charged to nobody.
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

struct mem_cgroup;
struct natflow_access;
struct natflow_links;
struct natflow_table;
struct natflow_userlog;
struct natflow_zones;

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
	bool enabled_once;	/* disabled=0 was written */
	bool revalidate;	/* a change of firewall rules sends every flow once to the stack */
	bool pppoe;		/* PPPoE packets are looked up at the device below PPP */
	u8 select;		/* enum natflow_select */
	u8 group_type;		/* enum natflow_group_type */
	u32 mark, mark_mask;	/* for NATFLOW_SELECT_MARK */
	u32 delay_pkts;
	u32 flow_limit, user_limit;
	u32 debug;		/* which messages the log keeps: 1 errors, 2 warnings, 4 facts */
};

/* The netlink sockets of core/listen.c. */
struct natflow_listen {
	struct socket *routes, *rulesets;	/* under natflow_net.lock */
	bool all_routes;		/* @routes receives IPv4 routes too; the same lock */
	atomic_t path_checks;		/* CPUs that check paths or stations now */
	atomic_t bridge_checks;		/* CPUs that check bridge paths now */
};

/* Devices and next hops. */
struct natflow_topo {
	/* By ifindex: written under RTNL, read under RCU; their ways under @egress_lock. */
	DECLARE_HASHTABLE(ports, 6);
	unsigned int uppers;		/* ports above others; written under RTNL */
	atomic_t way_seq;		/* last way id in use, see natflow_way_new_id() */
	struct natflow_group group;	/* written by one door's writer at a time, under RTNL */
	spinlock_t egress_lock;
	DECLARE_HASHTABLE(egresses, 8);	/* by neighbour: under @egress_lock */
	DECLARE_HASHTABLE(stations, 6);	/* the same, by destination MAC */
};

/* Flows: see core/flow/flow.h. */
struct natflow_flows {
	/* NULL until natflow_flow_start(). Replaced under natflow_net.lock, filled under @lock. */
	struct natflow_table __rcu *table;
	struct rhashtable by_ct;
	spinlock_t lock;		/* reachability of flows, and what they learned */
	struct list_head halves;	/* selected but unpublished, oldest first; @lock */
	struct list_head *half_hand;	/* next one to age; @lock */
	u32 half_count;			/* @lock */
	u32 count;			/* all flow objects; @lock */
	u32 tcp;			/* published ones of TCP; @lock */
	u32 peak;			/* @lock */
	u64 seq;			/* number of the last flow object; @lock */
	struct llist_head dead;		/* without references, to be freed by @undertaker */
	atomic_t dead_count;		/* ended and not freed yet */
	struct work_struct undertaker;
	u32 clock_hand;			/* next bucket to search for a victim; @lock */
	u32 resizes;			/* tables before @table; @lock */
	u32 slice, ticks;		/* next bucket of the ageing walk; only the tick */
	u32 due;			/* jiffies of the next whole tick; the same */
	bool urgent;			/* a feature wants some flows folded more often */
};

/* The tables of iptables-legacy, see core/rules.c. */
struct natflow_legacy {
	u32 seen;			/* jiffies of the last look */
	bool changed;			/* a table was replaced: the tick reads them */
	unsigned long sum;		/* of the tables' addresses */
	unsigned long content_at;	/* @sum when @content was read */
	u32 content;			/* sum of the tables' contents */
	bool closed;			/* set at exit; these three under rules.c's lock */
};

#define NATFLOW_RX_MAX	4	/* links with rx= */

struct natflow_net {
	struct net *net;
	struct natflow_config config;
	/* Both are set by natflow_charge_start(), before any hook, and stay. */
	struct natflow_pcpu __percpu *pcpu;
	struct mem_cgroup *payer;	/* one reference, or NULL; see charge.h */

	/* Serialises settings and the registration of hooks. RTNL is taken inside it,
	 * so a holder of RTNL must not take it.
	 */
	struct mutex lock;
	atomic_t rules;			/* FLOWOFFLOAD rules in this namespace */
	bool forwarding;		/* ports are hooked; written under @lock */
	bool learning;			/* flows may be selected */
	bool hooked;			/* @pre_ops and the like are registered; under @lock */
	bool tracked;			/* natflow asked conntrack to track; under @lock */
	bool quic;			/* clients' QUIC long headers take the stack */
	u32 strict;			/* rules were seen to classify packets, see core/learn.c */
	bool incomplete;		/* one of these failed while learning: the tick retries */
	bool dead;			/* set at exit: no hook is registered any more */

	struct natflow_listen listen;
	struct natflow_topo topo;
	struct natflow_flows flows;

	atomic_t clock_bias[NATFLOW_FAMILIES];	/* natflow's own part of the route clocks */
	atomic_t edition[NATFLOW_FAMILIES];	/* changes that no route lookup shows */
	u32 reported[NATFLOW_FAMILIES];	/* kernel's part at the last tick; only the tick */
	u64 moved[NATFLOW_FAMILIES];	/* how often it moved by then; only the tick writes */
	atomic_t bumps[NATFLOW_CAUSES];	/* of @clock_bias, by enum natflow_cause */
	struct natflow_legacy legacy;
	atomic_t missed_events;		/* changes without an event: each is a bug */

	struct delayed_work tick;	/* ageing, folding, neighbours */
	struct work_struct sync;	/* hooks follow settings and rules */

	/* Registered per namespace; filled from templates whose owners are elsewhere. */
	struct nf_hook_ops pre_ops[NATFLOW_FAMILIES], post_ops[NATFLOW_FAMILIES];
	struct nf_hook_ops window_ops[NATFLOW_FAMILIES];
	nf_hookfn *ingress;		/* natflow_path's hook, for ports */
	nf_hookfn *ingress_ppp;		/* and for those of PPP devices */
	nf_hookfn *arrival;		/* natflow_path's hook, for @pre_ops */

	struct natflow_attached attached[NATFLOW_SLOTS];	/* features, by slot */
	void *room[NATFLOW_SLOTS];		/* features' own state; each has its accessor */
	struct natflow_access *access;	/* who may use the line: natflow_access.c */
	struct natflow_userlog *userlog;	/* events of users: policy/userlog.c */
	struct natflow_links *links;	/* RTNL and the door's lock; NULL: none */
	struct work_struct links_work;	/* devices get what @links say */
	atomic64_t rx_clock[NATFLOW_RX_MAX];	/* of links with rx=, in their order */
	struct natflow_rx_dscp {
		int ifindex;	/* 0: none */
		bool wash;
	} rx_dscp[NATFLOW_RX_MAX];	/* whose packets get a DSCP, see shape/dscp.c */
	struct natflow_zones *zones;	/* NULL until the first line or question: policy/zone.c */

	struct natflow_log *log;
	struct natflow_door *door;	/* referenced by open device files */
};

extern unsigned int natflow_net_id __read_mostly;

/* NULL only when natflow's exit from @net has run. */
static inline struct natflow_net *natflow_net(const struct net *net)
{
	return *(struct natflow_net **)net_generic(net, natflow_net_id);
}

/*
 * Settings or rules changed, or the last flow ended: queue natflow_net.sync, which
 * places or withdraws hooks (core/hooks.c). Context: any.
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
