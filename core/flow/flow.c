// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a flow: selected, learned, published, ended, freed. See the
 * state machine in object.h.
 */
#include <linux/hash.h>
#include <linux/slab.h>
#include "../base/attach.h"
#include "../base/charge.h"
#include "../base/clock.h"
#include "../base/ct.h"
#include "../topo/egress.h"
#include "flow.h"
#include "life.h"

#define CREATE_TRACE_POINTS
#include "../base/trace.h"

/* flow_limit ended flows that are not freed yet stop new flows, but never fewer than this. */
#define DEAD_LIMIT_MIN 1024U

static struct kmem_cache *flow_cache[NATFLOW_FAMILIES] __ro_after_init;
static struct workqueue_struct *undertakers __ro_after_init;

static u32 hash_ct(const void *key, u32 len, u32 seed)
{
	return hash_long((unsigned long)*(const struct nf_conn * const *)key ^ seed, 32);
}

/* Return: 0 if they are the same. */
static int compare_ct(struct rhashtable_compare_arg *arg, const void *flow)
{
	return ((const struct natflow_flow *)flow)->ct != *(struct nf_conn * const *)arg->key;
}

/* Keys are addresses that the kernel chose: one multiplication spreads them. */
static const struct rhashtable_params by_ct_params = {
	.hashfn = hash_ct,
	.obj_cmpfn = compare_ct,
	.key_len = sizeof(struct nf_conn *),
	.key_offset = offsetof(struct natflow_flow, ct),
	.head_offset = offsetof(struct natflow_flow, node),
	.nelem_hint = 1,		/* an idle namespace has a small hash */
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
	return rhashtable_lookup(&nn->flows.by_ct, &ct, by_ct_params);
}

/* @flow is not reachable, and its last packets have been forwarded. */
static void flow_free(struct natflow_flow *flow)
{
	u8 family = natflow_flow_family(flow);
	unsigned int i;

	natflow_flow_fold(flow);
	if (test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits)) {
		natflow_attach_gone(flow->nn, flow, flow->number);
		natflow_ct_merge(flow->ct, &flow->window);
	}
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
 * Free ended flows after a grace period. A worker does so, not call_rcu(): after
 * many ends at once a softirq would run its callbacks for milliseconds, and packets
 * would wait.
 */
static void free_dead(struct work_struct *work)
{
	struct natflow_net *nn = container_of(work, struct natflow_net, flows.undertaker);
	struct llist_node *dead = llist_del_all(&nn->flows.dead);
	struct natflow_flow *flow, *next;

	synchronize_rcu();
	llist_for_each_entry_safe(flow, next, dead, link) {
		flow_free(flow);
		atomic_dec(&nn->flows.dead_count);
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

	if (refcount_dec_and_test(&flow->ref) && llist_add(&flow->link, &nn->flows.dead))
		queue_work(undertakers, &nn->flows.undertaker);
}

/**
 * natflow_flow_half_del() - take a flow off the list of halves
 * @flow: selected flow that is published now, or ends
 *
 * Context: natflow_net.flows.lock held.
 */
void natflow_flow_half_del(struct natflow_flow *flow)
{
	struct natflow_net *nn = flow->nn;

	lockdep_assert_held(&nn->flows.lock);
	if (nn->flows.half_hand == &flow->half)
		nn->flows.half_hand = flow->half.next;
	list_del(&flow->half);
	nn->flows.half_count--;
}

/**
 * natflow_flow_unlink() - make a flow unreachable: take it out of every list
 * @flow: flow; natflow_flow_retire() follows, outside the lock
 *
 * Context: natflow_net.flows.lock held.
 * Return: false if another CPU has done so.
 */
bool natflow_flow_unlink(struct natflow_flow *flow)
{
	struct natflow_net *nn = flow->nn;
	u8 family = natflow_flow_family(flow);

	lockdep_assert_held(&nn->flows.lock);
	if (test_and_set_bit(NATFLOW_FLOW_DEAD, &flow->bits))
		return false;
	if (test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits)) {
		struct natflow_table *table = natflow_table_locked(nn);

		natflow_table_remove(nn, table, natflow_flow_dir(flow, 0, family), family);
		natflow_table_remove(nn, table, natflow_flow_dir(flow, 1, family), family);
		nn->flows.tcp -= natflow_ct_proto(flow->ct) == IPPROTO_TCP;
	} else {
		natflow_flow_half_del(flow);
	}
	rhashtable_remove_fast(&nn->flows.by_ct, &flow->node, by_ct_params);
	nn->flows.count--;
	atomic_inc(&nn->flows.dead_count);
	return true;
}

