// SPDX-License-Identifier: GPL-2.0-only
/*
 * The inspections of a namespace: one a flow, from its birth to its end. An
 * inspection lives as long as its conntrack, or until names are switched off.
 *
 * Locks: natflow_inspection.lock for one inspection, inside it the ring's.
 * Packets, learning and the tick find inspections under RCU.
 */
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include "../core/base/segment.h"
#include "../core/flow/flow.h"
#include "../policy/client.h"
#include "dns.h"
#include "inspection.h"
#include "outcome.h"
#include "quic.h"
#include "record.h"
#include "stream.h"
#include "tcp.h"

#define UNCONFIRMED_MAX	(8 * HZ)
#define ACKED_MAX	BIT(20)	/* a window that a client's first packets acknowledge */
#define LATE_AT_ONCE	8	/* times as many by the tick */
#define PARTS_AT_ONCE	8	/* requests, or parts of them, concluded with one packet */

static const struct rhashtable_params flow_params = {
	.key_len = sizeof(struct nf_conn *),
	.key_offset = offsetof(struct natflow_inspection, ct),
	.head_offset = offsetof(struct natflow_inspection, node),
	.nelem_hint = 1,		/* an idle namespace has a small hash */
	.automatic_shrinking = true,
};

/* -- the cache of conntracks that pass */

static void unpass(struct natflow_inspection *in)
{
	struct nf_conn **slot = natflow_inspection_slot(in->ul, in->ct);

	if (READ_ONCE(*slot) == in->ct)
		WRITE_ONCE(*slot, NULL);
}

/* A flow that waits for an answer does not pass unseen: its answer settles it. */
static bool passes(const struct natflow_inspection *in)
{
	return in->state == NATFLOW_INSPECTION_DECIDED && !natflow_url_blocks(in->action) &&
	       in->place.pool == NATFLOW_PLACES_ANSWERED;
}

/* To be called after each change, before the lock is released. */
static void update_pass(struct natflow_inspection *in)
{
	struct nf_conn **slot = natflow_inspection_slot(in->ul, in->ct);

	lockdep_assert_held(&in->lock);
	if (!passes(in))
		unpass(in);
	else if (READ_ONCE(*slot) != in->ct)
		WRITE_ONCE(*slot, in->ct);
}

/* -- birth and end */

static struct natflow_inspection *find(struct natflow_urllogger *ul, const struct nf_conn *ct)
{
	return rhashtable_lookup(&ul->flows, &ct, flow_params);
}

static void free_rcu_cb(struct rcu_head *rcu)
{
	struct natflow_inspection *in = container_of(rcu, struct natflow_inspection,
						     place.rcu);

	unpass(in);
	natflow_stream_free(&in->place, &in->gather);
	natflow_stream_free(&in->place, &in->any);
	natflow_quic_free(in);
	natflow_stream_give(&in->place, in->table, sizeof(*in->table));
	natflow_stream_give(&in->place, in->judged_table, sizeof(*in->judged_table));
	natflow_ct_put(in->ct);
	kfree(in->host);
	kfree(in);
}

/*
 * No lookup finds @in from here on. Its buffer is freed at once unless another CPU is
 * at work on it. Another inspection's lock may be held: hence no waiting for this one.
 *
 * Context: RCU read side, or @in cannot be freed meanwhile.
 */
static void forget(struct natflow_inspection *in)
{
	if (rhashtable_remove_fast(&in->ul->flows, &in->node, flow_params))
		return;
	natflow_place_leave(&in->place);
	if (spin_trylock_bh(&in->lock)) {
		natflow_stream_free(&in->place, &in->gather);
		natflow_stream_free(&in->place, &in->any);
		spin_unlock_bh(&in->lock);
	}
	call_rcu(&in->place.rcu, free_rcu_cb);
}

static void evict(struct natflow_place *place)
{
	struct natflow_inspection *in = container_of(place, struct natflow_inspection, place);

	if (READ_ONCE(in->state) < NATFLOW_INSPECTION_DECIDED)
		natflow_stats_reason(in->ul->nn->pcpu, NATFLOW_NAME_SHARE);
	forget(in);
}

