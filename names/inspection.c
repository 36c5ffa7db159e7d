// SPDX-License-Identifier: GPL-2.0-only
/* What one flow's client says, put together until it is a name or the budget is spent. */
#include <linux/slab.h>
#include "../core/base/segment.h"
#include "../lib/names/name.h"
#include "../policy/acl.h"
#include "../policy/client.h"
#include "dns.h"
#include "inspection.h"
#include "record.h"
#include "stream.h"

#define SECONDS_MAX	8		/* for a name to come */
#define REQUESTS_AT_ONCE 32		/* concluded with one packet of the server's */
#define DATAGRAM_MAX	NATFLOW_QUIC_PACKET_MAX
#define BODY_MAX	BIT(30)	/* of a request, for the next one to be waited for */
#define CHUNKS_MAX	BIT(20)	/* in chunks, on the stack; more if none may pass unseen */

/* Room to work in while one packet is looked at; the second half is QUIC's. */
struct workspace {
	struct natflow_name name, other;
	struct natflow_quic_work quic;
	u8 datagram[DATAGRAM_MAX];
};

/* The next packet of the flow is looked at. */
static void look_again(struct natflow_inspection *in)
{
	struct nf_conn **place = natflow_url_passing(in->ul, in->ct);

	if (READ_ONCE(*place) == in->ct)
		WRITE_ONCE(*place, NULL);
}

/**
 * natflow_inspection_free() - one that nobody finds any more
 * @rcu: embedded head
 */
void natflow_inspection_free(struct rcu_head *rcu)
{
	struct natflow_inspection *in = container_of(rcu, struct natflow_inspection, rcu);

	look_again(in);
	natflow_stream_free(in->ul, &in->gather);
	natflow_stream_give(in->ul, in->quic, sizeof(*in->quic));
	natflow_ct_put(in->ct);
	kfree(in->host);
	kfree(in);
}

/* -- the end of seeking */

/* What comes next begins where this request began. */
static void drop_gather(struct natflow_inspection *in)
{
	natflow_stream_free(in->ul, &in->gather);
	in->base += in->at;
	in->at = 0;
	in->judged = 0;
}

/* In a stream a question cannot be answered, but its connection can end. */
static u8 question_action(const struct natflow_acl *acl, const struct natflow_dns *dns, u8 action)
{
	if (natflow_dns_answer_to(acl, action) ||
	    (acl->dns.no_https && natflow_dns_is_https(dns->type)))
		return NATFLOW_URL_RESET;
	return NATFLOW_URL_RECORD;
}

/* Only a request in clear can be redirected. */
static struct natflow_acl_verdict decide(struct natflow_urllogger *ul,
					 const struct natflow_site_client *client,
					 const struct natflow_name *name)
{
	const struct natflow_acl *acl = rcu_dereference(ul->acl);
	struct natflow_acl_verdict v = natflow_acl_decide(acl, client, name->said.host->text,
							  name->said.host->len);

	if (name->said.source == NATFLOW_URL_DNS)
		v.action = question_action(acl, &name->dns, v.action);
	else if (v.action == NATFLOW_URL_REDIRECT && name->said.source != NATFLOW_URL_HTTP)
		v.action = NATFLOW_URL_RESET;
	return v;
}

/* @outcome: NATFLOW_OK if it was told before. */
static void count(struct natflow_inspection *in, enum natflow_reason outcome)
{
	if (outcome)
		natflow_stats_reason(in->ul->nn->pcpu, outcome);
}

static void set_state(struct natflow_inspection *in, enum natflow_inspection_state state)
{
	lockdep_assert_held(&in->lock);
	smp_store_release(&in->state, state);	/* pairs with natflow_urllogger.c:check() */
}

static void close(struct natflow_inspection *in, enum natflow_inspection_state state,
		  enum natflow_reason outcome, u8 action)
{
	drop_gather(in);
	WRITE_ONCE(in->action, action);
	set_state(in, state);
	count(in, outcome);
}

static void conclude(struct natflow_inspection *in, enum natflow_reason outcome, u8 action)
{
	close(in, NATFLOW_INSPECTION_DECIDED, outcome, action);
}

/* Did what comes @next pass when there was no room to gather it? */
static bool is_lost(const struct natflow_inspection *in, u32 next)
{
	u32 seq = in->base + in->at + next;

	return in->losing && (s32)(seq - in->lost) >= 0 && (s32)(seq - in->most) < 0;
}

