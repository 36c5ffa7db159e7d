// SPDX-License-Identifier: GPL-2.0-only
/* The table of users: find, see, bind to flows, give way, age. */
#include <linux/etherdevice.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "../core/base/charge.h"
#include "../lib/text/auth.h"
#include "event.h"
#include "users.h"

#define OWNED_SECONDS	2	/* so long must its owner be silent before an address moves */
#define DISPUTED_SECONDS 3
#define DEVICE_IDLE	86400	/* seconds; so long does a MAC without an address stay */
#define SEEN_SECONDS	8	/* so long a record keeps its place among those that give way */
#define SILENT_SECONDS	10	/* so long does one stay that never sent anything */
#define ACTIVE_SECONDS	32	/* so often readers of events hear of a user with traffic */

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
	int err = natflow_macs_cache_init();

	if (err)
		return err;
	BUILD_BUG_ON(sizeof(struct natflow_user) > 240);	/* 17 in 4096 bytes */
	cache = kmem_cache_create("natflow_user", sizeof(struct natflow_user), 0, 0, NULL);
	if (cache)
		return 0;
	natflow_macs_cache_exit();
	return -ENOMEM;
}

/**
 * natflow_users_cache_exit() - the reverse, an rcu_barrier() after the last record
 */
void natflow_users_cache_exit(void)
{
	kmem_cache_destroy(cache);
	natflow_macs_cache_exit();
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
	int err = natflow_macs_init(&users->macs, nn);

	if (err)
		return err;
	xa_init_flags(&users->by_id, XA_FLAGS_ALLOC | XA_FLAGS_LOCK_BH | XA_FLAGS_ACCOUNT);
	spin_lock_init(&users->lock);
	users->nn = nn;
	err = rhashtable_init(&users->by_key, &by_key_params);
	if (err)
		natflow_macs_exit(&users->macs);
	return err;
}

/* Where it waits. It is there since the first user of the zone. */
static struct natflow_mac *place_of(struct natflow_users *users, const struct natflow_user *user)
{
	return natflow_user_owner(user) ?: natflow_macs_unknown(&users->macs, user->key.zone);
}

static void unlink(struct natflow_users *users, struct natflow_user *user, bool keep_device)
{
	struct natflow_mac *owner = natflow_user_owner(user);

	lockdep_assert_held(&users->lock);
	user->gone = true;
	natflow_macs_resume(&users->macs, place_of(users, user), &user->wait);
	if (owner)
		natflow_macs_leave(&users->macs, owner, keep_device);
	rhashtable_remove_fast(&users->by_key, &user->node, by_key_params);
	xa_erase_bh(&users->by_id, user->id);
	users->count--;
}

