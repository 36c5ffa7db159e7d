// SPDX-License-Identifier: GPL-2.0-only
/* /dev/natflow_qos_ctl: its verbs, and the device. */
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "ctl.h"
#include "verb.h"
#include "../natflow_limit.h"
#include "../policy/limits.h"
#include "../shape/link.h"

/* Lines change both; each is replaced as a whole if a line was about it. */
struct qos_draft {
	struct natflow_links *links;
	struct natflow_limits *limits;
	bool changes_links, changes_limits;
};

static void abort_qos(void *draft)
{
	struct qos_draft *d = draft;

	kfree(d->links);
	natflow_limits_free(d->limits);
	kfree(d);
}

static struct natflow_links *copy_links(const struct natflow_links *old)
{
	return old ? kmemdup(old, sizeof(*old), GFP_KERNEL_ACCOUNT) :
		     kzalloc(sizeof(*old), GFP_KERNEL_ACCOUNT);
}

static void *make_qos(struct natflow_net *nn, unsigned int lines)
{
	struct qos_draft *d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);

	if (!d)
		return NULL;
	d->links = copy_links(natflow_links(nn));
	d->limits = natflow_limits_alloc(natflow_limit_rules(nn), lines);
	if (d->links && d->limits)
		return d;
	abort_qos(d);
	return NULL;
}

static int ready_qos(struct natflow_net *nn, void *draft)
{
	const struct qos_draft *d = draft;

	return d->changes_limits || (d->changes_links && natflow_links_have_dscp(d->links)) ?
	       natflow_limit_start(nn) : 0;
}

static void commit_qos(struct natflow_net *nn, void *draft)
{
	struct qos_draft *d = draft;

	if (d->changes_links) {
		natflow_links_set(nn, d->links);
		d->links = NULL;
	}
	if (d->changes_limits) {
		natflow_limit_set_rules(nn, d->limits);
		d->limits = NULL;
	}
	abort_qos(d);
}

static const struct natflow_draft_ops qos_draft = {
	.make = make_qos,
	.ready = ready_qos,
	.commit = commit_qos,
	.abort = abort_qos,
};

static int prepare_clear(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct qos_draft *d = draft;

	d->changes_links = true;
	d->links->count = 0;
	if (!d->limits->count && !d->limits->groups && !natflow_limit_rules(nn))
		return 0;
	d->changes_limits = true;
	natflow_limits_clear(d->limits);
	return 0;
}

static void show_clear(struct natflow_net *nn, struct seq_file *m)
{
	seq_puts(m, "clear\n");
}

static const struct natflow_verb_ops clear_ops = {
	.draft = &qos_draft,
	.prepare = prepare_clear,
	.show = show_clear,
};

const struct natflow_verb natflow_verb_qos_clear = {
	.word = "clear",
	.values = "",
	.help = "no rules and lines, and no queues that natflow attached",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "clear",
	.ops = &clear_ops,
};

static int prepare_link(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct qos_draft *d = draft;
	int err = natflow_links_add(d->links, NATFLOW_ARGS(cmd, const struct natflow_link));

	d->changes_links = true;

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
	.draft = &qos_draft,
	.prepare = prepare_link,
	.show = show_links,
	.show_last = true,
};

const struct natflow_verb natflow_verb_link = {
	.word = "link",
	.values = " dev=NAME[,tx=RATE][,rx=RATE][,dscp=WHAT][,overhead=BYTES|PRESET][,mpu=BYTES]",
	.help = "\n"
		"#                         what it sends (tx) and what comes by it (rx) is held, users\n"
		"#                         in turn; WHAT: restore|keep|wash, of what comes by it",
	.parse = natflow_link_parse,
	.expected = "dev=NAME, tx=40mbit or rx=200mbit; overhead=, mpu=0 to 255; dscp= with rx=",
	.example = "link dev=wan,tx=40mbit,rx=200mbit,overhead=ethernet",
	.ops = &link_ops,
};

/* -- groups */

static int prepare_group(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct qos_draft *d = draft;
	int err = natflow_limits_group(d->limits, natflow_limit_rules(nn),
				       NATFLOW_ARGS(cmd, const struct natflow_group_args));

	d->changes_limits = true;
	if (err == -EEXIST)
		return natflow_command_refuse(cmd, "another name than that of a group", "clear",
					      err);
	return err == -ENOSPC ? natflow_command_refuse(cmd, "at most 256 groups", "clear", err) :
				err;
}

