// SPDX-License-Identifier: GPL-2.0-only
/* Rules of natflow_qos_ctl and limits of users: change them, and find those of a flow. */
#include <linux/jhash.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include "../lib/text/whom.h"
#include "limits.h"
#include "sets.h"

/* -- chains */

static u32 chain_of(u8 family, const u8 *addr, u8 len)
{
	u32 word[4] = {};

	memcpy(word, addr, len / 8);
	if (len % 8)
		((u8 *)word)[len / 8] = addr[len / 8] & (0xff00 >> len % 8);
	return jhash2(word, ARRAY_SIZE(word), family << 8 | len) % NATFLOW_LIMIT_CHAINS;
}

static u32 chain_of_end(const struct natflow_limit_end *end)
{
	return end->kind == NATFLOW_LIMIT_PREFIX ? chain_of(end->family, end->addr, end->len) :
						   chain_of(0, end->addr, 0);
}

static void link_rule(struct natflow_limits *l, unsigned int at)
{
	const struct natflow_limit_end *user = &l->rule[at].args.match.user;
	const u32 chain = chain_of_end(user);

	l->rule[at].next = 0;
	if (user->kind == NATFLOW_LIMIT_SET) {
		l->set[l->sets++] = at;
		return;
	}
	if (user->kind == NATFLOW_LIMIT_PREFIX)
		l->lens[natflow_family_index(user->family)][user->len] = 1;
	if (l->tail[chain])
		l->rule[l->tail[chain] - 1].next = at + 1;
	else
		l->head[chain] = at + 1;
	l->tail[chain] = at + 1;
}

static bool is_match(const struct natflow_limit_rule *rule,
		     const struct natflow_limit_match *match)
{
	return !memcmp(&rule->args.match, match, sizeof(*match));
}

/* The rule of the same flows, or NULL. */
static const struct natflow_limit_rule *find_match(const struct natflow_limits *l,
						   const struct natflow_limit_match *match)
{
	unsigned int i;
	u16 at;

	if (match->user.kind == NATFLOW_LIMIT_SET) {
		for (i = 0; i < l->sets; i++)
			if (is_match(&l->rule[l->set[i]], match))
				return &l->rule[l->set[i]];
		return NULL;
	}
	for (at = l->head[chain_of_end(&match->user)]; at; at = l->rule[at - 1].next)
		if (is_match(&l->rule[at - 1], match))
			return &l->rule[at - 1];
	return NULL;
}

/* -- rules */

/**
 * natflow_limits_alloc() - copy rules, with room for more
 * @old: rules, or NULL
 * @more: rules to make room for
 *
 * Context: process, may sleep.
 * Return: the copy, freed with natflow_limits_free(), or NULL.
 */
struct natflow_limits *natflow_limits_alloc(const struct natflow_limits *old, unsigned int more)
{
	const unsigned int count = old ? old->count : 0;
	const unsigned int room = min_t(unsigned int, count + more, NATFLOW_LIMIT_RULES_MAX);
	struct natflow_limits *l = kvzalloc(struct_size(l, rule, room), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!l)
		return NULL;
	if (old)
		memcpy(l, old, struct_size(old, rule, count));
	l->room = room;
	for (i = 0; i < count; i++)
		refcount_inc(&l->rule[i].own.meters->ref);
	for (i = 0; i < l->groups; i++)
		refcount_inc(&l->group[i].own.meters->ref);
	return l;
}

static void disown(struct natflow_limit_own *own)
{
	unsigned int d;

	for (d = 0; d < NATFLOW_LIMIT_DIRS; d++)
		kfree(own->law[d]);
	natflow_meters_put(own->meters);
}

static void forget_rules(struct natflow_limits *l)
{
	unsigned int i;

	for (i = 0; i < l->count; i++)
		disown(&l->rule[i].own);
	for (i = 0; i < l->groups; i++)
		disown(&l->group[i].own);
	l->count = 0;
	l->groups = 0;
	l->paints = false;
}

/**
 * natflow_limits_free() - free rules that no packet reads
 * @limits: rules, or NULL
 *
 * Context: process.
 */
void natflow_limits_free(struct natflow_limits *limits)
{
	if (limits)
		forget_rules(limits);
	kvfree(limits);
}

/**
 * natflow_limits_clear() - no rules and groups
 * @limits: draft
 */
