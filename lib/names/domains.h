/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of domains, each with a value, and which of them a name is in: itself
 * or below. Names are not kept, only 64 bits that a random key makes of each.
 */
#ifndef _NATFLOW_LIB_NAMES_DOMAINS_H
#define _NATFLOW_LIB_NAMES_DOMAINS_H

#include "../host.h"

#define NATFLOW_DOMAINS_SLOTS 6
#define NATFLOW_DOMAINS_TRIES 4		/* sizes for a set that does not find room */

/* One cache line. */
struct natflow_domains_bucket {
	u64 tag[NATFLOW_DOMAINS_SLOTS];		/* 0: empty */
	u16 value[NATFLOW_DOMAINS_SLOTS];
} __aligned(64);

/*
 * Filled by one, then read by many without a lock: what changes is another set,
 * and the pointer to it. Memory is the caller's, zeroed and aligned.
 */
struct natflow_domains {
	struct natflow_domains_bucket *bucket;
	u32 buckets;
	u32 count;
	u64 key[2];		/* random, chosen before the first name */
};

/* A set as a file: this, then the buckets. In the byte order of the machine that reads it. */
struct natflow_domains_file {
	u64 magic;		/* NATFLOW_DOMAINS_MAGIC, which also tells the byte order */
	u64 key[2];
	u32 buckets;
	u32 count;
};

/* In the value of a list's domain: exempt from blocking. Else the list's action applies. */
#define NATFLOW_DOMAINS_ALLOW 1

#define NATFLOW_DOMAINS_MAGIC 0x6e6174666c6f7731ULL	/* "natflow1" */

/* A domain that a name is in. */
struct natflow_domains_hit {
	u16 value;
	u8 at;			/* where in the name it begins */
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
