// SPDX-License-Identifier: GPL-2.0-only
/* iptables target FLOWOFFLOAD, revision 0: selects the packet's flow, goes on to the next rule. */
#include <linux/module.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include "../include/uapi/linux/netfilter/xt_FLOWOFFLOAD.h"
#include "../control/api.h"
#include "legacy.h"

static unsigned int target(struct sk_buff *skb, const struct xt_action_param *par)
{
	const struct xt_flowoffload_target_info *info = par->targinfo;

	/* Other hooks see packets that are not forwarded. */
	if (xt_hooknum(par) == NF_INET_FORWARD)
		natflow_flow_offload(xt_net(par), skb, info->flags & XT_FLOWOFFLOAD_HW);
	return XT_CONTINUE;
}

/*
 * The protocol that the rule matches; 0 if it matches all, or all but one. iptables
 * and nft_compat give the same entry (net/netfilter/nft_compat.c:nft_target_set_tgchk_param()).
 */
static u8 protocol_of(const struct xt_tgchk_param *par)
{
	const struct ip6t_entry *e6 = par->entryinfo;
	const struct ipt_entry *e4 = par->entryinfo;

	if (par->family == NFPROTO_IPV4)
		return e4->ip.invflags & XT_INV_PROTO ? 0 : e4->ip.proto;
	if (par->family == NFPROTO_IPV6)
		return e6->ipv6.invflags & XT_INV_PROTO ? 0 : e6->ipv6.proto;
	return 0;
}

static int check(const struct xt_tgchk_param *par)
{
	const struct xt_flowoffload_target_info *info = par->targinfo;
	int err;

	/* ebtables would read XT_CONTINUE, -1, as EBT_ACCEPT. */
	if (info->flags & ~XT_FLOWOFFLOAD_MASK || par->family == NFPROTO_BRIDGE)
		return -EINVAL;
	err = natflow_rule_add(par->net);
	if (err)
		return err;
	natflow_rule_check(par->net, par->table, par->hook_mask, protocol_of(par));
	return 0;
}

static void destroy(const struct xt_tgdtor_param *par)
{
	natflow_rule_remove(par->net);
}

static struct xt_target flowoffload __read_mostly = {
	.name		= "FLOWOFFLOAD",
	.family		= NFPROTO_UNSPEC,
	.revision	= 0,
	.target		= target,
	.targetsize	= sizeof(struct xt_flowoffload_target_info),
	.usersize	= sizeof(struct xt_flowoffload_target_info),
	.checkentry	= check,
	.destroy	= destroy,
	.me		= THIS_MODULE,
};

static int __init flowoffload_init(void)
{
	int err = natflow_legacy_init();

	if (err)
		return err;
	err = xt_register_target(&flowoffload);
	if (err)
		natflow_legacy_exit();
	return err;
}

static void __exit flowoffload_exit(void)
{
	xt_unregister_target(&flowoffload);
	natflow_legacy_exit();
}

module_init(flowoffload_init);
module_exit(flowoffload_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Xtables: select flows for natflow's fast path");
MODULE_ALIAS("ipt_FLOWOFFLOAD");
MODULE_ALIAS("ip6t_FLOWOFFLOAD");