static void free_now(struct natflow_user *user)
{
	struct natflow_mac *owner = natflow_user_owner(user);

	if (owner)
		natflow_mac_put(owner);
	kmem_cache_free(cache, user);
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

	while ((user = natflow_users_from(users, &id))) {
		spin_lock_bh(&users->lock);
		unlink(users, user, false);
		spin_unlock_bh(&users->lock);
		free_now(user);
	}
	rhashtable_destroy(&users->by_key);
	xa_destroy(&users->by_id);
	natflow_macs_exit(&users->macs);
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

/**
 * natflow_users_next() - the next record of an address, in whichever zone
 * @users: table
 * @key: family and address; gets the zone
 * @zone: where to begin; moves behind the zone of the result
 *
 * Context: RCU read side, which is also how long the result is valid.
 * Return: NULL if there is none any more.
 */
struct natflow_user *natflow_users_next(struct natflow_users *users, struct natflow_user_key *key,
					unsigned int *zone)
{
	struct natflow_user *user = NULL;

	for (; !user && *zone < NATFLOW_ZONES; ++*zone) {
		if (!READ_ONCE(users->macs.zone[*zone]))
			continue;
		key->zone = *zone;
		user = natflow_users_find(users, key);
	}
	return user;
}

/* Hooks that had found the record under RCU have counted their packets, too. */
static void free_user(struct rcu_head *rcu)
{
	struct natflow_user *user = container_of(rcu, struct natflow_user, rcu);

	local_bh_disable();
	natflow_userlog_last(user->users->nn, user, user->why);
	local_bh_enable();
	free_now(user);
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
		   enum natflow_userinfo_why why, bool keep_device)
{
	unlink(users, user, keep_device);
	user->why = why;
	natflow_users_put(user);
}

/*
 * A bucket for each user that there may be is enough: rhashtable doubles them at three
 * quarters, and a table of 2^n pointers and a header takes twice its size in pages.
 */
static void limit_hash(struct rhashtable *hash, u32 users)
{
	const unsigned int buckets = roundup_pow_of_two(users);

	if (hash->p.max_size != buckets)
		WRITE_ONCE(hash->p.max_size, buckets);
}

/* Return: false if there is no room. After user_limit= was lowered, two give way to one. */
static bool make_room(struct natflow_users *users, u8 zone)
{
	const u32 limit = READ_ONCE(users->nn->config.user_limit);
	struct list_head *victim;
	unsigned int n;

	limit_hash(&users->by_key, limit);
	for (n = 0; n < 2 && users->count >= limit; n++) {
		victim = natflow_macs_victim(&users->macs, zone);
		if (!victim)
			break;
		/* A flood of forged MACs leaves none of them. */
		forget(users, container_of(victim, struct natflow_user, wait),
		       NATFLOW_USERINFO_EVICTED, false);
		users->evicted++;
	}
	return n || users->count < limit;
}

/* The device of who sends. A reference is taken. Return: NULL without memory. */
static struct natflow_mac *join(struct natflow_users *users, const struct natflow_user *user,
				const struct natflow_user_seen *seen)
{
	struct natflow_mac_key key = { .zone = user->key.zone };

	if (seen->mac) {
		memcpy(key.mac, seen->mac, ETH_ALEN);
	} else {
		key.kind = NATFLOW_MAC_NONE;
		memcpy(key.mac, &user->id, sizeof(user->id));
	}
	return natflow_macs_join(&users->macs, &key, seen->ifindex,
				 READ_ONCE(users->nn->config.user_limit));
}

/* Make the record reachable. Return: false if there is no room. */
static bool link_user(struct natflow_users *users, struct natflow_user *user,
		      const struct natflow_user_seen *seen)
{
	struct natflow_mac *owner = NULL;
	int err;

	lockdep_assert_held(&users->lock);
	if (!natflow_macs_unknown(&users->macs, user->key.zone) ||
	    !make_room(users, user->key.zone))
		return false;
	user->serial = atomic64_inc_return(&users->nn->userlog->users);
	err = xa_alloc_cyclic_bh(&users->by_id, &user->id, user, xa_limit_31b, &users->next_id,
				 NATFLOW_GFP_PACKET);	/* lists have it from here on */
	if (err < 0)
		return false;
	if (seen->sends) {
		owner = join(users, user, seen);
		if (!owner)
			goto err_id;
		rcu_assign_pointer(user->owner, owner);
	}
	if (rhashtable_insert_fast(&users->by_key, &user->node, by_key_params))
		goto err_owner;
	natflow_macs_wait(&users->macs, place_of(users, user), &user->wait);
	users->count++;
	return true;

err_owner:
	if (owner) {
		natflow_macs_leave(&users->macs, owner, false);
		natflow_mac_put(owner);
	}
err_id:
	xa_erase_bh(&users->by_id, user->id);
	return false;
}

/* The record of the same address behind the same port, from when that was in another zone. */
static struct natflow_user *find_stale(struct natflow_users *users,
				       const struct natflow_user_seen *seen)
{
	struct natflow_user_key key = seen->key;
	struct natflow_user *user;
	unsigned int zone = 0;

	do {
		user = natflow_users_next(users, &key, &zone);
	} while (user && READ_ONCE(user->ifindex) != seen->ifindex);
	return user;
}

static void move_sums(struct natflow_user *to, struct natflow_user *from)
{
	unsigned int far, dir;

	for (far = 0; far < NATFLOW_USER_FARS; far++)
		for (dir = 0; dir < NATFLOW_USER_DIRS; dir++)
			natflow_user_traffic_move(&to->traffic[far][dir],
						  &from->traffic[far][dir]);
	natflow_user_traffic_move(&to->dropped, &from->dropped);
}

/*
 * @user goes on as what @old was in another zone: with its number, its sums, and the
 * status that was set by hand. Flows of @old count for @user, see successor_of().
 */
static void succeed(struct natflow_users *users, struct natflow_user *user,
		    struct natflow_user *old)
{
	spinlock_t *lock = &users->nn->userlog->ring.lock;

	lockdep_assert_held(&users->lock);
	WRITE_ONCE(old->went_to, 1 + user->key.zone);
	spin_lock(lock);	/* the sums of a number only grow */
	swap(user->serial, old->serial);
	move_sums(user, old);
	spin_unlock(lock);
	natflow_user_begin_rates(user);
	if (natflow_user_owner(user) && natflow_user_owner(old))
		natflow_mac_succeed(natflow_user_owner(user), natflow_user_owner(old));
	forget(users, old, NATFLOW_USERINFO_ZONE, false);
}

/* What is known of @old when @user gets its first packet, whoever sent that. */
static void resemble(struct natflow_user *user, const struct natflow_user *old,
		     struct natflow_user_seen *seen)
{
	const struct natflow_mac *owner = natflow_user_owner(old);

	user->first = old->first;
	user->access.given = READ_ONCE(old->access.given);
	user->access.status = READ_ONCE(old->access.status);
	user->access.judged = READ_ONCE(old->access.judged);
	if (owner && owner->key.kind == NATFLOW_MAC_FRAME && !seen->sends) {
		seen->sends = true;
		seen->mac = owner->key.mac;
	}
}

static struct natflow_user *create(struct natflow_users *users,
				   const struct natflow_user_seen *seen)
{
	struct natflow_user_news news = { .kind = NATFLOW_USERINFO_NEW };
	struct natflow_user *user = kmem_cache_zalloc(cache, NATFLOW_GFP_PACKET), *other, *old;
	struct natflow_user_seen as = *seen;

	if (!user)
		return NULL;
	user->users = users;
	user->key = seen->key;
	user->ifindex = seen->ifindex;
	user->first = now();
	user->last = user->first;
	user->access.rule = NATFLOW_AUTH_NO_RULE;
	INIT_LIST_HEAD(&user->wait);
	refcount_set(&user->ref, 1);
	spin_lock_bh(&users->lock);
	other = natflow_users_find(users, &seen->key);
	old = other ? NULL : find_stale(users, seen);
	if (old)
		resemble(user, old, &as);
	if (!other && !link_user(users, user, &as))
		other = ERR_PTR(-ENOSPC);
	if (!other && old && !old->gone) {
		succeed(users, user, old);
		news.why = NATFLOW_USERINFO_ZONE;
	}
	spin_unlock_bh(&users->lock);
	if (!other) {
		natflow_user_event(users->nn, user, &news);
		return user;
	}
	kmem_cache_free(cache, user);
	return IS_ERR(other) ? NULL : other;
}

/* A record that is seen again gives way later. */
static void renew(struct natflow_users *users, struct natflow_user *user)
{
	spin_lock_bh(&users->lock);
	if (!user->gone && !list_empty(&user->wait))
		natflow_macs_wait(&users->macs, place_of(users, user), &user->wait);
	spin_unlock_bh(&users->lock);
}

/*
 * What an address received before it sent anything is its device's, too. While it has no
 * owner, packets are counted under the lock: see natflow_users_count().
 */
static void hand_over(const struct natflow_user *user, struct natflow_mac *owner)
{
	unsigned int far, dir;

	for (far = 0; far < NATFLOW_USER_FARS; far++)
		for (dir = 0; dir < NATFLOW_USER_DIRS; dir++)
			natflow_mac_count(owner, far, dir,
					  atomic64_read(&user->traffic[far][dir].packets),
					  atomic64_read(&user->traffic[far][dir].bytes));
}

/* The address is of another device from here on. Return: false without memory. */
static bool move(struct natflow_users *users, struct natflow_user *user,
		 const struct natflow_user_seen *seen)
{
	const struct natflow_user_news news = {
		.kind = NATFLOW_USERINFO_MOVE, .mac = natflow_user_mac(user),
	};
	struct mem_cgroup *before = natflow_charge_begin(users->nn);
	struct natflow_mac *owner = join(users, user, seen), *old = natflow_user_owner(user);
	const bool waits = !list_empty(&user->wait);

	natflow_charge_end(before);
	if (!owner)
		return false;
	natflow_macs_resume(&users->macs, place_of(users, user), &user->wait);
	if (!old)
		hand_over(user, owner);
	rcu_assign_pointer(user->owner, owner);
	if (waits)
		natflow_macs_wait(&users->macs, owner, &user->wait);
	WRITE_ONCE(user->silent, 0);
	WRITE_ONCE(user->access.edition, 0);	/* sets may know the MAC */
	if (old) {
		users->moved++;
		natflow_user_event(users->nn, user, &news);
		natflow_macs_leave(&users->macs, old, true);
		natflow_mac_put(old);
	}
	return true;
}

static bool is_owner(const struct natflow_user *user, const u8 *mac)
{
	const struct natflow_mac *owner = natflow_user_owner(user);

	/* Some packets do not show it. */
	return owner && (!mac || (owner->key.kind == NATFLOW_MAC_FRAME &&
				  ether_addr_equal(owner->key.mac, mac)));
}

static void dispute(struct natflow_users *users, struct natflow_user *user, const u8 *mac)
{
	const struct natflow_user_news news = { .kind = NATFLOW_USERINFO_CONFLICT, .mac = mac };
	const bool begins = !user->disputed;

	users->conflicts++;
	WRITE_ONCE(user->disputed, DISPUTED_SECONDS);
	if (begins)
		natflow_user_event(users->nn, user, &news);
}

/* Another than the owner sends. Return: the record if the address is the sender's now. */
static noinline struct natflow_user *claim(struct natflow_users *users,
					   struct natflow_user *user,
					   struct natflow_user_seen *seen)
{
	bool ok = true;

	spin_lock_bh(&users->lock);
	if (!user->gone && !is_owner(user, seen->mac)) {
		if (natflow_user_owner(user) && READ_ONCE(user->silent) <= OWNED_SECONDS) {
			dispute(users, user, seen->mac);
			seen->conflict = true;
			ok = false;
		} else {
			ok = move(users, user, seen);
		}
	}
	spin_unlock_bh(&users->lock);
	return ok ? user : NULL;
}

/**
 * natflow_users_spoke() - the owner of an address has sent something
 * @user: record
 *
 * Context: RCU read side.
 */
void natflow_users_spoke(struct natflow_user *user)
{
	if (READ_ONCE(user->silent))
		WRITE_ONCE(user->silent, 0);
}

/**
 * natflow_users_see() - the record of who sent or receives a packet
 * @users: table
 * @user: what natflow_users_find() found for @seen->key, or NULL
 * @seen: who, and where; the table's namespace pays for a new record
 *
 * Context: RCU read side, BH disabled; the result is valid as long as the former.
 * Return: NULL if there is no room, or if the address is another MAC's (@seen->conflict);
 * both are counted.
 */
struct natflow_user *natflow_users_see(struct natflow_users *users, struct natflow_user *user,
				       struct natflow_user_seen *seen)
{
	const u32 second = now();

	if (unlikely(!user)) {
		struct mem_cgroup *before = natflow_charge_begin(users->nn);

		user = create(users, seen);
		natflow_charge_end(before);
		if (!user)
			atomic64_inc(&users->refused);
		return user;
	}
	if (seen->sends && unlikely(!is_owner(user, seen->mac)))
		user = claim(users, user, seen);
	if (!user)
		return NULL;
	if (READ_ONCE(user->last) != second) {
		if (second - READ_ONCE(user->last) >= SEEN_SECONDS)
			renew(users, user);
		WRITE_ONCE(user->last, second);
	}
	if (seen->sends)
		natflow_users_spoke(user);
	if (READ_ONCE(user->ifindex) != seen->ifindex)
		WRITE_ONCE(user->ifindex, seen->ifindex);
	return user;
}

static void count_one(struct natflow_user_traffic *traffic, u64 packets, u64 bytes)
{
	atomic64_add(packets, &traffic->packets);
	atomic64_add(bytes, &traffic->bytes);
}

/* Flows of a record that went on in another zone count for it until they have ended. */
static struct natflow_user *successor_of(struct natflow_users *users, struct natflow_user *user)
{
	struct natflow_user_key key = user->key;

	key.zone = READ_ONCE(user->went_to) - 1;
	return natflow_users_find(users, &key) ?: user;
}

/**
 * natflow_users_count() - a user sent or received packets, and so did its device
 * @users: table
 * @user: record
 * @far: where the other end is
 * @dir: direction
 * @packets: on the wire
 * @bytes: from the IP header on
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_users_count(struct natflow_users *users, struct natflow_user *user,
			 enum natflow_user_far far, enum natflow_user_dir dir, u64 packets,
			 u64 bytes)
{
	struct natflow_mac *owner;

	if (unlikely(READ_ONCE(user->went_to)))
		user = successor_of(users, user);
	owner = rcu_dereference(user->owner);
	if (owner) {
		natflow_mac_count(owner, far, dir, packets, bytes);
		count_one(&user->traffic[far][dir], packets, bytes);
		return;
	}
	/* Rare: nobody has heard of it. See hand_over(). */
	spin_lock(&users->lock);
	owner = natflow_user_owner(user);
	count_one(&user->traffic[far][dir], packets, bytes);
	if (owner)
		natflow_mac_count(owner, far, dir, packets, bytes);
	spin_unlock(&users->lock);
}

