/* SPDX-License-Identifier: GPL-2.0-only */
/* The lines that give devices a zone: "lan_zone N=NAME" and "wan_zone N=NAME+". */
#ifndef _NATFLOW_LIB_TEXT_ZONE_H
#define _NATFLOW_LIB_TEXT_ZONE_H

#include "grammar.h"

#define NATFLOW_ZONE_ID_MAX 126
#define NATFLOW_ZONE_LINES_MAX 128
#define NATFLOW_ZONE_TEXT_MAX 32	/* a line as text, with its NUL */

struct natflow_zone_line {
	u8 id;
	bool lan;
	bool prefix;		/* names that begin so: it was written with "+" */
	char name[NATFLOW_NAME_MAX];
};

/* In the order in which they were written; no two have one name. */
struct natflow_zone_lines {
	unsigned int count;
	struct natflow_zone_line line[NATFLOW_ZONE_LINES_MAX];
};

/* Of "lan_zone" and "wan_zone". */
struct natflow_zone_args {
	struct natflow_zone_line line;
	const char *value;	/* as it was written */
	char refusal[80];	/* what to say if another line contradicts */
};

int natflow_lan_zone_parse(char *value, const struct natflow_verb *verb,
			   struct natflow_command *cmd);
int natflow_wan_zone_parse(char *value, const struct natflow_verb *verb,
			   struct natflow_command *cmd);
const char *natflow_zone_line_text(const struct natflow_zone_line *line, char *text);
int natflow_zone_lines_add(struct natflow_zone_lines *lines, const struct natflow_zone_line *line,
			   const struct natflow_zone_line **other);
const struct natflow_zone_line *
natflow_zone_lines_find(const struct natflow_zone_lines *lines, const char *name);

#endif /* _NATFLOW_LIB_TEXT_ZONE_H */
