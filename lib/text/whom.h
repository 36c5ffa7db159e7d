/* SPDX-License-Identifier: GPL-2.0-only */
/* Selectors: which clients a rule or a list is for. */
#ifndef _NATFLOW_LIB_TEXT_WHOM_H
#define _NATFLOW_LIB_TEXT_WHOM_H

#include "words.h"

struct net;

enum natflow_source_kind {
	NATFLOW_SOURCE_PREFIX,
	NATFLOW_SOURCE_MAC,
	NATFLOW_SOURCE_DEV,
	NATFLOW_SOURCE_SET,
};

struct natflow_source {
	u8 kind;		/* enum natflow_source_kind */
	u8 family;		/* of a prefix, NFPROTO_* */
	u8 len;			/* its bits */
	union {
		u8 addr[16];	/* network order; the first 6 bytes for a MAC */
		char name[NATFLOW_SET_NAME_MAX];	/* of an interface or a set */
	};
};

/* A client, as lists look at it. */
struct natflow_site_client {
	u8 family;		/* NFPROTO_* */
	u8 addr[16];		/* network order */
	u8 mac[6] __aligned(2);	/* 0: none */
	char dev[16];		/* where its packets come in */
	struct net *net;
	/* 1 if it is in a set of @net's, else 0 or an errno. NULL: there are none. */
	int (*in_set)(const struct natflow_site_client *client, const char *name);
};

bool natflow_source_parse(char *word, struct natflow_source *s);
bool natflow_sources_match(const struct natflow_source *s, unsigned int count,
			   const struct natflow_site_client *client);

#endif /* _NATFLOW_LIB_TEXT_WHOM_H */
