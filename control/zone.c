// SPDX-License-Identifier: GPL-2.0-only
/* /dev/natflow_zone_ctl: its verbs, and the device. */
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "ctl.h"
#include "verb.h"
#include "../lib/text/zone.h"
#include "../policy/zone.h"

static void *make_lines(struct natflow_net *nn, unsigned int lines)
{
	const struct natflow_zone_lines *old = natflow_zone_lines(nn);

	if (natflow_zone_start(nn))
		return NULL;
	return old ? kmemdup(old, sizeof(*old), GFP_KERNEL_ACCOUNT) :
		     kzalloc(sizeof(*old), GFP_KERNEL_ACCOUNT);
}

static void commit_lines(struct natflow_net *nn, void *draft)
{
	natflow_zone_set_lines(nn, draft);
}

static void abort_lines(void *draft)
{
	kfree(draft);
}

static const struct natflow_draft_ops zone_draft = {
	.make = make_lines,
	.commit = commit_lines,
	.abort = abort_lines,
};

static int prepare_clean(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct natflow_zone_lines *lines = draft;

	lines->count = 0;
	return 0;
}

static void show_clean(struct natflow_net *nn, struct seq_file *m)
{
	seq_puts(m, "clean\n");
}

static const struct natflow_verb_ops clean_ops = {
	.draft = &zone_draft,
	.prepare = prepare_clean,
	.show = show_clean,
};

const struct natflow_verb natflow_verb_zone_clean = {
	.word = "clean",
	.values = "",
	.help = "no lines",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "clean",
	.ops = &clean_ops,
};

/* A name has two zones, or a zone is inside and outside. */
static int contradict(struct natflow_command *cmd, const struct natflow_zone_line *other)
{
	struct natflow_zone_args *args = NATFLOW_ARGS(cmd, struct natflow_zone_args);
	char text[NATFLOW_ZONE_TEXT_MAX];

	snprintf(args->refusal, sizeof(args->refusal), "another %s than in %s",
		 other->id == args->line.id ? "number" : "name",
		 natflow_zone_line_text(other, text));
	cmd->example = "clean";
	return natflow_command_fail(cmd, args->value, args->refusal, -EEXIST);
}

static int prepare_line(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_zone_args *args = NATFLOW_ARGS(cmd, const struct natflow_zone_args);
	const struct natflow_zone_line *other;
	int err = natflow_zone_lines_add(draft, &args->line, &other);

	if (err == -EEXIST)
		return contradict(cmd, other);
	return err ? natflow_command_refuse(cmd, "at most 128 lines", "lan_zone 0=eth+", err) : 0;
}

static void show_lines(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_zone_lines *lines = natflow_zone_lines(nn);
	char text[NATFLOW_ZONE_TEXT_MAX];
	unsigned int i;

	for (i = 0; lines && i < lines->count; i++)
		seq_printf(m, "%s\n", natflow_zone_line_text(&lines->line[i], text));
}

static const struct natflow_verb_ops lan_ops = {
	.draft = &zone_draft,
	.prepare = prepare_line,
	.show = show_lines,	/* of both kinds, in their order */
	.show_last = true,
};

const struct natflow_verb natflow_verb_lan_zone = {
	.word = "lan_zone",
	.values = " N=NAME|PREFIX+",
	.help = "devices of zone N, 0 to 126, lead to users",
	.parse = natflow_lan_zone_parse,
	.expected = "N=NAME or N=PREFIX+ with N from 0 to 126",
	.example = "lan_zone 0=br-lan",
	.ops = &lan_ops,
};

static const struct natflow_verb_ops wan_ops = {
	.draft = &zone_draft,
	.prepare = prepare_line,
};

const struct natflow_verb natflow_verb_wan_zone = {
	.word = "wan_zone",
	.values = " N=NAME|PREFIX+",
	.help = "devices of zone N lead to the Internet",
	.parse = natflow_wan_zone_parse,
	.expected = "N=NAME or N=PREFIX+ with N from 0 to 126",
	.example = "wan_zone 1=ppp+",
	.ops = &wan_ops,
};

static void commit_update(struct natflow_net *nn, const struct natflow_command *cmd)
{
	natflow_zone_update(nn);
}

static const struct natflow_verb_ops update_ops = { .commit = commit_update };

const struct natflow_verb natflow_verb_update_match = {
	.word = "update_match",
	.values = "",
	.help = "look at all devices again",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "update_match",
	.ops = &update_ops,
};

static void commit_print(struct natflow_net *nn, const struct natflow_command *cmd)
{
	natflow_zone_print(nn);
}

static const struct natflow_verb_ops print_ops = { .commit = commit_print };

const struct natflow_verb natflow_verb_print_zone = {
	.word = "print_zone",
	.values = "",
	.help = "zone of each device, and why, to natflow_log",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "print_zone",
	.ops = &print_ops,
};

static const struct natflow_verb * const verbs[] = {
	NATFLOW_ZONE_TABLE(NATFLOW_NO_SETTING, NATFLOW_VERB_ROW) NULL
};

struct natflow_device natflow_zone_device = {
	.misc = { .minor = MISC_DYNAMIC_MINOR, .name = "natflow_zone_ctl",
		  .fops = &natflow_ctl_fops, .mode = 0600 },
	.grammar = { .verbs = verbs, .example = "lan_zone 0=br-lan" },
	.head = "# Usage: one command a line; what this prints can be written back\n",
	.foot = "# A port of a bridge, bond or team is in its zone, unless a line names the port.\n"
		"# A device without a line is in zone 0: WAN if a default route leaves by it or\n"
		"# a rule masquerades there, else LAN\n",
	.column = 26,
};