/* Who is the client of a flow, by one of its packets? */
static void find_sharer(struct natflow_sharer *who, const struct natflow_segment *s)
{
	const struct dst_entry *dst = skb_dst(s->skb);
	struct natflow_site_client client;

	natflow_client_note(&client, s, dst ? dst->dev : NULL);
	natflow_client_sharer(who, &client);
}

static bool take_place(struct natflow_inspection *in, const struct natflow_segment *s)
{
	bool answered = s->dir == IP_CT_DIR_ORIGINAL && natflow_ct_answered(s->ct);
	struct natflow_sharer who;

	find_sharer(&who, s);
	natflow_places_resize(&in->ul->places, READ_ONCE(in->ul->nn->config.flow_limit));
	return natflow_place_take(&in->place, &in->ul->places, &who,
				  answered ? NATFLOW_PLACES_ANSWERED : NATFLOW_PLACES_WAITING);
}

/*
 * Context: RCU read side, BH disabled.
 * Return: the inspection; NULL if there is no memory or no place: @lack tells which.
 */
static struct natflow_inspection *begin(struct natflow_urllogger *ul,
					const struct natflow_segment *s, enum natflow_reason *lack)
{
	struct natflow_inspection *in, *old;

	*lack = NATFLOW_NAME_MEMORY;
	in = kzalloc(sizeof(*in), GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!in)
		return NULL;
	in->ct = s->ct;
	in->ul = ul;
	in->born = jiffies;
	spin_lock_init(&in->lock);
	if (!take_place(in, s)) {
		*lack = NATFLOW_NAME_SHARE;
		goto err_free;
	}
	if (!natflow_ct_get(s->ct))
		goto err_leave;
	old = rhashtable_lookup_get_insert_fast(&ul->flows, &in->node, flow_params);
	if (!old) {
		natflow_place_queue(&in->place);
		return in;
	}
	natflow_ct_put(s->ct);
	natflow_place_leave(&in->place);
	kfree(in);
	return IS_ERR(old) ? NULL : old;

err_leave:
	natflow_place_leave(&in->place);
err_free:
	kfree(in);
	return NULL;
}

/*
 * Does this packet show that both ends exist? A server's SYN-ACK does not: the source
 * of the SYN may be forged. Who acknowledges it has received it.
 */
static bool is_proof(const struct natflow_inspection *in, const struct natflow_segment *s)
{
	if (s->flags & (NATFLOW_TCP_RST | NATFLOW_TCP_SYN))
		return false;
	if (!in->answered)
		return s->dir == IP_CT_DIR_REPLY;
	return s->dir == IP_CT_DIR_ORIGINAL && s->flags & NATFLOW_TCP_ACK &&
	       s->ack - in->answer - 1 < ACKED_MAX;
}

static void settle(struct natflow_inspection *in, const struct natflow_segment *s)
{
	struct natflow_sharer who = in->place.who;

	if (s->dir == IP_CT_DIR_ORIGINAL)
		find_sharer(&who, s);
	if (!natflow_place_settle(&in->place, &who) && !natflow_inspection_is_decided(in))
		natflow_outcome_without(in, NATFLOW_NAME_SHARE);
}

/* -- a packet of a flow */

/* May a flow that carries a name begin with this packet? */
static bool may_begin(const struct natflow_segment *s)
{
	if (s->proto != IPPROTO_TCP)
		return natflow_quic_is_sought(s);
	if (s->flags & NATFLOW_TCP_RST)
		return false;
	if (s->dir == IP_CT_DIR_REPLY)
		return natflow_tcp_is_answer(s);
	return !(s->flags & NATFLOW_TCP_SYN) || s->len;
}

/*
 * Does the server have the bytes that hold the request? A server of QUIC that answers
 * does; nothing is read of its packets.
 */
static bool is_acknowledged(const struct natflow_inspection *in)
{
	return natflow_inspection_is_complete(in) &&
	       (in->quic || (s32)(in->acked - in->base - in->end) >= 0);
}

/*
 * Conclude what the server has. The buffer may hold more requests: some are read now, the
 * rest with later packets, or by the tick. Return: NATFLOW_OK or the outcome.
 */
static enum natflow_reason conclude(struct natflow_inspection *in, struct natflow_workspace *w)
{
	enum natflow_reason reason = NATFLOW_OK;
	unsigned int n = 0;

