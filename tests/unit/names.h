/* SPDX-License-Identifier: GPL-2.0-only */
/* Names by number, sets of them, and a matcher as plain as can be. */
#ifndef _NATFLOW_TEST_NAMES_H
#define _NATFLOW_TEST_NAMES_H

#include <stdio.h>
#include "../../lib/names/domains.h"

static inline u32 scramble(u32 x)
{
	x = (x ^ x >> 16) * 0x45d9f3b;
	x = (x ^ x >> 16) * 0x45d9f3b;
	return x ^ x >> 16;
}

/* Domain @i, some below others: 18 characters on average. Return: @name, which holds 64. */
static inline char *domain_of(u32 i, char *name)
{
	u32 s = scramble(i);

	if (i % 10 == 9)
		sprintf(name, "ads%x.site%x.net", s % 97, scramble(i - 1) % (i + 1));
	else if (i % 10 == 8)
		sprintf(name, "site%x.net", scramble(i) % (i + 2));
	else
		sprintf(name, "%x-%x.example.org", i, s);
	return name;
}

/* A name somebody may ask for: in a set of the first @n now and then. */
static inline char *query_of(u32 i, u32 n, char *name)
{
	u32 s = scramble(i + 0x12345678);

	switch (s % 4) {
	case 0:
		return domain_of(scramble(s) % n, name);
	case 1:
		strcpy(name, "www.");
		domain_of(scramble(s) % n, name + 4);
		return name;
	case 2:
		strcpy(name, "x");		/* no label of its own */
		domain_of(scramble(s) % n, name + 1);
		return name;
	default:
		sprintf(name, "%x.a%x.example.org", s, i);
		return name;
	}
}

static inline struct natflow_domains make_set(u32 names)
{
	struct natflow_domains d = {
		.buckets = natflow_domains_buckets(names, 0), .key = { 0x243f6a8885a308d3, 0x13198a2e03707344 },
	};

	d.bucket = aligned_alloc(64, d.buckets * sizeof(*d.bucket));
	memset(d.bucket, 0, d.buckets * sizeof(*d.bucket));
	return d;
}

/* Value: 1 and up, by number, so that later ones of the same name win. */
static inline void fill_set(struct natflow_domains *d, u32 n)
{
	char name[64];
	u32 i;

	for (i = 0; i < n; i++) {
		u16 *v;

		domain_of(i, name);
		v = natflow_domains_add(d, name, strlen(name));
		if (!v)
			abort();
		*v = i % 65535 + 1;
	}
}

/* Sorted by name, then by number. */
struct reference {
	struct named { char name[48]; u32 number; } *all;
	u32 n;
};

static inline int by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int diff = strcmp(x->name, y->name);

	return diff ?: x->number < y->number ? -1 : x->number > y->number;
}

static inline struct reference make_reference(u32 n)
{
	struct reference r = { .all = calloc(n, sizeof(struct named)), .n = n };
	char name[64] = {};
	u32 i;

	for (i = 0; i < n; i++) {
		memcpy(r.all[i].name, domain_of(i, name), sizeof(r.all[i].name) - 1);
		r.all[i].number = i;
	}
	qsort(r.all, n, sizeof(struct named), by_name);
	return r;
}

static inline void free_reference(struct reference *r)
{
	free(r->all);
}

/* The value of exactly that domain, 0 if it is not in the set. */
static inline u16 reference_value(const struct reference *r, const char *name)
{
	u32 low = 0, high = r->n;

	while (low < high) {
		u32 mid = (low + high) / 2;

		if (strcmp(r->all[mid].name, name) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low && !strcmp(r->all[low - 1].name, name) ? r->all[low - 1].number % 65535 + 1 : 0;
}

/* How many of @queries the two answer differently. */
static inline u32 compare(const struct natflow_domains *d, const struct reference *r, u32 queries)
{
	u32 q, wrong = 0;

	for (q = 0; q < queries; q++) {
		struct natflow_domains_hit h[16];
		char name[64], *at;
		unsigned int count;

		query_of(q, r->n, name);
		count = natflow_domains_find(d, name, strlen(name), h, 16);
		/* Longest first, as the reference finds them. */
		for (at = name; at; at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL) {
			u16 value = reference_value(r, at);

			if (!value)
				continue;
			if (!count || h[count - 1].value != value || h[count - 1].at != at - name)
				break;
			count--;
		}
		wrong += at || count;
	}
	return wrong;
}

#endif /* _NATFLOW_TEST_NAMES_H */
