// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ageing. Each tick searches an eighth of the table for flows whose conntrack is gone.
 * Each fourth tick folds the counters of active flows and extends the timeouts of
 * their conntracks. Each eighth tick keeps neighbours alive. The cost of a fold grows
 * with the active flows only: a flow joins its CPU's list at its first hit, and leaves
 * it after half a second without one. Flows that a feature calls urgent are folded more
 * often than that.
 */
#include <linux/sched.h>
#include "ageing.h"
#include "doubt.h"
#include "base/attach.h"
#include "base/ct.h"
#include "topo/egress.h"
#include "rules.h"
#include "flow/table.h"

#define TICK		(HZ / 8)
#define FOLD_TICKS	4
#define URGENT		max(HZ / 20, 1)
#define SLICES		8
#define HALVES_A_TICK	256
#define BUCKETS_AT_ONCE	512U

/**
 * natflow_ageing_join() - a flow had a hit in a new tick of the packet path
 * @flow: flow whose hit is already counted
 *
 * Pairs with fold_one(): either fold_one() sees the count, or this function sees
 * the cleared bit and puts the flow on the list again.
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_ageing_join(struct natflow_flow *flow)
{
	if (!test_bit(NATFLOW_FLOW_SECOND_CHANCE, &flow->bits))
		set_bit(NATFLOW_FLOW_SECOND_CHANCE, &flow->bits);
	smp_mb__after_atomic();		/* the count before the test of ACTIVE */
	if (test_bit(NATFLOW_FLOW_ACTIVE, &flow->bits) ||
	    test_and_set_bit(NATFLOW_FLOW_ACTIVE, &flow->bits))
		return;
	if (refcount_inc_not_zero(&flow->ref))
		llist_add(&flow->link, &this_cpu_ptr(flow->nn->pcpu)->active);
}

static bool uncounted(struct natflow_flow *flow)
{
	u8 family = natflow_flow_family(flow);

	return atomic64_read(&natflow_flow_dir(flow, 0, family)->count) ||
	       atomic64_read(&natflow_flow_dir(flow, 1, family)->count);
}

/* Return: true if the flow stays on the list. */
static bool fold_one(struct natflow_flow *flow)
{
	if (test_bit(NATFLOW_FLOW_DEAD, &flow->bits))
		return false;
	if (uncounted(flow)) {
		natflow_flow_fold(flow);
		natflow_ct_merge(flow->ct, &flow->window);
		natflow_ct_refresh(flow->ct);
		return true;
	}
	clear_bit(NATFLOW_FLOW_ACTIVE, &flow->bits);
	smp_mb__after_atomic();		/* ACTIVE before the last look at the counts */
	return uncounted(flow) && !test_and_set_bit(NATFLOW_FLOW_ACTIVE, &flow->bits);
}

static bool fold_last(struct natflow_flow *flow)
{
	fold_one(flow);
	return false;
}

static bool fold_urgent(struct natflow_flow *flow)
{
	if (natflow_attach_urgent(flow->nn, flow))
		natflow_flow_fold(flow);
	return true;
}

/* Call @stays for each active flow of @nn: does it stay on its CPU's list? */
static __always_inline void each_active(struct natflow_net *nn,
					bool (*stays)(struct natflow_flow *flow))
{
	struct natflow_flow *flow, *next;
	int cpu;

	if (!nn->pcpu)
		return;
	for_each_possible_cpu(cpu) {
		struct llist_head *list = &per_cpu_ptr(nn->pcpu, cpu)->active;
		struct llist_node *first = llist_del_all(list);

		llist_for_each_entry_safe(flow, next, first, link) {
			if (stays(flow))
				llist_add(&flow->link, list);
			else
				natflow_flow_put(flow);
			cond_resched();
		}
	}
}

static void check_bucket(struct natflow_bucket *b)
{
	unsigned int i;

	for (i = 0; i < NATFLOW_BUCKET_SLOTS; i++) {
		struct natflow_dir *dir = rcu_dereference(b->slot[i]);
		struct natflow_flow *flow;

		if (!dir)
			continue;
		flow = natflow_dir_owner(dir);
		if (!natflow_ct_alive(flow->ct))
			natflow_flow_end(flow, NATFLOW_END_CT_GONE);
	}
}

