// SPDX-License-Identifier: GPL-2.0-only
/* The table of users: find, see, bind to flows, give way, age. */
#include <linux/etherdevice.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "../core/base/charge.h"
#include "../lib/text/auth.h"
#include "event.h"
#include "users.h"

#define SEEN_SECONDS	8	/* so long a record keeps its place among those that give way */
#define SILENT_SECONDS	10	/* so long does one stay that never sent anything */
#define MARK_SECONDS	4
#define UNIT		64	/* bytes; see struct natflow_user_rate */

static const struct rhashtable_params by_key_params = {
	.key_len = sizeof(struct natflow_user_key),
	.key_offset = offsetof(struct natflow_user, key),
	.head_offset = offsetof(struct natflow_user, node),
	.automatic_shrinking = true,
};

static struct kmem_cache *cache;

/**
 * natflow_users_cache_init() - memory for all namespaces' records
 *
 * Return: 0 or -ENOMEM.
 */
int __init natflow_users_cache_init(void)
{
	cache = kmem_cache_create("natflow_user", sizeof(struct natflow_user), 0, 0, NULL);
	return cache ? 0 : -ENOMEM;
}

/**
 * natflow_users_cache_exit() - the reverse, an rcu_barrier() after the last record
 */
void natflow_users_cache_exit(void)
{
	kmem_cache_destroy(cache);
}

static u32 now(void)
{
	return ktime_get_boottime_seconds();
}

/**
 * natflow_users_init() - an empty table
 * @users: zeroed
 * @nn: its namespace, whose user_limit= and payer count
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int natflow_users_init(struct natflow_users *users, struct natflow_net *nn)
{
	xa_init_flags(&users->by_id, XA_FLAGS_ALLOC | XA_FLAGS_LOCK_BH | XA_FLAGS_ACCOUNT);
	spin_lock_init(&users->lock);
	users->nn = nn;
	return rhashtable_init(&users->by_key, &by_key_params);
}

static void unlink(struct natflow_users *users, struct natflow_user *user)
{
	lockdep_assert_held(&users->lock);
	user->gone = true;
	if (user->is_held)
		natflow_holders_remove(users->zone[user->key.zone], &user->held);
	rhashtable_remove_fast(&users->by_key, &user->node, by_key_params);
	xa_erase_bh(&users->by_id, user->id);
	users->count--;
}

/**
 * natflow_users_exit() - free the table; nobody is told
 * @users: table that no packet and no flow uses, an rcu_barrier() after those that did
 *
 * Context: process, may sleep.
 */
void natflow_users_exit(struct natflow_users *users)
{
	struct natflow_user *user;
	unsigned long id = 0;
	unsigned int i;

	while ((user = natflow_users_from(users, &id))) {
		spin_lock_bh(&users->lock);
		unlink(users, user);
		spin_unlock_bh(&users->lock);
		kmem_cache_free(cache, user);
	}
	rhashtable_destroy(&users->by_key);
	xa_destroy(&users->by_id);
	for (i = 0; i < NATFLOW_ZONES; i++)
		kfree(users->zone[i]);
}

/**
 * natflow_users_find() - the record of an address
 * @users: table
 * @key: zone, family, address
 *
 * Context: RCU read side, which is also how long the result is valid.
 * Return: NULL if there is none.
 */
struct natflow_user *natflow_users_find(struct natflow_users *users,
					const struct natflow_user_key *key)
{
	return rhashtable_lookup(&users->by_key, key, by_key_params);
}

/* Hooks that had found the record under RCU have counted their packets, too. */
static void free_user(struct rcu_head *rcu)
{
	struct natflow_user *user = container_of(rcu, struct natflow_user, rcu);

	local_bh_disable();
	natflow_userlog_last(user->users->nn, user, user->why);
	local_bh_enable();
	kmem_cache_free(cache, user);
}

/**
 * natflow_users_put() - give a reference back
 * @user: record
 *
 * Context: any.
 */
void natflow_users_put(struct natflow_user *user)
{
	if (refcount_dec_and_test(&user->ref))
		call_rcu(&user->rcu, free_user);
}

/* A record gives way; its flows keep theirs. */
static void forget(struct natflow_users *users, struct natflow_user *user,
		   enum natflow_userinfo_why why)
{
	unlink(users, user);
	user->why = why;
	natflow_users_put(user);
}

static struct natflow_held *victim_of(struct natflow_users *users, u8 zone)
{
	u32 most = 0;
	unsigned int i;

	if (users->zone[zone]->lot[0].count)
		return natflow_holders_victim(users->zone[zone], 0);
	for (i = 0; i < NATFLOW_ZONES; i++) {
		if (users->zone[i] && users->zone[i]->lot[0].count > most) {
			most = users->zone[i]->lot[0].count;
			zone = i;
		}
	}
	return most ? natflow_holders_victim(users->zone[zone], 0) : NULL;
}

