// SPDX-License-Identifier: GPL-2.0-only
/* What the parsers cost at worst, in CPU time, the fastest of many runs: other load is left out. TAP. */
#include <stdio.h>
#include <time.h>
#include "../../lib/names/dns.h"
#include "names.h"
#include "../../lib/names/h2.h"
#include "../../lib/names/http.h"
#include "../../lib/names/name.h"
#include "../../lib/text/listline.h"
#include "../../lib/names/tls.h"
#include "seal.h"

#define SIZE 16384
#define RUNS 3000

static u8 input[SIZE];
static unsigned int points;

static u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void report(const char *what, void (*work)(void), u64 limit)
{
	u64 best = ~0ULL;
	unsigned int i;

	for (i = 0; i < RUNS; i++) {
		u64 t = now();

		work();
		t = now() - t;
		if (t < best)
			best = t;
	}
	printf("%s %u - %s: %llu.%llu us of %llu\n", best <= limit ? "ok" : "not ok", ++points, what,
	       (unsigned long long)best / 1000, (unsigned long long)best / 100 % 10,
	       (unsigned long long)limit / 1000);
}

/* A hello in records of one byte; one byte less than whole, as the last of many segments finds it. */
static void tls_small_records(void)
{
	struct natflow_tls tls;

	natflow_tls_hello(input, SIZE, true, &tls);
}

static void make_small_records(void)
{
	static const u8 head[] = { 1, 0, 0x0a, 0, 3, 3, [38] = 0, 9, 0 };
	u32 i;

	for (i = 0; 6 * i + 6 <= SIZE; i++) {
		memcpy(input + 6 * i, "\x16\3\1\0\1", 5);
		input[6 * i + 5] = i < sizeof(head) ? head[i] : 0;
	}
}

/* Names of another kind of one byte each, to the end. */
static void tls_many_names(void)
{
	struct natflow_tls tls;

	natflow_tls_hello(input, SIZE, false, &tls);
}

static void make_many_names(void)
{
	static const u8 head[] = {
		1, 0, 0x3f, 0xfc, 3, 3, [38] = 0, 0, 2, 0x13, 1, 1, 0, 0x3f, 0xd1, 0, 0, 0x3f, 0xcd, 0x3f, 0xcb,
	};
	u32 i;

	memcpy(input, head, sizeof(head));
	for (i = sizeof(head); i + 4 <= SIZE; i += 4)
		memcpy(input + i, "\1\0\1x", 4);
}

static void dns(void)
{
	struct natflow_dns_cursor c = {};
	struct natflow_dns_record r;
	struct natflow_hostname name;
	struct natflow_dns d;

	if (natflow_dns_parse(input, SIZE, &d) != NATFLOW_PARSED)
		return;
	natflow_dns_begin(&c, &d, input, SIZE);
	while (natflow_dns_next(&c, &r))
		natflow_dns_name_read(&c, r.owner, &name);
}

/* Addresses to the end, all of the one long name. */
static void make_dns(void)
{
	static const u8 record[16] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 10, 0, 0, 1 };
	u32 at = 12, i;

	memset(input, 0, SIZE);
	input[2] = 0x80;
	input[5] = 1;
	for (i = 0; i < 126; i++, at += 2)
		memcpy(input + at, "\1a", 2);
	at += 1;
	memcpy(input + at, "\0\1\0\1", 4);
	at += 4;
	input[6] = (SIZE - at) / 16 >> 8;
	input[7] = (SIZE - at) / 16;
	for (; at + 16 <= SIZE; at += 16)
		memcpy(input + at, record, 16);
}

static void http(void)
{
	struct natflow_http h;

	natflow_http_parse(input, SIZE, &h);
}

static void make_http(void)
{
	u32 at = sprintf((char *)input, "GET / HTTP/1.1\r\n"), n = (SIZE - at) / 1020;

	memset(input + at, 'x', SIZE - at);
	for (; at + n < SIZE; at += n) {
		input[at + 10] = ':';
		input[at + n - 1] = '\n';
	}
}

static void h2(void)
{
	struct natflow_h2 h;

	natflow_h2_parse(input, SIZE, &h);
}

/* As many fields as are looked at, nobody's, with names as long as the longest that is somebody's. */
static void make_h2(void)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	static const u8 field[] = { 0, 0x88, 0, 0, 0, 0, 0, 0, 0, 0x3f, 0x85, 0, 0, 0, 0, 0x3f };
	u32 at = 24, len = SIZE - 24 - 9 - 9;

	memset(input, 0, SIZE);
	memcpy(input, preface, 24);
	input[at + 3] = 4;			/* SETTINGS */
	at += 9;
	memcpy(input + at, (u8[]){ len >> 16, len >> 8, len, 1, 4, 0, 0, 0, 1 }, 9);
	for (at += 9; at + sizeof(field) <= SIZE; at += sizeof(field))
		memcpy(input + at, field, sizeof(field));
}

