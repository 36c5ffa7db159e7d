// SPDX-License-Identifier: GPL-2.0-only
/* Numbers in 16 bits: small ones are exact, others as near as 12 binary digits allow. */
#include "../../lib/rounded.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static u64 round_trip(u64 n)
{
	return natflow_rounded_value(natflow_rounded(n));
}

static void is_near(u64 n)
{
	u64 have = round_trip(n), off = have > n ? have - n : n - have;

	assert_true(off <= n / 4096);
	assert_int_equal(round_trip(have), have);
}

static void test_exact(void **state)
{
	u64 n;

	for (n = 0; n < 4096; n++)
		assert_int_equal(round_trip(n), n);
}

static void test_near(void **state)
{
	u64 n, last = 0;
	unsigned int i;

	for (n = 4096; n < 300000; n++) {
		is_near(n);
		assert_true(round_trip(n) >= last);
		last = round_trip(n);
	}
	for (i = 12; i < 42; i++) {
		is_near((1ULL << i) - 1);
		is_near(1ULL << i);
		is_near((1ULL << i) + 1);
		is_near(5ULL << (i - 2));
	}
	assert_int_equal(natflow_rounded(4095ULL << 30), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
