// SPDX-License-Identifier: GPL-2.0-only
/* What one flow's client says, put together until it is a name or the budget is spent. */
#include <linux/slab.h>
#include "../core/base/segment.h"
#include "../policy/client.h"
#include "dns.h"
#include "inspection.h"
#include "outcome.h"
#include "quic.h"
#include "record.h"
#include "stream.h"
#include "tcp.h"

#define REQUESTS_AT_ONCE 32	/* concluded with one packet of the server */

/* -- the cache of conntracks that pass */

static void unpass(struct natflow_inspection *in)
{
	struct nf_conn **slot = natflow_url_passing(in->ul, in->ct);

	if (READ_ONCE(*slot) == in->ct)
		WRITE_ONCE(*slot, NULL);
}

/**
 * natflow_inspection_pass() - enter or leave the cache of conntracks that pass
 * @in: inspection, its lock held
 *
 * To be called after each change, before the lock is released.
 */
void natflow_inspection_pass(struct natflow_inspection *in)
{
	struct nf_conn **slot = natflow_url_passing(in->ul, in->ct);

	lockdep_assert_held(&in->lock);
	if (in->state != NATFLOW_INSPECTION_DECIDED || natflow_url_blocks(in->action))
		unpass(in);
	else if (READ_ONCE(*slot) != in->ct)
		WRITE_ONCE(*slot, in->ct);
}

/**
 * natflow_inspection_free() - one that nobody finds any more
 * @rcu: embedded head
 */
void natflow_inspection_free(struct rcu_head *rcu)
{
	struct natflow_inspection *in = container_of(rcu, struct natflow_inspection, rcu);

	unpass(in);
	natflow_stream_free(in->ul, &in->gather);
	natflow_stream_give(in->ul, in->quic, sizeof(*in->quic));
	natflow_ct_put(in->ct);
	kfree(in->host);
	kfree(in);
}

/* -- a packet of a flow */

/* Does the server's packet acknowledge the bytes that hold the request? */
static bool is_acknowledged(const struct natflow_inspection *in, const struct natflow_segment *s)
{
	if (!natflow_inspection_complete(in))
		return false;
	return s->proto == IPPROTO_UDP ||
	       (s->flags & NATFLOW_TCP_ACK && (s32)(s->ack - in->base - in->end) >= 0);
}

/* A packet of the server. Return: NATFLOW_OK or the outcome. */
static enum natflow_reason hear(struct natflow_inspection *in, const struct natflow_segment *s,
				struct natflow_workspace *w)
{
	enum natflow_reason reason = NATFLOW_OK;
	unsigned int n = 0;

	/* Protocols in which the server speaks first carry no name. */
	if (!is_acknowledged(in, s))
		return s->proto == IPPROTO_TCP && s->len && !in->packets ? NATFLOW_NAME_NONE :
									   NATFLOW_OK;
	/* The buffer may hold more requests: some are read now, the rest with later packets. */
	while (n < REQUESTS_AT_ONCE && !reason && is_acknowledged(in, s)) {
		n += !in->chunks;
		reason = natflow_reading_try(in, w, NATFLOW_ACK_RECEIVED);
		if (reason || in->state != NATFLOW_INSPECTION_GATHERING)
			break;
		reason = natflow_reading_try(in, w, NATFLOW_ACK_NO_NEWS);
	}
	return reason;
}

/* Can this packet change what is known? */
static bool is_news(const struct natflow_inspection *in, const struct natflow_segment *s)
{
	if (s->dir == IP_CT_DIR_REPLY)
		return natflow_inspection_complete(in) || (s->proto == IPPROTO_TCP && s->len);
	return s->len || (in->gather.prefix > in->at && !natflow_inspection_complete(in));
}

