// SPDX-License-Identifier: GPL-2.0-only
/* Access: the status of a user, by rules, by ipsets, or as it was set by hand. */
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "../lib/text/whom.h"
#include "access.h"
#include "sets.h"

/**
 * natflow_access_rules_alloc() - copy rules and settings, with room for more
 * @old: rules, or NULL
 * @more: rules to make room for
 *
 * Context: process, may sleep.
 * Return: the copy, freed with kvfree(), or NULL.
 */
struct natflow_access_rules *natflow_access_rules_alloc(const struct natflow_access_rules *old,
							unsigned int more)
{
	unsigned int count = old ? old->count : 0;
	struct natflow_access_rules *rules = kvzalloc(struct_size(rules, rule, count + more),
						      GFP_KERNEL_ACCOUNT);

	if (rules && old)
		memcpy(rules, old, struct_size(old, rule, count));
	return rules;
}

/**
 * natflow_access_rules_add() - add a rule
 * @rules: not published yet, with room
 * @rule: rule
 *
 * Return: NULL, or the rule that it contradicts: of the same id, or of the same zone
 * and set, so that one of the two would have no effect. The same rule twice is one.
 */
const struct natflow_auth_rule *
natflow_access_rules_add(struct natflow_access_rules *rules, const struct natflow_auth_rule *rule)
{
	unsigned int i, at = 0;

	for (i = 0; i < rules->count; i++) {
		const struct natflow_auth_rule *other = &rules->rule[i];

		if (natflow_auth_equal(other, rule))
			return NULL;
		if (other->id == rule->id ||
		    (other->zone == rule->zone && !strcmp(other->group, rule->group)))
			return other;
		at += other->id < rule->id;
	}
	memmove(&rules->rule[at + 1], &rules->rule[at],
		(rules->count - at) * sizeof(rules->rule[0]));
	rules->rule[at] = *rule;
	rules->count++;
	return NULL;
}

/* What the rules say of a user. */
struct finding {
	u8 type, status;
	u16 rule;
};

static bool is_in(const struct natflow_site_client *client, const char *set)
{
	return *set && natflow_set_test(client, set) > 0;
}

static struct finding apply(const struct natflow_auth_rule *rule,
			    const struct natflow_site_client *client)
{
	struct finding f = { .type = rule->type, .status = NATFLOW_ACCESS_OK, .rule = rule->id };

	if (rule->type == NATFLOW_AUTH_WEB)
		f.status = is_in(client, rule->ip_white) || is_in(client, rule->mac_white) ?
			   NATFLOW_ACCESS_VIP : NATFLOW_ACCESS_REQ;
	return f;
}

/* Context: RCU read side, BH disabled. */
static struct finding find(const struct natflow_access_rules *rules,
			   const struct natflow_site_client *client, u8 zone)
{
	struct finding f = { .status = NATFLOW_ACCESS_NONE, .rule = NATFLOW_AUTH_NO_RULE };
	const struct natflow_auth_rule *rule = rules->rule;

	if (is_in(client, rules->free_clients)) {
		f.status = NATFLOW_ACCESS_BYPASS;
		return f;
	}
	for (; rule < rules->rule + rules->count; rule++)
		if (rule->zone == zone && is_in(client, rule->group))
			return apply(rule, client);
	return f;
}

static void describe(struct natflow_site_client *client, struct natflow_access *access,
		     const struct natflow_user_key *key, const u8 *mac, const char *dev)
{
	memset(client, 0, sizeof(*client));
	client->family = key->family;
	client->net = access->nn->net;
	client->in_set = natflow_set_test;
	memcpy(client->addr, &key->addr, sizeof(client->addr));
	if (mac)
		memcpy(client->mac, mac, sizeof(client->mac));
	strscpy(client->dev, dev, sizeof(client->dev));
}

static u32 now(void)
{
	return ktime_get_boottime_seconds();
}

/* A status that was set by hand outlives every change of rules, but not a long silence. */
static bool is_given(const struct natflow_access_rules *rules, const struct natflow_user *user,
		     u32 second)
{
	return user->access.given &&
	       second - READ_ONCE(user->access.judged) < rules->no_flow_timeout;
}

static void note(struct natflow_access *access, const struct natflow_access_rules *rules,
		 struct natflow_user *user, struct finding f)
{
	const u32 second = now();

