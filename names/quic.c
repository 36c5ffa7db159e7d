// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client's QUIC datagrams. A socket may open many connections to one server, one
 * after the other or at the same time: all share a conntrack, and each has a name.
 * So long headers are read as long as the flow lives; the packet path sends them up
 * the stack.
 */
#include <linux/slab.h>
#include "../core/base/segment.h"
#include "../lib/names/name.h"
#include "../policy/client.h"
#include "datagrams.h"
#include "names.h"
#include "outcome.h"
#include "quic.h"
#include "stream.h"

/* The first bytes of the payload, or NULL. */
static const u8 *head_of(const struct natflow_segment *s, u8 *buffer)
{
	if (s->len < NATFLOW_QUIC_HEAD)
		return NULL;
	return skb_header_pointer(s->skb, s->data, NATFLOW_QUIC_HEAD, buffer);
}

/* May a datagram hold an Initial that a server accepts? */
static bool is_long(const struct natflow_segment *s)
{
	u8 buffer[NATFLOW_QUIC_HEAD];
	const u8 *head = s->len < NATFLOW_QUIC_DATAGRAM_MIN ? NULL : head_of(s, buffer);

	return head && natflow_quic_is_long(head);
}

/**
 * natflow_quic_is_sought() - may a client's packet open a QUIC connection
 * @s: packet: one datagram, or several by GRO
 */
bool natflow_quic_is_sought(const struct natflow_segment *s)
{
	unsigned int i;

	if (s->proto != IPPROTO_UDP || s->dir != IP_CT_DIR_ORIGINAL)
		return false;
	for (i = 0; i < natflow_datagrams_count(s); i++) {
		struct natflow_segment one = natflow_datagrams_get(s, i);

		if (is_long(&one))
			return true;
	}
	return false;
}

/**
 * natflow_quic_refuses() - does a server's packet say that the client must begin anew
 * @s: packet
 *
 * True for Version Negotiation and Retry (RFC 9000 sections 17.2.1 and 17.2.5): the
 * server has not taken the hello.
 */
bool natflow_quic_refuses(const struct natflow_segment *s)
{
	u8 buffer[NATFLOW_QUIC_HEAD];
	const u8 *head = head_of(s, buffer);

	if (!head || !(head[0] & NATFLOW_QUIC_LONG))
		return false;
	return !natflow_quic_version(head) || natflow_quic_is_retry(head);
}

/* -- the connections of a flow */

/**
 * natflow_quic_forget() - the server has not taken the hello that is gathered
 * @in: inspection of a UDP flow, neither DECIDED nor WATCHED, its lock held
 */
void natflow_quic_forget(struct natflow_inspection *in)
{
	if (!in->quic)
		return;
	memset(&in->quic->keys.conn[in->quic->at], 0, sizeof(in->quic->keys.conn[0]));
	natflow_inspection_reopen(in, 0, in->packets);
	natflow_inspection_discard(in);
}

/**
 * natflow_quic_free() - free what is kept of a flow's connections
 * @in: inspection, nobody uses it
 */
void natflow_quic_free(struct natflow_inspection *in)
{
	unsigned int i;

	for (i = 0; in->quic && i < NATFLOW_QUIC_CONNS; i++)
		natflow_stream_free(&in->place, &in->quic->begun[i]);
	natflow_stream_give(&in->place, in->quic, sizeof(*in->quic));
}

/* The name that is gathered passes, and is logged before another connection is read. */
static void settle(struct natflow_inspection *in, struct natflow_workspace *w)
{
	enum natflow_reason reason;

	if (!natflow_inspection_is_complete(in))
		return;
	reason = natflow_reading_try(in, w, NATFLOW_ACK_RECEIVED);
	if (reason)
		natflow_outcome_without(in, reason);
}

/* From here on natflow_inspection.gather is that of the packet's connection. */
static void turn_to(struct natflow_inspection *in, struct natflow_workspace *w)
{
	struct natflow_flow_quic *q = in->quic;
	u8 conn = w->quic.conn;

	if (conn != q->at || w->quic.fresh)
		settle(in, w);
	if (conn != q->at) {
		q->begun[q->at] = in->gather;
		in->gather = q->begun[conn];
		q->begun[conn] = (struct natflow_gather){};
		q->at = conn;
	}
	if (w->quic.fresh) {
		natflow_inspection_discard(in);
		q->action[conn] = NATFLOW_URL_RECORD;
	}
	w->quic.fresh = false;
}

