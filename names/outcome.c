// SPDX-License-Identifier: GPL-2.0-only
/* What follows from a request: its verdict, its record, the flow's action. */
#include <linux/slab.h>
#include "../lib/names/name.h"
#include "../policy/acl.h"
#include "dns.h"
#include "hints.h"
#include "outcome.h"
#include "record.h"
#include "stream.h"

#define BODY_MAX	BIT(30)	/* bytes of a body behind which the next request is awaited */
#define CHUNKS_MAX	BIT(20)	/* bytes of a chunked body on the stack; no bound if closed */

/* A question in a TCP stream cannot be answered, but its connection can be reset. */
static u8 question_action(const struct natflow_acl *acl, const struct natflow_dns *dns, u8 action)
{
	if (natflow_dns_answer_to(acl, action) ||
	    (acl->dns.no_https && natflow_dns_is_https(dns->type)))
		return NATFLOW_URL_RESET;
	return NATFLOW_URL_RECORD;
}

/* Only a request in clear text can be redirected. */
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

/**
 * natflow_outcome_action() - what the rules do with a name
 * @in: inspection, its lock held
 * @name: name, or NULL
 *
 * Context: RCU read side. Return: enum natflow_url_action.
 */
u8 natflow_outcome_action(struct natflow_inspection *in, const struct natflow_name *name)
{
	if (!name || !name->said.host || !name->said.host->len)
		return NATFLOW_URL_RECORD;
	return decide(in->ul, &in->client, name).action;
}

/**
 * natflow_outcome_blocks() - do the rules block a name
 * @in: inspection, its lock held
 * @name: name, or NULL
 *
 * Context: RCU read side.
 */
bool natflow_outcome_blocks(struct natflow_inspection *in, const struct natflow_name *name)
{
	return natflow_url_blocks(natflow_outcome_action(in, name));
}

/* Was payload at offset @next of this request forwarded without being buffered? */
static bool is_lost(const struct natflow_inspection *in, u32 next)
{
	u32 seq = in->base + in->at + next;

	return in->losing && (s32)(seq - in->lost) >= 0 && (s32)(seq - in->most) < 0;
}

/**
 * natflow_outcome_without() - no reliable name: the flow falls under inspect_fail
 * @in: inspection, its lock held
 * @outcome: why
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_outcome_without(struct natflow_inspection *in, enum natflow_reason outcome)
{
	u8 action = natflow_names_without(in->ul, outcome);

	/*
	 * The request this body belongs to is already logged; running out of
	 * buffer must not block it.
	 */
	if (in->part) {
		if (outcome == NATFLOW_NAME_BUDGET && is_lost(in, in->gather.prefix - in->at))
			action = NATFLOW_URL_RECORD;
		natflow_inspection_conclude(in, outcome, action);
		return;
	}
	natflow_inspection_unname(in);
	natflow_record_hint(in->ul, in->ct, &in->client, action);
	natflow_inspection_conclude(in, outcome, action);
}

/*
 * Payload beyond the buffer was forwarded unread, so the next request cannot be
 * located. Within a body that is no reason to block.
 */
static void conclude_lost(struct natflow_inspection *in)
{
	if (in->part)
		natflow_inspection_conclude(in, NATFLOW_NAME_BUDGET, NATFLOW_URL_RECORD);
	else
		natflow_inspection_conclude(in, NATFLOW_NAME_UNTRUSTED,
					    natflow_names_without(in->ul,
								  NATFLOW_NAME_UNTRUSTED));
}

/* Return: false if there is no memory. */
static bool keep_table(struct natflow_inspection *in, const struct natflow_hpack_table *table)
{
	if (!table)
		return true;
	if (!in->table)
		in->table = natflow_stream_alloc(&in->place, sizeof(*in->table));
	if (in->table)
		*in->table = *table;
	return in->table;
}

/*
 * This request, or this chunk of its body, passes. The next one may be buffered
 * already, in whole or in part.
 */
static void conclude_request(struct natflow_inspection *in, const struct natflow_said *said,
			     enum natflow_reason outcome)
{
	bool closed = natflow_names_setting(in->ul, NATFLOW_NAMES_CLOSED);
	u64 body = said->nothing ? in->body + said->next : 0;
	bool enough = body > CHUNKS_MAX && !closed;

