/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buckets of devices whose policy has a rate=. One is made when a flow or packet needs it.
 * It goes when no flow has it and its queues are empty: then it is as good as a new one.
 */
#ifndef _NATFLOW_POLICY_PACED_H
#define _NATFLOW_POLICY_PACED_H

#include <linux/rhashtable-types.h>
#include "../core/limit.h"
#include "macs.h"

#define NATFLOW_PACED_MAX	65536	/* buckets; further devices of a policy share one */

/* Compared as memory: no padding. */
struct natflow_paced_key {
	struct natflow_mac_key device;	/* in all zones: 0; without a record: zero */
	u64 policy;			/* index */
	u64 rx, tx;			/* bytes a second; 0: no limit */
};

struct natflow_paced {
	struct rhash_head node;
	struct natflow_paced_key key;
	struct natflow_meters *meters;	/* one reference */
	struct rcu_head rcu;
};

struct natflow_paceds {
	struct rhashtable by_key;
	spinlock_t lock;		/* BH; which buckets are there */
};

int natflow_paceds_init(struct natflow_paceds *p);
void natflow_paceds_exit(struct natflow_paceds *p);
bool natflow_paceds_none(const struct natflow_paceds *p);
struct natflow_meters *natflow_paceds_get(struct natflow_paceds *p,
					  const struct natflow_paced_key *key);
void natflow_paceds_sweep(struct natflow_paceds *p);

#endif /* _NATFLOW_POLICY_PACED_H */
