// SPDX-License-Identifier: GPL-2.0-only
/* lib/names/dns on the host: RFC vectors, hostile names, every truncation, every flipped byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../lib/names/dns.h"

#define MALFORMED NATFLOW_PARSE_MALFORMED
#define MORE NATFLOW_PARSE_MORE
#define PARSED NATFLOW_PARSED

/* Bytes as string literals; the NUL that C adds is not counted. */
struct bytes {
	const char *text;
	size_t len;
};

#define B(s) { s, sizeof(s) - 1 }

/* A message under construction. */
struct message {
	u8 bytes[16384];
	size_t len;
};

static void put(struct message *m, const void *bytes, size_t len)
{
	assert_true(m->len + len <= sizeof(m->bytes));
	memcpy(m->bytes + m->len, bytes, len);
	m->len += len;
}

static void put16(struct message *m, unsigned int v)
{
	u8 b[2] = { v >> 8, v };

	put(m, b, 2);
}

/* A response to "<name> IN <type>"; the counts are added to by put_record(). */
static void begin(struct message *m, struct bytes name, unsigned int type)
{
	static const u8 header[12] = { 0x12, 0x34, 0x81, 0x80, 0, 1 };

	m->len = 0;
	put(m, header, sizeof(header));
	put(m, name.text, name.len);
	put16(m, type);
	put16(m, 1);
}

/* In section 0, 1, 2: answer, authority, additional; TTL 300. */
static void put_record(struct message *m, int section, struct bytes owner, unsigned int type,
		       struct bytes data)
{
	u8 *count = m->bytes + 6 + 2 * section;

	put(m, owner.text, owner.len);
	put16(m, type);
	put(m, "\0\1\0\0\1\x2c", 6);
	put16(m, data.len);
	put(m, data.text, data.len);
	if (!++count[1])
		count[0]++;
}

/* From a buffer that ends where the message does, for the sanitizers. */
static enum natflow_parsed parse(const u8 *msg, size_t len, struct natflow_dns *dns)
{
	u8 *copy = malloc(len);
	enum natflow_parsed ret;

	memcpy(copy, msg, len);
	ret = natflow_dns_parse(copy, len, dns);
	free(copy);
	return ret;
}

static void start(struct natflow_dns_cursor *c, const struct message *m)
{
	struct natflow_dns dns;

	assert_int_equal(parse(m->bytes, m->len, &dns), PARSED);
	memset(c, 0, sizeof(*c));
	natflow_dns_begin(c, &dns, m->bytes, m->len);
}

static void check_name(struct natflow_dns_cursor *c, unsigned int at, const char *want)
{
	struct natflow_hostname host;

	assert_true(natflow_dns_name_read(c, at, &host));
	assert_string_equal(host.text, want);
	assert_int_equal(host.len, strlen(want));
}

/* Everything a caller can do. Return: bytes of names and parameters seen. */
static size_t walk(const u8 *msg, size_t len)
{
	struct natflow_dns_cursor c = {};
	struct natflow_dns_record r;
	struct natflow_dns_param p;
	struct natflow_hostname host;
	struct natflow_dns dns;
	size_t seen = 0;

	natflow_dns_parse(msg, len, &dns);
	if (!dns.question_end)
		return 0;
	natflow_dns_begin(&c, &dns, msg, len);
	while (natflow_dns_next(&c, &r)) {
		natflow_dns_name_read(&c, r.owner, &host);
		seen += host.len;
		if (!r.target)
			continue;
		natflow_dns_name_read(&c, r.target, &host);
		seen += host.len;
		while (r.type != NATFLOW_DNS_CNAME && natflow_dns_param_next(&c, &r, &p))
			seen += p.len;
	}
	return seen;
}

static const struct bytes www = B("\3wWw\7eXaMpLe\3CoM\0");	/* 17 bytes, ends at 29 */
static const struct bytes self = B("\xc0\x0c");

static void test_question(void **state)
{
	static const u8 query[] = "\xab\xcd\x01\0\0\1\0\0\0\0\0\0\3wWw\7eXaMpLe\3CoM\0\0\x1c\0\1";
	struct natflow_dns dns;

	assert_int_equal(parse(query, sizeof(query) - 1, &dns), PARSED);
	assert_int_equal(dns.id, 0xabcd);
	assert_false(dns.response || dns.truncated || dns.edns);
	assert_int_equal(dns.opcode, 0);
	assert_int_equal(dns.rcode, 0);
	assert_string_equal(dns.question.text, "www.example.com");
	assert_int_equal(dns.type, NATFLOW_DNS_AAAA);
	assert_int_equal(dns.class, 1);
	assert_int_equal(dns.question_end, sizeof(query) - 1);
}

