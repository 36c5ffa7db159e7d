// SPDX-License-Identifier: GPL-2.0-only
/* Sets of domains: the edges by hand, then a plain matcher's word on random names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../lib/names/domains.h"
#include "names.h"

static void add(struct natflow_domains *d, const char *name, u16 value)
{
	u16 *v = natflow_domains_add(d, name, strlen(name));

	assert_non_null(v);
	*v = value;
}

static unsigned int find(struct natflow_domains *d, const char *name, struct natflow_domains_hit *hits,
			 unsigned int max)
{
	return natflow_domains_find(d, name, strlen(name), hits, max);
}

static void test_suffixes(void **state)
{
	struct natflow_domains d = make_set(10);
	struct natflow_domains_hit h[4];

	add(&d, "com", 1);
	add(&d, "example.com", 2);
	add(&d, "a.example.com", 3);
	add(&d, "example.com", 4);
	assert_int_equal(d.count, 3);
	assert_int_equal(find(&d, "b.a.example.com", h, 4), 3);
	assert_int_equal(h[0].value, 1);
	assert_int_equal(h[1].value, 4);
	assert_int_equal(h[2].value, 3);
	assert_int_equal(h[2].at, 2);
	assert_int_equal(find(&d, "b.a.example.com", h, 1), 1);
	assert_int_equal(h[0].value, 3);
	assert_int_equal(find(&d, "badexample.com", h, 4), 1);
	assert_int_equal(find(&d, "example.com", h, 4), 2);
	assert_int_equal(h[1].at, 0);
	assert_int_equal(find(&d, "com.example", h, 4), 0);
	assert_int_equal(find(&d, "", h, 4), 0);
	assert_int_equal(find(&d, ".com", h, 4), 1);
	free(d.bucket);
}

/* Sets of one key share a walk, which leaves out suffixes longer than any of their domains. */
static void test_suffixes_shared(void **state)
{
	struct natflow_domains one = make_set(10), two = make_set(10), empty = { .labels = 9 };
	const char *name = "1.2.3.4.5.6.7.8.9.b.a.example.com";
	struct natflow_suffixes s = { .name = name, .left = strlen(name) };
	unsigned int k, found[2] = {}, walked = 0;

	add(&one, "a.example.com", 1);
	add(&two, "com", 2);
	add(&two, "3.4.5.6.7.8.9.b.a.example.com", 3);
	assert_int_equal(one.labels, 3);
	assert_int_equal(two.labels, 11);
	while (natflow_suffixes_next(&s, one.key, two.labels)) {
		natflow_domains_expect(&two, &s);
		for (k = 0; k < s.count; k++) {
			const u16 *a = natflow_domains_value(&one, &s.all[k]);
			const u16 *b = natflow_domains_value(&two, &s.all[k]);

			walked++;
			assert_int_equal(s.all[k].labels, walked);
			assert_null(natflow_domains_value(&empty, &s.all[k]));
			found[0] += a && *a == 1 && !strcmp(name + s.all[k].at, "a.example.com");
			found[1] += b && (*b == 2 ? s.all[k].labels == 1 : s.all[k].at == 4);
			assert_true(!a || walked == 3);
		}
	}
	assert_true(walked == 11 && found[0] == 1 && found[1] == 2);
	free(one.bucket);
	free(two.bucket);
}

/* What a file begins with tells the labels; that of an older version does not. */
static void test_magic(void **state)
{
	struct natflow_domains d = { .labels = 3 }, read = {};
	u64 magic = natflow_domains_magic(&d);

	assert_true(natflow_domains_check_magic(&read, magic) && read.labels == 3);
	assert_true(natflow_domains_check_magic(&read, 0x6e6174666c6f7731ULL));
	assert_int_equal(read.labels, 127);
	assert_false(natflow_domains_check_magic(&read, magic ^ 1ULL << 56));
	assert_false(natflow_domains_check_magic(&read, __builtin_bswap64(magic)));
	assert_false(natflow_domains_check_magic(&read, 0x6e6174666c6f7732ULL));
}

/* As full as natflow_domains_buckets() makes it, for sets of all sizes. */
static void test_fill(void **state)
{
	u32 n, i;

	for (n = 1; n < 3000; n += n / 7 + 1) {
		struct natflow_domains d = make_set(n);
		char name[64];

		for (i = 0; i < n; i++)
			add(&d, domain_of(i, name), i);
		for (i = 0; i < n; i++) {
			struct natflow_domains_hit h[8];
			unsigned int count = find(&d, domain_of(i, name), h, 8);

			assert_true(count > 0);
			assert_int_equal(h[count - 1].at, 0);
			if (i % 10 < 8)			/* of others there are several */
				assert_int_equal(h[count - 1].value, i);
		}
		assert_true(d.count <= n);
		free(d.bucket);
	}
}

/* When there is no room for one more, that is said. */
static void test_full(void **state)
{
	struct natflow_domains d = make_set(0);
	u32 room = d.buckets * NATFLOW_DOMAINS_SLOTS, i;
	char name[64];

	for (i = 0; i <= room; i++) {
		domain_of(i, name);
		if (!natflow_domains_add(&d, name, strlen(name)))
			break;
	}
	assert_true(i <= room && i >= room / 2);
	free(d.bucket);
}

static void test_reference(void **state)
{
	struct reference r = make_reference(20000);
	struct natflow_domains d = make_set(20000);

	fill_set(&d, 20000);
	assert_int_equal(compare(&d, &r, 500000), 0);
	free(d.bucket);
	free_reference(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suffixes), cmocka_unit_test(test_suffixes_shared), cmocka_unit_test(test_magic),
		cmocka_unit_test(test_fill), cmocka_unit_test(test_full),
		cmocka_unit_test(test_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
