// SPDX-License-Identifier: GPL-2.0-only
/* Arguments of natflow_user_ctl's lines: who may use the line, and who has to log in first. */
#include "auth.h"

const char * const natflow_auth_type_words[NATFLOW_AUTH_TYPES] = { "unknown", "auto", "web" };

enum word {
	WORD_ID,
	WORD_ZONE,
	WORD_TYPE,
	WORD_GROUP,
	WORD_IP_WHITE,
	WORD_MAC_WHITE,
	WORDS
};

#define NEEDED (BIT_ULL(WORD_ID) | BIT_ULL(WORD_ZONE) | BIT_ULL(WORD_TYPE) | BIT_ULL(WORD_GROUP))

static const struct natflow_field words[WORDS] = {
	[WORD_ID] = { "id=", "a number from 0 to 1023, but not 255" },
	[WORD_ZONE] = { "szone=", "the number of a zone, 0 to 126" },
	[WORD_TYPE] = { "type=", "web or auto" },
	[WORD_GROUP] = { "sipgrp=", "the name of an ipset, of 31 characters at most" },
	[WORD_IP_WHITE] = { "ipwhite=", "the name of an ipset, of 31 characters at most" },
	[WORD_MAC_WHITE] = { "macwhite=", "the name of an ipset, of 31 characters at most" },
};

static int read_number(const char *text, u32 most, u32 *number)
{
	int err = kstrtou32(text, 10, number);

	return !err && *number > most ? -ERANGE : err;
}

static int read_type(const char *text, struct natflow_auth_rule *rule)
{
	int at = natflow_word_index(natflow_auth_type_words, NATFLOW_AUTH_TYPES, text,
				    strlen(text));

	if (at <= NATFLOW_AUTH_UNKNOWN)
		return -EINVAL;
	rule->type = at;
	return 0;
}

/* The original's script writes white lists that nobody configured as empty words. */
static int read_set(const char *text, char *name, bool may_lack)
{
	if (may_lack && !*text)
		return 0;
	return !strchr(text, ' ') && natflow_set_name_copy(text, name) ? 0 : -EINVAL;
}

static int read_word(int which, char *text, void *args)
{
	struct natflow_auth_rule *rule = args;
	u32 number = 0;
	int err = 0;

	switch (which) {
	case WORD_ID:
		err = read_number(text, NATFLOW_AUTH_RULES_MAX - 1, &number);
		rule->id = number;
		return !err && number == NATFLOW_AUTH_NO_RULE ? -ERANGE : err;
	case WORD_ZONE:
		err = read_number(text, NATFLOW_AUTH_ZONE_MAX, &number);
		rule->zone = number;
		return err;
	case WORD_TYPE:
		return read_type(text, rule);
	case WORD_GROUP:
		return read_set(text, rule->group, false);
	case WORD_IP_WHITE:
		return read_set(text, rule->ip_white, true);
	default:
		return read_set(text, rule->mac_white, true);
	}
}

/**
 * natflow_auth_parse() - id=N,szone=N,type=web|auto,sipgrp=SET[,ipwhite=SET][,macwhite=SET]
 * @value: arguments, in any order; is taken apart
 * @verb: verb
 * @cmd: gets a struct natflow_auth_rule
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_auth_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	static const struct natflow_fields rule = {
		.field = words, .count = WORDS, .read = read_word,
	};
	u64 seen;
	int err = natflow_fields_parse(value, &rule, verb, cmd, &seen);

	if (err)
		return err;
	return (seen & NEEDED) == NEEDED ? 0 :
	       natflow_command_fail(cmd, cmd->text, "id=, szone=, type= and sipgrp=", -EINVAL);
}

/**
 * natflow_auth_equal() - do two rules say the same
 * @a: rule
 * @b: rule
 */
bool natflow_auth_equal(const struct natflow_auth_rule *a, const struct natflow_auth_rule *b)
{
	return a->id == b->id && a->zone == b->zone && a->type == b->type &&
	       !strcmp(a->group, b->group) && !strcmp(a->ip_white, b->ip_white) &&
	       !strcmp(a->mac_white, b->mac_white);
}

