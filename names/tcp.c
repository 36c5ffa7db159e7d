// SPDX-License-Identifier: GPL-2.0-only
/* A client's TCP stream, as its server receives it. */
#include <linux/hash.h>
#include "../core/base/segment.h"
#include "dns.h"
#include "stream.h"
#include "tcp.h"

/* -- where a connection begins */

static struct natflow_syn *syn_of(struct natflow_urllogger *ul, const struct nf_conn *ct)
{
	return &ul->syn[hash_ptr(ct, ilog2(NATFLOW_URL_SYNS))];
}

/**
 * natflow_tcp_note_syn() - remember the TTL of a SYN
 * @ul: the namespace's state
 * @s: packet of a flow without an inspection, maybe a SYN
 *
 * If a SYN-ACK comes, packets with that TTL reach the server. The inspection that
 * needs the TTL does not exist before.
 *
 * Context: BH disabled.
 */
void natflow_tcp_note_syn(struct natflow_urllogger *ul, const struct natflow_segment *s)
{
	struct natflow_syn *syn = syn_of(ul, s->ct);

	if (s->dir != IP_CT_DIR_ORIGINAL || !(s->flags & NATFLOW_TCP_SYN))
		return;
	WRITE_ONCE(syn->tag, (u32)(unsigned long)s->ct);
	WRITE_ONCE(syn->ttl, s->ttl);
}

/* 0: not known. */
static u8 ttl_of(struct natflow_urllogger *ul, const struct nf_conn *ct)
{
	struct natflow_syn *syn = syn_of(ul, ct);

	return READ_ONCE(syn->tag) == (u32)(unsigned long)ct ? READ_ONCE(syn->ttl) : 0;
}

/**
 * natflow_tcp_is_answer() - is a packet a server's SYN-ACK
 * @s: packet
 */
bool natflow_tcp_is_answer(const struct natflow_segment *s)
{
	const u8 both = NATFLOW_TCP_SYN | NATFLOW_TCP_ACK;

	return s->dir == IP_CT_DIR_REPLY && (s->flags & both) == both;
}

/**
 * natflow_tcp_note_base() - the client's stream begins
 * @in: inspection, its lock held
 * @seq: sequence number of the first payload byte
 */
void natflow_tcp_note_base(struct natflow_inspection *in, u32 seq)
{
	in->base = seq;
	in->isn = seq;
	in->most = seq;
	in->acked = seq;
	in->losing = false;
	in->at = 0;
	in->urgents = 0;
	in->based = true;
}

/**
 * natflow_tcp_sync() - a server answered a SYN: a connection begins
 * @in: inspection, its lock held
 * @s: SYN-ACK
 *
 * Return: true if this is a later connection than the one inspected so far; the
 * inspection begins anew.
 */
bool natflow_tcp_sync(struct natflow_inspection *in, const struct natflow_segment *s)
{
	bool known = in->based && (s->ack == in->isn || s->ack - in->base <= in->gather.prefix) &&
		     !(in->answered && s->seq != in->answer);
	bool again = in->based && !known;

	lockdep_assert_held(&in->lock);
	/* The server took the SYN's payload as far as it acknowledges it (RFC 7413). */
	if (!known || (in->early && s->ack == in->base))
		natflow_inspection_discard(in);
	if (!known) {
		natflow_inspection_unname(in);
		natflow_inspection_reopen(in, 0, 0);
		in->part = NATFLOW_PART_REQUEST;
		in->upgrade = false;
		natflow_stream_give(&in->place, in->table, sizeof(*in->table));
		in->table = NULL;
		natflow_tcp_note_base(in, s->ack);
	}
	if (!known || in->early) {
		in->ttl = ttl_of(in->ul, s->ct);
		in->stamped = s->stamped;
		in->stamp = s->echo;
	}
	in->early = false;
	in->answered = true;
	in->answer = s->seq;
	return again;
}

/**
 * natflow_tcp_next() - does a packet of a WATCHED connection open the next request
 * @in: inspection, DECIDED or WATCHED, its lock held
 * @s: packet
 *
 * Return: true if so; the inspection is GATHERING again.
 */
bool natflow_tcp_next(struct natflow_inspection *in, const struct natflow_segment *s)
{
	lockdep_assert_held(&in->lock);
	if (in->state != NATFLOW_INSPECTION_WATCHED || natflow_url_blocks(in->action) || !s->len ||
	    s->dir != IP_CT_DIR_ORIGINAL ||
	    (s32)(s->seq + s->len - in->from) <= 0)
		return false;
	if (in->paused) {
		natflow_inspection_resume(in);
		return true;
	}
	in->base = in->from;
	in->acked = in->from;
	in->losing &= (s32)(in->most - in->from) > 0;
	if (!in->losing)
		in->most = in->from;
	natflow_inspection_reopen(in, 0, 0);
	return true;
}

