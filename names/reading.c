// SPDX-License-Identifier: GPL-2.0-only
/* The buffered payload, read as HTTP, TLS or DNS. */
#include "dns.h"
#include "outcome.h"
#include "reading.h"
#include "stream.h"

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

static enum natflow_parsed parse(struct natflow_inspection *in, const u8 *stream, u32 at,
				 bool chunks, struct natflow_name *name)
{
	const u8 *data = stream + at;
	u32 len = in->gather.prefix - min(at, in->gather.prefix);

	if (in->quic)
		return natflow_name_hello(data, len, name);
	if (chunks)
		return natflow_name_chunk(data, len, name);
	if (natflow_dns_is(in->ct))
		return parse_dns(in, data, len, name);
	return natflow_name_read(data, len, name);
}

/*
 * Does the buffer hold a request that is blocked, behind the one in @w->name, which
 * passes? It is in @w->other then. @in->judged keeps each from being judged twice.
 */
static bool blocks_later(struct natflow_inspection *in, struct natflow_workspace *w)
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
		if (natflow_outcome_blocks(in, &w->other))
			return true;
		next = w->other.said.next;
		chunks = w->other.said.chunks;
		at += next;
	}
	return false;
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
	enum natflow_parsed parsed = parse(in, g->first, in->at, in->chunks, &w->name);

	if (parsed == NATFLOW_PARSED)
		said = &w->name;
	if (g->last && parse(in, g->last, in->at, in->chunks, &w->other) == NATFLOW_PARSED)
		*(said ? &other : &said) = &w->other;
	if (!said && parsed == NATFLOW_PARSE_MORE)
		return g->prefix == NATFLOW_STREAM_MAX ? NATFLOW_NAME_BUDGET : NATFLOW_OK;
	natflow_inspection_complete(in);
	if (ack == NATFLOW_ACK_PENDING && said && !g->last && !natflow_outcome_blocks(in, said) &&
	    blocks_later(in, w))
		said = &w->other;
	if (ack <= NATFLOW_ACK_PENDING && !natflow_outcome_blocks(in, said) &&
	    !natflow_outcome_blocks(in, other))
		return NATFLOW_OK;
	if (said && in->chunks && said->said.host->len == 0)
		natflow_outcome_chunk(in, &said->said, ack != NATFLOW_ACK_OVERDUE);
	else if (said)
		natflow_outcome_named(in, said, other, ack != NATFLOW_ACK_OVERDUE);
	else if (g->last || ack == NATFLOW_ACK_OVERDUE)
		return NATFLOW_NAME_UNTRUSTED;
	else
		return parsed == NATFLOW_PARSE_OTHER ? NATFLOW_NAME_NONE : NATFLOW_NAME_MALFORMED;
	return NATFLOW_OK;
}