/* All that the client's bytes hold, one after the other, as a packet that brings them is judged. */
static void all_parts(u8 part)
{
	static const struct natflow_hpack_table empty;
	const struct natflow_hpack_table *table = &empty;
	static struct natflow_name name;
	enum natflow_parsed parsed = NATFLOW_PARSED;
	u64 at = 0;

	while (at < SIZE && parsed == NATFLOW_PARSED) {
		if (part == NATFLOW_PART_CHUNK)
			parsed = natflow_name_chunk(input + at, SIZE - at, &name);
		else if (part == NATFLOW_PART_FRAME)
			parsed = natflow_name_frame(input + at, SIZE - at, table, &name);
		else
			parsed = natflow_name_read(input + at, SIZE - at, &name);
		table = name.said.table ?: table;
		at += name.said.next;
	}
}

static void requests(void)
{
	all_parts(NATFLOW_PART_REQUEST);
}

static void chunks(void)
{
	all_parts(NATFLOW_PART_CHUNK);
}

static void frames(void)
{
	all_parts(NATFLOW_PART_FRAME);
}

static void repeat(const void *data, u32 len)
{
	u32 i;

	for (i = 0; i < SIZE; i++)
		input[i] = ((const u8 *)data)[i % len];
}

static void make_requests(void)
{
	repeat("G http://a HTTP/1\n\n", 19);
}

static void make_chunks(void)
{
	repeat("1\nx", 3);
}

/* Requests whose host is a new entry of the dynamic table. */
static void make_frames(void)
{
	repeat("\0\0\3\1\4\0\0\0\1\x41\1a", 12);
}

/* The same bytes copied into a flow's buffer, as each packet's are. */
static void gather(void)
{
	static u8 first[SIZE], have[SIZE / 8];
	struct natflow_gather g = { .first = first, .have = have, .size = SIZE };

	memset(have, 0, sizeof(have));
	if (natflow_gather_put(&g, 0, input, SIZE))
		abort();
}

static u8 packet[1300];
static size_t packet_len;

/* From a new flow's first datagram to the name. */
static void quic(void)
{
	static struct natflow_quic_work work;
	static u8 first[2048], have[256];
	struct natflow_gather g = { .first = first, .have = have, .size = sizeof(first) };
	struct natflow_quic q = {};
	struct natflow_tls tls;

	memset(have, 0, sizeof(have));
	if (natflow_quic_receive(&q, &g, &work, packet, packet_len) != NATFLOW_PARSED)
		abort();
	natflow_tls_hello(first, g.prefix, false, &tls);
}

static void make_quic(void)
{
	static const u8 id[8] = "a client";
	struct seal_packet p = {
		.version = &seal_versions[0], .keys = seal_keys(&seal_versions[0], id, 8), .id = id, .id_len = 8,
		.number_len = 4,
	};
	u8 plain[1162] = { 6, 0, 0x44, 0x40, 1, 0, 4, 0x3c };

	packet_len = seal(&p, plain, sizeof(plain), packet);
}

#define DOMAINS 1000000
#define QUERIES 10000000

static u64 since(u64 *t)
{
	u64 was = *t;

	*t = now();
	return *t - was;
}

static void limit(const char *what, u64 value, u64 most, const char *unit)
{
	printf("%s %u - %s: %llu %s of %llu\n", value <= most ? "ok" : "not ok", ++points, what,
	       (unsigned long long)value, unit, (unsigned long long)most);
}

/* A million lines of a list, by turns of each format, as the loader reads them. */
static void list(void)
{
	static const char * const formats[] = {
		"%s\n", "0.0.0.0 %s\n", "address=/%s/\n", "||%s^\n", "*.%s # comment\n",
	};
	char *text = malloc(DOMAINS * 96ULL), *end = text, *c;
	struct natflow_listline line = {};
	struct natflow_hostname host;
	u64 t, sum = 0, names = 0;
	u32 i;

	for (i = 0; i < DOMAINS; i++) {
		struct natflow_domains d = { .key = { 1, 2 } };
		char name[64];

		end += sprintf(end, formats[i % ARRAY_SIZE(formats)], domain_of(i, name));
		sum += natflow_domains_tag(&d, name, strlen(name));
	}
	t = now();
	for (c = text; c < end; c++) {
		struct natflow_domains d = { .key = { 1, 2 } };

		if (!natflow_listline_push(&line, *c) || natflow_listline_begin(&line))
			continue;
		for (; natflow_listline_next(&line, &host) > 0; names++)
			sum -= natflow_domains_tag(&d, host.text, host.len);
	}
	limit("a million lines, read", since(&t) / 1000000, 1000, "ms");
	if (sum || names != DOMAINS)
		abort();
	free(text);
}

