// SPDX-License-Identifier: GPL-2.0-only
/* Names at the beginning of a stream, whole and in part, on the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../lib/names/name.h"
#include "exact.h"

static struct natflow_name name;

static enum natflow_parsed read_text(const char *text, size_t len)
{
	u8 *copy = exact_copy((const u8 *)text, len);
	enum natflow_parsed ret = natflow_name_read(copy, len, &name);

	free(copy);
	return ret;
}

/* The name is known before the head is whole, and stays when the head never ends. */
static void test_part(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a.example\r\nA: b\r\n\r\n";
	static char large[NATFLOW_HTTP_MAX + 100];
	size_t n;

	for (n = 0; n < sizeof(head) - 1; n++) {
		assert_int_equal(read_text(head, n), NATFLOW_PARSE_MORE);
		/* The byte behind a line tells that the line does not go on. */
		if (n < 34)
			assert_null(name.said.host);
		else
			assert_string_equal(name.said.host->text, "a.example");
	}
	assert_int_equal(read_text(head, n), NATFLOW_PARSED);
	assert_int_equal(name.said.next, n);
	memset(large, 'x', sizeof(large));
	memcpy(large, head, 34);
	assert_int_equal(read_text(large, sizeof(large)), NATFLOW_PARSED);
	assert_string_equal(name.said.host->text, "a.example");
	assert_int_equal(name.said.flags & NATFLOW_URL_MALFORMED, NATFLOW_URL_MALFORMED);
	assert_int_equal(name.said.next, 0);
}

static void check_chunks(const char *text, size_t len, enum natflow_parsed ret, u64 next, u8 part)
{
	u8 *copy = exact_copy((const u8 *)text, len);

	assert_int_equal(natflow_name_chunk(copy, len, &name), ret);
	free(copy);
	if (ret != NATFLOW_PARSED)
		return;
	assert_int_equal(name.said.next, next);
	assert_int_equal(name.said.part, part);
	assert_true(name.said.nothing && !name.said.host->len);
}

/* Several chunks at once, up to a limit; what is wrong behind them is told the next time. */
static void test_chunks(void **state)
{
	char many[65 * 4 + 1];
	int i;

#define C(text, ...) check_chunks(text, sizeof(text) - 1, __VA_ARGS__)
	C("", NATFLOW_PARSE_MORE, 0, 0);
	C("1", NATFLOW_PARSE_MORE, 0, 0);
	C("x", NATFLOW_PARSE_MALFORMED, 0, 0);
	C("1\nx", NATFLOW_PARSED, 3, NATFLOW_PART_CHUNK);
	C("9\nx", NATFLOW_PARSED, 11, NATFLOW_PART_CHUNK);
	C("1\nx\n1\ny\n2", NATFLOW_PARSED, 7, NATFLOW_PART_CHUNK);
	C("1\nx\nx", NATFLOW_PARSED, 3, NATFLOW_PART_CHUNK);
	C("1\nx\n0\n\nGET", NATFLOW_PARSED, 7, NATFLOW_PART_REQUEST);
	for (i = 0; i < 65; i++)
		memcpy(many + 4 * i, "1\nx\n", 4);
	check_chunks(many, 65 * 4, NATFLOW_PARSED, 64 * 4 - 1, NATFLOW_PART_CHUNK);
}

/* Behind an upgrade: a preface, or another request. */
static void test_preface(void **state)
{
	static const u8 preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	size_t n;

	for (n = 0; n < 24; n++)
		assert_int_equal(natflow_name_preface(preface, n, &name), NATFLOW_PARSE_MORE);
	assert_int_equal(natflow_name_preface(preface, 24, &name), NATFLOW_PARSED);
	assert_int_equal(name.said.next, 24);
	assert_int_equal(name.said.part, NATFLOW_PART_FRAME);
	assert_true(name.said.nothing);
	assert_int_equal(natflow_name_preface((const u8 *)"PUT", 3, &name), NATFLOW_PARSE_OTHER);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_part), cmocka_unit_test(test_chunks), cmocka_unit_test(test_preface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