/* Return: false if there is no room. After user_limit= was lowered, two give way to one. */
static bool make_room(struct natflow_users *users, u8 zone)
{
	const u32 limit = READ_ONCE(users->nn->config.user_limit);
	struct natflow_held *held;
	unsigned int n;

	if (!users->zone[zone])
		users->zone[zone] = kzalloc(sizeof(*users->zone[zone]), NATFLOW_GFP_PACKET);
	if (!users->zone[zone])
		return false;
	for (n = 0; n < 2 && users->count >= limit; n++) {
		held = victim_of(users, zone);
		if (!held)
			break;
		forget(users, container_of(held, struct natflow_user, held),
		       NATFLOW_USERINFO_EVICTED);
		users->evicted++;
	}
	return n || users->count < limit;
}

/* By MAC and by device: sources are easily forged. */
static void sharer_of(struct natflow_sharer *who, const struct natflow_user_seen *seen)
{
	static const u8 none[ETH_ALEN];
	u8 mac[16] = { 0 };
	char dev[IFNAMSIZ];

	if (seen->mac)
		memcpy(mac, seen->mac, ETH_ALEN);
	snprintf(dev, sizeof(dev), "%d", seen->ifindex);
	natflow_sharer_set(who, NFPROTO_IPV6, mac, none, dev);
}

/* Make the record reachable. Return: false if there is no room. */
static bool link_user(struct natflow_users *users, struct natflow_user *user,
		      const struct natflow_user_seen *seen)
{
	struct natflow_sharer who;
	int err;

	lockdep_assert_held(&users->lock);
	if (!make_room(users, user->key.zone))
		return false;
	sharer_of(&who, seen);
	if (!natflow_holders_add(users->zone[user->key.zone], &user->held, &who))
		return false;
	err = xa_alloc_cyclic_bh(&users->by_id, &user->id, user, xa_limit_31b, &users->next_id,
				 NATFLOW_GFP_PACKET);
	if (err < 0)
		goto err_holders;
	if (rhashtable_insert_fast(&users->by_key, &user->node, by_key_params))
		goto err_id;
	user->is_held = true;
	user->serial = atomic64_inc_return(&users->nn->userlog->users);
	users->count++;
	return true;

err_id:
	xa_erase_bh(&users->by_id, user->id);
err_holders:
	natflow_holders_remove(users->zone[user->key.zone], &user->held);
	return false;
}

static struct natflow_user *create(struct natflow_users *users,
				   const struct natflow_user_seen *seen)
{
	struct natflow_user *user = kmem_cache_zalloc(cache, NATFLOW_GFP_PACKET), *other;

	if (!user)
		return NULL;
	user->users = users;
	user->key = seen->key;
	user->ifindex = seen->ifindex;
	user->first = now();
	user->last = user->first;
	user->access.rule = NATFLOW_AUTH_NO_RULE;
	user->heard = seen->sends;
	if (seen->mac)
		memcpy(user->mac, seen->mac, ETH_ALEN);
	refcount_set(&user->ref, 1);
	spin_lock_bh(&users->lock);
	other = natflow_users_find(users, &seen->key);
	if (!other && !link_user(users, user, seen))
		other = ERR_PTR(-ENOSPC);
	spin_unlock_bh(&users->lock);
	if (!other)
		return user;
	kmem_cache_free(cache, user);
	return IS_ERR(other) ? NULL : other;
}

/* A record that is seen again gives way later. */
static void renew(struct natflow_users *users, struct natflow_user *user)
{
	spin_lock_bh(&users->lock);
	if (!user->gone && !user->held.lot)
		natflow_holders_move(users->zone[user->key.zone], &user->held, 0);
	spin_unlock_bh(&users->lock);
}

/*
 * The first packet of an address that others have sent to: now its MAC is known. If
 * there is no memory for that, the next packet makes a new record.
 */
static void hear(struct natflow_users *users, struct natflow_user *user,
		 const struct natflow_user_seen *seen)
{
	struct natflow_holders *holders = users->zone[user->key.zone];
	struct natflow_sharer who;

	sharer_of(&who, seen);
	spin_lock_bh(&users->lock);
	if (!user->gone && !user->heard) {
		WRITE_ONCE(user->heard, true);
		natflow_holders_remove(holders, &user->held);
		user->is_held = natflow_holders_add(holders, &user->held, &who);
		if (!user->is_held)
			forget(users, user, NATFLOW_USERINFO_MEMORY);
		else if (user->flows)
			natflow_holders_move(holders, &user->held, 1);
	}
	spin_unlock_bh(&users->lock);
}

/**
 * natflow_users_see() - the record of who sent or receives a packet
 * @users: table
 * @seen: who, and where; the table's namespace pays for a new record
 *
 * Context: RCU read side, BH disabled; the result is valid as long as the former.
 * Return: NULL if there is no room; this is counted.
 */