	spin_lock_bh(&access->lock);
	user->access.given = is_given(rules, user, second);
	if (!user->access.given)
		WRITE_ONCE(user->access.status, f.status);
	WRITE_ONCE(user->access.type, f.type);
	WRITE_ONCE(user->access.rule, f.rule);
	WRITE_ONCE(user->access.judged, second);
	WRITE_ONCE(user->access.edition, rules->edition);
	spin_unlock_bh(&access->lock);
}

/* The device is not for sets of devices only: sets of MACs want one of Ethernet. */
static void ask(struct natflow_access *access, const struct natflow_access_rules *rules,
		struct natflow_user *user)
{
	const struct net_device *dev =
		dev_get_by_index_rcu(access->nn->net, READ_ONCE(user->ifindex));
	struct natflow_site_client client;

	describe(&client, access, &user->key, natflow_user_mac(user), dev ? dev->name : "");
	note(access, rules, user, find(rules, &client, user->key.zone));
}

/**
 * natflow_access_judge() - the status of a user
 * @access: the namespace's state
 * @user: user
 *
 * Rules that changed have their effect at once. Sets tell nobody that they changed:
 * each second of a user's traffic they are asked once.
 *
 * Context: RCU read side, BH disabled; none of natflow's locks held.
 * Return: enum natflow_access_status.
 */
u8 natflow_access_judge(struct natflow_access *access, struct natflow_user *user)
{
	const struct natflow_access_rules *rules = rcu_dereference(access->rules);

	if (READ_ONCE(user->access.edition) != rules->edition ||
	    READ_ONCE(user->access.judged) != now())
		ask(access, rules, user);
	return READ_ONCE(user->access.status);
}

/**
 * natflow_access_judge_stranger() - the status of somebody without a record
 * @access: the namespace's state
 * @key: zone, family and address
 * @mac: 6 bytes, or NULL
 * @dev: name of the device
 * @rule: gets the rule, or NATFLOW_AUTH_NO_RULE
 *
 * The table of users may be full. Whoever has no place in it passes no more than others.
 *
 * Context: RCU read side, BH disabled.
 * Return: enum natflow_access_status.
 */
u8 natflow_access_judge_stranger(struct natflow_access *access,
				 const struct natflow_user_key *key, const u8 *mac,
				 const char *dev, u16 *rule)
{
	const struct natflow_access_rules *rules = rcu_dereference(access->rules);
	struct natflow_site_client client;
	struct finding f;

	describe(&client, access, key, mac, dev);
	f = find(rules, &client, key->zone);
	*rule = f.rule;
	return f.status;
}

/**
 * natflow_access_give() - set a status by hand
 * @access: the namespace's state
 * @user: user
 * @status: enum natflow_access_status; NONE and UNKNOWN: by the rules again
 *
 * Context: any, BH may be enabled.
 */
void natflow_access_give(struct natflow_access *access, struct natflow_user *user, u8 status)
{
	const bool given = status != NATFLOW_ACCESS_NONE && status != NATFLOW_ACCESS_UNKNOWN;

	spin_lock_bh(&access->lock);
	user->access.given = given;
	WRITE_ONCE(user->access.status, given ? status : NATFLOW_ACCESS_NONE);
	WRITE_ONCE(user->access.judged, now());
	if (!given)
		WRITE_ONCE(user->access.edition, 0);	/* of no rules: the next packet asks */
	spin_unlock_bh(&access->lock);
}

/**
 * natflow_access_recheck() - for natflow_attach.recheck: may a user's flow still be fast
 * @nn: namespace
 * @user: user
 *
 * Flows need no check when they are learned: packets of a refused user that the stack
 * sends are those that pass.
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK or NATFLOW_ACCESS.
 */
enum natflow_reason natflow_access_recheck(struct natflow_net *nn, struct natflow_user *user)
{
	struct natflow_access *access = nn->access;

	if (rcu_dereference(access->rules)->disabled ||
	    !natflow_access_refuses(natflow_access_judge(access, user)))
		return NATFLOW_OK;
	return NATFLOW_ACCESS;
}

/**
 * natflow_access_idle() - how long idle users must not be forgotten
 * @nn: namespace
 *
 * Context: any.
 * Return: seconds, 0 if nobody is refused anything.
 */
u32 natflow_access_idle(const struct natflow_net *nn)
{
	const struct natflow_access_rules *rules;
	u32 seconds;

	rcu_read_lock();
	rules = rcu_dereference(nn->access->rules);
	seconds = rules->disabled ? 0 : rules->no_flow_timeout;
	rcu_read_unlock();
	return seconds;
}
