// SPDX-License-Identifier: GPL-2.0-only
/* HTTP/2 and HPACK on the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../lib/names/h2.h"
#include "../../lib/names/hpack.h"
#include "exact.h"

/* Rows of tables leave out what is 0 or does not matter. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define OK NATFLOW_PARSED
#define MORE NATFLOW_PARSE_MORE
#define OTHER NATFLOW_PARSE_OTHER
#define BAD NATFLOW_PARSE_MALFORMED
#define NAMED NATFLOW_HTTP_NAMED
#define DIFFERS (NATFLOW_HTTP_NAMED | NATFLOW_HTTP_DIFFERS)
#define CUT NATFLOW_HTTP_CUT

static u32 rnd(void)
{
	static u32 x = 1;

	x ^= x << 13;
	x ^= x >> 17;
	return x ^= x << 5;
}

static enum natflow_parsed parse2(const void *data, size_t len, struct natflow_h2 *h2)
{
	enum natflow_parsed ret;
	u8 *copy = exact_copy(data, len);

	ret = natflow_h2_parse(copy, len, h2);
	free(copy);
	return ret;
}

/* Lengths of RFC 7541 appendix B by symbol; a canonical code is its lengths. */
static const u8 code_lengths[257] = {
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28,
	28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11,
	10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8,
	15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5,
	6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
	7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
	23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21,
	23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25,
	26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26,
	28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
	26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
};

static u32 codes[257];

static void make_codes(void)
{
	unsigned int len, i;
	u32 code = 0;

	for (len = 1; len <= 30; len++, code <<= 1) {
		for (i = 0; i < 257; i++) {
			if (code_lengths[i] == len)
				codes[i] = code++;
		}
	}
}

/* Return: bytes written. */
static size_t encode(const u8 *text, size_t len, u8 *to)
{
	size_t bit = 0, i;
	int b;

	memset(to, 0xff, len * 4 + 1);
	for (i = 0; i < len; i++) {
		for (b = code_lengths[text[i]]; b--; bit++) {
			if (!(codes[text[i]] >> b & 1))
				to[bit / 8] &= ~(0x80 >> bit % 8);
		}
	}
	return (bit + 7) / 8;
}

static size_t put_int(u8 *to, u8 flags, unsigned int mask, size_t value)
{
	size_t n = 1;

	to[0] = flags | (value < mask ? value : mask);
	if (value < mask)
		return 1;
	for (value -= mask; value > 127; value >>= 7)
		to[n++] = value | 0x80;
	to[n++] = value;
	return n;
}

static int next_in(const void *data, size_t len, struct natflow_hpack_field *field)
{
	struct natflow_hpack_table table = {};
	struct natflow_hpack block = { .end = len, .table = &table };
	u8 *copy = malloc(len ?: 1);
	int ret;

	memcpy(copy, data, len);
	block.data = copy;
	ret = natflow_hpack_next(&block, field);
	free(copy);
	return ret;
}

static void test_huffman(void **state)
{
	static u8 text[300], block[1500], coded[1300];
	struct natflow_hpack_field field;
	size_t len, n, m, i;
	int round;

	make_codes();
	assert_int_equal(codes[256], 0x3fffffff);
	assert_int_equal(codes['!'], 0x3f8);
	for (round = 0; round < 20000; round++) {
		len = round ? rnd() % 300 : 256;
		for (i = 0; i < len; i++)
			text[i] = !round ? i : round % 2 ? rnd() : 32 + rnd() % 95;
		n = encode(text, len, coded);
		m = put_int(block, 0x04, 0x0f, 4);
		m += put_int(block + m, 0x80, 0x7f, n);
		memcpy(block + m, coded, n);
		assert_int_equal(next_in(block, m + n, &field), 1);
		assert_int_equal(field.name, NATFLOW_HPACK_PATH);
		assert_int_equal(field.cut, len > NATFLOW_HPACK_VALUE_MAX);
		assert_int_equal(field.len, field.cut ? NATFLOW_HPACK_VALUE_MAX : len);
		assert_memory_equal(field.value, text, field.len);
		assert_int_equal(next_in(block, m + n - 1, &field), -EINVAL);
	}
}

