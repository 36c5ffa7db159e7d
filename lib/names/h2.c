// SPDX-License-Identifier: GPL-2.0-only
/* The requests of an HTTP/2 connection without TLS (RFC 9113). */
#include "h2.h"

#define FRAME_HEADER 9		/* RFC 9113 section 4.1 */

/* RFC 9113 section 6 */
enum frame_type {
	FRAME_DATA, FRAME_HEADERS, FRAME_PRIORITY, FRAME_RST_STREAM, FRAME_SETTINGS,
	FRAME_PUSH_PROMISE, FRAME_PING, FRAME_GOAWAY, FRAME_WINDOW_UPDATE, FRAME_CONTINUATION,
};

/* Frames that no client sends before its first request. */
static const bool wrong_in_front[] = {
	[FRAME_DATA] = true, [FRAME_RST_STREAM] = true, [FRAME_PUSH_PROMISE] = true,
	[FRAME_CONTINUATION] = true,
};

#define FLAG_END_HEADERS 0x04
#define FLAG_PADDED 0x08
#define FLAG_PRIORITY 0x20

struct frame {
	unsigned int at, end;	/* its payload, which may end behind the available bytes */
	u8 type, flags;
	u32 stream;
};

/* Its payload may have any length. */
static enum natflow_parsed read_head(const u8 *data, unsigned int len, unsigned int at,
				     struct frame *frame)
{
	const u8 *head = data + at;

	if (at + FRAME_HEADER > NATFLOW_HTTP_MAX)
		return NATFLOW_PARSE_MALFORMED;
	if (at + FRAME_HEADER > len)
		return NATFLOW_PARSE_MORE;
	frame->at = at + FRAME_HEADER;
	frame->end = frame->at + (head[0] << 16 | head[1] << 8 | head[2]);
	frame->type = head[3];
	frame->flags = head[4];
	/* The first bit is reserved. */
	frame->stream = (head[5] & 0x7f) << 24 | head[6] << 16 | head[7] << 8 | head[8];
	return NATFLOW_PARSED;
}

static enum natflow_parsed read_frame(const u8 *data, unsigned int len, unsigned int at,
				      struct frame *frame)
{
	enum natflow_parsed ret = read_head(data, len, at, frame);

	if (ret == NATFLOW_PARSED && frame->end > NATFLOW_HTTP_MAX)
		return NATFLOW_PARSE_MALFORMED;
	return ret;
}

/* From @at, behind the preface, to the first HEADERS; SETTINGS comes first (section 3.4). */
static enum natflow_parsed find_headers(const u8 *data, unsigned int len, unsigned int at,
					struct frame *frame)
{
	unsigned int want = FRAME_SETTINGS;
	enum natflow_parsed ret;

	while (1) {
		ret = read_frame(data, len, at, frame);
		if (ret != NATFLOW_PARSED)
			return ret;
		if (want != frame->type && want == FRAME_SETTINGS)
			return NATFLOW_PARSE_MALFORMED;
		want = FRAME_HEADERS;
		if (frame->type == want)
			return frame->stream % 2 ? NATFLOW_PARSED : NATFLOW_PARSE_MALFORMED;
		if (frame->type < ARRAY_SIZE(wrong_in_front) && wrong_in_front[frame->type])
			return NATFLOW_PARSE_MALFORMED;
		at = frame->end;
	}
}

/*
 * True if the whole block is available; @end is behind it. No other frame may come
 * between its frames (RFC 9113 section 6.10).
 */
static enum natflow_parsed check_block(const u8 *data, unsigned int len, struct frame frame,
				       u32 *end)
{
	const u32 stream = frame.stream;

	while (!(frame.flags & FLAG_END_HEADERS)) {
		enum natflow_parsed ret = read_frame(data, len, frame.end, &frame);

		if (ret != NATFLOW_PARSED)
			return ret;
		if (frame.type != FRAME_CONTINUATION || frame.stream != stream)
			return NATFLOW_PARSE_MALFORMED;
	}
	*end = frame.end;
	return frame.end > len ? NATFLOW_PARSE_MORE : NATFLOW_PARSED;
}

/* Find the header block inside a HEADERS frame, RFC 9113 section 6.2. */
static bool begin_block(const u8 *data, const struct frame *frame, struct natflow_hpack *block)
{
	unsigned int front = 0, padding = 0;

	if (frame->flags & FLAG_PADDED) {
		if (frame->at == frame->end)
			return false;
		padding = data[frame->at];
		front++;
	}
	if (frame->flags & FLAG_PRIORITY)
		front += 5;
	if (front + padding > frame->end - frame->at)
		return false;
	block->data = data;
	block->at = frame->at + front;
	block->end = frame->end - padding;
	block->next = frame->flags & FLAG_END_HEADERS ? 0 : frame->end;
	return true;
}

/* Copy the text of a field, NUL-terminated. Return: false if it is not visible text. */
static bool keep(struct natflow_h2 *h2, char *to, unsigned int max,
		 const struct natflow_hpack_field *field)
{
	unsigned int i;

	if (field->cut || field->len > max)
		h2->flags |= NATFLOW_HTTP_CUT;
	for (i = 0; i < field->len; i++) {
		if (field->value[i] <= ' ' || field->value[i] == 0x7f)
			return false;
		if (i < max)
			to[i] = field->value[i];
	}
	return true;
}