/* A part of a slice. Return: how many buckets a whole slice has. */
static u32 age_buckets(struct natflow_net *nn)
{
	struct natflow_table *table;
	unsigned int n;
	u32 slice;

	rcu_read_lock();
	table = rcu_dereference(nn->flows.table);
	slice = table->mask / SLICES + 1;
	for (n = 0; n < min(slice, BUCKETS_AT_ONCE); n++) {
		struct natflow_bucket *b = &table->bucket[nn->flows.slice++ & table->mask];

		if (READ_ONCE(b->tags))
			check_bucket(b);
	}
	rcu_read_unlock();
	return slice;
}

/* One slice of the published flows. */
static void age_table(struct natflow_net *nn)
{
	u32 done = 0;

	do {
		done += BUCKETS_AT_ONCE;
		cond_resched();
	} while (age_buckets(nn) > done);
}

/* Some unpublished flows, in turn. Their order, by age, stays. */
static void age_halves(struct natflow_net *nn)
{
	unsigned int n;

	rcu_read_lock();
	for (n = 0; n < HALVES_A_TICK; n++) {
		struct natflow_flow *flow = NULL;

		spin_lock_bh(&nn->flows.lock);
		if (nn->flows.half_hand == &nn->flows.halves)
			nn->flows.half_hand = nn->flows.halves.next;
		if (n < nn->flows.half_count) {
			flow = list_entry(nn->flows.half_hand, struct natflow_flow, half);
			nn->flows.half_hand = nn->flows.half_hand->next;
		}
		spin_unlock_bh(&nn->flows.lock);
		if (!flow)
			break;
		if (!natflow_ct_alive(flow->ct))
			natflow_flow_end(flow, NATFLOW_END_CT_GONE);
	}
	rcu_read_unlock();
}

static void whole_tick(struct natflow_net *nn)
{
	if (READ_ONCE(nn->flows.count)) {
		age_table(nn);
		age_halves(nn);
	}
	nn->flows.ticks++;
	natflow_doubt_tick(nn);
	natflow_rules_tick(nn, nn->flows.ticks % SLICES == 0);
	if (nn->flows.ticks % FOLD_TICKS == 0)
		each_active(nn, fold_one);
	if (nn->flows.ticks % SLICES == 0) {
		natflow_egress_keep_neighbours(nn);
		/* The last flow ended: the hooks may be unnecessary now. */
		if (!READ_ONCE(nn->flows.count) && READ_ONCE(nn->forwarding) &&
		    !READ_ONCE(nn->learning))
			natflow_hooks_kick(nn);
		if (READ_ONCE(nn->learning) && READ_ONCE(nn->incomplete))
			natflow_hooks_kick(nn);
	}
}

/**
 * natflow_ageing_tick() - the work of natflow_net.tick
 * @work: embedded work
 *
 * Context: process, without locks; re-arms itself.
 */
void natflow_ageing_tick(struct work_struct *work)
{
	struct natflow_net *nn = container_of(to_delayed_work(work), struct natflow_net, tick);
	s32 left = nn->flows.due - (u32)jiffies;

	if (READ_ONCE(nn->flows.urgent))
		each_active(nn, fold_urgent);
	if (left <= 0 || left > TICK) {
		nn->flows.due = (u32)jiffies + TICK;
		left = TICK;
		whole_tick(nn);
	}
	schedule_delayed_work(&nn->tick, READ_ONCE(nn->flows.urgent) ? min_t(s32, left, URGENT) :
									left);
}

/**
 * natflow_ageing_start() - start the tick; no effect if it runs
 * @nn: namespace
 */
void natflow_ageing_start(struct natflow_net *nn)
{
	schedule_delayed_work(&nn->tick, TICK);
}

/**
 * natflow_ageing_stop() - stop the tick and drop the references of active flows
 * @nn: namespace whose hooks are gone and whose flows are ended
 *
 * Context: process, may sleep; not under a lock the tick takes.
 */
void natflow_ageing_stop(struct natflow_net *nn)
{
	cancel_delayed_work_sync(&nn->tick);
	each_active(nn, fold_last);
}
