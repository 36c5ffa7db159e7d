// SPDX-License-Identifier: GPL-2.0-only
/* Whom lists are for and when, the grammar of hostacl_ctl, replies to DNS questions, names by protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "../../include/uapi/linux/natflow_urllogger.h"
#include "grammar.h"
#include "../../lib/names/gather.h"
#include "../../lib/names/name.h"

static int parse(const char *text, struct natflow_command *cmd)
{
	assert_true(strlen(text) < NATFLOW_LINE_MAX);
	return natflow_command_parse(&grammars[1], text, cmd);
}

static void test_rules(void **state)
{
	static const struct {
		const char *line;
		int err;
		const char *word;
	} t[] = {
		{ "add acl=0,0,a.example", 0, NULL },
		{ "add acl=31,3,*.A.Example.", 0, NULL },
		{ "add acl=32,0,a", -ERANGE, "32" },
		{ "add acl=0,4,a", -ERANGE, "4" },
		{ "add acl=-1,0,a", -EINVAL, "-1" },
		{ "add acl=0,,a", -EINVAL, "" },
		{ "add acl=0,0", -EINVAL, "0,0" },
		{ "add acl=", -EINVAL, "" },
		{ "add acl=0,0,", -EINVAL, "" },
		{ "add acl=0,0,a b", -EINVAL, "a b" },
		{ "add acl=0,0,http://a/", -EINVAL, "http://a/" },
		{ "add acl=0,0,10.0.0.1", -EINVAL, "10.0.0.1" },
		{ "del acl=31,*.A.Example.", 0, NULL },
		{ "del acl=32,a", -ERANGE, "32" },
		{ "del acl=0", -EINVAL, "0" },
		{ "del acl=0,a,b", -EINVAL, "a,b" },
		{ "redirect_url=", 0, NULL },
		{ "redirect_url=https://[fd00::1]:8080/x?a=b,c#d", 0, NULL },
		{ "redirect_url=a.example", -EINVAL, "a.example" },
		{ "redirect_url=http://", -EINVAL, "http://" },
		{ "redirect_url=http:///x", -EINVAL, "http:///x" },
		{ "redirect_url=http://a/\"", -EINVAL, "http://a/\"" },
		{ "acl_action_default=reset", 0, NULL },
		{ "acl_action_default=", -EINVAL, "" },
		{ "dns_sinkhole=10.0.0.1", 0, NULL },
		{ "dns_sinkhole=fd00::1", 0, NULL },
		{ "dns_sinkhole=10.0.0.1/8", -EINVAL, "10.0.0.1/8" },
		{ "list name=a load", 0, NULL },
		{ "list name=a load skip", 0, NULL },
		{ "list name=a load skipped", -EINVAL, "load" },
		{ "list name=a load=10", 0, NULL },
		{ "list name=a load=0", -EINVAL, "load=0" },
		{ "list name=a load=4294967296", -EINVAL, "load=4294967296" },
		{ "list name=a remove", 0, NULL },
		{ "list name=a", -EINVAL, "" },
		{ "list name=a/b load", -EINVAL, "a/b" },
		{ "list name=a action=drop bogus", -EINVAL, "bogus" },
	};
	struct natflow_command cmd;
	struct natflow_rule_args *rule = NATFLOW_ARGS(&cmd, struct natflow_rule_args);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(parse(t[i].line, &cmd), t[i].err);
		if (t[i].err)
			assert_string_equal(cmd.word, t[i].word);
	}
	assert_int_equal(parse("add acl=31,3,*.A.Example.", &cmd), 0);
	assert_int_equal(rule->id, 31);
	assert_int_equal(rule->action, NATFLOW_URL_REDIRECT);
	assert_string_equal(rule->host.text, "a.example");
}

static struct natflow_site_policy policy(const char *text)
{
	struct natflow_site_policy p;
	const char *word;
	char copy[200];

	strcpy(copy, text);
	assert_int_equal(natflow_site_policy_parse(copy, &p, &word), 0);
	return p;
}

static void test_sources(void **state)
{
	static const struct natflow_site_client v4 = {
		.family = NFPROTO_IPV4, .addr = { 10, 0, 1, 2 }, .mac = { 2, 0, 0, 0, 0, 0xab }, .dev = "lan0",
	};
	static const struct natflow_site_client v6 = { .family = NFPROTO_IPV6, .addr = { 0xfd, 0, 0, 1 }, .dev = "lan1" };
	static const struct {
		const char *text;
		bool v4, v6;
	} t[] = {
		{ "action=drop", true, true },
		{ "action=drop src=10.0.1.0/24", true, false },
		{ "action=drop src=10.0.1.3", false, false },
		{ "action=drop src=0.0.0.0/0", true, false },
		{ "action=drop src=::/0", false, true },
		{ "action=drop src=fd00:1::/32", false, true },
		{ "action=drop src=10.9.0.0/16 src=fd00:1::/32 dev=lan0", true, true },
		{ "action=drop mac=02:00:00:00:00:AB", true, false },
		{ "action=drop mac=02:00:00:00:00:00", false, false },
		{ "action=drop dev=lan", false, false },
		{ "action=drop dev=lan1", false, true },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct natflow_site_policy p = policy(t[i].text);

		assert_int_equal(natflow_site_applies(&p, &v4, 0), t[i].v4);
		assert_int_equal(natflow_site_applies(&p, &v6, 0), t[i].v6);
	}
}

#define AT(day, hour, minute) ((day) * NATFLOW_DAY + (hour) * 60 + (minute))

static void test_times(void **state)
{
	static const struct natflow_site_client anybody;
	static const struct {
		const char *text;
		unsigned int minute;
		bool now;
	} t[] = {
		{ "days=mon", AT(0, 0, 0), true },
		{ "days=mon", AT(0, 23, 59), true },
		{ "days=mon", AT(1, 0, 0), false },
		{ "days=mon", AT(6, 23, 59), false },
		{ "days=fri-mon", AT(0, 1, 0), true },
		{ "days=fri-mon", AT(1, 1, 0), false },
		{ "days=fri-mon", AT(4, 1, 0), true },
		{ "days=tue,thu-fri", AT(1, 1, 0), true },
		{ "days=tue,thu-fri", AT(2, 1, 0), false },
		{ "days=tue,thu-fri", AT(4, 1, 0), true },
		{ "time=08:00-18:30", AT(3, 7, 59), false },
		{ "time=08:00-18:30", AT(3, 8, 0), true },
		{ "time=08:00-18:30", AT(3, 18, 29), true },
		{ "time=08:00-18:30", AT(3, 18, 30), false },
		{ "time=00:00-24:00", AT(3, 23, 59), true },
		{ "days=sun time=22:00-06:00", AT(6, 21, 59), false },
		{ "days=sun time=22:00-06:00", AT(6, 22, 0), true },
		{ "days=sun time=22:00-06:00", AT(0, 5, 59), true },
		{ "days=sun time=22:00-06:00", AT(0, 6, 0), false },
		{ "days=sun time=22:00-06:00", AT(6, 5, 59), false },
	};
	static const char * const wrong[] = {
		"days=", "days=x", "days=mon-", "days=mon-x", "time=8:00-18:00", "time=08:00", "time=08:00-08:00",
		"time=24:00-08:00", "time=08:60-09:00", "time=08:00-24:01", "mac=02:00:00:00:00", "mac=02-00-00-00-00-00",
		"mac=0g:00:00:00:00:00", "src=", "src=10.0.0.0/33", "dev=", "dev=sixteenletters16", "action=", "action=x",
		"match_set=", "match_set=a-name-that-is-longer-than-ipset-takes", "add_set=", "mark=", "mark=1/0", "mark=2/1", "mark=x",
	};
	const char *word;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct natflow_site_policy p = policy(t[i].text);

		assert_int_equal(natflow_site_applies(&p, &anybody, t[i].minute), t[i].now);
	}
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct natflow_site_policy p;
		char text[64];

		strcpy(text, wrong[i]);
		assert_int_equal(natflow_site_policy_parse(text, &p, &word), -EINVAL);
		assert_ptr_equal(word, text);
	}
}

/* "x.example", type A, with EDNS. */
static const u8 asked[] = {
	0x12, 0x34, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 1, 1, 'x', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1,
	0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0,
};

