// SPDX-License-Identifier: GPL-2.0-only
/*
 * ClientHello. The parser reads bytes one by one across record boundaries, so
 * nothing is copied. A list ends at its length. A length that exceeds the
 * surrounding one is malformed, if every server must read it.
 */
#include "tls.h"

/* RFC 8446 appendix B, RFC 9849 */
#define RECORD_CHANGE_CIPHER_SPEC 20
#define RECORD_HANDSHAKE 22
#define RECORD_DATA 23
#define RECORD_MAX 16384
#define HELLO_CLIENT 1
#define HELLO_SERVER 2
#define EXT_SERVER_NAME 0
#define EXT_ALPN 16
#define EXT_VERSIONS 43
#define EXT_ECH 0xfe0d
#define NAME_HOST 0

struct reader {
	const u8 *data;
	u32 len, at;
	u32 record;		/* bytes left of this record */
	enum natflow_parsed state;	/* NATFLOW_PARSED while no error occurred */
};

static bool fail(struct reader *r, enum natflow_parsed why)
{
	if (r->state == NATFLOW_PARSED)
		r->state = why;
	return false;
}

/*
 * RFC 8446 section 5.1: a hello has no empty records, and no other records in
 * between. Servers skip empty ones nevertheless.
 */
static bool next_record(struct reader *r)
{
	while (!r->record) {
		const u8 *p = r->data + r->at;

		if (r->len - r->at < 5)
			return fail(r, NATFLOW_PARSE_MORE);
		r->record = p[3] << 8 | p[4];
		if (p[0] != RECORD_HANDSHAKE || p[1] != 3 || r->record > RECORD_MAX)
			return fail(r, NATFLOW_PARSE_MALFORMED);
		r->at += 5;
	}
	return true;
}

/* True if this record has one more byte. */
static bool ready(struct reader *r)
{
	if (r->state != NATFLOW_PARSED || (!r->record && !next_record(r)))
		return false;
	return r->at < r->len || fail(r, NATFLOW_PARSE_MORE);
}

/* Read a number of @bytes, at most 4; @left is the rest of the list around it. */
static u32 get(struct reader *r, u32 *left, unsigned int bytes)
{
	u32 v = 0;

	if (*left < bytes) {
		fail(r, NATFLOW_PARSE_MALFORMED);
		return 0;
	}
	*left -= bytes;
	for (; bytes && ready(r); bytes--, r->record--)
		v = v << 8 | r->data[r->at++];
	return v;
}

/* Read a length and subtract it from @left. */
static u32 get_length(struct reader *r, u32 *left, unsigned int bytes)
{
	u32 n = get(r, left, bytes);

	if (n > *left) {
		fail(r, NATFLOW_PARSE_MALFORMED);
		return 0;
	}
	*left -= n;
	return n;
}

static void skip(struct reader *r, u32 n)
{
	while (n && ready(r)) {
		u32 here = r->len - r->at;

		if (here > r->record)
			here = r->record;
		if (here > n)
			here = n;
		r->at += here;
		r->record -= here;
		n -= here;
	}
}

static void skip_list(struct reader *r, u32 *left, unsigned int bytes)
{
	skip(r, get_length(r, left, bytes));
}

/* RFC 6066 section 3 allows one name of each kind; of several the first counts. */
static void read_names(struct reader *r, u32 left, struct natflow_tls *tls)
{
	u32 list = get_length(r, &left, 2);

	while (list && r->state == NATFLOW_PARSED) {
		u8 text[NATFLOW_HOSTNAME_MAX + 2];
		u32 i, kind = get(r, &list, 1), n = get_length(r, &list, 2);

		if (kind != NAME_HOST || tls->host.len) {
			skip(r, n);
			continue;
		}
		if (n > sizeof(text)) {
			fail(r, NATFLOW_PARSE_MALFORMED);
			return;
		}
		for (i = 0; i < n; i++) {
			u32 one = 1;

			text[i] = get(r, &one, 1);
		}
		if (r->state == NATFLOW_PARSED && !natflow_hostname_set(&tls->host, text, n))
			fail(r, NATFLOW_PARSE_MALFORMED);
	}
}

/*
 * Servers do not read an extension that they do not use. A wrong length inside it is
 * therefore capped to @left, and the rest of the hello stays valid.
 */
static u32 get_clipped(struct reader *r, u32 *left, unsigned int bytes)
{
	u32 n = get(r, left, *left < bytes ? *left : bytes);

	if (n > *left)
		n = *left;
	*left -= n;
	return n;
}

/* RFC 7301 section 3.1 allows any bytes; unprintable ones are not kept. */
static void read_alpn(struct reader *r, u32 left, struct natflow_tls *tls)
{
	u32 list = get_clipped(r, &left, 2), n = get_clipped(r, &list, 1), i;

	for (i = 0; i < n; i++) {
		u32 one = 1, c = get(r, &one, 1);

		if (i < NATFLOW_ALPN_MAX)
			tls->alpn[i] = c > ' ' && c < 0x7f ? c : '?';
	}
	skip(r, list + left);
}

/* RFC 8446 section 4.2.1; reserved values (RFC 8701) and drafts do not begin with 3. */
static void read_versions(struct reader *r, u32 left, struct natflow_tls *tls)
{
	u32 list = get_clipped(r, &left, 1);

	tls->version = 0;		/* the extension replaces legacy_version */
	while (list && r->state == NATFLOW_PARSED) {
		u32 version = get(r, &list, list < 2 ? list : 2);

		if (version >> 8 == 3 && version > tls->version)
			tls->version = version;
	}
	skip(r, left);
}

