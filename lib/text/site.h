/* SPDX-License-Identifier: GPL-2.0-only */
/* Whom a list of sites is for, and when. */
#ifndef _NATFLOW_LIB_TEXT_SITE_H
#define _NATFLOW_LIB_TEXT_SITE_H

#include "../host.h"

struct net;

#define NATFLOW_SITE_SOURCES_MAX 8
#define NATFLOW_SITE_DAY 1440		/* minutes */
#define NATFLOW_SET_NAME_MAX 32		/* with its NUL, as ipset has it */

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

/* For everyone if there is no source; always if there are no days. */
struct natflow_site_policy {
	u8 action;		/* enum natflow_url_action; record: an allow list */
	u8 days;		/* bit 0 is Monday */
	u16 from, to;		/* minutes of the day; @to is not in, and may be below @from */
	u8 sources;
	struct natflow_source source[NATFLOW_SITE_SOURCES_MAX];
	u32 mark, mask;		/* of the conntrack; @mask 0: it stays */
	char add_set[NATFLOW_SET_NAME_MAX];	/* for the server's address, "": none */
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

extern const char * const natflow_action_words[4];	/* by enum natflow_url_action */

bool natflow_source_parse(char *word, struct natflow_source *s);
bool natflow_sources_match(const struct natflow_source *s, unsigned int count,
			   const struct natflow_site_client *client);
int natflow_site_policy_parse(char *text, struct natflow_site_policy *p, const char **word);
bool natflow_site_applies(const struct natflow_site_policy *p,
			  const struct natflow_site_client *client, unsigned int minute);

#endif /* _NATFLOW_LIB_TEXT_SITE_H */
