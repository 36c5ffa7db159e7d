/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Known devices: what somebody said of a MAC, in whichever zone it is. Such a device is
 * there before its first packet, and never gives way.
 */
#ifndef _NATFLOW_POLICY_KNOWN_H
#define _NATFLOW_POLICY_KNOWN_H

#include <linux/if_ether.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include "../core/base/netns.h"
#include "../lib/text/known.h"
#include "../lib/text/usage.h"

#define NATFLOW_KNOWN_BUCKETS	1024

/* Immutable, so that readers under RCU see one name or the other. */
struct natflow_known_name {
	struct rcu_head rcu;
	char text[NATFLOW_KNOWN_NAME_MAX];
};

/* "lock" is natflow_users.lock. @mac never changes. */
struct natflow_known {
	struct hlist_node node;		/* in a bucket; lock */
	struct list_head list;		/* in natflow_knowns.all, oldest first; lock */
	u8 mac[ETH_ALEN];
	bool counts;			/* @usage is valid; lock */
	bool kept;			/* @usage was restored; lock */
	u32 asked;			/* day of the last question about a quota; lock */
	struct natflow_known_name __rcu *name;	/* NULL: none; lock */
	u64 grant;			/* end, ns since boot; 0: none; written under the lock */
	struct natflow_knowns *of;
	atomic64_t wan;			/* bytes to and from the WAN */
	/* Of @wan: a quota is used up, U64_MAX: none; likely to be soon; before a second. */
	u64 stop, near, before;		/* written under the lock */
	struct natflow_usage usage;	/* lock */
	struct rcu_head rcu;
};

struct natflow_knowns {
	struct natflow_net *nn;
	struct work_struct *stopped;	/* of who ends flows; before any .stop */
	u32 minute;			/* local time, at the last tick; lock */
	bool timed;			/* a quota of minutes was asked about; lock */
	struct hlist_head bucket[NATFLOW_KNOWN_BUCKETS];	/* lock */
	struct list_head all;		/* lock */
	u32 count, seed;		/* @count: lock */
};

void natflow_knowns_init(struct natflow_knowns *k, struct natflow_net *nn);
void natflow_knowns_exit(struct natflow_knowns *k);
struct natflow_known *natflow_knowns_find(const struct natflow_knowns *k, const u8 *mac);
void natflow_knowns_add(struct natflow_knowns *k, struct natflow_known *known);
void natflow_knowns_remove(struct natflow_knowns *k, struct natflow_known *known);
void natflow_known_set_name(struct natflow_known *known, struct natflow_known_name *name);
const char *natflow_known_name(const struct natflow_known *known);
bool natflow_known_needed(const struct natflow_known *known);
void natflow_known_alarm(struct natflow_known *known, u64 wan);

static inline void natflow_known_count(struct natflow_known *known, u64 bytes)
{
	const u64 wan = atomic64_add_return(bytes, &known->wan);

	if (unlikely(wan >= READ_ONCE(known->near)))
		natflow_known_alarm(known, wan);
}

#endif /* _NATFLOW_POLICY_KNOWN_H */
