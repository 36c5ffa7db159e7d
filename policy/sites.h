/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists of sites: a million domains each, whom they are for, and how they come in. */
#ifndef _NATFLOW_POLICY_SITES_H
#define _NATFLOW_POLICY_SITES_H

#include <linux/refcount.h>
#include "../lib/names/domains.h"
#include "../lib/text/line.h"
#include "../lib/text/listline.h"
#include "../lib/text/site.h"

#define NATFLOW_SITES_MAX 64

/* Never changed, but for hits, once it can be found; lists that differ in their policy share it. */
struct natflow_site_names {
	refcount_t ref;
	atomic_t hits;			/* names that were said and are in one of these domains */
	u32 skipped, first_skipped;	/* lines that had no name; number of the first */
	struct natflow_domains set;
};

/* Never changed once it can be found. */
struct natflow_site_list {
	refcount_t ref;
	char name[NATFLOW_NAME_MAX];
	char text[NATFLOW_LINE_MAX];		/* the policy, as it was written */
	struct natflow_site_policy policy;
	struct natflow_site_names *names;	/* NULL: nothing was loaded yet; one reference */
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