/**
 * natflow_flow_retire() - the rest of an end: count it, fold, give the flow to conntrack
 * @flow: flow after natflow_flow_unlink(); the reference of the lists is dropped
 * @reason: one of NATFLOW_END_*
 *
 * Context: BH disabled, natflow_net.flows.lock not held.
 */
void natflow_flow_retire(struct natflow_flow *flow, enum natflow_reason reason)
{
	trace_end(flow->ct, reason);
	natflow_stats_reason(flow->nn->pcpu, reason);
	if (test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits)) {
		natflow_flow_fold(flow);
		natflow_attach_end(flow->nn, flow, flow->number, reason);
		natflow_ct_close_window(flow->ct, &flow->window);
	}
	natflow_flow_put(flow);
}

/**
 * natflow_flow_end() - give a flow back to the stack, for good
 * @flow: flow, found under RCU or referenced
 * @reason: one of NATFLOW_END_*
 *
 * When it returns, no packet finds the flow. Packets that found it before are
 * forwarded and counted until the end of their RCU section.
 *
 * Context: RCU read side or a reference held; any but hard irq.
 */
void natflow_flow_end(struct natflow_flow *flow, enum natflow_reason reason)
{
	struct natflow_net *nn = flow->nn;
	bool mine;

	local_bh_disable();
	spin_lock(&nn->flows.lock);
	mine = natflow_flow_unlink(flow);
	spin_unlock(&nn->flows.lock);
	if (mine)
		natflow_flow_retire(flow, reason);
	local_bh_enable();
}

/**
 * natflow_flow_count() - add packets that conntrack has not seen
 * @flow: flow with a reference, or in its last moment
 * @dir: their direction, IP_CT_DIR_*
 * @f: how many
 *
 * Context: any but hard irq.
 */
void natflow_flow_count(struct natflow_flow *flow, unsigned int dir,
			const struct natflow_folded *f)
{
	atomic64_add(f->packets, &flow->packets[dir]);
	atomic64_add(f->bytes, &flow->bytes[dir]);
	natflow_ct_account(flow->ct, dir, f->packets, f->bytes);
	natflow_attach_fold(flow->nn, flow, flow->number, dir, f);
	WRITE_ONCE(flow->used, jiffies);
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
		struct natflow_folded f = {
			.packets = count >> 40, .bytes = count & (BIT_ULL(40) - 1),
		};

		if (!count)
			continue;
		/* The packet path adds to ->count last: what is missing here comes next time. */
		count = atomic64_read(&flow->extra[i]) ? atomic64_xchg(&flow->extra[i], 0) : 0;
		f.wire_packets = f.packets + (count >> 40);
		f.wire_bytes = f.bytes + (count & (BIT_ULL(40) - 1));
		natflow_flow_count(flow, i, &f);
	}
}

/* True if this direction had a hit in this tick of the packet path or the two before. */
static bool is_busy(const struct natflow_dir *dir)
{
	return (u16)(natflow_tick_now() - READ_ONCE(dir->tick)) <= 2;
}

/*
 * The clock hand meets each flow once a turn, at its original direction. Traffic
 * since the last turn gives it a second chance. Traffic in the last 128 ms saves it
 * however fast the hand turns.
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
		struct natflow_bucket *b = &table->bucket[nn->flows.clock_hand++ & table->mask];

		for (i = 0; i < NATFLOW_BUCKET_SLOTS; i++) {
			struct natflow_dir *dir =
				rcu_dereference_protected(b->slot[i],
							  lockdep_is_held(&nn->flows.lock));
			struct natflow_flow *flow;

			if (!dir || dir->flags & NATFLOW_DIR_REPLY)
				continue;
			flow = natflow_dir_owner(dir);
			if (is_victim(flow))
				return flow;
		}
	}
	return NULL;
}

/*
 * Make room for one more object. Unpublished flows compete only with each other,
 * for an eighth of the limit: a flood that is never answered cannot evict a flow
 * that carries traffic.
 */
static struct natflow_flow *make_room(struct natflow_net *nn, enum natflow_reason *why)
{
	u32 limit = natflow_table_locked(nn)->limit;
	struct natflow_flow *victim = NULL;