static void test_header(void **state)
{
	static const struct {
		u8 bits[2];
		bool response, truncated;
		u8 opcode, rcode;
	} v[] = {
		{ { 0x00, 0x00 }, false, false, 0, 0 }, { { 0x80, 0x00 }, true, false, 0, 0 },
		{ { 0x02, 0x00 }, false, true, 0, 0 }, { { 0x78, 0x00 }, false, false, 15, 0 },
		{ { 0x28, 0x00 }, false, false, 5, 0 }, { { 0x81, 0x83 }, true, false, 0, 3 },
		{ { 0x85, 0xff }, true, false, 0, 15 },
	};
	struct natflow_dns dns;
	struct message m;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		begin(&m, www, 1);
		memcpy(m.bytes + 2, v[i].bits, 2);
		assert_int_equal(parse(m.bytes, m.len, &dns), PARSED);
		assert_int_equal(dns.response, v[i].response);
		assert_int_equal(dns.truncated, v[i].truncated);
		assert_int_equal(dns.opcode, v[i].opcode);
		assert_int_equal(dns.rcode, v[i].rcode);
	}
	for (i = 0; i < 3; i++) {
		begin(&m, www, 1);
		m.bytes[5] = i;
		assert_int_equal(parse(m.bytes, m.len, &dns), i == 1 ? PARSED : MALFORMED);
	}
}

/* The figure of RFC 1035 section 4.1.4, at the offsets it has there. */
static void test_rfc1035(void **state)
{
	static const struct { unsigned int at; struct bytes bytes; const char *want; } v[] = {
		{ 20, B("\1F\3ISI\4ARPA\0"), "f.isi.arpa" },
		{ 40, B("\3FOO\xc0\x14"), "foo.f.isi.arpa" },
		{ 64, B("\xc0\x1a"), "arpa" },
		{ 92, B("\0"), "" },
	};
	struct natflow_dns_cursor c = {};
	u8 msg[93] = {};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(v); i++)
		memcpy(msg + v[i].at, v[i].bytes.text, v[i].bytes.len);
	c.msg = msg;
	c.len = sizeof(msg);
	for (i = 0; i < ARRAY_SIZE(v); i++)
		check_name(&c, v[i].at, v[i].want);
	assert_int_equal(c.spent, 12 + 5 + 12 + 1 + 6 + 1);
}

static void test_chain(void **state)
{
	static const struct { const char *owner, *target; u8 type, addr[4]; } want[] = {
		{ "www.example.com", "cdn.example.com", NATFLOW_DNS_CNAME, {} },
		{ "cdn.example.com", "e1.cdn.example.com", NATFLOW_DNS_CNAME, {} },
		{ "e1.cdn.example.com", NULL, NATFLOW_DNS_A, { 192, 0, 2, 7 } },
		{ "e1.cdn.example.com", NULL, NATFLOW_DNS_AAAA, { 0x20, 1, 0x0d, 0xb8 } },
		{ "www.example.com", NULL, 16, {} },
	};
	static const struct bytes ns = B("\xc0\x10"), addr = B("\xc0\0\2\7"),
		addr6 = B("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
	struct natflow_dns_cursor c;
	struct natflow_dns_record r;
	struct message m;
	size_t i;

	begin(&m, www, 1);
	put_record(&m, 0, self, 5, (struct bytes)B("\3cdn\xc0\x10"));		/* at 45 */
	put_record(&m, 0, (struct bytes)B("\xc0\x2d"), 5, (struct bytes)B("\2e1\xc0\x2d"));
	put_record(&m, 0, (struct bytes)B("\xc0\x3f"), 1, addr);
	put_record(&m, 0, (struct bytes)B("\xc0\x3f"), 28, addr6);
	put_record(&m, 0, self, 16, (struct bytes)B("\2hi"));
	put_record(&m, 1, ns, 2, (struct bytes)B("\2ns\xc0\x10"));
	put_record(&m, 2, ns, 1, addr);
	start(&c, &m);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		assert_true(natflow_dns_next(&c, &r));
		assert_int_equal(r.type, want[i].type);
		assert_int_equal(r.ttl, 300);
		check_name(&c, r.owner, want[i].owner);
		assert_int_equal(!r.target, !want[i].target);
		if (r.target)
			check_name(&c, r.target, want[i].target);
		assert_memory_equal(r.addr, want[i].addr, 4);
	}
	assert_int_equal(r.owner, NATFLOW_DNS_QUESTION);
	assert_int_equal(r.end - r.data, 3);
	assert_memory_equal(m.bytes + r.data, "\2hi", 3);
	assert_false(natflow_dns_next(&c, &r));
	assert_false(natflow_dns_next(&c, &r));
}

