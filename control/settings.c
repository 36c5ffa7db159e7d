// SPDX-License-Identifier: GPL-2.0-only
/* /dev/natflow_ctl: its settings, and the device. Its verbs are in files of their own. */
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "ctl.h"
#include "settings.h"
#include "verb.h"
#include "../core/base/log.h"
#include "../core/base/netns.h"
#include "../core/doubt.h"
#include "../core/flow/flow.h"
#include "../core/hooks.h"
#include "../core/rules.h"
#include "../lib/text/original.h"
#include "../lib/text/settings.h"
#include "../natflow_access.h"
#include "../natflow_urllogger.h"
#include "../natflow_user.h"
#include "../policy/access.h"

/* A setting whose value is a member of natflow_net.config, and a change has no other effect. */
#define CONFIG(id)								\
	static u32 get_##id(struct natflow_net *nn)				\
	{									\
		return nn->config.id;						\
	}									\
	static void commit_##id(struct natflow_net *nn,			\
				const struct natflow_command *cmd)		\
	{									\
		WRITE_ONCE(nn->config.id, cmd->value);				\
	}									\
	static const struct natflow_verb_ops ops_##id = {			\
		.get = get_##id, .commit = commit_##id,				\
	}

#ifndef NATFLOW_WITHOUT_NAMES
/* A setting of the log of names. */
#define NAMES(id, which)							\
	static u32 get_##id(struct natflow_net *nn)				\
	{									\
		return natflow_urllogger_get(nn, which);			\
	}									\
	static void commit_##id(struct natflow_net *nn,			\
				const struct natflow_command *cmd)		\
	{									\
		natflow_urllogger_set(nn, which, cmd->value);			\
	}									\
	static const struct natflow_verb_ops ops_##id = {			\
		.get = get_##id, .commit = commit_##id,				\
	}

NAMES(inspect_packets, NATFLOW_NAMES_PACKETS);
NAMES(inspect_fail, NATFLOW_NAMES_CLOSED);
NAMES(log_level, NATFLOW_NAMES_LEVEL);
NAMES(log_query, NATFLOW_NAMES_QUERY);
NAMES(log_answers, NATFLOW_NAMES_ANSWERS);
#endif

CONFIG(delay_pkts);
CONFIG(user_limit);
CONFIG(debug);

static void commit_disabled(struct natflow_net *nn, const struct natflow_command *cmd)
{
	mutex_lock(&nn->lock);
	WRITE_ONCE(nn->config.disabled, cmd->value);
	if (!cmd->value)
		WRITE_ONCE(nn->config.enabled_once, true);
	mutex_unlock(&nn->lock);
	natflow_hooks_update(nn);
}

/* Writing disabled=0 makes select=auto accelerate, so only a written value is printed. */
static void show_disabled(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_config *c = &nn->config;

	if (c->disabled || c->enabled_once)
		seq_printf(m, "disabled=%d\n", c->disabled);
	else
		seq_puts(m, "#    disabled=0 (never written)\n");
}

static const struct natflow_verb_ops ops_disabled = {
	.commit = commit_disabled,
	.show = show_disabled,
};

static void commit_select(struct natflow_net *nn, const struct natflow_command *cmd)
{
	const struct natflow_select_args *args =
		NATFLOW_ARGS(cmd, const struct natflow_select_args);

	mutex_lock(&nn->lock);
	WRITE_ONCE(nn->config.mark, args->mark);
	WRITE_ONCE(nn->config.mark_mask, args->mask);
	WRITE_ONCE(nn->config.select, args->value);
	mutex_unlock(&nn->lock);
	natflow_hooks_update(nn);
}

/**
 * natflow_settings_hooked() - are the hooks at the ports in place
 * @nn: namespace
 *
 * Context: process, may sleep: it waits until a change in progress is complete.
 */
bool natflow_settings_hooked(struct natflow_net *nn)
{
	bool yes;

	mutex_lock(&nn->lock);
	yes = nn->forwarding;
	mutex_unlock(&nn->lock);
	return yes;
}

/**
 * natflow_settings_select() - the value of select= as it would be written
 * @nn: namespace
 * @text: buffer
 * @size: of @text
 *
 * Return: @text.
 */
const char *natflow_settings_select(const struct natflow_net *nn, char *text, unsigned int size)
{
	const struct natflow_config *c = &nn->config;

	if (c->select == NATFLOW_SELECT_MARK)
		snprintf(text, size, "mark:0x%x/0x%x", c->mark, c->mark_mask);
	else
		strscpy(text, natflow_select_words[c->select], size);
	return text;
}

static void show_select(struct natflow_net *nn, struct seq_file *m)
{
	char text[32];

	seq_printf(m, "select=%s\n", natflow_settings_select(nn, text, sizeof(text)));
}

static const struct natflow_verb_ops ops_select = {
	.commit = commit_select,
	.show = show_select,
};

/* The table is allocated once, when the last flow_limit= of a transaction is known. */
struct limit_draft {
	u32 limit;
	struct natflow_table *table;	/* NULL: the limit stays */
};