static void conclude_without(struct natflow_inspection *in, enum natflow_reason outcome)
{
	u8 action = natflow_names_without(in->ul, outcome);

	/* A body's request was told, and its name stays; for want of room it is not ended. */
	if (in->chunks) {
		if (outcome == NATFLOW_NAME_BUDGET && is_lost(in, in->gather.prefix - in->at))
			action = NATFLOW_URL_RECORD;
		conclude(in, outcome, action);
		return;
	}
	kfree(in->host);
	in->host = NULL;
	natflow_record_hint(in->ul, in->ct, &in->client, action);
	conclude(in, outcome, action);
}

/* Another request of the connection, @at of what is gathered. */
static void begin_request(struct natflow_inspection *in, u32 at, u16 packets)
{
	u32 done = round_down(min(at, in->gather.prefix), 8);

	if (done >= NATFLOW_STREAM_MAX / 2) {
		natflow_gather_drop(&in->gather, done);
		in->base += done;
		in->judged -= min(done, in->judged);
		at -= done;
	}
	in->at = at;
	in->doubts = 0;
	in->packets = packets;
	in->born = jiffies;
	set_state(in, NATFLOW_INSPECTION_GATHERING);
}

/* The client may say more, @next behind where this request began. */
static void watch(struct natflow_inspection *in, u32 next, enum natflow_reason outcome)
{
	WRITE_ONCE(in->from, in->base + in->at + next);
	close(in, NATFLOW_INSPECTION_WATCHED, outcome, NATFLOW_URL_RECORD);
}

/* More came at once than there is room for, so what follows is not known; that ends no body. */
static void conclude_lost(struct natflow_inspection *in)
{
	if (in->chunks)
		conclude(in, NATFLOW_NAME_BUDGET, NATFLOW_URL_RECORD);
	else
		conclude(in, NATFLOW_NAME_UNTRUSTED,
			 natflow_names_without(in->ul, NATFLOW_NAME_UNTRUSTED));
}

/*
 * This request passes, with or without a name, or a part of its body does. The
 * next one may be here already, or in parts.
 */
static void conclude_request(struct natflow_inspection *in, const struct natflow_said *said,
			     enum natflow_reason outcome)
{
	u64 body = in->chunks ? in->body + said->next : 0;
	bool enough = body > CHUNKS_MAX && !natflow_names_setting(in->ul, NATFLOW_NAMES_CLOSED);

	in->body = min_t(u64, body, CHUNKS_MAX + 1);
	in->chunks = said->chunks;
	if (!said->next || said->next > BODY_MAX || enough) {
		conclude(in, outcome, NATFLOW_URL_RECORD);
	} else if (is_lost(in, said->next)) {
		count(in, outcome);
		conclude_lost(in);
	} else if (in->at + said->next >= NATFLOW_STREAM_MAX ||
		   !natflow_gather_has(&in->gather, in->at + said->next)) {
		watch(in, said->next, outcome);
	} else {
		count(in, outcome);
		begin_request(in, in->at + said->next, 1);
	}
}

static void conclude_chunk(struct natflow_inspection *in, const struct natflow_said *said,
			   bool sure)
{
	if (sure && !in->gather.last)
		conclude_request(in, said, NATFLOW_OK);
	else
		conclude_without(in, NATFLOW_NAME_UNTRUSTED);
}

/* Names that live connections are judged by when rules change; a question's is not one of these. */
static bool keep_host(struct natflow_inspection *in, const struct natflow_said *said)
{
	kfree(in->host);
	in->host = NULL;
	if (said->source == NATFLOW_URL_DNS || !said->host->len)
		return true;
	in->source = said->source;
	in->host = kstrdup(said->host->text, GFP_ATOMIC | __GFP_NOWARN);
	return in->host;
}

/*
 * What was said, in one reading or in two. Two are not all there may be: where
 * pieces differ the receiver may have put together a third. Nor is it @sure if
 * the server never said that it heard it.
 */
