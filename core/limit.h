/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rates: buckets, and which of them the packets of a flow are charged to. A packet is
 * charged to all of its buckets or to none. lib/bucket.h has the arithmetic.
 */
#ifndef _NATFLOW_CORE_LIMIT_H
#define _NATFLOW_CORE_LIMIT_H

#include <linux/atomic.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include "../lib/bucket.h"
#include "base/netns.h"

enum natflow_limit_dir {
	NATFLOW_LIMIT_RX,		/* what the user receives */
	NATFLOW_LIMIT_TX,
	NATFLOW_LIMIT_DIRS
};

#define NATFLOW_LIMITS_MAX	6	/* buckets of a direction */

/* Replaced as a whole when it changes. */
struct natflow_law {
	struct natflow_pace rate;
	struct rcu_head rcu;
};

struct natflow_meter {
	atomic64_t next;		/* ns of the monotonic clock: the virtual queue ends then */
	struct natflow_law __rcu *law;	/* NULL: no limit, and always so */
	struct natflow_ladder ladder;	/* @lock */
	bool attentive;			/* @ladder must see the next packet */
	spinlock_t lock;
};

/* The buckets of one rule or user. */
struct natflow_meters {
	struct natflow_meter dir[NATFLOW_LIMIT_DIRS];
	refcount_t ref;
	struct rcu_head rcu;
};

/* What the packets of a flow are charged to, by direction. Constant. */
struct natflow_limit {
	u8 count[2];
	bool plain[2];			/* one bucket, and nothing else */
	struct natflow_meter *meter[2][NATFLOW_LIMITS_MAX];
	u8 dscp, prio;			/* 1 + what its packets get; 0: they keep theirs */
	u8 owners;
	struct natflow_meters *owner[NATFLOW_LIMITS_MAX];	/* one reference each */
};

/* What happens to a packet. */
enum natflow_limit_verdict {
	NATFLOW_LIMIT_PASS,
	NATFLOW_LIMIT_MARKED,		/* it passes, and says congestion */
	NATFLOW_LIMIT_EARLY,		/* dropped for a sign to the sender */
	NATFLOW_LIMIT_OVER,		/* dropped: the burst is used up */
};

struct natflow_meters *natflow_meters_alloc(u64 rx, u64 tx, u32 burst, gfp_t gfp);
struct natflow_law *natflow_law_alloc(u64 rate, u32 burst, gfp_t gfp);
void natflow_meter_change(struct natflow_meter *bucket, struct natflow_law *law);
void natflow_meters_put(struct natflow_meters *buckets);
bool natflow_meters_retire(struct natflow_meters *buckets);

void natflow_limit_add(struct natflow_limit *limit, struct natflow_meters *buckets,
		       unsigned int user_end);
void natflow_limit_paint(const struct natflow_limit *limit, struct sk_buff *skb);
void natflow_limit_release(struct natflow_limit *limit);
enum natflow_limit_verdict natflow_limit_charge(struct natflow_net *nn,
						const struct natflow_limit *limit,
						unsigned int dir, struct sk_buff *skb, u32 bytes);

/*
 * A time of this jiffy. That is enough for a packet that finds a short queue: an older one
 * only makes the queue look longer.
 */
static __always_inline u64 natflow_limit_now(struct natflow_pcpu *c)
{
	const unsigned long now_of = jiffies;

	if (unlikely(c->now_of != now_of)) {
		c->now = ktime_get_ns();
		c->now_of = now_of;
	}
	return c->now;
}

/**
 * natflow_limit_fits() - charge a packet to the only bucket of its flow, if that is quick
 * @nn: namespace
 * @limit: plain in this direction
 * @dir: direction of the packet, IP_CT_DIR_*
 * @bytes: of L3, of all packets of the wire
 *
 * Context: RCU read side, BH disabled.
 * Return: true if it is charged and passes; else natflow_limit_charge() decides.
 */
static __always_inline bool natflow_limit_fits(struct natflow_net *nn,
					       const struct natflow_limit *limit,
					       unsigned int dir, u32 bytes)
{
	struct natflow_meter *b = limit->meter[dir][0];
	const struct natflow_pace *rate;
	s64 now, next;

	now = natflow_limit_now(this_cpu_ptr(nn->pcpu));
	rate = &rcu_dereference(b->law)->rate;
	next = atomic64_read(&b->next);
	if (unlikely(next - now > (s64)rate->target || READ_ONCE(b->attentive)))
		return false;
	return atomic64_try_cmpxchg(&b->next, &next,
				    max(next, now) + natflow_pace_cost(rate, bytes));
}

#endif /* _NATFLOW_CORE_LIMIT_H */
