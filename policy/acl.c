// SPDX-License-Identifier: GPL-2.0-only
/* Host rules and lists: the verdict on a name. */
#include <linux/once.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/route.h>
#include "../core/base/ct.h"
#include "access.h"
#include "acl.h"
#include "sets.h"

#define TAGGED	16	/* labels; rules for longer names are compared one by one */

/* Secret, so that nobody can find names with the tags of rules. */
static const u64 *rules_key(void)
{
	static u64 key[2];

	get_random_once(key, sizeof(key));
	return key;
}

/**
 * natflow_acl_alloc() - copy rules, with room for more
 * @old: rules, or NULL
 * @more: rules to make room for
 *
 * Context: process, may sleep.
 * Return: the copy, freed with natflow_acl_free(), or NULL.
 */
struct natflow_acl *natflow_acl_alloc(const struct natflow_acl *old, unsigned int more)
{
	unsigned int count = old ? old->count : 0;
	struct natflow_acl *acl = kvzalloc(struct_size(acl, rule, count + more),
					   GFP_KERNEL_ACCOUNT);

	if (acl && old) {
		unsigned int i;

		memcpy(acl, old, struct_size(old, rule, count));
		for (i = 0; i < acl->lists; i++)
			refcount_inc(&acl->list[i]->ref);
	}
	return acl;
}

/**
 * natflow_acl_free() - free rules
 * @acl: rules without readers, or NULL
 */
void natflow_acl_free(struct natflow_acl *acl)
{
	while (acl && acl->lists)
		natflow_site_list_put(acl->list[--acl->lists]);
	kvfree(acl);
}

/**
 * natflow_acl_add() - add a rule
 * @acl: not published yet, with room
 * @id: below NATFLOW_ACL_IDS; the lowest that matches decides
 * @action: enum natflow_url_action
 * @host: this name and those below it
 */
void natflow_acl_add(struct natflow_acl *acl, u8 id, u8 action,
		     const struct natflow_hostname *host)
{
	struct natflow_domains d = {};
	unsigned int at = acl->count++;

	memcpy(d.key, rules_key(), sizeof(d.key));
	while (at && acl->rule[at - 1].id > id) {
		acl->rule[at] = acl->rule[at - 1];
		at--;
	}
	acl->rule[at].id = id;
	acl->rule[at].action = action;
	acl->rule[at].len = host->len;
	acl->rule[at].tag = natflow_domains_tag(&d, host->text, host->len);
	acl->rule[at].labels = d.labels;
	memcpy(acl->rule[at].host, host->text, host->len + 1);
}

/* The tags of a name's suffixes, by their labels. */
static void tag_suffixes(u32 tag[TAGGED + 1], const char *host, unsigned int len)
{
	struct natflow_suffixes s = { .name = host, .left = len };
	unsigned int k;

	memset(tag, 0, (TAGGED + 1) * sizeof(*tag));
	while (natflow_suffixes_next(&s, rules_key(), TAGGED))
		for (k = 0; k < s.count; k++)
			tag[s.all[k].labels] = s.all[k].tag;
}

static bool is_below(const char *host, unsigned int len, const struct natflow_acl_rule *rule)
{
	return len >= rule->len && !memcmp(host + len - rule->len, rule->host, rule->len) &&
	       (len == rule->len || host[len - rule->len - 1] == '.');
}

/**
 * natflow_acl_find_list() - find a list by its name
 * @acl: rules
 * @name: of the list
 *
 * Return: its place in @acl, or -ENOENT.
 */
int natflow_acl_find_list(const struct natflow_acl *acl, const char *name)
{
	int i;

	for (i = 0; i < acl->lists; i++)
		if (!strcmp(acl->list[i]->name, name))
			return i;
	return -ENOENT;
}

static void look_for_schedules(struct natflow_acl *acl)
{
	unsigned int i;

	acl->scheduled = false;
	for (i = 0; i < acl->lists; i++)
		acl->scheduled |= acl->list[i]->policy.schedule.days != 0;
}

/**
 * natflow_acl_set_list() - add a list, or change its policy or domains
 * @acl: not published yet
 * @like: name and policy
 * @names: domains; NULL keeps those it has
 *
 * Return: 0, -ENOSPC or -ENOMEM.
 */
int natflow_acl_set_list(struct natflow_acl *acl, const struct natflow_site_list *like,
			 struct natflow_site_names *names)
{
	int at = natflow_acl_find_list(acl, like->name);
	struct natflow_site_list *list;

	if (at < 0 && acl->lists == NATFLOW_SITES_MAX)
		return -ENOSPC;
	if (at >= 0 && !names)
		names = acl->list[at]->names;
	list = natflow_site_list_make(like->name, like->text, &like->policy, names);
	if (!list)
		return -ENOMEM;
	if (at < 0)
		at = acl->lists++;
	else
		natflow_site_list_put(acl->list[at]);
	acl->list[at] = list;
	look_for_schedules(acl);
	return 0;
}

