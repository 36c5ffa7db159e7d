// SPDX-License-Identifier: GPL-2.0-only
/* The lines of /dev/natflow_user_ctl about policies, and whom they are bound to. */
#include <linux/seq_file.h>
#include "verb.h"
#include "../lib/text/policy.h"
#include "../natflow_access.h"
#include "../natflow_urllogger.h"
#include "../policy/policies.h"

static void *make_draft(struct natflow_net *nn, unsigned int lines)
{
	return natflow_policies_alloc(natflow_access_policies(nn), lines);
}

static int ready_draft(struct natflow_net *nn, void *draft)
{
	return natflow_access_ready(nn, draft);
}

static void commit_draft(struct natflow_net *nn, void *draft)
{
	natflow_access_set_policies(nn, draft);
}

static void abort_draft(void *draft)
{
	natflow_policies_free(draft);
}

static const struct natflow_draft_ops policy_draft = {
	.make = make_draft,
	.ready = ready_draft,
	.commit = commit_draft,
	.abort = abort_draft,
};

/* Return: characters, of at most NATFLOW_LINE_MAX. */
static int print_bind(const struct natflow_policies *p, const struct natflow_bind *bind,
		      char *text, size_t size)
{
	const struct natflow_subject *of = &bind->of;
	int len = snprintf(text, size, "bind policy=%s,%s=", p->policy[bind->policy].name,
			   natflow_subject_words[of->kind]);

	text += len;
	size -= len;
	switch (of->kind) {
	case NATFLOW_SUBJECT_DEVICE:
		return len + snprintf(text, size, "%pM", of->addr);
	case NATFLOW_SUBJECT_IP:
		return len + snprintf(text, size, of->family == NFPROTO_IPV4 ? "%pI4" : "%pI6c",
				      of->addr);
	case NATFLOW_SUBJECT_CIDR:
		return len + snprintf(text, size, of->family == NFPROTO_IPV4 ? "%pI4/%u" :
				      "%pI6c/%u", of->addr, of->len);
	case NATFLOW_SUBJECT_ZONE:
		return len + snprintf(text, size, "%u", of->addr[0]);
	default:
		return len + snprintf(text, size, "%s", of->name);
	}
}

/* Refuse a line because of a bind. @expected: what the bind's line follows. */
static int blame_bind(const struct natflow_policies *p, const struct natflow_bind *bind,
		      struct natflow_command *cmd, const char *expected, int err)
{
	char *said = (char *)cmd->args;
	int len = scnprintf(said, sizeof(cmd->args), "%s", expected);

	print_bind(p, bind, said + len, sizeof(cmd->args) - len);
	return natflow_command_refuse(cmd, said, "unbind device=02:00:00:00:00:01", err);
}

static int refuse_unknown(struct natflow_command *cmd)
{
	return natflow_command_refuse(cmd, "the name of a policy that is there",
				      "policy name=kids,verdict=block", -ENOENT);
}

/* -- policies */

static int prepare_clean(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	natflow_policies_clear(draft);
	return 0;
}

static void show_clean(struct natflow_net *nn, struct seq_file *m)
{
	seq_puts(m, "policy_clean\n");
}

static const struct natflow_verb_ops clean_ops = {
	.draft = &policy_draft,
	.prepare = prepare_clean,
	.show = show_clean,
};

const struct natflow_verb natflow_verb_policy_clean = {
	.word = "policy_clean",
	.values = "",
	.help = "no policies, bound to nobody; clean keeps them",
	.parse = natflow_nothing_parse,
	.expected = "nothing behind it",
	.example = "policy_clean",
	.ops = &clean_ops,
};

/* Return: 0, or what refusing a field that has no effect returns. */
static int check_fields(const struct natflow_policy *policy, struct natflow_command *cmd)
{
	if (NATFLOW_HAS_NAMES || (!*policy->sites && !policy->log))
		return 0;
	return natflow_command_refuse(cmd, "no sites= and log=: this natflow has no names",
				      "policy name=kids,verdict=block", -EOPNOTSUPP);
}

static int contradict(const struct natflow_policies *p, struct natflow_command *cmd)
{
	const struct natflow_policy *policy = NATFLOW_ARGS(cmd, const struct natflow_policy);
	int at = natflow_policies_named(p, policy->name);
	char *said = (char *)cmd->args;
	int len = scnprintf(said, sizeof(cmd->args), "another name than that of: policy ");

	natflow_policy_print(&p->policy[at], said + len, sizeof(cmd->args) - len);
	return natflow_command_refuse(cmd, said, "policy_change name=kids,verdict=allow",
				      -EEXIST);
}

static int prepare_policy(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_policy *policy = NATFLOW_ARGS(cmd, const struct natflow_policy);
	int err = check_fields(policy, cmd);

	if (err)
		return err;
	err = natflow_policies_add(draft, policy);
	if (err == -EEXIST)
		return contradict(draft, cmd);
	return err ? natflow_command_refuse(cmd, "at most 1024 policies", "policy_del name=kids",
					    err) : 0;
}

static void show_policy(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_policies *p = natflow_access_policies(nn);
	char text[NATFLOW_LINE_MAX];
	unsigned int i;

	for (i = 0; i < p->count; i++) {
		if (!*p->policy[i].name)
			continue;
		natflow_policy_print(&p->policy[i], text, sizeof(text));
		seq_printf(m, "policy %s\n", text);
	}
}

static const struct natflow_verb_ops policy_ops = {
	.draft = &policy_draft,
	.prepare = prepare_policy,
	.show = show_policy,
	.show_last = true,
};

#define FIELDS "name=, verdict=, schedule=, volume=, minutes=, over=, rate=, sites= or log="