/* -- payload */

/*
 * Will the server accept this segment? Only payload that every server accepts is
 * read; the client retransmits the rest if it is genuine.
 */
static bool is_trusted(struct natflow_inspection *in, const struct natflow_segment *s)
{
	s32 at;

	if (s->ttl > in->ttl) {
		if (in->gather.arrived)
			natflow_inspection_distrust(in);
		in->ttl = s->ttl;
	}
	/* A segment with a lower TTL may expire between here and the server. */
	if (s->ttl < in->ttl)
		return false;
	/* RFC 7323 section 5.3: dropped by PAWS. */
	if (in->stamped && (!s->stamped || (s32)(s->stamp - in->stamp) < 0))
		return false;
	/* An out-of-band byte is not part of what the application reads. */
	if (s->is_signed || s->extended || s->flags & NATFLOW_TCP_URG ||
	    !(s->flags & NATFLOW_TCP_ACK))
		return false;
	at = s->seq - in->base;
	if (s->stamped && at >= 0 && at <= (s32)in->gather.prefix) {
		in->stamped = true;
		in->stamp = s->stamp;
	}
	return true;
}

/* Note how far the client is, and from where on payload exceeds the buffer. */
static void note_most(struct natflow_inspection *in, const struct natflow_segment *s, s32 at)
{
	u32 end = s->seq + s->len, lost = in->base + max(at, NATFLOW_STREAM_MAX);

	if ((s32)(end - in->most) > 0)
		in->most = end;
	if ((s32)(end - lost) <= 0)
		return;
	if (!in->losing || (s32)(lost - in->lost) < 0)
		in->lost = lost;
	in->losing = true;
}

/* Keep payload that the server may not accept beside what it accepts. */
static void take_any(struct natflow_inspection *in, const struct natflow_segment *s, u32 from,
		     s32 at)
{
	if (at >= NATFLOW_STREAM_MAX)
		return;
	if ((!in->any.arrived && !natflow_stream_copy(&in->place, &in->any, &in->gather)) ||
	    natflow_stream_put(&in->place, &in->any, s, from, max(at, 0)))
		natflow_stream_free(&in->place, &in->any);
}

/* The client's payload. Return: NATFLOW_OK or the outcome. */
static enum natflow_reason take_payload(struct natflow_inspection *in,
					const struct natflow_segment *s)
{
	s32 at = s->seq - in->base;
	u32 from = max_t(s32, (s32)natflow_inspection_settled(in) - at, 0);
	bool trusted;

	/* No receiver takes it. */
	if (!natflow_segment_sound(s)) {
		natflow_inspection_doubt(in);
		return NATFLOW_OK;
	}
	if (from >= s->len) {
		/* The server has these bytes, or the stream is older than the inspection. */
		if (in->base == in->isn && !in->answered)
			natflow_inspection_doubt(in);
		return NATFLOW_OK;
	}
	at += from;
	trusted = is_trusted(in, s);
	if (!trusted || in->any.arrived)
		take_any(in, s, from, at);
	if (!trusted) {
		natflow_inspection_doubt(in);
		return NATFLOW_OK;
	}
	/* With inspect_fail=closed a doubtful segment is dropped, and retransmitted. */
	if (at < NATFLOW_STREAM_MAX || in->part ||
	    !natflow_names_setting(in->ul, NATFLOW_NAMES_CLOSED))
		note_most(in, s, at);
	if (at >= NATFLOW_STREAM_MAX) {
		if (!in->part)
			natflow_inspection_doubt(in);
		return NATFLOW_OK;
	}
	return natflow_stream_put(&in->place, &in->gather, s, from, at);
}

/**
 * natflow_tcp_seek() - inspect a client's segment
 * @in: inspection, neither DECIDED nor WATCHED, its lock held
 * @s: segment
 * @w: workspace
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK, or the outcome for natflow_outcome_without().
 */
enum natflow_reason natflow_tcp_seek(struct natflow_inspection *in,
				     const struct natflow_segment *s, struct natflow_workspace *w)
{
	enum natflow_reason reason = NATFLOW_OK;

	if (s->flags & NATFLOW_TCP_RST)
		return NATFLOW_OK;	/* if it arrives nothing else will */
	if (s->flags & NATFLOW_TCP_SYN) {
		/* Buffered, and read once the server says how much it took. */
		if (in->based) {
			natflow_inspection_doubt(in);
			return NATFLOW_OK;
		}
		natflow_tcp_note_base(in, s->seq + 1);
		in->early = true;
		return natflow_stream_put(&in->place, &in->gather, s, 0, 0);
	}
	if (!in->based)
		natflow_tcp_note_base(in, s->seq);
	if (s->len)
		reason = take_payload(in, s);
	if (reason || in->early || natflow_reading_doubts(in, w))
		return reason;
	return in->gather.prefix ? natflow_reading_try(in, w, NATFLOW_ACK_PENDING) : NATFLOW_OK;
}

