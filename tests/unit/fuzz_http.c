// SPDX-License-Identifier: GPL-2.0-only
/* Fuzz HTTP/1: what a prefix says, the whole says; spans stay inside; chunks go forward. */
#include <stdio.h>
#include "../../lib/names/http.h"
#include "exact.h"

static enum natflow_parsed parse(const u8 *data, size_t len, struct natflow_http *http)
{
	enum natflow_parsed ret;
	u8 *copy = exact_copy(data, len);

	ret = natflow_http_parse(copy, len, http);
	free(copy);
	return ret;
}

static void check_span(struct natflow_span span, const struct natflow_http *http)
{
	require(span.at + span.len <= http->header_len);
}

static void check_parsed(const u8 *data, const struct natflow_http *http)
{
	struct natflow_http again;

	require(http->method.len && http->target.len && http->header_len <= NATFLOW_HTTP_MAX);
	require(data[http->header_len - 1] == '\n');
	require(strlen(http->host.text) == http->host.len);
	require(!http->host.len || http->flags & NATFLOW_HTTP_NAMED);
	check_span(http->method, http);
	check_span(http->target, http);
	check_span(http->user_agent, http);
	require(parse(data, http->header_len, &again) == NATFLOW_PARSED);
	require(!memcmp(&again, http, sizeof(again)));
	require(parse(data, http->header_len - 1, &again) == NATFLOW_PARSE_MORE);
}

/* The first byte says where to cut. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct natflow_http whole, part;
	enum natflow_parsed all, some;
	bool last = false;
	size_t cut, at;
	u64 skip;

	if (!size)
		return 0;
	cut = data[0] * size / 256;
	data++;
	size--;
	all = parse(data, size, &whole);
	if (all == NATFLOW_PARSED)
		check_parsed(data, &whole);
	some = parse(data, cut, &part);
	require(some == NATFLOW_PARSE_MORE || some == all);
	if (some == NATFLOW_PARSE_MORE && part.host.len && all == NATFLOW_PARSED)
		require(!strcmp(part.host.text, whole.host.text));
	if (some == NATFLOW_PARSED)
		require(!memcmp(&part, &whole, sizeof(whole)));
	for (at = 0; !last; at += skip) {
		if (natflow_http_chunk_parse(data + at, size - at, &skip, &last) != NATFLOW_PARSED)
			break;
		require(skip > 1);
		if (skip >= size - at)
			break;
	}
	return 0;
}
