// SPDX-License-Identifier: GPL-2.0-only
/* /proc/natflow_users, natflow_devices: who uses the line, a line each, for people and tools. */
#include <linux/netdevice.h>
#include <linux/proc_fs.h>
#include <linux/seq_file_net.h>
#include <linux/timekeeping.h>
#include "../natflow_user.h"
#include "../policy/event.h"
#include "users.h"

static u32 idle_of(const struct natflow_user *user)
{
	return (u32)ktime_get_boottime_seconds() - READ_ONCE(user->last);
}

static void *users_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	rcu_read_lock();
	return natflow_user_from(natflow_net(seq_file_net(m)), pos);
}

static void *users_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return natflow_user_from(natflow_net(seq_file_net(m)), pos);
}

static void users_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	rcu_read_unlock();
}

/* @prefix: of the words, "" or "lan_" */
static void show_far(struct seq_file *m, const struct natflow_user_traffic *traffic,
		     const char *prefix)
{
	static const char * const words[] = { "rx", "tx" };
	unsigned int dir;

	for (dir = 0; dir < NATFLOW_USER_DIRS; dir++)
		seq_printf(m, " %s%s_packets=%lld %s%s_bytes=%lld", prefix, words[dir],
			   (s64)atomic64_read(&traffic[dir].packets), prefix, words[dir],
			   (s64)atomic64_read(&traffic[dir].bytes));
}

static void show_traffic(struct seq_file *m,
			 const struct natflow_user_traffic (*traffic)[NATFLOW_USER_DIRS])
{
	show_far(m, traffic[NATFLOW_USER_WAN], "");
	show_far(m, traffic[NATFLOW_USER_LAN], "lan_");
}

static void show_rates(struct seq_file *m, const struct natflow_user *user)
{
	const struct natflow_users *users =
		natflow_user_table(natflow_net(seq_file_net((struct seq_file *)m)));

	seq_printf(m, " rx_rate=%llu tx_rate=%llu rx_rate8=%llu tx_rate8=%llu",
		   natflow_user_short_rate(user, NATFLOW_USER_RX).bytes,
		   natflow_user_short_rate(user, NATFLOW_USER_TX).bytes,
		   natflow_user_long_rate(users, user, NATFLOW_USER_RX).bytes,
		   natflow_user_long_rate(users, user, NATFLOW_USER_TX).bytes);
}

static const char *device_of(const struct seq_file *m, const struct natflow_user *user)
{
	const struct net_device *dev =
		dev_get_by_index_rcu(seq_file_net((struct seq_file *)m), READ_ONCE(user->ifindex));

	return dev ? dev->name : "-";
}

static int users_show(struct seq_file *m, void *v)
{
	const struct natflow_user *user = v;

	if (user->key.family == NFPROTO_IPV4)
		seq_printf(m, "addr=%pI4", &user->key.addr.ip);
	else
		seq_printf(m, "addr=%pI6c", &user->key.addr.in6);
	seq_printf(m, " mac=%pM zone=%u in=%s since=%u idle=%u flows=%u", natflow_user_mac(user),
		   user->key.zone, device_of(m, user),
		   (u32)ktime_get_boottime_seconds() - user->first,
		   idle_of(user), READ_ONCE(user->flows));
	show_traffic(m, user->traffic);
	show_rates(m, user);
	seq_putc(m, '\n');
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

static int devices_show(struct seq_file *m, void *v)
{
	const struct natflow_mac *mac = v;
	const u32 now = ktime_get_boottime_seconds();

	if (mac->key.kind == NATFLOW_MAC_NONE)
		return 0;
	seq_printf(m, "mac=%pM zone=%u addresses=%u since=%u idle=%u", mac->key.mac, mac->key.zone,
		   READ_ONCE(mac->addresses), now - mac->first, now - READ_ONCE(mac->last));
	show_traffic(m, mac->traffic);
	seq_putc(m, '\n');
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

	if (!proc_create_net("natflow_users", 0440, dir, &users_ops,
			     sizeof(struct seq_net_private)))
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
