/* SPDX-License-Identifier: GPL-2.0-only */
/* Arguments of hostacl_ctl's lines: rules and lists. */
#ifndef _NATFLOW_LIB_TEXT_RULE_H
#define _NATFLOW_LIB_TEXT_RULE_H

#include "../names/hostname.h"
#include "grammar.h"
#include "site.h"

/* Of "add acl=" and "del acl=". */
struct natflow_rule_args {
	u8 id, action;
	struct natflow_hostname host;
};

enum natflow_list_act {
	NATFLOW_LIST_POLICY,	/* make the list, or replace its policy */
	NATFLOW_LIST_LOAD,	/* its names follow, up to a line "end" or as @bytes bytes */
	NATFLOW_LIST_REMOVE,
};

/* Of "list name=". */
struct natflow_list_args {
	enum natflow_list_act act;
	bool skip;		/* of a load: leave out lines without a name */
	u32 bytes;		/* of a load; 0: it ends with a line "end" */
	char name[NATFLOW_NAME_MAX];
	char text[NATFLOW_LINE_MAX];	/* the policy as it was written */
	struct natflow_site_policy policy;
};

int natflow_rule_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd);
int natflow_rule_host_parse(char *value, const struct natflow_verb *verb,
			    struct natflow_command *cmd);
int natflow_list_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd);

#endif /* _NATFLOW_LIB_TEXT_RULE_H */
