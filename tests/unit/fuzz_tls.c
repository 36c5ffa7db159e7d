// SPDX-License-Identifier: GPL-2.0-only
/* Fuzz ClientHello: cut into records or not, a prefix never says more than the whole, and never another name. */
#include <stdio.h>
#include "../../lib/names/tls.h"

/* @bare in records of @size bytes; their length. */
static u32 to_records(const u8 *bare, u32 len, u32 size, u8 *out)
{
	u32 at, n, to = 0;

	for (at = 0; at < len; at += n) {
		n = len - at < size ? len - at : size;
		memcpy(out + to, (u8[]){ 22, 3, 1, n >> 8, n }, 5);
		memcpy(out + to + 5, bare + at, n);
		to += n + 5;
	}
	return to;
}

static void check(const struct natflow_tls *tls, u32 len)
{
	if (strlen(tls->host.text) != tls->host.len || tls->host.len > NATFLOW_HOSTNAME_MAX ||
	    tls->end > len || tls->alpn[NATFLOW_ALPN_MAX])
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u8 records[8 * 20000];
	struct natflow_tls tls, bare, cut;
	enum natflow_parsed want;
	u32 len;

	if (size < 2 || size > 20000)
		return 0;
	natflow_tls_hello(data, size, true, &tls);
	check(&tls, size);
	natflow_tls_is_retry(data, size);
	/* The first byte is the size of records, and where to cut. */
	want = natflow_tls_hello(data + 1, size - 1, false, &bare);
	check(&bare, size - 1);
	len = to_records(data + 1, size - 1, data[0] + 1, records);
	if (natflow_tls_hello(records, len, true, &tls) != want)
		abort();
	if (want == NATFLOW_PARSED && (strcmp(tls.host.text, bare.host.text) || tls.version != bare.version))
		abort();
	if (want == NATFLOW_PARSED &&
	    natflow_tls_hello(data + 1, bare.end * data[0] / 256, false, &cut) != NATFLOW_PARSE_MORE)
		abort();
	return 0;
}
