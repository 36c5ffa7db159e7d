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

/* The highest value decides, however short; of equal ones the longest domain. */
static void test_best(void **state)
{
	struct natflow_domains d = make_set(10);
	struct natflow_domains_hit h;

	assert_false(natflow_domains_best(&d, "com", 3, &h));
	add(&d, "com", 0);
	add(&d, "example.com", 1);
	add(&d, "a.example.com", 0);
	add(&d, "b.a.example.com", 1);
	assert_true(natflow_domains_best(&d, "x.com", 5, &h));
	assert_true(h.value == 0 && h.at == 2);
	assert_true(natflow_domains_best(&d, "a.example.com", 13, &h));
	assert_true(h.value == 1 && h.at == 2);
	assert_true(natflow_domains_best(&d, "1.2.3.4.5.6.7.8.9.b.a.example.com", 33, &h));
	assert_true(h.value == 1 && h.at == 18);
	assert_false(natflow_domains_best(&d, "org", 3, &h));
	free(d.bucket);
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
		cmocka_unit_test(test_suffixes), cmocka_unit_test(test_best), cmocka_unit_test(test_fill), cmocka_unit_test(test_full),
		cmocka_unit_test(test_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