static void show_groups(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_limits *limits = natflow_limit_rules(nn);
	char text[NATFLOW_LINE_MAX];
	unsigned int i;

	for (i = 0; limits && i < limits->groups; i++) {
		natflow_group_print(&limits->group[i].args, text, sizeof(text));
		seq_printf(m, "group %s\n", text);
	}
}

static const struct natflow_verb_ops group_ops = {
	.draft = &qos_draft,
	.prepare = prepare_group,
	.show = show_groups,
	.show_last = true,
};

const struct natflow_verb natflow_verb_group = {
	.word = "group",
	.values = " name=NAME,rxbytes=RX,txbytes=TX,burst=BYTES",
	.help = "flows of all rules with group=NAME share a rate, besides those of their rules",
	.parse = natflow_group_parse,
	.expected = "name=, rxbytes=, txbytes= or burst=, each once",
	.example = "group name=kids,rxbytes=1250000,txbytes=250000",
	.ops = &group_ops,
};

/* -- rules */

static int prepare_limit(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct qos_draft *d = draft;
	int err = natflow_limits_add(d->limits, natflow_limit_rules(nn),
				     NATFLOW_ARGS(cmd, const struct natflow_limit_args));

	d->changes_limits = true;
	if (err == -ENOENT)
		return natflow_command_refuse(cmd, "a group that is there",
					      "group name=kids,rxbytes=1250000,txbytes=250000",
					      err);
	if (err == -EEXIST)
		return natflow_command_refuse(cmd, "other flows than those of a rule that is there",
					      "clear", err);
	return err == -ENOSPC ?
	       natflow_command_refuse(cmd, "at most 4096 rules, 64 of them of users in a set",
				      "clear", err) : err;
}

static void show_limits(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_limits *limits = natflow_limit_rules(nn);
	char text[NATFLOW_LINE_MAX];
	unsigned int i;

	for (i = 0; limits && i < limits->count; i++) {
		natflow_limit_print(&limits->rule[i].args, text, sizeof(text));
		seq_printf(m, "add %s\n", text);
	}
}

static const struct natflow_verb_ops limit_ops = {
	.draft = &qos_draft,
	.prepare = prepare_limit,
	.show = show_limits,
	.show_last = true,
};

const struct natflow_verb natflow_verb_limit = {
	.word = "add",
	.values = " user=,user_port=,remote=,remote_port=,proto=,rxbytes=RX,txbytes=TX,...",
	.help = "\n"
		"#                         flows of a user share a rate in bytes a second, the\n"
		"#                         first rule decides. Ends: ADDR, ADDR/BITS, an ipset or\n"
		"#                         nothing; burst=BYTES, out=auto|police, group=NAME,\n"
		"#                         dscp=set:N|keep|wash, prio=N",
	.parse = natflow_limit_parse,
	.expected = "user= to proto=, rxbytes=, txbytes=, burst=, out=, group=, dscp= or prio=",
	.example = "add user=192.168.1.7,proto=tcp,rxbytes=1250000,txbytes=250000",
	.ops = &limit_ops,
};

static u32 get_classid(struct natflow_net *nn)
{
	const struct natflow_limits *limits = natflow_limit_rules(nn);

	return limits ? limits->classid : 0;
}

static int prepare_classid(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct qos_draft *d = draft;

	if (!cmd->value && !natflow_limit_rules(nn))
		return 0;
	d->changes_limits = true;
	d->limits->classid = cmd->value;
	return 0;
}

static const struct natflow_verb_ops ops_tc_classid_mode = {
	.draft = &qos_draft,
	.prepare = prepare_classid,
	.get = get_classid,
};

static const struct natflow_verb settings[] = {
	NATFLOW_QOS_TABLE(NATFLOW_SETTING_VERB, NATFLOW_NO_VERB)
};

static const struct natflow_verb * const verbs[] = {
	NATFLOW_QOS_TABLE(NATFLOW_SETTING_ROW, NATFLOW_VERB_ROW) NULL
};

struct natflow_device natflow_qos_device = {
	.misc = { .minor = MISC_DYNAMIC_MINOR, .name = "natflow_qos_ctl",
		  .fops = &natflow_ctl_fops, .mode = 0600 },
	.grammar = { .verbs = verbs, .example = "link dev=wan,tx=40mbit" },
	.head = "# Usage: one command a line; what this prints can be written back\n",
	.foot = "# RATE: a number and kbit, mbit or gbit\n",
	.column = 26,
};
