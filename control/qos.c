// SPDX-License-Identifier: GPL-2.0-only
/* /dev/natflow_qos_ctl: its verbs, and the device. */
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "ctl.h"
#include "verb.h"
#include "../shape/link.h"

static void *make_links(struct natflow_net *nn, unsigned int lines)
{
	const struct natflow_links *old = natflow_links(nn);

	return old ? kmemdup(old, sizeof(*old), GFP_KERNEL_ACCOUNT) :
		     kzalloc(sizeof(*old), GFP_KERNEL_ACCOUNT);
}

static void commit_links(struct natflow_net *nn, void *draft)
{
	natflow_links_set(nn, draft);
}

static void abort_links(void *draft)
{
	kfree(draft);
}

static const struct natflow_draft_ops links_draft = {
	.make = make_links,
	.commit = commit_links,
	.abort = abort_links,
};

static int prepare_clear(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct natflow_links *links = draft;

	links->count = 0;
	return 0;
}

static void show_clear(struct natflow_net *nn, struct seq_file *m)
{
	seq_puts(m, "clear\n");
}

static const struct natflow_verb_ops clear_ops = {
	.draft = &links_draft,
	.prepare = prepare_clear,
	.show = show_clear,
};

const struct natflow_verb natflow_verb_qos_clear = {
	.word = "clear",
	.values = "",
	.help = "no lines, and no queues that natflow attached",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "clear",
	.ops = &clear_ops,
};

static int prepare_link(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	int err = natflow_links_add(draft, NATFLOW_ARGS(cmd, const struct natflow_link));

	return err ? natflow_command_refuse(cmd, "at most 16 links, 4 of them with rx=", "clear",
					    err) : 0;
}

static void show_links(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_links *links = natflow_links(nn);
	char text[NATFLOW_LINK_TEXT_MAX];
	unsigned int i;

	for (i = 0; links && i < links->count; i++)
		seq_printf(m, "%s\n", natflow_link_text(&links->link[i], text));
}

static const struct natflow_verb_ops link_ops = {
	.draft = &links_draft,
	.prepare = prepare_link,
	.show = show_links,
	.show_last = true,
};

const struct natflow_verb natflow_verb_link = {
	.word = "link",
	.values = " dev=NAME[,tx=RATE][,rx=RATE][,overhead=BYTES|PRESET][,mpu=BYTES]",
	.help = "what it sends (tx) and what comes by it (rx) is held, users in turn",
	.parse = natflow_link_parse,
	.expected = "dev=NAME and tx=RATE or rx=RATE, with a rate like 40mbit, overhead=0 to 255 or ethernet, ethernet-vlan, pppoe-vlan, docsis, atm, mpu=0 to 255",
	.example = "link dev=wan,tx=40mbit,rx=200mbit,overhead=ethernet",
	.ops = &link_ops,
};

static const struct natflow_verb * const verbs[] = {
	NATFLOW_QOS_TABLE(NATFLOW_NO_SETTING, NATFLOW_VERB_ROW) NULL
};

struct natflow_device natflow_qos_device = {
	.misc = { .minor = MISC_DYNAMIC_MINOR, .name = "natflow_qos_ctl",
		  .fops = &natflow_ctl_fops, .mode = 0600 },
	.grammar = { .verbs = verbs, .example = "link dev=wan,tx=40mbit" },
	.head = "# Usage: one command a line; what this prints can be written back\n",
	.foot = "# RATE: a number and kbit, mbit or gbit\n",
	.column = 26,
};
