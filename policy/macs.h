/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices: the roll-up of a MAC over all addresses that it sends with, of both families.
 * There is one record for each zone and MAC. It stays when its addresses go.
 *
 * It also says whose users give way: users without live flows wait in the list of their
 * MAC, and MACs in that of the port by which they came.
 */
#ifndef _NATFLOW_POLICY_MACS_H
#define _NATFLOW_POLICY_MACS_H

#include <linux/atomic.h>
#include <linux/if_ether.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/xarray.h>
#include "known.h"

#define NATFLOW_ZONES		128
#define NATFLOW_MAC_CLASSES	33	/* of numbers: fls() */

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

struct natflow_user_traffic {
	atomic64_t packets, bytes;
};

enum natflow_mac_kind {
	NATFLOW_MAC_FRAME,	/* of the sender of frames */
	NATFLOW_MAC_NONE,	/* of an address whose packets have none: its user's id */
};

struct natflow_mac_key {
	u8 mac[ETH_ALEN];
	u8 zone;
	u8 kind;
};

struct natflow_mac_port;

/* "lock" is natflow_users.lock. @key never changes. */
struct natflow_mac {
	struct rhash_head node;		/* natflow_macs.by_key */
	struct natflow_mac_key key;
	u32 id;				/* in natflow_macs.by_id */
	refcount_t ref;			/* reachable: 1; each user, until it is freed: 1 */
	u32 first, last;		/* seconds since boot */
	u32 addresses;			/* users that are reachable; lock */
	u32 waiting;			/* of these, without live flows; lock */
	struct natflow_known __rcu *known;	/* NULL: nothing is; lock */
	struct natflow_user_traffic traffic[NATFLOW_USER_FARS][NATFLOW_USER_DIRS];
	union {
		struct {		/* lock */
			struct natflow_mac_port *port;
			struct list_head users;		/* that wait, oldest first */
			struct list_head by_count;	/* in natflow_mac_zone.macs */
			struct list_head of_port;	/* in ->macs, ->vacant, or in none */
		};
		struct rcu_head rcu;
	};
};

/* A device of the kernel by which frames with a MAC came. lock */
struct natflow_mac_port {
	int ifindex;
	u32 count;			/* MACs */
	u32 waiting, vacancies;		/* users; MACs without an address */
	struct list_head macs, vacant;	/* with users that wait; without an address; oldest first */
	struct list_head by_waiting, by_vacancies;
};

/* lock */
struct natflow_mac_zone {
	u32 waiting;			/* users */
	struct list_head macs[NATFLOW_MAC_CLASSES];	/* by fls(waiting) */
	struct list_head ports[NATFLOW_MAC_CLASSES];	/* likewise */
	struct xarray by_ifindex;	/* ports */
	struct natflow_mac unknown;	/* of users that never sent anything */
};

struct natflow_macs {
	struct rhashtable by_key;
	struct xarray by_id;		/* in the order of a listing */
	u32 count, next_id;		/* lock */
	u64 evicted;			/* MACs without an address that gave way; lock */
	struct list_head ports[NATFLOW_MAC_CLASSES];	/* by fls(vacancies); lock */
	struct natflow_mac_zone *zone[NATFLOW_ZONES];	/* NULL: it had no user yet; lock */
	struct natflow_knowns knowns;
};

int natflow_macs_cache_init(void);
void natflow_macs_cache_exit(void);
int natflow_macs_init(struct natflow_macs *macs, struct natflow_net *nn);
void natflow_macs_exit(struct natflow_macs *macs);
struct natflow_mac *natflow_macs_find(struct natflow_macs *macs,
				      const struct natflow_mac_key *key);
struct natflow_mac *natflow_macs_unknown(struct natflow_macs *macs, u8 zone);
struct natflow_mac *natflow_macs_join(struct natflow_macs *macs,
				      const struct natflow_mac_key *key, int ifindex, u32 limit);
void natflow_macs_leave(struct natflow_macs *macs, struct natflow_mac *mac, bool keep);
void natflow_macs_wait(struct natflow_macs *macs, struct natflow_mac *mac,
		       struct list_head *user);
void natflow_macs_resume(struct natflow_macs *macs, struct natflow_mac *mac,
			 struct list_head *user);
struct list_head *natflow_macs_victim(struct natflow_macs *macs, u8 zone);
void natflow_macs_know(struct natflow_macs *macs, struct natflow_known *known);
struct natflow_known *natflow_macs_known(struct natflow_macs *macs, const u8 *mac,
					 struct natflow_known **fresh);
void natflow_macs_unknow(struct natflow_macs *macs, struct natflow_known *known);
void natflow_macs_age(struct natflow_macs *macs, u32 idle);
struct natflow_mac *natflow_macs_from(struct natflow_macs *macs, unsigned long *id);
void natflow_mac_succeed(struct natflow_mac *mac, struct natflow_mac *old);
void natflow_mac_put(struct natflow_mac *mac);

/* What was counted in @from is counted in @to instead. */
static inline void natflow_user_traffic_move(struct natflow_user_traffic *to,
					     struct natflow_user_traffic *from)
{
	atomic64_add(atomic64_xchg(&from->packets, 0), &to->packets);
	atomic64_add(atomic64_xchg(&from->bytes, 0), &to->bytes);
}

static inline void natflow_mac_count(struct natflow_mac *mac, enum natflow_user_far far,
				     enum natflow_user_dir dir, u64 packets, u64 bytes)
{
	struct natflow_known *known = rcu_dereference_check(mac->known, true);

	atomic64_add(packets, &mac->traffic[far][dir].packets);
	atomic64_add(bytes, &mac->traffic[far][dir].bytes);
	if (unlikely(known) && far == NATFLOW_USER_WAN)
		natflow_known_count(known, bytes);
}

#endif /* _NATFLOW_POLICY_MACS_H */
