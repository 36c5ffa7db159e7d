// SPDX-License-Identifier: GPL-2.0-only
/* Access: the status of a user, by rules, by ipsets, or as it was set by hand. */
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <linux/time.h>
#include <linux/timekeeping.h>
#include "../lib/text/whom.h"
#include "access.h"
#include "event.h"
#include "quota.h"
#include "sets.h"
#include "zone.h"

#define CLOCK_SET	1577836800	/* 2020: a clock that shows less is not set */

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

/* What rules and policies say of a user. */
struct finding {
	u8 type, status;
	u8 why;			/* enum natflow_userinfo_why */
	bool firm;		/* also if another status was set by hand */
	u8 throttled;		/* enum natflow_userinfo_why: the quota that is used up */
	const char *policy;	/* its name, or NULL */
	u16 rule;
	u16 paced;		/* as natflow_user.paced */
};

static bool is_in(const struct natflow_site_client *client, const char *set)
{
	return *set && natflow_set_test(client, set) > 0;
}

static struct finding apply(const struct natflow_auth_rule *rule,
			    const struct natflow_site_client *client)
{
	struct finding f = {
		.type = rule->type, .status = NATFLOW_ACCESS_OK, .rule = rule->id,
		.why = NATFLOW_USERINFO_RULE,
	};

	if (rule->type == NATFLOW_AUTH_WEB)
		f.status = is_in(client, rule->ip_white) || is_in(client, rule->mac_white) ?
			   NATFLOW_ACCESS_VIP : NATFLOW_ACCESS_REQ;
	return f;
}

