// SPDX-License-Identifier: GPL-2.0-only
/* /dev/natflow_user_ctl: who may use the line, and who has to log in first. */
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "access.h"
#include "ctl.h"
#include "verb.h"
#include "../core/base/log.h"
#include "../natflow_access.h"
#include "../policy/access.h"

struct draft {
	struct natflow_net *nn;
	struct natflow_access_rules *rules;
};

static void *make_draft(struct natflow_net *nn, unsigned int lines)
{
	struct draft *draft = kzalloc(sizeof(*draft), GFP_KERNEL_ACCOUNT);

	if (!draft)
		return NULL;
	draft->nn = nn;
	draft->rules = natflow_access_rules_alloc(natflow_access_rules(nn), lines);
	if (draft->rules)
		return draft;
	kfree(draft);
	return NULL;
}

static int ready_draft(struct natflow_net *nn, void *draft)
{
	return natflow_access_prepare(nn, ((struct draft *)draft)->rules);
}

static void commit_draft(struct natflow_net *nn, void *draft)
{
	natflow_access_set_rules(nn, ((struct draft *)draft)->rules);
	kfree(draft);
}

static void abort_draft(void *draft)
{
	struct draft *d = draft;

	natflow_access_abandon(d->nn);
	kvfree(d->rules);
	kfree(d);
}

static const struct natflow_draft_ops access_draft = {
	.make = make_draft,
	.ready = ready_draft,
	.commit = commit_draft,
	.abort = abort_draft,
};

static struct natflow_access_rules *rules_of(void *draft)
{
	return ((struct draft *)draft)->rules;
}

/* -- verbs */

static int prepare_clean(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	rules_of(draft)->count = 0;
	return 0;
}

static void show_clean(struct natflow_net *nn, struct seq_file *m)
{
	seq_puts(m, "clean\n");
}

static const struct natflow_verb_ops clean_ops = {
	.draft = &access_draft,
	.prepare = prepare_clean,
	.show = show_clean,
};

const struct natflow_verb natflow_verb_auth_clean = {
	.word = "clean",
	.values = "",
	.help = "no rules",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "clean",
	.ops = &clean_ops,
};

/* The rule is in force already, or one of the two would never be. */
static int contradict(struct natflow_command *cmd, const struct natflow_auth_rule *other)
{
	const struct natflow_auth_rule *rule = NATFLOW_ARGS(cmd, const struct natflow_auth_rule);
	const char *what = rule->id == other->id ? "id" : "zone or set";
	char text[NATFLOW_AUTH_TEXT_MAX];
	char *said = (char *)cmd->args;

	natflow_auth_print(other, text, sizeof(text));
	snprintf(said, sizeof(cmd->args), "another %s than that of: auth %s", what, text);
	return natflow_command_refuse(cmd, said, "clean", -EEXIST);
}

static int prepare_auth(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_auth_rule *rule = NATFLOW_ARGS(cmd, const struct natflow_auth_rule);
	const struct natflow_auth_rule *other = natflow_access_rules_add(rules_of(draft), rule);

	return other ? contradict(cmd, other) : 0;
}

static void show_auth(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_access_rules *rules = natflow_access_rules(nn);
	char text[NATFLOW_AUTH_TEXT_MAX];
	unsigned int i;

	for (i = 0; i < rules->count; i++) {
		natflow_auth_print(&rules->rule[i], text, sizeof(text));
		seq_printf(m, "auth %s\n", text);
	}
}

static const struct natflow_verb_ops auth_ops = {
	.draft = &access_draft,
	.prepare = prepare_auth,
	.show = show_auth,
	.show_last = true,
};

const struct natflow_verb natflow_verb_auth = {
	.word = "auth",
	.values = " id=N,szone=ZONE,type=web|auto,sipgrp=IPSET[,ipwhite=IPSET][,macwhite=IPSET]",
	.help = "\n"
		"#                                of the rules that are for a user, the lowest decides;\n"
		"#                                web: log in first, unless in a white list",
	.parse = natflow_auth_parse,
	.expected = "id=, szone=, type=, sipgrp=, ipwhite= or macwhite=, each once",
	.example = "auth id=0,szone=0,type=web,sipgrp=guests",
	.ops = &auth_ops,
};

static int prepare_disabled(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	rules_of(draft)->disabled = cmd->value;
	return 0;
}

static u32 get_disabled(struct natflow_net *nn)
{
	return natflow_access_rules(nn)->disabled;
}

/* Behind the rules, so that what is read and written back does not open the line meanwhile. */
static const struct natflow_verb_ops disabled_ops = {
	.draft = &access_draft,
	.prepare = prepare_disabled,
	.get = get_disabled,
	.show_last = true,
};

const struct natflow_verb natflow_verb_auth_disabled = {
	.word = "disabled=",
	.values = "0|1",
	.help = "1: everybody may use the line",
	.parse = natflow_number_parse,
	.max = 1,
	.expected = "0 or 1",
	.example = "disabled=1",
	.ops = &disabled_ops,
};

/* Rules that replace themselves are another edition. */
static int prepare_update(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	return 0;
}

static const struct natflow_verb_ops update_ops = {
	.draft = &access_draft,
	.prepare = prepare_update,
};

const struct natflow_verb natflow_verb_auth_update = {
	.word = "update_magic",
	.values = "",
	.help = "judge every user again, by the sets as they are now",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "update_magic",
	.ops = &update_ops,
};

