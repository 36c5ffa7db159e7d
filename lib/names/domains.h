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
	u8 labels;		/* the most of a domain */
	u64 key[2];		/* random, chosen before the first name */
};

/* Header of a set in a file; the buckets follow. Byte order: that of the reading machine. */
struct natflow_domains_file {
	u64 magic;		/* natflow_domains_magic(), which also tells the byte order */
	u64 key[2];
	u32 buckets;
	u32 count;
};

/* Value of a list's domain that is exempt from blocking; others get the list's action. */
#define NATFLOW_DOMAINS_ALLOW 1

/* "natflow", then "1" in sets of natflow 0.1, else 128 + natflow_domains.labels. */
#define NATFLOW_DOMAINS_MAGIC 0x6e6174666c6f7700ULL
#define NATFLOW_DOMAINS_LABELS 127	/* RFC 1035: 255 bytes */

/*
 * A walk over the suffixes of a name, the shortest first: their tags in all sets of one
 * key. Sets of one key share the walk.
 */
struct natflow_suffixes {
	const char *name;
	unsigned int left;	/* characters in front of the suffixes done so far */
	u64 hash;
	u8 labels;		/* of the suffixes done so far */
	u8 count;		/* of @all */
	struct natflow_suffix {
		u64 tag;
		u8 at, labels;
	} all[8];		/* nearly all names have fewer labels */
};

/* A domain that equals a name or is above it. */
struct natflow_domains_hit {
	u16 value;
	u8 at;			/* offset in the name at which it begins */
};

u32 natflow_domains_buckets(u32 names, unsigned int tries);
u64 natflow_domains_tag(struct natflow_domains *d, const char *name, unsigned int len);
u16 *natflow_domains_put(struct natflow_domains *d, u64 tag);
u16 *natflow_domains_add(struct natflow_domains *d, const char *name, unsigned int len);
unsigned int natflow_domains_find(const struct natflow_domains *d, const char *name,
				  unsigned int len, struct natflow_domains_hit *hits,
				  unsigned int max);
bool natflow_suffixes_next(struct natflow_suffixes *s, const u64 key[2], u8 labels);
void natflow_domains_expect(const struct natflow_domains *d, const struct natflow_suffixes *s);
const u16 *natflow_domains_value(const struct natflow_domains *d, const struct natflow_suffix *x);
u64 natflow_domains_magic(const struct natflow_domains *d);
bool natflow_domains_check_magic(struct natflow_domains *d, u64 magic);

#endif /* _NATFLOW_LIB_NAMES_DOMAINS_H */
