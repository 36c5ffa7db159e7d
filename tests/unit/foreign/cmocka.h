/* SPDX-License-Identifier: GPL-2.0-only */
/* As much of cmocka as tests of pure code need, for machines whose cmocka is not installed. */
#ifndef _NATFLOW_TEST_CMOCKA_H
#define _NATFLOW_TEST_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*run)(void **state);
};

#define cmocka_unit_test(f) { #f, f }
#define assert_true(good) foreign_is(!!(good), #good, __FILE__, __LINE__)
#define assert_false(bad) foreign_is(!(bad), "not " #bad, __FILE__, __LINE__)
#define assert_int_equal(a, b) foreign_is((a) == (b), #a " == " #b, __FILE__, __LINE__)
#define assert_null(p) foreign_is(!(p), #p " == NULL", __FILE__, __LINE__)
#define assert_non_null(p) foreign_is(!!(p), #p " != NULL", __FILE__, __LINE__)
#define assert_memory_equal(a, b, n) \
	foreign_is(!memcmp(a, b, n), "bytes of " #a " and " #b, __FILE__, __LINE__)

static inline void foreign_is(int good, const char *what, const char *file, int line)
{
	if (good)
		return;
	printf("# %s:%d: %s does not hold\n", file, line, what);
	exit(1);
}

#define cmocka_run_group_tests(tests, setup, end) \
	foreign_run(tests, sizeof(tests) / sizeof((tests)[0]))

static inline int foreign_run(const struct CMUnitTest *tests, unsigned int count)
{
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%u\n", count);
	for (i = 0; i < count; i++) {
		tests[i].run(NULL);
		printf("ok %u - %s\n", i + 1, tests[i].name);
	}
	return 0;
}

#endif /* _NATFLOW_TEST_CMOCKA_H */