/**
 * natflow_tcp_note_ack() - note what the server has
 * @in: inspection, its lock held
 * @s: packet
 */
void natflow_tcp_note_ack(struct natflow_inspection *in, const struct natflow_segment *s)
{
	if (s->proto == IPPROTO_TCP && s->dir == IP_CT_DIR_REPLY && s->flags & NATFLOW_TCP_ACK &&
	    (s32)(s->ack - in->acked) > 0)
		in->acked = s->ack;
}

/**
 * natflow_tcp_note_urgent() - note which byte is urgent
 * @in: inspection, its lock held
 * @s: packet of a TCP connection, maybe without payload
 *
 * The pointer is that of net/ipv4/tcp_input.c:tcp_check_urg(): one behind the byte.
 */
void natflow_tcp_note_urgent(struct natflow_inspection *in, const struct natflow_segment *s)
{
	u32 seq = s->seq + max_t(u32, s->urgent, 1) - 1;
	u8 i = 0;

	if (s->dir != IP_CT_DIR_ORIGINAL || !(s->flags & NATFLOW_TCP_URG))
		return;
	while (i < in->urgents && (s32)(in->urgent[i] - seq) > 0)
		i++;
	if (i == NATFLOW_URGENT_MAX || (i < in->urgents && in->urgent[i] == seq))
		return;
	in->urgents = min(in->urgents + 1, NATFLOW_URGENT_MAX);
	memmove(in->urgent + i + 1, in->urgent + i,
		(in->urgents - i - 1) * sizeof(*in->urgent));
	in->urgent[i] = seq;
}

/**
 * natflow_tcp_is_old() - has the server had all of a client's segment for long
 * @in: inspection, its lock held
 * @s: segment
 *
 * A keepalive (RFC 9293 section 3.8.4) may carry a byte in front of the next one.
 */
bool natflow_tcp_is_old(const struct natflow_inspection *in, const struct natflow_segment *s)
{
	return in->answered && !(s->flags & NATFLOW_TCP_SYN) &&
	       (s32)(s->seq + s->len - in->base) <= 0;
}

/**
 * natflow_tcp_adopt() - trust what came in doubt, if the server acknowledges it
 * @in: inspection, neither DECIDED nor WATCHED, its lock held
 *
 * Bytes that came in one version only are those that the server has.
 *
 * Return: true if @in->gather has changed.
 */
bool natflow_tcp_adopt(struct natflow_inspection *in)
{
	u32 end = in->base + in->any.prefix;

	if (in->any.prefix <= in->gather.prefix || in->any.last || (s32)(in->acked - end) < 0 ||
	    natflow_inspection_has_urgent(in))
		return false;
	natflow_stream_free(&in->place, &in->gather);
	in->gather = in->any;
	in->any = (struct natflow_gather){};
	in->judged = 0;
	in->doubts = 0;
	if ((s32)(end - in->most) > 0)
		in->most = end;
	return true;
}

/* Has the client sent nothing but line ends, and does the server acknowledge all of them? */
static bool is_blank(const struct natflow_inspection *in, const struct natflow_segment *s)
{
	const struct natflow_gather *g = &in->gather;
	u32 end = in->base + g->prefix, i;

	if (in->acked != end || in->most != end || in->doubts || g->last)
		return false;
	if (in->part == NATFLOW_PART_FRAME || natflow_dns_is(in->ct))
		return false;
	for (i = in->at; i < g->prefix; i++)
		if (g->first[i] != '\r' && g->first[i] != '\n')
			return false;
	return i > in->at;
}

/**
 * natflow_tcp_is_idle() - is it the client's turn to send a request
 * @in: inspection, neither DECIDED nor WATCHED, its lock held
 * @s: packet
 *
 * True for the server's packet if the client has sent nothing, or nothing but line
 * ends, since the connection or its last request. A server may speak first in every
 * protocol; in HTTP/2 it may send SETTINGS (RFC 9113 section 3.4). What the server
 * says does not tell what the client will say.
 */
bool natflow_tcp_is_idle(const struct natflow_inspection *in, const struct natflow_segment *s)
{
	if (s->proto != IPPROTO_TCP || s->dir != IP_CT_DIR_REPLY || !in->based)
		return false;
	return in->packets ? is_blank(in, s) : s->len;
}