	while (n++ < PARTS_AT_ONCE && !reason && is_acknowledged(in)) {
		reason = natflow_reading_try(in, w, NATFLOW_ACK_RECEIVED);
		if (reason || in->state != NATFLOW_INSPECTION_GATHERING)
			break;
		reason = natflow_reading_try(in, w, NATFLOW_ACK_NO_NEWS);
	}
	return reason;
}

/* A packet of the server. Return: NATFLOW_OK or the outcome. */
static enum natflow_reason hear(struct natflow_inspection *in, struct natflow_workspace *w)
{
	enum natflow_reason reason = NATFLOW_OK;

	if (natflow_tcp_adopt(in))
		reason = natflow_reading_try(in, w, NATFLOW_ACK_NO_NEWS);
	return reason ?: conclude(in, w);
}

/* Can this packet change what is known? */
static bool is_news(const struct natflow_inspection *in, const struct natflow_segment *s)
{
	if (s->dir == IP_CT_DIR_REPLY)
		return natflow_inspection_is_complete(in) || in->any.arrived;
	if (s->proto == IPPROTO_TCP && natflow_tcp_is_old(in, s))
		return false;
	return s->len || (in->gather.prefix > in->at && !natflow_inspection_is_complete(in));
}

/* A segment of the client; what is left of the last packets is concluded first. */
static enum natflow_reason speak(struct natflow_inspection *in, const struct natflow_segment *s,
				 struct natflow_workspace *w)
{
	enum natflow_reason reason = conclude(in, w);

	return reason || natflow_inspection_is_decided(in) ? reason : natflow_tcp_seek(in, s, w);
}

/* The budget is spent. A TCP server may still acknowledge what is complete. */
static enum natflow_reason spend(struct natflow_inspection *in, struct natflow_workspace *w)
{
	if (!natflow_inspection_is_complete(in))
		return natflow_inspection_give_up(in);
	return in->quic ? natflow_reading_try(in, w, NATFLOW_ACK_OVERDUE) : NATFLOW_OK;
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
	if (tcp && said && !natflow_inspection_is_complete(in))
		in->packets++;
	w = kmalloc(tcp ? offsetof(struct natflow_workspace, quic) : sizeof(*w),
		    GFP_ATOMIC | __GFP_NOWARN);
	if (!w) {
		natflow_outcome_without(in, NATFLOW_NAME_MEMORY);
		return;
	}
	if (s->dir == IP_CT_DIR_REPLY)
		reason = hear(in, w);
	else
		reason = tcp ? speak(in, s, w) : natflow_quic_seek(in, s, w);
	if (!natflow_inspection_is_decided(in) && !reason && natflow_inspection_is_spent(in))
		reason = spend(in, w);
	kfree(w);
	if (!natflow_inspection_is_decided(in) && reason)
		natflow_outcome_without(in, reason);
}

/* The client's next payload opens a request; until then the connection is fast. */
static void idle(struct natflow_inspection *in)
{
	if (!in->packets && in->base == in->isn) {
		in->silent = true;
		in->born = jiffies;
	}
	natflow_inspection_watch(in, in->gather.prefix - in->at, NATFLOW_OK);
}

/* A packet of an undecided flow. Return: false if the server may not accept it. */
static bool seek(struct natflow_inspection *in, const struct natflow_segment *s)
{
	in->doubtful = false;
	if (in->quic && s->dir == IP_CT_DIR_REPLY && natflow_quic_refuses(s)) {
		natflow_quic_forget(in);
		return true;
	}
	if (s->dir == IP_CT_DIR_ORIGINAL && !in->client.family)
		natflow_client_note(&in->client, s, NULL);
	if (s->proto == IPPROTO_TCP && s->dir == IP_CT_DIR_ORIGINAL && !in->based && !s->len)
		natflow_tcp_note_base(in, s->seq);
	if (natflow_tcp_is_idle(in, s))
		idle(in);
	if (natflow_inspection_is_decided(in) || !is_news(in, s))
		return true;
	look_into(in, s);
	return !in->doubtful;
}

