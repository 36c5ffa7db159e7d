// SPDX-License-Identifier: GPL-2.0-only
/* Names and ClientHellos: every cut, every way into records, every length that lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../lib/names/tls.h"

/* Bytes that grow; lengths are filled in when a list ends. */
struct bytes {
	u8 data[40000];
	u32 len;
};

static void put(struct bytes *b, const void *data, u32 len)
{
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void put_number(struct bytes *b, u32 v, unsigned int bytes)
{
	while (bytes--)
		b->data[b->len++] = v >> 8 * bytes;
}

static u32 open_list(struct bytes *b, unsigned int bytes)
{
	put_number(b, 0, bytes);
	return b->len;
}

static void close_list(struct bytes *b, u32 begin, unsigned int bytes)
{
	u32 end = b->len;

	b->len = begin - bytes;
	put_number(b, end - begin, bytes);
	b->len = end;
}

static void put_name(struct bytes *b, u8 kind, const char *name)
{
	put_number(b, kind, 1);
	put_number(b, strlen(name), 2);
	put(b, name, strlen(name));
}

static void put_server_name(struct bytes *b, const char *name)
{
	u32 ext, list;

	put_number(b, 0, 2);
	ext = open_list(b, 2);
	list = open_list(b, 2);
	put_name(b, 0, name);
	close_list(b, list, 2);
	close_list(b, ext, 2);
}

static void put_other(struct bytes *b, u32 kind, const void *data, u32 len)
{
	put_number(b, kind, 2);
	put_number(b, len, 2);
	put(b, data, len);
}

/* A bare hello with those extensions; NULL: none. */
static void put_hello(struct bytes *b, const struct bytes *extensions)
{
	static const u8 zeros[32];
	u32 begin;

	put_number(b, 1, 1);
	begin = open_list(b, 3);
	put_number(b, 0x0303, 2);
	put(b, zeros, 32);
	put_number(b, 32, 1);
	put(b, zeros, 32);
	put_number(b, 4, 2);
	put_number(b, 0x1301c02b, 4);
	put_number(b, 0x0100, 2);
	if (extensions) {
		put_number(b, extensions->len, 2);
		put(b, extensions->data, extensions->len);
	}
	close_list(b, begin, 3);
}

/* What a browser sends, more or less. */
static void put_browsers(struct bytes *b, const char *name)
{
	static struct bytes ext;

	ext.len = 0;
	put_other(&ext, 0x3a3a, "", 0);
	put_other(&ext, 0xfe0d, "\0\0\1\0\3fake", 9);
	put_server_name(&ext, name);
	put_other(&ext, 16, "\0\x0c\2h2\x8http/1.1", 14);
	put_other(&ext, 43, "\x8\x7f\x1c\xda\xda\3\4\3\3", 9);
	put_other(&ext, 51, "\0\4\x2a\x2a\0\0", 6);
	put_hello(b, &ext);
}

/* In records of @size bytes. */
static void put_records(struct bytes *b, const struct bytes *bare, u32 size)
{
	u32 at, n;

	for (at = 0; at < bare->len; at += n) {
		n = bare->len - at < size ? bare->len - at : size;
		put_number(b, 0x160301, 3);
		put_number(b, n, 2);
		put(b, bare->data + at, n);
	}
}

static void test_hostname(void **state)
{
	static const struct {
		const char *text, *want;
		bool odd;
	} t[] = {
		{ "Example.COM", "example.com", false }, { "a.", "a", false }, { "_dmarc.x", "_dmarc.x", true },
		{ "xn--bcher-kva.de", "xn--bcher-kva.de", false }, { "10.0.0.1", "10.0.0.1", false },
		{ "", NULL, false }, { ".", NULL, false }, { "a b", NULL, false }, { "a\n", NULL, false },
		{ "a..", NULL, false }, { "\xc3\xa4.de", NULL, false }, { "a\x7f", NULL, false }, { "abc def", NULL, false },
	};
	struct natflow_hostname h;
	u8 longest[255];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(natflow_hostname_set(&h, (const u8 *)t[i].text, strlen(t[i].text)), !!t[i].want);
		assert_string_equal(h.text, t[i].want ?: "");
		assert_int_equal(h.len, strlen(t[i].want ?: ""));
		assert_int_equal(h.odd, t[i].odd);
	}
	memset(longest, 'a', sizeof(longest));
	assert_true(natflow_hostname_set(&h, longest, 253));
	assert_false(natflow_hostname_set(&h, longest, 254));
	longest[253] = '.';
	assert_true(natflow_hostname_set(&h, longest, 254));
}

