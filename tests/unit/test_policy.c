// SPDX-License-Identifier: GPL-2.0-only
/* The lines about policies, and when a policy has its effect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "grammar.h"

static int parse(const char *text, struct natflow_command *cmd)
{
	return natflow_command_parse(&grammars[3], text, cmd);
}

#define LONGEST "abcdefghijklmnopqrstuvwxyz-_.01"	/* 31 characters */

static void test_policy_good(void **state)
{
	static const struct { const char *text, *shown; } good[] = {
		{ "name=a", NULL }, { "name=" LONGEST ",verdict=allow", NULL }, { "name=a,verdict=portal,log=counters", NULL },
		{ "name=a,verdict=block,schedule=mon-fri 21:00-07:00;sat,sun 23:00-09:00",
		  "name=a,verdict=block,schedule=mon-fri 21:00-07:00;sat-sun 23:00-09:00" },
		{ "name=a,schedule=21:00-24:00", NULL }, { "name=a,schedule=mon-sun 00:00-24:00", "name=a,schedule=00:00-24:00" },
		{ "name=a,schedule=fri-mon 00:00-00:01", NULL }, { "name=a,schedule=sun,mon,wed 00:00-00:01", "name=a,schedule=wed,sun-mon 00:00-00:01" },
		{ "name=a,schedule=mon,wed,fri,sun 00:00-00:01;tue 01:00-02:00,sites=kids,log=url", "name=a,schedule=wed,fri,sun-mon 00:00-00:01;tue 01:00-02:00,sites=kids,log=url" },
		{ "verdict=allow,over=block,minutes=60/day,volume=9223372036854775807/month,name=b",
		  "name=b,verdict=allow,volume=9223372036854775807/month,minutes=60/day" },
		{ "name=a,schedule=00:00-00:01;00:02-00:03;00:04-00:05;00:06-00:07;00:08-00:09;00:10-00:11;00:12-00:13;00:14-00:15", NULL },
		{ "name=a,volume=1/week,minutes=44640/month", NULL }, { "name=a,rate=1000000000000/0", NULL }, { "name=a,rate=0/1,verdict=allow", "name=a,verdict=allow,rate=0/1" },
		{ "name=a,minutes=1/day,over=throttle,rate=125000/12500,log=url", NULL },
	};
	struct natflow_command c;
	char line[NATFLOW_LINE_MAX + 16], text[NATFLOW_LINE_MAX], again[NATFLOW_LINE_MAX];
	size_t i;
	int len;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(line, sizeof(line), "policy %s", good[i].text);
		assert_int_equal(parse(line, &c), 0);
		assert_ptr_equal(c.verb, &natflow_verb_policy);
		len = natflow_policy_print(NATFLOW_ARGS(&c, struct natflow_policy), text, sizeof(text));
		assert_int_equal(len, strlen(text));
		assert_string_equal(text, good[i].shown ?: good[i].text);
		assert_true(strlen(text) <= strlen(good[i].text));
		snprintf(line, sizeof(line), "policy_change %s", text);
		assert_int_equal(parse(line, &c), 0);
		natflow_policy_print(NATFLOW_ARGS(&c, struct natflow_policy), again, sizeof(again));
		assert_string_equal(text, again);
	}
}

/* Each set of days is printed as the same set, in no more characters than its shortest form has. */
static void test_days(void **state)
{
	for (u8 days = 1; days < 0x80; days++) {
		struct natflow_schedule s = { .days = days, .from = 60, .to = 59 }, again = {};
		char text[NATFLOW_SCHEDULE_TEXT_MAX];

		assert_in_range(natflow_schedule_print(&s, text, sizeof(text)), 11, 27);
		assert_true(natflow_schedule_parse(text, &again));
		assert_memory_equal(&s, &again, sizeof(s));
	}
}