static void conclude_named(struct natflow_inspection *in, const struct natflow_name *name,
			   const struct natflow_name *other, bool sure)
{
	bool wrong = name->said.flags & NATFLOW_URL_MALFORMED;
	bool differs = in->gather.last || name->said.flags & NATFLOW_URL_DIFFERS;
	enum natflow_reason doubt = wrong ? NATFLOW_NAME_MALFORMED : NATFLOW_NAME_UNTRUSTED;
	u16 flags = differs ? NATFLOW_URL_DIFFERS : 0;
	struct natflow_acl_verdict v;
	u8 action;

	if (!keep_host(in, &name->said)) {
		conclude_without(in, NATFLOW_NAME_MEMORY);
		return;
	}
	sure &= !differs && !wrong;
	if (sure && !name->said.host->len) {
		natflow_record_hint(in->ul, in->ct, &in->client, NATFLOW_URL_RECORD);
		conclude_request(in, &name->said, NATFLOW_NAME_NONE);
		return;
	}
	v = decide(in->ul, &in->client, name);
	action = v.action;
	natflow_acl_count(v);
	natflow_record_name(in->ul, in->ct, &in->client, &name->said, v, flags);
	if (name->said.source != NATFLOW_URL_DNS)
		natflow_acl_take_effect(v, in->ct);
	if (other) {
		v = decide(in->ul, &in->client, other);
		natflow_record_name(in->ul, in->ct, &in->client, &other->said, v, flags);
		if (!natflow_url_blocks(action))
			action = v.action;
	}
	if (!sure && !natflow_url_blocks(action))
		action = natflow_names_without(in->ul, doubt);
	if (sure && !natflow_url_blocks(action))
		conclude_request(in, &name->said, NATFLOW_NAME_KNOWN);
	else
		conclude(in, sure ? NATFLOW_NAME_KNOWN : doubt, action);
}

/* Would this be blocked, by its name? */
static bool blocks(struct natflow_inspection *in, const struct natflow_name *name)
{
	return name && name->said.host->len &&
	       natflow_url_blocks(decide(in->ul, &in->client, name).action);
}

/* -- the budget */

/* What a flow that does not come to a name ends with. */
static enum natflow_reason give_up(const struct natflow_inspection *in)
{
	if (in->doubts)
		return NATFLOW_NAME_UNTRUSTED;
	return in->packets ? NATFLOW_NAME_BUDGET : NATFLOW_NAME_NONE;
}

static bool is_late(const struct natflow_inspection *in)
{
	return in->packets && time_after(jiffies, in->born + SECONDS_MAX * HZ);
}

static bool is_spent(const struct natflow_inspection *in)
{
	return in->packets >= natflow_names_setting(in->ul, NATFLOW_NAMES_PACKETS) || is_late(in);
}

/* -- bytes to names */

/* What is known of whether the server has what was read. */
enum heard {
	NO_NEWS,	/* as NOT_YET, and nothing came since */
	NOT_YET,	/* what did not arrive there will be said again, maybe otherwise */
	BY_SERVER,
	BY_NOBODY,	/* and there was time enough */
};

static enum natflow_parsed parse(const struct natflow_inspection *in, const u8 *stream, u32 at,
				 bool chunks, struct natflow_name *name)
{
	const u8 *data = stream + at;
	u32 len = in->gather.prefix - min(at, in->gather.prefix);

	if (in->quic)
		return natflow_name_hello(data, len, name);
	if (chunks)
		return natflow_name_chunk(data, len, name);
	if (natflow_dns_is(in->ct))
		return natflow_name_question(data, len, name);
	return natflow_name_read(data, len, name);
}

/* Behind a request that passes: one that does not? It is @w->other. Each is judged once. */
static bool blocks_later(struct natflow_inspection *in, struct workspace *w)
{
	const struct natflow_gather *g = &in->gather;
	u64 next = w->name.said.next, at = in->at + next;
	bool chunks = w->name.said.chunks;

	if (at < in->judged) {
		at = in->judged;
		chunks = in->judged_chunks;
	}
	while (next && at < g->prefix) {
		in->judged = at;
		in->judged_chunks = chunks;
		if (parse(in, g->first, at, chunks, &w->other) != NATFLOW_PARSED)
			return false;
		if (blocks(in, &w->other))
			return true;
		next = w->other.said.next;
		chunks = w->other.said.chunks;
		at += next;
	}
	return false;
}

/*
 * What the stream says by now. Whatever does not block is final when the server
 * answered it.
 *
 * Return: NATFLOW_OK if it is concluded, or more is needed.
 */
