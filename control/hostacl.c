// SPDX-License-Identifier: GPL-2.0-only
/* /dev/hostacl_ctl: its rules and settings, and the device. Lists: control/lists.c. */
#include <linux/seq_file.h>
#include "ctl.h"
#include "hostacl.h"
#include "verb.h"
#include "../lib/text/rule.h"
#include "../natflow_urllogger.h"
#include "../policy/acl.h"

static void *make_acl(struct natflow_net *nn, unsigned int lines)
{
	return natflow_acl_alloc(natflow_urllogger_acl(nn), lines);
}

/* The change is in force for the next packet of every flow, accelerated ones too. */
static void commit_acl(struct natflow_net *nn, void *draft)
{
	natflow_urllogger_set_acl(nn, draft);
}

static void abort_acl(void *draft)
{
	natflow_acl_free(draft);
}

const struct natflow_draft_ops natflow_acl_draft = {
	.make = make_acl,
	.commit = commit_acl,
	.abort = abort_acl,
};

static int prepare_clear(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct natflow_acl *acl = draft;

	acl->count = 0;
	return 0;
}

static void show_clear(struct natflow_net *nn, struct seq_file *m)
{
	seq_puts(m, "clear\n");
}

static const struct natflow_verb_ops clear_ops = {
	.draft = &natflow_acl_draft,
	.prepare = prepare_clear,
	.show = show_clear,
};

const struct natflow_verb natflow_verb_clear = {
	.word = "clear",
	.values = "",
	.help = "no rules",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "clear",
	.ops = &clear_ops,
};

static int prepare_add(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_rule_args *rule = NATFLOW_ARGS(cmd, const struct natflow_rule_args);
	struct natflow_acl *acl = draft;

	if (acl->count == NATFLOW_ACL_HOSTS_MAX)
		return natflow_command_refuse(cmd, "at most 1024 rules", "clear", -ENOSPC);
	natflow_acl_add(acl, rule->id, rule->action, &rule->host);
	return 0;
}

static void show_rules(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_acl *acl = natflow_urllogger_acl(nn);
	unsigned int i;

	for (i = 0; i < acl->count; i++)
		seq_printf(m, "add acl=%u,%u,%s\n", acl->rule[i].id, acl->rule[i].action,
			   acl->rule[i].host);
}

static const struct natflow_verb_ops add_ops = {
	.draft = &natflow_acl_draft,
	.prepare = prepare_add,
	.show = show_rules,
	.show_last = true,
};

const struct natflow_verb natflow_verb_add_acl = {
	.word = "add acl=",
	.values = "ID,ACTION,HOST",
	.help = "ID 0..31, the lowest that matches decides\n"
		"#                                ACTION 0 record, 1 drop, 2 reset, 3 redirect\n"
		"#                                where there are ipsets host_acl_ruleID_ipv4, _ipv6 or\n"
		"#                                _mac it is only for who is in one of them\n"
		"#                                HOST and the names below it",
	.parse = natflow_rule_parse,
	.expected = "ID,ACTION,HOST",
	.example = "add acl=0,2,example.com",
	.ops = &add_ops,
};

static int prepare_del(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_rule_args *rule = NATFLOW_ARGS(cmd, const struct natflow_rule_args);

	return natflow_acl_del(draft, rule->id, &rule->host) ? 0 :
	       natflow_command_refuse(cmd, "a rule of that number for that host",
				      "add acl=0,2,example.com", -ENOENT);
}

static const struct natflow_verb_ops del_ops = {
	.draft = &natflow_acl_draft,
	.prepare = prepare_del,
};

const struct natflow_verb natflow_verb_del_acl = {
	.word = "del acl=",
	.values = "ID,HOST",
	.help = "takes this host from the rule",
	.parse = natflow_rule_host_parse,
	.expected = "ID,HOST",
	.example = "del acl=0,example.com",
	.ops = &del_ops,
};