/* -- payload */

/* Gather the CRYPTO frames of the packet that is open. Return: NATFLOW_OK or the outcome. */
static enum natflow_reason take_frames(struct natflow_inspection *in, struct natflow_workspace *w,
				       bool *read)
{
	enum natflow_reason reason = NATFLOW_OK;
	struct natflow_quic_crypto crypto;
	enum natflow_parsed parsed;

	while (!reason) {
		parsed = natflow_quic_crypto(&w->quic, &crypto);
		if (parsed != NATFLOW_PARSED) {
			*read &= parsed != NATFLOW_PARSE_MALFORMED;
			break;
		}
		if (crypto.len)
			reason = natflow_stream_take(&in->place, &in->gather, crypto.at,
						     crypto.data, crypto.len);
	}
	return reason;
}

/* Is this the name that was said last? */
static bool is_known(const struct natflow_inspection *in, const struct natflow_name *name)
{
	return !in->gather.last && !strcmp(in->host ?: "", name->said.host->text);
}

/*
 * The flow is decided. This may be the hello of another connection, or a known one's
 * once more, by retransmission or behind a Retry.
 */
static void read_later(struct natflow_inspection *in, struct natflow_workspace *w, bool *read)
{
	struct natflow_gather *g = &in->gather;
	struct natflow_flow_quic *q = in->quic;
	struct natflow_quic_conn *c = &q->keys.conn[q->at];
	enum natflow_parsed parsed = natflow_name_hello(g->first, g->prefix, &w->name);
	struct natflow_name *name = parsed == NATFLOW_PARSED ? &w->name : NULL, *other = NULL;

	if (g->last && natflow_name_hello(g->last, g->prefix, &w->other) == NATFLOW_PARSED)
		*(name ? &other : &name) = &w->other;
	if (!name && parsed == NATFLOW_PARSE_MORE)
		return;
	if (!name)
		*read = false;
	else if (!(c->done || w->quic.retry) || !is_known(in, name))
		q->action[q->at] = natflow_outcome_later(in, name, other);
	/* The keys of a connection that is blocked are tried for later packets. */
	c->done = !natflow_url_blocks(q->action[q->at]);
	natflow_inspection_discard(in);
}

static enum natflow_reason read_hello(struct natflow_inspection *in, struct natflow_workspace *w,
				      bool *read)
{
	enum natflow_reason reason;

	if (!in->gather.prefix)
		return NATFLOW_OK;
	if (natflow_inspection_is_decided(in)) {
		read_later(in, w, read);
		return NATFLOW_OK;
	}
	reason = natflow_reading_try(in, w, NATFLOW_ACK_PENDING);
	in->quic->keys.conn[in->quic->at].done = natflow_inspection_is_complete(in);
	return reason;
}

/* Are all packets blocked that this one belongs to? */
static bool is_blocked(const struct natflow_inspection *in)
{
	return natflow_inspection_is_decided(in) &&
	       (natflow_url_blocks(in->action) ||
		natflow_url_blocks(in->quic->action[in->quic->at]));
}

/*
 * Read a datagram. @read: set to false if it may hold a hello that was not read.
 * Return: NATFLOW_OK or the outcome.
 */
static enum natflow_reason read_datagram(struct natflow_inspection *in, const u8 *data, u32 len,
					 struct natflow_workspace *w, bool *read)
{
	const bool decided = natflow_inspection_is_decided(in);
	enum natflow_reason reason = NATFLOW_OK;
	enum natflow_parsed parsed;

	natflow_quic_begin(&w->quic, data, len);
	while (!reason && !(w->quic.opened && is_blocked(in))) {
		parsed = natflow_quic_next(&in->quic->keys, &w->quic);
		if (parsed == NATFLOW_PARSE_OTHER)
			break;
		/* Later packets of a decided client carry IDs that the server chose. */
		if (parsed == NATFLOW_PARSE_UNTRUSTED && decided)
			continue;
		if (parsed != NATFLOW_PARSED) {
			*read = false;
			continue;
		}
		turn_to(in, w);
		if (!is_blocked(in))
			reason = take_frames(in, w, read);
		if (!reason && !is_blocked(in))
			reason = read_hello(in, w, read);
	}
	return reason;
}