static void is_browsers(const struct natflow_tls *tls, const char *name)
{
	assert_string_equal(tls->host.text, name);
	assert_string_equal(tls->alpn, "h2");
	assert_int_equal(tls->version, 0x0304);
	assert_true(tls->ech);
}

/* Records of every size, cut off at every byte: more is wanted up to the last one. */
static void test_records(void **state)
{
	static struct bytes bare, stream;
	struct natflow_tls tls;
	u32 size, n;

	bare.len = 0;
	put_browsers(&bare, "www.Example_1.com.");
	for (size = 1; size <= bare.len; size++) {
		stream.len = 0;
		put_records(&stream, &bare, size);
		for (n = 0; n < stream.len; n++)
			assert_int_equal(natflow_tls_hello(stream.data, n, true, &tls), NATFLOW_PARSE_MORE);
		put(&stream, "and more", 8);
		assert_int_equal(natflow_tls_hello(stream.data, stream.len, true, &tls), NATFLOW_PARSED);
		is_browsers(&tls, "www.example_1.com");
		assert_int_equal(tls.end, stream.len - 8);
	}
	for (n = 0; n < bare.len; n++)
		assert_int_equal(natflow_tls_hello(bare.data, n, false, &tls), NATFLOW_PARSE_MORE);
	assert_int_equal(natflow_tls_hello(bare.data, bare.len, false, &tls), NATFLOW_PARSED);
	is_browsers(&tls, "www.example_1.com");
}

/* A name that has come is there already when the rest has not. */
static void test_early_name(void **state)
{
	static struct bytes bare;
	struct natflow_tls tls;

	bare.len = 0;
	put_browsers(&bare, "early.example");
	assert_int_equal(natflow_tls_hello(bare.data, bare.len - 8, false, &tls), NATFLOW_PARSE_MORE);
	assert_string_equal(tls.host.text, "early.example");
}

