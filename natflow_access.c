// SPDX-License-Identifier: GPL-2.0-only
/*
 * Internet access: the hook that refuses packets, on and off.
 *
 * The hook comes right before the firewall's rules: what is refused is refused whatever
 * they say, and what passes still has to pass them. Accelerated flows do not come here.
 * Those of a user who is refused end, and the user slot lets none begin.
 *
 * Locks: natflow_net.lock for hooks; the door's lock for rules and policies.
 */
#include <linux/netfilter_ipv4.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "core/base/charge.h"
#include "core/base/ct.h"
#include "core/base/segment.h"
#include "core/doubt.h"
#include "core/flow/flow.h"
#include "lib/text/settings.h"
#include "natflow_access.h"
#include "natflow_limit.h"
#include "natflow_urllogger.h"
#include "natflow_user.h"
#include "policy/cut.h"
#include "policy/portal.h"
#include "policy/quota.h"
#include "policy/wire.h"
#include "policy/zone.h"

/* A second and address. An entry (MAC or device) has twice as many, all have 8 times. */
#define ANSWERS		1000	/* packets that natflow generates */

/* One end of a packet. */
struct end {
	bool inside;			/* it is a user's */
	struct natflow_user_key key;
	struct natflow_user *user;	/* NULL: there is no room for a record */
	u8 mac[ETH_ALEN];
	u8 status;			/* enum natflow_access_status */
	u16 rule;
};

/* Find the user at one end, and its status. */
static void look_at(struct natflow_access *access, struct end *e, const struct sk_buff *skb,
		    u8 family, const struct net_device *dev, bool source)
{
	const struct natflow_zone zone = natflow_zone_of(access->nn, dev);
	const u8 *mac = NULL;

	memset(e, 0, sizeof(*e));
	e->inside = zone.lan;
	if (!zone.lan)
		return;
	e->user = natflow_user_at(access->nn, skb, family, dev, source);
	if (e->user) {
		e->status = natflow_access_judge(access, e->user);
		e->rule = READ_ONCE(e->user->access.rule);
		e->key = e->user->key;
		memcpy(e->mac, natflow_user_mac(e->user), sizeof(e->mac));
		return;
	}
	natflow_user_key_set(&e->key, natflow_segment_address(skb, family, source),
			     family);
	e->key.zone = zone.id;
	if (source)
		mac = natflow_segment_mac(skb);
	if (mac)
		memcpy(e->mac, mac, sizeof(e->mac));
	e->status = natflow_access_judge_stranger(access, &e->key, mac, dev->name, &e->rule);
}

/* Out of line: rare. Return: true if the packet of a refused user does not pass as it is. */
static noinline bool refuse(struct natflow_access *access, struct sk_buff *skb, u8 family,
			    const struct end *e, const struct end *other, bool sent,
			    unsigned int *verdict)
{
	struct natflow_portal_packet p = {
		.sent = sent, .status = e->status, .rule = e->rule, .user = &e->key,
		.mac = e->mac,
		.inside = other->inside && !natflow_access_refuses(other->status),
	};
	struct natflow_wire wire;

	natflow_portal_read(&p, skb, family);
	if (natflow_portal_passes(access, &p))
		return false;
	if (e->user) {
		wire = sent ? natflow_wire_arrived(skb, family) :
			      natflow_wire_leaving(skb, family);
		natflow_users_dropped(e->user, wire.packets, wire.bytes);
	}
	*verdict = natflow_portal_refuse(access, &p);
	return true;
}

static unsigned int look(struct natflow_access *access, struct sk_buff *skb,
			 const struct nf_hook_state *state)
{
	unsigned int verdict = NF_ACCEPT;
	struct end from, to;

	look_at(access, &from, skb, state->pf, state->in, true);
	look_at(access, &to, skb, state->pf, state->out, false);
	if (natflow_access_refuses(from.status) &&
	    refuse(access, skb, state->pf, &from, &to, true, &verdict))
		return verdict;
	if (natflow_access_refuses(to.status))
		refuse(access, skb, state->pf, &to, &from, false, &verdict);
	return verdict;
}

/* FORWARD, right before the firewall's rules, both families. */
static unsigned int forward(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct natflow_access *access = priv;
	struct mem_cgroup *before;
	unsigned int verdict;

	if (rcu_dereference(access->rules)->disabled || natflow_segment_bridged(skb))
		return NF_ACCEPT;
	local_bh_disable();
	before = natflow_charge_begin(access->nn);
	verdict = look(access, skb, state);
	natflow_charge_end(before);
	local_bh_enable();
	return verdict;
}