static void read_extensions(struct reader *r, u32 left, struct natflow_tls *tls)
{
	while (left && r->state == NATFLOW_PARSED) {
		u32 kind = get(r, &left, 2), n = get_length(r, &left, 2);

		if (kind == EXT_SERVER_NAME && tls->host.len)
			fail(r, NATFLOW_PARSE_MALFORMED);	/* RFC 8446 4.2: not twice */
		else if (kind == EXT_SERVER_NAME)
			read_names(r, n, tls);
		else if (kind == EXT_ALPN)
			read_alpn(r, n, tls);
		else if (kind == EXT_VERSIONS)
			read_versions(r, n, tls);
		else
			skip(r, n);
		tls->ech |= kind == EXT_ECH;
	}
}

static void read_hello(struct reader *r, struct natflow_tls *tls)
{
	u32 four = 4, left, extensions;

	if (get(r, &four, 1) != HELLO_CLIENT)
		fail(r, NATFLOW_PARSE_OTHER);
	left = get(r, &four, 3);
	tls->version = get(r, &left, 2);
	if (left < 32)
		fail(r, NATFLOW_PARSE_MALFORMED);
	skip(r, 32);				/* random */
	left -= 32;
	skip_list(r, &left, 1);			/* session */
	skip_list(r, &left, 2);			/* ciphers */
	skip_list(r, &left, 1);			/* compression */
	if (!left)
		return;			/* the oldest have no extensions */
	extensions = get(r, &left, 2);
	if (extensions != left)
		fail(r, NATFLOW_PARSE_MALFORMED);
	read_extensions(r, left, tls);
}

/* Early data that the server discards because it asks for a second hello (RFC 8446 4.2.10). */
static bool skip_data(struct reader *r)
{
	while (r->at < r->len && r->data[r->at] == RECORD_DATA) {
		u32 n;

		if (r->len - r->at < 5)
			return fail(r, NATFLOW_PARSE_MORE);
		n = 5 + (r->data[r->at + 3] << 8 | r->data[r->at + 4]);
		if (n > r->len - r->at)
			return fail(r, NATFLOW_PARSE_MORE);
		r->at += n;
	}
	return true;
}

/* True if this may be the first record, or one before a second hello. */
static bool begins(struct reader *r)
{
	static const u8 ccs[] = { RECORD_CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1 };
	u32 n = r->len < sizeof(ccs) ? r->len : sizeof(ccs);

	if (n && r->data[0] == ccs[0]) {
		if (memcmp(r->data, ccs, n))
			return fail(r, NATFLOW_PARSE_OTHER);
		if (n < sizeof(ccs))
			return fail(r, NATFLOW_PARSE_MORE);
		r->at = n;
		if (!skip_data(r))
			return false;
	}
	if (r->at < r->len && r->data[r->at] != RECORD_HANDSHAKE)
		return fail(r, NATFLOW_PARSE_OTHER);
	if (r->at + 1 < r->len && r->data[r->at + 1] != 3)
		return fail(r, NATFLOW_PARSE_OTHER);
	return true;
}

/**
 * natflow_tls_hello() - parse the ClientHello at the beginning of a stream
 * @data: the stream from its beginning, or from the end of an earlier hello
 * @len: available bytes, contiguous
 * @records: in TLS records, as over TCP; else without, as in QUIC's CRYPTO frames
 * @tls: the result
 *
 * Return: NATFLOW_PARSED with all of @tls set; NATFLOW_PARSE_MORE or
 * NATFLOW_PARSE_MALFORMED with the fields parsed so far; NATFLOW_PARSE_OTHER, with
 * @tls not valid.
 */
enum natflow_parsed natflow_tls_hello(const u8 *data, u32 len, bool records,
				      struct natflow_tls *tls)
{
	struct reader r = { .data = data, .len = len, .record = records ? 0 : ~0U };

	memset(tls, 0, sizeof(*tls));
	if (!records || begins(&r))
		read_hello(&r, tls);
	tls->end = r.at;
	return r.state;
}

/**
 * natflow_tls_is_retry() - detect a HelloRetryRequest
 * @data: the server's stream, from its beginning
 * @len: available bytes, contiguous
 *
 * Return: NATFLOW_PARSED if it is one, NATFLOW_PARSE_MORE or NATFLOW_PARSE_OTHER.
 */
enum natflow_parsed natflow_tls_is_retry(const u8 *data, u32 len)
{
	/* SHA-256 of "HelloRetryRequest", in place of a random (RFC 8446 section 4.1.3). */
	static const u8 retry[32] = {
		0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
		0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
		0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
		0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
	};
	struct reader r = { .data = data, .len = len };
	u32 i, left = 6 + sizeof(retry);

	if (!begins(&r))
		return r.state;
	if (get(&r, &left, 1) != HELLO_SERVER)
		fail(&r, NATFLOW_PARSE_OTHER);
	get(&r, &left, 3);
	get(&r, &left, 2);
	for (i = 0; i < sizeof(retry); i++)
		if (get(&r, &left, 1) != retry[i])
			fail(&r, NATFLOW_PARSE_OTHER);
	return r.state == NATFLOW_PARSE_MALFORMED ? NATFLOW_PARSE_OTHER : r.state;
}
