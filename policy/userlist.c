// SPDX-License-Identifier: GPL-2.0-only
/* Users for who lists them: walks over the table, and whose an address is. */
#include <linux/sched.h>
#include "users.h"

/**
 * natflow_user_mac() - the MAC of a user
 * @user: record
 *
 * Context: RCU read side, which is also how long the result is valid.
 * Return: 6 bytes; zero if it has none or never sent anything.
 */
const u8 *natflow_user_mac(const struct natflow_user *user)
{
	static const u8 none[ETH_ALEN];
	const struct natflow_mac *owner = natflow_user_owner(user);

	return owner && owner->key.kind == NATFLOW_MAC_FRAME ? owner->key.mac : none;
}

/**
 * natflow_user_name() - the name of a user's device
 * @user: record
 *
 * Context: RCU read side, which is also how long the result is valid.
 * Return: NULL if it has none.
 */
const char *natflow_user_name(const struct natflow_user *user)
{
	const struct natflow_mac *owner = natflow_user_owner(user);

	return owner ? natflow_known_name(rcu_dereference(owner->known)) : NULL;
}

/**
 * natflow_users_from() - walk the table
 * @users: table
 * @id: where to begin; set to the id of the result
 *
 * Context: RCU read side, or no packets any more.
 * Return: the record with this or the next id, NULL at the end.
 */
struct natflow_user *natflow_users_from(struct natflow_users *users, unsigned long *id)
{
	return xa_find(&users->by_id, id, ULONG_MAX, XA_PRESENT);
}

/**
 * natflow_users_step() - the next record, for long lists: natflow_users_from() begins anew
 * @at: state of natflow_users.by_id, whose index is where to begin; only of one walk
 *
 * Context: one RCU read side for the whole walk.
 * Return: NULL at the end; else the record whose id is the state's index.
 */
struct natflow_user *natflow_users_step(struct xa_state *at)
{
	struct natflow_user *user;

	do {
		user = xas_next_entry(at, ULONG_MAX);
	} while (xas_retry(at, user));
	return user;
}

/**
 * natflow_users_bytes() - memory of all records and devices, hashes not included
 * @users: table
 *
 * Context: any.
 */
size_t natflow_users_bytes(struct natflow_users *users)
{
	return READ_ONCE(users->count) * sizeof(struct natflow_user) +
	       READ_ONCE(users->macs.count) * sizeof(struct natflow_mac);
}

/**
 * natflow_users_walk() - look at all records
 * @users: table
 * @see: called for each, in an RCU read-side section
 * @arg: for @see
 *
 * Records that come or go meanwhile may be missed.
 *
 * Context: process, may sleep.
 */
void natflow_users_walk(struct natflow_users *users,
			void (*see)(struct natflow_user *user, void *arg), void *arg)
{
	struct natflow_user *user;
	unsigned long id = 0;
	unsigned int n = 0;

	rcu_read_lock();
	for (; (user = natflow_users_from(users, &id)); id++) {
		see(user, arg);
		if (++n % 512)
			continue;
		rcu_read_unlock();
		cond_resched();
		rcu_read_lock();
	}
	rcu_read_unlock();
}
