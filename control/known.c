// SPDX-License-Identifier: GPL-2.0-only
/* Lines about known devices, of natflow_user_ctl and natflow_userinfo_ctl. */
#include <linux/etherdevice.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "verb.h"
#include "../core/base/log.h"
#include "../lib/text/known.h"
#include "../natflow_access.h"
#include "../natflow_user.h"
#include "../policy/access.h"
#include "../policy/quota.h"

/* Lines that are prepared. */
struct draft {
	struct natflow_users *users;
	struct list_head lines;
	u32 fresh;			/* that are for a device that is not known */
};

struct line {
	struct list_head list;
	const struct natflow_verb *verb;
	u32 number;
	u8 mac[ETH_ALEN];
	struct natflow_known *known;	/* for a device that is not known */
	union {
		struct natflow_known_name *name;
		u32 minutes;
		struct natflow_restore_args used;
	};
};

static void *make_draft(struct natflow_net *nn, unsigned int lines)
{
	struct draft *draft = kzalloc(sizeof(*draft), GFP_KERNEL_ACCOUNT);

	if (!draft)
		return NULL;
	INIT_LIST_HEAD(&draft->lines);
	if (!natflow_user_start(nn)) {
		draft->users = natflow_user_table(nn);
		return draft;
	}
	kfree(draft);
	return NULL;
}

static void drop_line(struct line *line)
{
	kfree(line->known);
	if (line->verb == &natflow_verb_name)
		kfree(line->name);
	kfree(line);
}

static void abort_draft(void *draft)
{
	struct line *line, *next;
	struct draft *d = draft;

	list_for_each_entry_safe(line, next, &d->lines, list)
		drop_line(line);
	kfree(d);
}

/* @line->known is taken over. */
static void commit_line(struct natflow_net *nn, struct natflow_users *users, struct line *line)
{
	struct natflow_usage_time now;

	natflow_access_time(nn, &now);
	if (line->verb == &natflow_verb_name)
		natflow_users_set_name(users, line->mac, line->known, line->name);
	else if (line->verb == &natflow_verb_grant)
		natflow_quota_grant(users, line->mac, line->known, line->minutes);
	else if (!natflow_quota_restore(users, line->mac, line->known, &line->used, &now))
		natflow_log(nn, NATFLOW_LOG_WARN,
			    "line %u: restore device=%pM: this %s is over, nothing was restored",
			    line->number, line->mac, natflow_period_words[line->used.period]);
}

static void commit_draft(struct natflow_net *nn, void *draft)
{
	struct line *line, *next;
	struct draft *d = draft;
	bool judge = false;

	list_for_each_entry_safe(line, next, &d->lines, list) {
		judge |= line->verb != &natflow_verb_name;
		commit_line(nn, d->users, line);
		kfree(line);
	}
	kfree(d);
	if (judge)
		natflow_access_reconsider(nn);
	else
		natflow_access_renamed(nn);
}

static const struct natflow_draft_ops known_draft = {
	.make = make_draft,
	.commit = commit_draft,
	.abort = abort_draft,
};

/* Return: is a MAC known already? */
static bool is_known(const struct draft *draft, const u8 *mac)
{
	bool known;

	rcu_read_lock();
	known = natflow_knowns_find(&draft->users->macs.knowns, mac);
	rcu_read_unlock();
	return known;
}

/* Return: 0, or -ENOSPC: another device would be one too many. */
static int has_room(struct natflow_net *nn, struct draft *draft, const u8 *mac,
		    struct natflow_command *cmd)
{
	const u32 count = READ_ONCE(draft->users->macs.knowns.count) + draft->fresh;

	if (is_known(draft, mac))
		return 0;
	draft->fresh++;
	return count < READ_ONCE(nn->config.user_limit) ? 0 :
	       natflow_command_refuse(cmd, "at most user_limit= known devices",
				      "name device=02:00:00:00:00:01", -ENOSPC);
}

/* Return: a line of the draft, or NULL without memory. */
static struct line *add_line(struct draft *draft, const struct natflow_command *cmd, const u8 *mac)
{
	struct line *line = kzalloc(sizeof(*line), GFP_KERNEL_ACCOUNT);

	if (!line)
		return NULL;
	line->verb = cmd->verb;
	line->number = cmd->line;
	memcpy(line->mac, mac, ETH_ALEN);
	line->known = kzalloc(sizeof(*line->known), GFP_KERNEL_ACCOUNT);
	if (!line->known) {
		kfree(line);
		return NULL;
	}
	memcpy(line->known->mac, mac, ETH_ALEN);
	list_add_tail(&line->list, &draft->lines);
	return line;
}