void natflow_limits_clear(struct natflow_limits *limits)
{
	forget_rules(limits);
	limits->sets = 0;
	memset(limits->lens, 0, sizeof(limits->lens));
	memset(limits->head, 0, sizeof(limits->head));
	memset(limits->tail, 0, sizeof(limits->tail));
}

static struct natflow_law *law_of(u64 was, u64 rate, u32 burst_was, u32 burst, bool *ok)
{
	struct natflow_law *law;

	if (!rate || (was == rate && burst_was == burst))
		return NULL;
	law = natflow_law_alloc(rate, burst, GFP_KERNEL_ACCOUNT);
	*ok &= !!law;
	return law;
}

/* The buckets of @old go on. Return: false without memory. */
static bool take_over(struct natflow_limit_own *own, const struct natflow_limit_own *old,
		      const struct natflow_limit_rates *was, const struct natflow_limit_rates *r)
{
	bool ok = true;

	own->law[NATFLOW_LIMIT_RX] = law_of(was->rx, r->rx, was->burst, r->burst, &ok);
	own->law[NATFLOW_LIMIT_TX] = law_of(was->tx, r->tx, was->burst, r->burst, &ok);
	if (!ok) {
		kfree(own->law[NATFLOW_LIMIT_RX]);
		kfree(own->law[NATFLOW_LIMIT_TX]);
		return false;
	}
	own->meters = old->meters;
	refcount_inc(&own->meters->ref);
	return true;
}

/* @old, @was: of the same flows before, or NULL. Return: false without memory. */
static bool own_some(struct natflow_limit_own *own, const struct natflow_limit_rates *r,
		     const struct natflow_limit_own *old, const struct natflow_limit_rates *was)
{
	if (old && !was->rx == !r->rx && !was->tx == !r->tx)
		return take_over(own, old, was, r);
	own->meters = natflow_meters_alloc(r->rx, r->tx, r->burst, GFP_KERNEL_ACCOUNT);
	return own->meters;
}

/* Return: 1 + index; 0: there is none. */
static u16 group_named(const struct natflow_limits *l, const char *name)
{
	u16 i;

	for (i = l->groups; i && strcmp(l->group[i - 1].args.name, name); i--)
		;
	return i;
}

/**
 * natflow_limits_group() - add a group
 * @limits: draft
 * @old: groups in force: one of the same name hands its buckets over
 * @args: group
 *
 * Context: process, may sleep.
 * Return: 0, -ENOSPC, -EEXIST if a group has the name, or -ENOMEM.
 */
int natflow_limits_group(struct natflow_limits *limits, const struct natflow_limits *old,
			 const struct natflow_group_args *args)
{
	const u16 before = old ? group_named(old, args->name) : 0;
	const struct natflow_limit_group *was = before ? &old->group[before - 1] : NULL;
	struct natflow_limit_group *group = &limits->group[limits->groups];

	if (group_named(limits, args->name))
		return -EEXIST;
	if (limits->groups == NATFLOW_LIMIT_GROUPS_MAX)
		return -ENOSPC;
	memset(group, 0, sizeof(*group));
	group->args = *args;
	if (!own_some(&group->own, &args->rates, was ? &was->own : NULL,
		      was ? &was->args.rates : NULL))
		return -ENOMEM;
	limits->groups++;
	return 0;
}

/**
 * natflow_limits_add() - add a rule behind the others
 * @limits: draft with room
 * @old: rules in force: one for the same flows hands its buckets over
 * @args: rule
 *
 * Context: process, may sleep.
 * Return: 0, -ENOSPC, -EEXIST if a rule for the same flows is there, -ENOENT if its group is
 * not, or -ENOMEM.
 */
int natflow_limits_add(struct natflow_limits *limits, const struct natflow_limits *old,
		       const struct natflow_limit_args *args)
{
	const struct natflow_limit_rule *before = old ? find_match(old, &args->match) : NULL;
	struct natflow_limit_rule *rule = &limits->rule[limits->count];

	if (limits->count == limits->room || limits->count == NATFLOW_LIMIT_RULES_MAX)
		return -ENOSPC;
	if (args->match.user.kind == NATFLOW_LIMIT_SET && limits->sets == NATFLOW_LIMIT_SETS_MAX)
		return -ENOSPC;
	if (find_match(limits, &args->match))
		return -EEXIST;
	memset(rule, 0, sizeof(*rule));
	rule->args = *args;
	if (*args->group) {
		rule->group = group_named(limits, args->group);
		if (!rule->group)
			return -ENOENT;
	}
	if (!own_some(&rule->own, &args->rates, before ? &before->own : NULL,
		      before ? &before->args.rates : NULL))
		return -ENOMEM;
	limits->paints |= args->prio;
	link_rule(limits, limits->count++);
	return 0;
}

