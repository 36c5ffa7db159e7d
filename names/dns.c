// SPDX-License-Identifier: GPL-2.0-only
/*
 * DNS questions and answers in datagrams. Each is inspected on its own. Only hints
 * outlive a datagram, so a flood of them costs no memory.
 */
#include <linux/slab.h>
#include "../lib/names/dns_reply.h"
#include "../lib/names/name.h"
#include "../policy/acl.h"
#include "answer.h"
#include "../policy/client.h"
#include "dns.h"
#include "hints.h"
#include "names.h"
#include "record.h"
#include "../policy/sets.h"

#define PORT	53
#define MESSAGE_MAX	4096
#define ADDRESSES_MAX	32	/* of an answer that become hints */

/* Memory for the inspection of one message. */
struct workspace {
	struct natflow_dns dns;
	struct natflow_dns_cursor cursor;
	struct natflow_hostname target;
	char text[NATFLOW_EVENT_URI_MAX + 2];	/* room to tell a cut text from a whole one */
	struct natflow_site_client client;
	u8 message[MESSAGE_MAX], reply[NATFLOW_DNS_REPLY_MAX];
};

/**
 * natflow_dns_is() - is this DNS (port 53), before or after DNAT
 * @ct: conntrack
 */
bool natflow_dns_is(const struct nf_conn *ct)
{
	return natflow_ct_serves(ct, PORT);
}

/**
 * natflow_dns_answer_to() - what natflow answers to a question, in place of the server
 * @acl: rules
 * @action: for the name, enum natflow_url_action
 *
 * Return: NATFLOW_DNS_NONE if the question goes on to the server.
 */
enum natflow_dns_answer natflow_dns_answer_to(const struct natflow_acl *acl, u8 action)
{
	return action == NATFLOW_URL_DROP || action == NATFLOW_URL_RESET ? acl->dns.answer :
									 NATFLOW_DNS_NONE;
}

/* Do records of this type carry ECH keys? */
bool natflow_dns_is_https(u16 type)
{
	return type == NATFLOW_DNS_HTTPS || type == NATFLOW_DNS_SVCB;
}

/* Log a message. @len: of @w->text. */
static void log_message(struct natflow_urllogger *ul, const struct natflow_segment *s,
			const struct workspace *w, enum natflow_url_source source, u16 len,
			struct natflow_acl_verdict v)
{
	const struct natflow_said said = {
		.source = source, .host = &w->dns.question, .alpn = "", .uri = w->text,
		.uri_len = len, .flags = w->dns.question.odd ? NATFLOW_URL_ODD : 0,
	};

	natflow_record_name(ul, s->ct, &w->client, &said, v, 0);
}

/* Note the client and judge the name. Return: what natflow answers in place of the server. */
static enum natflow_dns_answer judge_question(const struct natflow_acl *acl,
					      const struct natflow_segment *s,
					      const struct net_device *out, struct workspace *w,
					      struct natflow_acl_verdict *v)
{
	natflow_client_note(&w->client, s, out);
	*v = natflow_acl_decide(acl, &w->client, w->dns.question.text, w->dns.question.len);
	return natflow_dns_answer_to(acl, v->action);
}

static unsigned int take_question(struct natflow_urllogger *ul, struct natflow_segment *s,
				  struct workspace *w, const u8 *msg)
{
	const struct natflow_acl *acl = rcu_dereference(ul->acl);
	struct natflow_acl_verdict v;
	enum natflow_dns_answer answer = judge_question(acl, s, NULL, w, &v);
	unsigned int len;

	natflow_acl_count(v);
	if (!answer)
		v.action = NATFLOW_URL_RECORD;
	log_message(ul, s, w, NATFLOW_URL_DNS, 0, v);
	if (!answer && acl->dns.no_https && natflow_dns_is_https(w->dns.type))
		answer = NATFLOW_DNS_NODATA;
	if (!answer)
		return NF_ACCEPT;
	len = natflow_dns_reply(w->reply, sizeof(w->reply), msg, &w->dns, &acl->dns, answer);
	if (len)
		natflow_answer_udp(s, w->reply, len);
	return NF_DROP;
}

/* Judge a name that an answer refers to (CNAME, HTTPS, SVCB). */
static enum natflow_dns_answer judge_target(const struct natflow_acl *acl, struct workspace *w,
					    unsigned int at)
{
	enum natflow_dns_answer answer;
	struct natflow_acl_verdict v;

	if (!natflow_dns_name_read(&w->cursor, at, &w->target) || !w->target.len)
		return NATFLOW_DNS_NONE;
	v = natflow_acl_decide(acl, &w->client, w->target.text, w->target.len);
	answer = natflow_dns_answer_to(acl, v.action);
	if (answer)
		natflow_acl_count(v);
	return answer;
}

static bool has_target(const struct natflow_dns_record *r)
{
	return r->type == NATFLOW_DNS_CNAME || natflow_dns_is_https(r->type);
}

