// SPDX-License-Identifier: GPL-2.0-only
/* HTTP/1 on the host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../lib/names/http.h"
#include "exact.h"

/* Rows of tables leave out what is 0 or does not matter. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define OK NATFLOW_PARSED
#define MORE NATFLOW_PARSE_MORE
#define OTHER NATFLOW_PARSE_OTHER
#define BAD NATFLOW_PARSE_MALFORMED

#define NAMED NATFLOW_HTTP_NAMED
#define DIFFERS (NATFLOW_HTTP_NAMED | NATFLOW_HTTP_DIFFERS)
#define H2C NATFLOW_HTTP_H2C
#define V10 NATFLOW_HTTP_V10
#define CUT NATFLOW_HTTP_CUT

/* In a buffer that ends where the data does. */
static enum natflow_parsed parse1(const void *data, size_t len, struct natflow_http *http)
{
	enum natflow_parsed ret;
	u8 *copy = exact_copy(data, len);

	ret = natflow_http_parse(copy, len, http);
	free(copy);
	return ret;
}

static enum natflow_parsed chunk(const void *data, size_t len, u64 *skip, bool *last)
{
	enum natflow_parsed ret;
	u8 *copy = exact_copy(data, len);

	ret = natflow_http_chunk_parse(copy, len, skip, last);
	free(copy);
	return ret;
}

static void assert_span(const char *data, struct natflow_span span, const char *want)
{
	assert_int_equal(span.len, strlen(want));
	assert_memory_equal(data + span.at, want, span.len);
}

struct request {
	const char *text, *host;
	unsigned int flags, port;
};

#define LINE "GET / HTTP/1.1\r\n"