/* Context: RCU read side, BH disabled. */
static struct finding ask_rules(const struct natflow_access_rules *rules,
				const struct natflow_site_client *client, u8 zone)
{
	struct finding f = {
		.status = NATFLOW_ACCESS_NONE, .rule = NATFLOW_AUTH_NO_RULE,
		.why = NATFLOW_USERINFO_RULE,
	};
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

/* The name of a device, or NULL. Context: RCU read side. */
static const char *name_of(struct natflow_access *access, const u8 *mac, u8 zone)
{
	struct natflow_users *users = READ_ONCE(access->users);
	struct natflow_mac_key key = { .zone = zone, .kind = NATFLOW_MAC_FRAME };
	const struct natflow_mac *device;

	if (!users)
		return NULL;
	memcpy(key.mac, mac, sizeof(key.mac));
	device = natflow_macs_find(&users->macs, &key);
	return device ? natflow_known_name(rcu_dereference(device->known)) : NULL;
}

/* Context: as of ask_rules(). Return: the index of the policy, or -ENOENT. */
static int ask_policies(struct natflow_access *access, const struct natflow_policies *policies,
			const struct natflow_site_client *site, u8 zone)
{
	const struct natflow_policy_client client = {
		.site = site, .zone = zone, .name = name_of(access, site->mac, zone),
	};

	return natflow_policies_find(policies, &client, READ_ONCE(access->minute));
}

/* @user: NULL: there is no record, so that nothing was used up. */
static enum natflow_userinfo_why blocks(struct natflow_access *access,
					const struct natflow_policy *policy,
					const struct natflow_user *user)
{
	struct natflow_usage_time time;

	if (policy->verdict == NATFLOW_POLICY_BLOCK)
		return policy->ranges ? NATFLOW_USERINFO_SCHEDULE : NATFLOW_USERINFO_POLICY;
	if (!user || (!policy->volume && !policy->minutes))
		return NATFLOW_USERINFO_UNSAID;
	natflow_access_time(access->nn, &time);
	return natflow_quota_over(user, policy, &time);
}

/* What a policy changes of what the rules say. */
static void apply_policy(struct natflow_access *access, const struct natflow_policy *policy,
			 const struct natflow_user *user, struct finding *f)
{
	enum natflow_userinfo_why why = blocks(access, policy, user);

	if (policy->throttle) {
		f->throttled = why;
		why = NATFLOW_USERINFO_UNSAID;
	}
	f->firm = why != NATFLOW_USERINFO_UNSAID;
	if (f->firm)
		f->status = NATFLOW_ACCESS_BLOCK;
	else if (policy->verdict == NATFLOW_POLICY_PORTAL)
		f->status = NATFLOW_ACCESS_REQ;
	else if (policy->verdict == NATFLOW_POLICY_ALLOW)
		f->status = NATFLOW_ACCESS_OK;
	else
		return;
	f->why = f->firm ? why : NATFLOW_USERINFO_POLICY;
	f->policy = policy->name;
}

/* Extra time. */
static void grant(struct finding *f)
{
	f->status = NATFLOW_ACCESS_OK;
	f->why = NATFLOW_USERINFO_GRANTED;
	f->firm = true;
}

/* Does a status that was set by hand decide? Who is blocked by hand is so in extra time, too. */
static bool by_hand(u8 given, const struct finding *f)
{
	return given && (!f->firm || (f->why == NATFLOW_USERINFO_GRANTED &&
				      given == NATFLOW_ACCESS_BLOCK));
}

/* As natflow_user.paced. */
static u16 paced_by(const struct natflow_policies *policies, int at, const struct finding *f)
{
	const struct natflow_policy *policy = &policies->policy[at];

	return natflow_policy_has_rate(policy) && (!policy->throttle || f->throttled) ? at + 1 : 0;
}

/* @at: the policy that has its effect, or below 0; @user: as of blocks() */
static void decide(struct natflow_access *access, const struct natflow_policies *policies, int at,
		   const struct natflow_user *user, struct finding *f)
{
	if (user && natflow_quota_granted(user))
		grant(f);
	else if (at >= 0)
		apply_policy(access, &policies->policy[at], user, f);
	if (at >= 0 && f->why != NATFLOW_USERINFO_GRANTED)
		f->paced = paced_by(policies, at, f);
}

static struct finding find(struct natflow_access *access, const struct natflow_site_client *client,
			   u8 zone, const struct natflow_user *user)
{
	const struct natflow_policies *policies = rcu_dereference(access->policies);
	struct finding f = ask_rules(rcu_dereference(access->rules), client, zone);

	decide(access, policies, ask_policies(access, policies, client, zone), user, &f);
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

/* Tell the readers of events that the status has changed, if it has. */
static void tell(struct natflow_access *access, struct natflow_user *user, u8 before, u8 after,
		 enum natflow_userinfo_why why, const char *policy)
{
	const struct natflow_user_news news = {
		.kind = NATFLOW_USERINFO_STATUS, .why = why, .before = before, .policy = policy,
	};

	if (before != after)
		natflow_user_event(access->nn, user, &news);
}

/*
 * A finding by what is not in force any more does not replace one by what is. Editions of
 * more than a second ago are not compared, see natflow_access_judge(), so that 16 bits do.
 */
static void note(struct natflow_access *access, struct natflow_user *user, struct finding f,
		 u16 edition)
{
	const struct natflow_access_rules *rules = rcu_dereference(access->rules);
	const u32 second = now();
	u8 before;

	spin_lock_bh(&access->lock);
	if (edition != access->edition && user->access.edition == access->edition) {
		spin_unlock_bh(&access->lock);
		return;
	}
	before = user->access.status;
	if (!is_given(rules, user, second))
		WRITE_ONCE(user->access.given, NATFLOW_ACCESS_NONE);
	if (by_hand(user->access.given, &f)) {
		f.status = user->access.given;
		f.why = NATFLOW_USERINFO_HAND;
		f.policy = NULL;
	}
	WRITE_ONCE(user->access.status, f.status);
	WRITE_ONCE(user->access.why, f.why);
	WRITE_ONCE(user->access.type, f.type);
	WRITE_ONCE(user->access.rule, f.rule);
	WRITE_ONCE(user->access.judged, second);
	if (user->paced != f.paced) {
		WRITE_ONCE(user->paced, f.paced);
		smp_mb();	/* pairs with bind() in natflow_limit.c: it sees this, or is seen */
		if (READ_ONCE(user->flows))
			WRITE_ONCE(access->paced, access->paced + 1);
	}
	WRITE_ONCE(user->access.edition, edition);
	spin_unlock_bh(&access->lock);
	tell(access, user, before, f.status, f.why, f.policy);
}

/* The device is not for sets of devices only: sets of MACs want one of Ethernet. */
static void describe_user(struct natflow_site_client *client, struct natflow_access *access,
			  const struct natflow_user *user)
{
	const struct net_device *dev =
		dev_get_by_index_rcu(access->nn->net, READ_ONCE(user->ifindex));

	describe(client, access, &user->key, natflow_user_mac(user), dev ? dev->name : "");
}

/* @edition was read before rules and policies: they may be newer, and are asked again then. */
static void ask(struct natflow_access *access, struct natflow_user *user, u16 edition)
{
	struct natflow_site_client client;

	describe_user(&client, access, user);
	note(access, user, find(access, &client, user->key.zone, user), edition);
}

/**
 * natflow_access_changed() - rules, policies or the minute have changed
 * @access: the namespace's state
 *
 * Whoever reads the new edition reads what was published before it.
 *
 * Context: any, BH may be enabled.
 */
void natflow_access_changed(struct natflow_access *access)
{
	spin_lock_bh(&access->lock);
	/* pairs with natflow_access_judge() */
	smp_store_release(&access->edition, access->edition + 1 + (access->edition == U16_MAX));
	spin_unlock_bh(&access->lock);
}

/**
 * natflow_access_policy_of() - the policy that has its effect on a user now
 * @access: the namespace's state
 * @user: user
 * @why: why the user has the status that its next packet will find
 *
 * It changes nothing: the user may be silent.
 *
 * Context: RCU read side, BH disabled.
 * Return: the policy's index, or -ENOENT.
 */
int natflow_access_policy_of(struct natflow_access *access, const struct natflow_user *user,
			     enum natflow_userinfo_why *why)
{
	const struct natflow_policies *policies = rcu_dereference(access->policies);
	struct finding f = {
		.why = READ_ONCE(user->access.rule) == NATFLOW_AUTH_NO_RULE ?
		       NATFLOW_USERINFO_UNSAID : NATFLOW_USERINFO_RULE,
	};
	struct natflow_site_client client;
	int at = -ENOENT;

	if (policies->binds) {
		describe_user(&client, access, user);
		at = ask_policies(access, policies, &client, user->key.zone);
	}
	decide(access, policies, at, user, &f);
	*why = by_hand(READ_ONCE(user->access.given), &f) ? NATFLOW_USERINFO_HAND : f.why;
	if (f.throttled)
		*why = f.throttled;
	return at;
}

/**
 * natflow_access_policy_for() - the policy that has its effect on a client of names
 * @client: client that natflow_client_note() noted
 *
 * Context: RCU read side, which is also how long the result is valid; BH disabled.
 * Return: NULL if there is none, if access is disabled, or if no user is there.
 */
const struct natflow_policy *natflow_access_policy_for(const struct natflow_site_client *client)
{
	struct natflow_net *nn = natflow_net(client->net);
	struct natflow_access *access = nn->access;
	const struct natflow_policies *policies = rcu_dereference(access->policies);
	const struct net_device *dev;
	struct natflow_zone zone;
	int at;

	if (!policies->binds || rcu_dereference(access->rules)->disabled)
		return NULL;
	dev = dev_get_by_name_rcu(client->net, client->dev);
	if (!dev)
		return NULL;
	zone = natflow_zone_of(nn, dev);
	at = zone.lan ? ask_policies(access, policies, client, zone.id) : -ENOENT;
	return at < 0 ? NULL : &policies->policy[at];
}

/**
 * natflow_access_names_list() - is a list of sites only for clients of policies
 * @nn: namespace
 * @list: name of the list
 *
 * Context: RCU read side.
 */
bool natflow_access_names_list(const struct natflow_net *nn, const char *list)
{
	const struct natflow_policies *policies = rcu_dereference(nn->access->policies);
	unsigned int i;

	for (i = 0; i < policies->count; i++)
		if (!strcmp(policies->policy[i].sites, list))
			return true;
	return false;
}

/**
 * natflow_access_local() - local time
 * @nn: namespace
 * @local: the result: where in the week and calendar
 *
 * Context: any.
 * Return: nanoseconds until the minute ends.
 */
u64 natflow_access_local(const struct natflow_net *nn, struct natflow_local *local)
{
	const struct natflow_access_rules *rules;
	struct timespec64 now;
	s32 east;

	ktime_get_real_ts64(&now);
	rcu_read_lock();
	rules = rcu_dereference(nn->access->rules);
	east = *rules->timezone ? natflow_timezone_east(&rules->tz, now.tv_sec) :
				  -60 * sys_tz.tz_minuteswest;
	rcu_read_unlock();
	natflow_local_set(local, now.tv_sec, east);
	return (u64)(60 - local->second) * NSEC_PER_SEC - now.tv_nsec;
}

/**
 * natflow_access_time() - local time, as usage counts it
 * @nn: namespace
 * @time: the result
 *
 * Context: any.
 */
void natflow_access_time(const struct natflow_net *nn, struct natflow_usage_time *time)
{
	struct natflow_local local;

	natflow_access_local(nn, &local);
	time->period[NATFLOW_POLICY_DAY] = local.day;
	time->period[NATFLOW_POLICY_WEEK] = local.week;
	time->period[NATFLOW_POLICY_MONTH] = local.month;
	time->minute = local.week * 7 * 24 * 60 + local.minute;
	time->set = ktime_get_real_seconds() >= CLOCK_SET;
}

/**
 * natflow_access_judge() - the status of a user
 * @access: the namespace's state
 * @user: user
 *
 * Rules that changed have their effect at once. Sets tell nobody that they changed:
 * each second of a user's traffic they are asked once.
 *
 * Context: RCU read side, BH disabled; of natflow's locks at most natflow_net.flows.lock held.
 * Return: enum natflow_access_status.
 */
u8 natflow_access_judge(struct natflow_access *access, struct natflow_user *user)
{
	const u16 edition = smp_load_acquire(&access->edition);	/* natflow_access_changed() */

	if (READ_ONCE(user->access.edition) != edition || READ_ONCE(user->access.judged) != now())
		ask(access, user, edition);
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
	struct natflow_site_client client;
	struct finding f;

	describe(&client, access, key, mac, dev);
	f = find(access, &client, key->zone, NULL);
	*rule = f.rule;
	return f.status;
}

/* Whose bucket it is: of a device in all zones, or of an address that has no MAC. */
static void set_device(struct natflow_paced_key *pace, const struct natflow_user *user)
{
	const struct natflow_mac *mac = user ? natflow_user_owner(user) : NULL;

	if (!mac)
		return;
	pace->device = mac->key;
	if (mac->key.kind == NATFLOW_MAC_FRAME)
		pace->device.zone = 0;
}

/* The policy of somebody without a record, who has used up nothing. */
static u16 stranger_paced(struct natflow_access *access, const struct natflow_policies *policies,
			  const struct natflow_user_key *key, const char *dev)
{
	struct natflow_site_client client;
	const struct finding f = {};
	int at;

	describe(&client, access, key, NULL, dev);
	at = ask_policies(access, policies, &client, key->zone);
	return at < 0 ? 0 : paced_by(policies, at, &f);
}

/**
 * natflow_access_pace() - the rate that a policy gives a user now
 * @access: the namespace's state
 * @user: user, or NULL: there is no record
 * @key: zone, family and address
 * @dev: name of the device that leads there
 * @pace: gets policy, rates, and whose bucket it is; without a record, that of all of these
 *
 * Context: RCU read side, BH disabled; natflow_net.flows.lock may be held.
 * Return: false if it has no rate.
 */
bool natflow_access_pace(struct natflow_access *access, struct natflow_user *user,
			 const struct natflow_user_key *key, const char *dev,
			 struct natflow_paced_key *pace)
{
	const struct natflow_policies *policies;
	u16 paced;

	if (rcu_dereference(access->rules)->disabled)
		return false;
	if (user)
		natflow_access_judge(access, user);
	policies = rcu_dereference(access->policies);
	paced = user ? READ_ONCE(user->paced) : stranger_paced(access, policies, key, dev);
	/* Policies may be older than the answer. Who replaces them looks at all flows. */
	if (!paced || paced > policies->count)
		return false;
	memset(pace, 0, sizeof(*pace));
	pace->policy = paced;
	pace->rx = policies->policy[paced - 1].rx;
	pace->tx = policies->policy[paced - 1].tx;
	set_device(pace, user);
	return pace->rx || pace->tx;
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
	u8 before;

	if (status == NATFLOW_ACCESS_UNKNOWN)
		status = NATFLOW_ACCESS_NONE;
	spin_lock_bh(&access->lock);
	before = user->access.status;
	WRITE_ONCE(user->access.given, status);
	WRITE_ONCE(user->access.status, status);
	WRITE_ONCE(user->access.why, NATFLOW_USERINFO_HAND);
	WRITE_ONCE(user->access.judged, now());
	WRITE_ONCE(user->access.edition, 0);	/* of no rules: the next packet asks */
	spin_unlock_bh(&access->lock);
	tell(access, user, before, status, NATFLOW_USERINFO_HAND, NULL);
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
