// SPDX-License-Identifier: GPL-2.0-only
/* Words and parsers of settings whose values are not plain numbers. */
#include "settings.h"

const char * const natflow_select_words[3] = { "auto", "rules", "all" };
const char * const natflow_fail_words[2] = { "open", "closed" };
const char * const natflow_level_words[4] = { "counters", "domain", "host", "url" };
const char * const natflow_https_words[2] = { "pass", "nodata" };

/**
 * natflow_select_parse() - auto, rules, all or mark:VALUE[/MASK]
 * @value: argument
 * @verb: verb
 * @cmd: gets a struct natflow_select_args
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_select_parse(char *value, const struct natflow_verb *verb,
			 struct natflow_command *cmd)
{
	const int modes = ARRAY_SIZE(natflow_select_words);
	struct natflow_select_args *args = NATFLOW_ARGS(cmd, struct natflow_select_args);
	int at = natflow_word_index(natflow_select_words, modes, value, strlen(value)), err;
	const char *word;

	args->value = at < 0 ? modes : at;
	if (at >= 0)
		return 0;
	if (strncmp(value, "mark:", 5))
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	err = natflow_mark_parse(value + 5, &args->mark, &args->mask, &word);
	return err ? natflow_command_fail(cmd, word, verb->expected, err) : 0;
}

/**
 * natflow_url_parse() - http://HOST... or https://HOST..., or nothing
 * @value: argument; it must be fit for a Location header as it is
 * @verb: verb
 * @cmd: gets the URL in ->args, a NUL-terminated string
 *
 * Return: 0 or -EINVAL.
 */
int natflow_url_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	size_t skip = !strncmp(value, "http://", 7) ? 7 : !strncmp(value, "https://", 8) ? 8 : 0;
	const char *c;

	if (*value && (!skip || !(isalnum((unsigned char)value[skip]) || value[skip] == '[')))
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	for (c = value; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("\"<>\\^`{|}", *c))
			return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	strcpy((char *)cmd->args, value);
	return 0;
}

/**
 * natflow_address_parse() - an IPv4 or IPv6 address
 * @value: argument
 * @verb: verb
 * @cmd: gets a struct natflow_address_args
 *
 * Return: 0 or -EINVAL.
 */
int natflow_address_parse(char *value, const struct natflow_verb *verb,
			  struct natflow_command *cmd)
{
	struct natflow_address_args *args = NATFLOW_ARGS(cmd, struct natflow_address_args);
	u8 bits;

	if (strchr(value, '/') || natflow_prefix_parse(value, args->addr, &args->family, &bits))
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	return 0;
}

static bool add_resolver(char *word, struct natflow_dns_trust *trust)
{
	struct natflow_dns_resolver *resolver = &trust->resolver[trust->count];
	u8 bits;

	if (trust->count == NATFLOW_DNS_RESOLVERS_MAX || strchr(word, '/') ||
	    natflow_prefix_parse(word, resolver->addr, &resolver->family, &bits))
		return false;
	trust->count++;
	return true;
}

/**
 * natflow_resolvers_parse() - none, any, or addresses with commas between them
 * @value: argument; is taken apart
 * @verb: verb
 * @cmd: gets a struct natflow_dns_trust, ->private unset
 *
 * Return: 0 or -EINVAL.
 */
int natflow_resolvers_parse(char *value, const struct natflow_verb *verb,
			    struct natflow_command *cmd)
{
	struct natflow_dns_trust *trust = NATFLOW_ARGS(cmd, struct natflow_dns_trust);
	char *next;

	memset(trust, 0, sizeof(*trust));
	trust->any = !strcmp(value, "any");
	if (trust->any || !strcmp(value, "none"))
		return 0;
	for (; value; value = next) {
		next = strchr(value, ',');
		if (next)
			*next++ = '\0';
		if (!add_resolver(value, trust))
			return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	}
	return 0;
}
