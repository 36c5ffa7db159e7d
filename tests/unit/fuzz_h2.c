// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz HTTP/2: what a prefix says, the whole says; and a block says the same
 * in one frame as in two.
 */
#include <stdio.h>
#include "../../lib/names/h2.h"
#include "exact.h"

static enum natflow_parsed parse(const u8 *data, size_t len, struct natflow_h2 *h2)
{
	enum natflow_parsed ret;
	u8 *copy = exact_copy(data, len);

	ret = natflow_h2_parse(copy, len, h2);
	free(copy);
	return ret;
}

static void check_stream(const u8 *data, size_t size, size_t cut)
{
	struct natflow_h2 whole, part;
	enum natflow_parsed all = parse(data, size, &whole), some = parse(data, cut, &part);

	require(some == NATFLOW_PARSE_MORE || some == all);
	if (some == NATFLOW_PARSED)
		require(!memcmp(&part, &whole, sizeof(whole)));
	if (all == NATFLOW_PARSED) {
		require(strlen(whole.host.text) == whole.host.len);
		require(strlen(whole.path) <= NATFLOW_H2_PATH_MAX);
		require(strlen(whole.method) <= NATFLOW_H2_METHOD_MAX);
		require(!whole.host.len || whole.flags & NATFLOW_HTTP_NAMED);
	}
}

static size_t put_frame(u8 *to, u8 type, u8 flags, const u8 *payload, size_t len)
{
	const u8 head[9] = { 0, len >> 8, len, type, flags, 0, 0, 0, 1 };

	memcpy(to, head, 9);
	memcpy(to + 9, payload, len);
	return 9 + len;
}

/* The input once more, as a header block. */
static void check_block(const u8 *data, size_t size, size_t cut)
{
	static u8 one[NATFLOW_HTTP_MAX], two[NATFLOW_HTTP_MAX];
	static const char begin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	struct natflow_h2 a, b;
	size_t m = sizeof(begin), n = sizeof(begin);

	memcpy(one, begin, m);
	memcpy(two, begin, n);
	m += put_frame(one + m, 1, 4, data, size);
	n += put_frame(two + n, 1, 0, data, cut);
	n += put_frame(two + n, 9, 4, data + cut, size - cut);
	require(parse(one, m, &a) == parse(two, n, &b));
	a.end = b.end;
	require(!memcmp(&a, &b, sizeof(a)));
	require(parse(two, n - 1, &b) == NATFLOW_PARSE_MORE);
}

/* The input once more, as later frames of a connection. */
static void check_frames(const u8 *data, size_t size, size_t cut)
{
	static struct natflow_h2 whole, part;
	struct natflow_hpack_table table = {};
	size_t at, n;

	for (at = 0; at < size; at += whole.end) {
		u8 *all = exact_copy(data + at, size - at), *some;
		enum natflow_parsed ret = natflow_h2_frame(all, size - at, &table, &whole);

		n = cut > at ? cut - at : 0;
		some = exact_copy(data + at, n);
		if (n && natflow_h2_frame(some, n, &table, &part) == NATFLOW_PARSED)
			require(ret == NATFLOW_PARSED && !memcmp(&part, &whole, sizeof(whole)));
		free(all);
		free(some);
		if (ret != NATFLOW_PARSED)
			return;
		require(whole.end >= 9 && strlen(whole.host.text) == whole.host.len);
		table = whole.table;
	}
}

/* The first byte says where to cut. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	size_t cut;

	if (!size)
		return 0;
	cut = data[0] * size / 256;
	data++;
	size--;
	check_stream(data, size, cut);
	check_frames(data, size, cut);
	if (size < 4096)
		check_block(data, size, cut);
	return 0;
}
