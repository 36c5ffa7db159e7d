// SPDX-License-Identifier: GPL-2.0-only
/*
 * Evidence of what the stack does with the packets of one direction.
 *
 * Rules may change packets, or set marks and priorities, by anything that
 * differs between packets: a header field, a length, a rate, chance.
 *   - A header field that the stack changes by more than natflow would: the
 *     direction is "rewritten".
 *   - A mark or priority that goes with a header field, an ECN codepoint, a mark
 *     of tc's ingress, or in a namespace whose rules classify, a length: a packet
 *     is fast only if it came in like packets that were seen.
 *   - Packets that came in alike and left with different marks or priorities: the
 *     direction "varies". Where rules classify, so many of its first packets take
 *     the stack that a limit or a statistic shows, and later one in 5 s.
 * A direction that is rewritten or varies stays with the stack while its flow lives.
 */
#include "../base/clock.h"
#include "seen.h"

static u8 ecn_bit(u64 look)
{
	return BIT(natflow_look_ecn(look));
}

/* Did the last packet arrive like this one, apart from length and ECN codepoint? */
static bool came_alike(const struct natflow_dir *dir, const struct natflow_meta *m,
		       const struct natflow_lesson *l)
{
	return natflow_look_alike(dir->look, l->in.look) &&
	       m->in_mark == l->in.mark && m->in_priority == l->in.priority &&
	       m->ct_mark == l->ct_mark && m->strict == l->strict;
}

static bool left_alike(const struct natflow_meta *m, const struct natflow_lesson *l)
{
	return m->mark == l->mark && m->priority == l->priority;
}

/* Was this ECN codepoint seen before? */
static bool is_ecn_seen(const struct natflow_meta *m, const struct natflow_note *in)
{
	return m->ecn & ecn_bit(in->look);
}

/* Is this length inside the range that was seen, if lengths are compared? */
static bool is_length_seen(const struct natflow_meta *m, const struct natflow_note *in)
{
	return !m->strict || (m->min <= in->len && in->len <= m->max);
}

/* The packet was treated like the ones before: extend what was seen. */
static void widen(struct natflow_meta *m, const struct natflow_lesson *l)
{
	m->ecn |= ecn_bit(l->in.look);
	m->min = min(m->min, l->in.len);
	m->max = max(m->max, l->in.len);
}

/* Start anew with this packet. */
static void begin_anew(struct natflow_meta *m, const struct natflow_lesson *l)
{
	m->in_mark = l->in.mark;
	m->in_priority = l->in.priority;
	m->mark = l->mark;
	m->priority = l->priority;
	m->ct_mark = l->ct_mark;
	m->strict = l->strict;
	m->ecn = ecn_bit(l->in.look);
	m->min = l->in.len;
	m->max = l->in.len;
}

/*
 * Did the stack treat packets that arrived alike differently? Changed rules or routes
 * do not count, nor does the first mark in a namespace without known classifying rules.
 */
static bool contradicts(const struct natflow_dir *dir, const struct natflow_meta *m,
			const struct natflow_lesson *l)
{
	return l->strict && dir->clock == l->clock && came_alike(dir, m, l) &&
	       is_ecn_seen(m, &l->in) && is_length_seen(m, &l->in) && !left_alike(m, l);
}

static bool needs_meta(const struct natflow_meta *m)
{
	return m->in_mark || m->in_priority || m->mark || m->priority || m->strict || m->watched;
}

/**
 * natflow_seen_write() - record what a packet teaches about its direction
 * @flow: flow, flows.lock held
 * @d: direction, IP_CT_DIR_*
 * @l: what was seen
 *
 * Readers take no lock. The packet path loads natflow_dir.look once and compares it
 * with the packet. Equal words have no flag, so natflow_flow.meta is not needed.
 * Otherwise natflow_seen_read() retries by natflow_flow.seq. (On 32-bit machines
 * these are two loads. During a write a packet may then match with the TTL of one
 * packet and the flow label of another, both of which left without a mark.)
 */
