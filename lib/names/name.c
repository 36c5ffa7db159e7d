// SPDX-License-Identifier: GPL-2.0-only
/* The name at the beginning of a client's stream. */
#include "name.h"

#define CHUNKS_AT_ONCE 64	/* of a body; bounds the cost of many short ones */

static void begin(struct natflow_name *name, enum natflow_url_source source,
		  const struct natflow_hostname *host)
{
	name->said.source = source;
	name->said.method = NATFLOW_URL_NONE;
	name->said.flags = 0;
	name->said.uri = NULL;
	name->said.uri_len = 0;
	name->said.alpn = "";
	name->said.next = 0;
	name->said.doubtful = false;
	name->said.part = NATFLOW_PART_REQUEST;
	name->said.nothing = false;
	name->said.upgrade = false;
	name->said.table = NULL;
	name->said.host = host;
}

static enum natflow_url_method method_of(const char *text, unsigned int len)
{
	if (len == 3 && !memcmp(text, "GET", 3))
		return NATFLOW_URL_GET;
	if (len == 4 && !memcmp(text, "POST", 4))
		return NATFLOW_URL_POST;
	if (len == 4 && !memcmp(text, "HEAD", 4))
		return NATFLOW_URL_HEAD;
	return NATFLOW_URL_OTHER;
}

/* A name in front of what is wrong counts, with a flag; one in front of what is missing, too. */
static enum natflow_parsed admit(struct natflow_name *name, enum natflow_parsed parsed)
{
	if (parsed != NATFLOW_PARSE_MALFORMED)
		return parsed;
	name->said.flags |= NATFLOW_URL_MALFORMED;
	return NATFLOW_PARSED;
}

static enum natflow_parsed read_tls(const u8 *data, u32 len, bool records,
				    enum natflow_url_source source, struct natflow_name *name)
{
	enum natflow_parsed parsed = natflow_tls_hello(data, len, records, &name->tls);

	if (parsed == NATFLOW_PARSE_OTHER || (parsed != NATFLOW_PARSED && !name->tls.host.len))
		return parsed;
	begin(name, source, &name->tls.host);
	name->said.alpn = name->tls.alpn;
	if (name->tls.ech)
		name->said.flags |= NATFLOW_URL_ECH;
	if (name->tls.host.odd)
		name->said.flags |= NATFLOW_URL_ODD;
	return admit(name, parsed);
}

static u16 flags_of(const struct natflow_hostname *host, u16 http)
{
	return (host->odd ? NATFLOW_URL_ODD : 0) |
	       (http & NATFLOW_HTTP_DIFFERS ? NATFLOW_URL_DIFFERS : 0) |
	       (http & NATFLOW_HTTP_CUT ? NATFLOW_URL_CUT : 0);
}

/* The part of a target behind its authority (absolute form, RFC 9112 section 3.2.2). */
static void set_uri(struct natflow_name *name, const char *uri, u16 len)
{
	const char *colon = *uri == '/' ? NULL : memchr(uri, ':', len);

	if (colon && uri + len - colon > 3 && !memcmp(colon, "://", 3)) {
		const char *end = uri + len;

		for (uri = colon + 3; uri < end && *uri != '/' && *uri != '?'; )
			uri++;
		len = end - uri;
	} else if (*uri != '/' && *uri != '*') {
		len = 0;	/* target of CONNECT: only an authority */
	}
	name->said.uri = uri;
	name->said.uri_len = len;
}

static enum natflow_parsed read_http(const u8 *data, u32 len, struct natflow_name *name)
{
	struct natflow_http *http = &name->http;
	enum natflow_parsed parsed = natflow_http_parse(data, len, http);

	if (parsed == NATFLOW_PARSE_OTHER || (parsed != NATFLOW_PARSED && !http->host.len))
		return parsed;
	begin(name, NATFLOW_URL_HTTP, &http->host);
	name->said.method = method_of((const char *)data + http->method.at, http->method.len);
	name->said.flags = flags_of(&http->host, http->flags);
	if (http->target.len)
		set_uri(name, (const char *)data + http->target.at, http->target.len);
	if (parsed != NATFLOW_PARSED)
		return admit(name, parsed);
	name->said.upgrade = http->flags & NATFLOW_HTTP_H2C;
	if (http->body == NATFLOW_HTTP_CHUNKED)
		name->said.part = NATFLOW_PART_CHUNK;
	if (http->body == NATFLOW_HTTP_LENGTH)
		name->said.next = http->header_len + http->body_len;
	else if (http->body == NATFLOW_HTTP_NO_BODY || name->said.part)
		name->said.next = http->header_len;
	return parsed;
}