	in->body = min_t(u64, body, CHUNKS_MAX + 1);
	in->part = said->part;
	in->upgrade = said->upgrade;
	if (!keep_table(in, said->table)) {
		natflow_outcome_without(in, NATFLOW_NAME_MEMORY);
		return;
	}
	if (!said->next || said->next > BODY_MAX || enough) {
		natflow_inspection_conclude(in, outcome, NATFLOW_URL_RECORD);
	} else if (is_lost(in, said->next)) {
		natflow_inspection_count(in, outcome);
		conclude_lost(in);
	} else if (in->at + said->next >= NATFLOW_STREAM_MAX ||
		   (!natflow_gather_has(&in->gather, in->at + said->next) &&
		    !natflow_gather_has(&in->any, in->at + said->next))) {
		natflow_inspection_watch(in, said->next, outcome);
	} else {
		natflow_inspection_count(in, outcome);
		natflow_inspection_reopen(in, in->at + said->next, 1);
	}
}

/**
 * natflow_outcome_chunk() - a chunk of a body was read
 * @in: inspection, its lock held
 * @said: where the next chunk or request begins
 * @sure: the server acknowledged the bytes
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_outcome_chunk(struct natflow_inspection *in, const struct natflow_said *said,
			   bool sure)
{
	if (sure && !in->gather.last && !natflow_inspection_has_urgent(in))
		conclude_request(in, said, NATFLOW_OK);
	else
		natflow_outcome_without(in, NATFLOW_NAME_UNTRUSTED);
}

/*
 * Keep the name by which a live connection is judged when rules change. The name
 * in a DNS question is not one: it says nothing about the connection.
 */
