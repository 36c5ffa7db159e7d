// SPDX-License-Identifier: GPL-2.0-only
/* The rules of natflow_qos_ctl, and the arithmetic of buckets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "grammar.h"

#define MS 1000000ULL

static int parse(const char *text, struct natflow_command *cmd)
{
	return natflow_command_parse(&grammars[4], text, cmd);
}

static void test_limit_good(void **state)
{
	static const struct { const char *text, *shown; } good[] = {
		{ "user=,user_port=,remote=,remote_port=,proto=,rxbytes=1,txbytes=1000000000000", NULL },
		{ "user=192.168.1.0/24,user_port=,remote=2001:db8::/32,remote_port=443,proto=tcp,rxbytes=125000,txbytes=", NULL },
		{ "user=10.0.1.2,user_port=65535,remote=servers,remote_port=1,proto=udp,rxbytes=,txbytes=8000,burst=3000,out=police", NULL },
		{ "user=kids,user_port=,remote=,remote_port=,proto=,rxbytes=,txbytes=,group=kids", NULL },
		{ "user=,user_port=,remote=,remote_port=,proto=,rxbytes=,txbytes=,dscp=set:63,prio=0", NULL },
		{ "dscp=wash", "user=,user_port=,remote=,remote_port=,proto=,rxbytes=,txbytes=,dscp=set:0" },
		{ "dscp=keep,prio=15", "user=,user_port=,remote=,remote_port=,proto=,rxbytes=,txbytes=,prio=15" },
		{ "txbytes=9", "user=,user_port=,remote=,remote_port=,proto=,rxbytes=,txbytes=9" },
		{ "out=auto,rxbytes=5,user=::1", "user=::1,user_port=,remote=,remote_port=,proto=,rxbytes=5,txbytes=" },
		{ "user=10.0.0.0/8,rxbytes=1,remote=0.0.0.0/0",
		  "user=10.0.0.0/8,user_port=,remote=0.0.0.0/0,remote_port=,proto=,rxbytes=1,txbytes=" },
	};
	struct natflow_command c;
	struct natflow_limit_args *limit = NATFLOW_ARGS(&c, struct natflow_limit_args), again;
	char line[2 * NATFLOW_LINE_MAX], text[NATFLOW_LINE_MAX];
	size_t i;
	int len;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(line, sizeof(line), "add %s", good[i].text);
		assert_int_equal(parse(line, &c), 0);
		len = natflow_limit_print(limit, text, sizeof(text));
		assert_int_equal(len, strlen(text));
		assert_string_equal(text, good[i].shown ?: good[i].text);
		again = *limit;
		snprintf(line, sizeof(line), "add %s", text);
		assert_int_equal(parse(line, &c), 0);
		again.police = limit->police;
		assert_memory_equal(&again.match, &limit->match, sizeof(again.match));
		assert_true(again.rates.rx == limit->rates.rx && again.rates.tx == limit->rates.tx);
		assert_int_equal(again.rates.burst, limit->rates.burst);
	}
}

static void test_group(void **state)
{
	static const struct { const char *text; int want; } lines[] = {
		{ "name=kids,rxbytes=1,txbytes=", 0 }, { "name=123456789012345,rxbytes=,txbytes=1000000000000,burst=4294967295", 0 },
		{ "name=kids", -EINVAL }, { "rxbytes=1", -EINVAL }, { "name=,rxbytes=1", -EINVAL }, { "name=1234567890123456,rxbytes=1", -EINVAL },
		{ "name=a/b,rxbytes=1", -EINVAL }, { "name=a,rxbytes=0", -ERANGE }, { "name=a,rxbytes=1,rxbytes=1", -EINVAL },
		{ "name=a,rxbytes=1,burst=", -EINVAL }, { "name=a,rxbytes=1,user=", -EINVAL }, { "", -EINVAL },
	};
	struct natflow_command c;
	char line[2 * NATFLOW_LINE_MAX], text[NATFLOW_LINE_MAX];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		snprintf(line, sizeof(line), "group %s", lines[i].text);
		assert_int_equal(parse(line, &c), lines[i].want);
		if (lines[i].want)
			continue;
		natflow_group_print(NATFLOW_ARGS(&c, struct natflow_group_args), text, sizeof(text));
		assert_string_equal(text, lines[i].text);
	}
}

static void test_limit_longest(void **state)
{
	static const char line[] =
		"add user=2001:1db8:1111:1111:1111:1111:1111:1111,user_port=65535,remote=2001:1db8:1111:1111:1111:1111:1111:1111,"
		"remote_port=65535,proto=tcp,rxbytes=1000000000000,txbytes=1000000000000,burst=4294967295,out=police,group=123456789012345,dscp=set:63,prio=15";
	struct natflow_command c;
	char text[NATFLOW_LINE_MAX];

	assert_true(strlen(line) < NATFLOW_LINE_MAX - 1);
	assert_int_equal(parse(line, &c), 0);
	natflow_limit_print(NATFLOW_ARGS(&c, struct natflow_limit_args), text, sizeof(text));
	assert_string_equal(text, line + 4);
}

static void test_limit_bad(void **state)
{
	static const struct { const char *text; int want; } bad[] = {
		{ "add", -EINVAL }, { "add user=10.0.1.2", -EINVAL }, { "add rxbytes=,txbytes=", -EINVAL },
		{ "add rxbytes=0", -ERANGE }, { "add txbytes=0,rxbytes=1", -ERANGE }, { "add rxbytes=1000000000001", -ERANGE },
		{ "add rxbytes=-1", -EINVAL }, { "add rxbytes=1k", -EINVAL }, { "add rxbytes=1,rxbytes=1", -EINVAL },
		{ "add user=10.0.1.2/24,rxbytes=1", -EINVAL }, { "add user=10.0.1.2/33,rxbytes=1", -ERANGE },
		{ "add user=fd00::1/64,rxbytes=1", -EINVAL }, { "add user=10.0.0.256,rxbytes=1", -EINVAL },
		{ "add user=fd00:,rxbytes=1", -EINVAL }, { "add user=a/b,rxbytes=1", -EINVAL },
		{ "add user=abcdefghijklmnopqrstuvwxyz012345,rxbytes=1", -EINVAL },
		{ "add user_port=0,rxbytes=1", -ERANGE }, { "add user_port=65536,rxbytes=1", -ERANGE },
		{ "add remote_port=ports,rxbytes=1", -EOPNOTSUPP }, { "add proto=icmp,rxbytes=1", -EINVAL },
		{ "add out=shape,rxbytes=1", -EOPNOTSUPP }, { "add out=edt,rxbytes=1", -EOPNOTSUPP }, { "add out=x,rxbytes=1", -EINVAL },
		{ "add burst=0,rxbytes=1", -ERANGE }, { "add dscp=keep", -EINVAL }, { "add dscp=set:64", -ERANGE }, { "add dscp=46", -EINVAL }, { "add dscp=set:", -EINVAL }, { "add prio=16", -ERANGE }, { "add prio=-1", -EINVAL },
		{ "set-token-ctrl 10.0.1.2", -EINVAL }, { "set-token-ctrl 10.0.1.2 1", -EINVAL },
		{ "set-token-ctrl 10.0.1.2/24 1 1", -EINVAL }, { "set-token-ctrl 10.0.1.2 1 x", -ERANGE },
	};
	struct natflow_command c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (parse(bad[i].text, &c) != bad[i].want)
			print_message("# %s\n", bad[i].text);
		assert_int_equal(parse(bad[i].text, &c), bad[i].want);
		assert_non_null(c.expected);
	}
}

static void test_matches(void **state)
{
	static const u8 a[16] = { 10, 0, 1, 2 };
	struct natflow_limit_end end = { .kind = NATFLOW_LIMIT_PREFIX, .family = NFPROTO_IPV4, .len = 24, .addr = { 10, 0, 1 } };

	assert_true(natflow_limit_matches(&end, NFPROTO_IPV4, a, 0));
	assert_false(natflow_limit_matches(&end, NFPROTO_IPV6, a, 0));
	end.port = 53;
	assert_false(natflow_limit_matches(&end, NFPROTO_IPV4, a, 0));
	assert_true(natflow_limit_matches(&end, NFPROTO_IPV4, a, 53));
	end.addr[2] = 2;
	assert_false(natflow_limit_matches(&end, NFPROTO_IPV4, a, 53));
	end.kind = NATFLOW_LIMIT_ANY;
	assert_true(natflow_limit_matches(&end, NFPROTO_IPV6, a, 53));
}

/* A second of any rate costs a second, to one part in a million. */
static void test_rate_exact(void **state)
{
	struct natflow_pace rate;
	u64 bytes;

	for (bytes = 1; bytes <= NATFLOW_RATE_MAX; bytes = bytes * 3 + 1) {
		u32 n = bytes < 4000000000U ? bytes : 4000000000U;
		u64 want = (u64)((double)n * 1e9 / bytes), cost;

		natflow_pace_set(&rate, bytes, 0);
		cost = natflow_pace_cost(&rate, n);
		assert_true(cost <= want + 1 && want - cost <= want / 1000000 + 1);
		assert_true(rate.depth >= NATFLOW_RATE_BURST && rate.target == rate.depth / 2);
		assert_true(rate.target + 4 * rate.step <= rate.depth && rate.high < rate.depth);
	}
	natflow_pace_set(&rate, 1000, 3000);
	assert_true(rate.depth <= 3000 * MS && rate.depth > 2999 * MS);
	natflow_pace_set(&rate, 1000 * 1000 * 1000, 0);
	assert_int_equal(rate.depth, NATFLOW_RATE_BURST);
	natflow_pace_set(&rate, 1, 0xffffffff);
	assert_true(rate.depth > 4 * NATFLOW_RATE_SECOND * 1000000000);
}

