/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules of natflow_qos_ctl: which flows share which rates. */
#ifndef _NATFLOW_LIB_TEXT_LIMIT_H
#define _NATFLOW_LIB_TEXT_LIMIT_H

#include "../bucket.h"
#include "grammar.h"

#define NATFLOW_LIMIT_ADDR_MAX	48	/* an address as text, with its NUL */

enum natflow_limit_kind {
	NATFLOW_LIMIT_ANY,
	NATFLOW_LIMIT_PREFIX,
	NATFLOW_LIMIT_SET,
};

/* One end of a flow. Unused bytes are zero: ends are compared as memory. */
struct natflow_limit_end {
	u8 kind;		/* enum natflow_limit_kind */
	u8 family, len;		/* of a prefix */
	u16 port;		/* host order; 0: any */
	union {
		u8 addr[16];	/* network order */
		char set[NATFLOW_SET_NAME_MAX];
	};
};

struct natflow_limit_match {
	struct natflow_limit_end user, remote;
	u8 proto;		/* IPPROTO_TCP or _UDP; 0: any */
};

/* @rx is what users receive. */
struct natflow_limit_rates {
	u64 rx, tx;		/* bytes a second; 0: no limit */
	u32 burst;		/* bytes; 0: by default */
};

/* Of "add". */
struct natflow_limit_args {
	struct natflow_limit_match match;
	struct natflow_limit_rates rates;
	bool police;		/* out=police */
	char group[NATFLOW_NAME_MAX];	/* "": none */
	u8 dscp, prio;		/* 1 + what packets get; 0: they keep theirs */
};

/* Of "group". */
struct natflow_group_args {
	char name[NATFLOW_NAME_MAX];
	struct natflow_limit_rates rates;
};

/* Of "set-token-ctrl". */
struct natflow_token_args {
	u8 family;		/* NFPROTO_* */
	u8 addr[16];		/* network order */
	u64 rx, tx;		/* as above */
};

int natflow_limit_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd);
int natflow_limit_print(const struct natflow_limit_args *limit, char *text, size_t size);
int natflow_group_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd);
int natflow_group_print(const struct natflow_group_args *group, char *text, size_t size);
int natflow_token_parse(char *value, const struct natflow_verb *verb, struct natflow_command *cmd);
bool natflow_limit_matches(const struct natflow_limit_end *end, u8 family, const u8 *addr,
			   u16 port);

#endif /* _NATFLOW_LIB_TEXT_LIMIT_H */
