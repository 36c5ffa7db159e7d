/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Users: one record for each address on a LAN side, by zone, family and address.
 *
 * A record is reachable until it gives way. Flows hold references beyond that, so that
 * no byte of theirs is counted to somebody else. A record with live flows never gives
 * way. In a full table the record that was not seen for longest gives way, of a MAC
 * with most of them, or of the port if it has more than three times as many, in the zone
 * of the newcomer; if that zone has none, of the zone that has most.
 *
 * The owner of an address is the MAC that sends with it. Packets of another MAC are
 * nobody's until the owner was silent for some seconds; then the address has moved.
 */
#ifndef _NATFLOW_POLICY_USERS_H
#define _NATFLOW_POLICY_USERS_H

#include <linux/netfilter.h>
#include "../core/base/netns.h"
#include "../lib/rounded.h"
#include "macs.h"

struct seq_file;

#define NATFLOW_USER_MARKS	3	/* of 4 seconds each: two are full, one is being filled */

/* Packets and L3 bytes of the wire. */
struct natflow_user_sum {
	u64 packets, bytes;
};

struct natflow_user_key {
	union nf_inet_addr addr;	/* IPv4: the rest is zero */
	u8 family;			/* NFPROTO_* */
	u8 zone;
	u16 zero;
};

/* Sums at the last second, their lower bits: bytes in units of 64, and packets. */
struct natflow_user_before {
	u32 bytes[NATFLOW_USER_DIRS], packets[NATFLOW_USER_DIRS];
};

/* What was counted in a second or several, in the same units: natflow_rounded(). */
struct natflow_user_rate {
	u16 bytes[NATFLOW_USER_DIRS], packets[NATFLOW_USER_DIRS];
};

struct natflow_user {
	struct rhash_head node;			/* natflow_users.by_key */
	struct natflow_user_key key;
	u32 id;					/* in natflow_users.by_id */
	u64 serial;				/* never used again */
	struct natflow_users *users;
	refcount_t ref;				/* reachable: 1; each bound flow: 1 */
	u32 flows;				/* bound and not ended; natflow_users.lock */
	int ifindex;				/* where it was last seen */
	u32 first, last;			/* seconds since boot */
	struct {
		u8 type, status;
		u8 given;			/* status that was set by hand, or NONE */
		u8 why;				/* enum natflow_userinfo_why of @status */
		u16 rule, edition;		/* @edition: natflow_access.edition */
		u32 judged;			/* seconds since boot */
	} access;				/* policy/access.c */
	bool gone;				/* natflow_users.lock */
	u8 why;					/* enum natflow_userinfo_why of @gone */
	u8 went_to;				/* of a @gone one: 1 + the zone where it goes on */
	u8 disputed;				/* seconds since another MAC sent; counts down */
	/* Seconds, up to some limit, counted by the tick; racy by design. */
	u8 silent;				/* since its owner sent something */
	u8 untold;				/* since the last event */
	u16 paced;	/* 1 + index of the policy whose rate it has; 0: none; as .access */
	struct natflow_mac __rcu *owner;	/* NULL: it never sent; natflow_users.lock */
	struct natflow_user_traffic traffic[NATFLOW_USER_FARS][NATFLOW_USER_DIRS];
	struct natflow_user_traffic dropped;	/* by natflow's rules, in both directions */
	/* Only the tick writes these three. */
	struct natflow_user_before before;
	struct natflow_user_rate rate, mark[NATFLOW_USER_MARKS];
	union {
		struct list_head wait;		/* until @gone; without live flows: of the owner */
		struct rcu_head rcu;
	};
};