/**
 * natflow_acl_remove_list() - remove a list
 * @acl: not published yet
 * @name: of the list
 *
 * Return: false if there is none of that name.
 */
bool natflow_acl_remove_list(struct natflow_acl *acl, const char *name)
{
	int at = natflow_acl_find_list(acl, name);

	if (at < 0)
		return false;
	natflow_site_list_put(acl->list[at]);
	acl->lists--;
	memmove(&acl->list[at], &acl->list[at + 1], (acl->lists - at) * sizeof(acl->list[0]));
	look_for_schedules(acl);
	return true;
}

/**
 * natflow_acl_minute() - minute of the week, local time
 * @nn: namespace
 *
 * Context: any.
 */
unsigned int natflow_acl_minute(const struct natflow_net *nn)
{
	struct natflow_local local;

	natflow_access_local(nn, &local);
	return local.minute;
}

/* A rule applies to every client. If ipsets of its number exist, it applies to their members. */
static bool is_for(unsigned int id, const struct natflow_site_client *client)
{
	static const char * const kinds[] = { "ipv4", "ipv6", "mac" };
	char name[NATFLOW_SET_NAME_MAX];
	bool any = false;
	unsigned int i;

	for (i = 0; client->in_set && i < ARRAY_SIZE(kinds); i++) {
		int ret;

		snprintf(name, sizeof(name), "host_acl_rule%u_%s", id, kinds[i]);
		ret = client->in_set(client, name);
		if (ret > 0)
			return true;
		any |= ret != -ENOENT;
	}
	return !any;
}

/* A name on its way through the lists. */
struct question {
	const struct natflow_acl *acl;
	const struct natflow_site_client *client;
	const char *host;
	unsigned int len;
	u64 judged, applies;		/* lists: known whether they apply; those that do */
	unsigned int at, by;		/* of the best hit: offset in @host, list */
	struct natflow_acl_verdict *v;
};

/* A list that a policy of natflow_user_ctl names is for the clients of such policies only. */
static bool is_for_policy(const struct question *q, const char *list)
{
	const struct natflow_policy *policy;

	if (!natflow_access_names_list(natflow_net(q->client->net), list))
		return true;
	policy = natflow_access_policy_for(q->client);
	return policy && !strcmp(policy->sites, list);
}

/* Asked only for lists that have the name: a policy may have to ask ipsets. */
static bool applies(struct question *q, unsigned int i)
{
	const struct natflow_site_policy *policy = &q->acl->list[i]->policy;

	if (!(q->judged & BIT_ULL(i))) {
		unsigned int minute = q->acl->scheduled ?
				      natflow_acl_minute(natflow_net(q->client->net)) : 0;

		q->judged |= BIT_ULL(i);
		if (natflow_site_applies(policy, q->client, minute) &&
		    is_for_policy(q, q->acl->list[i]->name))
			q->applies |= BIT_ULL(i);
	}
	return q->applies & BIT_ULL(i);
}

/*
 * Entries that exempt a domain win over all others, in any list that applies to the
 * client. Otherwise the longest domain decides; among equals one that allows.
 */
static bool is_better(const struct question *q, unsigned int i, bool exempt, unsigned int at)
{
	const struct natflow_site_list *list = q->acl->list[i], *was = q->v->list;
	bool allows = list->policy.action == NATFLOW_URL_RECORD, allowed;

	if (!was || exempt != q->v->exempt)
		return !was || exempt;
	if (at != q->at)
		return at < q->at;
	allowed = was->policy.action == NATFLOW_URL_RECORD;
	if (allows != allowed)
		return allows;
	return i < q->by;
}

static void take_hit(struct question *q, unsigned int i, u16 value, unsigned int at)
{
	const struct natflow_site_list *list = q->acl->list[i];
	bool exempt = value & NATFLOW_DOMAINS_ALLOW;

	if (!is_better(q, i, exempt, at) || !applies(q, i))
		return;
	q->at = at;
	q->by = i;
	q->v->list = list;
	q->v->exempt = exempt;
	q->v->action = exempt && list->policy.action != NATFLOW_URL_RECORD ?
		       q->acl->action_default : list->policy.action;
}

static void ask_list(struct question *q, unsigned int i, const struct natflow_suffixes *s)
{
	const struct natflow_domains *set = &q->acl->list[i]->names->set;
	unsigned int k;

	natflow_domains_expect(set, s);
	for (k = 0; k < s->count && s->all[k].labels <= set->labels; k++) {
		const u16 *value = natflow_domains_value(set, &s->all[k]);

		if (value)
			take_hit(q, i, *value, s->all[k].at);
	}
}

/* The lists of @from that have the key of list @first, and the most labels of a domain there. */
static u64 alike(const struct natflow_acl *acl, u64 from, unsigned int first, u8 *labels)
{
	const u64 *key = acl->list[first]->names->set.key;
	u64 same = 0;
	unsigned int i;

	*labels = 0;
	for (i = first; i < acl->lists; i++) {
		const struct natflow_domains *set;

		if (!(from & BIT_ULL(i)))
			continue;
		set = &acl->list[i]->names->set;
		if (set->key[0] != key[0] || set->key[1] != key[1])
			continue;
		same |= BIT_ULL(i);
		*labels = max(*labels, set->labels);
	}
	return same;
}

