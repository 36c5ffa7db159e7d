// SPDX-License-Identifier: GPL-2.0-only
/* Walks over all flows: to end those that match, to move them to another table. */
#include "flow.h"
#include "life.h"

/*
 * One walk over all flows. A walk that is interrupted at an object which it has
 * removed may skip others, and so may a walk during a resize of the hash. Only a
 * walk that ended no flow has seen all.
 */
static bool flush_once(struct natflow_net *nn, u64 last, enum natflow_reason reason,
		       bool (*match)(struct natflow_flow *flow, const void *arg), const void *arg)
{
	struct rhashtable_iter iter;
	struct natflow_flow *flow;
	bool ended = false;

	rhashtable_walk_enter(&nn->flows.by_ct, &iter);
	do {
		rhashtable_walk_start(&iter);
		while ((flow = rhashtable_walk_next(&iter)) && !IS_ERR(flow)) {
			if (flow->number <= last && (!match || match(flow, arg))) {
				natflow_flow_end(flow, reason);
				ended = true;
			}
			if (need_resched())
				break;
		}
		rhashtable_walk_stop(&iter);
		cond_resched();
	} while (flow);		/* -EAGAIN after a resize; or need_resched() */
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
 * It ends, however fast traffic selects new flows: those that were selected after it
 * began are left alone.
 *
 * Context: process, may sleep.
 */
void natflow_flow_flush(struct natflow_net *nn, enum natflow_reason reason,
			bool (*match)(struct natflow_flow *flow, const void *arg),
			const void *arg)
{
	u64 last;

	spin_lock_bh(&nn->flows.lock);
	last = nn->flows.seq;
	spin_unlock_bh(&nn->flows.lock);
	while (flush_once(nn, last, reason, match, arg))
		;
}

/* Move a published @flow to the new table. Return: true if there is no room for it. */
static bool has_no_place(struct natflow_flow *flow, const void *unused)
{
	struct natflow_net *nn = flow->nn;
	u8 family = natflow_flow_family(flow);
	struct natflow_table *table;
	bool ok = true;
	unsigned int i;

	spin_lock_bh(&nn->flows.lock);
	table = natflow_table_locked(nn);
	if (test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits) &&
	    !test_bit(NATFLOW_FLOW_DEAD, &flow->bits)) {
		ok = nn->flows.count <= table->limit;
		for (i = 0; i < 2 && ok; i++) {
			struct natflow_dir *dir = natflow_flow_dir(flow, i, family), *twin;

			twin = natflow_table_find(nn, table, natflow_dir_key(dir), family);
			ok = twin ? twin == dir : natflow_table_insert(nn, table, dir, family);
		}
	}
	spin_unlock_bh(&nn->flows.lock);
	return !ok;
}

/**
 * natflow_flow_resize() - move all flows to a table of another size
 * @nn: namespace
 * @table: new and empty; owned by @nn from here on
 *
 * Flows move one by one. The packets of a flow that has not moved yet take the
 * stack. Flows beyond the new limit end.
 *
 * Context: process, may sleep, natflow_net.lock held.
 */
void natflow_flow_resize(struct natflow_net *nn, struct natflow_table *table)
{
	struct natflow_table *old;

	lockdep_assert_held(&nn->lock);
	old = natflow_table_replace(nn, table);
	natflow_flow_flush(nn, NATFLOW_END_DISABLED, has_no_place, NULL);
	synchronize_rcu();
	natflow_table_free(old);
}