static enum natflow_reason read_stream(struct natflow_inspection *in, struct workspace *w,
				       enum heard heard)
{
	struct natflow_name *said = NULL, *other = NULL;
	struct natflow_gather *g = &in->gather;
	enum natflow_parsed parsed = parse(in, g->first, in->at, in->chunks, &w->name);

	if (parsed == NATFLOW_PARSED)
		said = &w->name;
	if (g->last && parse(in, g->last, in->at, in->chunks, &w->other) == NATFLOW_PARSED)
		*(said ? &other : &said) = &w->other;
	if (!said && parsed == NATFLOW_PARSE_MORE)
		return g->prefix == NATFLOW_STREAM_MAX ? NATFLOW_NAME_BUDGET : NATFLOW_OK;
	if (!natflow_inspection_complete(in))
		in->end = g->prefix;
	set_state(in, NATFLOW_INSPECTION_COMPLETE);
	if (heard == NOT_YET && said && !g->last && !blocks(in, said) && blocks_later(in, w))
		said = &w->other;
	if (heard <= NOT_YET && !blocks(in, said) && !blocks(in, other))
		return NATFLOW_OK;
	if (said && in->chunks && said->said.host->len == 0)
		conclude_chunk(in, &said->said, heard != BY_NOBODY);
	else if (said)
		conclude_named(in, said, other, heard != BY_NOBODY);
	else if (g->last || heard == BY_NOBODY)
		return NATFLOW_NAME_UNTRUSTED;
	else
		return parsed == NATFLOW_PARSE_OTHER ? NATFLOW_NAME_NONE : NATFLOW_NAME_MALFORMED;
	return NATFLOW_OK;
}

/* -- TCP */

/* This is where the stream begins. */
static void note_base(struct natflow_inspection *in, u32 seq)
{
	in->base = seq;
	in->isn = seq;
	in->most = seq;
	in->losing = false;
	in->at = 0;
	in->based = true;
}

/**
 * natflow_inspection_sync() - a server answered a SYN: a connection begins
 * @in: inspection, its lock held
 * @s: SYN and ACK
 * @ttl: of the client's SYN, 0 if not known
 *
 * Return: true if it is another one than before, so that all is open again.
 */
bool natflow_inspection_sync(struct natflow_inspection *in, const struct natflow_segment *s,
			     u8 ttl)
{
	bool known = in->based && (s->ack == in->isn || s->ack - in->base <= in->gather.prefix) &&
		     !(in->answered && s->seq != in->answer);
	bool again = in->based && !known;

	lockdep_assert_held(&in->lock);
	/* Of data in a SYN the server took what it acknowledges, or nothing (RFC 7413). */
	if (!known || (in->early && s->ack == in->base))
		drop_gather(in);
	if (!known) {
		kfree(in->host);
		in->host = NULL;
		begin_request(in, 0, 0);
		in->chunks = false;
		note_base(in, s->ack);
	}
	if (!known || in->early) {
		in->ttl = ttl;
		in->stamped = s->stamped;
		in->stamp = s->echo;
	}
	in->early = false;
	in->answered = true;
	in->answer = s->seq;
	return again;
}

/*
 * May the receiver take this for what it says? Only what every receiver takes is
 * read; what else is true of the flow will be said again by the client.
 */
static bool is_trusted(struct natflow_inspection *in, const struct natflow_segment *s)
{
	s32 at;

	/* Others' bytes are sent with fewer hops to live, so that they do not arrive. */
	if (s->ttl < in->ttl)
		return false;
	if (s->ttl > in->ttl) {
		if (in->gather.first) {
			drop_gather(in);
			in->doubts++;
			set_state(in, NATFLOW_INSPECTION_GATHERING);
		}
		in->ttl = s->ttl;
	}
	/* RFC 7323 section 5.3: dropped by PAWS. */
	if (in->stamped && (!s->stamped || (s32)(s->stamp - in->stamp) < 0))
		return false;
	/* A byte that is out of band is not part of what the application reads. */
	if (s->is_signed || s->extended || s->flags & NATFLOW_TCP_URG ||
	    !(s->flags & NATFLOW_TCP_ACK))
		return false;
	if (!natflow_segment_sound(s))
		return false;
	at = s->seq - in->base;
	if (s->stamped && at >= 0 && at <= (s32)in->gather.prefix) {
		in->stamped = true;
		in->stamp = s->stamp;
	}
	return true;
}

