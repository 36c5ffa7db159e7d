// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flows, by position: first the slots of the table, then the unpublished flows by
 * their numbers. A position stays the same when the table changes, so a read in
 * pieces neither repeats nor loses a flow that stays.
 */
#include <linux/netdevice.h>
#include "flows.h"
#include "../core/base/attach.h"
#include "../core/base/ct.h"
#include "../core/topo/egress.h"
#include "../lib/text/filter.h"

static struct natflow_flow *flow_in_slot(const struct natflow_table *table, loff_t slot)
{
	const struct natflow_bucket *b = &table->bucket[(u32)slot / NATFLOW_BUCKET_SLOTS];
	struct natflow_dir *dir = rcu_dereference(b->slot[(u32)slot % NATFLOW_BUCKET_SLOTS]);

	if (!dir || dir->flags & NATFLOW_DIR_REPLY)
		return NULL;
	return natflow_dir_owner(dir);
}

/* The unpublished flow behind @before, or from @number on if @before is none (any more). */
static struct natflow_flow *half_from(struct natflow_net *nn, struct natflow_flow *before,
				      u64 number)
{
	struct natflow_flow *flow;

	spin_lock_bh(&nn->flows.lock);
	if (before && !test_bit(NATFLOW_FLOW_PUBLISHED, &before->bits) &&
	    !test_bit(NATFLOW_FLOW_DEAD, &before->bits)) {
		flow = list_next_entry(before, half);
	} else {
		list_for_each_entry(flow, &nn->flows.halves, half)
			if (flow->number >= number)
				break;
	}
	if (list_entry_is_head(flow, &nn->flows.halves, half))
		flow = NULL;
	spin_unlock_bh(&nn->flows.lock);
	return flow;
}

/**
 * natflow_flows_from() - the flow at a position, or the next one
 * @nn: namespace
 * @before: the flow that was found last, in the same RCU section, or NULL
 * @pos: position; moves to the flow's
 * @looks: slots of the table that may still be looked at in this RCU section; counts down
 *
 * Context: RCU read side.
 * Return: NULL if there is none any more, or if *@looks is 0.
 */
struct natflow_flow *natflow_flows_from(struct natflow_net *nn, struct natflow_flow *before,
					loff_t *pos, unsigned int *looks)
{
	const struct natflow_table *table = rcu_dereference(nn->flows.table);
	loff_t slots = table ? ((loff_t)table->mask + 1) * NATFLOW_BUCKET_SLOTS : 0;

	for (; *pos < slots; ++*pos, --*looks) {
		struct natflow_flow *flow;

		if (!*looks)
			return NULL;
		flow = flow_in_slot(table, *pos);

		if (flow)
			return flow;
	}
	before = half_from(nn, before, *pos - slots);
	if (before)
		*pos = slots + before->number;
	return before;
}

/**
 * natflow_flows_traffic() - packets and bytes of a direction, folded or not
 * @flow: flow
 * @d: direction, IP_CT_DIR_*
 * @packets: result, skbs
 * @bytes: result, of L3
 *
 * A fold between the two reads would count its packets twice.
 *
 * Context: RCU read side.
 */
void natflow_flows_traffic(struct natflow_flow *flow, unsigned int d, u64 *packets, u64 *bytes)
{
	const struct natflow_dir *dir = natflow_flow_dir(flow, d, natflow_flow_family(flow));
	u64 count;

	do {
		*packets = atomic64_read_acquire(&flow->packets[d]);
		*bytes = atomic64_read(&flow->bytes[d]);
		count = atomic64_read_acquire(&dir->count);
	} while (*packets != atomic64_read(&flow->packets[d]));
	*packets += count >> 40;
	*bytes += count & (BIT_ULL(40) - 1);
}

/** natflow_flows_state() - how far a flow's life has come */
enum natflow_flow_state natflow_flows_state(const struct natflow_flow *flow)
{
	if (test_bit(NATFLOW_FLOW_AMBIGUOUS, &flow->bits))
		return NATFLOW_STATE_AMBIGUOUS;
	if (test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits))
		return NATFLOW_STATE_PUBLISHED;
	return natflow_flow_learned(flow, 0) || natflow_flow_learned(flow, 1) ?
	       NATFLOW_STATE_HALF : NATFLOW_STATE_SELECTED;
}

/** natflow_flows_hw() - what hardware does with a flow */
enum natflow_flow_hw natflow_flows_hw(const struct natflow_flow *flow)
{
	const u8 state = READ_ONCE(flow->hw.state);

	if (!state && test_bit(NATFLOW_FLOW_HW, &flow->bits) &&
	    !natflow_attach_has(flow->nn, NATFLOW_SLOT_HW))
		return NATFLOW_HW_NO_BACK_END;
	return state;
}

static bool leaves_by(struct natflow_flow *flow, unsigned int dir, const char *name)
{
	const struct natflow_egress *eg =
		rcu_dereference(natflow_flow_dir(flow, dir, natflow_flow_family(flow))->egress);

	return eg && READ_ONCE(eg->alive) && !strcmp(eg->dev->name, name);
}

static bool comes_in_by(struct natflow_flow *flow, unsigned int dir, const char *name)
{
	const struct net_device *dev = dev_get_by_index_rcu(flow->nn->net,
							    READ_ONCE(flow->iif[dir]));

	return dev && !strcmp(dev->name, name);
}

static bool passes_device(struct natflow_flow *flow, const char *name)
{
	return comes_in_by(flow, 0, name) || comes_in_by(flow, 1, name) ||
	       leaves_by(flow, 0, name) || leaves_by(flow, 1, name);
}

/**
 * natflow_flows_match() - is a flow among those that a line "flush" names
 * @flow: flow
 * @filter: struct natflow_filter
 *
 * Context: RCU read side.
 */
bool natflow_flows_match(struct natflow_flow *flow, const void *filter)
{
	const struct natflow_filter *f = filter;
	u8 family = natflow_flow_family(flow);
	const struct natflow_key_tail *tail;
	const u8 *src, *dst;
	union natflow_key key;

	natflow_ct_key(flow->ct, IP_CT_DIR_ORIGINAL, 0, &key);
	tail = natflow_key_tail(&key, family);
	src = (const u8 *)&key;
	dst = src + (family == NFPROTO_IPV4 ? 4 : 16);
	if ((f->src_family && f->src_family != family) ||
	    (f->dst_family && f->dst_family != family))
		return false;
	return (!f->proto || f->proto == natflow_ct_proto(flow->ct)) &&
	       (!f->src_family || natflow_prefix_match(src, f->src, f->src_len)) &&
	       (!f->dst_family || natflow_prefix_match(dst, f->dst, f->dst_len)) &&
	       (!f->sport || f->sport == ntohs(tail->ports.sport)) &&
	       (!f->dport || f->dport == ntohs(tail->ports.dport)) &&
	       (!*f->dev || passes_device(flow, f->dev));
}