static void commit_weixin(struct natflow_net *nn, const struct natflow_command *cmd)
{
	natflow_log(nn, NATFLOW_LOG_ERROR, "auth_open_weixin_reply: no effect");
}

static const struct natflow_verb_ops weixin_ops = { .commit = commit_weixin };

const struct natflow_verb natflow_verb_auth_weixin = {
	.word = "auth_open_weixin_reply=",
	.values = "0|1",
	.help = "accepted, no effect",
	.parse = natflow_number_parse,
	.max = 1,
	.expected = "0 or 1",
	.example = "auth_open_weixin_reply=0",
	.ops = &weixin_ops,
};

/* -- settings */

#define NUMBER(id, member)							\
	static u32 get_##id(struct natflow_net *nn)				\
	{									\
		return natflow_access_rules(nn)->member;			\
	}									\
	static int prepare_##id(struct natflow_net *nn, void *draft,		\
				struct natflow_command *cmd)			\
	{									\
		rules_of(draft)->member = cmd->value;				\
		return 0;							\
	}									\
	static const struct natflow_verb_ops ops_##id = {			\
		.draft = &access_draft, .prepare = prepare_##id, .get = get_##id, \
	}

NUMBER(no_flow_timeout, no_flow_timeout);
NUMBER(https_redirect_port, https_port);

static u32 get_https(struct natflow_net *nn)
{
	return 0;
}

static const struct natflow_verb_ops ops_https_redirect_en = { .get = get_https };

#define IPSET(id, member)							\
	static void show_##id(struct natflow_net *nn, struct seq_file *m)	\
	{									\
		seq_printf(m, #id "=%s\n", natflow_access_rules(nn)->member);	\
	}									\
	static int prepare_##id(struct natflow_net *nn, void *draft,		\
				struct natflow_command *cmd)			\
	{									\
		strscpy(rules_of(draft)->member, NATFLOW_ARGS(cmd, const char),	\
			NATFLOW_SET_NAME_MAX);					\
		return 0;							\
	}									\
	static const struct natflow_verb_ops ops_##id = {			\
		.draft = &access_draft, .prepare = prepare_##id, .show = show_##id, \
	}

IPSET(dst_bypasslist_name, free_servers);
IPSET(src_bypasslist_name, free_clients);

#define PORTAL(id, member, format)						\
	static void show_##id(struct natflow_net *nn, struct seq_file *m)	\
	{									\
		seq_printf(m, #id "=" format "\n", natflow_access_rules(nn)->member); \
	}									\
	static int prepare_##id(struct natflow_net *nn, void *draft,		\
				struct natflow_command *cmd)			\
	{									\
		struct natflow_access_rules *rules = rules_of(draft);		\
										\
		memcpy(rules->member,						\
		       NATFLOW_ARGS(cmd, const struct natflow_address_args)->addr, \
		       sizeof(rules->member));					\
		return 0;							\
	}									\
	static const struct natflow_verb_ops ops_##id = {			\
		.draft = &access_draft, .prepare = prepare_##id, .show = show_##id, \
	}

PORTAL(redirect_ip, portal4, "%pI4");
PORTAL(redirect_ip6, portal6, "%pI6c");

static void show_timezone(struct natflow_net *nn, struct seq_file *m)
{
	seq_printf(m, "timezone=%s\n", natflow_access_rules(nn)->timezone);
}

static int prepare_timezone(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	struct natflow_access_rules *rules = rules_of(draft);

	strscpy(rules->timezone, NATFLOW_ARGS(cmd, const char), sizeof(rules->timezone));
	natflow_timezone_read(rules->timezone, &rules->tz);
	return 0;
}

static const struct natflow_verb_ops ops_timezone = {
	.draft = &access_draft, .prepare = prepare_timezone, .show = show_timezone,
};

static const struct natflow_verb settings[] = {
	NATFLOW_AUTH_TABLE(NATFLOW_SETTING_VERB, NATFLOW_NO_VERB)
};

static const struct natflow_verb * const verbs[] = {
	NATFLOW_AUTH_TABLE(NATFLOW_SETTING_ROW, NATFLOW_VERB_ROW) NULL
};

struct natflow_device natflow_user_device = {
	.misc = { .minor = MISC_DYNAMIC_MINOR, .name = "natflow_user_ctl",
		  .fops = &natflow_ctl_fops, .mode = 0600 },
	.grammar = { .verbs = verbs, .example = "auth id=0,szone=0,type=web,sipgrp=guests" },
	.head = "# Usage: one command a line; what this prints can be written back\n",
	.foot = "# Zones: /dev/natflow_zone_ctl. Users and set-status: /dev/natflow_userinfo_ctl\n",
	.column = 28,
};

/**
 * natflow_access_summary() - the lines of /proc/natflow about internet access
 * @nn: namespace
 * @m: where to
 *
 * Packets that were not forwarded; of these, requests that were sent to the portal, and
 * those that were only dropped because the client has had its share of answers; and
 * connections that were ended.
 *
 * Context: process.
 */
void natflow_access_summary(const struct natflow_net *nn, struct seq_file *m)
{
	u64 refused, redirected, unanswered, cut;

	natflow_access_counts(nn, &refused, &redirected, &unanswered, &cut);
	seq_printf(m, "access_refused %llu\n", refused);
	seq_printf(m, "access_redirected %llu\n", redirected);
	seq_printf(m, "access_unanswered %llu\n", unanswered);
	seq_printf(m, "access_cut %llu\n", cut);
}
