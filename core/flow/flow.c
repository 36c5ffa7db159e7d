// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a flow: selected, learned, published, ended, freed. See the
 * state machine in flow.h.
 */
#include <linux/slab.h>
#include "../base/clock.h"
#include "../base/ct.h"
#include "../topo/egress.h"
#include "seen.h"
#include "table.h"

#define CREATE_TRACE_POINTS
#include "../base/trace.h"

/* Flows that are not freed yet stop new ones at flow_limit of them, but never below this. */
#define DEAD_LIMIT_MIN 1024U

static struct kmem_cache *flow_cache[NATFLOW_FAMILIES] __ro_after_init;
static struct workqueue_struct *undertakers __ro_after_init;

static const struct rhashtable_params by_ct_params = {
	.key_len = sizeof(struct nf_conn *),
	.key_offset = offsetof(struct natflow_flow, ct),
	.head_offset = offsetof(struct natflow_flow, node),
	.automatic_shrinking = true,
};

/**
 * natflow_flow_by_ct() - the flow object of a conntrack, published or not
 * @nn: namespace
 * @ct: conntrack
 *
 * Context: RCU read side, which is also how long the result is valid.
 */
struct natflow_flow *natflow_flow_by_ct(struct natflow_net *nn, const struct nf_conn *ct)
{
	return rhashtable_lookup(&nn->by_ct, &ct, by_ct_params);
}

/* Nobody can find @flow any more; its last packets have been forwarded. */
static void flow_free(struct natflow_flow *flow)
{
	u8 family = natflow_flow_family(flow);
	unsigned int i;

	natflow_flow_fold(flow);
	for (i = 0; i < 2; i++) {
		struct natflow_dir *dir = natflow_flow_dir(flow, i, family);
		struct natflow_egress *eg = rcu_dereference_protected(dir->egress, true);

		if (eg)
			natflow_egress_put(eg);
	}
	natflow_ct_put(flow->ct);
	kmem_cache_free(flow_cache[natflow_family_index(family)], flow);
}

/*
 * Free what has died, one grace period later. Here, and not by call_rcu(),
 * whose callbacks a softirq would run for milliseconds after many flows ended
 * at once, while packets wait.
 */
static void free_dead(struct work_struct *work)
{
	struct natflow_net *nn = container_of(work, struct natflow_net, undertaker);
	struct llist_node *dead = llist_del_all(&nn->dead_flows);
	struct natflow_flow *flow, *next;

	synchronize_rcu();
	llist_for_each_entry_safe(flow, next, dead, link) {
		flow_free(flow);
		atomic_dec(&nn->dead_count);
		cond_resched();
	}
}

/**
 * natflow_flow_put() - drop a reference
 * @flow: flow; freed one grace period after the last reference
 *
 * Context: any.
 */
void natflow_flow_put(struct natflow_flow *flow)
{
	struct natflow_net *nn = flow->nn;

	if (refcount_dec_and_test(&flow->ref) && llist_add(&flow->link, &nn->dead_flows))
		queue_work(undertakers, &nn->undertaker);
}

/* @flow is published or ends: it is no half any more. */
static void half_del(struct natflow_flow *flow)
{
	struct natflow_net *nn = flow->nn;

	lockdep_assert_held(&nn->flow_lock);
	if (nn->half_hand == &flow->half)
		nn->half_hand = flow->half.next;
	list_del(&flow->half);
	nn->half_count--;
}

/* Take @flow out of every list. Return: false if somebody else did. */
static bool unlink(struct natflow_flow *flow)
{
	struct natflow_net *nn = flow->nn;
	u8 family = natflow_flow_family(flow);

	lockdep_assert_held(&nn->flow_lock);
	if (test_and_set_bit(NATFLOW_FLOW_DEAD, &flow->bits))
		return false;
	if (test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits)) {
		struct natflow_table *table = natflow_table_locked(nn);

		natflow_table_remove(nn, table, natflow_flow_dir(flow, 0, family), family);
		natflow_table_remove(nn, table, natflow_flow_dir(flow, 1, family), family);
	} else {
		half_del(flow);
	}
	rhashtable_remove_fast(&nn->by_ct, &flow->node, by_ct_params);
	nn->flow_count--;
	atomic_inc(&nn->dead_count);
	return true;
}