void natflow_seen_write(struct natflow_flow *flow, unsigned int d, const struct natflow_lesson *l)
{
	struct natflow_dir *dir = natflow_flow_dir(flow, d, natflow_flow_family(flow));
	struct natflow_meta *m = &flow->meta[d];
	const bool learned = natflow_flow_learned(flow, d);
	const bool alike = learned && came_alike(dir, m, l) && left_alike(m, l);
	u64 flags = dir->look & (NATFLOW_DIR_REWRITTEN | NATFLOW_DIR_VARIES);

	lockdep_assert_held(&flow->nn->flows.lock);
	if (l->look != l->in.look - 1)
		flags |= NATFLOW_DIR_REWRITTEN;
	if (learned && contradicts(dir, m, l))
		flags |= NATFLOW_DIR_VARIES;
	WRITE_ONCE(flow->seq, flow->seq + 1);
	smp_wmb();		/* odd before any change; pairs with smp_rmb() of the reader */
	m->alike = alike ? min(m->alike + 1, NATFLOW_ALIKE) : 1;
	if (alike && dir->clock == l->clock)
		widen(m, l);
	else
		begin_anew(m, l);
	m->seen = natflow_tick_now();
	m->watch_from = l->watch.from;
	m->watched = l->watch.on && d == IP_CT_DIR_ORIGINAL;
	if (flags || needs_meta(m))
		flags |= NATFLOW_DIR_COLD;
	WRITE_ONCE(dir->look, l->in.look | flags);
	smp_store_release(&flow->seq, flow->seq + 1);	/* pairs with the reader's load-acquire */
}

static bool try_read(const struct natflow_flow *flow, const struct natflow_dir *dir,
		     const struct natflow_meta *meta, struct natflow_seen *seen)
{
	u32 seq = smp_load_acquire(&flow->seq);	/* pairs with the writer's release */

	seen->look = READ_ONCE(dir->look);
	seen->meta = data_race(*meta);	/* discarded if the sequence moved */
	smp_rmb();		/* the copy before the second look; pairs with smp_wmb() */
	return !(seq & 1) && seq == READ_ONCE(flow->seq);
}

/**
 * natflow_seen_read() - what was learned of a direction, as one
 * @flow: flow, found under RCU
 * @dir: one of its directions
 * @seen: filled in
 *
 * Context: RCU read side, BH disabled; flows.lock not held. It is taken only if
 * another CPU writes at the same moment.
 */
void natflow_seen_read(struct natflow_flow *flow, const struct natflow_dir *dir,
		       struct natflow_seen *seen)
{
	const struct natflow_meta *meta = natflow_dir_meta(flow, dir);

	if (likely(try_read(flow, dir, meta, seen)))
		return;
	spin_lock(&flow->nn->flows.lock);
	seen->look = dir->look;
	seen->meta = *meta;
	spin_unlock(&flow->nn->flows.lock);
}

/**
 * natflow_seen_verdict() - would the stack treat a packet like the ones that were seen
 * @seen: what was learned of the packet's direction
 * @in: how the packet came in
 *
 * Return: NATFLOW_OK, or the reason why the stack must have it.
 */
enum natflow_reason natflow_seen_verdict(const struct natflow_seen *seen,
					 const struct natflow_note *in)
{
	const struct natflow_meta *m = &seen->meta;
	u64 diff = seen->look ^ in->look;

	if (seen->look & NATFLOW_DIR_REWRITTEN)
		return NATFLOW_REWRITTEN;
	if (seen->look & NATFLOW_DIR_VARIES)
		return NATFLOW_VARIES;
	if (diff & NATFLOW_LOOK_TTL)
		return NATFLOW_TTL_DIFFERS;
	if (diff & NATFLOW_LOOK_DSCP)
		return NATFLOW_DSCP_DIFFERS;
	if (diff & NATFLOW_LOOK_LABEL)
		return NATFLOW_LABEL_DIFFERS;
	if (m->in_mark != in->mark || m->in_priority != in->priority)
		return NATFLOW_MARK_DIFFERS;
	if (!is_ecn_seen(m, in))
		return NATFLOW_ECN_DIFFERS;
	if (!is_length_seen(m, in))
		return NATFLOW_LENGTH_DIFFERS;
	return m->strict && m->alike < NATFLOW_ALIKE ? NATFLOW_SAMPLED : NATFLOW_OK;
}
