// SPDX-License-Identifier: GPL-2.0-only
/* Conditions on a flow, as the line "flush" has them. */
#include "filter.h"

static int parse_port(const char *text, u32 *port)
{
	int err = kstrtou32(text, 10, port);

	if (!err && !*port)
		err = -EINVAL;
	if (!err && *port > 65535)
		err = -ERANGE;
	return err;
}

static int parse_condition(char *word, struct natflow_filter *f)
{
	if (!strncmp(word, "src=", 4))
		return natflow_prefix_parse(word + 4, f->src, &f->src_family, &f->src_len);
	if (!strncmp(word, "dst=", 4))
		return natflow_prefix_parse(word + 4, f->dst, &f->dst_family, &f->dst_len);
	if (!strncmp(word, "sport=", 6))
		return parse_port(word + 6, &f->sport);
	if (!strncmp(word, "dport=", 6))
		return parse_port(word + 6, &f->dport);
	if (!strcmp(word, "proto=tcp"))
		f->proto = IPPROTO_TCP;
	else if (!strcmp(word, "proto=udp"))
		f->proto = IPPROTO_UDP;
	else if (!strncmp(word, "dev=", 4) && natflow_name_valid(word + 4))
		strcpy(f->dev, word + 4);
	else
		return -EINVAL;
	return 0;
}

/**
 * natflow_filter_parse() - conditions separated by blanks, all of which must hold
 * @value: arguments
 * @verb: verb
 * @cmd: gets a struct natflow_filter
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_filter_parse(char *value, const struct natflow_verb *verb,
			 struct natflow_command *cmd)
{
	struct natflow_filter *f = NATFLOW_ARGS(cmd, struct natflow_filter);

	while (*value) {
		char *word = value;
		int err;

		value += strcspn(value, " ");
		if (*value)
			*value++ = '\0';
		value += strspn(value, " ");
		err = parse_condition(word, f);
		if (err)
			return natflow_command_fail(cmd, word, verb->expected, err);
	}
	return 0;
}
