/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of domains with a value each. A lookup finds the domains that equal a
 * name or are above it. The set stores a keyed 64-bit hash of each domain, not
 * its text.
 */
#ifndef _NATFLOW_LIB_NAMES_DOMAINS_H
#define _NATFLOW_LIB_NAMES_DOMAINS_H

#include "../host.h"

#define NATFLOW_DOMAINS_SLOTS 6
#define NATFLOW_DOMAINS_TRIES 4		/* times that a too small set is enlarged */

/* One cache line. */
struct natflow_domains_bucket {
	u64 tag[NATFLOW_DOMAINS_SLOTS];		/* 0: empty */
	u16 value[NATFLOW_DOMAINS_SLOTS];
} __aligned(64);

/*
 * One writer fills the set; then readers need no lock, because the set never
 * changes again. A change makes a new set and replaces the pointer. The caller
 * allocates the memory, zeroed and aligned.
 */
struct natflow_domains {
	struct natflow_domains_bucket *bucket;
	u32 buckets;
	u32 count;
	u64 key[2];		/* random, chosen before the first name */
};

/* Header of a set in a file; the buckets follow. Byte order: that of the reading machine. */
struct natflow_domains_file {
	u64 magic;		/* NATFLOW_DOMAINS_MAGIC, which also tells the byte order */
	u64 key[2];
	u32 buckets;
	u32 count;
};

/* Value of a list's domain that is exempt from blocking; others get the list's action. */
#define NATFLOW_DOMAINS_ALLOW 1

#define NATFLOW_DOMAINS_MAGIC 0x6e6174666c6f7731ULL	/* "natflow1" */

/* A domain that equals a name or is above it. */
struct natflow_domains_hit {
	u16 value;
	u8 at;			/* offset in the name at which it begins */
};

u32 natflow_domains_buckets(u32 names, unsigned int tries);
u64 natflow_domains_tag(const struct natflow_domains *d, const char *name, unsigned int len);
u16 *natflow_domains_put(struct natflow_domains *d, u64 tag);
u16 *natflow_domains_add(struct natflow_domains *d, const char *name, unsigned int len);
unsigned int natflow_domains_find(const struct natflow_domains *d, const char *name,
				  unsigned int len, struct natflow_domains_hit *hits,
				  unsigned int max);
bool natflow_domains_best(const struct natflow_domains *d, const char *name, unsigned int len,
			  struct natflow_domains_hit *hit);

#endif /* _NATFLOW_LIB_NAMES_DOMAINS_H */
