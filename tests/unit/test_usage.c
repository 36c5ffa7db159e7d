// SPDX-License-Identifier: GPL-2.0-only
/* What a device has used in a day, a week and a month. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../lib/text/usage.h"

static void test_volume(void **state)
{
	struct natflow_usage_time now = { .period = { 100, 14, 3 }, .minute = 5, .set = true };
	struct natflow_usage u = { 0 };

	natflow_usage_begin(&u, &now, 1000);
	assert_int_equal(natflow_usage_volume(&u, 0, 1500), 500);
	now.period[0] = 101;
	assert_true(natflow_usage_roll(&u, &now, 1500));
	assert_false(natflow_usage_roll(&u, &now, 1600));
	assert_int_equal(natflow_usage_volume(&u, 0, 1600), 100);
	assert_int_equal(natflow_usage_volume(&u, 1, 1600), 600);
	/* Set back, and right again: nothing is refilled before the next day. */
	now.period[0] = 90;
	assert_false(natflow_usage_roll(&u, &now, 1600));
	now.period[0] = 101;
	assert_false(natflow_usage_roll(&u, &now, 1600));
	assert_int_equal(natflow_usage_volume(&u, 0, 1600), 100);
	/* It was years ahead, and is right now: days begin again. */
	now.period[0] = 2000;
	assert_true(natflow_usage_roll(&u, &now, 1600));
	now.period[0] = 102;
	assert_false(natflow_usage_roll(&u, &now, 1650));
	assert_int_equal(natflow_usage_volume(&u, 0, 1650), 50);
	now.period[0] = 103;
	assert_true(natflow_usage_roll(&u, &now, 1650));
	assert_int_equal(natflow_usage_volume(&u, 0, 1650), 0);
	/* The clock is not set yet. */
	now = (struct natflow_usage_time){ .minute = 1 };
	assert_false(natflow_usage_roll(&u, &now, 1700));
	assert_int_equal(u.period[0], 103);
	/* More than was ever counted, and never less. */
	natflow_usage_restore(&u, 0, 1700, 1ULL << 40, 3);
	assert_true(natflow_usage_volume(&u, 0, 1701) == (1ULL << 40) + 1);
	natflow_usage_restore(&u, 0, 1701, 5, 2);
	assert_true(natflow_usage_volume(&u, 0, 1701) == (1ULL << 40) + 1);
	assert_int_equal(u.minutes[0], 3);
}

static void test_minutes(void **state)
{
	struct natflow_usage_time now = { .minute = 5, .set = true };
	struct natflow_usage u = { 0 };

	natflow_usage_begin(&u, &now, 0);
	assert_true(natflow_usage_late(&u, 0, 5, 0));
	natflow_usage_touch(&u, 5);
	natflow_usage_touch(&u, 5);
	assert_int_equal(u.minutes[2], 1);
	assert_false(natflow_usage_late(&u, 0, 5, 1));
	assert_true(natflow_usage_late(&u, 0, 6, 1));
	assert_false(natflow_usage_late(&u, 0, 6, 2));
	/* A byte that was told late opens no other minute. */
	natflow_usage_touch(&u, 6);
	assert_true(natflow_usage_late(&u, 0, 6, 1));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_volume),
		cmocka_unit_test(test_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