/* The rest of an end, outside the lock. Context: BH disabled. */
static void retire(struct natflow_flow *flow, enum natflow_reason reason)
{
	trace_end(flow->ct, reason);
	natflow_stats_reason(flow->nn->pcpu, reason);
	if (test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits)) {
		natflow_flow_fold(flow);
		natflow_ct_return(flow->ct);
	}
	natflow_flow_put(flow);
}

/**
 * natflow_flow_end() - give a flow back to the stack, for good
 * @flow: flow, found under RCU or referenced
 * @reason: one of NATFLOW_END_*
 *
 * When it returns, no packet finds the flow; packets that found it before are
 * still being forwarded until the end of their RCU section, and are counted.
 *
 * Context: RCU read side or a reference held; any but hard irq.
 */
void natflow_flow_end(struct natflow_flow *flow, enum natflow_reason reason)
{
	struct natflow_net *nn = flow->nn;
	bool mine;

	local_bh_disable();
	spin_lock(&nn->flow_lock);
	mine = unlink(flow);
	spin_unlock(&nn->flow_lock);
	if (mine)
		retire(flow, reason);
	local_bh_enable();
}

/**
 * natflow_flow_fold() - move what the packet path counted to conntrack
 * @flow: flow with a reference, or in its last moment
 *
 * Context: any; exact however many callers there are.
 */
void natflow_flow_fold(struct natflow_flow *flow)
{
	u8 family = natflow_flow_family(flow);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct natflow_dir *dir = natflow_flow_dir(flow, i, family);
		u64 count = atomic64_read(&dir->count) ? atomic64_xchg(&dir->count, 0) : 0;

		if (!count)
			continue;
		atomic64_add(count >> 40, &flow->packets[i]);
		atomic64_add(count & (BIT_ULL(40) - 1), &flow->bytes[i]);
		natflow_ct_account(flow->ct, i, count >> 40, count & (BIT_ULL(40) - 1));
		WRITE_ONCE(flow->used, jiffies);
	}
}

/* Had this direction a hit in this tick of the packet path, or in one of the last two? */
static bool is_busy(const struct natflow_dir *dir)
{
	return (u16)(natflow_tick_now() - READ_ONCE(dir->tick)) <= 2;
}

/*
 * A flow is looked at once a turn of the hand, at its original direction. It
 * has a second chance if it had traffic since the last turn; and however fast
 * the hand is turned, traffic of the last 128 ms saves it.
 */
static bool is_victim(struct natflow_flow *flow)
{
	u8 family = natflow_flow_family(flow);

	return !test_and_clear_bit(NATFLOW_FLOW_SECOND_CHANCE, &flow->bits) &&
	       !is_busy(natflow_flow_dir(flow, 0, family)) &&
	       !is_busy(natflow_flow_dir(flow, 1, family));
}

static struct natflow_flow *find_victim(struct natflow_net *nn)
{
	struct natflow_table *table = natflow_table_locked(nn);
	unsigned int steps, i;

	/* Two turns of a small table: the first may only take chances away. */
	for (steps = min(64U, 2 * (table->mask + 1)); steps; steps--) {
		struct natflow_bucket *b = &table->bucket[nn->clock_hand++ & table->mask];

		for (i = 0; i < NATFLOW_BUCKET_SLOTS; i++) {
			struct natflow_dir *dir =
				rcu_dereference_protected(b->slot[i],
							  lockdep_is_held(&nn->flow_lock));
			struct natflow_flow *flow;

			if (!dir || dir->tag & NATFLOW_DIR_REPLY)
				continue;
			flow = natflow_dir_owner(dir);
			if (is_victim(flow))
				return flow;
		}
	}
	return NULL;
}

/*
 * Make room for one more object. Unpublished ones only compete among
 * themselves, for an eighth of the limit at most: a flood that is never answered
 * cannot push out a flow that carries traffic.
 */
static struct natflow_flow *make_room(struct natflow_net *nn, enum natflow_reason *why)
{
	u32 limit = natflow_table_locked(nn)->limit;
	struct natflow_flow *victim = NULL;

	lockdep_assert_held(&nn->flow_lock);
	if (nn->half_count >= clamp(limit / 8, 4U, NATFLOW_HALVES_MAX)) {
		victim = list_first_entry(&nn->halves, struct natflow_flow, half);
		*why = NATFLOW_END_HALF;
	} else if (nn->flow_count >= limit) {
		victim = find_victim(nn);
		*why = NATFLOW_END_EVICTED;
	}
	if (victim && !unlink(victim))
		victim = NULL;
	return victim;
}

