// SPDX-License-Identifier: GPL-2.0-only
/* /proc/natflow_users, natflow_devices: who uses the line, a line each, for people and tools. */
#include <linux/netdevice.h>
#include <linux/proc_fs.h>
#include <linux/seq_file_net.h>
#include <linux/timekeeping.h>
#include "../lib/text/policy.h"
#include "../lib/text/put.h"
#include "../natflow_access.h"
#include "../natflow_user.h"
#include "../policy/event.h"
#include "row.h"
#include "users.h"

struct users_list {
	struct seq_net_private net;	/* first: seq_file_net() */
	struct xa_state at;		/* from start to stop */
};

static void *users_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct users_list *list = m->private;
	struct natflow_user *user = natflow_users_step(&list->at);

	*pos = user ? list->at.xa_index : *pos + 1;
	return user;
}

static void *users_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	struct natflow_users *users = natflow_user_table(natflow_net(seq_file_net(m)));
	struct users_list *list = m->private;

	rcu_read_lock();
	if (!users || *pos > U32_MAX)
		return NULL;
	list->at = (struct xa_state)__XA_STATE(&users->by_id, *pos, 0, 0);
	return users_next(m, NULL, pos);
}

static void users_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

static char *put_traffic(char *at, const struct natflow_user_traffic (*traffic)[NATFLOW_USER_DIRS])
{
	const struct natflow_user_traffic *wan = traffic[NATFLOW_USER_WAN];
	const struct natflow_user_traffic *lan = traffic[NATFLOW_USER_LAN];

#define PUT(word, member) natflow_put_number(at, " " word "=", atomic64_read(&(member)))
	at = PUT("rx_packets", wan[NATFLOW_USER_RX].packets);
	at = PUT("rx_bytes", wan[NATFLOW_USER_RX].bytes);
	at = PUT("tx_packets", wan[NATFLOW_USER_TX].packets);
	at = PUT("tx_bytes", wan[NATFLOW_USER_TX].bytes);
	at = PUT("lan_rx_packets", lan[NATFLOW_USER_RX].packets);
	at = PUT("lan_rx_bytes", lan[NATFLOW_USER_RX].bytes);
	at = PUT("lan_tx_packets", lan[NATFLOW_USER_TX].packets);
	return PUT("lan_tx_bytes", lan[NATFLOW_USER_TX].bytes);
#undef PUT
}

static char *put_rates(char *at, const struct natflow_users *users,
		       const struct natflow_user *user)
{
	at = natflow_put_number(at, " rx_rate=",
				natflow_user_short_rate(user, NATFLOW_USER_RX).bytes);
	at = natflow_put_number(at, " tx_rate=",
				natflow_user_short_rate(user, NATFLOW_USER_TX).bytes);
	at = natflow_put_number(at, " rx_rate8=",
				natflow_user_long_rate(users, user, NATFLOW_USER_RX).bytes);
	return natflow_put_number(at, " tx_rate8=",
				  natflow_user_long_rate(users, user, NATFLOW_USER_TX).bytes);
}

/* @name: NULL: it has none */
static char *put_name(char *at, const char *name)
{
	return natflow_put_word(natflow_put_text(at, " name="), name ?: "-",
				NATFLOW_KNOWN_NAME_MAX);
}

static char *put_dropped(char *at, const struct natflow_user *user)
{
	at = natflow_put_number(at, " dropped_packets=", atomic64_read(&user->dropped.packets));
	return natflow_put_number(at, " dropped_bytes=", atomic64_read(&user->dropped.bytes));
}

static char *put_who(char *at, struct net *net, const struct natflow_user *user)
{
	const struct net_device *dev = dev_get_by_index_rcu(net, READ_ONCE(user->ifindex));
	const u32 now = ktime_get_boottime_seconds();

	at = natflow_put_address(natflow_put_text(at, "addr="), user->key.family,
				 user->key.addr.in6.s6_addr);
	at = natflow_put_mac(natflow_put_text(at, " mac="), natflow_user_mac(user));
	at = put_name(at, natflow_user_name(user));
	at = natflow_put_number(at, " zone=", user->key.zone);
	at = natflow_put_text(at, " in=");
	at = natflow_put_word(at, dev ? dev->name : "-", IFNAMSIZ);
	at = natflow_put_number(at, " since=", now - user->first);
	at = natflow_put_number(at, " idle=", now - READ_ONCE(user->last));
	return natflow_put_number(at, " flows=", READ_ONCE(user->flows));
}

static char *put_policy(char *at, struct natflow_net *nn, const struct natflow_user *user)
{
	const char *policy, *why = natflow_access_shown(nn, user, &policy);

	at = natflow_put_text(at, " policy=");
	at = natflow_put_word(at, policy, NATFLOW_POLICY_NAME_MAX);
	at = natflow_put_text(at, " why=");
	return natflow_put_word(at, why, NATFLOW_POLICY_NAME_MAX);
}

static int users_show(struct seq_file *m, void *v)
{
	const struct natflow_user *user = v;
	struct net *net = seq_file_net(m);
	char *row = natflow_row_begin(m), *at;

	if (!row)
		return 0;
	at = put_who(row, net, user);
	at = put_traffic(at, user->traffic);
	at = put_rates(at, natflow_user_table(natflow_net(net)), user);
	at = put_dropped(at, user);
	at = put_policy(at, natflow_net(net), user);
	natflow_row_end(m, row, natflow_put_text(at, "\n"));
	return 0;
}