/* -- on and off */

static int hook(struct natflow_access *access)
{
	static const u8 family[NATFLOW_FAMILIES] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	unsigned int i;

	for (i = 0; i < NATFLOW_FAMILIES; i++) {
		access->ops[i].hook = forward;
		access->ops[i].priv = access;
		access->ops[i].pf = family[i];
		access->ops[i].hooknum = NF_INET_FORWARD;
		access->ops[i].priority = NF_IP_PRI_FILTER - 1;
	}
	return nf_register_net_hooks(access->nn->net, access->ops, NATFLOW_FAMILIES);
}

static int switch_on(struct natflow_access *access)
{
	struct natflow_net *nn = access->nn;
	int err;

	if (nn->dead)
		return -ENODEV;
	if (!access->answers)
		smp_store_release(&access->answers,	/* pairs with READ_ONCE() */
				  natflow_rate_alloc(ANSWERS, 2 * ANSWERS, 8 * ANSWERS));
	if (!access->answers)
		return -ENOMEM;
	WRITE_ONCE(access->users, natflow_user_table(nn));
	err = natflow_ct_track(nn->net);
	if (err)
		return err;
	err = hook(access);
	if (err)
		natflow_ct_untrack(nn->net);
	if (err)
		return err;
	access->hooked = true;
	schedule_delayed_work(&access->clock, 0);
	return 0;
}

static void switch_off(struct natflow_access *access)
{
	struct natflow_net *nn = access->nn;

	mutex_lock(&nn->lock);
	if (access->hooked) {
		cancel_delayed_work_sync(&access->clock);
		nf_unregister_net_hooks(nn->net, access->ops, NATFLOW_FAMILIES);
		natflow_ct_untrack(nn->net);
		synchronize_net();	/* no packet is in the hook any more */
	}
	access->hooked = false;
	mutex_unlock(&nn->lock);
}

static void sweep(struct work_struct *work)
{
	struct natflow_access *access = container_of(to_delayed_work(work), struct natflow_access,
						     sweep);
	struct natflow_users *users = natflow_user_table(access->nn);
	bool disabled;

	rcu_read_lock();
	disabled = rcu_dereference(access->rules)->disabled;
	rcu_read_unlock();
	if (!disabled && users)
		natflow_cut_sweep(access, users);
}

static struct natflow_access_rules *rules_of(const struct natflow_net *nn)
{
	return rcu_dereference_protected(nn->access->rules, true);
}

/* -- what changes */

static bool is_blocked(struct natflow_access *access, struct natflow_user *user)
{
	return user && natflow_access_refuses(natflow_access_judge(access, user)) &&
	       READ_ONCE(user->access.why) != NATFLOW_USERINFO_RULE;
}

/* Context: RCU read side. */
static bool is_of_blocked(struct natflow_flow *flow, const void *arg)
{
	struct natflow_access *access = (void *)arg;
	bool blocked;

	local_bh_disable();
	blocked = is_blocked(access, READ_ONCE(flow->user[0])) ||
		  is_blocked(access, READ_ONCE(flow->user[1]));
	local_bh_enable();
	return blocked;
}

/**
 * natflow_access_review() - judge all users again: a policy has changed what it does
 * @nn: namespace
 *
 * The next packet of each flow is checked; flows of users that a policy refuses, or gives
 * another rate, end now, and those whose name a list of a policy blocks, and connections of
 * all who are refused soon.
 *
 * Context: process, may sleep, behind natflow_access_changed().
 */
void natflow_access_review(struct natflow_net *nn)
{
	natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_SETTING);
	natflow_flow_flush(nn, NATFLOW_END_POLICY, is_of_blocked, nn->access);
	if (nn->access->paces)
		natflow_limit_review(nn);
	synchronize_rcu();	/* no name is judged as before; what was fast is sent */
	natflow_urllogger_review(nn);
	natflow_cut_soon(nn->access);
}

/* Return: the minute before. */
static u32 set_minute(struct natflow_access *access)
{
	struct natflow_local local;
	u32 before = access->minute;

	natflow_access_local(access->nn, &local);
	WRITE_ONCE(access->minute, local.minute);
	return before;
}