/* RFC 7541 appendix C, and blocks that are wrong. "": nothing told; NULL: an error. */
static void test_hpack(void **state)
{
#define B(text, value) { text, sizeof(text) - 1, value }
	static const struct { const char *block; size_t len; const char *value; } rows[] = {
		/* C.1.2: 1337 as a table size in front of C.2.4. */
		B("\x3f\x9a\x0a\x82", "GET"), B("\x2a\x82", "GET"), B("\x20\x20\x82", "GET"),
		/* C.2.1 to C.2.4 */
		B("\x40\x0a" "custom-key\x0d" "custom-header", ""),
		B("\x04\x0c/sample/path", "/sample/path"),
		B("\x10\x08password\x06secret", ""), B("\x82", "GET"),
		/* C.5.1 and C.6.1: the answers of a server, nothing told. */
		B("\x48\x03" "302\x58\x07private\x61\x1dMon, 21 Oct 2013 20:13:21 GMT"
		  "\x6e\x17https://www.example.com", ""),
		B("\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b\x61\x96\xd0\x7a\xbe\x94\x10\x54"
		  "\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff\x6e\x91\x9d"
		  "\x29\xad\x17\x18\x63\xc7\x8f\x0b\x97\xc8\xe9\xae\x82\xae\x43\xd3", ""),
		/* C.3.2, C.3.3, C.4.2, C.4.3, C.5.2: not without the request before. */
		B("\x82\x86\x84\xbe", "GET"), B("\xbe\x58\x08no-cache", NULL),
		B("\xbf\x85", NULL), B("\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf", NULL),
		B("\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f", NULL), B("\xc1\xc0\xbf", NULL),
		/* The static table, and its edges. */
		B("", ""), B("\x81", ""), B("\x83", "POST"), B("\x84", "/"),
		B("\x85", "/index.html"),
		B("\xa6", ""), B("\xa5", ""), B("\xa7", ""), B("\xbd", ""), B("\xbe", NULL),
		B("\x80", NULL), B("\x7d\x01" "a", ""), B("\x7e\x01" "a", NULL),
		B("\x66\x01" "a", "a"), B("\x0f\x17\x01" "b", "b"), B("\x1f\x17\x01" "b", "b"),
		/* Names spelled out, plain and coded. */
		B("\x00\x0a:authority\x01" "a", "a"), B("\x40\x07:method\x01" "a", "a"),
		B("\x10\x05:path\x01" "a", "a"), B("\x00\x04host\x01" "a", "a"),
		B("\x00\x88\xb8\x3b\x53\x39\xec\x32\x7d\x7f\x01" "a", "a"),
		B("\x00\x85\xb9\x49\x53\x39\xe4\x01" "a", "a"),
		B("\x00\x84\xb9\x58\xd3\x3f\x01" "a", "a"), B("\x00\x83\x9c\xe8\x4f\x01" "a", "a"),
		B("\x00\x03\x9c\xe8\x4f\x01" "a", ""), B("\x00\x04Host\x01" "a", ""),
		B("\x00\x00\x00", ""),
		/* The dynamic table of this very block. */
		B("\x40\x01" "a\x01" "b\xbe\x82", "GET"), B("\x40\x01" "a\x01" "b\xbf", NULL),
		B("\x40\x01" "a\x01" "b\x7e\x01" "c\xbf\xbe\x83", "POST"),
		B("\x00\x01" "a\x01" "b\xbe", NULL), B("\x10\x01" "a\x01" "b\xbe", NULL),
		/* Integers and lengths that go too far. */
		B("\xff", NULL), B("\xff\x80\x80\x80\x80\x00", NULL),
		B("\xff\xff\xff\xff\xff\x7f", NULL),
		B("\xff\x80\x00", NULL), B("\x04", NULL), B("\x04\x02" "a", NULL), B("\x00", NULL),
		B("\x00\x02" "a", NULL), B("\x00\x0b" "a", NULL), B("\x00\x01" "a", NULL),
		B("\x00\x01" "a\x01", NULL), B("\x04\x7f\xff\xff\xff\x7f" "a", NULL),
		B("\x3f", NULL),
		/* A table size behind a field. */
		B("\x86\x20", NULL),
		/* Padding: zeros, eight ones, EOS, a symbol cut off; and all right. */
		B("\x04\x81\x00", NULL), B("\x04\x82\x1f\xff", NULL),
		B("\x04\x84\xff\xff\xff\xff", NULL),
		B("\x04\x81\xfe", NULL), B("\x04\x81\xff", NULL), B("\x04\x81\x07", "0"),
		B("\x04\x80", ""),
	};
	struct natflow_hpack_field field;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int ret = next_in(rows[i].block, rows[i].len, &field);

		if (!rows[i].value ? ret != -EINVAL :
		    ret < 0 || strlen(rows[i].value) != field.len ||
		    memcmp(field.value, rows[i].value, field.len))
			fail_msg("row %zu: %d", i, ret);
	}
}

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

