/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Users: one record for each address on a LAN side, by zone, family and address.
 *
 * A record is reachable until it gives way. Flows hold references beyond that, so that
 * no byte of theirs is counted to somebody else. A record with live flows never gives
 * way. In a full table the record that was not seen for longest gives way, of the MAC
 * that has most of them, or of the device if it has more than three times as many, in
 * the zone of the newcomer; if that zone has none, of the zone that has most.
 */
#ifndef _NATFLOW_POLICY_USERS_H
#define _NATFLOW_POLICY_USERS_H

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/xarray.h>
#include "../core/base/holder.h"
#include "../core/base/netns.h"

struct seq_file;

#define NATFLOW_ZONES		128
#define NATFLOW_USER_MARKS	3	/* of 4 seconds each: two are full, one is being filled */

/* As natflow's users know them: RX is what the user receives. */
enum natflow_user_dir {
	NATFLOW_USER_RX,
	NATFLOW_USER_TX,
	NATFLOW_USER_DIRS
};

/* The other end of the traffic. */
enum natflow_user_far {
	NATFLOW_USER_WAN,
	NATFLOW_USER_LAN,	/* another user, or this host */
	NATFLOW_USER_FARS
};

/* Packets and L3 bytes of the wire. */
struct natflow_user_sum {
	u64 packets, bytes;
};

struct natflow_user_traffic {
	atomic64_t packets, bytes;
};

struct natflow_user_key {
	union nf_inet_addr addr;	/* IPv4: the rest is zero */
	u8 family;			/* NFPROTO_* */
	u8 zone;
	u16 zero;
};

/* Each second: bytes in units of 64, and packets, of both directions. */
struct natflow_user_rate {
	u32 bytes[NATFLOW_USER_DIRS], packets[NATFLOW_USER_DIRS];
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
	u32 told;				/* the same: last event; racy by design */
	u8 mac[ETH_ALEN];			/* zero: none; racy by design */
	bool gone;				/* natflow_users.lock */
	u8 why;					/* enum natflow_userinfo_why of @gone */
	bool heard;				/* it has sent something; the same */
	bool is_held;				/* @held is valid; the same */
	struct {
		u8 type, status;
		bool given;			/* @status was set by hand */
		u16 rule;
		u32 edition, judged;		/* of the rules; seconds since boot */
	} access;				/* policy/access.c */
	struct natflow_user_traffic traffic[NATFLOW_USER_FARS][NATFLOW_USER_DIRS];
	struct natflow_user_traffic dropped;	/* by natflow's rules, in both directions */
	/* Only the tick writes these. */
	struct natflow_user_rate before, rate, mark[NATFLOW_USER_MARKS];
	union {
		struct natflow_held held;	/* until @gone; lot 0: without live flows */
		struct rcu_head rcu;
	};
};

struct natflow_users {
	struct natflow_net *nn;
	struct rhashtable by_key;
	struct xarray by_id;			/* in the order of a listing */
	spinlock_t lock;			/* which records are reachable; holders */
	struct natflow_holders *zone[NATFLOW_ZONES];	/* NULL: it had no user yet */
	u32 count;				/* @lock */
	u32 next_id;
	unsigned int second;			/* of the last natflow_users_age() */
	atomic64_t refused;			/* packets without a record: the table is full */
	u64 evicted, idle;			/* records that gave way; that were idle; @lock */
	u64 moved;				/* changes of MAC; racy by design */
};

/* Who sent or receives a packet. */
struct natflow_user_seen {
	struct natflow_user_key key;
	int ifindex;
	bool sends;
	const u8 *mac;			/* NULL: not known from this packet */
};

int natflow_users_cache_init(void);
void natflow_users_cache_exit(void);
int natflow_users_init(struct natflow_users *users, struct natflow_net *nn);
void natflow_users_exit(struct natflow_users *users);
struct natflow_user *natflow_users_find(struct natflow_users *users,
					const struct natflow_user_key *key);
struct natflow_user *natflow_users_see(struct natflow_users *users,
				       const struct natflow_user_seen *seen);
bool natflow_users_bind(struct natflow_users *users, struct natflow_user *user);
void natflow_users_unbind(struct natflow_users *users, struct natflow_user *user);
void natflow_users_put(struct natflow_user *user);
void natflow_users_age(struct natflow_users *users, u32 idle);
struct natflow_user *natflow_users_from(struct natflow_users *users, unsigned long *id);
size_t natflow_users_bytes(struct natflow_users *users);

static inline void natflow_user_count(struct natflow_user *user, enum natflow_user_far far,
				      enum natflow_user_dir dir, u64 packets, u64 bytes)
{
	atomic64_add(packets, &user->traffic[far][dir].packets);
	atomic64_add(bytes, &user->traffic[far][dir].bytes);
}

struct natflow_user_sum natflow_user_sum(const struct natflow_user *user,
					 enum natflow_user_dir dir);
struct natflow_user_sum natflow_user_short_rate(const struct natflow_user *user,
						enum natflow_user_dir dir);
struct natflow_user_sum natflow_user_long_rate(const struct natflow_users *users,
					       const struct natflow_user *user,
					       enum natflow_user_dir dir);

#endif /* _NATFLOW_POLICY_USERS_H */