static void test_extensions(void **state)
{
	static const struct {
		const char *ext;
		u32 len;
		enum natflow_parsed want;
		const char *name;
	} t[] = {
		/* none at all, an empty list is malformed */
		{ "", 0, NATFLOW_PARSED, "" },
		{ "\0\0\0\0", 4, NATFLOW_PARSE_MALFORMED, "" },
		/* other kinds of names first; two host names: the first */
		{ "\0\0\0\x0c\0\x0a\7\0\1z\0\0\3a.b", 16, NATFLOW_PARSED, "a.b" },
		{ "\0\0\0\x0e\0\x0c\0\0\3a.b\0\0\3c.d", 18, NATFLOW_PARSED, "a.b" },
		/* the extension twice */
		{ "\0\0\0\6\0\4\0\0\1a\0\0\0\6\0\4\0\0\1b", 20, NATFLOW_PARSE_MALFORMED, NULL },
		/* lengths beyond what is around them */
		{ "\0\0\0\6\0\5\0\0\1a", 10, NATFLOW_PARSE_MALFORMED, NULL },
		{ "\0\0\0\6\0\4\0\0\2a", 10, NATFLOW_PARSE_MALFORMED, NULL },
		{ "\0\0\0\7\0\4\0\0\1a", 10, NATFLOW_PARSE_MALFORMED, NULL },
		{ "\0\0\0", 3, NATFLOW_PARSE_MALFORMED, NULL },
		/* an empty name, one with a space */
		{ "\0\0\0\5\0\3\0\0\0", 9, NATFLOW_PARSE_MALFORMED, NULL },
		{ "\0\0\0\6\0\4\0\0\1 ", 10, NATFLOW_PARSE_MALFORMED, NULL },
		/* ALPN without a name or beyond its extension, versions of an odd length: who does not use them does not care */
		{ "\0\x10\0\2\0\0", 6, NATFLOW_PARSED, "" },
		{ "\0\x10\0\1\0\0\0\0\6\0\4\0\0\1a", 15, NATFLOW_PARSED, "a" },
		{ "\0\x10\0\4\xff\xff\xffx\0\0\0\6\0\4\0\0\1a", 18, NATFLOW_PARSED, "a" },
		{ "\0\x2b\0\4\3\3\3\3\0\0\0\6\0\4\0\0\1a", 18, NATFLOW_PARSED, "a" },
		/* wrong behind the name */
		{ "\0\0\0\6\0\4\0\0\1a\0\x15\xff\xff", 14, NATFLOW_PARSE_MALFORMED, "a" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		static struct bytes ext, bare;
		struct natflow_tls tls;

		print_message("# extensions %u\n", i);
		ext.len = 0;
		bare.len = 0;
		put(&ext, t[i].ext, t[i].len);
		put_hello(&bare, &ext);
		assert_int_equal(natflow_tls_hello(bare.data, bare.len, false, &tls), t[i].want);
		if (t[i].name)
			assert_string_equal(tls.host.text, t[i].name);
		if (t[i].want == NATFLOW_PARSED)
			assert_int_equal(tls.version, 0x0303);
	}
}

static void test_oldest(void **state)
{
	static struct bytes bare;
	struct natflow_tls tls;

	bare.len = 0;
	put_hello(&bare, NULL);
	assert_int_equal(natflow_tls_hello(bare.data, bare.len, false, &tls), NATFLOW_PARSED);
	assert_int_equal(tls.host.len, 0);
}

/* The longest names, the longest hello, and one byte more. */
static void test_limits(void **state)
{
	static struct bytes ext, bare, stream;
	static u8 fill[20000];
	struct natflow_tls tls;
	char name[300] = {};
	unsigned int n;

	for (n = 250; n < 260; n++) {
		memset(name, 'n', n);
		ext.len = 0;
		bare.len = 0;
		put_server_name(&ext, name);
		put_hello(&bare, &ext);
		assert_int_equal(natflow_tls_hello(bare.data, bare.len, false, &tls),
				 n <= 253 ? NATFLOW_PARSED : NATFLOW_PARSE_MALFORMED);
	}
	/* Larger than anybody gathers: the name is there early, or with the rest. */
	for (n = 0; n < 2; n++) {
		ext.len = 0;
		bare.len = 0;
		stream.len = 0;
		if (n)
			put_other(&ext, 21, fill, sizeof(fill));
		put_server_name(&ext, "large.example");
		if (!n)
			put_other(&ext, 21, fill, sizeof(fill));
		put_hello(&bare, &ext);
		put_records(&stream, &bare, 4096);
		assert_int_equal(natflow_tls_hello(stream.data, 16384, true, &tls), NATFLOW_PARSE_MORE);
		assert_string_equal(tls.host.text, n ? "" : "large.example");
		assert_int_equal(natflow_tls_hello(stream.data, stream.len, true, &tls), NATFLOW_PARSED);
		assert_string_equal(tls.host.text, "large.example");
	}
}

/* What is not TLS is known by its first bytes; what is in between, or in place of a record, is wrong. */
static void test_others(void **state)
{
	static const struct {
		const char *data;
		u32 len;
		enum natflow_parsed want;
	} t[] = {
		{ "G", 1, NATFLOW_PARSE_OTHER }, { "\x16", 1, NATFLOW_PARSE_MORE }, { "\x16\2", 2, NATFLOW_PARSE_OTHER },
		{ "\x16\3\1\0\1\2", 6, NATFLOW_PARSE_OTHER },		/* a server's hello */
		{ "\x16\3\1\0\0", 5, NATFLOW_PARSE_MORE },		/* an empty record */
		{ "\x16\3\1\x40\1", 5, NATFLOW_PARSE_MALFORMED },
		{ "\x16\3\1\0\1\1\x15\3\1\0\2\1\0", 13, NATFLOW_PARSE_MALFORMED },	/* an alert inside */
		{ "\x14\3\3\0\1\1", 6, NATFLOW_PARSE_MORE }, { "\x14\3\3\0\1\2", 6, NATFLOW_PARSE_OTHER },
		{ "\x14\3\3", 3, NATFLOW_PARSE_MORE },
		{ "\x14\3\3\0\1\1\x17\3\3\0\2x", 12, NATFLOW_PARSE_MORE },
		{ "\x17\3\3\0\1\1", 6, NATFLOW_PARSE_OTHER }, { "", 0, NATFLOW_PARSE_MORE },
	};
	struct natflow_tls tls;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		print_message("# others %u\n", i);
		assert_int_equal(natflow_tls_hello((const u8 *)t[i].data, t[i].len, true, &tls), t[i].want);
	}
}