/* A stream being made. */
struct stream {
	u8 data[2 * NATFLOW_HTTP_MAX];
	size_t len;
};

static void add(struct stream *s, u8 type, u8 flags, u32 id, const void *payload, size_t len)
{
	u8 head[9] = { len >> 16, len >> 8, len, type, flags, id >> 24, id >> 16, id >> 8, id };

	memcpy(s->data + s->len, head, 9);
	memcpy(s->data + s->len + 9, payload, len);
	s->len += 9 + len;
}

static void begin(struct stream *s)
{
	memcpy(s->data, PREFACE, 24);
	s->len = 24;
	add(s, 4, 0, 0, "\x00\x03\x00\x00\x00\x64", 6);
}

/* RFC 7541 appendices C.3.1 and C.4.1: a first request. */
#define C31 "\x82\x86\x84\x41\x0fwww.example.com"
#define C41 "\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"

static const struct h2_row {
	const char *block;
	size_t len;
	const char *host;	/* NULL: malformed */
	unsigned int flags, port;
	const char *method, *path;
} h2_rows[] = {
#define R(block, ...) { block, sizeof(block) - 1, __VA_ARGS__ }
	R(C31, "www.example.com", NAMED, 0, "GET", "/"),
	R(C41, "www.example.com", NAMED, 0, "GET", "/"),
	R("\x83\x85\x01\x06" "A.B:81", "a.b", NAMED, 81, "POST", "/index.html"),
	R("\x83\x01\x08[::1]:82", "::1", NAMED, 82, "POST", ""),
	R("\x02\x07" "CONNECT\x01\x04" "a:80", "a", NAMED, 80, "CONNECT", ""),
	R("\x82\x84\x66\x01" "b", "b", NAMED, 0, "GET", "/"),
	R("\x82\x84\x81\x66\x01" "b", "b", NAMED, 0, "GET", "/"),
	R("\x82\x84\x01\x01" "a\x66\x01" "b", "a", DIFFERS, 0, "GET", "/"),
	R("\x82\x84\x01\x01" "a\x66\x02" "A.", "a", NAMED, 0, "GET", "/"),
	R("\x82\x84", "", 0, 0, "GET", "/"),
	R("\x20\x3f\xe1\x1f\x82\x84\x01\x01" "a", "a", NAMED, 0, "GET", "/"),
	R("\x02\x20" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", CUT, 0,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ""),
	/* Twice, out of order, by way of the dynamic table, or not a name. */
	R("\x82\x82", NULL), R("\x84\x85", NULL), R("\x01\x01" "a\x01\x01" "a", NULL),
	R("\x66\x01" "a\x66\x01" "a", NULL), R("\x66\x01" "a\x01\x01" "a", NULL),
	R("\x41\x01" "a\xbe", NULL), R("\x41\x01" "a\x7e\x01" "b", NULL),
	R("\x66\x01" "a\x0f\x2f\x01" "b", NULL), R("\x01\x01 ", NULL), R("\x01\x03" "a:x", NULL),
	R("\x04\x02/ ", NULL), R("\x04\x02/\x00", NULL), R("\x02\x02G\x7f", NULL),
	R("\x82\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xfe", NULL),
};

static void check_h2(const struct h2_row *row, const struct stream *s)
{
	struct natflow_h2 h2;
	size_t n;

	for (n = 0; n < s->len; n++)
		assert_int_equal(parse2(s->data, n, &h2), MORE);
	if (!row->host) {
		assert_int_equal(parse2(s->data, s->len, &h2), BAD);
		return;
	}
	assert_int_equal(parse2(s->data, s->len, &h2), OK);
	assert_string_equal(h2.host.text, row->host);
	assert_int_equal(h2.flags, row->flags);
	assert_int_equal(h2.port, row->port);
	assert_string_equal(h2.method, row->method);
	assert_string_equal(h2.path, row->path);
}

/* Each block in one frame, in two cut anywhere, and in one frame per byte. */
static void test_h2(void **state)
{
	static struct stream s;
	u8 padded[128];
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(h2_rows); i++) {
		const struct h2_row *r = &h2_rows[i];

		begin(&s);
		add(&s, 1, 5, 1, r->block, r->len);
		check_h2(r, &s);

		begin(&s);
		add(&s, 8, 0, 0, "\0\0\1\0", 4);
		add(&s, 2, 0, 3, "\0\0\0\0\1", 5);
		add(&s, 6, 0, 0, "01234567", 8);
		add(&s, 4, 1, 0, "", 0);
		add(&s, 0xbe, 0xff, 77, "grease", 6);
		memcpy(padded, "\x03\x80\0\0\1\x10", 6);
		memcpy(padded + 6, r->block, r->len);
		memset(padded + 6 + r->len, 0, 3);
		add(&s, 1, 0x2d, 0x80000001, padded, r->len + 9);
		check_h2(r, &s);

		for (n = 0; n <= r->len; n++) {
			begin(&s);
			add(&s, 1, 0, 5, r->block, n);
			add(&s, 9, 4, 5, r->block + n, r->len - n);
			check_h2(r, &s);
		}
		begin(&s);
		add(&s, 1, 1, 1, "", 0);
		for (n = 0; n < r->len; n++)
			add(&s, 9, 0, 1, r->block + n, 1);
		add(&s, 9, 4, 1, "", 0);
		check_h2(r, &s);
	}
}