/*
 * Jiffies until the next look at the clock: when the minute ends, and each second, because
 * it may be set. A timer may be late by an eighth of its time (kernel/time/timer.c), so
 * the end of a minute is approached in halves.
 */
static unsigned long until_look(const struct natflow_access *access)
{
	struct natflow_local local;
	u64 left = nsecs_to_jiffies(natflow_access_local(access->nn, &local));

	return left < 64 ? left + 1 : min_t(u64, HZ, left / 2);
}

/* Schedules begin and end with a minute. */
static void tick(struct work_struct *work)
{
	struct natflow_access *access = container_of(to_delayed_work(work),
						     struct natflow_access, clock);
	struct natflow_users *users = natflow_user_table(access->nn);
	struct natflow_quota_news news;
	struct natflow_usage_time now;
	u32 before = set_minute(access);
	bool differ;

	natflow_access_time(access->nn, &now);
	news = natflow_quota_tick(users, &now);
	rcu_read_lock();
	differ = before != access->minute &&
		 natflow_policies_differ(rcu_dereference(access->policies), before,
					 access->minute);
	rcu_read_unlock();
	if (differ || news.review) {
		natflow_access_changed(access);
		natflow_access_review(access->nn);
	}
	schedule_delayed_work(&access->clock, min_t(u64, until_look(access),
						    nsecs_to_jiffies64(news.next) + 1));
}

/* Whoever counted the last byte of a quota asked for it. */
static void stop(struct work_struct *work)
{
	struct natflow_access *access = container_of(work, struct natflow_access, stopped);

	if (READ_ONCE(access->nn->dead))
		return;
	natflow_access_changed(access);
	natflow_access_review(access->nn);
}

/**
 * natflow_access_reconsider() - what devices may use has changed
 * @nn: namespace
 *
 * It is in force for the next packet of every flow.
 *
 * Context: process, may sleep; writers exclude each other.
 */
void natflow_access_reconsider(struct natflow_net *nn)
{
	struct natflow_access *access = nn->access;

	if (rules_of(nn)->disabled)
		return;
	natflow_access_changed(access);
	natflow_access_review(nn);
	cancel_delayed_work(&access->clock);	/* a tick that runs now is followed by another */
	schedule_delayed_work(&access->clock, 0);
}

/**
 * natflow_access_rules() - rules and settings in force
 * @nn: namespace
 *
 * Context: the lock that excludes writers. Return: never NULL.
 */
const struct natflow_access_rules *natflow_access_rules(const struct natflow_net *nn)
{
	return rules_of(nn);
}

/**
 * natflow_access_prepare() - do everything that can fail of a change
 * @nn: namespace
 * @rules: that natflow_access_set_rules() will put in force
 *
 * Context: process, may sleep, neither natflow_net.lock nor RTNL held.
 * Return: 0 or an errno. Then, or if the change is given up, natflow_access_abandon()
 * takes it back.
 */
int natflow_access_prepare(struct natflow_net *nn, const struct natflow_access_rules *rules)
{
	struct natflow_access *access = nn->access;
	int err;

	if (rules->disabled)
		return 0;
	err = natflow_user_start(nn);
	if (err)
		return err;
	WRITE_ONCE(natflow_user_table(nn)->macs.knowns.stopped, &access->stopped);
	err = natflow_user_enable(nn, true);
	if (err)
		return err;
	mutex_lock(&nn->lock);
	if (!access->hooked)
		err = switch_on(access);
	mutex_unlock(&nn->lock);
	return err;
}

/**
 * natflow_access_abandon() - a change is given up
 * @nn: namespace
 *
 * Context: as of natflow_access_prepare().
 */
void natflow_access_abandon(struct natflow_net *nn)
{
	if (rules_of(nn)->disabled)
		switch_off(nn->access);
}

/**
 * natflow_access_set_rules() - replace rules and settings
 * @nn: namespace
 * @rules: prepared; taken over
 *
 * They are in force for the next packet of every flow, accelerated ones too, and nothing
 * is on its way by the old ones. Connections of users whom they refuse end soon without a
 * packet.
 *
 * Context: process, may sleep; writers exclude each other.
 */
void natflow_access_set_rules(struct natflow_net *nn, struct natflow_access_rules *rules)
{
	struct natflow_access *access = nn->access;
	struct natflow_access_rules *old = rules_of(nn);

	rcu_assign_pointer(access->rules, rules);
	set_minute(access);
	natflow_access_changed(access);
	synchronize_rcu();	/* no packet is judged by the old rules any more */
	if (rules->disabled) {
		switch_off(access);
		natflow_urllogger_review(nn);	/* lists of policies are for nobody */
		if (access->paces)
			natflow_limit_review(nn);
	} else {
		natflow_access_review(nn);
	}
	kvfree(old);
}