static void test_ttl_and_class(void **state)
{
	struct natflow_dns_cursor c;
	struct natflow_dns_record r;
	struct message m;

	begin(&m, www, 1);
	put_record(&m, 0, self, 1, (struct bytes)B("\xc0\0\2\7"));
	m.bytes[m.len - 10] = 0x80;
	put_record(&m, 0, self, 1, (struct bytes)B("odd in CHAOS"));
	m.bytes[m.len - 19] = 3;
	put_record(&m, 0, self, 1, (struct bytes)B("\xc0\0\2\x08"));
	m.bytes[m.len - 10] = 0x7f;
	start(&c, &m);
	assert_true(natflow_dns_next(&c, &r));
	assert_int_equal(r.ttl, 0);
	assert_true(natflow_dns_next(&c, &r));
	assert_int_equal(r.addr[3], 8);
	assert_int_equal(r.ttl, 0x7f00012c);
	assert_false(natflow_dns_next(&c, &r));
}

static void test_edns(void **state)
{
	static const struct {
		struct bytes owner;
		u8 section, count, upper, version, rcode;	/* rcode: of the header */
		enum natflow_parsed want;
		bool edns;
		u16 full;
	} v[] = {
		{ B("\0"), 2, 1, 0, 0, 0, PARSED, true, 0 },
		{ B("\0"), 2, 1, 1, 0, 0, PARSED, true, 16 },	/* BADVERS */
		{ B("\0"), 2, 1, 1, 0, 7, PARSED, true, 23 },	/* BADCOOKIE */
		{ B("\0"), 2, 1, 0xff, 0, 15, PARSED, true, 4095 },
		{ B("\0"), 2, 1, 0, 1, 0, PARSED, true, 0 },
		{ B("\0"), 2, 2, 0, 0, 0, MALFORMED, false, 0 },
		{ B("\1a\0"), 2, 1, 0, 0, 0, MALFORMED, false, 0 },
		{ B("\xc0\x0c"), 2, 1, 0, 0, 0, MALFORMED, false, 0 },
		{ B("\0"), 1, 1, 1, 0, 3, PARSED, false, 3 },
		{ B("\0"), 0, 1, 1, 0, 3, PARSED, false, 3 },
	};
	struct natflow_dns dns;
	struct message m;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		begin(&m, www, 1);
		m.bytes[3] |= v[i].rcode;
		for (n = 0; n < v[i].count; n++) {
			put_record(&m, v[i].section, v[i].owner, 41, (struct bytes)B("\0\x0a\0\0"));
			m.bytes[m.len - 10] = v[i].upper;
			m.bytes[m.len - 9] = v[i].version;
		}
		assert_int_equal(parse(m.bytes, m.len, &dns), v[i].want);
		if (v[i].want != PARSED)
			continue;
		assert_int_equal(dns.edns, v[i].edns);
		assert_int_equal(dns.rcode, v[i].full);
	}
}

struct param {
	u16 key;
	struct bytes value;
};

#define FOO "\3foo\7example"