/* A stream made of frames: types, flags and ids; payloads do not matter much. */
static void test_h2_frames(void **state)
{
	struct f { u8 type, flags; u32 id; const char *payload; };
	static const struct { struct f f[4]; enum natflow_parsed want; } rows[] = {
		{ { { 4, 0, 0, "" }, { 1, 4, 1, "\x82" } }, OK },
		{ { { 4, 0, 0, "" }, { 1, 4, 7, "\x82" } }, OK },
		{ { { 4, 0, 0, "" }, { 1, 0, 1, "\x82" }, { 9, 4, 1, "\x84" } }, OK },
		{ { { 4, 0, 0, "" } }, MORE },
		{ { { 4, 0, 0, "" }, { 1, 0, 1, "\x82" } }, MORE },
		{ { { 1, 4, 1, "\x82" } }, BAD }, { { { 8, 0, 0, "1234" } }, BAD },
		{ { { 4, 0, 0, "" }, { 0, 0, 1, "" } }, BAD },
		{ { { 4, 0, 0, "" }, { 3, 0, 1, "1234" } }, BAD },
		{ { { 4, 0, 0, "" }, { 5, 4, 1, "1234" } }, BAD },
		{ { { 4, 0, 0, "" }, { 9, 4, 1, "\x82" } }, BAD },
		{ { { 4, 0, 0, "" }, { 1, 4, 0, "\x82" } }, BAD },
		{ { { 4, 0, 0, "" }, { 1, 4, 2, "\x82" } }, BAD },
		{ { { 4, 0, 0, "" }, { 1, 0, 1, "\x82" }, { 9, 4, 3, "\x84" } }, BAD },
		{ { { 4, 0, 0, "" }, { 1, 0, 1, "\x82" }, { 6, 0, 0, "12345678" } }, BAD },
		{ { { 4, 0, 0, "" }, { 1, 0, 1, "\x82" }, { 1, 4, 1, "\x84" } }, BAD },
		{ { { 4, 0, 0, "" }, { 1, 0, 1, "\x82" }, { 10, 0, 1, "" } }, BAD },
		/* Padding and priority that are longer than the frame. */
		{ { { 4, 0, 0, "" }, { 1, 0x0c, 1, "" } }, BAD },
		{ { { 4, 0, 0, "" }, { 1, 0x0c, 1, "\x02\x82" } }, BAD },
		{ { { 4, 0, 0, "" }, { 1, 0x0c, 1, "\x01\x82" } }, OK },
		{ { { 4, 0, 0, "" }, { 1, 0x24, 1, "1234" } }, BAD },
		{ { { 4, 0, 0, "" }, { 1, 0x24, 1, "12345" } }, OK },
		{ { { 4, 0, 0, "" }, { 1, 0x2c, 1, "\x01" "1234" } }, BAD },
	};
	static struct stream s;
	struct natflow_h2 h2;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		memcpy(s.data, PREFACE, 24);
		s.len = 24;
		for (n = 0; n < 4 && rows[i].f[n].payload; n++)
			add(&s, rows[i].f[n].type, rows[i].f[n].flags, rows[i].f[n].id,
			    rows[i].f[n].payload, strlen(rows[i].f[n].payload));
		if (parse2(s.data, s.len, &h2) != rows[i].want)
			fail_msg("row %zu", i);
	}
	/* Not the preface, at the first byte that differs. */
	for (n = 0; n < 24; n++) {
		memcpy(s.data, PREFACE, 24);
		s.data[n] ^= 0x20;
		assert_int_equal(parse2(s.data, n, &h2), MORE);
		assert_int_equal(parse2(s.data, n + 1, &h2), OTHER);
	}
}