static void *make_limit(struct natflow_net *nn, unsigned int lines)
{
	return kzalloc(sizeof(struct limit_draft), GFP_KERNEL_ACCOUNT);
}

static int ready_limit(struct natflow_net *nn, void *draft)
{
	struct limit_draft *d = draft;

	if (d->limit == nn->config.flow_limit)
		return 0;
	d->table = natflow_table_alloc(d->limit);
	return d->table ? 0 : -ENOMEM;
}

static void commit_limit(struct natflow_net *nn, void *draft)
{
	struct limit_draft *d = draft;

	if (d->table) {
		mutex_lock(&nn->lock);
		WRITE_ONCE(nn->config.flow_limit, d->table->limit);
		natflow_flow_resize(nn, d->table);
		mutex_unlock(&nn->lock);
	}
	kfree(d);
}

static void abort_limit(void *draft)
{
	struct limit_draft *d = draft;

	natflow_table_free(d->table);
	kfree(d);
}

static const struct natflow_draft_ops limit_draft_ops = {
	.make = make_limit,
	.ready = ready_limit,
	.commit = commit_limit,
	.abort = abort_limit,
};

static int prepare_limit(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct limit_draft *d = draft;

	d->limit = cmd->value;
	return 0;
}

static u32 get_limit(struct natflow_net *nn)
{
	return nn->config.flow_limit;
}

static const struct natflow_verb_ops ops_flow_limit = {
	.draft = &limit_draft_ops,
	.prepare = prepare_limit,
	.get = get_limit,
};

static u32 get_group_type(struct natflow_net *nn)
{
	return nn->config.group_type;
}

static void commit_group_type(struct natflow_net *nn, const struct natflow_command *cmd)
{
	WRITE_ONCE(nn->config.group_type, cmd->value);
	natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_SETTING);
}

static const struct natflow_verb_ops ops_ifname_group_type = {
	.get = get_group_type,
	.commit = commit_group_type,
};

static u32 get_pppoe(struct natflow_net *nn)
{
	return nn->config.pppoe;
}

static void commit_pppoe(struct natflow_net *nn, const struct natflow_command *cmd)
{
	WRITE_ONCE(nn->config.pppoe, cmd->value);
	natflow_doubt(nn, NATFLOW_DOUBT_PATHS, NATFLOW_CAUSE_SETTING, NULL);
}

static const struct natflow_verb_ops ops_pppoe = {
	.get = get_pppoe,
	.commit = commit_pppoe,
};

static u32 get_revalidate(struct natflow_net *nn)
{
	return nn->config.revalidate;
}

static void commit_revalidate(struct natflow_net *nn, const struct natflow_command *cmd)
{
	mutex_lock(&nn->lock);
	WRITE_ONCE(nn->config.revalidate, cmd->value);
	mutex_unlock(&nn->lock);
	natflow_rules_tick(nn, true);	/* record where the tables are before packets compare it */
	natflow_hooks_update(nn);
}

static const struct natflow_verb_ops ops_revalidate = {
	.get = get_revalidate,
	.commit = commit_revalidate,
};

static u32 get_users(struct natflow_net *nn)
{
	return natflow_user_enabled(nn);
}

static int prepare_users(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	if (!cmd->value && !natflow_access_rules(nn)->disabled)
		return natflow_command_refuse(cmd, "disabled=1 in natflow_user_ctl before it",
					      "users=1", -EBUSY);
	return cmd->value ? natflow_user_start(nn) : 0;
}

static void commit_users(struct natflow_net *nn, const struct natflow_command *cmd)
{
	if (natflow_user_enable(nn, cmd->value))
		natflow_log(nn, NATFLOW_LOG_ERROR, "users=1: no memory for hooks; write it again");
}

static const struct natflow_verb_ops ops_users = {
	.get = get_users,
	.prepare = prepare_users,
	.commit = commit_users,
};

static const struct natflow_verb settings[] = {
	NATFLOW_CTL_TABLE(NATFLOW_SETTING_VERB, NATFLOW_NO_VERB)
};

static const struct natflow_verb * const verbs[] = {
	NATFLOW_CTL_TABLE(NATFLOW_SETTING_ROW, NATFLOW_VERB_ROW) NULL
};

struct natflow_device natflow_ctl_device = {
	.misc = { .minor = MISC_DYNAMIC_MINOR, .name = "natflow_ctl", .fops = &natflow_ctl_fops,
		  .mode = 0600 },
	.grammar = { .verbs = verbs, .absent = natflow_original_words, .example = "select=all" },
	.head = "# Version: " NATFLOW_VERSION "\n"
		"# First: iptables -I FORWARD 1 -j FLOWOFFLOAD (and ip6tables); then cat /proc/natflow\n"
		"# A line that is refused is explained in /proc/natflow_log\n"
		"# Usage: one command a line; what this prints can be written back\n",
	.foot = "",
	.column = 24,
};