static void test_replies(void **state)
{
	static const struct natflow_dns_policy policy = { .sink4 = { 10, 9, 8, 7 } };
	static const u8 sink[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 10, 0, 4, 10, 9, 8, 7 };
	static const u8 opt[] = { 0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2, 0, 15 };
	struct natflow_dns dns, again;
	u8 to[NATFLOW_DNS_REPLY_MAX];
	unsigned int len, room;

	assert_int_equal(natflow_dns_parse(asked, sizeof(asked), &dns), NATFLOW_PARSED);
	len = natflow_dns_reply(to, sizeof(to), asked, &dns, &policy, NATFLOW_DNS_SINKHOLE);
	assert_int_equal(len, 27 + sizeof(sink) + sizeof(opt));
	assert_memory_equal(to, "\x12\x34\x81\x80\0\1\0\1\0\0\0\1", 12);
	assert_memory_equal(to + 12, asked + 12, 15);
	assert_memory_equal(to + 27, sink, sizeof(sink));
	assert_memory_equal(to + 27 + sizeof(sink), opt, sizeof(opt));
	/* In any room what is there is a message, and the question is. */
	for (room = 0; room <= sizeof(to); room++) {
		len = natflow_dns_reply(to, room, asked, &dns, &policy, NATFLOW_DNS_SINKHOLE);
		assert_int_equal(len != 0, room >= 27);
		if (!len)
			continue;
		assert_true(len <= room);
		assert_int_equal(natflow_dns_parse(to, len, &again), NATFLOW_PARSED);
		assert_true(again.response);
		assert_string_equal(again.question.text, "x.example");
	}
	/* Of every other type, and of other classes, there is nothing. */
	for (room = 0; room < 0x10000; room++) {
		dns.type = room;
		dns.class = room == 1 || room == 28 ? 3 : 1;
		len = natflow_dns_reply(to, sizeof(to), asked, &dns, &policy, NATFLOW_DNS_SINKHOLE);
		assert_int_equal(len, 27 + sizeof(opt));
		assert_memory_equal(to, "\x12\x34\x81\x80\0\1\0\0\0\0\0\1", 12);
	}
	len = natflow_dns_reply(to, sizeof(to), asked, &dns, &policy, NATFLOW_DNS_NXDOMAIN);
	assert_int_equal(natflow_dns_parse(to, len, &again), NATFLOW_PARSED);
	assert_int_equal(again.rcode, 3);
	assert_int_equal(again.answers, 0);
	/* In its own place, as answers are replaced. */
	memcpy(to, asked, sizeof(asked));
	len = natflow_dns_reply(to, sizeof(asked), to, &dns, &policy, NATFLOW_DNS_REFUSED);
	assert_int_equal(natflow_dns_parse(to, len, &again), NATFLOW_PARSED);
	assert_int_equal(again.rcode, 5);
}