/* RFC 9460 appendix D: what the data of a record of type SVCB or HTTPS says. */
static const struct service {
	struct bytes data;
	u16 priority;
	const char *target;
	unsigned int count;
	struct param params[4];
} services[] = {
	{ B("\0\0" FOO "\3com\0"), 0, "foo.example.com", 0, {} },
	{ B("\0\1\0"), 1, "", 0, {} },
	{ B("\0\x10" FOO "\3com\0\0\3\0\2\0\x35"), 16, "foo.example.com", 1, {
		{ 3, B("\0\x35") } } },
	{ B("\0\1" FOO "\3com\0\2\x9b\0\5hello"), 1, "foo.example.com", 1, {
		{ 667, B("hello") } } },
	{ B("\0\1" FOO "\3com\0\2\x9b\0\x09hello\xd2qoo"), 1, "foo.example.com", 1, {
		{ 667, B("hello\xd2qoo") } } },
	{ B("\0\1" FOO "\3com\0\0\6\0\x20"
	    "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\x53\0\1"),
	  1, "foo.example.com", 1, {
		{ 6, B("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
		       "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\x53\0\1") } } },
	{ B("\0\1\7example\3com\0\0\6\0\x10\x20\1\x0d\xb8\1\x22\3\x44\0\0\0\0\xc0\0\2\x21"),
	  1, "example.com", 1, {
		{ 6, B("\x20\1\x0d\xb8\1\x22\3\x44\0\0\0\0\xc0\0\2\x21") } } },
	{ B("\0\x10" FOO "\3org\0\0\0\0\4\0\1\0\4\0\1\0\x09\2h2\5h3-19\0\4\0\4\xc0\0\2\1"),
	  16, "foo.example.org", 3, {
		{ 0, B("\0\1\0\4") }, { 1, B("\2h2\5h3-19") }, { 4, B("\xc0\0\2\1") } } },
	{ B("\0\x10" FOO "\3org\0\0\1\0\x0c\010f\\oo,bar\2h2"), 16, "foo.example.org", 1, {
		{ 1, B("\010f\\oo,bar\2h2") } } },
	/* Not from there: ECH, an empty no-default-alpn, an alias with parameters. */
	{ B("\0\1\0\0\1\0\3\2h2\0\2\0\0\0\5\0\3ech\xff\xff\0\0"), 1, "", 4, {
		{ 1, B("\2h2") }, { 2, B("") }, { 5, B("ech") }, { 65535, B("") } } },
	{ B("\0\0\0\0\1\0\3\2h2"), 0, "", 0, {} },
};

static void check_service(const struct service *s, unsigned int type)
{
	struct natflow_dns_cursor c;
	struct natflow_dns_record r;
	struct natflow_dns_param p;
	struct message m;
	unsigned int i;

	begin(&m, www, type);
	put_record(&m, 0, self, type, s->data);
	start(&c, &m);
	assert_true(natflow_dns_next(&c, &r));
	assert_int_equal(r.type, type);
	assert_int_equal(r.priority, s->priority);
	check_name(&c, r.target, s->target);
	for (i = 0; i < s->count; i++) {
		assert_true(natflow_dns_param_next(&c, &r, &p));
		assert_int_equal(p.key, s->params[i].key);
		assert_int_equal(p.len, s->params[i].value.len);
		assert_memory_equal(m.bytes + p.at, s->params[i].value.text, p.len);
	}
	assert_false(natflow_dns_param_next(&c, &r, &p));
	assert_int_equal(r.data, r.end);
}

static void test_service(void **state)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(services); i++) {
		check_service(&services[i], NATFLOW_DNS_SVCB);
		check_service(&services[i], NATFLOW_DNS_HTTPS);
	}
}

/* The data of one answer, and nothing else, is wrong. */
static void test_bad_data(void **state)
{
	static const struct { u8 type; struct bytes data; } bad[] = {
		{ 1, B("") }, { 1, B("abc") }, { 1, B("abcde") },
		{ 28, B("0123456789abcde") }, { 28, B("0123456789abcdefg") },
		{ 5, B("") }, { 5, B("\1a") }, { 5, B("\1a\0\0") }, { 5, B("\xc0") },
		{ 5, B("\xc0\x0c\0") }, { 5, B("\2a\0") },
		{ 65, B("") }, { 65, B("\0") }, { 65, B("\0\1") }, { 65, B("\0\1\1a") },
		{ 65, B("\0\1\xc0\x0c") }, { 65, B("\0\1\1a\xc0\x0c") },
		{ 65, B("\0\1\0\0") }, { 65, B("\0\1\0\0\x63\0") },
		{ 65, B("\0\1\0\0\x63\0\1") }, { 65, B("\0\1\0\0\x63\xff\xff") },
		/* Keys that repeat or go down. */
		{ 65, B("\0\1\0\0\x63\0\0\0\x63\0\0") }, { 65, B("\0\1\0\0\x63\0\0\0\x62\0\0") },
		{ 65, B("\0\1\0\0\0\0\2\0\1\0\0\0\2\0\1") },
		/* RFC 9460 appendix D.3: no values, or one where none belongs. */
		{ 65, B("\0\1\0\0\0\0\0") }, { 65, B("\0\1\0\0\1\0\0") },
		{ 65, B("\0\1\0\0\3\0\0") }, { 65, B("\0\1\0\0\4\0\0") },
		{ 65, B("\0\1\0\0\6\0\0") }, { 65, B("\0\1\0\0\2\0\3abc") },
		/* Lengths and lists. */
		{ 65, B("\0\1\0\0\0\0\3\0\1\0") }, { 65, B("\0\1\0\0\3\0\3abc") },
		{ 65, B("\0\1\0\0\4\0\5abcde") }, { 65, B("\0\1\0\0\5\0\0") },
		{ 65, B("\0\1\0\0\6\0\0210123456789abcdefg") },
		{ 65, B("\0\1\0\0\1\0\3\3h2") }, { 65, B("\0\1\0\0\1\0\4\2h2\0") },
		{ 65, B("\0\1\0\0\1\0\4\0\2h2") }, { 65, B("\0\1\0\0\1\0\4\2h2\1") },
	};
	struct natflow_dns dns;
	struct message m;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		begin(&m, www, bad[i].type);
		put_record(&m, 0, self, bad[i].type, bad[i].data);
		assert_int_equal(parse(m.bytes, m.len, &dns), MALFORMED);
		/* So behind a good one; not in a section that is only passed over. */
		begin(&m, www, bad[i].type);
		put_record(&m, 0, self, 99, (struct bytes)B("x"));
		put_record(&m, 0, self, bad[i].type, bad[i].data);
		assert_int_equal(parse(m.bytes, m.len, &dns), MALFORMED);
		begin(&m, www, bad[i].type);
		put_record(&m, 1, self, bad[i].type, bad[i].data);
		assert_int_equal(parse(m.bytes, m.len, &dns), PARSED);
	}
}