static struct natflow_inspection_verdict inspect(struct natflow_inspection *in,
						 const struct natflow_segment *s)
{
	bool was_decided = natflow_inspection_is_decided(in);
	struct natflow_inspection_verdict v = {};
	u8 action = NATFLOW_URL_RECORD;

	lockdep_assert_held(&in->lock);
	if (natflow_tcp_is_answer(s) && natflow_tcp_sync(in, s))
		v.end = NATFLOW_END_TCP;
	if (s->proto == IPPROTO_TCP) {
		natflow_tcp_note_ack(in, s);
		natflow_tcp_note_urgent(in, s);
	}
	if (natflow_inspection_is_decided(in) && natflow_tcp_next(in, s))
		v.end = NATFLOW_END_INSPECT;
	if (in->place.pool == NATFLOW_PLACES_WAITING && is_proof(in, s))
		settle(in, s);
	if (was_decided && !natflow_url_blocks(in->action) && natflow_quic_is_sought(s))
		action = natflow_quic_later(in, s);
	if (!natflow_inspection_is_decided(in) && !seek(in, s))
		v.doubtful = natflow_names_setting(in->ul, NATFLOW_NAMES_CLOSED);
	if (natflow_inspection_is_decided(in) && natflow_url_blocks(in->action))
		action = in->action;
	v.action = action;
	v.first = !was_decided;
	update_pass(in);
	return v;
}

/* The first datagram of a flow that is not inspected: its name is a DNS answer's, if any. */
static void record_hint(struct natflow_urllogger *ul, const struct natflow_segment *s)
{
	struct natflow_site_client client;

	natflow_client_note(&client, s, NULL);
	natflow_record_hint(ul, s->ct, &client, NATFLOW_URL_RECORD);
}

/**
 * natflow_inspection_packet() - inspect a packet
 * @ul: the namespace's state
 * @s: packet, of either direction
 *
 * Context: RCU read side, BH disabled.
 */
struct natflow_inspection_verdict natflow_inspection_packet(struct natflow_urllogger *ul,
							    const struct natflow_segment *s)
{
	struct natflow_inspection_verdict v = { .action = NATFLOW_URL_RECORD };
	struct natflow_inspection *in = find(ul, s->ct);
	enum natflow_reason lack = NATFLOW_OK;
	bool begun = false;

	if (!in) {
		natflow_tcp_note_syn(ul, s);
		if (!may_begin(s)) {
			if (s->proto == IPPROTO_UDP && !natflow_ct_confirmed(s->ct))
				record_hint(ul, s);
			return v;
		}
		in = begin(ul, s, &lack);
		begun = true;
	}
	if (!in) {
		natflow_stats_reason(ul->nn->pcpu, lack);
		v.action = natflow_names_without(ul, lack);
		return v;
	}
	spin_lock(&in->lock);
	/* Another protocol came first: the flow goes on, whatever this packet is. */
	if (begun && s->proto == IPPROTO_UDP && natflow_ct_answered(s->ct))
		natflow_inspection_conclude(in, NATFLOW_OK, NATFLOW_URL_RECORD);
	v = inspect(in, s);
	spin_unlock(&in->lock);
	/* The datagram is dropped, and nobody will find its conntrack. */
	if (s->proto == IPPROTO_UDP && (v.doubtful || natflow_url_blocks(v.action)) &&
	    !natflow_ct_confirmed(s->ct))
		forget(in);
	return v;
}

/**
 * natflow_inspection_exists() - is a flow inspected, or was it
 * @ul: the namespace's state
 * @ct: conntrack
 *
 * Context: RCU read side.
 */
bool natflow_inspection_exists(struct natflow_urllogger *ul, const struct nf_conn *ct)
{
	return find(ul, ct);
}

/**
 * natflow_inspection_learn() - may a flow be learned from its packet
 * @ul: the namespace's state
 * @ct: conntrack
 * @watch: to fill in: from where on the client's payload takes the stack
 *
 * Context: RCU read side, BH disabled.
 * A later change of the answer ends the flow: Documentation/locking.md has the order.
 *
 * Return: NATFLOW_OK, or the reason against it.
 */
enum natflow_reason natflow_inspection_learn(struct natflow_urllogger *ul,
					     const struct nf_conn *ct,
					     struct natflow_watch *watch)
{
	struct natflow_inspection *in;
	bool passes;

