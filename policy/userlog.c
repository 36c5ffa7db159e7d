// SPDX-License-Identifier: GPL-2.0-only
/* Events of users in a ring of records, and the sums of users that are no more. */
#include <linux/netdevice.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "../core/base/charge.h"
#include "event.h"
#include "users.h"

#define SLOTS	16384

/* A flood of new addresses makes records of two classes, each of which has its share. */
enum { NEWS, LAST };

/**
 * natflow_userlog_net_init() - an empty log
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_userlog_net_init(struct natflow_net *nn)
{
	struct natflow_userlog *log = kzalloc(sizeof(*log), GFP_KERNEL_ACCOUNT);

	/* The ring frees a record by its first member. */
	BUILD_BUG_ON(offsetof(struct natflow_user_record, record));
	if (!log)
		return -ENOMEM;
	natflow_ring_init(&log->ring, SLOTS);
	log->cookie = get_random_u64();
	nn->userlog = log;
	return 0;
}

/**
 * natflow_userlog_net_exit() - free it
 * @nn: namespace, without users and open files
 */
void natflow_userlog_net_exit(struct natflow_net *nn)
{
	natflow_ring_clear(&nn->userlog->ring);
	kfree(nn->userlog);
}

/**
 * natflow_userlog_open() - a reader comes: events are recorded from here on
 * @log: log
 *
 * Context: process, BH enabled.
 */
void natflow_userlog_open(struct natflow_userlog *log)
{
	spin_lock_bh(&log->ring.lock);
	WRITE_ONCE(log->readers, log->readers + 1);
	spin_unlock_bh(&log->ring.lock);
}

/**
 * natflow_userlog_close() - a reader goes; the last one takes the records along
 * @log: log
 *
 * Context: process, BH enabled.
 */
void natflow_userlog_close(struct natflow_userlog *log)
{
	bool last;

	spin_lock_bh(&log->ring.lock);
	WRITE_ONCE(log->readers, log->readers - 1);
	last = !log->readers;
	spin_unlock_bh(&log->ring.lock);
	if (last)
		natflow_ring_clear(&log->ring);
}

static struct natflow_userinfo_count read_traffic(const struct natflow_user_traffic *t)
{
	return (struct natflow_userinfo_count){
		.packets = atomic64_read(&t->packets), .bytes = atomic64_read(&t->bytes),
	};
}

static void read_sums(struct natflow_userinfo_sums *sums, const struct natflow_user *user)
{
	const struct natflow_user_traffic (*t)[NATFLOW_USER_DIRS] = user->traffic;

	sums->wan_rx = read_traffic(&t[NATFLOW_USER_WAN][NATFLOW_USER_RX]);
	sums->wan_tx = read_traffic(&t[NATFLOW_USER_WAN][NATFLOW_USER_TX]);
	sums->lan_rx = read_traffic(&t[NATFLOW_USER_LAN][NATFLOW_USER_RX]);
	sums->lan_tx = read_traffic(&t[NATFLOW_USER_LAN][NATFLOW_USER_TX]);
	sums->dropped = read_traffic(&user->dropped);
}

/* Both consist of nothing but u64. */
static void add_sums(struct natflow_userinfo_sums *all, const struct natflow_userinfo_sums *sums)
{
	const u64 *from = (const u64 *)sums;
	u64 *to = (u64 *)all;
	unsigned int i;

	for (i = 0; i < sizeof(*sums) / sizeof(*from); i++)
		to[i] += from[i];
}

static struct natflow_userinfo_count rate_of(struct natflow_user_sum sum)
{
	return (struct natflow_userinfo_count){ .packets = sum.packets, .bytes = sum.bytes };
}

static void read_rates(struct natflow_userinfo_rates *rates, const struct natflow_users *users,
		       const struct natflow_user *user)
{
	rates->rx = rate_of(natflow_user_short_rate(user, NATFLOW_USER_RX));
	rates->tx = rate_of(natflow_user_short_rate(user, NATFLOW_USER_TX));
	rates->rx8 = rate_of(natflow_user_long_rate(users, user, NATFLOW_USER_RX));
	rates->tx8 = rate_of(natflow_user_long_rate(users, user, NATFLOW_USER_TX));
}

static void read_who(struct natflow_user_record *r, struct natflow_net *nn,
		     const struct natflow_user *user)
{
	const struct net_device *dev = dev_get_by_index_rcu(nn->net, READ_ONCE(user->ifindex));
	const u32 now = ktime_get_boottime_seconds();

	r->user = user->serial;
	r->family = user->key.family;
	r->zone = user->key.zone;
	memcpy(r->addr, &user->key.addr, sizeof(r->addr));
	memcpy(r->mac, natflow_user_mac(user), sizeof(r->mac));
	strscpy(r->name, natflow_user_name(user) ?: "", sizeof(r->name));
	if (dev)
		strscpy(r->dev, dev->name, sizeof(r->dev));
	r->type = READ_ONCE(user->access.type);
	r->status = READ_ONCE(user->access.status);
	r->rule = READ_ONCE(user->access.rule);
	r->times.since = now - user->first;
	r->times.idle = now - READ_ONCE(user->last);
	r->times.flows = READ_ONCE(user->flows);
}