static const struct seq_operations users_ops = {
	.start	= users_start,
	.next	= users_next,
	.stop	= users_stop,
	.show	= users_show,
};

/* -- /proc/natflow_devices */

static void *next_device(struct seq_file *m, loff_t *pos)
{
	struct natflow_users *users = natflow_user_table(natflow_net(seq_file_net(m)));
	unsigned long id = *pos;
	struct natflow_mac *mac;

	if (!users || *pos > U32_MAX)
		return NULL;
	mac = natflow_macs_from(&users->macs, &id);
	*pos = id;
	return mac;
}

static void *devices_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	rcu_read_lock();
	return next_device(m, pos);
}

static void *devices_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return next_device(m, pos);
}

/* Seconds of extra time. */
static u32 grant_of(const struct natflow_mac *mac)
{
	const struct natflow_known *known = rcu_dereference(mac->known);
	const u64 end = known ? READ_ONCE(known->grant) : 0, now = ktime_get_boottime_ns();

	return end > now ? div_u64(end - now + NSEC_PER_SEC - 1, NSEC_PER_SEC) : 0;
}

static char *put_mac(char *at, const struct natflow_mac *mac)
{
	const u32 now = ktime_get_boottime_seconds();

	at = natflow_put_mac(natflow_put_text(at, "mac="), mac->key.mac);
	at = put_name(at, natflow_known_name(rcu_dereference(mac->known)));
	at = natflow_put_number(at, " zone=", mac->key.zone);
	at = natflow_put_number(at, " addresses=", READ_ONCE(mac->addresses));
	at = natflow_put_number(at, " grant=", grant_of(mac));
	at = natflow_put_number(at, " since=", now - mac->first);
	at = natflow_put_number(at, " idle=", now - READ_ONCE(mac->last));
	return put_traffic(at, mac->traffic);
}

static int devices_show(struct seq_file *m, void *v)
{
	const struct natflow_mac *mac = v;
	char *row;

	if (mac->key.kind == NATFLOW_MAC_NONE)
		return 0;
	row = natflow_row_begin(m);
	if (row)
		natflow_row_end(m, row, natflow_put_text(put_mac(row, mac), "\n"));
	return 0;
}

static const struct seq_operations devices_ops = {
	.start	= devices_start,
	.next	= devices_next,
	.stop	= users_stop,
	.show	= devices_show,
};

/**
 * natflow_users_summary() - the lines of /proc/natflow about users
 * @nn: namespace
 * @m: where to
 *
 * Records now, their bytes; records that gave way to others, that were idle; packets
 * without a record, because the table was full; changes of a user's MAC, and packets of
 * another MAC than it; devices now, and those that gave way; records whose final sums are
 * told; events, those that gave way unread, that found no memory.
 *
 * Context: process.
 */
void natflow_users_summary(const struct natflow_net *nn, struct seq_file *m)
{
	struct natflow_users *users = natflow_user_table(nn);
	struct natflow_userlog *log = nn->userlog;
	u64 gone, events, unread, unstored;

	seq_printf(m, "users %u\n", users ? READ_ONCE(users->count) : 0);
	seq_printf(m, "users_bytes %zu\n", users ? natflow_users_bytes(users) : 0);
	seq_printf(m, "users_evicted %llu\n", users ? READ_ONCE(users->evicted) : 0);
	seq_printf(m, "users_idle %llu\n", users ? READ_ONCE(users->idle) : 0);
	seq_printf(m, "users_refused %lld\n", users ? (s64)atomic64_read(&users->refused) : 0);
	seq_printf(m, "users_moved %llu\n", users ? READ_ONCE(users->moved) : 0);
	seq_printf(m, "users_conflicts %llu\n", users ? READ_ONCE(users->conflicts) : 0);
	seq_printf(m, "devices %u\n", users ? READ_ONCE(users->macs.count) : 0);
	seq_printf(m, "devices_evicted %llu\n", users ? READ_ONCE(users->macs.evicted) : 0);
	spin_lock_bh(&log->ring.lock);
	gone = log->gone.users;
	events = log->ring.head - 1;
	unread = log->ring.unread;
	unstored = log->limited;
	spin_unlock_bh(&log->ring.lock);
	seq_printf(m, "users_gone %llu\n", gone);
	seq_printf(m, "users_events %llu\n", events);
	seq_printf(m, "users_events_unread %llu\n", unread);
	seq_printf(m, "users_events_unstored %llu\n", unstored);
}

/**
 * natflow_users_net_init() - natflow_users and natflow_devices in /proc/net of a namespace
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_users_net_init(struct natflow_net *nn)
{
	struct proc_dir_entry *dir = nn->net->proc_net;

	if (!proc_create_net("natflow_users", 0440, dir, &users_ops, sizeof(struct users_list)))
		return -ENOMEM;
	if (proc_create_net("natflow_devices", 0440, dir, &devices_ops,
			    sizeof(struct seq_net_private)))
		return 0;
	remove_proc_entry("natflow_users", dir);
	return -ENOMEM;
}

/**
 * natflow_users_net_exit() - the reverse; waits for readers
 * @nn: namespace
 */
void natflow_users_net_exit(struct natflow_net *nn)
{
	remove_proc_entry("natflow_devices", nn->net->proc_net);
	remove_proc_entry("natflow_users", nn->net->proc_net);
}
