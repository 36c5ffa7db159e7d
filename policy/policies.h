/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Policies, and whom they are bound to. Of the binds that are for a client, the most
 * specific one decides whose policy has its effect now: device, name, address, prefix
 * (the longest), set (the first that was written), zone.
 */
#ifndef _NATFLOW_POLICY_POLICIES_H
#define _NATFLOW_POLICY_POLICIES_H

#include <linux/siphash.h>
#include "../lib/text/policy.h"
#include "../lib/text/whom.h"

#define NATFLOW_POLICIES_MAX	1024
#define NATFLOW_BINDS_MAX	65536
#define NATFLOW_SET_BINDS_MAX	64	/* each may be asked once a second and user */

struct natflow_bind {
	struct natflow_subject of;
	u16 policy;			/* index; NATFLOW_POLICIES_MAX: unbound */
	u32 next;			/* 1 + index of the next in the bucket; 0: none */
};

/* Read under RCU and immutable: a writer replaces all of it. */
struct natflow_policies {
	unsigned int count;		/* of @policy; those without a name are free */
	unsigned int binds;		/* of @bind, unbound ones too */
	unsigned int room, binds_room;	/* for so many */
	u32 of_kind[NATFLOW_SUBJECTS];	/* binds */
	u32 lens[2][129];		/* binds of prefixes, by family and bits */
	u32 set[NATFLOW_SET_BINDS_MAX];	/* indices of binds, in the order of writing */
	siphash_key_t key;
	u32 mask;			/* of @bucket */
	u32 *bucket;			/* 1 + index of a bind; 0: empty */
	struct natflow_bind *bind;
	struct natflow_policy policy[];
};

/* A client, as binds look at it. */
struct natflow_policy_client {
	const struct natflow_site_client *site;
	const char *name;		/* of its device; NULL: it has none */
	u8 zone;
};

extern const struct natflow_policies natflow_policies_none;	/* of all who have none */

struct natflow_policies *natflow_policies_alloc(const struct natflow_policies *old,
						unsigned int more);
void natflow_policies_free(const struct natflow_policies *p);
void natflow_policies_clear(struct natflow_policies *p);
int natflow_policies_named(const struct natflow_policies *p, const char *name);
int natflow_policies_add(struct natflow_policies *p, const struct natflow_policy *policy);
int natflow_policies_change(struct natflow_policies *p, const struct natflow_policy *policy);
const struct natflow_bind *natflow_policies_bind_of(const struct natflow_policies *p,
						    unsigned int policy);
const struct natflow_bind *natflow_policies_bound(const struct natflow_policies *p,
						  const struct natflow_subject *of);
void natflow_policies_remove(struct natflow_policies *p, unsigned int policy);
int natflow_policies_bind(struct natflow_policies *p, unsigned int policy,
			  const struct natflow_subject *of);
void natflow_policies_unbind(struct natflow_policies *p, const struct natflow_subject *of);
int natflow_policies_find(const struct natflow_policies *p,
			  const struct natflow_policy_client *client, unsigned int minute);
bool natflow_policies_pace(const struct natflow_policies *p);
bool natflow_policies_differ(const struct natflow_policies *p, unsigned int a, unsigned int b);

#endif /* _NATFLOW_POLICY_POLICIES_H */