/* Whole heads with what is told of them; each is tried cut, too. */
static const struct request requests[] = {
	{ LINE "Host: example.com\r\n\r\n", "example.com", NAMED },
	{ LINE "\r\n", "", 0 },
	{ "GET / HTTP/1.0\r\n\r\n", "", V10 },
	{ "GET / HTTP/1.0\r\nHost: a.b\r\n\r\n", "a.b", V10 | NAMED },
	/* Where Host stands, and how it is written. */
	{ LINE "A: b\r\nC: d\r\nHost: example.com\r\nE: f\r\n\r\n", "example.com", NAMED },
	{ LINE "hOsT:example.com\r\n\r\n", "example.com", NAMED },
	{ LINE "HOST:   EXAMPLE.com  \r\n\r\n", "example.com", NAMED },
	{ LINE "Host:\texample.com\t\r\n\r\n", "example.com", NAMED },
	{ LINE "Host: \t example.com\r\n\r\n", "example.com", NAMED },
	{ LINE "Host : example.com\r\n\r\n", "example.com", NAMED },
	{ LINE "Host\t: example.com\r\n\r\n", "example.com", NAMED },
	{ LINE " Host: example.com\r\n\r\n", "example.com", NAMED },
	{ LINE "Host: example.com\r\r\n\r\n", "example.com", NAMED },
	{ LINE "Host: example.com.\r\n\r\n", "example.com", NAMED },
	{ LINE "Host: example.com:8080\r\n\r\n", "example.com", NAMED, 8080 },
	{ LINE "Host: example.com.:0080\r\n\r\n", "example.com", NAMED, 80 },
	{ LINE "Host: example.com:\r\n\r\n", "example.com", NAMED },
	{ LINE "Host: 192.0.2.1:65535\r\n\r\n", "192.0.2.1", NAMED, 65535 },
	{ LINE "Host: [::1]:80\r\n\r\n", "::1", NAMED, 80 },
	{ LINE "Host: [2001:DB8::1]\r\n\r\n", "2001:db8::1", NAMED },
	{ LINE "Host: me:pw@example.com:1\r\n\r\n", "example.com", NAMED, 1 },
	{ LINE "Host: a@b@example.com\r\n\r\n", "example.com", NAMED },
	{ LINE "Host: a_b.example\r\n\r\n", "a_b.example", NAMED },
	{ LINE "Host:\r\n\r\n", "", NAMED },
	/* Names that only look like it. */
	{ LINE "X-Host: a\r\nHost2: b\r\nHos: c\r\nHost: d\r\n\r\n", "d", NAMED },
	{ LINE "X: y\r\n Host: evil\r\nHost: d\r\n\r\n", "d", NAMED },
	{ LINE "no colon\r\n: no name\r\nHost: d\r\n\r\n", "d", NAMED },
	{ LINE "X: \x80\xff\x01\r\nHost: d\r\n\r\n", "d", NAMED },
	{ LINE "X: y\rHost: evil\r\nHost: d\r\n\r\n", "d", NAMED },
	/* Line ends. */
	{ "GET / HTTP/1.1\nHost: example.com\n\n", "example.com", NAMED },
	{ "GET / HTTP/1.1\nHost: example.com\r\n\n", "example.com", NAMED },
	{ "\r\n" LINE "Host: example.com\r\n\r\n", "example.com", NAMED },
	{ "\n\n\r\n" LINE "Host: example.com\r\n\r\n", "example.com", NAMED },
	/* Folding. */
	{ LINE "Host:\r\n example.com\r\n\r\n", "example.com", NAMED },
	{ LINE "Host:\r\n\t\r\n  example.com\r\n \r\n\r\n", "example.com", NAMED },
	{ LINE "Host: example.com\n \n\n", "example.com", NAMED },
	/* More than one. */
	{ LINE "Host: a.b\r\nHost: c.d\r\n\r\n", "a.b", DIFFERS },
	{ LINE "Host: a.b\r\nhost: A.B.:80\r\n\r\n", "a.b", NAMED },
	{ LINE "Host: a.b:81\r\nHost: a.b:80\r\n\r\n", "a.b", NAMED, 81 },
	{ LINE "Host: a.b\r\nHost: a.b c\r\n\r\n", "a.b", DIFFERS },
	{ LINE "Host: a.b\r\nHost:\r\n\r\n", "a.b", DIFFERS },
	{ LINE "Host:\r\nHost: a.b\r\n\r\n", "", DIFFERS },
	/* The request line. */
	{ "GET  /   HTTP/1.1  \r\nHost: a\r\n\r\n", "a", NAMED },
	{ "GET\t/\tHTTP/1.1\t\r\nHost: a\r\n\r\n", "a", NAMED },
	{ "GET\v/\r\f HTTP/1.1\r\nHost: a\r\n\r\n", "a", NAMED },
	{ "GET /a b c HTTP/1.1\r\nHost: a\r\n\r\n", "a", NAMED },
	{ "GET /\xc3\xa9 http/1.1\r\nHost: a\r\n\r\n", "a", NAMED },
	{ "GET / HTTP/1.01\r\nHost: a\r\n\r\n", "a", NAMED },
	{ "GET //evil/ HTTP/1.1\r\nHost: a\r\n\r\n", "a", NAMED },
	{ "GET /http://evil/ HTTP/1.1\r\nHost: a\r\n\r\n", "a", NAMED },
	{ "x!#$%&'*+-.^_`|~09AZ / HTTP/1.1\r\nHost: a\r\n\r\n", "a", NAMED },
	{ "M-SEARCH * HTTP/1.1\r\nHOST:239.255.255.250:1900\r\n\r\n",
	  "239.255.255.250", NAMED, 1900 },
	{ "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "a", NAMED },
	{ "PRI / HTTP/1.1\r\nHost: a\r\n\r\n", "a", NAMED },
	/* Absolute form. */
	{ "GET http://a.b/ HTTP/1.1\r\nHost: a.b\r\n\r\n", "a.b", NAMED },
	{ "GET http://a.b/ HTTP/1.1\r\nHost: c.d\r\n\r\n", "a.b", DIFFERS },
	{ "GET http://a.b/ HTTP/1.1\r\n\r\n", "a.b", NAMED },
	{ "GET hTTp://A.b.:81 HTTP/1.1\r\nHost: a.b\r\n\r\n", "a.b", NAMED, 81 },
	{ "GET http://u:p@a.b?x@c.d HTTP/1.1\r\n\r\n", "a.b", NAMED },
	{ "GET http://c.d@a.b#/@c.d HTTP/1.1\r\n\r\n", "a.b", NAMED },
	{ "GET https://[::1]:443/x HTTP/1.1\r\n\r\n", "::1", NAMED, 443 },
	{ "GET a+b-1.c://h/ HTTP/1.1\r\n\r\n", "h", NAMED },
	/* Authority form. */
	{ "CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n\r\n", "a.b", NAMED, 443 },
	{ "CONNECT a.b:443 HTTP/1.1\r\nHost: c.d\r\n\r\n", "a.b", DIFFERS, 443 },
	{ "CONNECT [::1]:443 HTTP/1.0\r\n\r\n", "::1", NAMED | V10, 443 },
	/* Upgrade. */
	{ LINE "Host: a\r\nUpgrade: h2c\r\n\r\n", "a", NAMED | H2C },
	{ LINE "Host: a\r\nupgrade: websocket,H2C\r\n\r\n", "a", NAMED | H2C },
	{ LINE "Host: a\r\nUpgrade: h2c , x\r\n\r\n", "a", NAMED | H2C },
	{ LINE "Host: a\r\nUpgrade: h2cx, xh2c, h2, h2-c\r\n\r\n", "a", NAMED },
};

static void test_requests(void **state)
{
	struct natflow_http http, part;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		const struct request *r = &requests[i];
		size_t len = strlen(r->text);
		char longer[512];

		if (parse1(r->text, len, &http) != OK || strcmp(http.host.text, r->host) ||
		    http.flags != r->flags || http.port != r->port)
			fail_msg("'%s': host '%s' flags %u port %u", r->text, http.host.text,
				 http.flags, http.port);
		assert_int_equal(http.header_len, len);
		assert_int_equal(http.host.len, strlen(r->host));
		for (n = 0; n < len; n++) {
			assert_int_equal(parse1(r->text, n, &part), MORE);
			if (part.host.len)
				assert_string_equal(part.host.text, r->host);
		}
		snprintf(longer, sizeof(longer), "%s" LINE "Host: later\r\n\r\n", r->text);
		for (n = len; n <= strlen(longer); n++) {
			assert_int_equal(parse1(longer, n, &part), OK);
			assert_memory_equal(&part, &http, sizeof(http));
		}
	}
}