/* Names in the question; a pointer has nothing to point at there. */
static void test_question_names(void **state)
{
	static const struct { struct bytes name; const char *text; } v[] = {
		{ B("\0"), "" }, { B("\1a\0"), "a" }, { B("\4_dns\2a!\0"), "_dns.a!" },
		{ B("\3a.b\0"), "a?b" }, { B("\1.\0"), "?" }, { B("\3a b\1c\0"), "a?b.c" },
		{ B("\2a\n\0"), "a?" }, { B("\2a\0\0"), "a?" }, { B("\2a\x7f\0"), "a?" },
		{ B("\2\xc3\xa4\0"), "??" },
		{ B("\xc0\x0c"), NULL }, { B("\xc0\0"), NULL }, { B("\1a\xc0\x0c"), NULL },
		{ B("\x40\0"), NULL }, { B("\x80\0"), NULL }, { B("\101a\0"), NULL },
	};
	struct natflow_dns dns;
	struct message m;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		begin(&m, v[i].name, 1);
		assert_int_equal(parse(m.bytes, m.len, &dns), v[i].text ? PARSED : MALFORMED);
		assert_int_equal(dns.question_end, v[i].text ? 12 + v[i].name.len + 4 : 0);
		if (v[i].text)
			assert_string_equal(dns.question.text, v[i].text);
	}
}

/* Several questions, and a question before what is malformed, can be read. */
static void test_doubtful(void **state)
{
	static const struct bytes root = B("\0\0\1\0\1");
	struct natflow_dns_cursor c = {};
	struct natflow_hostname host;
	struct natflow_dns_record r;
	struct natflow_dns dns;
	struct message m;
	size_t i;

	begin(&m, www, 28);
	for (i = 2; i <= NATFLOW_DNS_QUESTIONS_MAX + 1; i++) {
		put(&m, root.text, root.len);
		m.bytes[5] = i;
		assert_true(parse(m.bytes, m.len - 1, &dns) == MALFORMED && !dns.question_end);
		assert_int_equal(parse(m.bytes, m.len, &dns), MALFORMED);
		assert_int_equal(dns.question_end, i > NATFLOW_DNS_QUESTIONS_MAX ? 0 : 33);
	}
	m.len = 33;
	m.bytes[5] = 3;
	put(&m, "\2Me\2to\0\0\1\0\1", 11);
	put(&m, root.text, root.len);
	assert_int_equal(parse(m.bytes, m.len, &dns), MALFORMED);
	natflow_dns_begin(&c, &dns, m.bytes, m.len);
	assert_true(natflow_dns_question_next(&c, &host));
	assert_string_equal(host.text, "me.to");
	assert_true(natflow_dns_question_next(&c, &host) && !host.len);
	assert_false(natflow_dns_question_next(&c, &host));
	m.len = 33;
	put(&m, "\2No\xc0\x0c\0\1\0\1", 9);
	assert_true(parse(m.bytes, m.len, &dns) == MALFORMED && !dns.question_end);
	/* Behind an address that is too short comes a good one, and a record is missing. */
	begin(&m, www, 1);
	put_record(&m, 0, self, 1, (struct bytes)B("\1\2\3"));
	put_record(&m, 0, self, 1, (struct bytes)B("\1\2\3\4"));
	m.bytes[7] = 3;
	assert_int_equal(parse(m.bytes, m.len, &dns), MALFORMED);
	assert_int_equal(dns.question_end, 33);
	natflow_dns_begin(&c, &dns, m.bytes, m.len);
	assert_true(natflow_dns_next(&c, &r));
	assert_memory_equal(r.addr, "\1\2\3\4", 4);
	assert_false(natflow_dns_next(&c, &r));
}

