// SPDX-License-Identifier: GPL-2.0-only
/* The lines that give devices a zone: how they are read, and which of them a device has. */
#include "zone.h"

/* A name of a device, or the beginning of one. */
static bool is_name(const char *name, bool prefix)
{
	return prefix ? !strpbrk(name, "/: ,") : natflow_name_valid(name);
}

static int parse(char *value, bool lan, const struct natflow_verb *verb,
		 struct natflow_command *cmd)
{
	struct natflow_zone_args *args = NATFLOW_ARGS(cmd, struct natflow_zone_args);
	struct natflow_zone_line *line = &args->line;
	const char *equals = strchr(value, '=');
	size_t digits = equals ? equals - value : 0, len;
	char number[4];
	u32 id;
	int err;

	args->value = value;
	if (!digits || digits >= sizeof(number))
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	memcpy(number, value, digits);
	number[digits] = '\0';
	err = kstrtou32(number, 10, &id);
	if (!err && id > NATFLOW_ZONE_ID_MAX)
		err = -ERANGE;
	if (err)
		return natflow_command_fail(cmd, value, verb->expected, err);
	line->id = id;
	line->lan = lan;
	len = strlen(equals + 1);
	line->prefix = len && equals[len] == '+';
	len -= line->prefix;
	if (len >= sizeof(line->name))
		return natflow_command_fail(cmd, equals + 1, verb->expected, -EINVAL);
	memcpy(line->name, equals + 1, len);
	line->name[len] = '\0';
	return is_name(line->name, line->prefix) ? 0 :
	       natflow_command_fail(cmd, equals + 1, verb->expected, -EINVAL);
}

/**
 * natflow_lan_zone_parse() - N=NAME or N=PREFIX+, for a zone inside
 * @value: argument
 * @verb: verb
 * @cmd: gets a struct natflow_zone_args
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_lan_zone_parse(char *value, const struct natflow_verb *verb,
			   struct natflow_command *cmd)
{
	return parse(value, true, verb, cmd);
}

/**
 * natflow_wan_zone_parse() - the same, for a zone outside
 * @value: argument
 * @verb: verb
 * @cmd: gets a struct natflow_zone_args
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_wan_zone_parse(char *value, const struct natflow_verb *verb,
			   struct natflow_command *cmd)
{
	return parse(value, false, verb, cmd);
}

/**
 * natflow_zone_line_text() - a line as it is written
 * @line: the line
 * @text: NATFLOW_ZONE_TEXT_MAX bytes
 *
 * Return: @text.
 */
const char *natflow_zone_line_text(const struct natflow_zone_line *line, char *text)
{
	snprintf(text, NATFLOW_ZONE_TEXT_MAX, "%s_zone %u=%s%s", line->lan ? "lan" : "wan",
		 line->id, line->name, line->prefix ? "+" : "");
	return text;
}

/**
 * natflow_zone_lines_add() - add a line that contradicts no other
 * @lines: lines
 * @line: copied; one that is there already is not added again
 * @other: the line that it contradicts
 *
 * A zone is inside or outside, and a name, or a prefix, is in one zone.
 *
 * Return: 0, -EEXIST with @other set, or -ENOSPC.
 */
int natflow_zone_lines_add(struct natflow_zone_lines *lines, const struct natflow_zone_line *line,
			   const struct natflow_zone_line **other)
{
	unsigned int i;

	for (i = 0; i < lines->count; i++) {
		const struct natflow_zone_line *have = &lines->line[i];
		bool same_name = have->prefix == line->prefix && !strcmp(have->name, line->name);
		bool same_zone = have->id == line->id && have->lan == line->lan;

		if (same_name && same_zone)
			return 0;
		if (same_name || (have->id == line->id && !same_zone)) {
			*other = have;
			return -EEXIST;
		}
	}
	if (lines->count == NATFLOW_ZONE_LINES_MAX)
		return -ENOSPC;
	lines->line[lines->count++] = *line;
	return 0;
}

/**
 * natflow_zone_lines_find() - the line that names a device
 * @lines: lines
 * @name: of the device
 *
 * Return: the line with its name, else the one with the longest prefix of it, or NULL.
 */
const struct natflow_zone_line *
natflow_zone_lines_find(const struct natflow_zone_lines *lines, const char *name)
{
	const struct natflow_zone_line *best = NULL;
	size_t longest = 0;
	unsigned int i;

	for (i = 0; i < lines->count; i++) {
		const struct natflow_zone_line *line = &lines->line[i];
		size_t len = strlen(line->name);

		if (!line->prefix && !strcmp(line->name, name))
			return line;
		if (line->prefix && !strncmp(line->name, name, len) && (!best || len > longest)) {
			best = line;
			longest = len;
		}
	}
	return best;
}