static void test_spans(void **state)
{
	static const char get[] =
		"\r\nGET  /a?b=c  HTTP/1.1\r\nuser-agent: a (b)\t\r\nUser-Agent: c\r\n\r\n";
	static const char connect[] = "CONNECT a:1 HTTP/1.1\r\n\r\n";
	static const char absolute[] = "PROPFIND http://a/b HTTP/1.1\r\n\r\n";
	struct natflow_http http;

	assert_int_equal(parse1(get, sizeof(get) - 1, &http), OK);
	assert_span(get, http.method, "GET");
	assert_span(get, http.target, "/a?b=c");
	assert_span(get, http.user_agent, "a (b)");
	assert_int_equal(parse1(connect, sizeof(connect) - 1, &http), OK);
	assert_span(connect, http.method, "CONNECT");
	assert_span(connect, http.target, "a:1");
	assert_span(connect, http.user_agent, "");
	assert_int_equal(parse1(absolute, sizeof(absolute) - 1, &http), OK);
	assert_span(absolute, http.method, "PROPFIND");
	assert_span(absolute, http.target, "http://a/b");
}

/* Told apart at exactly that many bytes. */
static void test_other(void **state)
{
	static const struct { const char *bytes; unsigned int at; } rows[] = {
		{ "\x16\x03\x01\x02\x00", 1 },			/* TLS */
		{ "\xff", 1 }, { ":", 1 }, { " GET / HTTP/1.1", 1 }, { "\x13" "BitTorrent", 1 },
		{ "SSH-2.0-OpenSSH_9.2p1\r\n", 23 }, { "SSH-2.0-OpenSSH Debian\r\n", 24 },
		{ "HTTP/1.1 200 OK\r\n", 5 }, { "{\"a\"", 1 }, { "GET\r\n", 5 }, { "GET /\r\n", 7 },
		{ "GET /a\x01", 7 }, { "GET /\x7f", 6 }, { "GET / HTTP/\r\n", 13 },
		{ "GET / ICAP/1.0\r\n", 16 }, { "GET HTTP/1.1\r\n", 14 }, { "GET ?x\r\n", 8 },
		{ "GET x/\r\n", 8 }, { "GET http:/a\r\n", 13 }, { "INVITE sip:a@b SIP/2.0\r\n", 24 },
		{ "OPTIONS rtsp://a/b RTSP/1.0\r\n", 29 }, { "CONNECT HTTP/1.1\r\n", 18 },
		{ "EHLO example.com\r\n", 18 }, { "MAIL FROM:<a@b>\r\n", 17 },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 5 }, { "\r\n\r\n\x16", 5 },
	};
	struct natflow_http http;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (n = 0; n <= strlen(rows[i].bytes); n++) {
			if (parse1(rows[i].bytes, n, &http) != (n < rows[i].at ? MORE : OTHER))
				fail_msg("'%s' at %zu", rows[i].bytes, n);
		}
	}
}