static void test_rate_again(void **state)
{
	struct natflow_pace slow, fast, slowest;

	natflow_pace_set(&slow, 1000, 100000);
	natflow_pace_set(&fast, 1000000, 100000);
	natflow_pace_set(&slowest, 1, 0);
	/* 50,000 bytes: 50 s, or 50 ms. */
	assert_int_equal(natflow_pace_again(50 * NATFLOW_RATE_SECOND, &slow, &fast), 50 * MS);
	assert_int_equal(natflow_pace_again(50 * MS, &fast, &slow), 50 * NATFLOW_RATE_SECOND);
	assert_int_equal(natflow_pace_again(0, &slow, &fast), 0);
	assert_true(natflow_pace_again(100000 * NATFLOW_RATE_SECOND, &slowest, &fast) <= fast.depth);
	assert_int_equal(natflow_pace_again(1000 * NATFLOW_RATE_SECOND, &fast, &slow), slow.depth);
}

/* Nothing below the target; then one signal after the interval, and more and more of them. */
static void test_codel(void **state)
{
	struct natflow_codel c = {};
	u64 now, signals = 0, first = 0, in_first_second = 0;

	for (now = 1; now < 1000 * MS; now += MS)
		assert_false(natflow_codel_signal(&c, now, 5 * MS, 5 * MS));
	for (; now < 4000 * MS; now += MS) {
		if (!natflow_codel_signal(&c, now, 20 * MS, 5 * MS))
			continue;
		first = first ?: now;
		in_first_second += now < 2000 * MS;
		signals++;
	}
	assert_int_equal(first, 1100 * MS + 1);
	assert_true(in_first_second > 10 && in_first_second < 40);
	assert_true(signals > 4 * in_first_second);
	/* One short queue ends it. */
	assert_false(natflow_codel_signal(&c, now, 5 * MS, 5 * MS));
	assert_false(c.dropping);
	for (first = now; now < first + 100 * MS; now += MS)
		assert_false(natflow_codel_signal(&c, now, 20 * MS, 5 * MS));
	assert_true(natflow_codel_signal(&c, now, 20 * MS, 5 * MS));
	assert_true(c.count > 2);
}