/* A second hello behind a ChangeCipherSpec, as the answer to a HelloRetryRequest. */
static void test_retry(void **state)
{
	static const u8 random[] =
		"\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
		"\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c";
	static struct bytes bare, stream, server;
	struct natflow_tls tls;
	u32 first, n;

	bare.len = stream.len = server.len = 0;
	put_browsers(&bare, "retry.example");
	put_records(&stream, &bare, 300);
	first = stream.len;
	put(&stream, "\x14\3\3\0\1\1", 6);
	put(&stream, "\x17\3\3\0\5early\x17\3\3\0\4data", 19);
	put(&stream, "\x16\3\3\0\0", 5);
	put_records(&stream, &bare, 100);
	assert_int_equal(natflow_tls_hello(stream.data, stream.len, true, &tls), NATFLOW_PARSED);
	assert_int_equal(tls.end, first);
	assert_int_equal(natflow_tls_hello(stream.data + first, stream.len - first, true, &tls), NATFLOW_PARSED);
	is_browsers(&tls, "retry.example");
	assert_int_equal(first + tls.end, stream.len);

	put(&server, "\x16\3\3\0\x58\2\0\0\x54\3\3", 11);
	put(&server, random, 32);
	for (n = 0; n < server.len; n++)
		assert_int_equal(natflow_tls_is_retry(server.data, n), NATFLOW_PARSE_MORE);
	assert_int_equal(natflow_tls_is_retry(server.data, n), NATFLOW_PARSED);
	server.data[20] ^= 1;
	assert_int_equal(natflow_tls_is_retry(server.data, n), NATFLOW_PARSE_OTHER);
	assert_int_equal(natflow_tls_is_retry(stream.data, stream.len), NATFLOW_PARSE_OTHER);
	assert_int_equal(natflow_tls_is_retry((const u8 *)"\x15\3\3\0\2\2\x28", 7), NATFLOW_PARSE_OTHER);
}

/* One byte another: whatever comes out, it is within bounds, and a name is a name. */
static void test_flips(void **state)
{
	static struct bytes bare, stream;
	struct natflow_tls tls;
	u32 i, v;

	bare.len = stream.len = 0;
	put_browsers(&bare, "flip.example");
	put_records(&stream, &bare, 77);
	for (i = 0; i < stream.len; i++) {
		u8 was = stream.data[i];

		for (v = 0; v < 256; v++) {
			stream.data[i] = v;
			natflow_tls_hello(stream.data, stream.len, true, &tls);
			assert_true(strlen(tls.host.text) == tls.host.len);
			assert_true(tls.end <= stream.len);
		}
		stream.data[i] = was;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostname), cmocka_unit_test(test_records),
		cmocka_unit_test(test_early_name), cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_oldest), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_others), cmocka_unit_test(test_retry),
		cmocka_unit_test(test_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
