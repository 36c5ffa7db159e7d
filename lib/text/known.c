// SPDX-License-Identifier: GPL-2.0-only
/* Arguments of natflow_user_ctl's lines about known devices. */
#include "known.h"

const char * const natflow_period_words[3] = { "day", "week", "month" };

/* Read device=MAC. Return: what follows its blanks, or NULL with *@word as what is wrong. */
static char *read_device(char *value, u8 *mac, const char **word)
{
	static const char key[] = "device=";
	const size_t len = strlen(key);
	char *rest = strchr(value, ' ');

	*word = value;
	if (strncmp(value, key, len))
		return NULL;
	*word = value + len;
	if (rest)
		*rest++ = '\0';
	if (!natflow_mac_parse(value + len, mac) || mac[0] & 1 || !memcmp(mac, "\0\0\0\0\0\0", 6))
		return NULL;
	return rest ? rest + strspn(rest, " ") : value + strlen(value);
}

/**
 * natflow_known_name_valid() - can a device be called so
 * @text: NUL-terminated; "": it has no name
 */
bool natflow_known_name_valid(const char *text)
{
	if (strlen(text) >= NATFLOW_KNOWN_NAME_MAX)
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text > '~' || *text == ',')
			return false;
	return true;
}

/**
 * natflow_known_name_parse() - device=MAC [NAME]
 * @value: argument; is taken apart
 * @verb: verb
 * @cmd: gets a struct natflow_known_args
 *
 * Return: 0 or -EINVAL.
 */
int natflow_known_name_parse(char *value, const struct natflow_verb *verb,
			     struct natflow_command *cmd)
{
	struct natflow_known_args *args = NATFLOW_ARGS(cmd, struct natflow_known_args);
	const char *word;
	char *name = read_device(value, args->mac, &word);

	if (!name)
		return natflow_command_fail(cmd, word, "device= and the MAC of a device", -EINVAL);
	if (!natflow_known_name_valid(name))
		return natflow_command_fail(cmd, name, "at most 31 characters, no blank or comma",
					    -EINVAL);
	strcpy(args->name, name);
	return 0;
}

/* Cut KEY=VALUE off *@rest. Return: VALUE, or NULL if another key comes. */
static char *read_word(char **rest, const char *key)
{
	const size_t len = strlen(key);
	char *value = *rest + len, *end;

	if (strncmp(*rest, key, len))
		return NULL;
	end = value + strcspn(value, " ");
	*rest = end + strspn(end, " ");
	*end = '\0';
	return value;
}

static int read_number(char **rest, const char *key, u32 most, u32 *number)
{
	const char *text = read_word(rest, key);
	int err = text ? kstrtou32(text, 10, number) : -EINVAL;

	return !err && *number > most ? -ERANGE : err;
}

/**
 * natflow_grant_parse() - device=MAC minutes=N
 * @value: argument; is taken apart
 * @verb: verb
 * @cmd: gets a struct natflow_grant_args
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_grant_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd)
{
	struct natflow_grant_args *args = NATFLOW_ARGS(cmd, struct natflow_grant_args);
	const char *word;
	char *rest = read_device(value, args->mac, &word), *at = rest;
	int err;

	if (!rest)
		return natflow_command_fail(cmd, word, "device= and the MAC of a device", -EINVAL);
	err = read_number(&rest, "minutes=", NATFLOW_GRANT_MAX, &args->minutes);
	if (!err && *rest)
		err = -EINVAL;
	return err ? natflow_command_fail(cmd, *at ? at : cmd->text, "minutes=0 to 10080", err) : 0;
}

static int read_usage(char **rest, struct natflow_restore_args *args)
{
	const char *text = read_word(rest, "period=");
	int period = text ? natflow_word_index(natflow_period_words, 3, text, strlen(text)) : -1;
	int err;

	if (period < 0)
		return -EINVAL;
	args->period = period;
	err = read_number(rest, "at=", 0xffffffff, &args->at);
	if (err)
		return err;
	text = read_word(rest, "volume=");
	err = text ? kstrtou64(text, 10, &args->volume) : -EINVAL;
	return err ?: read_number(rest, "minutes=", 31 * 24 * 60, &args->minutes);
}

/**
 * natflow_restore_parse() - device=MAC period=day|week|month at=N volume=N minutes=N
 * @value: argument; is taken apart
 * @verb: verb
 * @cmd: gets a struct natflow_restore_args
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_restore_parse(char *value, const struct natflow_verb *verb,
			  struct natflow_command *cmd)
{
	struct natflow_restore_args *args = NATFLOW_ARGS(cmd, struct natflow_restore_args);
	const char *word;
	char *rest = read_device(value, args->mac, &word), *at = rest;
	int err;

	if (!rest)
		return natflow_command_fail(cmd, word, "device= and the MAC of a device", -EINVAL);
	err = read_usage(&rest, args);
	if (!err && *rest)
		err = -EINVAL;
	return err ? natflow_command_fail(cmd, *at ? at : cmd->text, verb->expected, err) : 0;
}
