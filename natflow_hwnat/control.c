// SPDX-License-Identifier: GPL-2.0-only
/* /proc/natflow_hwnat, and the words of natflow_ctl. */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include "../control/api.h"
#include "room.h"

#define PROC_NAME "natflow_hwnat"

static void show_port(struct seq_file *m, const struct natflow_hwnat_port *port)
{
	const struct natflow_hwnat_limits *limits = port->limits;
	static const char * const words[] = { NATFLOW_HWNAT_REASONS(NATFLOW_HWNAT_WORD) };

	seq_printf(m, "port %s back-end=%s", port->dev->name, port->backend->name);
	if (port->refused) {
		seq_printf(m, " refused=%s\n", words[port->refused]);
		return;
	}
	seq_printf(m, " driver=%s flows=%u encaps=%u pppoe=%d qinq=%d nat66=%d",
		   limits->driver, port->flows, limits->encaps, limits->pppoe, limits->qinq,
		   limits->ipv6_nat);
	seq_printf(m, " counts=%d by-rate=%d sticky=%d\n", port->counts, limits->by_rate,
		   port->sticky);
}

/* What users may rely on. */
static void show_promise(struct seq_file *m, struct natflow_hwnat_room *room)
{
	const struct natflow_hwnat_port *port;
	bool sticky = false, approx = false;

	list_for_each_entry(port, &room->ports, list) {
		if (port->refused)
			continue;
		sticky |= port->sticky;
		approx |= !port->counts;
	}
	seq_printf(m, "approx %d\n", approx);
	seq_printf(m, "sticky %d\n", sticky);
}

static int show(struct seq_file *m, void *v)
{
	static const char * const states[] = { NATFLOW_HWNAT_STATES(NATFLOW_HWNAT_WORD) };
	static const char * const words[] = { NATFLOW_HWNAT_REASONS(NATFLOW_HWNAT_WORD) };
	struct natflow_hwnat_room *room = net_generic(seq_file_single_net(m), natflow_hwnat_id);
	const struct natflow_hwnat_port *port;
	unsigned int i;

	mutex_lock(&room->drivers);
	seq_printf(m, "back_end %s\n", natflow_hwnat_backend->name);
	seq_printf(m, "hwnat %u\n", READ_ONCE(room->config.hwnat));
	seq_printf(m, "hwnat_limit %u\n", READ_ONCE(room->config.limit));
	show_promise(m, room);
	spin_lock_irq(&room->lock);
	seq_printf(m, "flows %u\n", room->total);
	for (i = 0; i < NATFLOW_HWNAT_STATE_COUNT; i++)
		seq_printf(m, "state.%s %u\n", states[i], room->count[i]);
	seq_printf(m, "installs %llu\n", room->installs);
	seq_printf(m, "removals %llu\n", room->removals);
	seq_printf(m, "driver_errors %llu\n", room->errors);
	seq_printf(m, "undeleted %llu\n", room->undeleted);
	seq_printf(m, "packets %llu\n", room->packets);
	seq_printf(m, "bytes %llu\n", room->bytes);
	for (i = 1; i < NATFLOW_HWNAT_REASON_COUNT; i++)
		seq_printf(m, "refused.%s %llu\n", words[i], room->refused[i]);
	spin_unlock_irq(&room->lock);
	list_for_each_entry(port, &room->ports, list)
		show_port(m, port);
	mutex_unlock(&room->drivers);
	return 0;
}

static u32 get_hwnat(struct natflow_net *nn)
{
	return natflow_hwnat_room(nn)->config.hwnat;
}

static void set_hwnat(struct natflow_net *nn, u32 value)
{
	natflow_hwnat_reset(natflow_hwnat_room(nn), &natflow_hwnat_room(nn)->config.hwnat, value);
}

static u32 get_wed(struct natflow_net *nn)
{
	return natflow_hwnat_room(nn)->config.wed_disabled;
}

static void set_wed(struct natflow_net *nn, u32 value)
{
	natflow_hwnat_reset(natflow_hwnat_room(nn), &natflow_hwnat_room(nn)->config.wed_disabled,
			    value);
}

static u32 get_limit(struct natflow_net *nn)
{
	return natflow_hwnat_room(nn)->config.limit;
}

static void set_limit(struct natflow_net *nn, u32 value)
{
	natflow_hwnat_reset(natflow_hwnat_room(nn), &natflow_hwnat_room(nn)->config.limit, value);
}

static const struct natflow_feature_setting settings[] = {
	{ .word = "hwnat=", .values = "0|1|2", .min = 0, .max = 2, .get = get_hwnat,
	  .set = set_hwnat, .expected = "0, 1 or 2", .example = "hwnat=1",
	  .help = "1: fast flows go into hardware, if --hw or a setting selected\n"
		  "#                        them; 2: also where it may not give them back" },
	{ .word = "hwnat_wed_disabled=", .values = "0|1", .max = 1, .get = get_wed,
	  .set = set_wed, .expected = "0 or 1", .example = "hwnat_wed_disabled=1",
	  .help = "1: not those that leave by Wi-Fi" },
	{ .word = "hwnat_limit=", .values = "N", .min = 1, .max = 1048576, .get = get_limit,
	  .set = set_limit, .expected = "1 to 1048576", .example = "hwnat_limit=16384",
	  .help = "flows in hardware, or on their way" },
};

/**
 * natflow_hwnat_control_net_init() - the file of one namespace
 * @room: namespace's
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_hwnat_control_net_init(struct natflow_hwnat_room *room)
{
	return proc_create_net_single(PROC_NAME, 0444, room->net->proc_net, show, NULL) ?
		0 : -ENOMEM;
}

/**
 * natflow_hwnat_control_net_exit() - the reverse; waits for readers
 * @room: namespace's
 */
void natflow_hwnat_control_net_exit(struct natflow_hwnat_room *room)
{
	remove_proc_entry(PROC_NAME, room->net->proc_net);
}

/**
 * natflow_hwnat_control_init() - /proc/natflow_hwnat and the words
 *
 * Return: 0 or an errno.
 */
int natflow_hwnat_control_init(void)
{
	int err;

	if (!proc_symlink(PROC_NAME, NULL, "self/net/" PROC_NAME))
		return -ENOMEM;
	err = natflow_feature_settings_add(settings, ARRAY_SIZE(settings));
	if (err)
		remove_proc_entry(PROC_NAME, NULL);
	return err;
}

/**
 * natflow_hwnat_control_exit() - the reverse; no call of the words is under way any more
 */
void natflow_hwnat_control_exit(void)
{
	natflow_feature_settings_remove();
	remove_proc_entry(PROC_NAME, NULL);
}
