// SPDX-License-Identifier: GPL-2.0-only
/* Write a lesson into a flow, and publish the flow when both directions are learned. */
#include "../base/attach.h"
#include "../base/clock.h"
#include "../base/ct.h"
#include "../topo/egress.h"
#include "flow.h"
#include "life.h"
#include "seen.h"

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

/* Both directions share one edition: a direction of another one takes the stack first. */
static void note_edition(struct natflow_flow *flow, unsigned int d, u32 edition)
{
	if (flow->edition != edition)
		clear_bit(NATFLOW_FLOW_CURRENT0 + !d, &flow->bits);
	WRITE_ONCE(flow->edition, edition);
	set_bit(NATFLOW_FLOW_CURRENT0 + d, &flow->bits);
}

/*
 * What is done to packets of the direction. If they leave with another DSCP now, and those
 * of the other direction get the same, these are stale: the next one takes the stack.
 */
static void write_treat(struct natflow_flow *flow, unsigned int d, const struct natflow_lesson *l)
{
	const u8 family = natflow_flow_family(flow);
	struct natflow_dir *dir = natflow_flow_dir(flow, d, family);
	struct natflow_dir *other = natflow_flow_dir(flow, !d, family);
	u8 treat = l->dscp << 2;

	if (l->linked && l->dscp != natflow_look_dscp(l->in.look))
		treat |= NATFLOW_DIR_MORE;
	else if (flow->limit)
		treat |= dir->treat & NATFLOW_DIR_TREATED;
	if ((treat ^ dir->treat) >> 2 && flow->meta[!d].linked) {
		clear_bit(NATFLOW_FLOW_CURRENT0 + !d, &flow->bits);
		WRITE_ONCE(other->clock, natflow_clock(flow->nn, family) - 1);
	}
	flow->meta[d].linked = l->linked;
	WRITE_ONCE(dir->treat, treat);
}

/*
 * Write the lesson into the direction. Readers use a published direction at the same
 * time: its key and rewrite stay. The clock is stored last and read first, so a
 * reader of the new clock sees the new egress.
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
	flow->l3[d] = l->l3;
	note_edition(flow, d, l->edition);
	natflow_seen_write(flow, d, l);
	write_treat(flow, d, l);
	old = rcu_replace_pointer(dir->egress, l->egress, lockdep_is_held(&flow->nn->flows.lock));
	l->egress = NULL;
	/* After everything else; pairs with the path's load-acquire. */
	smp_store_release(&dir->clock, l->clock);
	set_bit(NATFLOW_FLOW_LEARNED0 + d, &flow->bits);
	return old;
}

/* Why all packets of this direction stay with the stack, or NATFLOW_OK. */
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

/* Two live flows have the same key: the packets of both take the stack. */
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
		if (*dead || !natflow_flow_unlink(other))
			return NATFLOW_LEARN_HALF;	/* the next packet publishes it */
		*dead = other;
	}
	if (!natflow_ct_window(flow->ct, &flow->window))
		return NATFLOW_LEARN_TCP_STATE;
	if (!natflow_table_insert(nn, table, dir[0], family))
		return NATFLOW_LEARN_BUCKET;
	if (!natflow_table_insert(nn, table, dir[1], family)) {
		natflow_table_remove(nn, table, dir[0], family);
		return NATFLOW_LEARN_BUCKET;
	}
	natflow_flow_half_del(flow);
	set_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits);
	nn->flows.tcp += natflow_ct_proto(flow->ct) == IPPROTO_TCP;
	natflow_attach_bind(nn, flow, flow->number);
	return NATFLOW_OK;
}

/*
 * An event was missed if the route generation is the same, the fields and the mark
 * are the same, and the stack yet sent this packet to another next hop.
 */
static bool missed_event(struct natflow_flow *flow, unsigned int d,
			 const struct natflow_lesson *l)
{
	const struct natflow_dir *dir = natflow_flow_dir(flow, d, natflow_flow_family(flow));
	const struct natflow_egress *eg =
		rcu_dereference_protected(dir->egress, lockdep_is_held(&flow->nn->flows.lock));

	return eg != l->egress && READ_ONCE(eg->alive) && dir->clock == l->clock &&
	       natflow_look_alike(dir->look, l->in.look) && flow->meta[d].mark == l->mark;
}

/* The part of learning that needs the lock. */
static enum natflow_reason learn_locked(struct natflow_flow *flow, unsigned int d,
					struct natflow_lesson *lesson,
					struct natflow_egress **old, struct natflow_flow **dead)
{
	const struct natflow_dir *dir = natflow_flow_dir(flow, d, natflow_flow_family(flow));

	lockdep_assert_held(&flow->nn->flows.lock);
	if (test_bit(NATFLOW_FLOW_DEAD, &flow->bits))
		return NATFLOW_LEARN_DYING;
	if (test_bit(NATFLOW_FLOW_AMBIGUOUS, &flow->bits))
		return NATFLOW_LEARN_AMBIGUOUS;
	if (test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits)) {
		if (!same_key(flow, d, &lesson->key)) {
			natflow_flow_unlink(flow);
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

	spin_lock_bh(&nn->flows.lock);
	reason = learn_locked(flow, d, lesson, &old, &dead);
	spin_unlock_bh(&nn->flows.lock);

	if (old)
		natflow_egress_put(old);
	if (lesson->egress)
		natflow_egress_put(lesson->egress);
	if (dead == flow) {
		bool hw = test_bit(NATFLOW_FLOW_HW, &flow->bits);
		struct nf_conn *ct = flow->ct;

		natflow_flow_retire(flow, NATFLOW_END_REPLACED);
		natflow_flow_select(nn, ct, hw, &again);
	} else if (dead) {
		natflow_flow_retire(dead, NATFLOW_END_CT_GONE);
	}
	return reason;
}

/**
 * natflow_flow_confirm() - the stack would still send this direction to its egress
 * @flow: flow, found under RCU
 * @dir: one of its directions
 * @eg: egress that was asked about
 * @edition: of the family, sampled before the lookup
 * @clock: of the family, sampled before @edition
 *
 * The lock keeps this stamp from a lesson that another CPU writes.
 *
 * Context: RCU read side, BH disabled, flows.lock not held.
 * Return: false if the direction has another egress meanwhile, or the flow ended.
 */
bool natflow_flow_confirm(struct natflow_flow *flow, struct natflow_dir *dir,
			  const struct natflow_egress *eg, u32 edition, u32 clock)
{
	const unsigned long ended = BIT(NATFLOW_FLOW_DEAD) | BIT(NATFLOW_FLOW_AMBIGUOUS);
	bool ok;

	spin_lock(&flow->nn->flows.lock);
	ok = !(READ_ONCE(flow->bits) & ended) && rcu_access_pointer(dir->egress) == eg &&
	     natflow_flow_is_of(flow, dir, edition);
	if (ok)
		smp_store_release(&dir->clock, clock);	/* as in write_dir() */
	spin_unlock(&flow->nn->flows.lock);
	return ok;
}
