// SPDX-License-Identifier: GPL-2.0-only
/* Names become events of the log. */
#include "../lib/names/name.h"
#include "../core/base/ct.h"
#include "../policy/access.h"
#include "../policy/client.h"
#include "hints.h"
#include "names.h"
#include "record.h"

/* How much the log keeps of a client: as its policy says, or else log_level=. */
static u8 level_of(const struct natflow_urllogger *ul, const struct natflow_site_client *client)
{
	const struct natflow_policy *policy = natflow_access_policy_for(client);

	return policy && policy->log ? policy->log - 1 :
				       natflow_names_setting(ul, NATFLOW_NAMES_LEVEL);
}

static u16 kept_uri(const struct natflow_urllogger *ul, const struct natflow_said *said, u8 level)
{
	const char *query;
	u16 len = said->uri_len;

	if (!len || level < NATFLOW_URL_LEVEL_URL)
		return 0;
	query = natflow_names_setting(ul, NATFLOW_NAMES_QUERY) ? NULL : memchr(said->uri, '?', len);
	if (query)
		len = query - said->uri;
	return min_t(u16, len, NATFLOW_EVENT_URI_MAX);
}

/**
 * natflow_record_name() - log a name
 * @ul: the namespace's state
 * @ct: conntrack whose client sent it
 * @client: client
 * @said: name
 * @verdict: of the rules
 * @flags: enum natflow_url_flag, beside those of @said
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_record_name(struct natflow_urllogger *ul, const struct nf_conn *ct,
			 const struct natflow_site_client *client, const struct natflow_said *said,
			 struct natflow_acl_verdict verdict, u16 flags)
{
	u8 level = level_of(ul, client);
	struct natflow_event e = {
		.family = natflow_ct_family(ct), .proto = natflow_ct_proto(ct),
		.source = said->source,
		.method = said->method, .action = verdict.action, .rule = verdict.rule,
		.flags = said->flags | flags, .uri_len = kept_uri(ul, said, level),
		.alpn_len = strlen(said->alpn),
	};
	const struct natflow_log_skip *skip = rcu_dereference(ul->skip);
	struct natflow_sharer who;
	const char *host;

	if (level == NATFLOW_URL_LEVEL_COUNTERS || !said->host->len ||
	    (skip && natflow_sources_match(skip->source, skip->count, client)))
		return;
	if (e.uri_len == NATFLOW_EVENT_URI_MAX && said->uri_len > e.uri_len)
		e.flags |= NATFLOW_URL_CUT;
	host = level == NATFLOW_URL_LEVEL_DOMAIN ? natflow_hostname_domain(said->host) :
						   said->host->text;
	e.host_len = strlen(host);
	memcpy(e.mac, client->mac, sizeof(e.mac));
	if (verdict.list)
		strscpy(e.list, verdict.list->name, sizeof(e.list));
	natflow_ct_key(ct, IP_CT_DIR_ORIGINAL, 0, &e.tuple[0]);
	natflow_ct_key(ct, IP_CT_DIR_REPLY, 0, &e.tuple[1]);
	natflow_client_sharer(&who, client);
	natflow_names_log_put(&ul->log, &e, &who, host, said->uri, said->alpn);
}

/**
 * natflow_record_cut() - log that new rules end a connection that had passed
 * @ul: the namespace's state
 * @ct: the connection's conntrack
 * @client: client
 * @name: the connection's name
 * @source: where the name was, enum natflow_url_source
 * @verdict: of the new rules
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_record_cut(struct natflow_urllogger *ul, const struct nf_conn *ct,
			const struct natflow_site_client *client, const char *name, u8 source,
			struct natflow_acl_verdict verdict)
{
	struct natflow_hostname host = {};
	const struct natflow_said said = { .source = source, .host = &host, .alpn = "" };

	host.len = strscpy(host.text, name, sizeof(host.text));
	natflow_record_name(ul, ct, client, &said, verdict, 0);
}

/**
 * natflow_record_hint() - log a flow without a name under the hint for its address, if any
 * @ul: the namespace's state
 * @ct: the flow's conntrack
 * @client: client
 * @action: for the flow, enum natflow_url_action
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_record_hint(struct natflow_urllogger *ul, const struct nf_conn *ct,
			 const struct natflow_site_client *client, u8 action)
{
	const struct natflow_acl_verdict v = { .action = action, .rule = NATFLOW_URL_NO_RULE };
	struct natflow_hostname host = {};
	const struct natflow_said said = {
		.source = NATFLOW_URL_HINT, .host = &host, .alpn = "",
	};
	u8 family = natflow_ct_family(ct);
	union natflow_key key;

	natflow_ct_key(ct, IP_CT_DIR_ORIGINAL, 0, &key);
	if (!natflow_hints_find(ul->hints, client, family,
				(u8 *)&key + (family == NFPROTO_IPV4 ? 4 : 16), host.text))
		return;
	host.len = strlen(host.text);
	natflow_record_name(ul, ct, client, &said, v, 0);
}
