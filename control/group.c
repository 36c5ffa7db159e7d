// SPDX-License-Identifier: GPL-2.0-only
/* The interface group: ifname_group_add= and ifname_group_clear of natflow_ctl. */
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "verb.h"
#include "../core/base/netns.h"
#include "../core/doubt.h"
#include "../core/topo/port.h"

static void *make_group(struct natflow_net *nn, unsigned int lines)
{
	return kmemdup(&nn->topo.group, sizeof(nn->topo.group), GFP_KERNEL_ACCOUNT);
}

static void commit_group(struct natflow_net *nn, void *draft)
{
	rtnl_lock();
	if (natflow_port_regroup(nn, draft))
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_SETTING);
	rtnl_unlock();
	kfree(draft);
}

static void abort_group(void *draft)
{
	kfree(draft);
}

static const struct natflow_draft_ops group_draft = {
	.make = make_group,
	.commit = commit_group,
	.abort = abort_group,
};

static int prepare_add(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const char *name = NATFLOW_ARGS(cmd, const char);
	struct natflow_group *group = draft;

	if (natflow_port_named(group, name))
		return 0;
	if (group->count == NATFLOW_GROUP_MAX)
		return natflow_command_refuse(cmd, "at most 32 names", "ifname_group_clear",
					      -ENOSPC);
	strscpy(group->name[group->count++], name, IFNAMSIZ);
	return 0;
}

static const struct natflow_verb_ops add_ops = { .draft = &group_draft, .prepare = prepare_add };

const struct natflow_verb natflow_verb_ifname_group_add = {
	.word = "ifname_group_add=",
	.values = "NAME   ifname_group_clear",
	.parse = natflow_device_parse,
	.expected = "an interface name",
	.example = "ifname_group_add=eth0",
	.ops = &add_ops,
};

static int prepare_clear(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct natflow_group *group = draft;

	group->count = 0;
	return 0;
}

static void show_group(struct natflow_net *nn, struct seq_file *m)
{
	unsigned int i;

	seq_puts(m, "ifname_group_clear\n");
	rtnl_lock();
	for (i = 0; i < nn->topo.group.count; i++)
		seq_printf(m, "ifname_group_add=%s\n", nn->topo.group.name[i]);
	rtnl_unlock();
}

static const struct natflow_verb_ops clear_ops = {
	.draft = &group_draft,
	.prepare = prepare_clear,
	.show = show_group,
	.show_last = true,
};

/* The usage has it in the line of ifname_group_add=. */
const struct natflow_verb natflow_verb_ifname_group_clear = {
	.word = "ifname_group_clear",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "ifname_group_clear",
	.ops = &clear_ops,
};