/**
 * natflow_access_policies() - the policies in force
 * @nn: namespace
 *
 * Context: the lock that excludes writers. Return: never NULL.
 */
const struct natflow_policies *natflow_access_policies(const struct natflow_net *nn)
{
	return rcu_dereference_protected(nn->access->policies, true);
}

/**
 * natflow_access_shown() - what decides for a user, for a listing
 * @nn: namespace
 * @user: user
 * @policy: gets the name of the policy that has its effect, or "-"
 *
 * Context: RCU read side; @policy is read within it.
 * Return: a word for why the user has its status, or "-".
 */
const char *natflow_access_shown(const struct natflow_net *nn, const struct natflow_user *user,
				 const char **policy)
{
	static const char * const words[] = {
		[NATFLOW_USERINFO_UNSAID] = "-",
		[NATFLOW_USERINFO_HAND] = "set-status",
		[NATFLOW_USERINFO_RULE] = "rule",
		[NATFLOW_USERINFO_POLICY] = "verdict",
		[NATFLOW_USERINFO_SCHEDULE] = "schedule",
		[NATFLOW_USERINFO_VOLUME] = "volume",
		[NATFLOW_USERINFO_MINUTES] = "minutes",
		[NATFLOW_USERINFO_GRANTED] = "grant",
	};
	struct natflow_access *access = nn->access;
	enum natflow_userinfo_why why;
	int at;

	*policy = "-";
	if (rcu_dereference(access->rules)->disabled)
		return "-";
	local_bh_disable();
	at = natflow_access_policy_of(access, user, &why);
	local_bh_enable();
	if (at >= 0)
		*policy = rcu_dereference(access->policies)->policy[at].name;
	return words[why];
}

/**
 * natflow_access_ready() - do what can fail of a change of policies
 * @nn: namespace
 * @policies: that natflow_access_set_policies() will put in force
 *
 * Context: process, may sleep, neither natflow_net.lock nor RTNL held.
 * Return: 0 or an errno.
 */
int natflow_access_ready(struct natflow_net *nn, const struct natflow_policies *policies)
{
	return natflow_policies_pace(policies) ? natflow_limit_start(nn) : 0;
}

/**
 * natflow_access_set_policies() - replace policies and binds
 * @nn: namespace
 * @policies: ready; taken over
 *
 * They are in force for the next packet of every flow, accelerated ones too.
 *
 * Context: process, may sleep; writers exclude each other.
 */
void natflow_access_set_policies(struct natflow_net *nn, struct natflow_policies *policies)
{
	struct natflow_access *access = nn->access;
	const struct natflow_policies *old = natflow_access_policies(nn);
	const bool paced = access->paces;

	WRITE_ONCE(access->paces, natflow_policies_pace(policies));
	rcu_assign_pointer(access->policies, policies);
	set_minute(access);
	natflow_access_changed(access);
	synchronize_rcu();	/* no packet is judged by the old policies any more */
	if (rules_of(nn)->disabled)
		natflow_urllogger_review(nn);	/* lists are for all, or for nobody */
	else
		natflow_access_review(nn);
	if (paced && !access->paces)
		natflow_limit_review(nn);
	natflow_policies_free(old);
}

/**
 * natflow_access_renamed() - devices got other names, to which policies may be bound
 * @nn: namespace
 *
 * Context: process, may sleep; writers exclude each other.
 */
void natflow_access_renamed(struct natflow_net *nn)
{
	if (rules_of(nn)->disabled || !natflow_access_policies(nn)->of_kind[NATFLOW_SUBJECT_NAME])
		return;
	natflow_access_changed(nn->access);
	natflow_access_review(nn);
}

/* Return: must the user's flows end? */
static bool give(struct natflow_access *access, struct natflow_user *user, u8 status)
{
	natflow_access_give(access, user, status);
	if (rcu_dereference(access->rules)->disabled)
		return false;
	local_bh_disable();
	status = natflow_access_judge(access, user);
	local_bh_enable();
	return natflow_access_refuses(status);
}