static void test_names(void **state)
{
	static const struct {
		const char *data;
		enum natflow_parsed parsed;
		int method;
		const char *host, *uri;
	} t[] = {
		{ "GET /x?y HTTP/1.1\r\nHost: A.example:80\r\n\r\n", NATFLOW_PARSED, NATFLOW_URL_GET, "a.example", "/x?y" },
		{ "POST http://b.example/z HTTP/1.1\r\nHost: c\r\n\r\n", NATFLOW_PARSED, NATFLOW_URL_POST, "b.example", "/z" },
		{ "HEAD http://b.example HTTP/1.0\r\n\r\n", NATFLOW_PARSED, NATFLOW_URL_HEAD, "b.example", "" },
		{ "CONNECT d.example:443 HTTP/1.1\r\n\r\n", NATFLOW_PARSED, NATFLOW_URL_OTHER, "d.example", "" },
		{ "GET / HTTP/1.0\r\n\r\n", NATFLOW_PARSED, NATFLOW_URL_GET, "", "/" },
		{ "GET .x HTTP/1.1\r\nHost: e.example\r\n\r\n", NATFLOW_PARSED, NATFLOW_URL_GET, "e.example", "" },
		{ "P", NATFLOW_PARSE_MORE, 0, NULL, NULL },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n", NATFLOW_PARSE_MORE, 0, NULL, NULL },
		{ "SSH-2.0-x\r\n", NATFLOW_PARSE_OTHER, 0, NULL, NULL },
		{ "\x16\3\1", NATFLOW_PARSE_MORE, 0, NULL, NULL },
	};
	struct natflow_name name;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(natflow_name_read((const u8 *)t[i].data, strlen(t[i].data), &name), t[i].parsed);
		if (t[i].parsed != NATFLOW_PARSED)
			continue;
		assert_int_equal(name.said.source, NATFLOW_URL_HTTP);
		assert_int_equal(name.said.method, t[i].method);
		assert_string_equal(name.said.host->text, t[i].host);
		assert_int_equal(name.said.uri_len, strlen(t[i].uri));
		assert_memory_equal(name.said.uri, t[i].uri, name.said.uri_len);
	}
}

