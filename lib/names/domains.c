// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains are keyed 64-bit tags in buckets of one cache line. The tag selects two
 * buckets, and the domain is in one of them. With a million domains a false hit
 * occurs once in about 10^12 lookups. Choosing such a name requires the key.
 */
#include "domains.h"

/* In percent. Two choices of six slots allow 99; a lower load finds a slot at once. */
#define FILL 92
/* Domains moved to make room for one; this limit has never been reached. */
#define MOVES_MAX 500

/**
 * natflow_domains_buckets() - size of a set
 * @names: number of domains that will be added
 * @tries: number of smaller sets that were too small for them
 *
 * Return: for natflow_domains.buckets.
 */
u32 natflow_domains_buckets(u32 names, unsigned int tries)
{
	return ((u64)names * 100 / (NATFLOW_DOMAINS_SLOTS * FILL) + 2) * (20 + tries) / 20;
}

/* Fold both halves of the product: every bit of a character reaches every bit of the tag. */
static u64 mix(u64 a, u64 b)
{
	return a * b ^ mul_u64_u64_shr(a, b, 64);
}

/* Extend the hash of a suffix by the character in front of it. */
static u64 step(const struct natflow_domains *d, u64 hash, u8 c)
{
	return mix(hash ^ d->key[0] ^ c, d->key[1] | 1);
}

static u64 finish(const struct natflow_domains *d, u64 hash)
{
	return mix(hash ^ d->key[1], d->key[0] | 1) ?: 1;
}

static struct natflow_domains_bucket *first_of(const struct natflow_domains *d, u64 tag)
{
	return &d->bucket[(tag >> 32) * d->buckets >> 32];
}

/* Never the first bucket. */
static struct natflow_domains_bucket *second_of(const struct natflow_domains *d, u64 tag)
{
	struct natflow_domains_bucket *b = &d->bucket[(u64)(u32)tag * d->buckets >> 32];

	if (b == first_of(d, tag) && ++b == d->bucket + d->buckets)
		b = d->bucket;
	return b;
}

static int slot_of(const struct natflow_domains_bucket *b, u64 tag)
{
	int i;

	for (i = 0; i < NATFLOW_DOMAINS_SLOTS; i++)
		if (b->tag[i] == tag)
			return i;
	return -1;
}

/* Replace a domain in a full bucket and move it to its other bucket; repeat there if full. */
static bool make_room(struct natflow_domains *d, struct natflow_domains_bucket *b, u64 tag,
		      u16 value)
{
	unsigned int moves;

	for (moves = 0; moves < MOVES_MAX; moves++) {
		int i = slot_of(b, 0);
		bool empty = i >= 0;
		u64 other_tag;
		u16 other;

		if (!empty)
			i = (tag >> 16 ^ moves) % NATFLOW_DOMAINS_SLOTS;
		other_tag = b->tag[i];
		other = b->value[i];
		b->tag[i] = tag;
		b->value[i] = value;
		if (empty)
			return true;
		tag = other_tag;
		value = other;
		b = b == first_of(d, tag) ? second_of(d, tag) : first_of(d, tag);
	}
	return false;
}

static u16 *find_value(const struct natflow_domains *d, u64 tag)
{
	struct natflow_domains_bucket *b = first_of(d, tag);
	int i = slot_of(b, tag);

	if (i < 0) {
		b = second_of(d, tag);
		i = slot_of(b, tag);
	}
	return i < 0 ? NULL : &b->value[i];
}

/**
 * natflow_domains_tag() - keyed hash of a domain
 * @d: set; only its key is read
 * @name: as natflow_hostname_set() writes it
 * @len: characters, not 0
 */
u64 natflow_domains_tag(const struct natflow_domains *d, const char *name, unsigned int len)
{
	u64 hash = 0;

	while (len)
		hash = step(d, hash, name[--len]);
	return finish(d, hash);
}

/**
 * natflow_domains_put() - add a domain if it is not in the set
 * @d: set
 * @tag: from natflow_domains_tag()
 *
 * Return: pointer to its value, 0 for a new domain; valid until the next call.
 * NULL if there is no room. The set has then lost a domain: the caller discards
 * it and makes a larger one.
 */