/* How far the client is, and what of that will not be gathered. */
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

/* Payload of the client's. Return: NATFLOW_OK or the outcome. */
static enum natflow_reason take_payload(struct natflow_inspection *in,
					const struct natflow_segment *s)
{
	bool trusted = is_trusted(in, s);	/* may move the base */
	s32 at = s->seq - in->base;
	u32 from = at < 0 ? -at : 0;

	if (!trusted) {
		in->doubts++;
		return NATFLOW_OK;
	}
	if (from >= s->len) {
		/* It passed before, and the server has it; before the first request none did. */
		in->doubts += in->base == in->isn;
		return NATFLOW_OK;
	}
	/* With inspect_fail=closed what is in doubt is dropped, so that it comes again. */
	if (at < NATFLOW_STREAM_MAX || in->chunks ||
	    !natflow_names_setting(in->ul, NATFLOW_NAMES_CLOSED))
		note_most(in, s, at);
	if (at >= NATFLOW_STREAM_MAX) {
		in->doubts += !in->chunks;
		return NATFLOW_OK;
	}
	return natflow_stream_put(in->ul, &in->gather, s, from, at < 0 ? 0 : at);
}

/* A segment of the client's. Return: NATFLOW_OK or the outcome. */
static enum natflow_reason seek_tcp(struct natflow_inspection *in, const struct natflow_segment *s,
				    struct workspace *w)
{
	enum natflow_reason reason = NATFLOW_OK;

	if (s->flags & NATFLOW_TCP_RST)
		return NATFLOW_OK;	/* if it arrives nothing else will */
	if (s->flags & NATFLOW_TCP_SYN) {
		/* Kept, and read when the server says how much it took. */
		if (in->based) {
			in->doubts++;
			return NATFLOW_OK;
		}
		note_base(in, s->seq + 1);
		in->early = true;
		return natflow_stream_put(in->ul, &in->gather, s, 0, 0);
	}
	if (!in->based)
		note_base(in, s->seq);
	if (s->len)
		reason = take_payload(in, s);
	if (!reason && in->gather.prefix && !in->early)
		reason = read_stream(in, w, NOT_YET);
	return reason;
}

/* Has the server all there is, and is that nothing but line ends behind an earlier request? */
static bool is_blank(const struct natflow_inspection *in, const struct natflow_segment *s)
{
	const struct natflow_gather *g = &in->gather;
	u32 end = in->base + g->prefix, i;

	if (s->proto != IPPROTO_TCP || s->dir != IP_CT_DIR_REPLY || !(s->flags & NATFLOW_TCP_ACK) ||
	    in->base + in->at == in->isn || in->most != end || s->ack != end || in->doubts ||
	    g->last || natflow_dns_is(in->ct))
		return false;
	for (i = in->at; i < g->prefix; i++)
		if (g->first[i] != '\r' && g->first[i] != '\n')
			return false;
	return i > in->at;
}

/* Has the server what holds the name? */
static bool is_answered(const struct natflow_inspection *in, const struct natflow_segment *s)
{
	if (!natflow_inspection_complete(in))
		return false;
	return s->proto == IPPROTO_UDP ||
	       (s->flags & NATFLOW_TCP_ACK && (s32)(s->ack - in->base - in->end) >= 0);
}

/* A packet of the server's. Return: NATFLOW_OK or the outcome. */
static enum natflow_reason hear(struct natflow_inspection *in, const struct natflow_segment *s,
				struct workspace *w)
{
	enum natflow_reason reason = NATFLOW_OK;
	unsigned int n = 0;

	/* Where the server speaks first no client says a name. */
	if (!is_answered(in, s))
		return s->proto == IPPROTO_TCP && s->len && !in->packets ? NATFLOW_NAME_NONE :
									   NATFLOW_OK;
	/* Behind one request there may be more: some now, the others with packets that follow. */
	while (n < REQUESTS_AT_ONCE && !reason && is_answered(in, s)) {
		n += !in->chunks;
		reason = read_stream(in, w, BY_SERVER);
		if (reason || in->state != NATFLOW_INSPECTION_GATHERING)
			break;
		reason = read_stream(in, w, NO_NEWS);
	}
	return reason;
}

/* -- QUIC */