/* Read the datagrams of a packet; likewise. */
static enum natflow_reason read_packet(struct natflow_inspection *in,
				       const struct natflow_segment *s,
				       struct natflow_workspace *w, bool *read)
{
	enum natflow_reason reason = NATFLOW_OK;
	unsigned int i;

	w->quic.opened = false;
	for (i = 0; i < natflow_datagrams_count(s) && !reason; i++) {
		struct natflow_segment one = natflow_datagrams_get(s, i);
		const u8 *data = NULL;

		if (w->quic.opened && is_blocked(in))
			break;
		if (!is_long(&one))
			continue;
		if (one.len <= NATFLOW_DATAGRAM_MAX && natflow_client_may(in->ul->trials, s))
			data = skb_header_pointer(s->skb, one.data, one.len, w->datagram);
		if (data)
			reason = read_datagram(in, data, one.len, w, read);
		else
			*read = false;
	}
	return reason;
}

/* Return: false if there is no memory. */
static bool prepare(struct natflow_inspection *in)
{
	if (!in->quic)
		in->quic = natflow_stream_alloc(&in->place, sizeof(*in->quic));
	return in->quic;
}

/**
 * natflow_quic_seek() - inspect a client's packet: one datagram, or several by GRO
 * @in: inspection, neither DECIDED nor WATCHED, its lock held
 * @s: packet
 * @w: workspace
 *
 * Datagrams that cannot open a connection pass: others of a connection that moved here
 * (RFC 9000 section 9), 0-RTT packets, versions that the server will negotiate.
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK, or the outcome for natflow_outcome_without().
 */
enum natflow_reason natflow_quic_seek(struct natflow_inspection *in,
				      const struct natflow_segment *s,
				      struct natflow_workspace *w)
{
	enum natflow_reason reason;
	bool read = true;

	in->packets += s->len ? natflow_datagrams_count(s) : 0;
	if (!natflow_quic_is_sought(s))
		return NATFLOW_OK;
	if (!prepare(in))
		return natflow_stream_lack(&in->place);
	if (s->extended || !natflow_segment_sound(s)) {
		natflow_inspection_doubt(in);
		return NATFLOW_OK;
	}
	reason = read_packet(in, s, w, &read);
	if (!read)
		natflow_inspection_doubt(in);
	/* The server has not answered yet: all of the flow is blocked. */
	if (w->quic.opened && is_blocked(in) && !natflow_url_blocks(in->action))
		natflow_inspection_conclude(in, NATFLOW_OK, in->quic->action[in->quic->at]);
	return reason;
}

/* A packet of a flow that is decided, and passes. Return: may it pass? */
static bool pass(struct natflow_inspection *in, const struct natflow_segment *s,
		 struct natflow_workspace *w, u8 *action)
{
	bool read = true;

	/* The flow stays decided, even if there was no memory for a connection's hello. */
	if (read_packet(in, s, w, &read)) {
		natflow_inspection_discard(in);
		return false;
	}
	if (w->quic.opened && is_blocked(in))
		*action = in->quic->action[in->quic->at];
	return read;
}

/**
 * natflow_quic_later() - read a packet of a client whose flow passes
 * @in: inspection, DECIDED and not blocked, its lock held
 * @s: packet, natflow_quic_is_sought()
 *
 * Context: RCU read side, BH disabled.
 * Return: the action for the packet, enum natflow_url_action.
 */
u8 natflow_quic_later(struct natflow_inspection *in, const struct natflow_segment *s)
{
	struct natflow_workspace *w = NULL;
	u8 action = NATFLOW_URL_RECORD;
	bool read = false;

	if (!s->extended && natflow_segment_sound(s) && prepare(in))
		w = kmalloc(sizeof(*w), GFP_ATOMIC | __GFP_NOWARN);
	if (!in->client.family)
		natflow_client_note(&in->client, s, NULL);
	if (w)
		read = pass(in, s, w, &action);
	kfree(w);
	if (!read && !natflow_url_blocks(action))
		action = natflow_names_without(in->ul, NATFLOW_NAME_UNTRUSTED);
	return action;
}