/* Signals among so many packets, one a millisecond, while the queue goes from one length to another. */
static u32 signals(struct natflow_ladder *l, u64 *now, s64 from, s64 to, u32 packets)
{
	struct natflow_pace rate;
	u32 i, count = 0, since = NATFLOW_RATE_APART;

	natflow_pace_set(&rate, 2500000, 0);
	assert_int_equal(rate.target, 125 * MS);
	for (i = 1; i <= packets; i++, since++) {
		*now += MS;
		if (!natflow_ladder_signal(l, *now, from + (to - from) * i / packets, &rate))
			continue;
		assert_true(since >= NATFLOW_RATE_APART);
		since = 0;
		count++;
	}
	return count;
}

/* Growth is signalled from half of the burst on, a step at a time; a long queue that does not grow by CoDel's law. */
static void test_ladder(void **state)
{
	struct natflow_ladder l = {};
	u64 now = 1;

	assert_int_equal(signals(&l, &now, 0, 125 * MS, 500), 0);
	assert_int_equal(signals(&l, &now, 125 * MS, 250 * MS, 50), 4);
	assert_true(signals(&l, &now, 130 * MS, 130 * MS, 1000) <= 1);
	/* It shrinks, and two steps of growth are the next sign. */
	assert_int_equal(signals(&l, &now, 180 * MS, 126 * MS, 50), 0);
	assert_int_equal(signals(&l, &now, 126 * MS, 185 * MS, 50), 0);
	assert_int_equal(signals(&l, &now, 185 * MS, 190 * MS, 10), 1);
	assert_true(signals(&l, &now, 200 * MS, 200 * MS, 1000) > 10);
	/* A short queue ends it all; the next long one is signalled at once. */
	assert_int_equal(signals(&l, &now, 100 * MS, 100 * MS, 1), 0);
	assert_int_equal(signals(&l, &now, 130 * MS, 130 * MS, 4), 1);
	/* A window of many packets is not lost as a whole. */
	assert_int_equal(signals(&l, &now, 131 * MS, 240 * MS, 8), 2);
}

static void test_root(void **state)
{
	u64 n;

	for (n = 0; n < 70000; n++)
		assert_true((u64)natflow_root(n) * natflow_root(n) <= n && (u64)(natflow_root(n) + 1) * (natflow_root(n) + 1) > n);
	assert_int_equal(natflow_root(~0ULL), 0xffffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit_good), cmocka_unit_test(test_group), cmocka_unit_test(test_limit_longest), cmocka_unit_test(test_limit_bad),
		cmocka_unit_test(test_matches), cmocka_unit_test(test_rate_exact), cmocka_unit_test(test_rate_again),
		cmocka_unit_test(test_codel), cmocka_unit_test(test_ladder), cmocka_unit_test(test_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
