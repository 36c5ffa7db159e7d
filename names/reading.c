// SPDX-License-Identifier: GPL-2.0-only
/* The buffered payload, read as HTTP, TLS or DNS. */
#include "dns.h"
#include "outcome.h"
#include "reading.h"
#include "stream.h"

#define REQUESTS_MAX	32	/* read of a version of the bytes that is not trusted */

/* Bytes of the client, as some server may read them. */
struct version {
	u8 *stream;
	u32 len;
};

/* Is a name blocked in a message that resolvers should refuse? Some resolver may answer it. */
static bool blocks_doubtful(struct natflow_inspection *in, const u8 *data, u32 len,
			    struct natflow_name *name)
{
	do {
		if (natflow_outcome_blocks(in, name))
			return true;
	} while (natflow_name_question_next(data, len, name));
	return false;
}

/*
 * A DNS message. A doubtful one matters only if it is blocked, or, if closed, if its
 * question cannot be read. What would be a doubtful long message may be another
 * protocol on the port.
 */
static enum natflow_parsed parse_dns(struct natflow_inspection *in, const u8 *data, u32 len,
				     struct natflow_name *name)
{
	enum natflow_parsed parsed = natflow_name_question(data, len, name), other;
	bool unread;

	if (parsed != NATFLOW_PARSED || !name->said.doubtful ||
	    blocks_doubtful(in, data, len, name))
		return parsed;
	unread = !name->dns.question_end && name->dns.questions &&
		 name->dns.questions <= NATFLOW_DNS_QUESTIONS_MAX;
	other = name->said.next > NATFLOW_QUESTION_MAX ? natflow_name_read(data, len, name) :
							  NATFLOW_PARSE_OTHER;
	if (other != NATFLOW_PARSE_OTHER)
		return other;
	if (unread && natflow_names_setting(in->ul, NATFLOW_NAMES_CLOSED))
		return NATFLOW_PARSE_MALFORMED;
	parsed = natflow_name_question(data, len, name);
	name->dns.question = (struct natflow_hostname){};
	return parsed;
}

/* @table: HTTP/2's dynamic table in front of @at, NULL: empty. */
static enum natflow_parsed parse(struct natflow_inspection *in, struct version v, u32 at,
				 u8 part, const struct natflow_hpack_table *table,
				 struct natflow_name *name)
{
	const u8 *data = v.stream + at;
	u32 len = v.len - min(at, v.len);
	enum natflow_parsed parsed;

	if (in->quic)
		return natflow_name_hello(data, len, name);
	if (part == NATFLOW_PART_CHUNK)
		return natflow_name_chunk(data, len, name);
	if (part == NATFLOW_PART_FRAME)
		return natflow_name_frame(data, len, table, name);
	if (in->upgrade) {
		parsed = natflow_name_preface(data, len, name);
		if (parsed != NATFLOW_PARSE_OTHER)
			return parsed;
	}
	if (natflow_dns_is(in->ct))
		return parse_dns(in, data, len, name);
	return natflow_name_read(data, len, name);
}

/*
 * Is a request blocked of which the rest is missing? A redirection waits for the rest:
 * a client that still sends would not read it.
 */
static bool blocks_part(struct natflow_inspection *in, const struct natflow_name *name)
{
	u8 action = natflow_outcome_action(in, name);

	return natflow_url_blocks(action) && action != NATFLOW_URL_REDIRECT;
}

/* Does a version hold a request that is blocked? It is in @name then. */
static bool blocks_version(struct natflow_inspection *in, struct version v,
			   struct natflow_name *name)
{
	const struct natflow_hpack_table *table = in->table;
	enum natflow_parsed parsed = NATFLOW_PARSED;
	unsigned int n = 0;
	u8 part = in->part;
	u64 at = in->at;

	while (at < v.len && parsed == NATFLOW_PARSED && n++ < REQUESTS_MAX) {
		parsed = parse(in, v, at, part, table, name);
		if (parsed <= NATFLOW_PARSE_MORE && natflow_outcome_blocks(in, name))
			return true;
		if (parsed != NATFLOW_PARSED || !name->said.next)
			return false;
		part = name->said.part;
		table = name->said.table ?: table;
		at += name->said.next;
	}
	return false;
}

/* The same without the last @count urgent bytes, for servers that read them out of band. */
static bool blocks_without(struct natflow_inspection *in, struct version v, u8 count,
			   struct natflow_name *name)
{
	u8 byte[NATFLOW_URGENT_MAX], i, n = 0;
	u32 at[NATFLOW_URGENT_MAX];
	bool blocks;

	for (i = 0; i < count && i < in->urgents; i++) {
		at[n] = in->urgent[i] - in->base;
		if (at[n] < in->at || at[n] >= v.len)
			continue;
		byte[n] = v.stream[at[n]];
		v.len--;
		memmove(v.stream + at[n], v.stream + at[n] + 1, v.len - at[n]);
		n++;
	}
	blocks = n && blocks_version(in, v, name);
	while (n--) {
		memmove(v.stream + at[n] + 1, v.stream + at[n], v.len - at[n]);
		v.len++;
		v.stream[at[n]] = byte[n];
	}
	if (blocks)
		name->said.uri_len = 0;		/* its text has moved */
	return blocks;
}

/* All versions of a stream; not each with each, so that a packet's cost stays bounded. */
static bool blocks_any(struct natflow_inspection *in, const struct natflow_gather *g,
		       struct natflow_name *name)
{
	const struct version first = { g->first, g->prefix }, last = { g->last, g->prefix };

	if (g->prefix <= in->at)
		return false;
	if (blocks_version(in, first, name) || (g->last && blocks_version(in, last, name)))
		return true;
	return blocks_without(in, first, 1, name) ||
	       (in->urgents > 1 && blocks_without(in, first, in->urgents, name));
}

