// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buckets: charge packets to virtual clocks.
 *
 * A packet that finds a short queue costs a compare-and-exchange of each bucket's clock.
 * Where the queue looks too long, the clock is read, and it is asked for a signal.
 */
#include <linux/ktime.h>
#include <linux/slab.h>
#include "dscp.h"
#include "limit.h"

/* -- buckets */

/**
 * natflow_law_alloc() - a rate, to be given to a bucket
 * @rate: bytes a second, not 0
 * @burst: bytes, 0: by default
 * @gfp: how to allocate
 *
 * Context: as of @gfp.
 * Return: freed with kfree() if it is not given away; NULL without memory.
 */
struct natflow_law *natflow_law_alloc(u64 rate, u32 burst, gfp_t gfp)
{
	struct natflow_law *law = kzalloc(sizeof(*law), gfp);

	if (law)
		natflow_pace_set(&law->rate, rate, burst);
	return law;
}

static void meter_init(struct natflow_meter *bucket, struct natflow_law *law)
{
	spin_lock_init(&bucket->lock);
	atomic64_set(&bucket->next, ktime_get_ns());
	RCU_INIT_POINTER(bucket->law, law);
}

/**
 * natflow_meters_alloc() - buckets of a rule or a user, full
 * @rx: bytes a second, 0: no limit
 * @tx: the same of the other direction
 * @burst: bytes, 0: by default
 * @gfp: how to allocate
 *
 * Context: as of @gfp.
 * Return: with one reference, or NULL.
 */
struct natflow_meters *natflow_meters_alloc(u64 rx, u64 tx, u32 burst, gfp_t gfp)
{
	struct natflow_meters *b = kzalloc(sizeof(*b), gfp);
	struct natflow_law *down = rx ? natflow_law_alloc(rx, burst, gfp) : NULL;
	struct natflow_law *up = tx ? natflow_law_alloc(tx, burst, gfp) : NULL;

	if (!b || (rx && !down) || (tx && !up)) {
		kfree(down);
		kfree(up);
		kfree(b);
		return NULL;
	}
	meter_init(&b->dir[NATFLOW_LIMIT_RX], down);
	meter_init(&b->dir[NATFLOW_LIMIT_TX], up);
	refcount_set(&b->ref, 1);
	return b;
}

/**
 * natflow_meter_change() - give a bucket another rate
 * @bucket: bucket that has a rate
 * @law: taken over
 *
 * The bytes in the virtual queue stay, up to the new burst. So a rate that changes often
 * hands out no burst each time.
 *
 * Context: process, the lock that excludes writers.
 */
void natflow_meter_change(struct natflow_meter *bucket, struct natflow_law *law)
{
	struct natflow_law *old = rcu_dereference_protected(bucket->law, true);
	const u64 now = ktime_get_ns();
	s64 next, queue;

	rcu_assign_pointer(bucket->law, law);
	next = atomic64_read(&bucket->next);
	do {
		queue = max_t(s64, next - now, 0);
		queue = natflow_pace_again(queue, &old->rate, &law->rate);
	} while (!atomic64_try_cmpxchg(&bucket->next, &next, now + queue));
	kfree_rcu(old, rcu);
}

static void meters_free(struct rcu_head *rcu)
{
	struct natflow_meters *b = container_of(rcu, struct natflow_meters, rcu);
	unsigned int d;

	for (d = 0; d < NATFLOW_LIMIT_DIRS; d++)
		kfree(rcu_dereference_protected(b->dir[d].law, true));
	kfree(b);
}

/**
 * natflow_meters_put() - give a reference back
 * @buckets: buckets
 *
 * Context: any. Packets may use them for a grace period.
 */
void natflow_meters_put(struct natflow_meters *buckets)
{
	if (refcount_dec_and_test(&buckets->ref))
		call_rcu(&buckets->rcu, meters_free);
}

/**
 * natflow_meters_retire() - free buckets that are as good as new
 * @buckets: buckets; the caller has a reference, and lets nobody take the first other one
 *
 * Context: any.
 * Return: false if a flow has them, or if they have a queue: the caller keeps them.
 */
bool natflow_meters_retire(struct natflow_meters *buckets)
{
	const s64 now = ktime_get_ns();
	unsigned int d;

	for (d = 0; d < NATFLOW_LIMIT_DIRS; d++)
		if (atomic64_read(&buckets->dir[d].next) > now)
			return false;
	if (!refcount_dec_if_one(&buckets->ref))
		return false;
	call_rcu(&buckets->rcu, meters_free);
	return true;
}

/* -- the buckets of a flow */

/**
 * natflow_limit_add() - packets of a flow are charged to these buckets, too
 * @limit: limit that no packet uses yet, with room; it gets the reference
 * @buckets: buckets
 * @user_end: which end of the flow the user is, IP_CT_DIR_* of what it sends
 */
