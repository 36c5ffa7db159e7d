// SPDX-License-Identifier: GPL-2.0-only
/* Sums and rates of a user's traffic. */
#include <linux/timekeeping.h>
#include "users.h"

#define MARK_SECONDS	4
#define UNIT		64	/* bytes; see struct natflow_user_before */

/**
 * natflow_user_sum() - all traffic of one direction
 * @user: record
 * @dir: direction
 *
 * Context: any.
 */
struct natflow_user_sum natflow_user_sum(const struct natflow_user *user,
					 enum natflow_user_dir dir)
{
	struct natflow_user_sum sum = { 0 };
	unsigned int far;

	for (far = 0; far < NATFLOW_USER_FARS; far++) {
		sum.packets += atomic64_read(&user->traffic[far][dir].packets);
		sum.bytes += atomic64_read(&user->traffic[far][dir].bytes);
	}
	return sum;
}

/**
 * natflow_user_short_rate() - traffic of the last whole second
 * @user: record
 * @dir: direction
 *
 * Context: any.
 * Return: packets and bytes in a second.
 */
struct natflow_user_sum natflow_user_short_rate(const struct natflow_user *user,
						enum natflow_user_dir dir)
{
	return (struct natflow_user_sum){
		.packets = natflow_rounded_value(READ_ONCE(user->rate.packets[dir])),
		.bytes = natflow_rounded_value(READ_ONCE(user->rate.bytes[dir])) * UNIT,
	};
}

static unsigned int mark_of(const struct natflow_users *users)
{
	return READ_ONCE(users->second) / MARK_SECONDS % NATFLOW_USER_MARKS;
}

/**
 * natflow_user_long_rate() - traffic of eight whole seconds, up to four seconds ago
 * @users: table
 * @user: record
 * @dir: direction
 *
 * Context: any.
 * Return: packets and bytes in a second.
 */
struct natflow_user_sum natflow_user_long_rate(const struct natflow_users *users,
					       const struct natflow_user *user,
					       enum natflow_user_dir dir)
{
	const unsigned int seconds = MARK_SECONDS * (NATFLOW_USER_MARKS - 1);
	const unsigned int filling = mark_of(users);
	struct natflow_user_sum sum = { 0 };
	unsigned int i;

	for (i = 0; i < NATFLOW_USER_MARKS; i++) {
		if (i == filling)
			continue;
		sum.packets += natflow_rounded_value(READ_ONCE(user->mark[i].packets[dir]));
		sum.bytes += natflow_rounded_value(READ_ONCE(user->mark[i].bytes[dir])) * UNIT;
	}
	sum.packets /= seconds;
	sum.bytes /= seconds;
	return sum;
}

static void touch(struct natflow_user *user)
{
	struct natflow_mac *owner = rcu_dereference(user->owner);
	const u32 second = ktime_get_boottime_seconds();

	WRITE_ONCE(user->last, second);
	if (owner)
		WRITE_ONCE(owner->last, second);
}

/* @n more, or @n alone if it is the @first of these seconds. */
static void add(u16 *rate, u32 n, bool first)
{
	WRITE_ONCE(*rate, natflow_rounded(n + (first ? 0 : natflow_rounded_value(*rate))));
}

/**
 * natflow_user_measure() - a second has passed
 * @users: table
 * @user: record
 *
 * Context: natflow_users_age(), RCU read side.
 */
void natflow_user_measure(const struct natflow_users *users, struct natflow_user *user)
{
	struct natflow_user_rate *mark = &user->mark[mark_of(users)];
	const bool first = users->second % MARK_SECONDS == 0;
	unsigned int dir;

	for (dir = 0; dir < NATFLOW_USER_DIRS; dir++) {
		struct natflow_user_sum sum = natflow_user_sum(user, dir);
		u32 units = (u32)(sum.bytes / UNIT) - user->before.bytes[dir];
		u32 packets = (u32)sum.packets - user->before.packets[dir];

		WRITE_ONCE(user->before.bytes[dir], sum.bytes / UNIT);
		WRITE_ONCE(user->before.packets[dir], sum.packets);
		add(&user->rate.bytes[dir], units, true);
		add(&user->rate.packets[dir], packets, true);
		add(&mark->bytes[dir], units, first);
		add(&mark->packets[dir], packets, first);
		if (packets)
			touch(user);
	}
}

/**
 * natflow_user_begin_rates() - what was counted until now is no rate
 * @user: record that took over the sums of another
 *
 * Context: any. A second that ends meanwhile may have a wrong rate.
 */
void natflow_user_begin_rates(struct natflow_user *user)
{
	unsigned int dir;

	for (dir = 0; dir < NATFLOW_USER_DIRS; dir++) {
		struct natflow_user_sum sum = natflow_user_sum(user, dir);

		WRITE_ONCE(user->before.packets[dir], sum.packets);
		WRITE_ONCE(user->before.bytes[dir], sum.bytes / UNIT);
	}
}