	watch->on = false;
	watch->from = 0;
	smp_mb();	/* flow before inspection; pairs with natflow_urllogger.c:stop_flow() */
	in = find(ul, ct);
	if (!in)
		return NATFLOW_OK;
	spin_lock(&in->lock);
	passes = natflow_inspection_is_decided(in) && !natflow_url_blocks(in->action);
	watch->on = in->state == NATFLOW_INSPECTION_WATCHED;
	watch->from = in->from;
	spin_unlock(&in->lock);
	return passes ? NATFLOW_OK : NATFLOW_LEARN_INSPECT;
}

/* -- all flows */

/* Call @what for every inspection. Context: process, may sleep. */
static void for_each(struct natflow_urllogger *ul, void (*what)(struct natflow_inspection *in))
{
	struct rhashtable_iter iter;
	struct natflow_inspection *in;

	/* A walker loses its place if another one removes the object it stands on. */
	mutex_lock(&ul->walk);
	rhashtable_walk_enter(&ul->flows, &iter);
	do {
		unsigned int n = 0;

		rhashtable_walk_start(&iter);
		while (n++ < 256 && (in = rhashtable_walk_next(&iter)) && !IS_ERR(in))
			what(in);
		rhashtable_walk_stop(&iter);
		cond_resched();
	} while (in);
	rhashtable_walk_exit(&iter);
	mutex_unlock(&ul->walk);
}

/* An unconfirmed conntrack has no timeout yet: its packet is on its way, or was dropped. */
static bool is_over(const struct natflow_inspection *in)
{
	return natflow_ct_confirmed(in->ct) ? !natflow_ct_alive(in->ct) :
		time_after(jiffies, in->born + UNCONFIRMED_MAX);
}

/* -- what time decides */

/* Read the buffer once more. @read: how. Return: NATFLOW_OK or the outcome. */
static enum natflow_reason read_late(struct natflow_inspection *in, enum natflow_ack ack)
{
	struct natflow_workspace *w = kmalloc(sizeof(*w), GFP_ATOMIC | __GFP_NOWARN);
	enum natflow_reason reason = NATFLOW_OK;
	unsigned int n;

	if (!w)
		return NATFLOW_NAME_MEMORY;
	if (ack != NATFLOW_ACK_RECEIVED)
		reason = natflow_reading_try(in, w, ack);
	else
		for (n = 0; n < LATE_AT_ONCE && !reason && is_acknowledged(in); n++)
			reason = conclude(in, w);
	kfree(w);
	return reason;
}

/* No more packets came in time. */
static void time_out(struct natflow_inspection *in)
{
	enum natflow_reason reason = NATFLOW_OK;

	lockdep_assert_held(&in->lock);
	if (natflow_inspection_is_complete(in))
		reason = read_late(in, NATFLOW_ACK_OVERDUE);
	if (!natflow_inspection_is_decided(in))
		natflow_outcome_without(in, reason ?: natflow_inspection_give_up(in));
}

/*
 * A TCP client takes its time: its server's packets are fast meanwhile. A request that the
 * server has not acknowledged is not concluded before its connection ends.
 */
static void wait_longer(struct natflow_inspection *in)
{
	enum natflow_reason reason;

	if (is_acknowledged(in)) {
		reason = read_late(in, NATFLOW_ACK_RECEIVED);
		if (reason && !natflow_inspection_is_decided(in))
			natflow_outcome_without(in, reason);
	} else if (!natflow_inspection_is_complete(in)) {
		if (!in->paused && !in->part) {
			natflow_record_hint(in->ul, in->ct, &in->client, NATFLOW_URL_RECORD);
			natflow_inspection_count(in, natflow_inspection_give_up(in));
		}
		natflow_inspection_pause(in);
	}
}

static void log_silent(struct natflow_inspection *in)
{
	in->silent = false;
	natflow_record_hint(in->ul, in->ct, &in->client, NATFLOW_URL_RECORD);
	natflow_inspection_count(in, NATFLOW_NAME_NONE);
}

static bool is_due(const struct natflow_inspection *in)
{
	if (READ_ONCE(in->state) >= NATFLOW_INSPECTION_DECIDED)
		return natflow_inspection_is_silent(in);
	return natflow_inspection_is_late(in) || (!in->quic && is_acknowledged(in));
}