struct natflow_user *natflow_users_see(struct natflow_users *users,
				       const struct natflow_user_seen *seen)
{
	struct natflow_user *user = natflow_users_find(users, &seen->key);
	const u32 second = now();

	if (unlikely(!user)) {
		struct mem_cgroup *before = natflow_charge_begin(users->nn);

		user = create(users, seen);
		natflow_charge_end(before);
		if (!user)
			atomic64_inc(&users->refused);
		return user;
	}
	if (READ_ONCE(user->last) != second) {
		if (second - READ_ONCE(user->last) >= SEEN_SECONDS)
			renew(users, user);
		WRITE_ONCE(user->last, second);
	}
	if (seen->sends && !READ_ONCE(user->heard))
		hear(users, user, seen);
	if (READ_ONCE(user->ifindex) != seen->ifindex)
		WRITE_ONCE(user->ifindex, seen->ifindex);
	if (seen->mac && !ether_addr_equal(user->mac, seen->mac)) {
		if (!is_zero_ether_addr(user->mac))
			users->moved++;
		memcpy(user->mac, seen->mac, ETH_ALEN);
		WRITE_ONCE(user->access.edition, 0);	/* sets may know the MAC */
	}
	return user;
}

/**
 * natflow_users_bind() - a flow of a user was published
 * @users: table
 * @user: record, found under RCU
 *
 * Context: BH disabled.
 * Return: false if the record has given way meanwhile; else the flow holds a
 * reference until natflow_users_put(), and counts until natflow_users_unbind().
 */
bool natflow_users_bind(struct natflow_users *users, struct natflow_user *user)
{
	bool ok;

	spin_lock(&users->lock);
	ok = !user->gone;
	if (ok) {
		refcount_inc(&user->ref);
		if (!user->flows++)
			natflow_holders_move(users->zone[user->key.zone], &user->held, 1);
	}
	spin_unlock(&users->lock);
	return ok;
}

/**
 * natflow_users_unbind() - a flow of a user has ended
 * @users: table
 * @user: record that the flow was bound to
 *
 * Context: BH disabled.
 */
void natflow_users_unbind(struct natflow_users *users, struct natflow_user *user)
{
	spin_lock(&users->lock);
	if (!--user->flows && !user->gone)
		natflow_holders_move(users->zone[user->key.zone], &user->held, 0);
	spin_unlock(&users->lock);
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
 * natflow_users_bytes() - memory of all records, the hash not included
 * @users: table
 *
 * Context: any.
 */
size_t natflow_users_bytes(struct natflow_users *users)
{
	return READ_ONCE(users->count) * sizeof(struct natflow_user);
}

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
		.packets = READ_ONCE(user->rate.packets[dir]),
		.bytes = (u64)READ_ONCE(user->rate.bytes[dir]) * UNIT,
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
	struct natflow_user_sum sum = { 0 };
	unsigned int i;

	for (i = 0; i < NATFLOW_USER_MARKS; i++) {
		if (i == mark_of(users))
			continue;
		sum.packets += READ_ONCE(user->mark[i].packets[dir]);
		sum.bytes += (u64)READ_ONCE(user->mark[i].bytes[dir]) * UNIT;
	}
	sum.packets /= seconds;
	sum.bytes /= seconds;
	return sum;
}

/* A second has passed. */
static void measure(const struct natflow_users *users, struct natflow_user *user)
{
	struct natflow_user_rate *mark = &user->mark[mark_of(users)];
	const bool first = users->second % MARK_SECONDS == 0;
	unsigned int dir;

	for (dir = 0; dir < NATFLOW_USER_DIRS; dir++) {
		struct natflow_user_sum sum = natflow_user_sum(user, dir);
		u32 units = (u32)(sum.bytes / UNIT) - user->before.bytes[dir];
		u32 packets = (u32)sum.packets - user->before.packets[dir];

		user->before.bytes[dir] = sum.bytes / UNIT;
		user->before.packets[dir] = sum.packets;
		WRITE_ONCE(user->rate.bytes[dir], units);
		WRITE_ONCE(user->rate.packets[dir], packets);
		WRITE_ONCE(mark->bytes[dir], units + (first ? 0 : mark->bytes[dir]));
		WRITE_ONCE(mark->packets[dir], packets + (first ? 0 : mark->packets[dir]));
		if (packets)
			WRITE_ONCE(user->last, now());
	}
}

static bool is_idle(const struct natflow_user *user, u32 idle)
{
	return !READ_ONCE(user->flows) &&
	       now() - READ_ONCE(user->last) > (READ_ONCE(user->heard) ? idle : SILENT_SECONDS);
}

static void forget_idle(struct natflow_users *users, struct natflow_user *user)
{
	spin_lock_bh(&users->lock);
	if (!user->gone && !user->flows) {
		forget(users, user, NATFLOW_USERINFO_IDLE);
		users->idle++;
	}
	spin_unlock_bh(&users->lock);
}

/**
 * natflow_users_age() - a second has passed: measure rates, forget idle records
 * @users: table
 * @idle: seconds after which a record without live flows goes
 *
 * Context: process, one at a time.
 */
void natflow_users_age(struct natflow_users *users, u32 idle)
{
	struct natflow_user *user;
	unsigned long id = 0;
	unsigned int n = 0;

	WRITE_ONCE(users->second, users->second + 1);
	rcu_read_lock();
	for (; (user = natflow_users_from(users, &id)); id++) {
		measure(users, user);
		if (is_idle(user, idle))
			forget_idle(users, user);
		if (++n % 512)
			continue;
		rcu_read_unlock();
		cond_resched();
		rcu_read_lock();
	}
	rcu_read_unlock();
}