static struct natflow_flow *flow_alloc(struct natflow_net *nn, struct nf_conn *ct, bool hw)
{
	u8 family = nf_ct_l3num(ct), index = natflow_family_index(family);
	struct natflow_flow *flow = kmem_cache_zalloc(flow_cache[index], GFP_ATOMIC);

	if (!flow)
		return NULL;
	if (!natflow_ct_get(ct)) {
		kmem_cache_free(flow_cache[index], flow);
		return NULL;
	}
	flow->ct = ct;
	flow->nn = nn;
	flow->used = jiffies;
	flow->bits = index * BIT(NATFLOW_FLOW_V6) | hw * BIT(NATFLOW_FLOW_HW);
	refcount_set(&flow->ref, 1);
	natflow_flow_dir(flow, 0, family)->tag = index * NATFLOW_DIR_V6;
	natflow_flow_dir(flow, 1, family)->tag = index * NATFLOW_DIR_V6 | NATFLOW_DIR_REPLY;
	return flow;
}

/* Enter @flow, under the lock. Return: 0, or an errno that leaves everything as it was. */
static int enter(struct natflow_net *nn, struct natflow_flow *flow)
{
	int err;

	if (nn->flow_count >= natflow_table_locked(nn)->limit)
		return -ENOSPC;
	err = rhashtable_lookup_insert_fast(&nn->by_ct, &flow->node, by_ct_params);
	if (err)
		return err;
	flow->number = ++nn->flow_seq;
	list_add_tail(&flow->half, &nn->halves);
	nn->half_count++;
	nn->flow_count++;
	nn->flow_peak = max(nn->flow_peak, nn->flow_count);
	return 0;
}

/**
 * natflow_flow_select() - a rule or a setting chose this conntrack
 * @nn: namespace
 * @ct: conntrack of the packet in hand
 * @hw: hardware was asked for
 * @out: the flow, found or made, valid in the caller's RCU section
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK or the learn reason.
 */
enum natflow_reason natflow_flow_select(struct natflow_net *nn, struct nf_conn *ct, bool hw,
					struct natflow_flow **out)
{
	enum natflow_reason why = NATFLOW_OK;
	struct natflow_flow *flow, *victim;
	int err;

	*out = natflow_flow_by_ct(nn, ct);
	if (*out)
		return NATFLOW_OK;
	why = natflow_ct_eligible(ct);
	if (why)
		return why;
	/* However fast flows come and go, their memory is bounded. */
	if (atomic_read(&nn->dead_count) >= max(READ_ONCE(nn->config.flow_limit), DEAD_LIMIT_MIN))
		return NATFLOW_LEARN_FULL;
	flow = flow_alloc(nn, ct, hw);
	if (!flow)
		return NATFLOW_LEARN_NO_MEMORY;

	spin_lock_bh(&nn->flow_lock);
	victim = make_room(nn, &why);
	err = enter(nn, flow);
	spin_unlock_bh(&nn->flow_lock);

	if (victim)
		retire(victim, why);
	if (!err) {
		*out = flow;
		return NATFLOW_OK;
	}
	natflow_ct_put(ct);
	kmem_cache_free(flow_cache[natflow_family_index(natflow_flow_family(flow))], flow);
	if (err == -EEXIST)
		*out = natflow_flow_by_ct(nn, ct);
	if (*out)
		return NATFLOW_OK;
	return err == -ENOSPC ? NATFLOW_LEARN_FULL : NATFLOW_LEARN_NO_MEMORY;
}

/* Precompute the rewrite of one direction. */
static void write_rewrite(void *rewrite, const struct natflow_lesson *l, u8 family)
{
	if (family == NFPROTO_IPV4) {
		struct natflow_rewrite4 *rw = rewrite;

		rw->addrs = l->after.v4.addrs;
		rw->ports = l->after.v4.tail.ports;
		rw->sums.addr = natflow_sum_diff(&l->key.v4.addrs, &rw->addrs, sizeof(rw->addrs));
		rw->sums.ports = natflow_sum_diff(&l->key.v4.tail.ports, &rw->ports,
						  sizeof(rw->ports));
	} else {
		struct natflow_rewrite6 *rw = rewrite;

		rw->addrs = l->after.v6.addrs;
		rw->ports = l->after.v6.tail.ports;
		rw->sums.addr = natflow_sum_diff(&l->key.v6.addrs, &rw->addrs, sizeof(rw->addrs));
		rw->sums.ports = natflow_sum_diff(&l->key.v6.tail.ports, &rw->ports,
						  sizeof(rw->ports));
	}
}

