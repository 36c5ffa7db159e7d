// SPDX-License-Identifier: GPL-2.0-only
/* Clients whose names are not logged: log_skip and log_skip_clear of natflow_ctl. */
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "verb.h"
#include "../natflow_urllogger.h"

struct skip_args {
	struct natflow_source source;
	char text[NATFLOW_LINE_MAX];	/* as it was written */
};

static void *make_skip(struct natflow_net *nn, unsigned int lines)
{
	const struct natflow_log_skip *old = natflow_urllogger_skip(nn);

	return old ? kmemdup(old, sizeof(*old), GFP_KERNEL_ACCOUNT) :
		     kzalloc(sizeof(*old), GFP_KERNEL_ACCOUNT);
}

static void commit_skip(struct natflow_net *nn, void *draft)
{
	natflow_urllogger_set_skip(nn, draft);
}

static void abort_skip(void *draft)
{
	kfree(draft);
}

static const struct natflow_draft_ops skip_draft = {
	.make = make_skip,
	.commit = commit_skip,
	.abort = abort_skip,
};

static int parse_skip(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	struct skip_args *args = NATFLOW_ARGS(cmd, struct skip_args);

	strscpy(args->text, value, sizeof(args->text));
	return natflow_source_parse(value, &args->source) ? 0 :
	       natflow_command_fail(cmd, value, verb->expected, -EINVAL);
}

static int prepare_skip(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct skip_args *args = NATFLOW_ARGS(cmd, const struct skip_args);
	struct natflow_log_skip *skip = draft;
	unsigned int i;

	for (i = 0; i < skip->count; i++)
		if (!strcmp(skip->text[i], args->text))
			return 0;
	if (skip->count == NATFLOW_LOG_SKIP_MAX)
		return natflow_command_refuse(cmd, "at most 16 of them", "log_skip_clear", -ENOSPC);
	skip->source[i] = args->source;
	strscpy(skip->text[i], args->text, sizeof(skip->text[i]));
	skip->count++;
	return 0;
}

static void show_skip(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_log_skip *skip = natflow_urllogger_skip(nn);
	unsigned int i;

	seq_puts(m, "log_skip_clear\n");
	for (i = 0; skip && i < skip->count; i++)
		seq_printf(m, "log_skip %s\n", skip->text[i]);
}

static const struct natflow_verb_ops skip_ops = {
	.draft = &skip_draft,
	.prepare = prepare_skip,
	.show = show_skip,
	.show_last = true,
};

const struct natflow_verb natflow_verb_log_skip = {
	.word = "log_skip",
	.values = " src=ADDR[/LEN]|mac=MAC|dev=NAME|match_set=IPSET",
	.help = "whose names are not logged",
	.parse = parse_skip,
	.expected = "src=ADDR[/LEN], mac=MAC, dev=NAME or match_set=NAME",
	.example = "log_skip src=192.168.1.7",
	.ops = &skip_ops,
};

static int prepare_clear(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct natflow_log_skip *skip = draft;

	skip->count = 0;
	return 0;
}

static const struct natflow_verb_ops clear_ops = { .draft = &skip_draft, .prepare = prepare_clear };

const struct natflow_verb natflow_verb_log_skip_clear = {
	.word = "log_skip_clear",
	.values = "",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "log_skip_clear",
	.ops = &clear_ops,
};
