// SPDX-License-Identifier: GPL-2.0-only
/* The grammar of a control device: words, verbs, and parsers of simple arguments. */
#include "grammar.h"

/**
 * natflow_command_fail() - note which part of a line is refused
 * @cmd: the line
 * @word: the part
 * @expected: what would have been accepted
 * @err: errno
 *
 * Return: @err.
 */
int natflow_command_fail(struct natflow_command *cmd, const char *word, const char *expected,
			 int err)
{
	cmd->word = word;
	cmd->expected = expected;
	return err;
}

/**
 * natflow_command_refuse() - note that a line was parsed and cannot be done
 * @cmd: the line; it has a verb
 * @expected: what would have been possible
 * @example: a line that helps
 * @err: errno
 *
 * Return: @err.
 */
int natflow_command_refuse(struct natflow_command *cmd, const char *expected, const char *example,
			   int err)
{
	cmd->example = example;
	return natflow_command_fail(cmd, cmd->verb->word, expected, err);
}

/**
 * natflow_number_parse() - the argument is a number from @verb->min to @verb->max
 * @value: argument
 * @verb: verb
 * @cmd: gets ->value
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_number_parse(char *value, const struct natflow_verb *verb,
			 struct natflow_command *cmd)
{
	int err = kstrtou32(value, 10, &cmd->value);

	if (!err && (cmd->value < verb->min || cmd->value > verb->max))
		err = -ERANGE;
	return err ? natflow_command_fail(cmd, value, verb->expected, err) : 0;
}

/**
 * natflow_choice_parse() - the argument is one of @verb->words
 * @value: argument
 * @verb: verb; ->max is the last index of ->words
 * @cmd: gets the index in ->value
 *
 * Return: 0 or -EINVAL.
 */
int natflow_choice_parse(char *value, const struct natflow_verb *verb,
			 struct natflow_command *cmd)
{
	int at = natflow_word_index(verb->words, verb->max + 1, value, strlen(value));

	if (at < 0)
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	cmd->value = at;
	return 0;
}

/**
 * natflow_nothing_parse() - there is no argument
 * @value: what follows the word
 * @verb: verb
 * @cmd: the line
 *
 * Return: 0 or -EINVAL.
 */
int natflow_nothing_parse(char *value, const struct natflow_verb *verb,
			  struct natflow_command *cmd)
{
	return *value ? natflow_command_fail(cmd, value, verb->expected, -EINVAL) : 0;
}

/**
 * natflow_device_parse() - the argument is the name of a network device
 * @value: argument
 * @verb: verb
 * @cmd: gets the name in ->args, a NUL-terminated string
 *
 * Return: 0 or -EINVAL.
 */
int natflow_device_parse(char *value, const struct natflow_verb *verb,
			 struct natflow_command *cmd)
{
	if (!natflow_name_valid(value))
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	strcpy((char *)cmd->args, value);
	return 0;
}

static char *cut_at_comma(char *text)
{
	char *comma = strchr(text, ',');

	if (comma)
		*comma++ = '\0';
	return comma;
}

/**
 * natflow_fields_parse() - read arguments that are fields
 * @value: arguments; is taken apart
 * @fields: which there are
 * @verb: verb
 * @cmd: the line; its ->args are what the fields are read into
 * @seen: gets a bit for each field that was there
 *
 * Return: 0 or an errno: -EINVAL for a field that is unknown or there twice, else that of
 * its reader.
 */
int natflow_fields_parse(char *value, const struct natflow_fields *fields,
			 const struct natflow_verb *verb, struct natflow_command *cmd, u64 *seen)
{
	char *next;

	for (*seen = 0; value; value = next) {
		int which = natflow_field_index(fields->field, fields->count, value), err;
		const struct natflow_field *field;

		next = fields->cut ? fields->cut(value) : cut_at_comma(value);
		if (which < 0 || *seen & BIT_ULL(which))
			return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
		*seen |= BIT_ULL(which);
		field = &fields->field[which];
		err = fields->read(which, value + strlen(field->word), cmd->args);
		if (err)
			return natflow_command_fail(cmd, value, field->expected, err);
	}
	return 0;
}

/* If @line begins with @word, return what follows it; else NULL. */
static char *after_word(char *line, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(line, word, len))
		return NULL;
	line += len;
	if (word[len - 1] != '=') {
		if (*line && *line != ' ')
			return NULL;
		line += strspn(line, " ");
	}
	return line;
}

/* No verb has this word: it is one of the original natflow, or unknown. */
static int refuse_word(const struct natflow_grammar *grammar, char *line,
		       struct natflow_command *cmd)
{
	const struct natflow_absent *absent;

	cmd->example = grammar->example;
	for (absent = grammar->absent; absent && absent->word; absent++) {
		if (after_word(line, absent->word)) {
			cmd->absent = true;
			return natflow_command_fail(cmd, line, absent->instead, -EOPNOTSUPP);
		}
	}
	return natflow_command_fail(cmd, line, "a command that reading the device lists", -EINVAL);
}

/* Return: what follows the word of one of @verbs, or NULL. */
static char *find_verb(const struct natflow_verb * const *verbs, char *text,
		       struct natflow_command *cmd)
{
	char *value;

	for (; verbs && *verbs; verbs++) {
		value = after_word(text, (*verbs)->word);
		if (value) {
			cmd->verb = *verbs;
			cmd->example = (*verbs)->example;
			return value;
		}
	}
	return NULL;
}

/**
 * natflow_command_parse() - parse one line
 * @grammar: of the device
 * @line: NUL-terminated, at most NATFLOW_LINE_MAX bytes with its NUL
 * @cmd: the result
 *
 * Return: 0, -EINVAL for text that does not parse, -ERANGE for a number out of
 * range, -EOPNOTSUPP for a word of the original natflow that is not here. On
 * error @cmd has the refused part, what was expected, and an example.
 */
int natflow_command_parse(const struct natflow_grammar *grammar, const char *line,
			  struct natflow_command *cmd)
{
	char *text = cmd->text, *value;
	size_t len;

	memset(cmd, 0, sizeof(*cmd));
	line += strspn(line, " ");
	for (len = strlen(line); len && line[len - 1] == ' '; len--)
		;
	memcpy(text, line, len);
	if (!len || *text == '#')
		return 0;
	value = find_verb(grammar->verbs, text, cmd);
	if (!value)
		value = find_verb(grammar->more, text, cmd);
	if (!value)
		return refuse_word(grammar, text, cmd);
	return cmd->verb->parse(value, cmd->verb, cmd);
}