/* Pointers to pointers end where the labels begin. */
static void test_name_at(void **state)
{
	struct natflow_dns_cursor c = {};
	struct natflow_dns_record r;
	struct message m;
	unsigned int i;

	begin(&m, www, 5);
	put_record(&m, 0, self, 5, self);			/* its data is at 45 */
	put_record(&m, 0, self, 5, (struct bytes)B("\xc0\x2d"));
	put_record(&m, 0, self, 5, (struct bytes)B("\1a\xc0\x2d"));
	start(&c, &m);
	for (i = 0; i < 3; i++) {
		assert_true(natflow_dns_next(&c, &r));
		assert_int_equal(natflow_dns_name_at(&c, r.target), i < 2 ? 12 : r.target);
	}
	c.spent = NATFLOW_DNS_BUDGET;
	assert_true(!natflow_dns_name_at(&c, 45) && !natflow_dns_name_at(&c, m.len));
}

/* A name of @wire bytes, of labels of @label characters and a shorter last one. */
static struct bytes long_name(char *to, size_t wire, size_t label)
{
	size_t at = 0;

	while (at < wire - 1) {
		size_t n = wire - 2 - at < label ? wire - 2 - at : label;

		if (wire - 2 - at == label + 1)
			n--;	/* or one byte would be left, which is no label */
		to[at] = n;
		memset(to + at + 1, 'a', n);
		at += n + 1;
	}
	to[at] = 0;
	return (struct bytes){ to, wire };
}

static void test_long_names(void **state)
{
	static const struct { size_t wire, label; enum natflow_parsed want; } v[] = {
		{ 65, 63, PARSED }, { 66, 64, MALFORMED }, { 254, 63, PARSED }, { 255, 63, PARSED },
		{ 256, 63, MALFORMED }, { 257, 63, MALFORMED }, { 300, 63, MALFORMED },
		{ 255, 1, PARSED }, { 257, 1, MALFORMED },
	};
	struct natflow_dns dns;
	struct message m;
	char name[400];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		begin(&m, long_name(name, v[i].wire, v[i].label), 1);
		assert_int_equal(parse(m.bytes, m.len, &dns), v[i].want);
		if (v[i].want == PARSED)
			assert_int_equal(dns.question.len, v[i].wire - 2);
		/* The same is so for an owner that is only passed over. */
		begin(&m, www, 1);
		put_record(&m, 1, long_name(name, v[i].wire, v[i].label), 99, (struct bytes)B(""));
		assert_int_equal(parse(m.bytes, m.len, &dns), v[i].want);
	}
}

/* Too long only together with what the pointer stands for. */
static void test_long_compressed(void **state)
{
	struct natflow_dns_cursor c;
	struct natflow_dns_record r;
	struct natflow_hostname host;
	struct message m;
	char name[400];

	begin(&m, long_name(name, 253, 63), 1);
	put_record(&m, 0, (struct bytes)B("\1b\xc0\x0c"), 1, (struct bytes)B("addr"));
	put_record(&m, 0, (struct bytes)B("\2bc\xc0\x0c"), 1, (struct bytes)B("addr"));
	start(&c, &m);
	assert_true(natflow_dns_next(&c, &r));
	assert_true(natflow_dns_name_read(&c, r.owner, &host));
	assert_int_equal(host.len, 253);
	assert_true(natflow_dns_next(&c, &r));
	assert_false(natflow_dns_name_read(&c, r.owner, &host));
	assert_int_equal(host.len, 0);
}