/* Questions in a stream: what asks nothing has an empty name, and does not end the stream. */
static void test_questions(void **state)
{
	static const char asks[] = "\0\x1d\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3org\0\0\1\0\1";
	u8 data[64];
	struct natflow_name name;
	u32 i;

	memcpy(data, asks, 31);
	for (i = 0; i < 31; i++)
		assert_int_equal(natflow_name_question(data, i, &name), NATFLOW_PARSE_MORE);
	assert_int_equal(natflow_name_question(data, sizeof(data), &name), NATFLOW_PARSED);
	assert_int_equal(name.said.source, NATFLOW_URL_DNS);
	assert_string_equal(name.said.host->text, "example.org");
	assert_int_equal(name.said.next, 31);
	/* A response; another opcode; records that are not there. */
	for (i = 0; i < 3; i++) {
		memcpy(data, asks, 31);
		data[i < 2 ? 4 : 13] |= i == 0 ? 0x80 : i == 1 ? 0x10 : 9;
		assert_int_equal(natflow_name_question(data, 31, &name), NATFLOW_PARSED);
		assert_true(name.said.doubtful);
		assert_string_equal(name.said.host->text, "example.org");
		assert_int_equal(name.said.next, 31);
	}
	assert_false(natflow_name_question_next(data, 31, &name));
	/* Two questions; more than 4,096 bytes, of which the question has come. */
	memcpy(data, asks, 31);
	data[1] = 34;
	data[7] = 2;
	memcpy(data + 31, "\0\0\1\0\1", 5);
	assert_int_equal(natflow_name_question(data, sizeof(data), &name), NATFLOW_PARSED);
	assert_true(name.said.doubtful && natflow_name_question_next(data, 36, &name));
	assert_int_equal(name.said.host->len, 0);
	assert_false(natflow_name_question_next(data, 36, &name));
	memcpy(data, asks, 31);
	data[0] = 0x20;
	data[13] = 1;
	for (i = 0; i < 31; i++)
		assert_int_equal(natflow_name_question(data, i, &name), NATFLOW_PARSE_MORE);
	assert_int_equal(natflow_name_question(data, 31, &name), NATFLOW_PARSED);
	assert_string_equal(name.said.host->text, "example.org");
	assert_int_equal(name.said.next, 0x201f);
	assert_false(name.said.doubtful);
	data[8] = 255;
	assert_int_equal(natflow_name_question(data, 31, &name), NATFLOW_PARSED);
	assert_true(name.said.doubtful);
	/* Another protocol. */
	assert_int_equal(natflow_name_question((const u8 *)"GET / HTTP/1.0\r\nHost: a.b\r\n\r\n", 29, &name), NATFLOW_PARSED);
	assert_true(name.said.doubtful && !name.said.host->len);
}

static void test_next(void **state)
{
	static const struct {
		const char *data;
		u64 next;
		bool chunks;
	} t[] = {
		{ "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", 27, false },
		{ "POST / HTTP/1.1\r\nContent-Length: 5000000000\r\n\r\n", 47 + 5000000000ULL, false },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", 47, true },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 0, false },
		{ "CONNECT a:1 HTTP/1.1\r\n\r\n", 0, false },
	};
	struct natflow_name name;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		assert_int_equal(natflow_name_read((const u8 *)t[i].data, strlen(t[i].data), &name), NATFLOW_PARSED);
		assert_true(name.said.next == t[i].next);
		assert_int_equal(name.said.part == NATFLOW_PART_CHUNK, t[i].chunks);
	}
	assert_int_equal(natflow_name_chunk((const u8 *)"5\r\nhello\r\n", 10, &name), NATFLOW_PARSED);
	assert_true(name.said.next == 8 && name.said.part == NATFLOW_PART_CHUNK && !name.said.host->len);
	assert_int_equal(natflow_name_chunk((const u8 *)"\r\n0\r\n\r\nGET", 10, &name), NATFLOW_PARSED);
	assert_true(name.said.next == 7 && name.said.part == NATFLOW_PART_REQUEST);
	assert_int_equal(natflow_name_chunk((const u8 *)"hello", 5, &name), NATFLOW_PARSE_MALFORMED);
}