static void test_h2_limits(void **state)
{
	static u8 payload[NATFLOW_HTTP_MAX + 1], name[256];
	static struct stream s;
	struct natflow_h2 h2;
	size_t n;

	/* A path that is longer than what is kept; a host that is longer than hosts are. */
	memset(payload, 'x', sizeof(payload));
	begin(&s);
	n = put_int(payload, 0x04, 0x0f, 4);
	n += put_int(payload + n, 0, 0x7f, 5000);
	add(&s, 1, 4, 1, payload, n + 5000);
	assert_int_equal(parse2(s.data, s.len, &h2), OK);
	assert_int_equal(strlen(h2.path), NATFLOW_H2_PATH_MAX);
	assert_int_equal(h2.flags, CUT);
	begin(&s);
	payload[0] = 0x01;
	add(&s, 1, 4, 1, payload, n + 5000);
	assert_int_equal(parse2(s.data, s.len, &h2), BAD);
	memset(name, 'a', sizeof(name));
	for (n = 253; n < 255; n++) {
		size_t m = put_int(payload, 0x01, 0x0f, 1);

		m += put_int(payload + m, 0, 0x7f, n + 6);
		memcpy(payload + m, name, n);
		memcpy(payload + m + n, ":65535", 6);
		begin(&s);
		add(&s, 1, 4, 1, payload, m + n + 6);
		assert_int_equal(parse2(s.data, s.len, &h2), n == 253 ? OK : BAD);
	}
	/* The last byte that may be block, and one more. */
	memset(payload, 0, sizeof(payload));
	for (n = 0; n < 2; n++) {
		size_t len = NATFLOW_HTTP_MAX - 24 - 15 - 9 + n;
		size_t m = put_int(payload, 0x10, 0x0f, 20);

		m += put_int(payload + m, 0, 0x7f, len - m - 3);
		begin(&s);
		add(&s, 1, 4, 1, payload, len);
		assert_int_equal(parse2(s.data, s.len, &h2), n ? BAD : OK);
		assert_int_equal(parse2(s.data, 50, &h2), n ? BAD : MORE);
	}
	/* Many fields. */
	memset(payload, 0x86, sizeof(payload));
	for (n = 1024; n < 1026; n++) {
		begin(&s);
		add(&s, 1, 4, 1, payload, n);
		assert_int_equal(parse2(s.data, s.len, &h2), n == 1024 ? OK : BAD);
	}
	/* As many dynamic entries as are remembered, behind one host; a host is told once. */
	for (n = 0; n < 3; n++) {
		int i;

		memcpy(payload, "\x41\x01" "a", 3);
		for (i = 0; i < 127; i++)
			memcpy(payload + 3 + 4 * i, "\x40\x01" "a\0", 4);
		payload[511] = 0xff;
		payload[512] = 62 + 126 + n - 127;
		begin(&s);
		add(&s, 1, 4, 1, payload, 513);
		assert_int_equal(parse2(s.data, s.len, &h2), n ? BAD : OK);
	}
}

