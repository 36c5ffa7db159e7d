// SPDX-License-Identifier: GPL-2.0-only
/* The grammar of natflow_user_ctl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "grammar.h"

static int parse(const char *text, struct natflow_command *cmd)
{
	return natflow_command_parse(&grammars[3], text, cmd);
}

#define LONGEST "abcdefghijklmnopqrstuvwxyz01234"	/* 31 characters */

static void test_auth_good(void **state)
{
	static const struct { const char *text, *shown; } good[] = {
		{ "id=0,szone=0,type=web,sipgrp=a", NULL },
		{ "id=1023,szone=126,type=auto,sipgrp=" LONGEST ",ipwhite=" LONGEST ",macwhite=" LONGEST, NULL },
		{ "id=254,szone=1,type=web,sipgrp=g,ipwhite=,macwhite=", "id=254,szone=1,type=web,sipgrp=g" },
		{ "id=256,szone=1,type=web,sipgrp=g,macwhite=m", NULL },
		{ "sipgrp=g,type=auto,ipwhite=w,szone=3,id=4", "id=4,szone=3,type=auto,sipgrp=g,ipwhite=w" },
	};
	struct natflow_command c;
	struct natflow_auth_rule *rule = NATFLOW_ARGS(&c, struct natflow_auth_rule), again;
	char line[NATFLOW_LINE_MAX], text[NATFLOW_AUTH_TEXT_MAX];
	size_t i;
	int len;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(line, sizeof(line), "auth %s", good[i].text);
		assert_int_equal(parse(line, &c), 0);
		assert_ptr_equal(c.verb, &natflow_verb_auth);
		len = natflow_auth_print(rule, text, sizeof(text));
		assert_int_equal(len, strlen(text));
		assert_string_equal(text, good[i].shown ?: good[i].text);
		/* What is shown is the same rule when it is read again. */
		again = *rule;
		snprintf(line, sizeof(line), "auth %s", text);
		assert_int_equal(parse(line, &c), 0);
		assert_true(natflow_auth_equal(rule, &again));
		again.zone++;
		assert_false(natflow_auth_equal(rule, &again));
	}
}

static void test_auth_bad(void **state)
{
	static const struct { const char *text, *word; int want; } bad[] = {
		{ "auth", "", -EINVAL }, { "auth id=0", "auth id=0", -EINVAL },
		{ "auth id=0,szone=0,type=web", "auth id=0", -EINVAL },
		{ "auth id=0,szone=0,sipgrp=a", "auth id=0", -EINVAL },
		{ "auth id=1024,szone=0,type=web,sipgrp=a", "id=1024", -ERANGE },
		{ "auth id=255,szone=0,type=web,sipgrp=a", "id=255", -ERANGE },
		{ "auth id=-1,szone=0,type=web,sipgrp=a", "id=-1", -EINVAL },
		{ "auth id=0,szone=127,type=web,sipgrp=a", "szone=127", -ERANGE },
		{ "auth id=0,szone=,type=web,sipgrp=a", "szone=", -EINVAL },
		{ "auth id=0,szone=0,type=unknown,sipgrp=a", "type=unknown", -EINVAL },
		{ "auth id=0,szone=0,type=,sipgrp=a", "type=", -EINVAL },
		{ "auth id=0,szone=0,type=web,sipgrp=", "sipgrp=", -EINVAL },
		{ "auth id=0,szone=0,type=web,sipgrp=" LONGEST "5", "sipgrp=" LONGEST "5", -EINVAL },
		{ "auth id=0,szone=0,type=web,sipgrp=a,id=0", "id=0", -EINVAL },
		{ "auth id=0,szone=0,type=web,sipgrp=a,mac=b", "mac=b", -EINVAL },
		{ "auth id=0,szone=0,type=web,sipgrp=a,", "", -EINVAL },
		{ "auth id=0 szone=0 type=web sipgrp=a", "id=0 szone=0 type=web sipgrp=a", -EINVAL },
		{ "authid=0", "authid=0", -EINVAL }, { "src_bypasslist_name=a b", "a b", -EINVAL },
		{ "redirect_ip=fd00::1", "fd00::1", -EINVAL }, { "redirect_ip=10.0.0.0/8", "10.0.0.0/8", -EINVAL },
		{ "redirect_ip6=10.0.0.1", "10.0.0.1", -EINVAL }, { "redirect_ip=", "", -EINVAL },
		{ "no_flow_timeout=0", "0", -ERANGE }, { "no_flow_timeout=31536001", "31536001", -ERANGE },
		{ "https_redirect_en=1", "https_redirect_en=1", -EOPNOTSUPP }, { "https_redirect_en=2", "2", -ERANGE },
		{ "https_redirect_port=65536", "65536", -ERANGE }, { "disabled=2", "2", -ERANGE },
		{ "dst_bypasslist_name=" LONGEST "5", LONGEST "5", -EINVAL }, { "clean all", "all", -EINVAL },
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

static void test_settings(void **state)
{
	static const u8 portal[4] = { 192, 168, 1, 1 }, portal6[16] = { 0xfd, [15] = 1 };
	struct natflow_command c;
	struct natflow_address_args *addr = NATFLOW_ARGS(&c, struct natflow_address_args);

	assert_int_equal(parse("redirect_ip=192.168.1.1", &c), 0);
	assert_memory_equal(addr->addr, portal, sizeof(portal));
	assert_int_equal(parse("redirect_ip6=fd00::1", &c), 0);
	assert_memory_equal(addr->addr, portal6, sizeof(portal6));
	assert_int_equal(parse("redirect_ip6=::", &c), 0);
	assert_int_equal(parse("no_flow_timeout=86400", &c), 0);
	assert_int_equal(c.value, 86400);
	assert_int_equal(parse("https_redirect_en=0", &c), 0);
	assert_int_equal(parse("dst_bypasslist_name=" LONGEST, &c), 0);
	assert_string_equal((const char *)c.args, LONGEST);
	assert_int_equal(parse("src_bypasslist_name=", &c), 0);
	assert_string_equal((const char *)c.args, "");
	assert_int_equal(NATFLOW_DEFAULT_redirect_ip, 0x0a0a0a0a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auth_good), cmocka_unit_test(test_auth_bad), cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
