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

bool natflow_known_name_valid(const char *text);
int natflow_known_name_parse(char *value, const struct natflow_verb *verb,
			     struct natflow_command *cmd);

#endif /* _NATFLOW_LIB_TEXT_KNOWN_H */