/**
 * natflow_users_set_name() - name a device
 * @users: table
 * @mac: 6 bytes
 * @fresh: record for it, if it is not known yet; taken over
 * @name: taken over; NULL: none any more
 *
 * Context: process, BH enabled.
 */
void natflow_users_set_name(struct natflow_users *users, const u8 *mac,
			    struct natflow_known *fresh, struct natflow_known_name *name)
{
	struct natflow_known *known;

	rcu_read_lock();
	spin_lock_bh(&users->lock);
	known = natflow_macs_known(&users->macs, mac, &fresh);
	natflow_known_set_name(known, name);
	natflow_macs_unknow(&users->macs, known);
	spin_unlock_bh(&users->lock);
	rcu_read_unlock();
	kfree(fresh);
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
			natflow_macs_resume(&users->macs, place_of(users, user), &user->wait);
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
		natflow_macs_wait(&users->macs, place_of(users, user), &user->wait);
	spin_unlock(&users->lock);
}

/* A user has traffic since the second before, and readers have not heard of it for a while. */
static void tell_active(struct natflow_users *users, struct natflow_user *user)
{
	static const struct natflow_user_news news = { .kind = NATFLOW_USERINFO_ACTIVE };

	if (READ_ONCE(user->untold) == ACTIVE_SECONDS &&
	    (s32)(READ_ONCE(user->last) - users->aged) >= 0)
		natflow_user_event(users->nn, user, &news);
}