static void test_bad(void **state)
{
	static const struct { const char *text, *word; int want; } bad[] = {
		{ "policy", "", -EINVAL }, { "policy verdict=block", "policy verdict=block", -EINVAL }, { "policy name=", "name=", -EINVAL },
		{ "policy name=a b", "name=a b", -EINVAL }, { "policy name=" LONGEST "2", "name=" LONGEST "2", -EINVAL },
		{ "policy name=a/b", "name=a/b", -EINVAL }, { "policy name=a,name=b", "name=b", -EINVAL },
		{ "policy name=a,verdict=", "verdict=", -EINVAL }, { "policy name=a,verdict=deny", "verdict=deny", -EINVAL },
		{ "policy name=a,foo=1", "foo=1", -EINVAL }, { "policy name=a,", "", -EINVAL }, { "policy name=a,block", "name=a,block", -EINVAL },
		{ "policy name=a,schedule=", "schedule=", -EINVAL }, { "policy name=a,schedule=mon", "schedule=mon", -EINVAL },
		{ "policy name=a,schedule=mon 25:00-07:00", "schedule=mon 25:00-07:00", -EINVAL },
		{ "policy name=a,schedule=mon 07:00-07:00", "schedule=mon 07:00-07:00", -EINVAL },
		{ "policy name=a,schedule=mon 07:00-08:00;", "schedule=mon 07:00-08:00;", -EINVAL },
		{ "policy name=a,schedule=mon 07:00-08:00;foo 07:00-08:00,log=url", "schedule=mon 07:00-08:00;foo 07:00-08:00", -EINVAL },
		{ "policy name=a,schedule=00:00-00:01;00:02-00:03;00:04-00:05;00:06-00:07;00:08-00:09;00:10-00:11;00:12-00:13;00:14-00:15;00:16-00:17",
		  "schedule=00:00-00:01;00:02-00:03;00:04-00:05;00:06-00:07;00:08-00:09;00:10-00:11;00:12-00:13;00:14-00:15;00:16-00:17", -E2BIG },
		{ "policy name=a,volume=0/day", "volume=0/day", -ERANGE }, { "policy name=a,volume=1", "volume=1", -EINVAL },
		{ "policy name=a,volume=1G/day", "volume=1G/day", -EINVAL }, { "policy name=a,volume=-1/day", "volume=-1/day", -EINVAL },
		{ "policy name=a,volume=9223372036854775808/day", "volume=9223372036854775808/day", -ERANGE },
		{ "policy name=a,volume=1/year", "volume=1/year", -EINVAL }, { "policy name=a,minutes=44641/day", "minutes=44641/day", -ERANGE },
		{ "policy name=a,over=block", "policy name=a", -EINVAL }, { "policy name=a,volume=1/day,over=throttle", "policy name=a", -EINVAL },
		{ "policy name=a,rate=1/1,over=throttle", "policy name=a", -EINVAL }, { "policy name=a,rate=1/1,verdict=block", "policy name=a", -EINVAL },
		{ "policy name=a,rate=0/0", "rate=0/0", -ERANGE }, { "policy name=a,rate=1", "rate=1", -EINVAL }, { "policy name=a,rate=1/2/3", "rate=1/2/3", -EINVAL },
		{ "policy name=a,rate=1000000000001/1", "rate=1000000000001/1", -ERANGE }, { "policy name=a,rate=/1", "rate=/1", -EINVAL },
		{ "policy name=a,volume=1/day,over=x", "over=x", -EINVAL }, { "policy name=a,verdict=block,volume=1/day", "policy name=a", -EINVAL },
		{ "policy name=a,sites=a b", "sites=a b", -EINVAL }, { "policy name=a,log=all", "log=all", -EINVAL },
		{ "policy_del a", "a", -EINVAL }, { "policy_del name=", "name=", -EINVAL }, { "policy_clean x", "x", -EINVAL },
		{ "bind", "", -EINVAL }, { "bind policy=a", "bind policy=a", -EINVAL }, { "bind device=02:00:00:00:00:01", "device=02:00:00:00:00:01", -EINVAL },
		{ "bind policy=,ip=10.0.0.1", "policy=", -EINVAL }, { "bind policy=a,host=x", "host=x", -EINVAL }, { "bind policy=a,zone", "zone", -EINVAL },
		{ "bind policy=a,device=02:00:00:00:00", "device=02:00:00:00:00", -EINVAL }, { "bind policy=a,device=00:00:00:00:00:00", "device=00:00:00:00:00:00", -EINVAL },
		{ "bind policy=a,device=01:00:5e:00:00:01", "device=01:00:5e:00:00:01", -EINVAL }, { "bind policy=a,ip=10.0.0.0/8", "ip=10.0.0.0/8", -EINVAL },
		{ "bind policy=a,ip=::g", "ip=::g", -EINVAL }, { "bind policy=a,cidr=10.0.0.1", "cidr=10.0.0.1", -EINVAL },
		{ "bind policy=a,cidr=10.0.0.1/24", "cidr=10.0.0.1/24", -EINVAL }, { "bind policy=a,cidr=fd00::/129", "cidr=fd00::/129", -EINVAL },
		{ "bind policy=a,zone=127", "zone=127", -EINVAL }, { "bind policy=a,set=", "set=", -EINVAL }, { "bind policy=a,name=x y", "name=x y", -EINVAL }, { "bind policy=a,name=", "name=", -EINVAL },
		{ "bind policy=a,ip=10.0.0.1,zone=1", "ip=10.0.0.1,zone=1", -EINVAL }, { "unbind", "", -EINVAL }, { "unbind policy=a", "unbind policy=a", -EINVAL },
		{ "timezone=Europe/Berlin", "Europe/Berlin", -EINVAL },
	};
	struct natflow_command c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(bad[i].text, &c), bad[i].want);
		assert_string_equal(c.word, bad[i].word);
		assert_non_null(c.expected);
		assert_true(c.word >= c.text && c.word < c.text + sizeof(c.text));
	}
}