static void test_malformed(void **state)
{
	static const char * const rows[] = {
		LINE "Host: a b\r\n\r\n", LINE "Host: a\r\n b\r\n\r\n", LINE "Host: \x80\r\n\r\n",
		LINE "Host: a:x\r\n\r\n", LINE "Host: a:65536\r\n\r\n", LINE "Host: a:1:2\r\n\r\n",
		LINE "Host: ::1\r\n\r\n", LINE "Host: [::1\r\n\r\n", LINE "Host: [::1]x\r\n\r\n",
		LINE "Host: []\r\n\r\n", LINE "Host: [\r\n\r\n", LINE "Host: :80\r\n\r\n",
		LINE "Host: .\r\n\r\n", LINE "Host: a/b\r\n\r\n", LINE "Host: http://a\r\n\r\n",
		LINE "Host: a@\r\n\r\n", LINE "Host: a:99999999999999999999\r\n\r\n",
		"GET http:/// HTTP/1.1\r\n\r\n", "GET http:// HTTP/1.1\r\n\r\n",
		"GET http://a b/ HTTP/1.1\r\n\r\n", "GET http://a:b/ HTTP/1.1\r\n\r\n",
		"GET http://a@/ HTTP/1.1\r\n\r\n", "CONNECT / HTTP/1.1\r\n\r\n",
	};
	struct natflow_http http;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (parse1(rows[i], strlen(rows[i]), &http) != BAD || http.host.len)
			fail_msg("'%s'", rows[i]);
	}
}