/**
 * natflow_access_set_status() - set the status of an address by hand
 * @nn: namespace
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @addr: 4 or 16 bytes; in whichever zones it has a record
 * @status: enum natflow_access_status; NONE and UNKNOWN: the rules say it again
 *
 * It is in force for the next packet of every flow. If the user is refused the line now,
 * none of its packets is on its way: those that were judged before, and flows that they
 * published, end before the return.
 *
 * Context: process, may sleep.
 */
void natflow_access_set_status(struct natflow_net *nn, u8 family, const void *addr, u8 status)
{
	struct natflow_user *user;
	unsigned int zone = 0;
	bool refused;

	do {
		rcu_read_lock();
		user = natflow_user_next(nn, family, addr, &zone);
		refused = user && give(nn->access, user, status);
		rcu_read_unlock();
		/* Only the address of a record is compared, which may be freed meanwhile. */
		if (!refused)
			continue;
		synchronize_rcu_expedited();
		natflow_user_cut(nn, user, NATFLOW_END_ACCESS);
		synchronize_rcu_expedited();
	} while (user);
}

static void forget(struct natflow_user *user, void *access)
{
	if (READ_ONCE(user->access.given))
		natflow_access_give(access, user, NATFLOW_ACCESS_UNKNOWN);
}

/**
 * natflow_access_forget() - take back what was set by hand, of all users
 * @nn: namespace
 *
 * Context: process, may sleep.
 */
void natflow_access_forget(struct natflow_net *nn)
{
	struct natflow_users *users = natflow_user_table(nn);

	if (users)
		natflow_users_walk(users, forget, nn->access);
}

/**
 * natflow_access_counts() - what was refused so far
 * @nn: namespace
 * @refused: packets that were not forwarded
 * @redirected: requests that were sent to the portal
 * @unanswered: packets beyond a client's share, which were only dropped
 * @cut: connections that a sweep ended
 *
 * Context: process.
 */
void natflow_access_counts(const struct natflow_net *nn, u64 *refused, u64 *redirected,
			   u64 *unanswered, u64 *cut)
{
	const struct natflow_access *access = nn->access;

	*refused = atomic64_read(&access->refused);
	*redirected = atomic64_read(&access->redirected);
	*cut = atomic64_read(&access->cut);
	/* What it points to is initialized before: see switch_on(). */
	*unanswered = natflow_rate_refused(READ_ONCE(access->answers));
}

static void set_defaults(struct natflow_access_rules *rules)
{
	const __be32 portal = htonl(NATFLOW_DEFAULT_redirect_ip);

	rules->disabled = true;
	memcpy(rules->portal4, &portal, sizeof(rules->portal4));
	rules->no_flow_timeout = NATFLOW_DEFAULT_no_flow_timeout;
	rules->https_port = NATFLOW_DEFAULT_https_redirect_port;
}

/**
 * natflow_access_net_init() - off, without rules
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_access_net_init(struct natflow_net *nn)
{
	struct natflow_access *access = kzalloc(sizeof(*access), GFP_KERNEL_ACCOUNT);
	struct natflow_access_rules *rules = natflow_access_rules_alloc(NULL, 0);

	if (!access || !rules) {
		kvfree(rules);
		kfree(access);
		return -ENOMEM;
	}
	set_defaults(rules);
	access->nn = nn;
	access->edition = 1;
	spin_lock_init(&access->lock);
	INIT_DELAYED_WORK(&access->clock, tick);
	INIT_WORK(&access->stopped, stop);
	RCU_INIT_POINTER(access->rules, rules);
	RCU_INIT_POINTER(access->policies, &natflow_policies_none);
	INIT_DELAYED_WORK(&access->sweep, sweep);
	access->rest = jiffies;
	nn->access = access;
	return 0;
}

/**
 * natflow_access_net_stop() - no packet uses it from here on
 * @nn: namespace, without doors
 *
 * Context: process, may sleep.
 */
void natflow_access_net_stop(struct natflow_net *nn)
{
	switch_off(nn->access);
	cancel_work_sync(&nn->access->stopped);	/* one that is asked for now does nothing */
}

/**
 * natflow_access_net_exit() - free it
 * @nn: namespace, stopped, without flows
 */
void natflow_access_net_exit(struct natflow_net *nn)
{
	struct natflow_access *access = nn->access;

	cancel_work_sync(&access->stopped);
	kvfree(rules_of(nn));
	natflow_policies_free(rcu_dereference_protected(access->policies, true));
	kvfree(access->answers);
	kfree(access);
}