/* Hash each suffix of the name once for all lists of one key. */
static void ask_lists(struct question *q)
{
	const struct natflow_acl *acl = q->acl;
	unsigned int i;
	u64 left = 0;

	for (i = 0; i < acl->lists; i++)
		if (acl->list[i]->names)
			left |= BIT_ULL(i);
	while (left) {
		struct natflow_suffixes s = { .name = q->host, .left = q->len };
		unsigned int first = __ffs64(left);
		u8 labels;
		u64 same = alike(acl, left, first, &labels);

		while (natflow_suffixes_next(&s, acl->list[first]->names->set.key, labels))
			for (i = first; i < acl->lists; i++)
				if (same & BIT_ULL(i))
					ask_list(q, i, &s);
		left &= ~same;
	}
}

/**
 * natflow_acl_decide() - judge a name
 * @acl: rules and lists
 * @client: client that sent the name
 * @host: as natflow_hostname_set() writes it
 * @len: characters
 *
 * The matching rule of the lowest number decides, then the lists, then the default.
 *
 * Context: any; RCU for @acl and for the list in the result.
 */
struct natflow_acl_verdict natflow_acl_decide(const struct natflow_acl *acl,
					      const struct natflow_site_client *client,
					      const char *host, unsigned int len)
{
	struct natflow_acl_verdict v = {
		.action = acl->action_default, .rule = NATFLOW_URL_NO_RULE,
	};
	struct question q = {
		.acl = acl, .client = client, .host = host, .len = len, .v = &v,
	};
	const struct natflow_acl_rule *rule;
	int not_for = -1;	/* id of rules that are not for the client */
	u32 tag[TAGGED + 1];

	if (acl->count)
		tag_suffixes(tag, host, len);
	for (rule = acl->rule; rule < acl->rule + acl->count; rule++) {
		if (rule->labels <= TAGGED && rule->tag != tag[rule->labels])
			continue;
		if (rule->id == not_for || !is_below(host, len, rule))
			continue;
		if (is_for(rule->id, client)) {
			v.action = rule->action;
			v.rule = rule->id;
			return v;
		}
		not_for = rule->id;
	}
	ask_lists(&q);
	return v;
}

/**
 * natflow_acl_del() - delete rules
 * @acl: not published yet
 * @id: of the rules
 * @host: of the rules
 *
 * Return: false if there is none like that.
 */
bool natflow_acl_del(struct natflow_acl *acl, u8 id, const struct natflow_hostname *host)
{
	unsigned int i, kept = 0, was = acl->count;

	for (i = 0; i < was; i++) {
		if (acl->rule[i].id != id || strcmp(acl->rule[i].host, host->text))
			acl->rule[kept++] = acl->rule[i];
	}
	acl->count = kept;
	return kept < was;
}

/**
 * natflow_acl_count() - count a hit of the list that decided
 * @v: verdict on the name
 *
 * Context: RCU read side.
 */
void natflow_acl_count(struct natflow_acl_verdict v)
{
	if (v.list)
		atomic_inc(&v.list->names->hits);
}

static bool is_own(struct net *net, u8 family, const u8 *addr)
{
	struct in6_addr addr6;
	__be32 addr4;

	if (family == NFPROTO_IPV4) {
		memcpy(&addr4, addr, sizeof(addr4));
		return inet_addr_type(net, addr4) != RTN_UNICAST;
	}
	memcpy(&addr6, addr, sizeof(addr6));
	return ipv6_chk_addr(net, &addr6, NULL, 0);
}

/**
 * natflow_acl_believes() - may a name lead to this address
 * @acl: rules
 * @net: namespace
 * @family: of @addr, NFPROTO_*
 * @addr: network order
 *
 * Context: RCU read side.
 * Return: false for the gateway's own addresses and for those that
 * natflow_dns_trust_address() refuses.
 */
bool natflow_acl_believes(const struct natflow_acl *acl, struct net *net, u8 family,
			  const u8 *addr)
{
	return natflow_dns_trust_address(&acl->trust, family, addr) && !is_own(net, family, addr);
}

/**
 * natflow_acl_take_effect() - set the list's mark, add to its ipset
 * @v: verdict on a name
 * @ct: conntrack of the connection that has the name
 * @server: the server's address, if it is believed to be the name's; or NULL
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_acl_take_effect(struct natflow_acl_verdict v, struct nf_conn *ct,
			     const u8 *server)
{
	const struct natflow_site_policy *p = v.list && !v.exempt ? &v.list->policy : NULL;

	if (p && p->mask)
		natflow_ct_set_mark(ct, p->mark, p->mask);
	if (p && *p->add_set && server)
		natflow_set_add(natflow_ct_net(ct), p->add_set, natflow_ct_family(ct), server);
}