/* As in HTTP/1 :authority wins over Host, and an empty one counts as absent. */
static bool take_host(struct natflow_h2 *h2, const struct natflow_hpack_field *field)
{
	if (h2->host.len) {
		if (field->cut || !natflow_authority_match(&h2->host, field->value, field->len))
			h2->flags |= NATFLOW_HTTP_DIFFERS;
		return true;
	}
	h2->flags |= NATFLOW_HTTP_NAMED;
	return !field->len || (!field->cut && natflow_authority_set(&h2->host, &h2->port,
								    field->value, field->len));
}

static bool take_field(struct natflow_h2 *h2, const struct natflow_hpack_field *field)
{
	if (field->unknown)
		return true;
	if (field->name == NATFLOW_HPACK_METHOD)
		return keep(h2, h2->method, NATFLOW_H2_METHOD_MAX, field);
	if (field->name == NATFLOW_HPACK_PATH)
		return keep(h2, h2->path, NATFLOW_H2_PATH_MAX, field);
	return take_host(h2, field);
}

/* The block that begins with a HEADERS frame, with the table as it is in @h2. */
static enum natflow_parsed read_block(const u8 *data, unsigned int len, struct frame frame,
				      struct natflow_h2 *h2)
{
	struct natflow_hpack block = { .table = &h2->table };
	enum natflow_parsed ret = check_block(data, len, frame, &h2->end);
	struct natflow_hpack_field field;
	int more;

	if (ret != NATFLOW_PARSED)
		return ret;
	if (!begin_block(data, &frame, &block))
		return NATFLOW_PARSE_MALFORMED;
	do {
		more = natflow_hpack_next(&block, &field);
		if (more < 0 || (more && !take_field(h2, &field)))
			return NATFLOW_PARSE_MALFORMED;
	} while (more);
	h2->request = true;
	return NATFLOW_PARSED;
}

/**
 * natflow_h2_preface() - does a stream begin with the client's preface
 * @data: the client's stream
 * @len: available bytes
 *
 * Return: NATFLOW_PARSED, NATFLOW_PARSE_MORE or NATFLOW_PARSE_OTHER.
 */
enum natflow_parsed natflow_h2_preface(const u8 *data, unsigned int len)
{
	static const char preface[NATFLOW_H2_PREFACE + 1] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

	if (memcmp(data, preface, len < NATFLOW_H2_PREFACE ? len : NATFLOW_H2_PREFACE))
		return NATFLOW_PARSE_OTHER;
	return len < NATFLOW_H2_PREFACE ? NATFLOW_PARSE_MORE : NATFLOW_PARSED;
}

/**
 * natflow_h2_parse() - read the first request of an HTTP/2 connection
 * @data: the client's stream, contiguous from its first byte
 * @len: available bytes
 * @h2: the result, valid only with NATFLOW_PARSED
 *
 * Return: NATFLOW_PARSED, NATFLOW_PARSE_MORE, NATFLOW_PARSE_OTHER without a client
 * preface, or NATFLOW_PARSE_MALFORMED if the first header block is wrong, not within
 * the first NATFLOW_HTTP_MAX bytes, or behind frames that must not precede it.
 */
enum natflow_parsed natflow_h2_parse(const u8 *data, unsigned int len, struct natflow_h2 *h2)
{
	enum natflow_parsed ret = natflow_h2_preface(data, len);
	struct frame frame;

	if (ret != NATFLOW_PARSED)
		return ret;
	memset(h2, 0, sizeof(*h2));
	ret = find_headers(data, len, NATFLOW_H2_PREFACE, &frame);
	return ret == NATFLOW_PARSED ? read_block(data, len, frame, h2) : ret;
}

/**
 * natflow_h2_frame() - read a later frame, or the frames of a later request
 * @data: the client's stream, contiguous from the frame's first byte
 * @len: available bytes
 * @before: the dynamic table in front of the frame, NULL: empty; maybe that of @h2
 * @h2: the result, valid only with NATFLOW_PARSED
 *
 * Of a frame that is no part of a header block only the head must be available.
 *
 * Return: NATFLOW_PARSED, NATFLOW_PARSE_MORE, or NATFLOW_PARSE_MALFORMED if a client may
 * not send this frame, the block is wrong or longer than NATFLOW_HTTP_MAX, or refers to
 * a host that is not kept any more.
 */
enum natflow_parsed natflow_h2_frame(const u8 *data, unsigned int len,
				     const struct natflow_hpack_table *before,
				     struct natflow_h2 *h2)
{
	enum natflow_parsed ret;
	struct frame frame;

	memset(h2, 0, offsetof(struct natflow_h2, table));
	if (!before)
		memset(&h2->table, 0, sizeof(h2->table));
	else if (before != &h2->table)
		h2->table = *before;
	ret = read_head(data, len, 0, &frame);
	if (ret != NATFLOW_PARSED)
		return ret;
	h2->end = frame.end;
	if (frame.type == FRAME_PUSH_PROMISE || frame.type == FRAME_CONTINUATION)
		return NATFLOW_PARSE_MALFORMED;
	if (frame.type != FRAME_HEADERS)
		return NATFLOW_PARSED;
	if (!(frame.stream % 2) || frame.end > NATFLOW_HTTP_MAX)
		return NATFLOW_PARSE_MALFORMED;
	return read_block(data, len, frame, h2);
}