static void look_into(struct natflow_inspection *in, const struct natflow_segment *s)
{
	const bool tcp = s->proto == IPPROTO_TCP, said = s->len && s->dir == IP_CT_DIR_ORIGINAL;
	struct natflow_workspace *w;
	enum natflow_reason reason;

	if (said && !in->packets) {
		in->born = jiffies;
		natflow_client_note(&in->client, s, NULL);
	}
	if (tcp && said && !natflow_inspection_complete(in))
		in->packets++;
	w = kmalloc(tcp ? offsetof(struct natflow_workspace, quic) : sizeof(*w),
		    GFP_ATOMIC | __GFP_NOWARN);
	if (!w) {
		natflow_outcome_without(in, NATFLOW_NAME_MEMORY);
		return;
	}
	if (s->dir == IP_CT_DIR_REPLY)
		reason = hear(in, s, w);
	else
		reason = tcp ? natflow_tcp_seek(in, s, w) : natflow_quic_seek(in, s, w);
	if (!natflow_inspection_decided(in) && !reason && natflow_inspection_spent(in))
		reason = natflow_inspection_complete(in) ?
			 natflow_reading_try(in, w, NATFLOW_ACK_OVERDUE) :
			 natflow_inspection_give_up(in);
	kfree(w);
	if (!natflow_inspection_decided(in) && reason)
		natflow_outcome_without(in, reason);
}

/**
 * natflow_inspection_seek() - inspect a packet of an undecided flow
 * @in: inspection, its lock held
 * @s: packet, of either direction
 *
 * Context: RCU read side, BH disabled.
 * Return: false if the packet is to be dropped: the server may not accept it.
 */
bool natflow_inspection_seek(struct natflow_inspection *in, const struct natflow_segment *s)
{
	u16 doubts = in->doubts;

	if (s->dir == IP_CT_DIR_ORIGINAL && !in->client.family)
		natflow_client_note(&in->client, s, NULL);
	if (s->proto == IPPROTO_TCP && s->dir == IP_CT_DIR_ORIGINAL && !in->based && !s->len)
		natflow_tcp_note_base(in, s->seq);
	if (natflow_tcp_is_blank(in, s))
		natflow_inspection_watch(in, in->gather.prefix - in->at, NATFLOW_OK);
	if (natflow_inspection_decided(in) || !is_news(in, s))
		return true;
	look_into(in, s);
	return in->doubts == doubts || !natflow_names_setting(in->ul, NATFLOW_NAMES_CLOSED);
}

/* No more packets came in time. */
static void time_out(struct natflow_inspection *in)
{
	struct natflow_workspace *w = NULL;
	enum natflow_reason reason = NATFLOW_OK;

	lockdep_assert_held(&in->lock);
	if (natflow_inspection_complete(in))
		w = kmalloc(sizeof(*w), GFP_ATOMIC | __GFP_NOWARN);
	if (w)
		reason = natflow_reading_try(in, w, NATFLOW_ACK_OVERDUE);
	kfree(w);
	if (!natflow_inspection_decided(in))
		natflow_outcome_without(in, reason ?: natflow_inspection_give_up(in));
}

/**
 * natflow_inspection_age() - end an inspection that takes too long
 * @in: inspection
 *
 * Context: process, RCU read side.
 */
void natflow_inspection_age(struct natflow_inspection *in)
{
	if (READ_ONCE(in->state) >= NATFLOW_INSPECTION_DECIDED || !natflow_inspection_late(in))
		return;
	spin_lock_bh(&in->lock);
	if (!natflow_inspection_decided(in))
		time_out(in);
	spin_unlock_bh(&in->lock);
}

/**
 * natflow_inspection_review() - rules changed: judge the flow's name by the new ones
 * @in: inspection
 *
 * Context: process, RCU read side.
 * Return: true if the flow's packets are blocked now.
 */
bool natflow_inspection_review(struct natflow_inspection *in)
{
	bool blocked;

	spin_lock_bh(&in->lock);
	blocked = natflow_outcome_review(in);
	natflow_inspection_pass(in);
	spin_unlock_bh(&in->lock);
	return blocked;
}
