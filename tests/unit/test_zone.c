// SPDX-License-Identifier: GPL-2.0-only
/* The lines that give devices a zone: read, written, added, and found by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "grammar.h"

static struct natflow_command cmd;
static struct natflow_zone_args *const args = (struct natflow_zone_args *)cmd.args;

static int parse(const char *text)
{
	return natflow_command_parse(&grammars[2], text, &cmd);
}

/* Lines that are accepted are written as they were read. */
static void test_good(void **state)
{
	static const char *const good[] = {
		"lan_zone 0=a", "wan_zone 126=abcdefghijklmno", "wan_zone 7=abcdefghijklmno+", "lan_zone 1=+",
		"lan_zone 1=eth0.+", "lan_zone 1=a++", "wan_zone 1=a=b", "lan_zone 99=a+b",
	};
	char text[NATFLOW_ZONE_TEXT_MAX];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(parse(good[i]), 0);
		assert_string_equal(natflow_zone_line_text(&args->line, text), good[i]);
	}
	assert_int_equal(parse("lan_zone   007=eth0  "), 0);
	assert_string_equal(natflow_zone_line_text(&args->line, text), "lan_zone 7=eth0");
}

static void test_bad(void **state)
{
	static const struct { const char *text, *word; int want; } bad[] = {
		{ "lan_zone", "", -EINVAL }, { "lan_zone 1", "1", -EINVAL }, { "lan_zone 1=", "", -EINVAL },
		{ "lan_zone =a", "=a", -EINVAL }, { "lan_zone x=a", "x=a", -EINVAL }, { "lan_zone -1=a", "-1=a", -EINVAL },
		{ "wan_zone 127=a", "127=a", -ERANGE }, { "wan_zone 0001=a", "0001=a", -EINVAL },
		{ "wan_zone 1=..", "..", -EINVAL }, { "wan_zone 1=a b", "a b", -EINVAL }, { "wan_zone 1=a/+", "a/+", -EINVAL },
		{ "wan_zone 1=a:1", "a:1", -EINVAL }, { "wan_zone 1=a,b+", "a,b+", -EINVAL },
		{ "wan_zone 1=abcdefghijklmnop", "abcdefghijklmnop", -EINVAL },
		{ "wan_zone 1=abcdefghijklmnop+", "abcdefghijklmnop+", -EINVAL }, { "lan_zones 1=a", "lan_zones 1=a", -EINVAL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(parse(bad[i].text), bad[i].want);
		assert_string_equal(cmd.word, bad[i].word);
	}
}

static const struct natflow_zone_line *other;

static int add(struct natflow_zone_lines *lines, const char *text)
{
	assert_int_equal(parse(text), 0);
	return natflow_zone_lines_add(lines, &args->line, &other);
}

static void test_add(void **state)
{
	struct natflow_zone_lines lines = {};
	char text[NATFLOW_ZONE_TEXT_MAX];
	int i;

	assert_int_equal(add(&lines, "lan_zone 1=a"), 0);
	assert_int_equal(add(&lines, "lan_zone 1=a+"), 0);
	assert_int_equal(add(&lines, "lan_zone 1=a"), 0);
	assert_int_equal(add(&lines, "wan_zone 2=b"), 0);
	assert_int_equal(lines.count, 3);
	assert_int_equal(add(&lines, "wan_zone 1=c"), -EEXIST);
	assert_string_equal(natflow_zone_line_text(other, text), "lan_zone 1=a");
	assert_int_equal(add(&lines, "lan_zone 3=b"), -EEXIST);
	assert_string_equal(natflow_zone_line_text(other, text), "wan_zone 2=b");
	assert_int_equal(add(&lines, "wan_zone 3=a+"), -EEXIST);
	assert_string_equal(natflow_zone_line_text(other, text), "lan_zone 1=a+");
	assert_int_equal(lines.count, 3);
	for (i = 3; i < NATFLOW_ZONE_LINES_MAX; i++) {
		snprintf(text, sizeof(text), "lan_zone 9=x%d", i);
		assert_int_equal(add(&lines, text), 0);
	}
	assert_int_equal(add(&lines, "lan_zone 9=y"), -ENOSPC);
	assert_int_equal(add(&lines, "lan_zone 9=x3"), 0);
	assert_int_equal(lines.count, NATFLOW_ZONE_LINES_MAX);
}

static int zone_of(const struct natflow_zone_lines *lines, const char *name)
{
	const struct natflow_zone_line *line = natflow_zone_lines_find(lines, name);

	return line ? line->id : -1;
}

static void test_find(void **state)
{
	struct natflow_zone_lines lines = {};

	assert_int_equal(zone_of(&lines, "eth0"), -1);
	assert_int_equal(add(&lines, "lan_zone 1=eth+"), 0);
	assert_int_equal(add(&lines, "lan_zone 2=eth0"), 0);
	assert_int_equal(add(&lines, "lan_zone 3=eth0+"), 0);
	assert_int_equal(zone_of(&lines, "eth0"), 2);
	assert_int_equal(zone_of(&lines, "eth1"), 1);
	assert_int_equal(zone_of(&lines, "eth0.7"), 3);
	assert_int_equal(zone_of(&lines, "eth"), 1);
	assert_int_equal(zone_of(&lines, "et"), -1);
	assert_int_equal(add(&lines, "lan_zone 4=+"), 0);
	assert_int_equal(zone_of(&lines, "et"), 4);
	assert_int_equal(zone_of(&lines, "eth1"), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
		cmocka_unit_test(test_add), cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
