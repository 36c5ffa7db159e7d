// SPDX-License-Identifier: GPL-2.0-only
/* Local time against the C library's, over both changes of the clock, for 40 years. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>
#include "../../lib/text/timezone.h"

/* As tzdata has them for: Berlin, London, New York, Sydney, Auckland, Lord Howe, Santiago, Kolkata, Istanbul, UTC, Dublin ... */
static const char * const zones[] = {
	"CET-1CEST,M3.5.0,M10.5.0/3", "GMT0BST,M3.5.0/1,M10.5.0", "EST5EDT,M3.2.0,M11.1.0", "AEST-10AEDT,M10.1.0,M4.1.0/3",
	"NZST-12NZDT,M9.5.0,M4.1.0/3", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "<-04>4<-03>,M9.1.6/24,M4.1.6/24", "IST-5:30",
	"<+03>-3", "UTC0", "IST-1GMT0,M10.5.0,M3.5.0/1", "PST8PDT,M3.2.0,M11.1.0", "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
	"AAA+3:04:05BBB-1,J60/1,J300/23:59:59", "AAA-3BBB,59/0,300", "HST10", "<-11>11", "<+14>-14",
};

static long check(const char *zone, const struct natflow_timezone *tz, time_t t)
{
	s32 east = natflow_timezone_east(tz, t);
	struct natflow_local local;
	struct tm tm;

	localtime_r(&t, &tm);
	natflow_local_set(&local, t, east);
	if (tm.tm_gmtoff != east || local.minute != ((tm.tm_wday + 6) % 7 * 24 + tm.tm_hour) * 60 + tm.tm_min ||
	    local.second != tm.tm_sec || local.month != (u32)((tm.tm_year - 70) * 12 + tm.tm_mon))
		fail_msg("%s: at %ld %d seconds east, not %ld; minute %u, month %u", zone, (long)t, east, tm.tm_gmtoff,
			 local.minute, local.month);
	assert_int_equal(local.day, (t + tm.tm_gmtoff) / 86400);
	assert_int_equal(local.week, (local.day + 3) / 7);
	return east;
}

/* The change between two moments, to the second. */
static void bisect(const char *zone, const struct natflow_timezone *tz, time_t from, time_t to)
{
	s32 was = natflow_timezone_east(tz, from);

	while (to - from > 1) {
		time_t middle = (from + to) / 2;

		if (natflow_timezone_east(tz, middle) == was)
			from = middle;
		else
			to = middle;
	}
	check(zone, tz, from);
	check(zone, tz, to);
}

static void test_libc(void **state)
{
	static const time_t begin = 978307200, end = 2240611200;	/* 2001 to 2041 */
	struct natflow_timezone tz;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(zones); i++) {
		unsigned int changes = 0;
		long before;
		time_t t;

		setenv("TZ", zones[i], 1);
		tzset();
		assert_true(natflow_timezone_read(zones[i], &tz));
		before = check(zones[i], &tz, begin);
		for (t = begin + 6007; t < end; t += 6007) {
			long east = check(zones[i], &tz, t);

			if (east != before) {
				bisect(zones[i], &tz, t - 6007, t);
				changes++;
			}
			before = east;
		}
		assert_int_equal(changes, tz.saves ? 80 : 0);
	}
}

/* What the C library reads otherwise: hours beyond a day, and daylight saving all year. */
static void test_beyond(void **state)
{
	struct natflow_timezone tz;

	/* Gaza: the Saturday behind the fourth Thursday of March 2025 is the 29th, at 02:00. */
	assert_true(natflow_timezone_read("EET-2EEST,M3.4.4/50,M10.4.4/50", &tz));
	assert_int_equal(natflow_timezone_east(&tz, 1743206399), 7200);
	assert_int_equal(natflow_timezone_east(&tz, 1743206400), 10800);
	/* Nuuk: the Saturday before the last Sunday of March 2025, at 23:00. */
	assert_true(natflow_timezone_read("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", &tz));
	assert_int_equal(natflow_timezone_east(&tz, 1743296399), -7200);
	assert_int_equal(natflow_timezone_east(&tz, 1743296400), -3600);
	assert_true(natflow_timezone_read("EST5EDT,0/0,J365/25", &tz));
	for (u64 t = 1735600000; t < 1767300000; t += 900)
		assert_int_equal(natflow_timezone_east(&tz, t), -4 * 3600);
}

static void test_edges(void **state)
{
	struct natflow_timezone tz;
	struct natflow_local local;

	/* 1970 began on a Thursday; what would be before counts as its begin. */
	natflow_local_set(&local, 0, -3600);
	assert_int_equal(local.minute, 3 * NATFLOW_DAY);
	assert_int_equal(local.day | local.week | local.month, 0);
	natflow_local_set(&local, UINT64_MAX / 4, 0);
	assert_int_equal(local.month, (9999 - 1970) * 12 + 11);
	assert_true(natflow_timezone_read("CET-1CEST,M3.5.0,M10.5.0/3", &tz));
	assert_int_equal(natflow_timezone_east(&tz, UINT64_MAX / 4), 3600);
	assert_int_equal(natflow_timezone_east(&tz, 0), 3600);
}

static void test_bad(void **state)
{
	static const char * const bad[] = {
		"", "CET", "CE-1", "-1", "<+3>", "<+3-3", "<>0", "CET-1CEST", "CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,",
		"CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M0.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.0.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3.5,M10.5.0", "CET-1CEST,J0,J1", "CET-1CEST,J366,J1", "CET-1CEST,366,1",
		"CET-1CEST,M3.5.0/168,M10.5.0", "CET-1CEST,M3.5.0/,M10.5.0", "CET-1CEST,M3.5.0/2:60,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0/3x",
		"CET-25", "CET--1", "CET-1:60", "CET-1:00:00:00", "CET-1 ", "Europe/Berlin", ":CET-1", "CET-1CEST,M3.5.0,M10.5.0,M1.1.1",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ-1",
	};
	struct natflow_timezone tz;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (natflow_timezone_read(bad[i], &tz))
			fail_msg("'%s' is accepted", bad[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libc), cmocka_unit_test(test_beyond), cmocka_unit_test(test_edges), cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