static void enact(struct natflow_limit_own *own)
{
	unsigned int d;

	for (d = 0; d < NATFLOW_LIMIT_DIRS; d++) {
		struct natflow_law *law = own->law[d];

		own->law[d] = NULL;
		if (law)
			natflow_meter_change(&own->meters->dir[d], law);
	}
}

/**
 * natflow_limits_enact() - give buckets that go on their new rates
 * @limits: draft that comes into force
 *
 * Context: process, the lock that excludes writers.
 */
void natflow_limits_enact(struct natflow_limits *limits)
{
	unsigned int i;

	for (i = 0; i < limits->count; i++)
		enact(&limits->rule[i].own);
	for (i = 0; i < limits->groups; i++)
		enact(&limits->group[i].own);
}

/* -- users */

static const struct rhashtable_params users_params = {
	.key_len = sizeof(struct natflow_user_key),
	.key_offset = offsetof(struct natflow_limit_user, key),
	.head_offset = offsetof(struct natflow_limit_user, node),
	.automatic_shrinking = true,
};

/**
 * natflow_limit_users_init() - nobody has a limit
 * @users: table
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_limit_users_init(struct rhashtable *users)
{
	return rhashtable_init(users, &users_params);
}

static void free_user(void *user, void *unused)
{
	natflow_meters_put(rcu_dereference_protected(((struct natflow_limit_user *)user)->meters,
						     true));
	kfree(user);
}

/**
 * natflow_limit_users_exit() - free all
 * @users: table that no packet reads
 */
void natflow_limit_users_exit(struct rhashtable *users)
{
	rhashtable_free_and_destroy(users, free_user, NULL);
}

/**
 * natflow_limit_users_none() - has nobody a limit
 * @users: table
 *
 * Context: any.
 */
bool natflow_limit_users_none(struct rhashtable *users)
{
	return !atomic_read(&users->nelems);
}

static int add_user(struct rhashtable *users, const struct natflow_user_key *key,
		    struct natflow_meters *meters)
{
	struct natflow_limit_user *user;
	int err;

	if (atomic_read(&users->nelems) >= NATFLOW_LIMIT_USERS_MAX)
		return -ENOSPC;
	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		return -ENOMEM;
	user->key = *key;
	RCU_INIT_POINTER(user->meters, meters);
	err = rhashtable_insert_fast(users, &user->node, users_params);
	if (err)
		kfree(user);
	return err;
}

static void remove_user(struct rhashtable *users, struct natflow_limit_user *user)
{
	rhashtable_remove_fast(users, &user->node, users_params);
	natflow_meters_put(rcu_dereference_protected(user->meters, true));
	kfree_rcu(user, rcu);
}

/* New rates in the same directions: the virtual queues go on. Return: is it so? */
static bool adopt(struct natflow_meters *old, struct natflow_meters *fresh)
{
	unsigned int d;

	for (d = 0; d < NATFLOW_LIMIT_DIRS; d++)
		if (!rcu_access_pointer(old->dir[d].law) != !rcu_access_pointer(fresh->dir[d].law))
			return false;
	for (d = 0; d < NATFLOW_LIMIT_DIRS; d++) {
		struct natflow_law *law = rcu_dereference_protected(fresh->dir[d].law, true);

		RCU_INIT_POINTER(fresh->dir[d].law, NULL);
		if (law)
			natflow_meter_change(&old->dir[d], law);
	}
	natflow_meters_put(fresh);
	return true;
}

/**
 * natflow_limit_users_set() - limit an address, or no more
 * @users: table
 * @args: address and rates; both 0: no limit
 *
 * Context: process, may sleep; the lock that excludes writers.
 * Return: 0, -ENOSPC, -ENOMEM or another errno.
 */