static void count_seconds(u8 *seconds, u8 limit)
{
	const u8 n = READ_ONCE(*seconds);

	if (n < limit)
		WRITE_ONCE(*seconds, n + 1);
}

static bool is_idle(const struct natflow_user *user, u32 idle)
{
	return !READ_ONCE(user->flows) &&
	       now() - READ_ONCE(user->last) >
		       (rcu_access_pointer(user->owner) ? idle : SILENT_SECONDS);
}

static void forget_idle(struct natflow_users *users, struct natflow_user *user)
{
	spin_lock_bh(&users->lock);
	if (!user->gone && !user->flows) {
		forget(users, user, NATFLOW_USERINFO_IDLE, true);
		users->idle++;
	}
	spin_unlock_bh(&users->lock);
}

/* Return: is it disputed for the last second? */
static bool settle(struct natflow_users *users, struct natflow_user *user)
{
	if (likely(!READ_ONCE(user->disputed)))
		return false;
	spin_lock_bh(&users->lock);
	if (user->disputed)
		WRITE_ONCE(user->disputed, user->disputed - 1);
	spin_unlock_bh(&users->lock);
	return READ_ONCE(user->disputed) == 1;
}

struct ageing {
	struct natflow_users *users;
	u32 idle;
	bool ending;			/* see natflow_users.ending */
};

static void age(struct natflow_user *user, void *arg)
{
	struct ageing *a = arg;

	natflow_user_measure(a->users, user);
	count_seconds(&user->silent, OWNED_SECONDS + 1);
	count_seconds(&user->untold, ACTIVE_SECONDS);
	a->ending |= settle(a->users, user);
	if (natflow_userlog_wanted(a->users->nn))
		tell_active(a->users, user);
	if (is_idle(user, a->idle))
		forget_idle(a->users, user);
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
	struct ageing ageing = { .users = users, .idle = idle };
	const u32 begin = now();

	WRITE_ONCE(users->second, users->second + 1);
	natflow_users_walk(users, age, &ageing);
	spin_lock_bh(&users->lock);
	natflow_macs_age(&users->macs, DEVICE_IDLE);
	spin_unlock_bh(&users->lock);
	users->ending = ageing.ending;
	users->aged = begin;
}
