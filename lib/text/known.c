// SPDX-License-Identifier: GPL-2.0-only
/* Arguments of natflow_user_ctl's lines about known devices. */
#include "known.h"

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