struct natflow_users {
	struct natflow_net *nn;
	struct rhashtable by_key;
	struct natflow_macs macs;
	struct xarray by_id;			/* in the order of a listing */
	spinlock_t lock;			/* which records are reachable; owners; @macs */
	u32 count;				/* @lock */
	u32 next_id;
	unsigned int second;			/* number of natflow_users_age() calls */
	u32 aged;				/* when the last but one began, seconds */
	atomic64_t refused;			/* packets without a record: the table is full */
	u64 evicted, idle;			/* records that gave way; that were idle; @lock */
	u64 moved;				/* changes of owner; @lock */
	u64 conflicts;				/* packets of others than the owner; @lock */
	bool ending;				/* records are disputed for the last second */
};

/* Its device; NULL until it sent something. Context: RCU read side, or the users' lock. */
static inline struct natflow_mac *natflow_user_owner(const struct natflow_user *user)
{
	return rcu_dereference_check(user->owner, true);
}

/* Who sent or receives a packet. */
struct natflow_user_seen {
	struct natflow_user_key key;
	int ifindex;
	bool sends;
	const u8 *mac;			/* NULL: not known from this packet */
	bool conflict;			/* result: the address is another MAC's */
};

/* @addr: 4 or 16 bytes. Zone 0. */
static inline void natflow_user_key_set(struct natflow_user_key *key, const void *addr, u8 family)
{
	memset(key, 0, sizeof(*key));
	key->family = family;
	memcpy(&key->addr, addr, family == NFPROTO_IPV4 ? sizeof(key->addr.ip) :
							  sizeof(key->addr.in6));
}

int natflow_users_cache_init(void);
void natflow_users_cache_exit(void);
int natflow_users_init(struct natflow_users *users, struct natflow_net *nn);
void natflow_users_exit(struct natflow_users *users);
struct natflow_user *natflow_users_find(struct natflow_users *users,
					const struct natflow_user_key *key);
struct natflow_user *natflow_users_next(struct natflow_users *users, struct natflow_user_key *key,
					unsigned int *zone);
struct natflow_user *natflow_users_see(struct natflow_users *users, struct natflow_user *user,
				       struct natflow_user_seen *seen);
bool natflow_users_bind(struct natflow_users *users, struct natflow_user *user);
void natflow_users_unbind(struct natflow_users *users, struct natflow_user *user);
void natflow_users_put(struct natflow_user *user);
void natflow_users_age(struct natflow_users *users, u32 idle);
void natflow_users_walk(struct natflow_users *users,
			void (*see)(struct natflow_user *user, void *arg), void *arg);
struct natflow_user *natflow_users_from(struct natflow_users *users, unsigned long *id);
struct natflow_user *natflow_users_step(struct xa_state *at);
size_t natflow_users_bytes(struct natflow_users *users);

void natflow_users_spoke(struct natflow_user *user);
void natflow_users_count(struct natflow_users *users, struct natflow_user *user,
			 enum natflow_user_far far, enum natflow_user_dir dir, u64 packets,
			 u64 bytes);
/* Packets that natflow's rules dropped, in either direction. Context: any. */
static inline void natflow_users_dropped(struct natflow_user *user, u64 packets, u64 bytes)
{
	atomic64_add(packets, &user->dropped.packets);
	atomic64_add(bytes, &user->dropped.bytes);
}

void natflow_user_begin_rates(struct natflow_user *user);
void natflow_user_measure(const struct natflow_users *users, struct natflow_user *user);
const u8 *natflow_user_mac(const struct natflow_user *user);
const char *natflow_user_name(const struct natflow_user *user);
void natflow_users_set_name(struct natflow_users *users, const u8 *mac,
			    struct natflow_known *fresh, struct natflow_known_name *name);
struct natflow_user_sum natflow_user_sum(const struct natflow_user *user,
					 enum natflow_user_dir dir);
struct natflow_user_sum natflow_user_short_rate(const struct natflow_user *user,
						enum natflow_user_dir dir);
struct natflow_user_sum natflow_user_long_rate(const struct natflow_users *users,
					       const struct natflow_user *user,
					       enum natflow_user_dir dir);

#endif /* _NATFLOW_POLICY_USERS_H */
