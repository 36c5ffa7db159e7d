/* SPDX-License-Identifier: GPL-2.0-only */
/* iptables' side of the FLOWOFFLOAD target. */
#include <stdio.h>
#include <xtables.h>
#include <linux/netfilter/xt_FLOWOFFLOAD.h>

enum { O_HW };

static const struct xt_option_entry flowoffload_opts[] = {
	{ .name = "hw", .id = O_HW, .type = XTTYPE_NONE },
	XTOPT_TABLEEND,
};

static void flowoffload_help(void)
{
	printf("FLOWOFFLOAD target options:\n"
	       "  --hw    offer the flow to packet hardware too\n");
}

static void flowoffload_parse(struct xt_option_call *cb)
{
	struct xt_flowoffload_target_info *info = cb->data;

	xtables_option_parse(cb);
	if (cb->entry->id == O_HW)
		info->flags |= XT_FLOWOFFLOAD_HW;
}

static void flowoffload_print(const void *ip, const struct xt_entry_target *target, int numeric)
{
	const struct xt_flowoffload_target_info *info = (const void *)target->data;

	printf(" FLOWOFFLOAD%s", info->flags & XT_FLOWOFFLOAD_HW ? " hw" : "");
}

static void flowoffload_save(const void *ip, const struct xt_entry_target *target)
{
	const struct xt_flowoffload_target_info *info = (const void *)target->data;

	if (info->flags & XT_FLOWOFFLOAD_HW)
		printf(" --hw");
}

static struct xtables_target flowoffload_target = {
	.family		= NFPROTO_UNSPEC,
	.name		= "FLOWOFFLOAD",
	.version	= XTABLES_VERSION,
	.revision	= 0,
	.size		= XT_ALIGN(sizeof(struct xt_flowoffload_target_info)),
	.userspacesize	= XT_ALIGN(sizeof(struct xt_flowoffload_target_info)),
	.help		= flowoffload_help,
	.print		= flowoffload_print,
	.save		= flowoffload_save,
	.x6_parse	= flowoffload_parse,
	.x6_options	= flowoffload_opts,
};

static __attribute__((constructor)) void flowoffload_register(void)
{
	xtables_register_target(&flowoffload_target);
}