/* One datagram. Return: NATFLOW_OK or the outcome. */
static enum natflow_reason seek_datagram(struct natflow_inspection *in,
					 const struct natflow_segment *s, u32 at, u32 len,
					 struct workspace *w)
{
	enum natflow_reason reason = NATFLOW_OK;
	enum natflow_parsed parsed;
	const u8 *data = NULL;

	if (len <= DATAGRAM_MAX)
		data = skb_header_pointer(s->skb, s->data + at, len, w->datagram);
	if (!data) {
		in->doubts++;
		return NATFLOW_OK;
	}
	do {
		parsed = natflow_quic_receive(in->quic, &in->gather, &w->quic, data, len);
		if (parsed == NATFLOW_PARSE_ROOM)
			reason = natflow_stream_grow(in->ul, &in->gather);
	} while (parsed == NATFLOW_PARSE_ROOM && !reason);
	if (reason)
		return reason;
	if (parsed == NATFLOW_PARSED)
		return read_stream(in, w, NOT_YET);
	in->doubts++;	/* the next datagram may be in order */
	return NATFLOW_OK;
}

static enum natflow_reason seek_quic(struct natflow_inspection *in, const struct natflow_segment *s,
				     struct workspace *w)
{
	u32 step = skb_is_gso(s->skb) ? skb_shinfo(s->skb)->gso_size : s->len;
	enum natflow_reason reason = NATFLOW_OK;
	u32 at;

	if (!in->quic) {
		in->quic = natflow_stream_alloc(in->ul, sizeof(*in->quic));
		if (!in->quic)
			return NATFLOW_NAME_MEMORY;
	}
	if (s->extended || !natflow_segment_sound(s)) {
		in->doubts++;
		return NATFLOW_OK;
	}
	for (at = 0; at < s->len && step && !reason && !natflow_inspection_decided(in) &&
	     !is_spent(in); at += step) {
		in->packets++;
		reason = seek_datagram(in, s, at, min(step, s->len - at), w);
	}
	return reason;
}

/* -- a packet of a flow */

/* Can a packet change what is known? */
static bool is_news(const struct natflow_inspection *in, const struct natflow_segment *s)
{
	if (s->dir == IP_CT_DIR_REPLY)
		return natflow_inspection_complete(in) || (s->proto == IPPROTO_TCP && s->len);
	return s->len || (in->gather.prefix > in->at && !natflow_inspection_complete(in));
}

static void look_into(struct natflow_inspection *in, const struct natflow_segment *s)
{
	const bool tcp = s->proto == IPPROTO_TCP, said = s->len && s->dir == IP_CT_DIR_ORIGINAL;
	enum natflow_reason reason;
	struct workspace *w;

	if (said && !in->packets) {
		in->born = jiffies;
		natflow_client_note(&in->client, s, NULL);
	}
	if (tcp && said && !natflow_inspection_complete(in))
		in->packets++;
	w = kmalloc(tcp ? offsetof(struct workspace, quic) : sizeof(*w),
		    GFP_ATOMIC | __GFP_NOWARN);
	if (!w) {
		conclude_without(in, NATFLOW_NAME_MEMORY);
		return;
	}
	if (s->dir == IP_CT_DIR_REPLY)
		reason = hear(in, s, w);
	else
		reason = tcp ? seek_tcp(in, s, w) : seek_quic(in, s, w);
	if (!natflow_inspection_decided(in) && !reason && is_spent(in))
		reason = natflow_inspection_complete(in) ? read_stream(in, w, BY_NOBODY) :
							   give_up(in);
	kfree(w);
	if (!natflow_inspection_decided(in) && reason)
		conclude_without(in, reason);
}

/**
 * natflow_inspection_again() - does a client begin another request
 * @in: inspection, decided, its lock held
 * @s: packet
 *
 * Return: true if so: all is open again.
 */
bool natflow_inspection_again(struct natflow_inspection *in, const struct natflow_segment *s)
{
	lockdep_assert_held(&in->lock);
	if (in->state != NATFLOW_INSPECTION_WATCHED || natflow_url_blocks(in->action) || !s->len ||
	    s->dir != IP_CT_DIR_ORIGINAL ||
	    (s32)(s->seq + s->len - in->from) <= 0)
		return false;
	in->base = in->from;
	in->losing &= (s32)(in->most - in->from) > 0;
	if (!in->losing)
		in->most = in->from;
	begin_request(in, 0, 0);
	return true;
}

