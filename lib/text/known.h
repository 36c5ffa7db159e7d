/* SPDX-License-Identifier: GPL-2.0-only */
/* Arguments of natflow_user_ctl's lines about known devices. */
#ifndef _NATFLOW_LIB_TEXT_KNOWN_H
#define _NATFLOW_LIB_TEXT_KNOWN_H

#include "grammar.h"

#define NATFLOW_KNOWN_NAME_MAX 32	/* with its NUL */

/* Of "name". */
struct natflow_known_args {
	u8 mac[6];
	char name[NATFLOW_KNOWN_NAME_MAX];	/* "": none any more */
};

/* Of "grant". */
struct natflow_grant_args {
	u8 mac[6];
	u32 minutes;		/* 0: none any more */
};

#define NATFLOW_GRANT_MAX (7 * 24 * 60)	/* minutes */

/* Of "restore": what a device has used in a period. */
struct natflow_restore_args {
	u8 mac[6];
	u8 period;		/* index in natflow_period_words */
	u32 at, minutes;	/* number of the period; minutes with traffic in it */
	u64 volume;		/* bytes in it */
};

extern const char * const natflow_period_words[3];

int natflow_grant_parse(char *value, const struct natflow_verb *verb,
			struct natflow_command *cmd);
int natflow_restore_parse(char *value, const struct natflow_verb *verb,
			  struct natflow_command *cmd);
bool natflow_known_name_valid(const char *text);
int natflow_known_name_parse(char *value, const struct natflow_verb *verb,
			     struct natflow_command *cmd);

#endif /* _NATFLOW_LIB_TEXT_KNOWN_H */