static void test_bind(void **state)
{
	static const u8 mac[16] = { 2, [5] = 0xab }, four[16] = { 10, 1 }, six[16] = { 0xfd, [2] = 0x80 };
	struct natflow_command c;
	struct natflow_bind_args *args = NATFLOW_ARGS(&c, struct natflow_bind_args);
	struct natflow_subject prefix;

	assert_int_equal(parse("bind policy=" LONGEST ",device=02:00:00:00:00:AB", &c), 0);
	assert_string_equal(args->policy, LONGEST);
	assert_int_equal(args->of.kind, NATFLOW_SUBJECT_DEVICE);
	assert_memory_equal(args->of.addr, mac, sizeof(mac));
	assert_int_equal(parse("bind policy=a,cidr=10.1.0.0/16", &c), 0);
	assert_memory_equal(args->of.addr, four, sizeof(four));
	natflow_subject_prefix(&prefix, NFPROTO_IPV4, (const u8 *)"\12\1\2\3", 16);
	assert_memory_equal(&prefix, &args->of, sizeof(prefix));
	assert_int_equal(parse("bind policy=a,cidr=fd00:8000::/17", &c), 0);
	assert_memory_equal(args->of.addr, six, sizeof(six));
	natflow_subject_prefix(&prefix, NFPROTO_IPV6, (const u8 *)"\xfd\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 17);
	assert_memory_equal(&prefix, &args->of, sizeof(prefix));
	assert_int_equal(parse("bind policy=a,cidr=0.0.0.0/0", &c), 0);
	assert_int_equal(args->of.len, 0);
	assert_int_equal(parse("bind policy=a,ip=fd00::1", &c), 0);
	assert_int_equal(args->of.family, NFPROTO_IPV6);
	assert_int_equal(args->of.len, 128);
	assert_int_equal(parse("bind policy=a,zone=126", &c), 0);
	assert_int_equal(args->of.addr[0], 126);
	assert_int_equal(parse("bind policy=a,name=anna.tv", &c), 0);
	assert_string_equal(args->of.name, "anna.tv");
	assert_int_equal(parse("unbind set=kids", &c), 0);
	assert_string_equal(args->policy, "");
	assert_string_equal(args->of.name, "kids");
	assert_int_equal(parse("unbind policy=a,set=kids", &c), 0);
	assert_string_equal(args->policy, "a");
	assert_int_equal(parse("timezone=", &c), 0);
	assert_int_equal(parse("timezone=CET-1CEST,M3.5.0,M10.5.0/3", &c), 0);
	assert_string_equal((const char *)c.args, "CET-1CEST,M3.5.0,M10.5.0/3");
}

/* Bedtime: the minutes of the whole week. */
static void test_on(void **state)
{
	struct natflow_command c;
	struct natflow_policy *p = NATFLOW_ARGS(&c, struct natflow_policy);
	unsigned int minute, on = 0;

	assert_int_equal(parse("policy name=a,schedule=mon-fri 21:00-07:00;sat,sun 23:00-09:00", &c), 0);
	for (minute = 0; minute < 7 * NATFLOW_DAY; minute++) {
		unsigned int day = minute / NATFLOW_DAY, hour = minute / 60 % 24;
		bool late = hour >= (day < 5 ? 21 : 23), early = hour < (day == 6 || day == 0 ? 9 : 7);

		assert_int_equal(natflow_policy_is_on(p, minute), late || early);
		on += late || early;
	}
	assert_int_equal(on, 7 * 600);
	p->ranges = 0;
	assert_true(natflow_policy_is_on(p, 0));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy_good), cmocka_unit_test(test_days), cmocka_unit_test(test_bad), cmocka_unit_test(test_bind),
		cmocka_unit_test(test_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