/*
 * Write what was learned into the direction. A published one is being read:
 * its key and rewrite stay, the clock is stored last and read first, so that
 * whoever sees the new clock sees the new egress.
 */
static struct natflow_egress *write_dir(struct natflow_flow *flow, unsigned int d,
					struct natflow_lesson *l)
{
	u8 family = natflow_flow_family(flow);
	struct natflow_dir *dir = natflow_flow_dir(flow, d, family);
	struct natflow_egress *old;

	if (!test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits)) {
		memcpy(dir + 1, l->key.word, natflow_key_words(family) * sizeof(u64));
		write_rewrite(natflow_dir_rewrite(dir, family), l, family);
	}
	flow->iif[d] = l->iif;
	natflow_seen_write(flow, d, l);
	old = rcu_replace_pointer(dir->egress, l->egress, lockdep_is_held(&flow->nn->flow_lock));
	l->egress = NULL;
	/* After everything else; pairs with the path's load-acquire. */
	smp_store_release(&dir->clock, l->clock);
	set_bit(NATFLOW_FLOW_LEARNED0 + d, &flow->bits);
	return old;
}

/* Why the stack keeps this direction's packets, whatever they look like. */
static enum natflow_reason kept(const struct natflow_dir *dir)
{
	if (dir->look & NATFLOW_DIR_REWRITTEN)
		return NATFLOW_LEARN_REWRITTEN;
	return dir->look & NATFLOW_DIR_VARIES ? NATFLOW_LEARN_VARIES : NATFLOW_OK;
}

static bool same_key(struct natflow_flow *flow, unsigned int d, const union natflow_key *key)
{
	u8 family = natflow_flow_family(flow);

	return !memcmp(natflow_dir_key(natflow_flow_dir(flow, d, family)), key->word,
		       natflow_key_words(family) * sizeof(u64));
}

/* Two live flows, one key: neither may guess. */
static void make_ambiguous(struct natflow_flow *flow)
{
	u8 family = natflow_flow_family(flow);
	unsigned int i;

	set_bit(NATFLOW_FLOW_AMBIGUOUS, &flow->bits);
	for (i = 0; i < 2; i++)
		WRITE_ONCE(natflow_flow_dir(flow, i, family)->clock,
			   natflow_clock(flow->nn, family) - 1);
}

/*
 * Publish a flow whose directions are both learned, under the lock. @dead is
 * set to a flow that had one of its keys and has outlived its conntrack.
 */
static enum natflow_reason publish(struct natflow_flow *flow, struct natflow_flow **dead)
{
	struct natflow_net *nn = flow->nn;
	struct natflow_table *table = natflow_table_locked(nn);
	u8 family = natflow_flow_family(flow);
	struct natflow_dir *dir[2], *twin;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct natflow_flow *other;

		dir[i] = natflow_flow_dir(flow, i, family);
		twin = natflow_table_find(nn, table, natflow_dir_key(dir[i]), family);
		if (!twin)
			continue;
		other = natflow_dir_flow(twin, family);
		if (natflow_ct_alive(other->ct)) {
			make_ambiguous(other);
			return NATFLOW_LEARN_AMBIGUOUS;
		}
		if (*dead || !unlink(other))
			return NATFLOW_LEARN_HALF;	/* the next packet finds the way clear */
		*dead = other;
	}
	if (!natflow_ct_unblind(flow->ct))
		return NATFLOW_LEARN_TCP_STATE;
	if (!natflow_table_insert(nn, table, dir[0], family))
		return NATFLOW_LEARN_BUCKET;
	if (!natflow_table_insert(nn, table, dir[1], family)) {
		natflow_table_remove(nn, table, dir[0], family);
		return NATFLOW_LEARN_BUCKET;
	}
	half_del(flow);
	set_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits);
	return NATFLOW_OK;
}

/*
 * The clock said that nothing has changed, and the stack sent this packet, for
 * which the same rules apply, another way: an event was missed.
 */
static bool missed_event(struct natflow_flow *flow, unsigned int d,
			 const struct natflow_lesson *l)
{
	const struct natflow_dir *dir = natflow_flow_dir(flow, d, natflow_flow_family(flow));
	const struct natflow_egress *eg =
		rcu_dereference_protected(dir->egress, lockdep_is_held(&flow->nn->flow_lock));

	return eg != l->egress && READ_ONCE(eg->alive) && dir->clock == l->clock &&
	       natflow_look_alike(dir->look, l->in.look) && flow->meta[d].mark == l->mark;
}