u16 *natflow_domains_put(struct natflow_domains *d, u64 tag)
{
	u16 *value = find_value(d, tag);

	if (value)
		return value;
	if (!make_room(d, slot_of(first_of(d, tag), 0) >= 0 ? first_of(d, tag) : second_of(d, tag),
		       tag, 0))
		return NULL;
	d->count++;
	return find_value(d, tag);
}

/**
 * natflow_domains_add() - natflow_domains_put() for a name
 * @d: set
 * @name: as natflow_hostname_set() writes it
 * @len: characters, not 0
 *
 * Return: as natflow_domains_put().
 */
u16 *natflow_domains_add(struct natflow_domains *d, const char *name, unsigned int len)
{
	return natflow_domains_put(d, natflow_domains_tag(d, name, len));
}

/* A suffix that may be in the set; its buckets are being prefetched. */
struct candidate {
	u64 tag;
	unsigned int at;
};

/* A walk over the suffixes of a name, the shortest first. */
struct walk {
	const char *name;
	unsigned int left;	/* characters in front of the suffixes done so far */
	u64 hash;
	unsigned int count;
	struct candidate all[8];	/* nearly all names have fewer labels */
};

static void expect(const struct natflow_domains *d, struct walk *w)
{
	struct candidate *c = &w->all[w->count++];

	c->tag = finish(d, w->hash);
	c->at = w->left;
	prefetch(first_of(d, c->tag));
	prefetch(second_of(d, c->tag));
}

/* Collect the next candidates. Return: false at the end of the name. */
static bool walk_on(const struct natflow_domains *d, struct walk *w)
{
	w->count = 0;
	while (w->left && w->count < ARRAY_SIZE(w->all)) {
		w->hash = step(d, w->hash, w->name[--w->left]);
		if (!w->left || w->name[w->left - 1] == '.')
			expect(d, w);
	}
	return w->count;
}

/* Append a hit; drop the shortest if there are @max. Return: number of hits. */
static unsigned int keep(struct natflow_domains_hit *hits, unsigned int count, unsigned int max,
			 u16 value, unsigned int at)
{
	if (count == max)
		memmove(hits, hits + 1, --count * sizeof(*hits));
	hits[count] = (struct natflow_domains_hit){ .value = value, .at = at };
	return count + 1;
}

/**
 * natflow_domains_find() - find the domains that equal a name or are above it
 * @d: set; one without buckets is empty
 * @name: as natflow_hostname_set() writes it
 * @len: characters
 * @hits: the result, longest domain last
 * @max: size of @hits, not 0; if more domains match, the longest are kept
 *
 * Context: any; takes no lock and writes only @hits.
 * Return: number of hits.
 */
unsigned int natflow_domains_find(const struct natflow_domains *d, const char *name,
				  unsigned int len, struct natflow_domains_hit *hits,
				  unsigned int max)
{
	struct walk w = { .name = name, .left = d->buckets ? len : 0 };
	unsigned int count = 0, k;

	while (walk_on(d, &w)) {
		for (k = 0; k < w.count; k++) {
			const u16 *value = find_value(d, w.all[k].tag);

			if (value)
				count = keep(hits, count, max, *value, w.all[k].at);
		}
	}
	return count;
}

/**
 * natflow_domains_best() - find the matching domain with the highest value
 * @d: set; one without buckets is empty
 * @name: as natflow_hostname_set() writes it
 * @len: characters
 * @hit: the result; the longest domain if several have that value
 *
 * Context: any; takes no lock and writes only @hit.
 * Return: false if no domain matches.
 */
bool natflow_domains_best(const struct natflow_domains *d, const char *name, unsigned int len,
			  struct natflow_domains_hit *hit)
{
	struct walk w = { .name = name, .left = d->buckets ? len : 0 };
	bool found = false;
	unsigned int k;

	while (walk_on(d, &w)) {
		for (k = 0; k < w.count; k++) {
			const u16 *value = find_value(d, w.all[k].tag);

			if (!value || (found && *value < hit->value))
				continue;
			*hit = (struct natflow_domains_hit){ .value = *value, .at = w.all[k].at };
			found = true;
		}
	}
	return found;
}
