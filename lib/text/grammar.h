/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The grammar of a control device: a line begins with the word of a verb, and
 * the verb's parser reads the arguments. Nothing is applied here.
 */
#ifndef _NATFLOW_LIB_TEXT_GRAMMAR_H
#define _NATFLOW_LIB_TEXT_GRAMMAR_H

#include "line.h"
#include "words.h"

#define NATFLOW_ARGS_MAX 640	/* bytes */

struct natflow_command;
struct natflow_verb_ops;	/* what the verb does, see control/verb.h */

struct natflow_verb {
	const char *word;	/* with its "=" if a value follows */
	const char *values;	/* in the usage, behind @word; NULL: not in the usage */
	const char *help;	/* in the usage, behind @values */
	int (*parse)(char *value, const struct natflow_verb *verb, struct natflow_command *cmd);
	u32 min, max;		/* of a number, or of the index in @words */
	const char * const *words;	/* from which one is chosen */
	const char *expected;	/* values that are accepted, for the log */
	const char *example;	/* a line that is accepted */
	const struct natflow_verb_ops *ops;
};

/* A word of the original natflow that this one does not have. */
struct natflow_absent {
	const char *word;	/* as of a verb */
	const char *instead;
};

struct natflow_grammar {
	const struct natflow_verb * const *verbs;	/* NULL-terminated */
	const struct natflow_verb * const *more;	/* the same, of a module; or NULL */
	const struct natflow_absent *absent;	/* ends with a NULL word; or NULL */
	const char *example;	/* for a line without a known word */
};

/* A parsed line. */
struct natflow_command {
	const struct natflow_verb *verb;	/* NULL: an empty line or a comment */
	u32 line;		/* its number */
	bool body;		/* lines or bytes follow that belong to this line */
	/* If the line is refused: */
	bool absent;		/* @expected says what to use instead */
	const char *word;	/* the part that is refused; points into @text or to @verb */
	const char *expected;
	const char *example;
	char text[NATFLOW_LINE_MAX];	/* copy of the line, cut into words by the parser */
	union {
		u32 value;
		u64 args[NATFLOW_ARGS_MAX / 8];	/* the struct that the parser documents */
	};
};

/* Arguments "WORD=VALUE,WORD=VALUE", in any order, each at most once. */
struct natflow_fields {
	const struct natflow_field *field;	/* their words */
	int count;
	int (*read)(int which, char *text, void *args);		/* 0 or an errno */
	char *(*cut)(char *text);	/* where one ends: the rest or NULL; NULL: at a comma */
};

/* The arguments of a line, as the struct of its verb. */
#define NATFLOW_ARGS(cmd, type) ({				\
	BUILD_BUG_ON(sizeof(type) > NATFLOW_ARGS_MAX);		\
	(type *)(cmd)->args;					\
})

int natflow_command_parse(const struct natflow_grammar *grammar, const char *line,
			  struct natflow_command *cmd);
int natflow_command_fail(struct natflow_command *cmd, const char *word, const char *expected,
			 int err);
int natflow_command_refuse(struct natflow_command *cmd, const char *expected, const char *example,
			   int err);
int natflow_number_parse(char *value, const struct natflow_verb *verb,
			 struct natflow_command *cmd);
int natflow_choice_parse(char *value, const struct natflow_verb *verb,
			 struct natflow_command *cmd);
int natflow_nothing_parse(char *value, const struct natflow_verb *verb,
			  struct natflow_command *cmd);
int natflow_device_parse(char *value, const struct natflow_verb *verb,
			 struct natflow_command *cmd);
int natflow_fields_parse(char *value, const struct natflow_fields *fields,
			 const struct natflow_verb *verb, struct natflow_command *cmd, u64 *seen);

#endif /* _NATFLOW_LIB_TEXT_GRAMMAR_H */
