// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quotas, by what a device has used. Its bytes are counted with its other sums. Whoever
 * counts the byte with which a quota is used up has all users judged again at once; while
 * that may be soon, flows of the device are folded each 50 ms.
 */
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "../core/base/charge.h"
#include "event.h"
#include "quota.h"

#define NEAR_BYTES	(64ULL << 20)	/* between two folds, at 1 Gbit/s */

static void begin(struct natflow_known *known, const struct natflow_usage_time *now)
{
	if (known->counts)
		return;
	known->before = atomic64_read(&known->wan);
	natflow_usage_begin(&known->usage, now, known->before);
	known->counts = true;
	known->asked = now->period[NATFLOW_POLICY_DAY];
}

/* What is known of the device of a user: at least what it uses from here on. */
static struct natflow_known *known_of(struct natflow_users *users, struct natflow_mac *mac)
{
	struct natflow_known *known = rcu_dereference_check(mac->known, true);
	struct mem_cgroup *before;

	if (known)
		return known;
	before = natflow_charge_begin(users->nn);
	known = kzalloc(sizeof(*known), NATFLOW_GFP_PACKET);
	natflow_charge_end(before);
	if (!known)
		return NULL;
	if (mac->key.kind == NATFLOW_MAC_FRAME)
		memcpy(known->mac, mac->key.mac, ETH_ALEN);
	natflow_macs_know(&users->macs, known);
	rcu_assign_pointer(mac->known, known);
	return known;
}

static void set_near(struct natflow_known *known, u64 wan, u64 second)
{
	const u64 ahead = max(NEAR_BYTES, 2 * second);

	if (known->stop != U64_MAX)
		WRITE_ONCE(known->near, known->stop > ahead ? known->stop - ahead : 0);
}

static enum natflow_userinfo_why check(struct natflow_known *known,
				       const struct natflow_policy *policy,
				       const struct natflow_usage_time *now)
{
	const u64 wan = atomic64_read(&known->wan);
	const struct natflow_usage *u = &known->usage;
	u64 used = natflow_usage_volume(u, policy->volume_period, wan), stop;

	if (policy->volume && used >= policy->volume)
		return NATFLOW_USERINFO_VOLUME;
	stop = policy->volume ? wan - used + policy->volume : U64_MAX;
	if (policy->volume && (known->stop <= wan || stop < known->stop)) {
		WRITE_ONCE(known->stop, stop);
		set_near(known, wan, 0);
	}
	known->asked = now->period[NATFLOW_POLICY_DAY];
	known->of->timed |= policy->minutes;
	if (policy->minutes && natflow_usage_late(u, policy->minutes_period, now->minute,
						  policy->minutes))
		return NATFLOW_USERINFO_MINUTES;
	return NATFLOW_USERINFO_UNSAID;
}

/**
 * natflow_quota_over() - is a quota of a user's device used up
 * @user: user
 * @policy: that has its effect on the user
 * @now: local time
 *
 * A device is counted from the first question on.
 *
 * Context: RCU read side, BH disabled; natflow_users.lock not held.
 * Return: NATFLOW_USERINFO_VOLUME or _MINUTES, or NATFLOW_USERINFO_UNSAID.
 */
enum natflow_userinfo_why natflow_quota_over(const struct natflow_user *user,
					     const struct natflow_policy *policy,
					     const struct natflow_usage_time *now)
{
	enum natflow_userinfo_why why = NATFLOW_USERINFO_UNSAID;
	struct natflow_users *users = user->users;
	struct natflow_known *known = NULL;
	struct natflow_mac *mac;

	spin_lock(&users->lock);
	mac = user->gone ? NULL : rcu_dereference_protected(user->owner, true);
	if (mac)
		known = known_of(users, mac);
	if (known) {
		begin(known, now);
		why = check(known, policy, now);
	}
	spin_unlock(&users->lock);
	return why;
}

/**
 * natflow_quota_near() - is a quota likely to be used up before the next fold
 * @user: user, or NULL
 *
 * Context: RCU read side.
 */
bool natflow_quota_near(const struct natflow_user *user)
{
	const struct natflow_mac *mac = user ? rcu_dereference(user->owner) : NULL;
	const struct natflow_known *known = mac ? rcu_dereference(mac->known) : NULL;

	return known && (u64)atomic64_read(&known->wan) >= READ_ONCE(known->near);
}

/**
 * natflow_quota_granted() - does a user's device have extra time
 * @user: user
 *
 * Context: RCU read side.
 */
bool natflow_quota_granted(const struct natflow_user *user)
{
	const struct natflow_mac *mac = rcu_dereference(user->owner);
	const struct natflow_known *known = mac ? rcu_dereference(mac->known) : NULL;

	return unlikely(known) && READ_ONCE(known->grant) > ktime_get_boottime_ns();
}

static const struct natflow_user_news grant_end = { .kind = NATFLOW_USERINFO_GRANT_END };

/* What happened to all users of a device. */
static void tell(struct natflow_users *users, const struct natflow_known *known,
		 const struct natflow_user_news *news)
{
	struct natflow_user *user;
	unsigned long id = 0;

	if (!natflow_userlog_wanted(users->nn))
		return;
	for (; (user = natflow_users_from(users, &id)); id++) {
		struct natflow_mac *mac = rcu_dereference(user->owner);

		if (mac && rcu_access_pointer(mac->known) == known)
			natflow_user_event(users->nn, user, news);
	}
}