static bool keep_host(struct natflow_inspection *in, const struct natflow_said *said)
{
	natflow_inspection_unname(in);
	if (said->source == NATFLOW_URL_DNS || !said->host->len)
		return true;
	in->source = said->source;
	in->host = kstrdup(said->host->text, GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	return in->host;
}

/*
 * Is the server one of the name's? A client may say any name to any server. Believed
 * is the answer by which this client learned the address, or, if the list says so, the
 * client.
 */
static bool believes(struct natflow_inspection *in, const struct natflow_said *said,
		     const struct natflow_site_list *list, const u8 *server)
{
	const u8 family = in->client.family;
	char host[NATFLOW_HINT_HOST_MAX];

	if (!natflow_acl_believes(rcu_dereference(in->ul->acl), in->client.net, family, server))
		return false;
	return list->policy.add_visited ||
	       (natflow_hints_find(in->ul->hints, &in->client, family, server, host) &&
		!strcmp(host, said->host->text));
}

static void take_effect(struct natflow_inspection *in, const struct natflow_said *said,
			struct natflow_acl_verdict v)
{
	const u8 family = natflow_ct_family(in->ct);
	union natflow_key key;
	const u8 *server = (u8 *)&key + (family == NFPROTO_IPV4 ? 4 : 16);

	if (!v.list)
		return;
	natflow_ct_key(in->ct, IP_CT_DIR_ORIGINAL, 0, &key);
	if (!*v.list->policy.add_set || !believes(in, said, v.list, server))
		server = NULL;
	natflow_acl_take_effect(v, in->ct, server);
}

static bool is_same(const struct natflow_hostname *a, const struct natflow_hostname *b)
{
	return a->len == b->len && !memcmp(a->text, b->text, a->len);
}

/* Log a name, and the other name an overlap leaves possible. Return: the action for the flow. */
static u8 judge(struct natflow_inspection *in, const struct natflow_name *name,
		const struct natflow_name *other, u16 flags)
{
	struct natflow_acl_verdict v = decide(in->ul, &in->client, name);
	u8 action = v.action;

	natflow_acl_count(v);
	natflow_record_name(in->ul, in->ct, &in->client, &name->said, v, flags);
	if (name->said.source != NATFLOW_URL_DNS)
		take_effect(in, &name->said, v);
	if (other && !is_same(name->said.host, other->said.host)) {
		v = decide(in->ul, &in->client, other);
		natflow_record_name(in->ul, in->ct, &in->client, &other->said, v, flags);
		if (!natflow_url_blocks(action))
			action = v.action;
	}
	return action;
}

/**
 * natflow_outcome_named() - a request was read
 * @in: inspection, its lock held
 * @name: by the bytes that came first
 * @other: by the bytes that came last, if they differ and hold a request; or NULL
 * @sure: the server acknowledged the bytes
 *
 * Overlapping segments that differ, and urgent bytes, make a name untrusted even if
 * both readings agree: the server may have assembled a mix of the two.
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_outcome_named(struct natflow_inspection *in, const struct natflow_name *name,
			   const struct natflow_name *other, bool sure)
{
	bool wrong = name->said.flags & NATFLOW_URL_MALFORMED;
	bool differs = in->gather.last || name->said.flags & NATFLOW_URL_DIFFERS ||
		       natflow_inspection_has_urgent(in);
	enum natflow_reason doubt = wrong ? NATFLOW_NAME_MALFORMED : NATFLOW_NAME_UNTRUSTED;
	u8 action;

	if (!keep_host(in, &name->said)) {
		natflow_outcome_without(in, NATFLOW_NAME_MEMORY);
		return;
	}
	sure &= !differs && !wrong;
	if (sure && !name->said.host->len) {
		natflow_record_hint(in->ul, in->ct, &in->client, NATFLOW_URL_RECORD);
		conclude_request(in, &name->said, NATFLOW_NAME_NONE);
		return;
	}
	action = judge(in, name, other, differs ? NATFLOW_URL_DIFFERS : 0);
	if (!sure && !natflow_url_blocks(action))
		action = natflow_names_without(in->ul, doubt);
	if (sure && !natflow_url_blocks(action))
		conclude_request(in, &name->said, NATFLOW_NAME_KNOWN);
	else
		natflow_inspection_conclude(in, sure ? NATFLOW_NAME_KNOWN : doubt, action);
}

/**
 * natflow_outcome_later() - another connection of a flow that passes said a name
 * @in: inspection, DECIDED, its lock held
 * @name: as of natflow_outcome_named()
 * @other: likewise
 *
 * The flow goes on: whoever knows its addresses could end it with a forged packet.
 *
 * Context: RCU read side, BH disabled.
 * Return: the action for packets of that connection, enum natflow_url_action.
 */
u8 natflow_outcome_later(struct natflow_inspection *in, const struct natflow_name *name,
			 const struct natflow_name *other)
{
	enum natflow_reason outcome = in->gather.last ? NATFLOW_NAME_UNTRUSTED : NATFLOW_NAME_KNOWN;
	u8 action;

	if (!name->said.host->len) {
		natflow_inspection_count(in, NATFLOW_NAME_NONE);
		return NATFLOW_URL_RECORD;
	}
	natflow_inspection_count(in, outcome);
	action = judge(in, name, other, in->gather.last ? NATFLOW_URL_DIFFERS : 0);
	if (natflow_url_blocks(action))
		return action;
	if (!keep_host(in, &name->said))
		natflow_inspection_count(in, NATFLOW_NAME_MEMORY);
	return outcome == NATFLOW_NAME_KNOWN ? action : natflow_names_without(in->ul, outcome);
}

/**
 * natflow_outcome_review() - rules changed: judge the flow's name by the new ones
 * @in: inspection, its lock held
 *
 * Context: RCU read side, BH disabled.
 * Return: true if the flow's packets are blocked now.
 */
bool natflow_outcome_review(struct natflow_inspection *in)
{
	const struct natflow_acl *acl = rcu_dereference(in->ul->acl);
	u8 before = natflow_inspection_is_decided(in) ? in->action : NATFLOW_URL_RECORD;
	struct natflow_acl_verdict v = {};
	bool blocked;

	if (in->host) {
		v = natflow_acl_decide(acl, &in->client, in->host, strlen(in->host));
		/* The request was forwarded long ago; it cannot be answered any more. */
		if (v.action == NATFLOW_URL_REDIRECT)
			v.action = NATFLOW_URL_RESET;
		WRITE_ONCE(in->action, v.action);
		/* The body of a request that is blocked now is on its way. */
		if (!natflow_inspection_is_decided(in) && in->part &&
		    natflow_url_blocks(v.action))
			natflow_inspection_conclude(in, NATFLOW_OK, v.action);
	}
	blocked = natflow_inspection_is_decided(in) && natflow_url_blocks(in->action);
	/* Cutting a connection that had passed is an event of its own. */
	if (blocked && in->host && in->action != before && natflow_ct_open(in->ct))
		natflow_record_cut(in->ul, in->ct, &in->client, in->host, in->source, v);
	return blocked;
}