/**
 * natflow_userlog_describe() - what a user is and has now
 * @nn: namespace
 * @user: record
 * @news: what happened to it
 * @record: gets it; all but its place in the ring
 *
 * Sums that are read later, under natflow_userlog.ring.lock, are never lower.
 *
 * Context: RCU read side, natflow_userlog.ring.lock held.
 */
void natflow_userlog_describe(struct natflow_net *nn, const struct natflow_user *user,
			      const struct natflow_user_news *news,
			      struct natflow_user_record *record)
{
	struct natflow_user_record *r = record;

	lockdep_assert_held(&nn->userlog->ring.lock);
	memset(r, 0, sizeof(*r));
	r->when = ktime_get_real_ns();
	r->kind = news->kind;
	r->why = news->why;
	r->before = news->before;
	r->value = news->value;
	if (news->mac)
		memcpy(r->other, news->mac, sizeof(r->other));
	if (news->policy)
		strscpy(r->policy, news->policy, sizeof(r->policy));
	read_who(r, nn, user);
	read_sums(&r->sums, user);
	if (r->kind != NATFLOW_USERINFO_LAST)
		read_rates(&r->rates, user->users, user);
}

/* By MAC and by device, as their place in the table of users. */
static void sharer_of(struct natflow_sharer *who, const struct natflow_user_record *r)
{
	static const u8 none[ETH_ALEN];
	u8 mac[16] = { 0 };

	memcpy(mac, r->mac, sizeof(r->mac));
	natflow_sharer_set(who, NFPROTO_IPV6, mac, none, r->dev);
}

/* @r: described, or NULL: no memory for it. Return: false if @r stays the caller's. */
static bool store(struct natflow_userlog *log, struct natflow_user_record *r)
{
	struct natflow_sharer who;
	bool ok = r;

	lockdep_assert_held(&log->ring.lock);
	if (ok) {
		r->record.events = 1;
		r->record.class = r->kind == NATFLOW_USERINFO_LAST ? LAST : NEWS;
		sharer_of(&who, r);
		ok = natflow_ring_add(&log->ring, &r->record, &who);
	}
	if (ok) {
		natflow_ring_close(&log->ring, &r->record);
		natflow_ring_wake(&log->ring);
	} else {
		log->limited++;
	}
	return ok;
}

/**
 * natflow_userlog_put() - the rest of natflow_user_event()
 * @nn: namespace
 * @user: record
 * @news: what happened
 *
 * Context: as there.
 */
void natflow_userlog_put(struct natflow_net *nn, struct natflow_user *user,
			 const struct natflow_user_news *news)
{
	struct natflow_userlog *log = nn->userlog;
	struct natflow_user_record *r;
	struct mem_cgroup *before;
	bool stored;

	local_bh_disable();
	rcu_read_lock();
	before = natflow_charge_begin(nn);
	r = kmalloc(sizeof(*r), NATFLOW_GFP_PACKET);
	spin_lock(&log->ring.lock);
	if (r)
		natflow_userlog_describe(nn, user, news, r);
	stored = store(log, r);
	spin_unlock(&log->ring.lock);
	natflow_charge_end(before);
	WRITE_ONCE(user->untold, 0);
	rcu_read_unlock();
	local_bh_enable();
	if (!stored)
		kfree(r);
}

/**
 * natflow_userlog_last() - the final sums of a user
 * @nn: namespace
 * @user: record that nothing counts in any more
 * @why: why it went
 *
 * They are added to those of all users that are no more, whether or not there is a reader.
 *
 * Context: softirq or process, BH disabled.
 */
void natflow_userlog_last(struct natflow_net *nn, struct natflow_user *user,
			  enum natflow_userinfo_why why)
{
	const struct natflow_user_news news = { .kind = NATFLOW_USERINFO_LAST, .why = why };
	struct natflow_user_record *r = NULL;
	struct natflow_userlog *log = nn->userlog;
	struct natflow_userinfo_sums sums;
	struct mem_cgroup *before;
	bool stored = false;

	rcu_read_lock();
	before = natflow_charge_begin(nn);
	if (natflow_userlog_wanted(nn))
		r = kmalloc(sizeof(*r), NATFLOW_GFP_PACKET);
	read_sums(&sums, user);
	spin_lock(&log->ring.lock);
	log->gone.users++;
	add_sums(&log->gone.sums, &sums);
	if (r) {
		natflow_userlog_describe(nn, user, &news, r);
		r->gone = log->gone;
	}
	if (log->readers)
		stored = store(log, r);
	spin_unlock(&log->ring.lock);
	natflow_charge_end(before);
	rcu_read_unlock();
	if (!stored)
		kfree(r);
}