const struct natflow_verb natflow_verb_policy = {
	.word = "policy",
	.values = " name=NAME[,verdict=allow|block|portal][,schedule=DAYS HH:MM-HH:MM;...]",
	.help = "\n"
		"#                                [,volume=BYTES/day|week|month][,minutes=N/day|...]\n"
		"#                                [,over=block|throttle][,rate=RX/TX]\n"
		"#                                [,sites=LIST][,log=counters|domain|host|url]\n"
		"#                                what those may do to whom it is bound; with a\n"
		"#                                schedule only then, else the next bind decides",
	.parse = natflow_policy_parse,
	.expected = FIELDS,
	.example = "policy name=kids,verdict=block,schedule=mon-fri 21:00-07:00;sat 23:00-09:00",
	.ops = &policy_ops,
};

static int prepare_change(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_policy *policy = NATFLOW_ARGS(cmd, const struct natflow_policy);

	int err = check_fields(policy, cmd);

	if (err)
		return err;
	return natflow_policies_change(draft, policy) ? refuse_unknown(cmd) : 0;
}

static const struct natflow_verb_ops change_ops = {
	.draft = &policy_draft,
	.prepare = prepare_change,
};

const struct natflow_verb natflow_verb_policy_change = {
	.word = "policy_change",
	.values = " name=NAME...",
	.help = "all that a policy says, anew; its binds stay",
	.parse = natflow_policy_parse,
	.expected = FIELDS,
	.example = "policy_change name=kids,verdict=allow",
	.ops = &change_ops,
};

static int prepare_del(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	int at = natflow_policies_named(draft, NATFLOW_ARGS(cmd, const char));
	const struct natflow_bind *bind = at < 0 ? NULL : natflow_policies_bind_of(draft, at);

	if (at < 0)
		return refuse_unknown(cmd);
	if (bind)
		return blame_bind(draft, bind, cmd, "a policy that is bound to nobody, not: ",
				  -EBUSY);
	natflow_policies_remove(draft, at);
	return 0;
}

static const struct natflow_verb_ops del_ops = {
	.draft = &policy_draft,
	.prepare = prepare_del,
};

const struct natflow_verb natflow_verb_policy_del = {
	.word = "policy_del",
	.values = " name=NAME",
	.help = "a policy that is bound to nobody",
	.parse = natflow_policy_name_parse,
	.expected = "name= and the name of a policy",
	.example = "policy_del name=kids",
	.ops = &del_ops,
};

/* -- binds */

static int prepare_bind(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_bind_args *args = NATFLOW_ARGS(cmd, const struct natflow_bind_args);
	int at = natflow_policies_named(draft, args->policy), err;

	if (at < 0)
		return refuse_unknown(cmd);
	err = natflow_policies_bind(draft, at, &args->of);
	if (err == -EEXIST)
		return blame_bind(draft, natflow_policies_bound(draft, &args->of), cmd,
				  "another subject than that of: ", err);
	return err ? natflow_command_refuse(cmd, "at most 65536 binds, 64 of them to sets",
					    "bind policy=kids,cidr=192.168.1.0/24", err) : 0;
}

static void show_bind(struct natflow_net *nn, struct seq_file *m)
{
	const struct natflow_policies *p = natflow_access_policies(nn);
	char text[NATFLOW_LINE_MAX];
	unsigned int i;

	for (i = 0; i < p->binds; i++) {
		if (p->bind[i].policy == NATFLOW_POLICIES_MAX)
			continue;
		print_bind(p, &p->bind[i], text, sizeof(text));
		seq_printf(m, "%s\n", text);
	}
}

static const struct natflow_verb_ops bind_ops = {
	.draft = &policy_draft,
	.prepare = prepare_bind,
	.show = show_bind,
	.show_last = true,
};

#define SUBJECTS "device=MAC, name=NAME, ip=ADDR, cidr=ADDR/BITS, set=IPSET or zone=N"

const struct natflow_verb natflow_verb_bind = {
	.word = "bind",
	.values = " policy=NAME,device=MAC|name=NAME|ip=ADDR|cidr=ADDR/BITS|set=IPSET|zone=N",
	.help = "\n"
		"#                                the bind that comes first in this order decides,\n"
		"#                                of several cidr= the longest",
	.parse = natflow_bind_parse,
	.expected = "policy=NAME, and " SUBJECTS,
	.example = "bind policy=kids,device=02:00:00:00:00:01",
	.ops = &bind_ops,
};

static int prepare_unbind(struct natflow_net *nn, void *draft, struct natflow_command *cmd)
{
	const struct natflow_bind_args *args = NATFLOW_ARGS(cmd, const struct natflow_bind_args);
	const struct natflow_bind *bind = natflow_policies_bound(draft, &args->of);
	const struct natflow_policies *p = draft;

	if (!bind)
		return natflow_command_refuse(cmd, "a subject to which a policy is bound",
					      "bind policy=kids,device=02:00:00:00:00:01", -ENOENT);
	if (*args->policy && strcmp(args->policy, p->policy[bind->policy].name))
		return blame_bind(p, bind, cmd, "the policy of: ", -ENOENT);
	natflow_policies_unbind(draft, &args->of);
	return 0;
}

static const struct natflow_verb_ops unbind_ops = {
	.draft = &policy_draft,
	.prepare = prepare_unbind,
};

const struct natflow_verb natflow_verb_unbind = {
	.word = "unbind",
	.values = " [policy=NAME,]device=MAC|...",
	.help = "as bind",
	.parse = natflow_bind_parse,
	.max = 1,
	.expected = SUBJECTS,
	.example = "unbind device=02:00:00:00:00:01",
	.ops = &unbind_ops,
};
