// SPDX-License-Identifier: GPL-2.0-only
/* Lines about known devices, of natflow_user_ctl and natflow_userinfo_ctl. */
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "verb.h"
#include "../lib/text/known.h"
#include "../natflow_access.h"
#include "../natflow_user.h"

/* Lines that are prepared. */
struct draft {
	struct natflow_users *users;
	struct list_head lines;
	u32 fresh;			/* that are for a device that is not known */
};

struct line {
	struct list_head list;
	u8 mac[ETH_ALEN];
	struct natflow_known *known;	/* for a device that is not known */
	struct natflow_known_name *name;
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

static void commit_draft(struct natflow_net *nn, void *draft)
{
	struct line *line, *next;
	struct draft *d = draft;

	list_for_each_entry_safe(line, next, &d->lines, list) {
		natflow_users_set_name(d->users, line->mac, line->known, line->name);
		kfree(line);
	}
	kfree(d);
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

/* Return: a line of the draft, or NULL without memory. */
static struct line *add_line(struct draft *draft, const u8 *mac)
{
	struct line *line = kzalloc(sizeof(*line), GFP_KERNEL_ACCOUNT);

	if (!line)
		return NULL;
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
	struct line *line;

	if (*args->name && !is_known(d, args->mac) &&
	    READ_ONCE(d->users->macs.knowns.count) + d->fresh++ >=
	    READ_ONCE(nn->config.user_limit))
		return natflow_command_refuse(cmd, "at most user_limit= devices with a name",
					      "name device=02:00:00:00:00:01", -ENOSPC);
	line = add_line(d, args->mac);
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
