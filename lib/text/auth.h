/* SPDX-License-Identifier: GPL-2.0-only */
/* Arguments of natflow_user_ctl's lines: who may use the line, and who has to log in first. */
#ifndef _NATFLOW_LIB_TEXT_AUTH_H
#define _NATFLOW_LIB_TEXT_AUTH_H

#include "settings.h"

#define NATFLOW_AUTH_RULES_MAX 1024
#define NATFLOW_AUTH_NO_RULE 255	/* what readers of the original's records know it by */
#define NATFLOW_AUTH_ZONE_MAX 126

enum natflow_auth_type {
	NATFLOW_AUTH_UNKNOWN,
	NATFLOW_AUTH_AUTO,	/* its users may use the line */
	NATFLOW_AUTH_WEB,	/* its users are sent to the portal first */
	NATFLOW_AUTH_TYPES
};

/* Of "auth". A set's name "" is none. */
struct natflow_auth_rule {
	u16 id;			/* below NATFLOW_AUTH_RULES_MAX; the lowest that matches decides */
	u8 zone;
	u8 type;		/* enum natflow_auth_type */
	char group[NATFLOW_SET_NAME_MAX];	/* whom it is for */
	char ip_white[NATFLOW_SET_NAME_MAX];	/* those of them who need no login, by address */
	char mac_white[NATFLOW_SET_NAME_MAX];	/* and by MAC */
};

/* Of "set-status". */
struct natflow_status_args {
	struct natflow_address_args of;
	u8 status;
};

#define NATFLOW_AUTH_STATUS_MAX 6
#define NATFLOW_AUTH_STATUS_UNKNOWN 15

#define NATFLOW_AUTH_TEXT_MAX 192	/* a rule as text, with its NUL */

extern const char * const natflow_auth_type_words[NATFLOW_AUTH_TYPES];

bool natflow_auth_equal(const struct natflow_auth_rule *a, const struct natflow_auth_rule *b);
int natflow_auth_print(const struct natflow_auth_rule *rule, char *text, size_t size);
int natflow_auth_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd);
int natflow_status_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd);
int natflow_auth_set_parse(char *value, const struct natflow_verb *verb,
			   struct natflow_command *cmd);
int natflow_auth_portal4_parse(char *value, const struct natflow_verb *verb,
			       struct natflow_command *cmd);
int natflow_auth_portal6_parse(char *value, const struct natflow_verb *verb,
			       struct natflow_command *cmd);
int natflow_auth_https_parse(char *value, const struct natflow_verb *verb,
			     struct natflow_command *cmd);

#endif /* _NATFLOW_LIB_TEXT_AUTH_H */