int natflow_limit_users_set(struct rhashtable *users, const struct natflow_token_args *args)
{
	struct natflow_limit_user *user;
	struct natflow_meters *fresh, *old;
	struct natflow_user_key key;
	int err = 0;

	natflow_user_key_set(&key, args->addr, args->family);
	user = rhashtable_lookup_fast(users, &key, users_params);
	if (!args->rx && !args->tx) {
		if (user)
			remove_user(users, user);
		return 0;
	}
	fresh = natflow_meters_alloc(args->rx, args->tx, 0, GFP_KERNEL_ACCOUNT);
	if (!fresh)
		return -ENOMEM;
	if (!user) {
		err = add_user(users, &key, fresh);
		if (err)
			natflow_meters_put(fresh);
		return err;
	}
	old = rcu_dereference_protected(user->meters, true);
	if (!adopt(old, fresh)) {
		rcu_assign_pointer(user->meters, fresh);
		natflow_meters_put(old);
	}
	return 0;
}

/* -- flows */

static bool is_in(const struct natflow_limit_end *end, const struct natflow_limit_flow *flow,
		  unsigned int e)
{
	struct natflow_site_client client = { .family = flow->family, .net = flow->net };

	if (end->kind != NATFLOW_LIMIT_SET)
		return true;
	memcpy(client.addr, flow->end[e].addr, sizeof(client.addr));
	return natflow_set_test(&client, end->set) > 0;
}

static bool is_for(const struct natflow_limit_match *m, const struct natflow_limit_flow *flow,
		   unsigned int e)
{
	return (!m->proto || m->proto == flow->proto) &&
	       natflow_limit_matches(&m->user, flow->family, flow->end[e].addr,
				     flow->end[e].port) &&
	       natflow_limit_matches(&m->remote, flow->family, flow->end[!e].addr,
				     flow->end[!e].port) &&
	       is_in(&m->user, flow, e) && is_in(&m->remote, flow, !e);
}

/* The first rule of a chain that comes before @best and is for the flow. */
static unsigned int first_of(const struct natflow_limits *l, u32 chain, unsigned int best,
			     const struct natflow_limit_flow *flow, unsigned int e)
{
	u16 at;

	for (at = l->head[chain]; at && at - 1 < best; at = l->rule[at - 1].next)
		if (is_for(&l->rule[at - 1].args.match, flow, e))
			return at - 1;
	return best;
}

/* The first rule that is for the flow if end @e is the user, or l->count. */
static unsigned int find_rule(const struct natflow_limits *l,
			      const struct natflow_limit_flow *flow, unsigned int e)
{
	const unsigned int most = flow->family == NFPROTO_IPV4 ? 32 : 128;
	const u8 *lens = l->lens[natflow_family_index(flow->family)];
	unsigned int best = l->count, len, i;

	best = first_of(l, chain_of(0, flow->end[e].addr, 0), best, flow, e);
	for (len = 0; len <= most; len++)
		if (lens[len])
			best = first_of(l, chain_of(flow->family, flow->end[e].addr, len), best,
					flow, e);
	for (i = 0; i < l->sets && l->set[i] < best; i++)
		if (is_for(&l->rule[l->set[i]].args.match, flow, e))
			return l->set[i];
	return best;
}

static struct natflow_meters *meters_of(struct rhashtable *users,
					const struct natflow_limit_flow *flow, unsigned int e)
{
	const struct natflow_limit_user *user;
	struct natflow_user_key key;

	if (natflow_limit_users_none(users))
		return NULL;
	natflow_user_key_set(&key, flow->end[e].addr, flow->family);
	user = rhashtable_lookup(users, &key, users_params);
	return user ? rcu_dereference(user->meters) : NULL;
}

/**
 * natflow_limits_classify() - what is for a flow
 * @limits: rules
 * @users: limits of users
 * @flow: flow
 * @class: the result
 *
 * A user is an end behind a LAN device. If both are, the end that began comes first.
 *
 * Context: RCU read side, which is also how long the result is valid; BH disabled.
 */
void natflow_limits_classify(const struct natflow_limits *limits, struct rhashtable *users,
			     const struct natflow_limit_flow *flow,
			     struct natflow_limit_class *class)
{
	unsigned int e, at;

	memset(class, 0, sizeof(*class));
	class->rule = -1;
	for (e = 0; e < 2; e++) {
		if (!flow->end[e].zone.lan)
			continue;
		class->user[e] = meters_of(users, flow, e);
		if (class->rule >= 0 || !limits->count)
			continue;
		at = find_rule(limits, flow, e);
		if (at == limits->count)
			continue;
		class->rule = at;
		class->rule_end = e;
	}
}