/* A head of NATFLOW_HTTP_MAX bytes is the longest, one of 1024 lines the one with most. */
static void test_limits(void **state)
{
	static char text[NATFLOW_HTTP_MAX + 64];
	struct natflow_http http;
	int over, n;

	for (over = 0; over < 2; over++) {
		n = sprintf(text, LINE "Host: a\r\nX: ");
		memset(text + n, 'x', sizeof(text) - n);
		memcpy(text + NATFLOW_HTTP_MAX - 4 + over, "\r\n\r\n", 4);
		assert_int_equal(parse1(text, sizeof(text), &http), over ? BAD : OK);
		assert_int_equal(parse1(text, NATFLOW_HTTP_MAX - 1, &http), MORE);
		assert_string_equal(http.host.text, "a");
		assert_int_equal(parse1(text, NATFLOW_HTTP_MAX, &http), over ? BAD : OK);

		n = sprintf(text, LINE "Host: a\r\n");
		while (n < 2 * (1022 + over) + (int)strlen(LINE "Host: a\r\n"))
			n += sprintf(text + n, "x\n");
		n += sprintf(text + n, "\n");
		assert_int_equal(parse1(text, n, &http), over ? BAD : OK);
	}
	memset(text, 'x', sizeof(text));
	assert_int_equal(parse1(text, NATFLOW_HTTP_MAX - 1, &http), MORE);
	assert_int_equal(parse1(text, NATFLOW_HTTP_MAX, &http), BAD);
}

static void test_body(void **state)
{
	static const struct {
		const char *fields;
		enum natflow_http_body body;
		u64 len;
	} rows[] = {
		{ "", NATFLOW_HTTP_NO_BODY },
		{ "Content-Length: 0\r\n", NATFLOW_HTTP_LENGTH, 0 },
		{ "content-length:\t42 \r\n", NATFLOW_HTTP_LENGTH, 42 },
		{ "Content-Length: 7\r\nContent-Length: 007\r\n", NATFLOW_HTTP_LENGTH, 7 },
		{ "Content-Length: 99999999999999999\r\n", NATFLOW_HTTP_LENGTH, 99999999999999999 },
		{ "Content-Length: 7\r\nContent-Length: 8\r\n", NATFLOW_HTTP_UNKNOWN },
		{ "Content-Length: 7, 7\r\n", NATFLOW_HTTP_UNKNOWN },
		{ "Content-Length: +7\r\n", NATFLOW_HTTP_UNKNOWN },
		{ "Content-Length: -7\r\n", NATFLOW_HTTP_UNKNOWN },
		{ "Content-Length:\r\n", NATFLOW_HTTP_UNKNOWN },
		{ "Content-Length: 18446744073709551617\r\n", NATFLOW_HTTP_UNKNOWN },
		{ "Transfer-Encoding: chunked\r\n", NATFLOW_HTTP_CHUNKED },
		{ "transfer-encoding:gzip ,\tChunked\r\n", NATFLOW_HTTP_CHUNKED },
		{ "Transfer-Encoding: chunked, gzip\r\n", NATFLOW_HTTP_UNKNOWN },
		{ "Transfer-Encoding: xchunked\r\n", NATFLOW_HTTP_UNKNOWN },
		{ "Transfer-Encoding:\r\n", NATFLOW_HTTP_UNKNOWN },
		{ "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", NATFLOW_HTTP_CHUNKED },
		{ "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", NATFLOW_HTTP_CHUNKED },
		{ "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		  NATFLOW_HTTP_UNKNOWN },
		{ "Content-Length: x\r\nContent-Length: 1\r\n", NATFLOW_HTTP_UNKNOWN },
	};
	struct natflow_http http;
	char text[256];
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		n = sprintf(text, "POST / HTTP/1.1\r\n%s\r\n", rows[i].fields);
		if (parse1(text, n, &http) != OK || http.body != rows[i].body ||
		    (http.body == NATFLOW_HTTP_LENGTH && http.body_len != rows[i].len))
			fail_msg("'%s': %d %llu", text, http.body, http.body_len);
	}
	n = sprintf(text, "CONNECT a:1 HTTP/1.1\r\nContent-Length: 1\r\n\r\n");
	assert_int_equal(parse1(text, n, &http), OK);
	assert_int_equal(http.body, NATFLOW_HTTP_UNKNOWN);
	n = sprintf(text, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_int_equal(parse1(text, n, &http), OK);
	assert_int_equal(http.body, NATFLOW_HTTP_UNKNOWN);
}

static void test_chunk(void **state)
{
	static const struct {
		const char *text;
		enum natflow_parsed ret;
		u64 skip;
		bool last;
	} rows[] = {
		{ "5\r\nhello\r\n0\r\n\r\n", OK, 8, false },
		{ "5\nhello", OK, 7, false },
		{ "\r\n5\r\nhello", OK, 10, false },
		{ "00fF ;a=b\r\n", OK, 266, false },
		{ "de0b6b3a7640000\r\n", OK, 1000000000000000017, false },
		{ "0\r\n\r\n", OK, 5, true },
		{ "\r\n0;x\r\nA: b\r\n c\r\n\r\nGET", OK, 19, true },
		{ "0\n\n", OK, 3, true },
		{ "", MORE }, { "\r", MORE }, { "\r\n", MORE }, { "5", MORE }, { "5\r", MORE },
		{ "0\r\n", MORE }, { "0\r\n\r", MORE }, { "0\r\nA: b\r\n", MORE },
		{ "x", BAD }, { "\r\n\r\n", BAD }, { "5x\r\n", BAD }, { ";\r\n", BAD },
		{ "-1\r\n", BAD },
		{ "de0b6b3a7640001\r\n", BAD }, { "fffffffffffffffff\r\n", BAD },
	};
	static char text[NATFLOW_HTTP_MAX];
	bool last;
	u64 skip;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		enum natflow_parsed ret = chunk(rows[i].text, strlen(rows[i].text), &skip, &last);

		if (ret != rows[i].ret ||
		    (ret == OK && (skip != rows[i].skip || last != rows[i].last)))
			fail_msg("'%s': %d %llu %d", rows[i].text, ret, skip, last);
	}
	memset(text, '0', sizeof(text));
	assert_int_equal(chunk(text, sizeof(text) - 1, &skip, &last), MORE);
	assert_int_equal(chunk(text, sizeof(text), &skip, &last), BAD);
}

