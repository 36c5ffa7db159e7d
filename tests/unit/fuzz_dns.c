// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz DNS messages: what parses can be walked to its end, names agree with a
 * plainer reader, and more bytes never take back what was said of fewer.
 */
#include <stdio.h>
#include "../../lib/names/dns.h"

static void check(bool good)
{
	if (!good)
		abort();
}

/* The labels from @at on, behind @size characters; by recursion. Return: characters, or -1. */
static int plain(const u8 *msg, size_t len, size_t at, size_t before, char *text, int size)
{
	size_t n;

	if (at >= len)
		return -1;
	n = msg[at];
	if (n >= 0xc0) {
		if (at + 1 == len)
			return -1;
		n = (n - 0xc0) * 256 + msg[at + 1];
		return n < 12 || n >= before ? -1 : plain(msg, len, n, n, text, size);
	}
	if (!n)
		return size;
	if (n > 63 || at + n >= len || size + !!size + n > 253)
		return -1;
	if (size)
		text[size++] = '.';
	for (at++; n--; size++) {
		text[size] = msg[at] <= ' ' || msg[at] > '~' || msg[at] == '.' ? '?' : tolower(msg[at]);
		at++;
	}
	return plain(msg, len, at, before, text, size);
}

static void check_name(struct natflow_dns_cursor *c, unsigned int at)
{
	unsigned int spent = c->spent;
	struct natflow_hostname host;
	char text[256];
	bool good = natflow_dns_name_read(c, at, &host);
	int size = plain(c->msg, c->len, at, at, text, 0);

	check(c->spent > spent && c->spent <= NATFLOW_DNS_BUDGET + 600);
	if (!good) {
		check(!host.len && (size < 0 || c->spent >= NATFLOW_DNS_BUDGET));
		return;
	}
	check(size == host.len && strlen(host.text) == host.len);
	check(!memcmp(text, host.text, size));
}

static void check_params(const struct natflow_dns_cursor *c, struct natflow_dns_record *r)
{
	struct natflow_dns_param p;
	int last = -1;

	check(r->priority || r->data == r->end);
	for (; natflow_dns_param_next(c, r, &p); last = p.key) {
		check(p.key > last);
		check(p.at + p.len == r->data && r->data <= r->end);
		check(p.key != NATFLOW_DNS_IPV4HINT || (p.len && p.len % 4 == 0));
		check(p.key != NATFLOW_DNS_IPV6HINT || (p.len && p.len % 16 == 0));
	}
	check(r->data == r->end);
}

static void check_record(struct natflow_dns_cursor *c, struct natflow_dns_record *r, bool whole)
{
	check(r->owner >= 12 && r->owner < r->data && r->data <= r->end && r->end == c->at);
	check(r->class == 1);
	check_name(c, r->owner);
	switch (r->type) {
	case NATFLOW_DNS_A:
		check(r->end - r->data == 4 && !memcmp(r->addr, c->msg + r->data, 4));
		break;
	case NATFLOW_DNS_AAAA:
		check(r->end - r->data == 16 && !memcmp(r->addr, c->msg + r->data, 16));
		break;
	case NATFLOW_DNS_CNAME:
		check(r->target == r->data);
		check_name(c, r->target);
		break;
	case NATFLOW_DNS_SVCB:
	case NATFLOW_DNS_HTTPS:
		check(r->target && r->target < r->data);
		check_name(c, r->target);
		if (whole)
			check_params(c, r);
		break;
	default:
		check(!r->target);
	}
}

/* Return: how many bytes the question and the answers of class IN reach. */
static unsigned int check_message(const u8 *msg, size_t len, const struct natflow_dns *dns,
				  bool whole)
{
	struct natflow_dns_cursor c = {};
	struct natflow_dns_record r;
	unsigned int n = 0;

	check(dns->question_end >= 17 && dns->question_end <= len);
	check(dns->question_end <= 12 + 255 + 4 && dns->rcode < 4096 && dns->opcode < 16);
	natflow_dns_begin(&c, dns, msg, len);
	while (natflow_dns_next(&c, &r)) {
		check_record(&c, &r, whole);
		check(++n <= dns->answers);
	}
	check(!whole || !c.left || c.spent >= NATFLOW_DNS_BUDGET);
	return c.at;
}

/* The first @cut bytes alone: in a buffer of their own, so that reading on is seen. */
static void check_cut(const u8 *data, size_t cut, enum natflow_parsed whole)
{
	struct natflow_dns dns;
	u8 *copy = malloc(cut);
	enum natflow_parsed ret;

	memcpy(copy, data, cut);
	ret = natflow_dns_parse(copy, cut, &dns);
	check(ret == NATFLOW_PARSE_MORE || ret == whole);
	free(copy);
}

static void check_frames(const u8 *data, size_t size)
{
	struct natflow_dns_frame f = {};
	unsigned int end = 0;

	while (natflow_dns_frame_next(data, size, &f) == NATFLOW_PARSED) {
		check(f.at == end + 2 && f.len >= 12 && f.at + f.len <= size);
		check(f.len == data[end] * 256U + data[end + 1]);
		end = f.at + f.len;
	}
	check(f.at + f.len == end);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct natflow_dns dns;
	enum natflow_parsed ret = natflow_dns_parse(data, size, &dns);

	check(ret != NATFLOW_PARSE_OTHER);
	check_frames(data, size);
	if (size)
		check_cut(data, data[size - 1] * size / 256, ret);
	if (ret != NATFLOW_PARSED && dns.question_end)
		check_message(data, size, &dns, false);
	if (ret != NATFLOW_PARSED)
		return 0;
	check_cut(data, check_message(data, size, &dns, true) - 1, NATFLOW_PARSE_MORE);
	return 0;
}