/* Later frames of a connection: a name by the dynamic table, and frames that are no request. */
static void test_h2_later(void **state)
{
#define F(type, flags, block, ret, host, end) { type, flags, block, sizeof(block) - 1, ret, host, end }
	static const struct {
		u8 type, flags;
		const char *block;
		size_t len;
		enum natflow_parsed ret;
		const char *host;
		u32 end;
	} rows[] = {
		/* RFC 7541 C.3.1 to C.3.3, then C.4.1's host as the second one */
		F(1, 4, "\x82\x86\x84\x41\x0fwww.example.com", OK, "www.example.com", 29),
		F(1, 4, "\x82\x86\x84\xbe\x58\x08no-cache", OK, "www.example.com", 23),
		F(0, 1, "data", OK, "", 13),
		F(1, 4, "\x82\x87\x85\xbf\x40\x0a" "custom-key\x0c" "custom-value", OK, "www.example.com",
		  38),
		F(1, 4, "\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", OK,
		  "www.example.com", 23),
		F(1, 4, "\x66\x03two", OK, "two", 14),
		F(1, 4, "\xbe", OK, "two", 10), F(1, 4, "\x7e\x05three", OK, "three", 16),
		F(1, 4, "\x10\x01t\x01" "1", OK, "", 14),			/* trailers */
		F(4, 0, "", OK, "", 9), F(3, 0, "\0\0\0\0", OK, "", 13),
		F(5, 4, "\xbe", BAD, "", 0), F(9, 4, "\xbe", BAD, "", 0), F(77, 4, "?", OK, "", 10),
		F(1, 4, "\x41\x01" "4", OK, "4", 12), F(1, 4, "\x41\x01" "5", OK, "5", 12),
		F(1, 4, "\x41\x01" "6", OK, "6", 12), F(1, 4, "\xc1", OK, "three", 10),
		/* The host is not kept any more. */
		F(1, 4, "\xc2", BAD, "", 0),
	};
	static struct natflow_h2 h2, before;
	static struct stream s;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		u8 *copy;

		s.len = 0;
		add(&s, rows[i].type, rows[i].flags, 1, rows[i].block, rows[i].len);
		before = h2;
		/* A frame that is no request is read without its payload. */
		for (n = 0; n < (rows[i].type == 1 ? s.len : 9); n++) {
			copy = exact_copy(s.data, n);
			assert_int_equal(natflow_h2_frame(copy, n, &before.table, &h2), MORE);
			free(copy);
		}
		copy = exact_copy(s.data, s.len);
		assert_int_equal(natflow_h2_frame(copy, s.len, &before.table, &h2), rows[i].ret);
		free(copy);
		if (rows[i].ret != OK)
			continue;
		assert_string_equal(h2.host.text, rows[i].host);
		assert_int_equal(h2.end, rows[i].end);
		assert_int_equal(h2.request, rows[i].type == 1);
	}
}

static void test_h2_flips(void **state)
{
	static struct stream s;
	struct natflow_h2 h2;
	size_t i, n;
	int v;

	for (i = 0; i < ARRAY_SIZE(h2_rows); i++) {
		begin(&s);
		add(&s, 1, 0, 1, h2_rows[i].block, h2_rows[i].len / 2);
		add(&s, 9, 4, 1, h2_rows[i].block + h2_rows[i].len / 2,
		    h2_rows[i].len - h2_rows[i].len / 2);
		for (n = 0; n < s.len; n++) {
			for (v = 1; v < 256; v++) {
				s.data[n] ^= v;
				if (parse2(s.data, s.len, &h2) == OK)
					assert_int_equal(strlen(h2.host.text), h2.host.len);
				s.data[n] ^= v;
			}
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_huffman), cmocka_unit_test(test_hpack),
		cmocka_unit_test(test_h2), cmocka_unit_test(test_h2_frames),
		cmocka_unit_test(test_h2_limits), cmocka_unit_test(test_h2_later),
		cmocka_unit_test(test_h2_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
