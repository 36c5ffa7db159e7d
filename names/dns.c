// SPDX-License-Identifier: GPL-2.0-only
/*
 * DNS questions and answers in datagrams. Each is inspected on its own. Only hints
 * and open questions outlive a datagram; both have a bound.
 *
 * Rules act on every name that is read. An address is believed only if its answer is
 * the first to an open question, and comes from the gateway's own resolver or from one
 * that dns_resolvers= names.
 */
#include <linux/slab.h>
#include <net/l3mdev.h>
#include "../lib/names/dns_reply.h"
#include "../lib/names/name.h"
#include "../policy/acl.h"
#include "../policy/answer.h"
#include "../policy/client.h"
#include "datagrams.h"
#include "dns.h"
#include "hints.h"
#include "names.h"
#include "questions.h"
#include "record.h"
#include "../policy/sets.h"

#define PORT	53
#define MESSAGE_MAX	4096	/* bytes that are read of a message */
#define ADDRESSES_MAX	32	/* of an answer that become hints */
#define TARGETS_MAX	16	/* names to which an answer leads; resolvers stop sooner */
#define TARGET_LABELS_MAX 192	/* of all these names together */

/* Memory for the inspection of one message. */
struct workspace {
	const struct nf_hook_state *state;
	bool several;		/* the packet has more than one message */
	enum natflow_parsed parsed;
	const u8 *msg;
	unsigned int len;	/* of @msg; the message may be longer */
	struct natflow_dns dns;
	struct natflow_dns_cursor cursor;
	unsigned int targets, labels;	/* judged */
	u16 target_at[TARGETS_MAX];
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

static void count(struct natflow_urllogger *ul, enum natflow_reason reason)
{
	natflow_stats_reason(ul->nn->pcpu, reason);
}

/* A message that cannot be relied on. Return: the verdict. */
static unsigned int doubt(struct natflow_urllogger *ul, enum natflow_reason reason)
{
	count(ul, reason);
	return natflow_names_without(ul, reason) ? NF_DROP : NF_ACCEPT;
}

/* The device between the gateway and the server; 0: the server is the gateway. */
static int server_device(const struct workspace *w, const struct natflow_segment *s)
{
	const struct net_device *dev = s->dir == IP_CT_DIR_ORIGINAL ? w->state->out : w->state->in;

	return dev ? l3mdev_master_ifindex_rcu(dev) ?: dev->ifindex : 0;
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

/* Judge the question. Return: what natflow answers in place of the server. */
static enum natflow_dns_answer judge_question(const struct natflow_acl *acl,
					      const struct workspace *w,
					      struct natflow_acl_verdict *v)
{
	*v = natflow_acl_decide(acl, &w->client, w->dns.question.text, w->dns.question.len);
	return natflow_dns_answer_to(acl, v->action);
}

/* -- questions */

/*
 * No resolver should answer this message: it has several questions, is an answer, is
 * malformed, or has another opcode, as updates have (RFC 2136). Some resolver may do
 * so: the message is dropped if a name in it is blocked.
 */
static unsigned int take_other(struct natflow_urllogger *ul, struct natflow_segment *s,
			       struct workspace *w)
{
	const struct natflow_acl *acl = rcu_dereference(ul->acl);
	struct natflow_acl_verdict v;
	unsigned int n = 0;

	natflow_dns_begin(&w->cursor, &w->dns, w->msg, w->len);
	while (!judge_question(acl, w, &v)) {
		if (++n < w->dns.questions &&
		    natflow_dns_question_next(&w->cursor, &w->dns.question))
			continue;
		return n < w->dns.questions ? doubt(ul, NATFLOW_NAME_MALFORMED) : NF_ACCEPT;
	}
	natflow_acl_count(v);
	log_message(ul, s, w, NATFLOW_URL_DNS, 0, v);
	return NF_DROP;
}

/* A resolver answers a message with padding behind it, however long. */
static bool is_question(const struct natflow_segment *s, const struct workspace *w)
{
	bool whole = w->parsed == NATFLOW_PARSED ||
		     (w->parsed == NATFLOW_PARSE_MORE && s->len > w->len);

	return whole && !w->dns.response && !w->dns.opcode;
}

static void open_question(struct natflow_urllogger *ul, const struct natflow_segment *s,
			  const struct workspace *w)
{
	struct natflow_sharer who;

	natflow_client_sharer(&who, &w->client);
	if (!natflow_questions_open(ul->questions, s->ct, server_device(w, s), &w->dns, &who))
		count(ul, NATFLOW_NAME_QUESTIONS);
}

static unsigned int take_question(struct natflow_urllogger *ul, struct natflow_segment *s,
				  struct workspace *w)
{
	const struct natflow_acl *acl = rcu_dereference(ul->acl);
	enum natflow_dns_answer answer;
	struct natflow_acl_verdict v;
	unsigned int len;

	if (!w->dns.question_end)
		return doubt(ul, NATFLOW_NAME_MALFORMED);
	natflow_client_note(&w->client, s, NULL);
	if (!is_question(s, w))
		return take_other(ul, s, w);
	answer = judge_question(acl, w, &v);
	natflow_acl_count(v);
	if (!answer)
		v.action = NATFLOW_URL_RECORD;
	log_message(ul, s, w, NATFLOW_URL_DNS, 0, v);
	if (!answer && acl->dns.no_https && natflow_dns_is_https(w->dns.type))
		answer = NATFLOW_DNS_NODATA;
	if (!answer) {
		open_question(ul, s, w);
		return NF_ACCEPT;
	}
	len = natflow_dns_reply(w->reply, sizeof(w->reply), w->msg, &w->dns, &acl->dns, answer);
	if (len && natflow_client_may(ul->answers, s))
		natflow_answer_udp(s, w->reply, len);
	return NF_DROP;
}

/* -- answers */

static unsigned int count_labels(const struct natflow_hostname *host)
{
	unsigned int n = 1;
	const char *c;

	for (c = host->text; *c; c++)
		n += *c == '.';
	return n;
}

/*
 * Judge a name that an answer refers to (CNAME, HTTPS, SVCB), each name once. Return:
 * false if that is one too many.
 */
static bool judge_target(const struct natflow_acl *acl, struct workspace *w, unsigned int at,
			 enum natflow_dns_answer *answer)
{
	struct natflow_acl_verdict v;
	unsigned int i;

	at = natflow_dns_name_at(&w->cursor, at);
	for (i = 0; i < w->targets; i++)
		if (w->target_at[i] == at)
			return true;
	if (w->targets == TARGETS_MAX || w->labels >= TARGET_LABELS_MAX)
		return false;
	if (!at || !natflow_dns_name_read(&w->cursor, at, &w->target))
		return w->cursor.spent < NATFLOW_DNS_BUDGET;
	if (!w->target.len)
		return true;
	w->target_at[w->targets++] = at;
	w->labels += count_labels(&w->target);
	v = natflow_acl_decide(acl, &w->client, w->target.text, w->target.len);
	*answer = natflow_dns_answer_to(acl, v.action);
	if (*answer)
		natflow_acl_count(v);
	return true;
}

static bool has_target(const struct natflow_dns_record *r)
{
	return r->type == NATFLOW_DNS_CNAME || natflow_dns_is_https(r->type);
}

/* @all: were all names judged? */
static enum natflow_dns_answer judge_answers(const struct natflow_acl *acl, struct workspace *w,
					     bool *all)
{
	enum natflow_dns_answer answer = NATFLOW_DNS_NONE;
	struct natflow_dns_record r;

	natflow_dns_begin(&w->cursor, &w->dns, w->msg, w->len);
	while (!answer && *all && natflow_dns_next(&w->cursor, &r)) {
		if (acl->dns.no_https && natflow_dns_is_https(r.type))
			answer = NATFLOW_DNS_NODATA;
		else if (has_target(&r))
			*all = judge_target(acl, w, r.target, &answer);
	}
	*all &= !w->cursor.left;
	return answer;
}

/* Keep an answer's address as a hint, and add it to the ipset of the list that has the name. */
static bool note_address(struct natflow_urllogger *ul, const struct workspace *w,
			 const struct natflow_dns_record *r, const struct natflow_site_list *list)
{
	u8 family = r->type == NATFLOW_DNS_A ? NFPROTO_IPV4 : NFPROTO_IPV6;

	if (!natflow_acl_believes(rcu_dereference(ul->acl), w->client.net, family, r->addr))
		return false;
	natflow_hints_put(ul->hints, &w->client, family, r->addr, w->dns.question.text, r->ttl);
	if (list && *list->policy.add_set)
		natflow_set_add(w->client.net, list->policy.add_set, family, r->addr);
	return true;
}

/* Describe a record in @w->text, behind @len characters. Return: the length. */
static unsigned int describe(struct workspace *w, const struct natflow_dns_record *r,
			     unsigned int len)
{
	const size_t room = sizeof(w->text);

	if (r->type == NATFLOW_DNS_CNAME && len + 1 < room &&
	    natflow_dns_name_read(&w->cursor, r->target, &w->target))
		len += scnprintf(w->text + len, room - len, " cname=%s", w->target.text);
	if (r->type == NATFLOW_DNS_A)
		len += scnprintf(w->text + len, room - len, " addr=%pI4", r->addr);
	if (r->type == NATFLOW_DNS_AAAA)
		len += scnprintf(w->text + len, room - len, " addr=%pI6c", r->addr);
	return len;
}

/* Describe an answer in @w->text. @believed: with its addresses. Return: the length. */
static unsigned int note_answers(struct natflow_urllogger *ul, struct workspace *w,
				 const struct natflow_site_list *list, bool believed)
{
	unsigned int len, addresses = 0, wrong = 0;
	struct natflow_dns_record r;
	bool first = true;

	len = scnprintf(w->text, sizeof(w->text), "rcode=%u", w->dns.rcode);
	natflow_dns_begin(&w->cursor, &w->dns, w->msg, w->len);
	while (natflow_dns_next(&w->cursor, &r)) {
		bool address = r.type == NATFLOW_DNS_A || r.type == NATFLOW_DNS_AAAA;

		if (first)
			len += scnprintf(w->text + len, sizeof(w->text) - len, " ttl=%u", r.ttl);
		first = false;
		if (address && !believed)
			continue;
		if (address && addresses++ < ADDRESSES_MAX && !note_address(ul, w, &r, list))
			wrong++;
		else
			len = describe(w, &r, len);
	}
	if (wrong)
		count(ul, NATFLOW_NAME_ADDRESS);
	return len;
}

/* Does the server of this answer count? */
static bool believes(struct natflow_urllogger *ul, const struct natflow_segment *s,
		     const struct workspace *w)
{
	const struct natflow_acl *acl = rcu_dereference(ul->acl);
	union natflow_key key;

	natflow_ct_key(s->ct, IP_CT_DIR_REPLY, 0, &key);	/* it begins with the source */
	if (w->state->hook == NF_INET_LOCAL_OUT ||
	    natflow_dns_trust_server(&acl->trust, s->family, (u8 *)&key))
		return true;
	count(ul, NATFLOW_NAME_RESOLVER);
	return false;
}

/* An answer to an open question, which leads to no blocked name. @v: verdict on the question. */
static void note_answer(struct natflow_urllogger *ul, const struct natflow_segment *s,
			struct workspace *w, struct natflow_acl_verdict v)
{
	bool whole = w->parsed == NATFLOW_PARSED && !w->dns.rcode;
	unsigned int len;

	len = note_answers(ul, w, v.exempt ? NULL : v.list, believes(ul, s, w) && whole);
	v.action = NATFLOW_URL_RECORD;
	if (natflow_names_setting(ul, NATFLOW_NAMES_ANSWERS))
		log_message(ul, s, w, NATFLOW_URL_ANSWER, len, v);
}

static unsigned int replace_answer(struct natflow_urllogger *ul, struct natflow_segment *s,
				   struct workspace *w, enum natflow_dns_answer answer)
{
	const struct natflow_acl *acl = rcu_dereference(ul->acl);
	unsigned int len;

	if (w->several)
		return NF_DROP;
	len = natflow_dns_reply(w->reply, min_t(u32, sizeof(w->reply), s->len), w->msg, &w->dns,
				&acl->dns, answer);
	return len && natflow_answer_replace(s, w->reply, len) ? NF_ACCEPT : NF_DROP;
}

static unsigned int take_answer(struct natflow_urllogger *ul, struct natflow_segment *s,
				struct workspace *w)
{
	const struct natflow_acl *acl = rcu_dereference(ul->acl);
	enum natflow_dns_answer answer;
	struct natflow_acl_verdict v;
	unsigned int verdict = NF_ACCEPT;
	bool all = true, open;

	if (!w->dns.question_end)	/* an error, without anything behind the header */
		return w->dns.response && !w->dns.questions && !w->dns.answers ? NF_ACCEPT :
		       doubt(ul, NATFLOW_NAME_MALFORMED);
	if (!w->dns.response || w->dns.opcode)
		return NF_ACCEPT;
	natflow_client_note(&w->client, s, w->state->out);
	open = natflow_questions_close(ul->questions, s->ct, server_device(w, s), &w->dns);
	if (!open)
		count(ul, NATFLOW_NAME_STRAY);
	answer = judge_question(acl, w, &v);
	if (!answer && (acl->dns.answer || acl->dns.no_https))
		answer = judge_answers(acl, w, &all);
	if (answer)
		return replace_answer(ul, s, w, answer);
	if (w->parsed != NATFLOW_PARSED)
		verdict = doubt(ul, NATFLOW_NAME_MALFORMED);
	else if (!all)
		verdict = doubt(ul, NATFLOW_NAME_TARGETS);
	if (open)
		note_answer(ul, s, w, v);
	return verdict;
}

/* -- datagrams */

/* Inspect one message. */
static unsigned int take(struct natflow_urllogger *ul, struct natflow_segment *s,
			 struct workspace *w)
{
	w->len = min_t(u32, s->len, MESSAGE_MAX);
	w->msg = skb_header_pointer(s->skb, s->data, w->len, w->message);
	if (!w->msg)
		return NF_ACCEPT;
	w->parsed = natflow_dns_parse(w->msg, w->len, &w->dns);
	memset(&w->cursor, 0, sizeof(w->cursor));
	w->targets = 0;
	w->labels = 0;
	return s->dir == IP_CT_DIR_ORIGINAL ? take_question(ul, s, w) : take_answer(ul, s, w);
}

/* Inspect the messages of a super-packet. Those that are to be dropped are taken out of it. */
static unsigned int take_each(struct natflow_urllogger *ul, struct natflow_segment *s,
			      struct workspace *w)
{
	DECLARE_BITMAP(keep, NATFLOW_DATAGRAMS_MAX);
	unsigned int n = natflow_datagrams_count(s), i;

	if (n > NATFLOW_DATAGRAMS_MAX) {
		count(ul, NATFLOW_NAME_MALFORMED);
		return NF_DROP;
	}
	bitmap_zero(keep, NATFLOW_DATAGRAMS_MAX);
	w->several = true;
	for (i = 0; i < n; i++) {
		struct natflow_segment one = natflow_datagrams_get(s, i);

		if (take(ul, &one, w) == NF_ACCEPT)
			__set_bit(i, keep);
	}
	if (bitmap_full(keep, n))
		return NF_ACCEPT;
	return natflow_datagrams_keep(s, keep) ? NF_ACCEPT : NF_DROP;
}

/**
 * natflow_dns_inspect() - inspect a packet of DNS messages
 * @ul: the namespace's state
 * @s: packet of a flow that natflow_dns_is(); a blocked answer is rewritten
 * @state: of the hook
 *
 * Context: a netfilter hook, RCU read side, BH disabled.
 * Return: NF_ACCEPT or NF_DROP.
 */
unsigned int natflow_dns_inspect(struct natflow_urllogger *ul, struct natflow_segment *s,
				 const struct nf_hook_state *state)
{
	struct workspace *w;
	unsigned int verdict;

	if (!natflow_segment_sound(s))
		return NF_ACCEPT;
	w = kmalloc(sizeof(*w), GFP_ATOMIC | __GFP_NOWARN);
	if (!w)
		return doubt(ul, NATFLOW_NAME_MEMORY);
	w->state = state;
	w->several = false;
	verdict = natflow_datagrams_count(s) > 1 ? take_each(ul, s, w) : take(ul, s, w);
	kfree(w);
	return verdict;
}
