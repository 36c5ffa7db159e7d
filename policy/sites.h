/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists of domains, up to a million each: the clients they apply to, and loading. */
#ifndef _NATFLOW_POLICY_SITES_H
#define _NATFLOW_POLICY_SITES_H

#include <linux/refcount.h>
#include "../lib/names/domains.h"
#include "../lib/text/line.h"
#include "../lib/text/listline.h"
#include "../lib/text/site.h"

#define NATFLOW_SITES_MAX 64

/* Immutable once published, except @hits. Shared by versions of a list's policy. */
struct natflow_site_names {
	refcount_t ref;
	atomic_t hits;			/* names of clients that are in one of the domains */
	u32 skipped, first_skipped;	/* lines without a domain; number of the first */
	struct natflow_domains set;
};

/* Immutable once published. */
struct natflow_site_list {
	refcount_t ref;
	char name[NATFLOW_NAME_MAX];
	char text[NATFLOW_LINE_MAX];		/* the policy, as it was written */
	struct natflow_site_policy policy;
	struct natflow_site_names *names;	/* NULL: not loaded yet; one reference */
};

struct natflow_site_list *natflow_site_list_make(const char *name, const char *text,
						 const struct natflow_site_policy *policy,
						 struct natflow_site_names *names);
void natflow_site_list_put(struct natflow_site_list *list);
void natflow_site_names_put(struct natflow_site_names *names);

struct natflow_site_load;

struct natflow_site_load *natflow_site_load_begin(const char *name, u32 bytes, bool skip);
int natflow_site_load_feed(struct natflow_site_load *load, const char *data, size_t len,
			   size_t *used);
struct natflow_site_names *natflow_site_load_end(struct natflow_site_load *load);
const char *natflow_site_load_name(const struct natflow_site_load *load);
u32 natflow_site_load_skipped(const struct natflow_site_load *load, u32 *first);
const struct natflow_listline *natflow_site_load_line(const struct natflow_site_load *load);
void natflow_site_load_free(struct natflow_site_load *load);

#endif /* _NATFLOW_POLICY_SITES_H */