/* Owner names of an answer at 33, behind a record whose data, at 45, is @data. */
static void test_pointers(void **state)
{
	static const struct {
		struct bytes data, owner;
		enum natflow_parsed want;
		const char *text;	/* NULL: the message is right, the name is wrong */
	} v[] = {
		{ B("xxxx"), B("\xc0\x0c"), PARSED, "www.example.com" },
		{ B("xxxx"), B("\xc0\x10"), PARSED, "example.com" },
		{ B("xxxx"), B("\1a\xc0\x18"), PARSED, "a.com" },
		{ B("xxxx"), B("\xc0\x1c"), PARSED, "" },
		{ B("xxxx"), B("\xc0\0"), MALFORMED, NULL },		/* the header */
		{ B("xxxx"), B("\xc0\x0b"), MALFORMED, NULL },
		{ B("xxxx"), B("\1a\xc0\x0b"), MALFORMED, NULL },
		{ B("xxxx"), B("\xc0\x31"), MALFORMED, NULL },		/* itself */
		{ B("xxxx"), B("\1a\xc0\x33"), MALFORMED, NULL },	/* its pointer */
		{ B("xxxx"), B("\1a\xc0\x31"), MALFORMED, NULL },	/* its own label */
		{ B("xxxx"), B("\xc0\x32"), MALFORMED, NULL },		/* forward */
		{ B("xxxx"), B("\xff\xff"), MALFORMED, NULL },
		{ B("\xc0\x0cxx"), B("\xc0\x2d"), PARSED, "www.example.com" },	/* twice */
		{ B("\1b\xc0\x10"), B("\1a\xc0\x2d"), PARSED, "a.b.example.com" },
		{ B("\xc0\x31xx"), B("\xc0\x2d"), PARSED, NULL },	/* a -> b -> a */
		{ B("\xc0\x2dxx"), B("\xc0\x2d"), PARSED, NULL },	/* to one to itself */
		{ B("\1b\xc0\x2d"), B("\xc0\x2d"), PARSED, NULL },
		{ B("\xc0\x05xx"), B("\xc0\x2d"), PARSED, NULL },
		{ B("\x40xxx"), B("\xc0\x2d"), PARSED, NULL },
		{ B("xxx\x3f"), B("\xc0\x30"), PARSED, NULL },		/* beyond the end */
	};
	struct natflow_dns_cursor c;
	struct natflow_dns_record r;
	struct natflow_hostname host;
	struct natflow_dns dns;
	struct message m;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		begin(&m, www, 1);
		put_record(&m, 0, self, 99, v[i].data);
		assert_int_equal(m.len, 0x31);
		put_record(&m, 0, v[i].owner, 99, (struct bytes)B(""));
		assert_int_equal(parse(m.bytes, m.len, &dns), v[i].want);
		if (v[i].want != PARSED)
			continue;
		start(&c, &m);
		assert_true(natflow_dns_next(&c, &r) && natflow_dns_next(&c, &r));
		if (v[i].text)
			check_name(&c, r.owner, v[i].text);
		else
			assert_false(natflow_dns_name_read(&c, r.owner, &host) || host.len);
	}
}

/* Names at 12 in a buffer that ends with them: wrong, and found so after @spent. */
static void test_raw_names(void **state)
{
	static const struct { struct bytes name; unsigned int spent; } v[] = {
		{ B("\1"), 1 }, { B("\1a"), 2 }, { B("\xc0"), 1 }, { B("\1a\xc0"), 3 },
		{ B("\xc0\x0c"), 1 }, { B("\1a\xc0\x0c"), 3 }, { B("\1a\xc0\x0e"), 3 },
		{ B("\100aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0"), 1 },
	};
	struct natflow_hostname host;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		struct natflow_dns_cursor c = {};
		u8 *copy = calloc(1, 12 + v[i].name.len);

		memcpy(copy + 12, v[i].name.text, v[i].name.len);
		c.msg = copy;
		c.len = 12 + v[i].name.len;
		assert_false(natflow_dns_name_read(&c, 12, &host));
		assert_int_equal(c.spent, v[i].spent);
		free(copy);
	}
}

/* The two bytes of a pointer may be the last ones of the message. */
static void test_pointer_at_end(void **state)
{
	struct natflow_dns_cursor c;
	struct natflow_dns_record r;
	struct message m;

	begin(&m, www, 5);
	put_record(&m, 0, self, 5, (struct bytes)B("\1a\xc0\x10"));
	start(&c, &m);
	assert_true(natflow_dns_next(&c, &r));
	check_name(&c, r.target, "a.example.com");
	assert_false(natflow_dns_name_read(&c, m.len, &(struct natflow_hostname){}));
}