/* A setting that is a number in the rules. */
#define ACL(id, member)								\
	static u32 get_##id(struct natflow_net *nn)				\
	{									\
		return natflow_urllogger_acl(nn)->member;			\
	}									\
	static int prepare_##id(struct natflow_net *nn, void *draft,		\
				struct natflow_command *cmd)			\
	{									\
		struct natflow_acl *acl = draft;				\
										\
		acl->member = cmd->value;					\
		return 0;							\
	}									\
	static const struct natflow_verb_ops ops_##id = {			\
		.draft = &natflow_acl_draft, .prepare = prepare_##id, .get = get_##id, \
	}

ACL(acl_action_default, action_default);
ACL(dns_answer, dns.answer);
ACL(dns_https, dns.no_https);
ACL(dns_private, trust.private);

static int prepare_redirect(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct natflow_acl *acl = draft;

	strscpy(acl->redirect_url, NATFLOW_ARGS(cmd, const char), sizeof(acl->redirect_url));
	return 0;
}

static void show_redirect(struct natflow_net *nn, struct seq_file *m)
{
	seq_printf(m, "redirect_url=%s\n", natflow_urllogger_acl(nn)->redirect_url);
}

static const struct natflow_verb_ops ops_redirect_url = {
	.draft = &natflow_acl_draft,
	.prepare = prepare_redirect,
	.show = show_redirect,
};

static int prepare_sinkhole(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_address_args *args =
		NATFLOW_ARGS(cmd, const struct natflow_address_args);
	struct natflow_acl *acl = draft;

	if (args->family == NFPROTO_IPV4)
		memcpy(acl->dns.sink4, args->addr, sizeof(acl->dns.sink4));
	else
		memcpy(acl->dns.sink6, args->addr, sizeof(acl->dns.sink6));
	return 0;
}

static void show_sinkhole(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_dns_policy *dns = &natflow_urllogger_acl(nn)->dns;

	seq_printf(m, "dns_sinkhole=%pI4\ndns_sinkhole=%pI6c\n", dns->sink4, dns->sink6);
}

static const struct natflow_verb_ops ops_dns_sinkhole = {
	.draft = &natflow_acl_draft,
	.prepare = prepare_sinkhole,
	.show = show_sinkhole,
};

static int prepare_resolvers(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_dns_trust *args = NATFLOW_ARGS(cmd, const struct natflow_dns_trust);
	struct natflow_acl *acl = draft;
	bool private = acl->trust.private;

	acl->trust = *args;
	acl->trust.private = private;
	return 0;
}

static void show_resolvers(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_dns_trust *trust = &natflow_urllogger_acl(nn)->trust;
	unsigned int i;

	seq_puts(m, "dns_resolvers=");
	for (i = 0; i < trust->count; i++)
		seq_printf(m, trust->resolver[i].family == NFPROTO_IPV4 ? "%s%pI4" : "%s%pI6c",
			   i ? "," : "", trust->resolver[i].addr);
	seq_puts(m, trust->any ? "any\n" : trust->count ? "\n" : "none\n");
}

static const struct natflow_verb_ops ops_dns_resolvers = {
	.draft = &natflow_acl_draft,
	.prepare = prepare_resolvers,
	.show = show_resolvers,
};

static const struct natflow_verb settings[] = {
	NATFLOW_HOSTACL_TABLE(NATFLOW_SETTING_VERB, NATFLOW_NO_VERB)
};

static const struct natflow_verb * const verbs[] = {
	NATFLOW_HOSTACL_TABLE(NATFLOW_SETTING_ROW, NATFLOW_VERB_ROW) NULL
};

struct natflow_device natflow_hostacl_device = {
	.misc = { .minor = MISC_DYNAMIC_MINOR, .name = "hostacl_ctl", .fops = &natflow_ctl_fops,
		  .mode = 0600 },
	.grammar = { .verbs = verbs, .example = "add acl=0,2,example.com" },
	.head = "# Usage: one command a line; what this prints can be written back, but the\n"
		"# domains of lists are not printed: load each list from its file again\n",
	.foot = "# Rules act while /proc/sys/urllogger_store/enable is 1\n",
	.column = 28,
};
