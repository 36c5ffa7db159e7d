// SPDX-License-Identifier: GPL-2.0-only
/* Arguments of hostacl_ctl's lines: rules and lists. */
#include "rule.h"

static int parse_id(const char *text, struct natflow_command *cmd)
{
	u32 id;
	int err = kstrtou32(text, 10, &id);

	if (err || id > 31)
		return natflow_command_fail(cmd, text, "a number from 0 to 31", err ?: -ERANGE);
	NATFLOW_ARGS(cmd, struct natflow_rule_args)->id = id;
	return 0;
}

static int parse_action(const char *text, struct natflow_command *cmd)
{
	u32 number;
	int err = kstrtou32(text, 10, &number);

	if (err || number > 3)
		return natflow_command_fail(cmd, text, "0 record, 1 drop, 2 reset or 3 redirect",
					    err ?: -ERANGE);
	NATFLOW_ARGS(cmd, struct natflow_rule_args)->action = number;
	return 0;
}

/* A host stands for the names below it, with or without "*." in front. */
static int parse_host(const char *text, struct natflow_command *cmd)
{
	struct natflow_rule_args *rule = NATFLOW_ARGS(cmd, struct natflow_rule_args);

	if (!natflow_hostname_pattern(&rule->host, text, strlen(text)))
		return natflow_command_fail(cmd, text, "a host name", -EINVAL);
	return 0;
}

/**
 * natflow_rule_parse() - ID,ACTION,HOST
 * @value: argument
 * @verb: verb
 * @cmd: gets a struct natflow_rule_args
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_rule_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	char *action = strchr(value, ','), *host = action ? strchr(action + 1, ',') : NULL;

	if (!host)
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	*action++ = '\0';
	*host++ = '\0';
	return parse_id(value, cmd) ?: parse_action(action, cmd) ?: parse_host(host, cmd);
}

/**
 * natflow_rule_host_parse() - ID,HOST
 * @value: argument
 * @verb: verb
 * @cmd: gets a struct natflow_rule_args
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_rule_host_parse(char *value, const struct natflow_verb *verb,
			    struct natflow_command *cmd)
{
	char *host = strchr(value, ',');

	if (!host)
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	*host++ = '\0';
	return parse_id(value, cmd) ?: parse_host(host, cmd);
}

static int parse_load(const char *text, const struct natflow_verb *verb,
		      struct natflow_command *cmd)
{
	struct natflow_list_args *list = NATFLOW_ARGS(cmd, struct natflow_list_args);

	list->act = NATFLOW_LIST_LOAD;
	list->skip = text[4] == ' ';
	cmd->body = true;
	if (text[4] != '=')
		return 0;
	return kstrtou32(text + 5, 10, &list->bytes) || !list->bytes ?
	       natflow_command_fail(cmd, text, verb->expected, -EINVAL) : 0;
}

static int parse_policy(char *text, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	struct natflow_list_args *list = NATFLOW_ARGS(cmd, struct natflow_list_args);
	const char *word = text;

	strcpy(list->text, text);
	if (!*text || natflow_site_policy_parse(text, &list->policy, &word))
		return natflow_command_fail(cmd, word, verb->expected, -EINVAL);
	return 0;
}

/**
 * natflow_list_parse() - NAME, then "load", "load skip", "load=BYTES", "remove" or a policy
 * @value: arguments
 * @verb: verb
 * @cmd: gets a struct natflow_list_args, and ->body for a load
 *
 * Return: 0 or -EINVAL.
 */
int natflow_list_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	struct natflow_list_args *list = NATFLOW_ARGS(cmd, struct natflow_list_args);
	char *rest = value + strcspn(value, " ");

	if (*rest)
		*rest++ = '\0';
	rest += strspn(rest, " ");
	if (!natflow_name_valid(value))
		return natflow_command_fail(cmd, value, "a name of 15 characters at most", -EINVAL);
	strcpy(list->name, value);
	if (!strcmp(rest, "load") || !strcmp(rest, "load skip") || !strncmp(rest, "load=", 5))
		return parse_load(rest, verb, cmd);
	if (strcmp(rest, "remove"))
		return parse_policy(rest, verb, cmd);
	list->act = NATFLOW_LIST_REMOVE;
	return 0;
}