/* Thousands of records, all with one long name: the budget ends it. */
static void test_budget(void **state)
{
	struct natflow_dns_cursor c;
	struct natflow_dns_record r;
	struct natflow_hostname host;
	unsigned int names = 0, records = 0;
	struct message m;
	char name[255];

	begin(&m, long_name(name, 255, 63), 5);
	while (m.len + 14 <= sizeof(m.bytes))
		put_record(&m, 0, self, 5, self);
	start(&c, &m);
	for (; natflow_dns_next(&c, &r); records++)
		names += natflow_dns_name_read(&c, r.owner, &host) +
			 natflow_dns_name_read(&c, r.target, &host);
	assert_in_range(names, 25, NATFLOW_DNS_BUDGET / 255);
	assert_in_range(c.spent, NATFLOW_DNS_BUDGET, NATFLOW_DNS_BUDGET + 600);
	assert_false(natflow_dns_name_read(&c, r.owner, &host));
	assert_int_equal(host.len, 0);

	/* What is honest fits: every address of a full answer, every owner read. */
	begin(&m, long_name(name, 82, 20), 1);
	while (m.len + 16 <= 1232)
		put_record(&m, 0, self, 1, (struct bytes)B("addr"));
	start(&c, &m);
	for (records = 0; natflow_dns_next(&c, &r); records++)
		assert_true(natflow_dns_name_read(&c, r.owner, &host));
	assert_int_equal(records, 70);

	assert_int_equal(c.spent, 70 * (1 + 5 + 82));

	/* A second walk does not get a new one. */
	c.at = 12 + 82 + 4;
	c.left = records;
	for (names = 0; natflow_dns_next(&c, &r); )
		names += natflow_dns_name_read(&c, r.owner, &host);
	assert_true(names < records);
}

static void test_frames(void **state)
{
	static const u8 stream[] = "\0\0140123456789ab\0\0160123456789abcd\0\013x";
	struct natflow_dns_frame f;
	size_t len;

	for (len = 0; len < sizeof(stream); len++) {
		u8 *copy = malloc(len);

		memcpy(copy, stream, len);
		memset(&f, 0, sizeof(f));
		assert_int_equal(natflow_dns_frame_next(copy, len, &f), len < 14 ? MORE : PARSED);
		assert_int_equal(f.at + f.len, len < 14 ? 0 : 14);
		if (len >= 14) {
			assert_int_equal(f.at, 2);
			assert_int_equal(natflow_dns_frame_next(copy, len, &f),
					 len < 30 ? MORE : PARSED);
			assert_int_equal(f.at + f.len, len < 30 ? 14 : 30);
		}
		if (len >= 30)
			assert_int_equal(natflow_dns_frame_next(copy, len, &f),
					 len < 32 ? MORE : MALFORMED);
		free(copy);
	}
}

static void everything(struct message *m)
{
	size_t i;

	begin(m, www, 65);
	put_record(m, 0, self, 5, (struct bytes)B("\3cdn\xc0\x10"));
	put_record(m, 0, (struct bytes)B("\xc0\x2d"), 1, (struct bytes)B("\xc0\0\2\7"));
	put_record(m, 0, (struct bytes)B("\xc0\x2d"), 28, (struct bytes)B("0123456789abcdef"));
	for (i = 0; i < ARRAY_SIZE(services); i++)
		put_record(m, 0, (struct bytes)B("\xc0\x2d"), 65, services[i].data);
	put_record(m, 1, (struct bytes)B("\xc0\x10"), 2, (struct bytes)B("\2ns\xc0\x10"));
	put_record(m, 2, (struct bytes)B("\0"), 41, (struct bytes)B(""));
}

/* A message cut off is never wrong, only short. */
static void test_truncated(void **state)
{
	struct natflow_dns dns;
	struct message m;
	size_t len;

	everything(&m);
	for (len = 0; len < m.len; len++)
		assert_int_equal(parse(m.bytes, len, &dns), MORE);
	put(&m, "trailing", 8);
	for (; len <= m.len; len++)
		assert_int_equal(parse(m.bytes, len, &dns), PARSED);
}

static void test_flips(void **state)
{
	size_t at, bit, seen = 0;
	struct message m;
	u8 *copy;

	everything(&m);
	copy = malloc(m.len);
	for (at = 0; at < m.len; at++) {
		for (bit = 0; bit < 256; bit++) {
			memcpy(copy, m.bytes, m.len);
			copy[at] = bit;
			seen += walk(copy, m.len);
		}
	}
	free(copy);
	assert_true(seen > 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question), cmocka_unit_test(test_header),
		cmocka_unit_test(test_rfc1035), cmocka_unit_test(test_chain),
		cmocka_unit_test(test_ttl_and_class), cmocka_unit_test(test_edns),
		cmocka_unit_test(test_service), cmocka_unit_test(test_bad_data),
		cmocka_unit_test(test_question_names), cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_long_compressed), cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_raw_names), cmocka_unit_test(test_pointer_at_end),
		cmocka_unit_test(test_budget), cmocka_unit_test(test_frames),
		cmocka_unit_test(test_truncated), cmocka_unit_test(test_flips),
		cmocka_unit_test(test_doubtful), cmocka_unit_test(test_name_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