static void test_domains(void **state)
{
	static const char * const t[][2] = {
		{ "a.b.example.org", "example.org" }, { "example.org", "example.org" }, { "org", "org" },
		{ "a.example.co.uk", "example.co.uk" }, { "example.co.uk", "example.co.uk" }, { "co.uk", "co.uk" },
		{ "a.co.example", "co.example" }, { "192.0.2.1", "192.0.2.1" }, { "2001:db8::1", "2001:db8::1" },
		{ "a.com.de", "a.com.de" }, { "a.b.xn--p1ai", "b.xn--p1ai" },
	};
	struct natflow_hostname host;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		assert_true(natflow_hostname_set(&host, (const u8 *)t[i][0], strlen(t[i][0])));
		assert_string_equal(natflow_hostname_domain(&host), t[i][1]);
	}
	assert_true(natflow_hostname_pattern(&host, "*.A.example.", 12));
	assert_string_equal(host.text, "a.example");
	assert_true(natflow_hostname_pattern(&host, ".b.example", 10));
	assert_string_equal(host.text, "b.example");
	assert_false(natflow_hostname_pattern(&host, "*.", 2));
}

/* Marks, and sets; a set that is not there has nobody in it. */
static int in_kids(const struct natflow_site_client *client, const char *name)
{
	return strcmp(name, "kids") ? -ENOENT : client->addr[3] == 2;
}

static void test_effects(void **state)
{
	struct natflow_site_client client = { .family = NFPROTO_IPV4, .addr = { 10, 0, 1, 2 }, .in_set = in_kids };
	struct natflow_site_policy p = policy("action=accept mark=0x10/0xff add_set=them match_set=kids match_set=gone");

	assert_int_equal(p.mark, 0x10);
	assert_int_equal(p.mask, 0xff);
	assert_string_equal(p.add_set, "them");
	assert_true(natflow_site_applies(&p, &client, 0));
	client.addr[3] = 3;
	assert_false(natflow_site_applies(&p, &client, 0));
	client.addr[3] = 2;
	client.in_set = NULL;
	assert_false(natflow_site_applies(&p, &client, 0));
}

/* What is behind a request that is over. */
static void test_gather(void **state)
{
	u8 first[64], have[8] = {};
	struct natflow_gather g = { .first = first, .have = have, .size = 64 };
	u32 i;

	assert_false(natflow_gather_has(&g, 0));
	assert_int_equal(natflow_gather_put(&g, 0, (const u8 *)"0123456789abcdefghij", 20), 0);
	assert_int_equal(natflow_gather_put(&g, 50, (const u8 *)"x", 1), 0);
	for (i = 0; i < 70; i++)
		assert_int_equal(natflow_gather_has(&g, i), i <= 50);
	natflow_gather_drop(&g, 16);
	assert_int_equal(g.prefix, 4);
	assert_memory_equal(first, "ghij", 4);
	for (i = 0; i < 70; i++)
		assert_int_equal(natflow_gather_has(&g, i), i <= 34);
	assert_int_equal(natflow_gather_put(&g, 4, (const u8 *)"klmnopqrstuvwxyzklmnopqrstuvwx", 30), 0);
	assert_int_equal(g.prefix, 35);
	natflow_gather_drop(&g, 32);
	assert_int_equal(g.prefix, 3);
	assert_false(natflow_gather_has(&g, 3));
}

/* Pieces that wait are part of what is there, and move with it. */
static void test_gather_ahead(void **state)
{
	struct natflow_gather_piece later = { .at = 150, .len = 5 }, piece = { &later, .at = 100, .len = 10 };
	u8 first[64], have[8] = {};
	struct natflow_gather g = { .first = first, .have = have, .size = 64, .arrived = 20, .ahead = &piece };
	u32 i;

	for (i = 0; i < 200; i++)
		assert_int_equal(natflow_gather_has(&g, i), i < 155);
	assert_int_equal(natflow_gather_put(&g, 0, (const u8 *)"12345678", 8), 0);
	natflow_gather_drop(&g, 8);
	assert_int_equal(piece.at, 92);
	assert_int_equal(later.at, 142);
	assert_int_equal(g.arrived, 12);
	for (i = 0; i < 200; i++)
		assert_int_equal(natflow_gather_has(&g, i), i < 147);
	g.ahead = NULL;
	assert_false(natflow_gather_has(&g, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules), cmocka_unit_test(test_sources), cmocka_unit_test(test_times),
		cmocka_unit_test(test_replies), cmocka_unit_test(test_names),
		cmocka_unit_test(test_questions), cmocka_unit_test(test_next), cmocka_unit_test(test_domains),
		cmocka_unit_test(test_effects), cmocka_unit_test(test_gather),
		cmocka_unit_test(test_gather_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
