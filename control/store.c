// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/sys/urllogger_store: the switches that the original natflow's users know.
 *
 * There is one directory, and a file means the namespace of who reads or writes it.
 * With a directory per namespace a process could get another one's: names below
 * /proc/sys itself are found in the dcache by name alone, since the dentry of /proc/sys
 * has no d_compare() (fs/proc/generic.c:proc_misc_dentry_ops; 6.1 to 7.3).
 */
#include <linux/capability.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/sysctl.h>
#include "../core/base/log.h"
#include "../core/base/netns.h"
#include "../natflow_urllogger.h"
#include "store.h"

static int day = 24 * 60 * 60;

static struct natflow_net *ours(void)
{
	return natflow_net(current->nsproxy->net_ns);
}

/* What is refused is said, too, where the other devices' refusals are. */
static int show_or_set(natflow_compat_ctl_table *table, int write, void *buffer, size_t *len,
		       loff_t *pos, int *value, int *most)
{
	struct natflow_net *nn = ours();
	struct ctl_table copy = {
		.procname = table->procname, .data = value, .maxlen = sizeof(*value),
		.mode = table->mode, .extra1 = SYSCTL_ZERO, .extra2 = most,
	};
	/* A BPF program may have put another value there, which ends with its length. */
	size_t room = write ? min_t(size_t, *len, 40) : 0;
	const char *end = memchr(buffer, '\n', room);
	int width = end ? end - (const char *)buffer : room;
	int err;

	/* The mode lets anybody in: root of a container has another number outside. */
	if (write && !ns_capable(nn->net->user_ns, CAP_NET_ADMIN))
		return -EPERM;
	err = proc_dointvec_minmax(&copy, write, buffer, len, pos);
	if (err == -EINVAL && write)
		natflow_log(nn, NATFLOW_LOG_ERROR,
			    "urllogger_store/%s: '%*pE': expected 0 to %d, as in: echo 1 > /proc/sys/urllogger_store/%s",
			    table->procname, width, buffer, *most, table->procname);
	return err;
}

static int show_or_set_enable(natflow_compat_ctl_table *table, int write, void *buffer,
			      size_t *len, loff_t *pos)
{
	struct natflow_net *nn = ours();
	int value = natflow_urllogger_enabled(nn);
	int err = show_or_set(table, write, buffer, len, pos, &value, SYSCTL_ONE);

	if (err || !write)
		return err;
	err = natflow_urllogger_enable(nn, value);
	if (err)
		natflow_log(nn, NATFLOW_LOG_ERROR, "urllogger_store/enable: not switched on, %s",
			    err == -ENOMEM ? "no memory; write it again" :
					     "the hooks were refused; is conntrack there?");
	return err;
}

/* A day at most: the window also is how long a record cannot be read. */
static int show_or_set_window(natflow_compat_ctl_table *table, int write, void *buffer,
			      size_t *len, loff_t *pos)
{
	struct natflow_net *nn = ours();
	struct natflow_names_log *log = natflow_urllogger_log(nn);
	int value = READ_ONCE(log->window);
	int err = show_or_set(table, write, buffer, len, pos, &value, &day);

	if (!err && write)
		natflow_names_log_set_window(log, value);
	return err;
}

static int show_or_set_tuple(natflow_compat_ctl_table *table, int write, void *buffer, size_t *len,
			     loff_t *pos)
{
	struct natflow_net *nn = ours();
	int value = natflow_urllogger_get(nn, NATFLOW_NAMES_TUPLE_TYPE);
	int err = show_or_set(table, write, buffer, len, pos, &value, SYSCTL_TWO);

	if (!err && write)
		natflow_urllogger_set(nn, NATFLOW_NAMES_TUPLE_TYPE, value);
	return err;
}

static int show_count(natflow_compat_ctl_table *table, int write, void *buffer, size_t *len,
		      loff_t *pos)
{
	struct natflow_net *nn = ours();
	struct natflow_ring *ring = &natflow_urllogger_log(nn)->ring;
	struct ctl_table copy = { .procname = table->procname, .mode = table->mode };
	int value;

	spin_lock_bh(&ring->lock);
	value = ring->count;
	spin_unlock_bh(&ring->lock);
	copy.data = &value;
	copy.maxlen = sizeof(value);
	return proc_dointvec(&copy, write, buffer, len, pos);
}

static struct ctl_table entries[] = {
	{ .procname = "enable", .mode = 0666, .proc_handler = show_or_set_enable },
	{ .procname = "count", .mode = 0444, .proc_handler = show_count },
	{ .procname = "timestamp_freq", .mode = 0666, .proc_handler = show_or_set_window },
	{ .procname = "tuple_type", .mode = 0666, .proc_handler = show_or_set_tuple },
	{ }
};

static struct ctl_table_header *header;

/**
 * natflow_store_init() - make the directory
 *
 * Context: after each namespace has natflow's part.
 * Return: 0 or -ENOMEM.
 */
int natflow_store_init(void)
{
	header = natflow_compat_register_sysctl("urllogger_store", entries,
						ARRAY_SIZE(entries) - 1);
	return header ? 0 : -ENOMEM;
}

/** natflow_store_exit() - take it away, when nobody is in a call any more */
void natflow_store_exit(void)
{
	unregister_sysctl_table(header);
}