/**
 * natflow_auth_print() - a rule as natflow_auth_parse() reads it
 * @rule: rule
 * @text: where to
 * @size: of @text, at least NATFLOW_AUTH_TEXT_MAX
 *
 * Return: characters.
 */
int natflow_auth_print(const struct natflow_auth_rule *rule, char *text, size_t size)
{
	int len = snprintf(text, size, "id=%u,szone=%u,type=%s,sipgrp=%s", rule->id, rule->zone,
			   natflow_auth_type_words[rule->type], rule->group);

	if (*rule->ip_white)
		len += snprintf(text + len, size - len, ",ipwhite=%s", rule->ip_white);
	if (*rule->mac_white)
		len += snprintf(text + len, size - len, ",macwhite=%s", rule->mac_white);
	return len;
}

/**
 * natflow_auth_set_parse() - the name of an ipset, or nothing
 * @value: argument
 * @verb: verb
 * @cmd: gets the name in ->args, a NUL-terminated string
 *
 * Return: 0 or -EINVAL.
 */
int natflow_auth_set_parse(char *value, const struct natflow_verb *verb,
			   struct natflow_command *cmd)
{
	return read_set(value, NATFLOW_ARGS(cmd, char), true) ?
	       natflow_command_fail(cmd, value, verb->expected, -EINVAL) : 0;
}

static int parse_portal(char *value, u8 family, const struct natflow_verb *verb,
			struct natflow_command *cmd)
{
	int err = natflow_address_parse(value, verb, cmd);

	if (!err && NATFLOW_ARGS(cmd, struct natflow_address_args)->family != family)
		err = natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	return err;
}

/**
 * natflow_auth_portal4_parse() - an IPv4 address
 * @value: argument
 * @verb: verb
 * @cmd: gets a struct natflow_address_args
 *
 * Return: 0 or -EINVAL.
 */
int natflow_auth_portal4_parse(char *value, const struct natflow_verb *verb,
			       struct natflow_command *cmd)
{
	return parse_portal(value, NFPROTO_IPV4, verb, cmd);
}

/**
 * natflow_auth_portal6_parse() - an IPv6 address
 * @value: argument
 * @verb: verb
 * @cmd: gets a struct natflow_address_args
 *
 * Return: 0 or -EINVAL.
 */
int natflow_auth_portal6_parse(char *value, const struct natflow_verb *verb,
			       struct natflow_command *cmd)
{
	return parse_portal(value, NFPROTO_IPV6, verb, cmd);
}

/**
 * natflow_auth_https_parse() - 0; 1 is the original's and is not here
 * @value: argument
 * @verb: verb
 * @cmd: gets ->value
 *
 * Return: 0, -EINVAL, -ERANGE, or -EOPNOTSUPP for 1.
 */
int natflow_auth_https_parse(char *value, const struct natflow_verb *verb,
			     struct natflow_command *cmd)
{
	int err = natflow_number_parse(value, verb, cmd);

	if (err || !cmd->value)
		return err;
	cmd->absent = true;
	return natflow_command_fail(cmd, cmd->text,
				    "no redirection of HTTPS, browsers refuse it; "
				    "write 0, and announce the portal by DHCP option 114",
				    -EOPNOTSUPP);
}

/**
 * natflow_status_parse() - ADDR N
 * @value: argument; is taken apart
 * @verb: verb
 * @cmd: gets a struct natflow_status_args
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_status_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	struct natflow_status_args *args = NATFLOW_ARGS(cmd, struct natflow_status_args);
	char *number = strchr(value, ' ');
	u32 status;
	int err;

	if (!number)
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	*number++ = '\0';
	number += strspn(number, " ");
	err = natflow_address_parse(value, verb, cmd);
	if (err)
		return err;
	err = kstrtou32(number, 10, &status);
	if (!err && status > NATFLOW_AUTH_STATUS_MAX && status != NATFLOW_AUTH_STATUS_UNKNOWN)
		err = -ERANGE;
	if (err)
		return natflow_command_fail(cmd, number, verb->expected, err);
	args->status = status;
	return 0;
}