/* A million domains: how large, how fast, and whether a plain matcher says the same. */
static void domains(void)
{
	static char name[1 << 14][64];
	struct natflow_domains d = make_set(DOMAINS);
	struct reference r = make_reference(DOMAINS);
	unsigned int i, round, found = 0;
	u64 t = now(), best = ~0ULL;

	fill_set(&d, DOMAINS);
	limit("a million domains, built", since(&t) / 1000000, 2000, "ms");
	limit("a million domains, memory", (u64)d.buckets * sizeof(*d.bucket) >> 10, 12 << 10, "KiB");
	for (i = 0; i < ARRAY_SIZE(name); i++)
		query_of(i, DOMAINS, name[i]);
	for (round = 0; round < 50; round++) {
		struct natflow_domains_hit h[8];
		u64 took;

		since(&t);
		for (i = 0; i < ARRAY_SIZE(name); i++)
			found += natflow_domains_find(&d, name[i], strlen(name[i]), h, 8);
		took = since(&t);
		best = took < best ? took : best;
	}
	limit("a million domains, a lookup", best / ARRAY_SIZE(name), 200, "ns");
	if (!found)
		abort();
	limit("ten million queries, otherwise than a plain matcher", compare(&d, &r, QUERIES), 0, "answers");
	free(d.bucket);
	free_reference(&r);
}

#define LISTS 64

/* As policy/acl.c looks a name up in lists of one key. Return: ns. */
static u64 ask(const struct natflow_domains *list, const char *name)
{
	unsigned int round, i, k, found = 0;
	u64 t = now(), best = ~0ULL;

	for (round = 0; round < 200; round++) {
		struct natflow_suffixes s = { .name = name, .left = strlen(name) };
		u64 took;

		since(&t);
		while (natflow_suffixes_next(&s, list->key, list->labels)) {
			for (i = 0; i < LISTS; i++) {
				natflow_domains_expect(&list[i], &s);
				for (k = 0; k < s.count; k++)
					found += !!natflow_domains_value(&list[i], &s.all[k]);
			}
		}
		took = since(&t);
		best = took < best ? took : best;
	}
	if (found)
		abort();
	return best;
}

/* All lists at once: the longest names beside an ordinary one. */
static void lists(void)
{
	static struct natflow_domains list[LISTS];
	char labels[254], text[254];
	unsigned int i, n;
	u64 ordinary, worst;

	for (i = 0; i < LISTS; i++) {
		list[i] = make_set(1000);
		for (n = 0; n < 1000; n++) {
			sprintf(text, "n%u.l%u.example", n, i);
			*natflow_domains_add(&list[i], text, strlen(text)) = 0;
		}
	}
	for (i = 0; i < 253; i++) {
		labels[i] = i % 2 ? '.' : 'a';
		text[i] = i % 63 == 62 ? '.' : 'a';
	}
	labels[253] = text[253] = '\0';
	ordinary = ask(list, "www.natflow.example");
	worst = ask(list, labels);
	if (ask(list, text) > worst)
		worst = ask(list, text);
	printf("# a name in %u lists: %llu ns, at worst %llu\n", LISTS, (unsigned long long)ordinary,
	       (unsigned long long)worst);
	limit("a name in 64 lists, the dearest", worst / ordinary, 20, "times an ordinary one");
	for (i = 0; i < LISTS; i++)
		free(list[i].bucket);
}

int main(void)
{
	static const struct {
		const char *what;
		void (*make)(void), (*work)(void);
		u64 limit;
	} t[] = {
		{ "TLS, 16 KB of one-byte records", make_small_records, tls_small_records, 50000 },
		{ "TLS, 16 KB of names", make_many_names, tls_many_names, 50000 },
		{ "DNS, 16 KB of answers", make_dns, dns, 50000 },
		{ "HTTP, 16 KB of fields", make_http, http, 50000 },
		{ "HTTP/2, 16 KB of fields", make_h2, h2, 50000 },
		{ "a buffer, 16 KB", make_http, gather, 100000 },
		{ "HTTP, 16 KB of requests", make_requests, requests, 200000 },
		{ "HTTP, 16 KB of chunks", make_chunks, chunks, 200000 },
		{ "HTTP/2, 16 KB of requests", make_frames, frames, 200000 },
		{ "QUIC, an Initial of 1,200 bytes", make_quic, quic, 25000 },
	};
	unsigned int i;

	natflow_quic_init();
	printf("1..%zu\n", ARRAY_SIZE(t) + 6);
	for (i = 0; i < ARRAY_SIZE(t); i++) {
		t[i].make();
		report(t[i].what, t[i].work, t[i].limit);
	}
	list();
	domains();
	lists();
	return 0;
}