void natflow_limit_add(struct natflow_limit *limit, struct natflow_meters *buckets,
		       unsigned int user_end)
{
	unsigned int d;

	limit->owner[limit->owners++] = buckets;
	for (d = 0; d < 2; d++) {
		struct natflow_meter *b = &buckets->dir[d == user_end ? NATFLOW_LIMIT_TX :
									 NATFLOW_LIMIT_RX];

		if (rcu_access_pointer(b->law))
			limit->meter[d][limit->count[d]++] = b;
	}
}

/**
 * natflow_limit_release() - give all references back
 * @limit: limit that no packet uses any more
 *
 * Context: any.
 */
void natflow_limit_release(struct natflow_limit *limit)
{
	while (limit->owners)
		natflow_meters_put(limit->owner[--limit->owners]);
}

/* -- packets */

/**
 * natflow_limit_paint() - give a packet the DSCP and the priority of its flow
 * @limit: of the flow
 * @skb: packet at its L3 header, which is linear and private
 *
 * Context: any.
 */
void natflow_limit_paint(const struct natflow_limit *limit, struct sk_buff *skb)
{
	if (limit->prio)
		skb->priority = limit->prio - 1;
	if (limit->dscp)
		natflow_dscp_set(skb, limit->dscp - 1);
}

static __always_inline void take_back(const struct natflow_limit *limit, unsigned int dir,
				      const u64 *cost, unsigned int count)
{
	while (count--)
		atomic64_sub(cost[count], &limit->meter[dir][count]->next);
}

/* Return: false if the queue is deeper than the burst. */
static bool charge_one(struct natflow_meter *b, u64 now, u64 depth, u64 cost)
{
	s64 next = atomic64_read(&b->next);

	do {
		if (next - (s64)now > (s64)depth)
			return false;
	} while (!atomic64_try_cmpxchg(&b->next, &next, max_t(s64, next, now) + cost));
	return true;
}

/* Is this packet to be a signal? */
static bool signals(struct natflow_meter *b, u64 now, const struct natflow_pace *rate)
{
	const s64 queue = max_t(s64, atomic64_read(&b->next) - (s64)now, 0);
	bool signal;

	spin_lock(&b->lock);
	signal = natflow_ladder_signal(&b->ladder, now, queue, rate);
	WRITE_ONCE(b->attentive, b->ladder.rung);
	spin_unlock(&b->lock);
	return signal;
}

/* One of the buckets has a queue. Those before @at have been charged already. */
static noinline enum natflow_limit_verdict
charge_queue(const struct natflow_limit *limit, unsigned int dir, struct sk_buff *skb, u32 bytes,
	     u64 *cost, unsigned int at)
{
	const u64 now = ktime_get_ns();
	bool signal = false;

	for (; at < limit->count[dir]; at++) {
		struct natflow_meter *b = limit->meter[dir][at];
		const struct natflow_pace *rate = &rcu_dereference(b->law)->rate;

		cost[at] = natflow_pace_cost(rate, bytes);
		signal |= signals(b, now, rate);
		if (!charge_one(b, now, rate->depth, cost[at])) {
			take_back(limit, dir, cost, at);
			return NATFLOW_LIMIT_OVER;
		}
	}
	if (!signal)
		return NATFLOW_LIMIT_PASS;
	if (INET_ECN_set_ce(skb))
		return NATFLOW_LIMIT_MARKED;
	take_back(limit, dir, cost, at);
	return NATFLOW_LIMIT_EARLY;
}

/**
 * natflow_limit_charge() - charge a packet to all of its buckets, or to none
 * @nn: namespace
 * @limit: buckets
 * @dir: direction of the packet, IP_CT_DIR_*
 * @skb: packet at its L3 header, which is linear and private: it may be marked
 * @bytes: of L3, of all packets of the wire
 *
 * Context: RCU read side, BH disabled.
 * Return: whether it passes. The caller drops it else, and counts it.
 */
enum natflow_limit_verdict natflow_limit_charge(struct natflow_net *nn,
						const struct natflow_limit *limit,
						unsigned int dir, struct sk_buff *skb, u32 bytes)
{
	const s64 now = natflow_limit_now(this_cpu_ptr(nn->pcpu));
	const unsigned int count = limit->count[dir];
	u64 cost[NATFLOW_LIMITS_MAX];
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct natflow_meter *b = limit->meter[dir][i];
		const struct natflow_pace *rate = &rcu_dereference(b->law)->rate;
		s64 next = atomic64_read(&b->next);

		cost[i] = natflow_pace_cost(rate, bytes);
		do {
			if (unlikely(next - now > (s64)rate->target || READ_ONCE(b->attentive)))
				return charge_queue(limit, dir, skb, bytes, cost, i);
		} while (!atomic64_try_cmpxchg(&b->next, &next, max(next, now) + cost[i]));
	}
	return NATFLOW_LIMIT_PASS;
}