/* The part of learning that needs the lock. */
static enum natflow_reason learn_locked(struct natflow_flow *flow, unsigned int d,
					struct natflow_lesson *lesson,
					struct natflow_egress **old, struct natflow_flow **dead)
{
	const struct natflow_dir *dir = natflow_flow_dir(flow, d, natflow_flow_family(flow));

	lockdep_assert_held(&flow->nn->flow_lock);
	if (test_bit(NATFLOW_FLOW_DEAD, &flow->bits))
		return NATFLOW_LEARN_DYING;
	if (test_bit(NATFLOW_FLOW_AMBIGUOUS, &flow->bits))
		return NATFLOW_LEARN_AMBIGUOUS;
	if (test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits)) {
		if (!same_key(flow, d, &lesson->key)) {
			unlink(flow);
			*dead = flow;
			return NATFLOW_LEARN_HALF;
		}
		if (missed_event(flow, d, lesson))
			atomic_inc(&flow->nn->missed_events);
		*old = write_dir(flow, d, lesson);
		return kept(dir);
	}
	*old = write_dir(flow, d, lesson);
	if (!natflow_flow_learned(flow, !d))
		return kept(dir) ?: NATFLOW_LEARN_HALF;
	if (flow->slow_pkts <= READ_ONCE(flow->nn->config.delay_pkts))
		return NATFLOW_LEARN_DELAY;
	return publish(flow, dead) ?: kept(dir);
}

/**
 * natflow_flow_learn() - one direction is known, from a packet the stack just sent
 * @flow: flow, found under RCU
 * @d: direction of the packet, IP_CT_DIR_*
 * @lesson: what was seen; its egress reference is taken over
 *
 * Publishes the flow when this was the missing half. A published flow whose
 * packets now come in by another port is ended, and selected anew.
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK if the flow is published and this direction fresh, else
 * the learn reason.
 */
enum natflow_reason natflow_flow_learn(struct natflow_flow *flow, unsigned int d,
				       struct natflow_lesson *lesson)
{
	struct natflow_net *nn = flow->nn;
	struct natflow_egress *old = NULL;
	struct natflow_flow *dead = NULL, *again;
	enum natflow_reason reason;

	spin_lock_bh(&nn->flow_lock);
	reason = learn_locked(flow, d, lesson, &old, &dead);
	spin_unlock_bh(&nn->flow_lock);

	if (old)
		natflow_egress_put(old);
	if (lesson->egress)
		natflow_egress_put(lesson->egress);
	if (dead == flow) {
		bool hw = test_bit(NATFLOW_FLOW_HW, &flow->bits);
		struct nf_conn *ct = flow->ct;

		retire(flow, NATFLOW_END_REPLACED);
		natflow_flow_select(nn, ct, hw, &again);
	} else if (dead) {
		retire(dead, NATFLOW_END_CT_GONE);
	}
	return reason;
}

/*
 * One walk over all flows. A walk that is interrupted after it removed the
 * object it stood at skips others when it goes on, and one during a resize
 * may too: only a walk that ended nothing has seen all.
 */
static bool flush_once(struct natflow_net *nn, enum natflow_reason reason,
		       bool (*match)(struct natflow_flow *flow, const void *arg), const void *arg)
{
	struct rhashtable_iter iter;
	struct natflow_flow *flow;
	bool ended = false;

	rhashtable_walk_enter(&nn->by_ct, &iter);
	do {
		rhashtable_walk_start(&iter);
		while ((flow = rhashtable_walk_next(&iter)) && !IS_ERR(flow)) {
			if (!match || match(flow, arg)) {
				natflow_flow_end(flow, reason);
				ended = true;
			}
			if (need_resched())
				break;
		}
		rhashtable_walk_stop(&iter);
		cond_resched();
	} while (flow);		/* -EAGAIN: the hash was resized, or it was time to yield */
	rhashtable_walk_exit(&iter);
	return ended;
}

/**
 * natflow_flow_flush() - end the flows that match
 * @nn: namespace
 * @reason: one of NATFLOW_END_*
 * @match: which; NULL for all
 * @arg: for @match
 *
 * Flows learned while it runs may or may not be seen.
 *
 * Context: process, may sleep.
 */
void natflow_flow_flush(struct natflow_net *nn, enum natflow_reason reason,
			bool (*match)(struct natflow_flow *flow, const void *arg),
			const void *arg)
{
	while (flush_once(nn, reason, match, arg))
		;
}