static enum natflow_dns_answer judge_answers(const struct natflow_acl *acl, struct workspace *w,
					     const u8 *msg, unsigned int len)
{
	enum natflow_dns_answer answer = NATFLOW_DNS_NONE;
	struct natflow_dns_record r;

	natflow_dns_begin(&w->cursor, &w->dns, msg, len);
	while (!answer && natflow_dns_next(&w->cursor, &r)) {
		if (acl->dns.no_https && natflow_dns_is_https(r.type))
			answer = NATFLOW_DNS_NODATA;
		else if (has_target(&r))
			answer = judge_target(acl, w, r.target);
	}
	return answer;
}

/* Keep an answer's address as a hint, and add it to the ipset of the list that has the name. */
static void note_address(struct natflow_urllogger *ul, const struct workspace *w,
			 const struct natflow_dns_record *r, const struct natflow_site_list *list)
{
	u8 family = r->type == NATFLOW_DNS_A ? NFPROTO_IPV4 : NFPROTO_IPV6;

	natflow_hints_put(ul->hints, &w->client, family, r->addr, w->dns.question.text, r->ttl);
	if (list && *list->policy.add_set)
		natflow_set_add(w->client.net, list->policy.add_set, family, r->addr);
}

/* Describe an answer in @w->text. Return: the length. */
static unsigned int note_answers(struct natflow_urllogger *ul, const struct natflow_segment *s,
				 struct workspace *w, const u8 *msg,
				 const struct natflow_site_list *list)
{
	const size_t room = sizeof(w->text);
	struct natflow_dns_record r;
	unsigned int len, addresses = 0;
	bool first = true;

	len = scnprintf(w->text, room, "rcode=%u", w->dns.rcode);
	natflow_dns_begin(&w->cursor, &w->dns, msg, s->len);
	while (natflow_dns_next(&w->cursor, &r)) {
		if (first)
			len += scnprintf(w->text + len, room - len, " ttl=%u", r.ttl);
		first = false;
		if (r.type == NATFLOW_DNS_CNAME &&
		    natflow_dns_name_read(&w->cursor, r.target, &w->target))
			len += scnprintf(w->text + len, room - len, " cname=%s", w->target.text);
		if (r.type == NATFLOW_DNS_A)
			len += scnprintf(w->text + len, room - len, " addr=%pI4", r.addr);
		if (r.type == NATFLOW_DNS_AAAA)
			len += scnprintf(w->text + len, room - len, " addr=%pI6c", r.addr);
		if ((r.type == NATFLOW_DNS_A || r.type == NATFLOW_DNS_AAAA) &&
		    addresses++ < ADDRESSES_MAX)
			note_address(ul, w, &r, list);
	}
	return len;
}

static unsigned int take_answer(struct natflow_urllogger *ul, struct natflow_segment *s,
				const struct net_device *out, struct workspace *w, const u8 *msg)
{
	const struct natflow_acl *acl = rcu_dereference(ul->acl);
	struct natflow_acl_verdict v;
	enum natflow_dns_answer answer = judge_question(acl, s, out, w, &v);
	unsigned int len;

	if (!answer && (acl->dns.answer || acl->dns.no_https))
		answer = judge_answers(acl, w, msg, s->len);
	if (!answer) {
		len = note_answers(ul, s, w, msg, v.exempt ? NULL : v.list);
		v.action = NATFLOW_URL_RECORD;
		if (natflow_names_setting(ul, NATFLOW_NAMES_ANSWERS))
			log_message(ul, s, w, NATFLOW_URL_ANSWER, len, v);
		return NF_ACCEPT;
	}
	len = natflow_dns_reply(w->reply, min_t(u32, sizeof(w->reply), s->len), msg, &w->dns,
				&acl->dns, answer);
	return len && natflow_answer_replace(s, w->reply, len) ? NF_ACCEPT : NF_DROP;
}

/**
 * natflow_dns_inspect() - inspect a DNS datagram
 * @ul: the namespace's state
 * @s: datagram of a flow that natflow_dns_is(); a blocked answer is rewritten
 * @out: the device it leaves by, NULL for questions
 *
 * Context: a netfilter hook, RCU read side, BH disabled.
 * Return: NF_ACCEPT or NF_DROP.
 */
unsigned int natflow_dns_inspect(struct natflow_urllogger *ul, struct natflow_segment *s,
				 const struct net_device *out)
{
	unsigned int verdict = NF_ACCEPT;
	struct workspace *w;
	const u8 *msg;

	if (s->len > MESSAGE_MAX || !natflow_segment_sound(s))
		return NF_ACCEPT;
	w = kmalloc(sizeof(*w), GFP_ATOMIC | __GFP_NOWARN);
	if (!w)
		return natflow_names_without(ul, NATFLOW_NAME_MEMORY) ? NF_DROP : NF_ACCEPT;
	memset(&w->cursor, 0, sizeof(w->cursor));
	msg = skb_header_pointer(s->skb, s->data, s->len, w->message);
	if (msg && natflow_dns_parse(msg, s->len, &w->dns) == NATFLOW_PARSED && !w->dns.opcode) {
		if (s->dir == IP_CT_DIR_ORIGINAL && !w->dns.response)
			verdict = take_question(ul, s, w, msg);
		else if (s->dir == IP_CT_DIR_REPLY && w->dns.response)
			verdict = take_answer(ul, s, out, w, msg);
	}
	kfree(w);
	return verdict;
}