/**
 * natflow_inspection_seek() - look into a packet of a flow that is not decided
 * @in: inspection, its lock held
 * @s: packet, of either direction
 *
 * Context: RCU read side, BH disabled.
 * Return: false if the packet is not believed, and so not to go on.
 */
bool natflow_inspection_seek(struct natflow_inspection *in, const struct natflow_segment *s)
{
	u16 doubts = in->doubts;

	lockdep_assert_held(&in->lock);
	if (s->dir == IP_CT_DIR_ORIGINAL && !in->client.family)
		natflow_client_note(&in->client, s, NULL);
	if (s->proto == IPPROTO_TCP && s->dir == IP_CT_DIR_ORIGINAL && !in->based && !s->len)
		note_base(in, s->seq);
	if (is_blank(in, s))
		watch(in, in->gather.prefix - in->at, NATFLOW_OK);
	if (natflow_inspection_decided(in) || !is_news(in, s))
		return true;
	look_into(in, s);
	return in->doubts == doubts || !natflow_names_setting(in->ul, NATFLOW_NAMES_CLOSED);
}

/**
 * natflow_inspection_pass() - need the flow's packets be looked at from here on
 * @in: inspection, its lock held
 *
 * To be called after each change, and before the lock is given up.
 */
void natflow_inspection_pass(struct natflow_inspection *in)
{
	struct nf_conn **place = natflow_url_passing(in->ul, in->ct);

	lockdep_assert_held(&in->lock);
	if (in->state != NATFLOW_INSPECTION_DECIDED || natflow_url_blocks(in->action))
		look_again(in);
	else if (READ_ONCE(*place) != in->ct)
		WRITE_ONCE(*place, in->ct);
}

/* Nobody says any more. */
static void time_out(struct natflow_inspection *in)
{
	enum natflow_reason reason = NATFLOW_OK;
	struct workspace *w = NULL;

	lockdep_assert_held(&in->lock);
	if (natflow_inspection_complete(in))
		w = kmalloc(sizeof(*w), GFP_ATOMIC | __GFP_NOWARN);
	if (w)
		reason = read_stream(in, w, BY_NOBODY);
	kfree(w);
	if (!natflow_inspection_decided(in))
		conclude_without(in, reason ?: give_up(in));
}

/**
 * natflow_inspection_age() - time passes
 * @in: inspection
 *
 * Context: process, RCU read side.
 */
void natflow_inspection_age(struct natflow_inspection *in)
{
	if (READ_ONCE(in->state) >= NATFLOW_INSPECTION_DECIDED || !is_late(in))
		return;
	spin_lock_bh(&in->lock);
	if (!natflow_inspection_decided(in))
		time_out(in);
	spin_unlock_bh(&in->lock);
}

/**
 * natflow_inspection_review() - rules changed: what is on its way obeys them, too
 * @in: inspection
 *
 * Context: process, RCU read side.
 * Return: true if the flow's packets are blocked now.
 */
bool natflow_inspection_review(struct natflow_inspection *in)
{
	const struct natflow_acl *acl = rcu_dereference(in->ul->acl);
	struct natflow_acl_verdict v = {};
	u8 before;
	bool blocked;

	spin_lock_bh(&in->lock);
	before = natflow_inspection_decided(in) ? in->action : NATFLOW_URL_RECORD;
	if (in->host) {
		v = natflow_acl_decide(acl, &in->client, in->host, strlen(in->host));
		/* Its request is over; it cannot be answered any more. */
		if (v.action == NATFLOW_URL_REDIRECT)
			v.action = NATFLOW_URL_RESET;
		WRITE_ONCE(in->action, v.action);
		/* What is sought is in the body of a request that is not to be. */
		if (!natflow_inspection_decided(in) && in->chunks && natflow_url_blocks(v.action))
			conclude(in, NATFLOW_OK, v.action);
	}
	blocked = natflow_inspection_decided(in) && natflow_url_blocks(in->action);
	/* A connection that had passed is cut: that is an event of its own. */
	if (blocked && in->host && in->action != before && natflow_ct_open(in->ct))
		natflow_record_cut(in->ul, in->ct, &in->client, in->host, in->source, v);
	natflow_inspection_pass(in);
	spin_unlock_bh(&in->lock);
	return blocked;
}