/* Return: has a period begun? */
static bool measure(struct natflow_known *known, const struct natflow_usage_time *now)
{
	const u32 month = known->usage.period[NATFLOW_POLICY_MONTH];
	const u64 wan = atomic64_read(&known->wan);
	bool begun;

	if (wan != known->before)
		natflow_usage_touch(&known->usage, known->of->minute);
	begun = natflow_usage_roll(&known->usage, now, wan);
	set_near(known, wan, wan - known->before);
	known->before = wan;
	/* Nobody asks any more, and all periods are over. */
	if (known->usage.period[NATFLOW_POLICY_MONTH] > month &&
	    now->period[NATFLOW_POLICY_DAY] - known->asked > 1) {
		known->counts = false;
		known->kept = false;
	}
	return begun;
}

/* Return: has the device's grant ended? */
static bool end_grant(struct natflow_known *known, struct natflow_quota_news *news)
{
	const u64 time = ktime_get_boottime_ns();

	if (known->grant > time)
		news->next = min(news->next, known->grant - time);
	if (!known->grant || known->grant > time)
		return false;
	WRITE_ONCE(known->grant, 0);
	return true;
}

static bool tick_one(struct natflow_users *users, struct natflow_known *known,
		     const struct natflow_usage_time *now, struct natflow_quota_news *news)
{
	bool urgent;

	spin_lock_bh(&users->lock);
	if (known->counts)
		news->review |= measure(known, now);
	urgent = known->before >= known->near;
	if (end_grant(known, news)) {
		news->review = true;
		tell(users, known, &grant_end);
	}
	natflow_macs_unknow(&users->macs, known);
	spin_unlock_bh(&users->lock);
	return urgent;
}

/**
 * natflow_quota_tick() - a second has passed, or a minute or a grant has ended
 * @users: table
 * @now: local time
 *
 * Context: process, one at a time.
 * Return: what is to be done.
 */
struct natflow_quota_news natflow_quota_tick(struct natflow_users *users,
					     const struct natflow_usage_time *now)
{
	struct natflow_quota_news news = { .next = U64_MAX };
	struct natflow_knowns *k = &users->macs.knowns;
	struct natflow_known *known;
	bool urgent = false;

	if (!k->minute)
		k->minute = now->minute;
	rcu_read_lock();
	list_for_each_entry_rcu(known, &k->all, list)
		urgent |= tick_one(users, known, now, &news);
	rcu_read_unlock();
	WRITE_ONCE(users->nn->flows.urgent, urgent);
	spin_lock_bh(&users->lock);
	if (k->minute != now->minute) {
		news.review |= k->timed;
		k->timed = false;	/* who is judged asks again */
		k->minute = now->minute;
	}
	spin_unlock_bh(&users->lock);
	return news;
}

/**
 * natflow_quota_grant() - give a device extra time
 * @users: table
 * @mac: 6 bytes
 * @fresh: record for it, if it is not known yet; taken over
 * @minutes: from now on; 0: none any more
 *
 * Context: process, BH enabled.
 */
void natflow_quota_grant(struct natflow_users *users, const u8 *mac, struct natflow_known *fresh,
			 u32 minutes)
{
	const struct natflow_user_news news = {
		.kind = minutes ? NATFLOW_USERINFO_GRANT : NATFLOW_USERINFO_GRANT_END,
		.value = minutes * 60,
	};
	struct natflow_known *known;
	bool had;

	rcu_read_lock();
	spin_lock_bh(&users->lock);
	known = natflow_macs_known(&users->macs, mac, &fresh);
	had = known->grant;
	WRITE_ONCE(known->grant, minutes ? ktime_get_boottime_ns() +
					   minutes * 60ULL * NSEC_PER_SEC : 0);
	if (minutes || had)
		tell(users, known, &news);
	natflow_macs_unknow(&users->macs, known);
	spin_unlock_bh(&users->lock);
	rcu_read_unlock();
	kfree(fresh);
}

/**
 * natflow_quota_restore() - a device has used at least so much
 * @users: table
 * @mac: 6 bytes
 * @fresh: record for it, if it is not known yet; taken over
 * @args: what it used
 * @now: local time
 *
 * Context: process, BH enabled.
 * Return: false if the period is over.
 */
bool natflow_quota_restore(struct natflow_users *users, const u8 *mac,
			   struct natflow_known *fresh, const struct natflow_restore_args *args,
			   const struct natflow_usage_time *now)
{
	struct natflow_known *known;
	bool present;

	rcu_read_lock();
	spin_lock_bh(&users->lock);
	known = natflow_knowns_find(&users->macs.knowns, mac);
	present = args->at >= (known && known->counts ? known->usage.period[args->period] :
							 now->period[args->period]);
	if (present) {
		known = natflow_macs_known(&users->macs, mac, &fresh);
		begin(known, now);
		known->kept = true;
		known->usage.period[args->period] = args->at;
		natflow_usage_restore(&known->usage, args->period, atomic64_read(&known->wan),
				      args->volume, args->minutes);
	}
	spin_unlock_bh(&users->lock);
	rcu_read_unlock();
	kfree(fresh);
	return present;
}
