// SPDX-License-Identifier: GPL-2.0-only
/* /proc/sys/urllogger_store: the switches that the original natflow's users know. */
#include <linux/slab.h>
#include <linux/sysctl.h>
#include "../core/base/log.h"
#include "../core/base/netns.h"
#include "../natflow_urllogger.h"
#include "store.h"

static int day = 24 * 60 * 60;

/* What is refused is said, too, where the other devices' refusals are. */
static int show_or_set(natflow_compat_ctl_table *table, int write, void *buffer, size_t *len,
		       loff_t *pos, int *value, int *most)
{
	struct ctl_table copy = {
		.procname = table->procname, .data = value, .maxlen = sizeof(*value),
		.mode = table->mode, .extra1 = SYSCTL_ZERO, .extra2 = most,
	};
	/* A BPF program may have put another value there, which ends with its length. */
	size_t room = write ? min_t(size_t, *len, 40) : 0;
	const char *end = memchr(buffer, '\n', room);
	int width = end ? end - (const char *)buffer : room;
	int err = proc_dointvec_minmax(&copy, write, buffer, len, pos);

	if (err == -EINVAL && write)
		natflow_log(table->extra1, NATFLOW_LOG_ERROR,
			    "urllogger_store/%s: '%*pE': expected 0 to %d, as in: echo 1 > /proc/sys/urllogger_store/%s",
			    table->procname, width, buffer, *most, table->procname);
	return err;
}

/* extra1 of each entry is the namespace. */
static int show_or_set_enable(natflow_compat_ctl_table *table, int write, void *buffer,
			      size_t *len, loff_t *pos)
{
	struct natflow_net *nn = table->extra1;
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
	struct natflow_net *nn = table->extra1;
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
	struct natflow_net *nn = table->extra1;
	int value = natflow_urllogger_get(nn, NATFLOW_NAMES_TUPLE_TYPE);
	int err = show_or_set(table, write, buffer, len, pos, &value, SYSCTL_TWO);

	if (!err && write)
		natflow_urllogger_set(nn, NATFLOW_NAMES_TUPLE_TYPE, value);
	return err;
}

static int show_count(natflow_compat_ctl_table *table, int write, void *buffer, size_t *len,
		      loff_t *pos)
{
	struct natflow_net *nn = table->extra1;
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

#define ENTRIES 4

/**
 * natflow_store_net_init() - make the directory
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_store_net_init(struct natflow_net *nn)
{
	struct ctl_table *t = kcalloc(ENTRIES + 1, sizeof(*t), GFP_KERNEL_ACCOUNT);

	if (!t)
		return -ENOMEM;
	t[0] = (struct ctl_table){ .procname = "enable", .mode = 0644, .extra1 = nn,
				   .proc_handler = show_or_set_enable };
	t[1] = (struct ctl_table){ .procname = "count", .mode = 0444, .extra1 = nn,
				   .proc_handler = show_count };
	t[2] = (struct ctl_table){ .procname = "timestamp_freq", .mode = 0644, .extra1 = nn,
				   .proc_handler = show_or_set_window };
	t[3] = (struct ctl_table){ .procname = "tuple_type", .mode = 0644, .extra1 = nn,
				   .proc_handler = show_or_set_tuple };
	nn->store = natflow_compat_register_sysctl(nn->net, "urllogger_store", t, ENTRIES);
	if (!nn->store) {
		kfree(t);
		return -ENOMEM;
	}
	return 0;
}

/**
 * natflow_store_net_exit() - take it away
 * @nn: namespace
 */
void natflow_store_net_exit(struct natflow_net *nn)
{
	struct ctl_table_header *header = nn->store;
	const struct ctl_table *t = header->ctl_table_arg;

	unregister_net_sysctl_table(header);
	kfree(t);
}