static int prepare_name(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_known_args *args =
		NATFLOW_ARGS(cmd, const struct natflow_known_args);
	struct draft *d = draft;
	int err = *args->name ? has_room(nn, d, args->mac, cmd) : 0;
	struct line *line;

	if (err)
		return err;
	line = add_line(d, cmd, args->mac);
	if (!line)
		return -ENOMEM;
	if (!*args->name)
		return 0;
	line->name = kzalloc(sizeof(*line->name), GFP_KERNEL_ACCOUNT);
	if (!line->name)
		return -ENOMEM;
	strscpy(line->name->text, args->name, sizeof(line->name->text));
	return 0;
}

static void show_names(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_users *users = natflow_user_table(nn);
	const struct natflow_known *known;
	const char *name;

	if (!users)
		return;
	rcu_read_lock();
	list_for_each_entry_rcu(known, &users->macs.knowns.all, list) {
		name = natflow_known_name(known);
		if (name)
			seq_printf(m, "name device=%pM %s\n", known->mac, name);
	}
	rcu_read_unlock();
}

static const struct natflow_verb_ops name_ops = {
	.draft = &known_draft,
	.prepare = prepare_name,
	.show = show_names,
};

const struct natflow_verb natflow_verb_name = {
	.word = "name",
	.values = " device=MAC [NAME]",
	.help = "of a device, at most 31 characters; without one it has none",
	.parse = natflow_known_name_parse,
	.expected = "device=MAC and a name or nothing",
	.example = "name device=02:00:00:00:00:01 laptop",
	.ops = &name_ops,
};

static int prepare_grant(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_grant_args *args =
		NATFLOW_ARGS(cmd, const struct natflow_grant_args);
	int err = has_room(nn, draft, args->mac, cmd);
	struct line *line;

	if (err)
		return err;
	line = add_line(draft, cmd, args->mac);
	if (!line)
		return -ENOMEM;
	line->minutes = args->minutes;
	return 0;
}

static const struct natflow_verb_ops grant_ops = {
	.draft = &known_draft,
	.prepare = prepare_grant,
};

const struct natflow_verb natflow_verb_grant = {
	.word = "grant",
	.values = " device=MAC minutes=N",
	.help = "extra time from now on, whatever policies say; 0: none",
	.parse = natflow_grant_parse,
	.expected = "device=MAC minutes=N",
	.example = "grant device=02:00:00:00:00:01 minutes=30",
	.ops = &grant_ops,
};

#define RESTORE_EXAMPLE "restore device=02:00:00:00:00:01 period=day at=20785 volume=1000 minutes=5"

static int prepare_restore(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_restore_args *args =
		NATFLOW_ARGS(cmd, const struct natflow_restore_args);
	struct natflow_usage_time now;
	struct line *line;
	int err;

	natflow_access_time(nn, &now);
	if (now.set && args->at > now.period[args->period])
		return natflow_command_refuse(cmd, "at= of a period that has begun",
					      RESTORE_EXAMPLE, -ERANGE);
	err = has_room(nn, draft, args->mac, cmd);
	if (err)
		return err;
	line = add_line(draft, cmd, args->mac);
	if (!line)
		return -ENOMEM;
	line->used = *args;
	return 0;
}

static void show_usage(struct seq_file *m, const struct natflow_known *known)
{
	const u64 wan = atomic64_read(&known->wan);
	unsigned int p;

	for (p = 0; p < NATFLOW_USAGE_PERIODS; p++)
		seq_printf(m, "restore device=%pM period=%s at=%u volume=%llu minutes=%u\n",
			   known->mac, natflow_period_words[p], known->usage.period[p],
			   natflow_usage_volume(&known->usage, p, wan), known->usage.minutes[p]);
}

static void show_restore(struct natflow_net *nn, struct seq_file *m)
{
	struct natflow_users *users = natflow_user_table(nn);
	struct natflow_known *known;

	if (!users)
		return;
	rcu_read_lock();
	list_for_each_entry_rcu(known, &users->macs.knowns.all, list) {
		spin_lock_bh(&users->lock);
		if (known->counts && !is_zero_ether_addr(known->mac))
			show_usage(m, known);
		spin_unlock_bh(&users->lock);
	}
	rcu_read_unlock();
}

static const struct natflow_verb_ops restore_ops = {
	.draft = &known_draft,
	.prepare = prepare_restore,
	.show = show_restore,
};

const struct natflow_verb natflow_verb_restore = {
	.word = "restore",
	.values = " device=MAC period=day|week|month at=N volume=BYTES minutes=N",
	.help = "\n"
		"#                                what a device has used at least, as this file prints it",
	.parse = natflow_restore_parse,
	.expected = "period=, at=, volume= and minutes=, in this order",
	.example = RESTORE_EXAMPLE,
	.ops = &restore_ops,
};