/* Is @flow in the table, now that it is another one? Publishes it there if there is room. */
static bool has_no_place(struct natflow_flow *flow, const void *unused)
{
	struct natflow_net *nn = flow->nn;
	u8 family = natflow_flow_family(flow);
	struct natflow_table *table;
	bool ok = true;
	unsigned int i;

	spin_lock_bh(&nn->flow_lock);
	table = natflow_table_locked(nn);
	if (test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits) &&
	    !test_bit(NATFLOW_FLOW_DEAD, &flow->bits)) {
		ok = nn->flow_count <= table->limit;
		for (i = 0; i < 2 && ok; i++) {
			struct natflow_dir *dir = natflow_flow_dir(flow, i, family), *twin;

			twin = natflow_table_find(nn, table, natflow_dir_key(dir), family);
			ok = twin ? twin == dir : natflow_table_insert(nn, table, dir, family);
		}
	}
	spin_unlock_bh(&nn->flow_lock);
	return !ok;
}

/**
 * natflow_flow_resize() - move all flows to a table of another size
 * @nn: namespace
 * @table: new and empty; owned by @nn from here on
 *
 * One flow at a time: until it is its turn, a flow's packets miss and take the
 * stack. Flows beyond the new limit end.
 *
 * Context: process, may sleep, natflow_net.lock held.
 */
void natflow_flow_resize(struct natflow_net *nn, struct natflow_table *table)
{
	lockdep_assert_held(&nn->lock);
	natflow_table_replace(nn, table);
	natflow_flow_flush(nn, NATFLOW_END_DISABLED, has_no_place, NULL);
}

/**
 * natflow_flow_net_init() - an empty flow table for a namespace
 * @nn: namespace with config.flow_limit set
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_flow_net_init(struct natflow_net *nn)
{
	struct natflow_table *table = natflow_table_alloc(nn->config.flow_limit);
	int err;

	if (!table)
		return -ENOMEM;
	spin_lock_init(&nn->flow_lock);
	init_llist_head(&nn->dead_flows);
	INIT_WORK(&nn->undertaker, free_dead);
	INIT_LIST_HEAD(&nn->halves);
	nn->half_hand = &nn->halves;
	err = rhashtable_init(&nn->by_ct, &by_ct_params);
	if (err) {
		kvfree(table);
		return err;
	}
	RCU_INIT_POINTER(nn->table, table);
	return 0;
}

/**
 * natflow_flow_net_exit() - free the table of a namespace
 * @nn: namespace without hooks, timers and flows; follow with rcu_barrier()
 */
void natflow_flow_net_exit(struct natflow_net *nn)
{
	natflow_table_replace(nn, NULL);
	rhashtable_destroy(&nn->by_ct);
}

/**
 * natflow_flow_init() - slab caches, and who empties them
 *
 * Return: 0 or -ENOMEM.
 */
int __init natflow_flow_init(void)
{
	const size_t cold = sizeof(struct natflow_flow);

	BUILD_BUG_ON(sizeof(struct natflow_dir) != 32);
	BUILD_BUG_ON(sizeof(struct natflow_dir4) != 64);
	BUILD_BUG_ON(sizeof(struct natflow_dir6) != 128);
	BUILD_BUG_ON(offsetof(struct natflow_dir4, key) != sizeof(struct natflow_dir));
	BUILD_BUG_ON(offsetof(struct natflow_dir6, rewrite) != 72);

	flow_cache[0] = kmem_cache_create("natflow_flow4", cold + 2 * sizeof(struct natflow_dir4),
					  0, SLAB_HWCACHE_ALIGN, NULL);
	flow_cache[1] = kmem_cache_create("natflow_flow6", cold + 2 * sizeof(struct natflow_dir6),
					  0, SLAB_HWCACHE_ALIGN, NULL);
	/* It frees memory: it must run when there is none for a new worker. */
	undertakers = alloc_workqueue("natflow", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (flow_cache[0] && flow_cache[1] && undertakers)
		return 0;
	natflow_flow_exit();
	return -ENOMEM;
}

/**
 * natflow_flow_exit() - the reverse; all flows were freed and rcu_barrier() has run
 */
void natflow_flow_exit(void)
{
	if (undertakers)
		destroy_workqueue(undertakers);
	kmem_cache_destroy(flow_cache[0]);
	kmem_cache_destroy(flow_cache[1]);
}
