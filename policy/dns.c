// SPDX-License-Identifier: GPL-2.0-only
/*
 * Questions and answers of the DNS, in datagrams. Each is looked at by itself:
 * nothing is kept of one for the next, so a flood of them costs no memory.
 */
#include <linux/slab.h>
#include "../lib/dns_reply.h"
#include "../lib/name.h"
#include "../natflow_urllogger.h"
#include "acl.h"
#include "answer.h"
#include "client.h"
#include "dns.h"
#include "inspection.h"

#define PORT	53
#define MESSAGE_MAX	4096

/* Room to work in while one message is looked at. */
struct workspace {
	struct natflow_dns dns;
	struct natflow_dns_cursor cursor;
	struct natflow_hostname target;
	struct natflow_name name;
	struct natflow_site_client client;
	u8 message[MESSAGE_MAX], reply[NATFLOW_DNS_REPLY_MAX];
};

/**
 * natflow_dns_is() - is a conntrack the DNS's, be it sent to another port on its way
 * @ct: conntrack
 */
bool natflow_dns_is(const struct nf_conn *ct)
{
	return natflow_ct_serves(ct, PORT);
}

/**
 * natflow_dns_answer_to() - is a question answered instead of what would be
 * @acl: rules
 * @action: on its name, enum natflow_url_action
 *
 * Return: how; NATFLOW_DNS_NONE where there is nothing to answer with.
 */
enum natflow_dns_answer natflow_dns_answer_to(const struct natflow_acl *acl, u8 action)
{
	return action == NATFLOW_URL_DROP || action == NATFLOW_URL_RESET ? acl->dns.answer :
									 NATFLOW_DNS_NONE;
}

/* Do records of this type carry keys for ECH? */
bool natflow_dns_is_https(u16 type)
{
	return type == NATFLOW_DNS_HTTPS || type == NATFLOW_DNS_SVCB;
}

static unsigned int take_question(struct natflow_urllogger *ul, struct natflow_segment *s,
				  struct workspace *w, const u8 *msg)
{
	const struct natflow_acl *acl = rcu_dereference(ul->acl);
	struct natflow_acl_verdict v;
	enum natflow_dns_answer answer;
	unsigned int len;

	natflow_client_note(&w->client, s, NULL);
	v = natflow_acl_decide(acl, &w->client, w->dns.question.text, w->dns.question.len);
	answer = natflow_dns_answer_to(acl, v.action);
	if (!answer)
		v.action = NATFLOW_URL_RECORD;
	w->name = (struct natflow_name){
		.source = NATFLOW_URL_DNS, .host = &w->dns.question, .alpn = "",
		.flags = w->dns.question.odd ? NATFLOW_URL_ODD : 0,
	};
	natflow_inspection_record(ul, s, &w->client, &w->name, v, 0);
	if (!answer && acl->dns.no_https && natflow_dns_is_https(w->dns.type))
		answer = NATFLOW_DNS_NODATA;
	if (!answer)
		return NF_ACCEPT;
	len = natflow_dns_reply(w->reply, sizeof(w->reply), msg, &w->dns, &acl->dns, answer);
	if (len)
		natflow_answer_udp(s, w->reply, len);
	return NF_DROP;
}

/* A name that an answer leads to: is it one that is not to be visited? */
static enum natflow_dns_answer judge_target(const struct natflow_acl *acl, struct workspace *w,
					    unsigned int at)
{
	if (!natflow_dns_name_read(&w->cursor, at, &w->target) || !w->target.len)
		return NATFLOW_DNS_NONE;
	return natflow_dns_answer_to(acl, natflow_acl_decide(acl, &w->client, w->target.text,
						 w->target.len).action);
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

static unsigned int take_answer(struct natflow_urllogger *ul, struct natflow_segment *s,
				const struct net_device *out, struct workspace *w, const u8 *msg)
{
	const struct natflow_acl *acl = rcu_dereference(ul->acl);
	enum natflow_dns_answer answer;
	unsigned int len;

	if (!acl->dns.answer && !acl->dns.no_https)
		return NF_ACCEPT;
	natflow_client_note(&w->client, s, out);
	answer = natflow_dns_answer_to(acl, natflow_acl_decide(acl, &w->client, w->dns.question.text,
						   w->dns.question.len).action);
	if (!answer)
		answer = judge_answers(acl, w, msg, s->len);
	if (!answer)
		return NF_ACCEPT;
	len = natflow_dns_reply(w->reply, min_t(u32, sizeof(w->reply), s->len), msg, &w->dns,
				&acl->dns, answer);
	return len && natflow_answer_replace(s, w->reply, len) ? NF_ACCEPT : NF_DROP;
}

/**
 * natflow_dns_inspect() - a datagram of a flow that natflow_dns_is()
 * @ul: namespace's
 * @s: datagram; an answer to be given otherwise is changed
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
		return natflow_inspection_without(ul, NATFLOW_NAME_MEMORY) ? NF_DROP : NF_ACCEPT;
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