/* A frame, or those of a request. One without a host belongs to a former request: trailers. */
static void take_h2(struct natflow_name *name)
{
	struct natflow_h2 *h2 = &name->h2;

	begin(name, NATFLOW_URL_HTTP, &h2->host);
	name->said.method = method_of(h2->method, strlen(h2->method));
	name->said.flags = flags_of(&h2->host, h2->flags);
	name->said.uri = h2->path;
	name->said.uri_len = strlen(h2->path);
	name->said.next = h2->end;
	name->said.part = NATFLOW_PART_FRAME;
	name->said.nothing = !h2->host.len;
	name->said.table = h2->request ? &h2->table : NULL;
}

static enum natflow_parsed read_h2(const u8 *data, u32 len, struct natflow_name *name)
{
	struct natflow_h2 *h2 = &name->h2;
	enum natflow_parsed parsed = natflow_h2_parse(data, len, h2);

	if (parsed == NATFLOW_PARSED)
		take_h2(name);
	return parsed;
}

/**
 * natflow_name_read() - parse the beginning of a TCP stream
 * @data: the client's bytes, from the first on
 * @len: available bytes
 * @name: the result, valid with NATFLOW_PARSED; its host may be empty. With
 *	NATFLOW_PARSE_MORE its host is NULL, or the name as it will be
 *
 * Return: as the parsers; NATFLOW_PARSE_OTHER if no known protocol begins like this.
 */
enum natflow_parsed natflow_name_read(const u8 *data, u32 len, struct natflow_name *name)
{
	enum natflow_parsed parsed;

	name->said.host = NULL;
	parsed = read_tls(data, len, true, NATFLOW_URL_TLS, name);
	if (parsed == NATFLOW_PARSE_OTHER)
		parsed = read_h2(data, len, name);
	/* The first two bytes of an HTTP/1 request may equal those of HTTP/2's preface. */
	if (parsed == NATFLOW_PARSE_OTHER)
		parsed = read_http(data, len, name);
	return parsed;
}

/**
 * natflow_name_chunk() - parse some chunks of a request's body
 * @data: the client's bytes, from the chunk's first on
 * @len: available bytes
 * @name: the result, valid with NATFLOW_PARSED; its host is empty
 */
enum natflow_parsed natflow_name_chunk(const u8 *data, u32 len, struct natflow_name *name)
{
	enum natflow_parsed parsed;
	bool last = false;
	unsigned int n;
	u64 next = 0;

	name->said.host = NULL;
	for (n = 0; n < CHUNKS_AT_ONCE && next < len && !last; n++) {
		u64 skip;

		parsed = natflow_http_chunk_parse(data + next, len - next, &skip, &last);
		if (parsed != NATFLOW_PARSED)
			break;
		next += skip;
	}
	if (!next)
		return len ? parsed : NATFLOW_PARSE_MORE;
	name->http = (struct natflow_http){};
	begin(name, NATFLOW_URL_HTTP, &name->http.host);
	name->said.next = next;
	name->said.part = last ? NATFLOW_PART_REQUEST : NATFLOW_PART_CHUNK;
	name->said.nothing = true;
	return NATFLOW_PARSED;
}

/**
 * natflow_name_preface() - parse HTTP/2's preface behind a request for an upgrade
 * @data: the client's bytes behind that request
 * @len: available bytes
 * @name: the result, valid with NATFLOW_PARSED; its host is empty
 *
 * The first stream is that of the request; HEADERS may never come (RFC 7540 section 3.2).
 *
 * Return: NATFLOW_PARSED, NATFLOW_PARSE_MORE, or NATFLOW_PARSE_OTHER: no upgrade.
 */
enum natflow_parsed natflow_name_preface(const u8 *data, u32 len, struct natflow_name *name)
{
	enum natflow_parsed parsed = natflow_h2_preface(data, len);

