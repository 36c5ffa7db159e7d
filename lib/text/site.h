/* SPDX-License-Identifier: GPL-2.0-only */
/* Whom a list of sites is for, and when. */
#ifndef _NATFLOW_LIB_TEXT_SITE_H
#define _NATFLOW_LIB_TEXT_SITE_H

#include "schedule.h"
#include "whom.h"

#define NATFLOW_SITE_SOURCES_MAX 8

/* For every client if there is no source. */
struct natflow_site_policy {
	u8 action;		/* enum natflow_url_action; record: an allow list */
	struct natflow_schedule schedule;
	u8 sources;
	struct natflow_source source[NATFLOW_SITE_SOURCES_MAX];
	u32 mark, mask;		/* of the conntrack; @mask 0: it stays */
	char add_set[NATFLOW_SET_NAME_MAX];	/* for addresses of its names, "": none */
	bool add_visited;	/* to @add_set: every server to which a client says the name */
};

extern const char * const natflow_action_words[4];	/* by enum natflow_url_action */

int natflow_site_policy_parse(char *text, struct natflow_site_policy *p, const char **word);
bool natflow_site_applies(const struct natflow_site_policy *p,
			  const struct natflow_site_client *client, unsigned int minute);

#endif /* _NATFLOW_LIB_TEXT_SITE_H */