/**
 * natflow_reading_doubts() - block what any reading of the client's bytes blocks
 * @in: inspection of a TCP connection, neither DECIDED nor WATCHED, its lock held
 * @w: workspace
 *
 * Bytes that the server may not accept, several versions of a byte, and urgent bytes
 * make several readings possible. None of them makes a connection pass.
 *
 * Context: RCU read side, BH disabled.
 * Return: true if the connection is blocked, and DECIDED.
 */
bool natflow_reading_doubts(struct natflow_inspection *in, struct natflow_workspace *w)
{
	if (!in->any.arrived && !in->gather.last && !in->urgents)
		return false;
	if (in->doubts > natflow_names_setting(in->ul, NATFLOW_NAMES_PACKETS))
		return false;
	if (!blocks_any(in, in->any.arrived ? &in->any : &in->gather, &w->other))
		return false;
	natflow_outcome_named(in, &w->other, NULL, false);
	return true;
}

/* Note up to where requests have been judged, and HTTP/2's dynamic table there. */
static void note_judged(struct natflow_inspection *in, u32 at, u8 part,
			const struct natflow_hpack_table *table)
{
	in->judged = at;
	in->judged_part = part;
	if (part != NATFLOW_PART_FRAME || table == in->judged_table)
		return;
	if (!in->judged_table)
		in->judged_table = natflow_stream_alloc(&in->place, sizeof(*in->judged_table));
	if (!in->judged_table)
		in->judged = 0;		/* judged again with the next packet */
	else if (table)
		*in->judged_table = *table;
	else
		memset(in->judged_table, 0, sizeof(*in->judged_table));
}

/*
 * Does the buffer hold a request that is blocked, behind the one in @w->name, which
 * passes? It is in @w->other then. @in->judged keeps each from being judged twice; if it
 * is set @w->name is not looked at.
 */
static bool blocks_later(struct natflow_inspection *in, struct natflow_workspace *w)
{
	const struct version v = { in->gather.first, in->gather.prefix };
	const struct natflow_hpack_table *table = in->judged_table;
	enum natflow_parsed parsed = NATFLOW_PARSED;
	u8 part = in->judged_part;
	u64 at = in->judged;

	if (at <= in->at) {
		if (!w->name.said.next)
			return false;
		at = in->at + w->name.said.next;
		part = w->name.said.part;
		table = w->name.said.table ?: in->table;
	}
	while (at < v.len) {
		parsed = parse(in, v, at, part, table, &w->other);
		if (parsed != NATFLOW_PARSED)
			break;
		if (natflow_outcome_blocks(in, &w->other))
			return true;
		if (!w->other.said.next)
			break;
		part = w->other.said.part;
		table = w->other.said.table ?: table;
		at += w->other.said.next;
	}
	if (at <= NATFLOW_STREAM_MAX)
		note_judged(in, at, part, table);
	return parsed == NATFLOW_PARSE_MORE && blocks_part(in, &w->other);
}

/**
 * natflow_reading_try() - read the buffer, and conclude if that is possible
 * @in: inspection, neither DECIDED nor WATCHED, its lock held
 * @w: workspace
 * @ack: does the server have the bytes
 *
 * A request that is blocked is concluded at once, any other one when the server
 * has acknowledged it.
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK if it is concluded or more payload is needed; else the
 * outcome for natflow_outcome_without().
 */
enum natflow_reason natflow_reading_try(struct natflow_inspection *in,
					struct natflow_workspace *w, enum natflow_ack ack)
{
	struct natflow_name *said = NULL, *other = NULL;
	struct natflow_gather *g = &in->gather;
	const struct version first = { g->first, g->prefix }, last = { g->last, g->prefix };
	enum natflow_parsed parsed;

	/* The request itself, and some behind it, have been judged. */
	if (ack == NATFLOW_ACK_PENDING && natflow_inspection_is_complete(in) && !g->last &&
	    in->judged > in->at) {
		if (blocks_later(in, w))
			natflow_outcome_named(in, &w->other, NULL, true);
		return NATFLOW_OK;
	}
	parsed = parse(in, first, in->at, in->part, in->table, &w->name);
	if (parsed == NATFLOW_PARSED)
		said = &w->name;
	if (g->last &&
	    parse(in, last, in->at, in->part, in->table, &w->other) == NATFLOW_PARSED)
		*(said ? &other : &said) = &w->other;
	if (!said && parsed == NATFLOW_PARSE_MORE) {
		if (!blocks_part(in, &w->name))
			return g->prefix == NATFLOW_STREAM_MAX ? NATFLOW_NAME_BUDGET : NATFLOW_OK;
		said = &w->name;
	}
	natflow_inspection_complete(in);
	if (ack == NATFLOW_ACK_PENDING && said && !g->last && !natflow_outcome_blocks(in, said) &&
	    blocks_later(in, w))
		said = &w->other;
	if (ack <= NATFLOW_ACK_PENDING && !natflow_outcome_blocks(in, said) &&
	    !natflow_outcome_blocks(in, other))
		return NATFLOW_OK;
	if (said && said->said.nothing)
		natflow_outcome_chunk(in, &said->said, ack != NATFLOW_ACK_OVERDUE);
	else if (said)
		natflow_outcome_named(in, said, other, ack != NATFLOW_ACK_OVERDUE);
	else if (g->last || ack == NATFLOW_ACK_OVERDUE || natflow_inspection_has_urgent(in))
		return NATFLOW_NAME_UNTRUSTED;
	else
		return parsed == NATFLOW_PARSE_OTHER ? NATFLOW_NAME_NONE : NATFLOW_NAME_MALFORMED;
	return NATFLOW_OK;
}