static void age(struct natflow_inspection *in)
{
	bool over = is_over(in);

	/* A wrong guess costs a lock, or waits for the next tick. */
	if (!over && !data_race(is_due(in)))
		return;
	spin_lock_bh(&in->lock);
	if (natflow_inspection_is_decided(in)) {
		if (in->silent)
			log_silent(in);
	} else if (over ? natflow_inspection_is_complete(in) : !!in->quic) {
		time_out(in);
	} else if (!over) {
		wait_longer(in);
	}
	update_pass(in);
	spin_unlock_bh(&in->lock);
	if (over)
		forget(in);
}

/**
 * natflow_inspection_age() - end inspections that are over, or take too long
 * @ul: the namespace's state
 *
 * Context: process, may sleep.
 */
void natflow_inspection_age(struct natflow_urllogger *ul)
{
	for_each(ul, age);
}

static void review(struct natflow_inspection *in)
{
	struct natflow_flow *flow;
	bool blocked;

	spin_lock_bh(&in->lock);
	blocked = natflow_outcome_review(in);
	update_pass(in);
	spin_unlock_bh(&in->lock);
	if (!blocked)
		return;
	flow = natflow_flow_by_ct(in->ul->nn, in->ct);
	if (flow)
		natflow_flow_end(flow, NATFLOW_END_BLOCKED);
}

/**
 * natflow_inspection_review() - rules changed: judge every flow's name by the new ones
 * @ul: the namespace's state
 *
 * Flows that are blocked now are not accelerated any more.
 *
 * Context: process, may sleep, no packet is judged by the old rules any more.
 */
void natflow_inspection_review(struct natflow_urllogger *ul)
{
	for_each(ul, review);
}

/* -- on and off */

/**
 * natflow_inspection_start() - allocate what packets need
 * @ul: the namespace's state
 *
 * Context: process, may sleep, callers exclude each other.
 * Return: 0 or -ENOMEM; natflow_inspection_exit() frees it.
 */
int natflow_inspection_start(struct natflow_urllogger *ul)
{
	if (!ul->syn)
		ul->syn = kvcalloc(NATFLOW_URL_SYNS, sizeof(*ul->syn), GFP_KERNEL_ACCOUNT);
	if (!ul->passing)
		ul->passing = kvcalloc(NATFLOW_URL_PASSING, sizeof(*ul->passing),
				       GFP_KERNEL_ACCOUNT);
	if (natflow_places_start(&ul->places))
		return -ENOMEM;
	return ul->syn && ul->passing ? 0 : -ENOMEM;
}

/**
 * natflow_inspection_bytes() - memory of natflow_inspection_start()
 * @ul: the namespace's state
 *
 * Context: any.
 */
size_t natflow_inspection_bytes(const struct natflow_urllogger *ul)
{
	return (READ_ONCE(ul->syn) ? NATFLOW_URL_SYNS * sizeof(*ul->syn) : 0) +
	       (READ_ONCE(ul->passing) ? NATFLOW_URL_PASSING * sizeof(*ul->passing) : 0) +
	       natflow_places_bytes(&ul->places);
}

/**
 * natflow_inspection_stop() - end all inspections
 * @ul: the namespace's state
 *
 * Context: process, may sleep; neither packets nor learning look for inspections.
 */
void natflow_inspection_stop(struct natflow_urllogger *ul)
{
	while (atomic_read(&ul->flows.nelems))
		for_each(ul, forget);
	rcu_barrier();		/* @passing is empty before packets come again */
}

/**
 * natflow_inspection_init() - no inspections
 * @ul: the namespace's state
 *
 * Return: 0 or an errno.
 */
int natflow_inspection_init(struct natflow_urllogger *ul)
{
	mutex_init(&ul->walk);
	natflow_places_init(&ul->places, evict);
	return rhashtable_init(&ul->flows, &flow_params);
}

/**
 * natflow_inspection_exit() - free the rest
 * @ul: the namespace's state, without inspections
 */
void natflow_inspection_exit(struct natflow_urllogger *ul)
{
	rhashtable_destroy(&ul->flows);
	natflow_places_exit(&ul->places);
	kvfree(ul->syn);
	kvfree(ul->passing);
}