	lockdep_assert_held(&nn->flows.lock);
	if (nn->flows.half_count >= clamp(limit / 8, 4U, NATFLOW_HALVES_MAX)) {
		victim = list_first_entry(&nn->flows.halves, struct natflow_flow, half);
		*why = NATFLOW_END_HALF;
	} else if (nn->flows.count >= limit) {
		victim = find_victim(nn);
		*why = NATFLOW_END_EVICTED;
	}
	if (victim && !natflow_flow_unlink(victim))
		victim = NULL;
	return victim;
}

static struct natflow_flow *flow_alloc(struct natflow_net *nn, struct nf_conn *ct, bool hw)
{
	u8 family = nf_ct_l3num(ct), index = natflow_family_index(family);
	struct mem_cgroup *before = natflow_charge_begin(nn);
	struct natflow_flow *flow = kmem_cache_zalloc(flow_cache[index], NATFLOW_GFP_PACKET);

	natflow_charge_end(before);
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
	natflow_flow_dir(flow, 0, family)->flags = index * NATFLOW_DIR_V6;
	natflow_flow_dir(flow, 1, family)->flags = index * NATFLOW_DIR_V6 | NATFLOW_DIR_REPLY;
	return flow;
}

/* Enter @flow, under the lock. Return: 0, or an errno that leaves everything as it was. */
static int enter(struct natflow_net *nn, struct natflow_flow *flow)
{
	int err;

	if (nn->flows.count >= natflow_table_locked(nn)->limit)
		return -ENOSPC;
	err = rhashtable_lookup_insert_fast(&nn->flows.by_ct, &flow->node, by_ct_params);
	if (err)
		return err;
	flow->number = ++nn->flows.seq;
	list_add_tail(&flow->half, &nn->flows.halves);
	nn->flows.half_count++;
	nn->flows.count++;
	nn->flows.peak = max(nn->flows.peak, nn->flows.count);
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
	/* This bounds memory when flows end faster than they are freed. */
	if (atomic_read(&nn->flows.dead_count) >=
	    max(READ_ONCE(nn->config.flow_limit), DEAD_LIMIT_MIN))
		return NATFLOW_LEARN_FULL;
	flow = flow_alloc(nn, ct, hw);
	if (!flow)
		return NATFLOW_LEARN_NO_MEMORY;

	spin_lock_bh(&nn->flows.lock);
	victim = make_room(nn, &why);
	err = enter(nn, flow);
	spin_unlock_bh(&nn->flows.lock);

	if (victim)
		natflow_flow_retire(victim, why);
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

/**
 * natflow_flow_start() - memory for flows, unless a namespace has it
 * @nn: namespace
 *
 * It comes with the first rule or setting that selects flows, and is charged to the
 * process that makes it. Locks of x_tables or nf_tables may be held.
 *
 * Context: process, may sleep; before a packet can see the rule, or a hook.
 * Return: 0 or -ENOMEM.
 */
int natflow_flow_start(struct natflow_net *nn)
{
	struct natflow_table *table;
	int err = natflow_charge_start(nn);

	if (err || rcu_access_pointer(nn->flows.table))
		return err;
	table = natflow_table_alloc(READ_ONCE(nn->config.flow_limit));
	if (!table)
		return -ENOMEM;
	if (!natflow_table_offer(nn, table))
		natflow_table_free(table);
	return 0;
}

/**
 * natflow_flow_net_init() - no flows, and no table yet
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_flow_net_init(struct natflow_net *nn)
{
	spin_lock_init(&nn->flows.lock);
	init_llist_head(&nn->flows.dead);
	INIT_WORK(&nn->flows.undertaker, free_dead);
	INIT_LIST_HEAD(&nn->flows.halves);
	nn->flows.half_hand = &nn->flows.halves;
	return rhashtable_init(&nn->flows.by_ct, &by_ct_params);
}

/**
 * natflow_flow_net_exit() - free the table of a namespace
 * @nn: namespace without hooks, timers and flows
 *
 * Context: process, may sleep.
 */
void natflow_flow_net_exit(struct natflow_net *nn)
{
	struct natflow_table *old = natflow_table_replace(nn, NULL);

	if (old)
		synchronize_rcu();
	natflow_table_free(old);
	rhashtable_destroy(&nn->flows.by_ct);
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
	/* It frees memory, so it must run without memory for a new worker. */
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