/* From request to request over one connection. */
static void test_keepalive(void **state)
{
	static const char text[] =
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET "
		"POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3;x=y\r\nGET\r\n10\r\n / HTTP/1.1\r\nHos\r\n0\r\nHost: evil\r\n\r\n"
		"GET / HTTP/1.1\r\nHost: c\r\n\r\n"
		"\r\nGET / HTTP/1.1\r\nHost: d\r\n\r\n";
	const u8 *data = (const u8 *)text, *end = data + strlen(text);
	struct natflow_http http;
	char names[8] = "";
	bool last;
	u64 skip;

	while (data < end) {
		assert_int_equal(natflow_http_parse(data, end - data, &http), OK);
		strcat(names, http.host.text);
		data += http.header_len;
		if (http.body == NATFLOW_HTTP_LENGTH)
			data += http.body_len;
		for (last = http.body != NATFLOW_HTTP_CHUNKED; !last; data += skip)
			assert_int_equal(chunk(data, end - data, &skip, &last), OK);
	}
	assert_ptr_equal(data, end);
	assert_string_equal(names, "abcd");
}

static void check_itself(const char *text, size_t len)
{
	struct natflow_http http, again;

	if (parse1(text, len, &http) != OK)
		return;
	assert_in_range(http.header_len, 1, len);
	assert_int_equal(parse1(text, http.header_len, &again), OK);
	assert_int_equal(parse1(text, http.header_len - 1, &again), MORE);
}

/* No change of one byte makes it read beyond, or disagree with itself. */
static void test_flips(void **state)
{
	char text[512];
	size_t i, n;
	int v;

	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		size_t len = strlen(requests[i].text);

		memcpy(text, requests[i].text, len);
		for (n = 0; n < len; n++) {
			for (v = 1; v < 256; v++) {
				text[n] ^= v;
				check_itself(text, len);
				text[n] ^= v;
			}
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests), cmocka_unit_test(test_spans),
		cmocka_unit_test(test_other), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_body),
		cmocka_unit_test(test_chunk), cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
