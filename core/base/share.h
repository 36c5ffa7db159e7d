/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shares: how much of a bounded resource one client may hold, and how often one
 * client may cause an event.
 *
 * A client is counted twice: by its address (IPv4 address, IPv6 /64) behind its entry,
 * and by the entry alone: the source MAC, or the ingress device where frames have none.
 * It can forge the address. Behind a router many clients share one entry.
 *
 * Counters are hashed with a secret seed. Each client has two slots and the lower one
 * counts, so that a large client shadows another with a probability of 1 to 262,144.
 */
#ifndef _NATFLOW_CORE_BASE_SHARE_H
#define _NATFLOW_CORE_BASE_SHARE_H

#include <linux/atomic.h>
#include <linux/spinlock.h>

#define NATFLOW_SHARE_SLOTS 512
#define NATFLOW_SHARE_ENTRY_WEIGHT 3	/* addresses that one entry counts as */

/* By what a client is counted. */
enum natflow_share_by {
	NATFLOW_SHARE_BY_ADDRESS,
	NATFLOW_SHARE_BY_ENTRY,
	NATFLOW_SHARE_BYS
};

/* A client: its slots, two for each way of counting. */
struct natflow_sharer {
	u16 slot[NATFLOW_SHARE_BYS][2];
};

/*
 * A pool of @limit units. Of what is free, an address may hold as much again, an entry
 * three times as much: one greedy address leaves half of the pool free, one greedy
 * entry a quarter, n greedy addresses of different entries 1/(n + 1).
 */
struct natflow_share {
	u32 limit;
	atomic_t used;
	atomic_t held[NATFLOW_SHARE_BYS][2][NATFLOW_SHARE_SLOTS];
};

/* Events a second: of one address, of one entry, of all. Each may come in a burst. */
struct natflow_rate {
	spinlock_t lock;	/* all below; BH disabled, innermost */
	u64 refused;		/* events that were not allowed */
	u64 gap[NATFLOW_SHARE_BYS], all_gap;	/* ns from one event to the next */
	u64 due[NATFLOW_SHARE_BYS][2][NATFLOW_SHARE_SLOTS], all_due;	/* ns, CLOCK_MONOTONIC */
};

void natflow_sharer_set(struct natflow_sharer *who, u8 family, const u8 *addr, const u8 *mac,
			const char *dev);

struct natflow_share *natflow_share_alloc(u32 limit);
bool natflow_share_take(struct natflow_share *share, const struct natflow_sharer *who, u32 units);
int natflow_share_held(const struct natflow_share *share, const struct natflow_sharer *who,
		       enum natflow_share_by by);
void natflow_share_give(struct natflow_share *share, const struct natflow_sharer *who, u32 units);

struct natflow_rate *natflow_rate_alloc(u32 of_address, u32 of_entry, u32 of_all);
u64 natflow_rate_refused(struct natflow_rate *rate);
bool natflow_rate_allows(struct natflow_rate *rate, const struct natflow_sharer *who);

#endif /* _NATFLOW_CORE_BASE_SHARE_H */