	name->said.host = NULL;
	if (parsed != NATFLOW_PARSED)
		return parsed;
	name->http = (struct natflow_http){};
	begin(name, NATFLOW_URL_HTTP, &name->http.host);
	name->said.next = NATFLOW_H2_PREFACE;
	name->said.part = NATFLOW_PART_FRAME;
	name->said.nothing = true;
	return parsed;
}

/**
 * natflow_name_frame() - parse a frame of HTTP/2
 * @data: the client's bytes, from the frame's first on
 * @len: available bytes
 * @before: the dynamic table in front of it, NULL: empty; maybe that of @name
 * @name: the result, valid with NATFLOW_PARSED; its host is empty unless a request begins
 */
enum natflow_parsed natflow_name_frame(const u8 *data, u32 len,
				       const struct natflow_hpack_table *before,
				       struct natflow_name *name)
{
	enum natflow_parsed parsed = natflow_h2_frame(data, len, before, &name->h2);

	name->said.host = NULL;
	if (parsed == NATFLOW_PARSED)
		take_h2(name);
	return parsed;
}

/* So many records of at least 11 bytes each are in no message of @size bytes. */
static bool has_impossible_counts(const struct natflow_dns *dns, u32 size)
{
	return (dns->answers + dns->authorities + dns->additionals) * 11U > size;
}

/**
 * natflow_name_question() - parse a DNS question in a TCP stream
 * @data: the client's bytes, from a message's length on
 * @len: available bytes
 * @name: the result, valid with NATFLOW_PARSED; its host is empty if the question
 *	cannot be read, @name->dns.question_end is 0 then
 *
 * A message of more than 4,096 bytes is read as soon as its question is there, because
 * it may be longer than any buffer. ->said.doubtful tells messages that resolvers
 * should refuse; servers go on with the next message. A doubtful long message may be
 * the beginning of another protocol: see natflow_name_read().
 */
enum natflow_parsed natflow_name_question(const u8 *data, u32 len, struct natflow_name *name)
{
	struct natflow_dns_frame frame = {};
	struct natflow_dns *dns = &name->dns;
	enum natflow_parsed parsed;
	u32 size;
	bool cut;

	name->said.host = NULL;
	if (len < 2)
		return NATFLOW_PARSE_MORE;
	size = data[0] << 8 | data[1];
	cut = len - 2 < size;
	if (size <= NATFLOW_QUESTION_MAX) {
		parsed = natflow_dns_frame_next(data, len, &frame);
		if (parsed != NATFLOW_PARSED)
			return parsed;
	}
	parsed = natflow_dns_parse(data + 2, cut ? len - 2 : size, dns);
	if (parsed == NATFLOW_PARSE_MORE && cut && !dns->question_end &&
	    dns->questions <= NATFLOW_DNS_QUESTIONS_MAX)
		return parsed;
	begin(name, NATFLOW_URL_DNS, &dns->question);
	name->said.flags = dns->question.odd ? NATFLOW_URL_ODD : 0;
	name->said.next = 2 + size;
	name->said.doubtful = dns->response || dns->opcode || has_impossible_counts(dns, size) ||
			      !(parsed == NATFLOW_PARSED ||
				(parsed == NATFLOW_PARSE_MORE && dns->question_end && cut));
	return NATFLOW_PARSED;
}

/**
 * natflow_name_question_next() - read a further question of a message
 * @data: as for natflow_name_question()
 * @len: likewise
 * @name: from natflow_name_question(); ->dns.question_end moves on
 *
 * Return: false if there is none.
 */
bool natflow_name_question_next(const u8 *data, u32 len, struct natflow_name *name)
{
	struct natflow_dns_cursor c = {};

	if (!name->dns.question_end || name->dns.questions < 2)
		return false;
	natflow_dns_begin(&c, &name->dns, data + 2, len - 2);
	if (!natflow_dns_question_next(&c, &name->dns.question))
		return false;
	name->dns.questions--;
	name->dns.question_end = c.at;
	return true;
}

/**
 * natflow_name_hello() - parse QUIC's CRYPTO stream: a ClientHello without records
 * @data: bytes of the stream, from the first on
 * @len: available bytes
 * @name: the result, as natflow_name_read()
 */
enum natflow_parsed natflow_name_hello(const u8 *data, u32 len, struct natflow_name *name)
{
	name->said.host = NULL;
	return read_tls(data, len, false, NATFLOW_URL_QUIC, name);
}
