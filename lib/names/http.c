// SPDX-License-Identifier: GPL-2.0-only
/*
 * HTTP/1.0 and 1.1 requests (RFC 9112), parsed as leniently as the most lenient
 * server: a request that any server accepts must not hide its name.
 */
#include "http.h"

/*
 * Limit of lines in a head or trailer; bounds the cost of many short lines.
 * Servers accept from a hundred to two thousand.
 */
#define LINES_MAX 1024

/* Input: @len bytes are available; those before @at are parsed. */
struct input {
	const u8 *data;
	unsigned int len, at;
	unsigned int lines;	/* of the fields before @at */
};

/* Bits of tchar, RFC 9110 section 5.6.2. */
static const u32 token_bits[8] = { 0, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff };

static bool is_token(u8 c)
{
	return token_bits[c / 32] >> c % 32 & 1;
}

/* HT, LF, VT, FF, CR and SP: RFC 9112 section 3 lets servers split at all of them. */
static bool is_blank(u8 c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(u8 c)
{
	return c >= '0' && c <= '9';
}

static bool is_alpha(u8 c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static struct natflow_span trim(const u8 *data, unsigned int at, unsigned int end)
{
	while (at < end && is_blank(data[at]))
		at++;
	while (at < end && is_blank(data[end - 1]))
		end--;
	return (struct natflow_span){ .at = at, .len = end - at };
}

static bool is_word(const u8 *data, struct natflow_span span, const char *word)
{
	return span.len == strlen(word) &&
	       !strncasecmp((const char *)data + span.at, word, span.len);
}

/* Authority of RFC 3986 section 3.2 without userinfo. Return: false if it has no name. */
static bool split_authority(const u8 *text, unsigned int len, struct natflow_span *name, u32 *port)
{
	unsigned int start = 0, i, end;
	const u8 *mark;

	*port = 0;
	for (i = 0; i < len; i++) {
		if (text[i] == '/' || text[i] == '?' || text[i] == '#')
			return false;
		if (text[i] == '@')
			start = i + 1;
	}
	mark = memchr(text + start, start < len && text[start] == '[' ? ']' : ':', len - start);
	end = mark ? mark - text : len;
	i = end;
	if (start < len && text[start] == '[') {
		start++;
		i++;
	}
	name->at = start;
	name->len = end - start;
	if (i == len)
		return true;
	if (i > len || text[i] != ':')
		return false;
	while (++i < len && is_digit(text[i]) && *port <= 0xffff)
		*port = *port * 10 + text[i] - '0';
	return i == len && *port <= 0xffff;
}

/**
 * natflow_authority_set() - get the name and port of "user@name:port"
 * @host: the name, without user, brackets, port and final dot
 * @port: the port, host order; 0 if there is none
 * @text: as on the wire, not terminated
 * @len: its bytes, at most 65535
 *
 * Return: false, with @host empty, if @text has no name or a wrong port.
 */
bool natflow_authority_set(struct natflow_hostname *host, u16 *port, const u8 *text,
			   unsigned int len)
{
	struct natflow_span name = {};
	u32 number;
	bool good = split_authority(text, len, &name, &number);

	*port = good ? number : 0;
	return natflow_hostname_set(host, text + name.at, good ? name.len : 0);
}

/**
 * natflow_authority_match() - true if an authority means the same name
 * @host: the name
 * @text: "user@name:port" as on the wire, not terminated
 * @len: its bytes, at most 65535
 */
bool natflow_authority_match(const struct natflow_hostname *host, const u8 *text,
			     unsigned int len)
{
	struct natflow_span name = {};
	u32 port;

	if (!split_authority(text, len, &name, &port))
		return false;
	text += name.at;
	if (name.len && text[name.len - 1] == '.')
		name.len--;
	return name.len == host->len && !strncasecmp((const char *)text, host->text, name.len);
}

/*
 * The first name counts: that of the target, which wins over Host (RFC 9112 section
 * 3.2.2), or the first Host. Servers should refuse a second name; a flag reports
 * a different one.
 */
static bool take_host(struct natflow_http *http, const u8 *data, struct natflow_span value)
{
	const u8 *text = data + value.at;

	if (http->flags & NATFLOW_HTTP_NAMED) {
		if (!natflow_authority_match(&http->host, text, value.len))
			http->flags |= NATFLOW_HTTP_DIFFERS;
		return true;
	}
	http->flags |= NATFLOW_HTTP_NAMED;
	return !value.len || natflow_authority_set(&http->host, &http->port, text, value.len);
}

static bool take_user_agent(struct natflow_http *http, const u8 *data, struct natflow_span value)
{
	if (!http->user_agent.len)
		http->user_agent = value;
	return true;
}

/* An impossible length is capped, so that its sum with an offset cannot wrap. */
#define BODY_MAX 1000000000000000000ULL

static bool take_length(struct natflow_http *http, const u8 *data, struct natflow_span value)
{
	u64 len = 0;
	unsigned int i;

	for (i = 0; i < value.len && is_digit(data[value.at + i]) && len < BODY_MAX / 10; i++)
		len = len * 10 + data[value.at + i] - '0';
	if (http->body == NATFLOW_HTTP_CHUNKED)
		return true;
	if (value.len && i == value.len &&
	    (http->body == NATFLOW_HTTP_NO_BODY ||
	     (http->body == NATFLOW_HTTP_LENGTH && http->body_len == len)))
		http->body = NATFLOW_HTTP_LENGTH;
	else
		http->body = NATFLOW_HTTP_UNKNOWN;
	http->body_len = len;
	return true;
}

/*
 * The last transfer coding decides where the body ends; it overrides Content-Length
 * (RFC 9112 section 6.3). Servers disagree about codings in two fields.
 */
static bool take_coding(struct natflow_http *http, const u8 *data, struct natflow_span value)
{
	unsigned int end = value.at + value.len, at = end;

	while (at > value.at && data[at - 1] != ',')
		at--;
	if (http->body <= NATFLOW_HTTP_LENGTH && is_word(data, trim(data, at, end), "chunked"))
		http->body = NATFLOW_HTTP_CHUNKED;
	else
		http->body = NATFLOW_HTTP_UNKNOWN;
	return true;
}

/* "h2c" anywhere in the list. */
static bool take_upgrade(struct natflow_http *http, const u8 *data, struct natflow_span value)
{
	const u8 *text = data + value.at;
	unsigned int i;

	for (i = 0; i + 3 <= value.len; i++) {
		if ((text[i] | 0x20) == 'h' && text[i + 1] == '2' && (text[i + 2] | 0x20) == 'c' &&
		    (!i || !is_token(text[i - 1])) &&
		    (i + 3 == value.len || !is_token(text[i + 3])))
			http->flags |= NATFLOW_HTTP_H2C;
	}
	return true;
}

static const struct {
	const char *name;
	unsigned int len;
	bool (*take)(struct natflow_http *http, const u8 *data, struct natflow_span value);
} fields[] = {
	{ "Host", 4, take_host },
	{ "Upgrade", 7, take_upgrade },
	{ "User-Agent", 10, take_user_agent },
	{ "Content-Length", 14, take_length },
	{ "Transfer-Encoding", 17, take_coding },
};

/* Lines without a colon, and fields that are not needed, are skipped. */
static bool take_field(struct natflow_http *http, const u8 *data, unsigned int at, unsigned int end)
{
	const u8 *colon = memchr(data + at, ':', end - at);
	struct natflow_span name;
	unsigned int i;

	if (!colon)
		return true;
	name = trim(data, at, colon - data);
	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		if (name.len == fields[i].len && is_word(data, name, fields[i].name))
			return fields[i].take(http, data, trim(data, colon + 1 - data, end));
	}
	return true;
}

/*
 * Skip a field with its continuation lines (RFC 9112 section 5.2). The byte behind
 * a line shows whether the field goes on.
 */
static enum natflow_parsed next_field(struct input *in, bool *empty)
{
	unsigned int at = in->at;
	const u8 *lf;

	do {
		if (in->lines++ == LINES_MAX)
			return NATFLOW_PARSE_MALFORMED;
		lf = memchr(in->data + at, '\n', in->len - at);
		if (!lf)
			return NATFLOW_PARSE_MORE;
		at = lf + 1 - in->data;
		*empty = at == in->at + 1 || (at == in->at + 2 && in->data[in->at] == '\r');
		if (*empty)
			break;
		if (at == in->len)
			return NATFLOW_PARSE_MORE;
	} while (in->data[at] == ' ' || in->data[at] == '\t');
	in->at = at;
	return NATFLOW_PARSED;
}

/* Parse fields up to the empty line, inclusive. @http is NULL for a trailer (skipped). */
static enum natflow_parsed parse_fields(struct input *in, struct natflow_http *http)
{
	enum natflow_parsed ret;
	bool empty = false;

	do {
		unsigned int at = in->at;

		ret = next_field(in, &empty);
		if (ret == NATFLOW_PARSED && !empty && http &&
		    !take_field(http, in->data, at, in->at))
			ret = NATFLOW_PARSE_MALFORMED;
	} while (ret == NATFLOW_PARSED && !empty);
	return ret;
}

/* Return: the bytes of "scheme://", more than @len if cut off, -EINVAL for other text. */
static int scheme_length(const u8 *text, unsigned int len)
{
	static const u8 mark[] = { ':', '/', '/' };
	unsigned int n = 0, i;

	while (n < len && (is_alpha(text[n]) || (n && (is_digit(text[n]) || text[n] == '+' ||
						       text[n] == '-' || text[n] == '.'))))
		n++;
	if (!n)
		return -EINVAL;
	for (i = 0; i < sizeof(mark) && n + i < len; i++) {
		if (text[n + i] != mark[i])
			return -EINVAL;
	}
	return n + sizeof(mark);
}

/*
 * Classify a target (RFC 9112 section 3.2). Return: number of bytes before its
 * authority, -ENOENT if it has none, -EINVAL if this is no target.
 */
static int authority_start(const u8 *data, struct natflow_span method, unsigned int at,
			   unsigned int end)
{
	if (is_word(data, method, "CONNECT"))
		return 0;
	if (data[at] != '*') {
		int len = scheme_length(data + at, end - at);

		/* No form of RFC 9112: some servers treat it as a path. */
		return len < 0 ? -ENOENT : len;
	}
	/* HTTP/2 begins with "PRI *" (RFC 9113 section 3.4). */
	return method.len == 3 && !memcmp(data + method.at, "PRI", 3) ? -EINVAL : -ENOENT;
}

static bool take_target(struct natflow_http *http, const u8 *data)
{
	struct natflow_span name = http->target;
	int start = authority_start(data, http->method, name.at, name.at + name.len);
	unsigned int i;

	if (start < 0)
		return true;
	name.at += start;
	name.len -= start;
	for (i = 0; start && i < name.len; i++) {
		if (memchr("/?#", data[name.at + i], 3))
			name.len = i;
	}
	return name.len && take_host(http, data, name);
}

/*
 * "target HTTP/1.1" from @at to @end. The last word is the version, because
 * some servers accept blanks in a target.
 */
static enum natflow_parsed finish_line(struct natflow_http *http, const u8 *data, unsigned int at,
				       unsigned int end)
{
	struct natflow_span rest = trim(data, at, end), version;
	unsigned int word = rest.at + rest.len;

	while (word > at && !is_blank(data[word - 1]))
		word--;
	version = trim(data, word, end);
	http->target = trim(data, at, word);
	if (!http->target.len || version.len < 6 ||
	    strncasecmp((const char *)data + word, "HTTP/", 5) || !is_digit(data[word + 5]))
		return NATFLOW_PARSE_OTHER;
	if (is_word(data, version, "HTTP/1.0"))
		http->flags |= NATFLOW_HTTP_V10;
	return take_target(http, data) ? NATFLOW_PARSED : NATFLOW_PARSE_MALFORMED;
}

/* True if these bytes may be the beginning of a target and a version. */
static bool check_target(const u8 *data, struct natflow_span method, unsigned int at,
			 unsigned int end)
{
	if (authority_start(data, method, at, end) == -EINVAL)
		return false;
	for (; at < end; at++) {
		if ((data[at] < ' ' && !is_blank(data[at])) || data[at] == 0x7f)
			return false;
	}
	return true;
}

/* Parse the request line (RFC 9112 section 3) behind any number of empty lines. */
static enum natflow_parsed parse_line(struct input *in, struct natflow_http *http)
{
	const u8 *data = in->data, *lf;
	unsigned int at = 0, end;

	while (at < in->len && (data[at] == '\r' || data[at] == '\n'))
		at++;
	lf = memchr(data + at, '\n', in->len - at);
	end = lf ? lf - data : in->len;
	http->method.at = at;
	while (at < end && is_token(data[at]))
		at++;
	http->method.len = at - http->method.at;
	if (at < end && (!http->method.len || !is_blank(data[at])))
		return NATFLOW_PARSE_OTHER;
	while (at < end && is_blank(data[at]))
		at++;
	if (at < end && !check_target(data, http->method, at, end))
		return NATFLOW_PARSE_OTHER;
	if (!lf)
		return NATFLOW_PARSE_MORE;
	in->at = end + 1;
	return at < end ? finish_line(http, data, at, end) : NATFLOW_PARSE_OTHER;
}

/**
 * natflow_http_parse() - read the head of a request
 * @data: the client's stream, contiguous from the first byte of a request
 * @len: available bytes
 * @http: the result, with offsets into @data
 *
 * Return: NATFLOW_PARSE_OTHER at the first byte that no request can have there;
 * NATFLOW_PARSE_MALFORMED for a head longer than NATFLOW_HTTP_MAX or an invalid name;
 * NATFLOW_PARSE_MORE, with which a name in @http is already final; NATFLOW_PARSED,
 * with all of @http valid.
 */
enum natflow_parsed natflow_http_parse(const u8 *data, unsigned int len, struct natflow_http *http)
{
	struct input in = { .data = data, .len = len };
	enum natflow_parsed ret;

	memset(http, 0, sizeof(*http));
	if (in.len > NATFLOW_HTTP_MAX)
		in.len = NATFLOW_HTTP_MAX;
	ret = parse_line(&in, http);
	if (ret == NATFLOW_PARSED)
		ret = parse_fields(&in, http);
	http->header_len = in.at;
	if (ret == NATFLOW_PARSE_MORE && in.len == NATFLOW_HTTP_MAX)
		ret = NATFLOW_PARSE_MALFORMED;
	/* CONNECT opens a tunnel; HTTP/1.0 has no transfer codings (RFC 9112 section 6.1). */
	if (is_word(data, http->method, "CONNECT") ||
	    (http->body == NATFLOW_HTTP_CHUNKED && http->flags & NATFLOW_HTTP_V10))
		http->body = NATFLOW_HTTP_UNKNOWN;
	return ret;
}

static int hex_digit(u8 c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/**
 * natflow_http_chunk_parse() - find the end of one chunk (RFC 9112 section 7.1)
 * @data: first byte of a chunked body, or the byte that the last call named
 * @len: available bytes
 * @skip: offset from @data for the next call; may lie behind @len
 * @last: true behind the last chunk: the next request begins there
 *
 * The line end behind a chunk's data belongs to the next call. Only the line with
 * the size, or the last chunk with its trailers, must be complete.
 *
 * Return: NATFLOW_PARSED, NATFLOW_PARSE_MORE or NATFLOW_PARSE_MALFORMED.
 */
enum natflow_parsed natflow_http_chunk_parse(const u8 *data, unsigned int len, u64 *skip,
					     bool *last)
{
	struct input in = { .data = data, .len = len };
	enum natflow_parsed ret = NATFLOW_PARSED, more = NATFLOW_PARSE_MORE;
	unsigned int digits = 0;
	const u8 *lf;
	u64 size = 0;

	if (in.len >= NATFLOW_HTTP_MAX) {
		in.len = NATFLOW_HTTP_MAX;
		more = NATFLOW_PARSE_MALFORMED;
	}
	if (in.at < in.len && data[in.at] == '\r')
		in.at++;
	if (in.at < in.len && data[in.at] == '\n')
		in.at++;
	for (; in.at < in.len && hex_digit(data[in.at]) >= 0; in.at++, digits++) {
		size = size * 16 + hex_digit(data[in.at]);
		if (size > BODY_MAX)
			return NATFLOW_PARSE_MALFORMED;
	}
	if (in.at == in.len)
		return more;
	if (!digits || (data[in.at] != ';' && !is_blank(data[in.at])))
		return NATFLOW_PARSE_MALFORMED;
	lf = memchr(data + in.at, '\n', in.len - in.at);
	if (!lf)
		return more;
	in.at = lf + 1 - data;
	if (!size)
		ret = parse_fields(&in, NULL);
	*skip = in.at + size;
	*last = !size;
	return ret == NATFLOW_PARSE_MORE ? more : ret;
}
