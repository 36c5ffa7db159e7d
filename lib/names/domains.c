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
static u64 step(const u64 key[2], u64 hash, u8 c)
{
	return mix(hash ^ key[0] ^ c, key[1] | 1);
}

static u64 finish(const u64 key[2], u64 hash)
{
	return mix(hash ^ key[1], key[0] | 1) ?: 1;
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
 * natflow_domains_tag() - keyed hash of a domain that will be added
 * @d: set; only its key is read, and its labels are set
 * @name: as natflow_hostname_set() writes it
 * @len: characters, not 0
 */
u64 natflow_domains_tag(struct natflow_domains *d, const char *name, unsigned int len)
{
	u64 hash = 0;
	u8 labels = 1;

	while (len) {
		labels += name[--len] == '.';
		hash = step(d->key, hash, name[len]);
	}
	if (labels > d->labels)
		d->labels = labels;
	return finish(d->key, hash);
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

/**
 * natflow_suffixes_next() - hash the next suffixes of a name
 * @s: zeroed but for @name and @left, the characters of the name
 * @key: of the sets
 * @labels: the most that a domain of the sets has; longer suffixes are left out
 *
 * Return: false if there are no more.
 */
bool natflow_suffixes_next(struct natflow_suffixes *s, const u64 key[2], u8 labels)
{
	s->count = 0;
	while (s->left && s->labels < labels && s->count < ARRAY_SIZE(s->all)) {
		s->hash = step(key, s->hash, s->name[--s->left]);
		if (s->left && s->name[s->left - 1] != '.')
			continue;
		s->all[s->count++] = (struct natflow_suffix){
			.tag = finish(key, s->hash), .at = s->left, .labels = ++s->labels,
		};
	}
	return s->count;
}

/**
 * natflow_domains_expect() - prefetch what natflow_domains_value() will read
 * @d: set
 * @s: after natflow_suffixes_next() with the set's key
 */
void natflow_domains_expect(const struct natflow_domains *d, const struct natflow_suffixes *s)
{
	unsigned int k;

	for (k = 0; k < s->count && s->all[k].labels <= d->labels; k++) {
		prefetch(first_of(d, s->all[k].tag));
		prefetch(second_of(d, s->all[k].tag));
	}
}

/**
 * natflow_domains_value() - look a suffix up
 * @d: set; one without buckets is empty
 * @x: suffix, from natflow_suffixes_next() with the set's key
 *
 * Context: any; takes no lock and writes nothing.
 * Return: the value of that domain, or NULL if it is not in the set.
 */
const u16 *natflow_domains_value(const struct natflow_domains *d, const struct natflow_suffix *x)
{
	return d->buckets && x->labels <= d->labels ? find_value(d, x->tag) : NULL;
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
	struct natflow_suffixes s = { .name = name, .left = d->buckets ? len : 0 };
	unsigned int count = 0, k;

	while (natflow_suffixes_next(&s, d->key, d->labels)) {
		natflow_domains_expect(d, &s);
		for (k = 0; k < s.count; k++) {
			const u16 *value = natflow_domains_value(d, &s.all[k]);

			if (value)
				count = keep(hits, count, max, *value, s.all[k].at);
		}
	}
	return count;
}

/**
 * natflow_domains_magic() - what a file that holds a set begins with
 * @d: set
 */
u64 natflow_domains_magic(const struct natflow_domains *d)
{
	return NATFLOW_DOMAINS_MAGIC | 128 | d->labels;
}

/**
 * natflow_domains_check_magic() - what does a file begin with
 * @d: the set in it; its labels are set
 * @magic: from its header
 *
 * Return: false if the file holds no set for this machine.
 */
bool natflow_domains_check_magic(struct natflow_domains *d, u64 magic)
{
	d->labels = magic & 128 ? magic & NATFLOW_DOMAINS_LABELS : NATFLOW_DOMAINS_LABELS;
	return magic == natflow_domains_magic(d) || magic == (NATFLOW_DOMAINS_MAGIC | '1');
}
