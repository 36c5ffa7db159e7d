// SPDX-License-Identifier: GPL-2.0-only
/* The buffered beginning of a stream; the memory counts against a namespace's limit. */
#include <linux/slab.h>
#include "../core/base/segment.h"
#include "flow.h"
#include "stream.h"

#define BYTES_MAX	(16 << 20)	/* buffered in a namespace at any time */
#define STREAM_MIN	256	/* smallest buffer */
#define QUIC_MIN	2048	/* a datagram is decrypted again when the buffer has grown */

/**
 * natflow_stream_alloc() - allocate memory that counts against a namespace's limit
 * @in: inspection, its lock held
 * @size: bytes, zeroed
 *
 * Context: BH disabled.
 * Return: NULL if there is no memory, or the limit is reached.
 */
void *natflow_stream_alloc(struct natflow_inspection *in, u32 size)
{
	struct natflow_urllogger *ul = in->ul;
	void *p;

	if (atomic_add_return(size, &ul->bytes) > BYTES_MAX) {
		atomic_sub(size, &ul->bytes);
		return NULL;
	}
	p = kzalloc(size, GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!p)
		atomic_sub(size, &ul->bytes);
	return p;
}

/**
 * natflow_stream_give() - free memory of natflow_stream_alloc()
 * @in: inspection that it was allocated for
 * @p: memory, or NULL
 * @size: of @p
 */
void natflow_stream_give(struct natflow_inspection *in, const void *p, u32 size)
{
	if (p)
		atomic_sub(size, &in->ul->bytes);
	kfree(p);
}

/**
 * natflow_stream_free() - free an inspection's buffer
 * @in: inspection, its lock held, or nobody else uses it; the buffer is empty afterwards
 */
void natflow_stream_free(struct natflow_inspection *in)
{
	struct natflow_gather *g = &in->gather;
	struct natflow_gather_piece *piece;

	while ((piece = g->ahead)) {
		g->ahead = piece->next;
		natflow_stream_give(in, piece, struct_size(piece, data, piece->done + piece->len));
	}
	natflow_stream_give(in, g->first, g->size);
	natflow_stream_give(in, g->last, g->size);
	natflow_stream_give(in, g->have, natflow_gather_bits(g->size));
	*g = (struct natflow_gather){};
}

/* Move the buffer to memory for @size bytes. Return: false if there is none. */
static bool move(struct natflow_inspection *in, u32 size)
{
	struct natflow_gather *g = &in->gather, more = *g;
	const u32 bits = natflow_gather_bits(size);

	more.size = size;
	more.first = natflow_stream_alloc(in, size);
	more.have = natflow_stream_alloc(in, bits);
	more.last = g->last ? natflow_stream_alloc(in, size) : NULL;
	if (!more.first || !more.have || (g->last && !more.last)) {
		natflow_stream_give(in, more.first, size);
		natflow_stream_give(in, more.have, bits);
		natflow_stream_give(in, more.last, size);
		return false;
	}
	memcpy(more.first, g->first, g->size);
	memcpy(more.have, g->have, natflow_gather_bits(g->size));
	if (g->last)
		memcpy(more.last, g->last, g->size);
	g->ahead = NULL;
	natflow_stream_free(in);
	*g = more;
	return true;
}

/**
 * natflow_stream_grow() - make room for what natflow_gather_put() could not take
 * @in: inspection, its lock held
 *
 * Return: NATFLOW_OK, NATFLOW_NAME_BUDGET or NATFLOW_NAME_MEMORY.
 */
enum natflow_reason natflow_stream_grow(struct natflow_inspection *in)
{
	struct natflow_gather *g = &in->gather;
	u32 least = in->quic ? QUIC_MIN : STREAM_MIN;

	if (g->want > NATFLOW_STREAM_MAX)
		return NATFLOW_NAME_BUDGET;
	if (g->want == g->size && g->size) {
		g->last = natflow_stream_alloc(in, g->size);
		if (!g->last)
			return NATFLOW_NAME_MEMORY;
		memcpy(g->last, g->first, g->size);
		return NATFLOW_OK;
	}
	return move(in, max_t(u32, roundup_pow_of_two(g->want), least)) ? NATFLOW_OK :
									   NATFLOW_NAME_MEMORY;
}

/*
 * How far the buffer may extend: in proportion to what has arrived, so that a few bytes
 * far ahead do not cost a large buffer. All pieces that wait are behind this offset.
 */
static u32 reach(const struct natflow_gather *g)
{
	return max(g->size, min_t(u32, STREAM_MIN + 4 * g->arrived, NATFLOW_STREAM_MAX));
}

static enum natflow_reason put(struct natflow_inspection *in, u32 at, const u8 *data, u32 len)
{
	enum natflow_reason reason = NATFLOW_OK;

	while (!reason && natflow_gather_put(&in->gather, at, data, len))
		reason = natflow_stream_grow(in);
	return reason;
}

/* Move what is within the buffer's reach now into it, in the order of arrival. */
static enum natflow_reason drain(struct natflow_inspection *in)
{
	struct natflow_gather_piece **p = &in->gather.ahead, *piece;
	const u32 limit = reach(&in->gather);
	enum natflow_reason reason = NATFLOW_OK;

	while (!reason && (piece = *p)) {
		u32 n = piece->at < limit ? min(piece->len, limit - piece->at) : 0;

		if (n)
			reason = put(in, piece->at, piece->data + piece->done, n);
		piece->at += n;
		piece->done += n;
		piece->len -= n;
		if (piece->len) {
			p = &piece->next;
		} else {
			*p = piece->next;
			natflow_stream_give(in, piece, struct_size(piece, data, piece->done));
		}
	}
	return reason;
}

static enum natflow_reason wait(struct natflow_inspection *in, u32 at, const u8 *data, u32 len)
{
	struct natflow_gather_piece **end = &in->gather.ahead, *piece;

	piece = natflow_stream_alloc(in, struct_size(piece, data, len));
	if (!piece)
		return NATFLOW_NAME_MEMORY;
	piece->at = at;
	piece->len = len;
	memcpy(piece->data, data, len);
	while (*end)
		end = &(*end)->next;
	*end = piece;
	return NATFLOW_OK;
}

static enum natflow_reason take(struct natflow_inspection *in, u32 at, const u8 *data, u32 len)
{
	enum natflow_reason reason;
	u32 limit, n;

	in->gather.arrived += len;
	reason = drain(in);
	limit = reach(&in->gather);
	n = at < limit ? min(len, limit - at) : 0;
	if (!reason && n)
		reason = put(in, at, data, n);
	if (!reason && n < len)
		reason = wait(in, at + n, data + n, len - n);
	return reason;
}

/**
 * natflow_stream_put() - buffer a packet's payload
 * @in: inspection, its lock held
 * @s: packet
 * @from: first byte of the payload to take; less than its length
 * @at: where it goes in the buffer, less than NATFLOW_STREAM_MAX; payload beyond that
 *	limit is left out
 *
 * Return: NATFLOW_OK, NATFLOW_NAME_BUDGET or NATFLOW_NAME_MEMORY.
 */
enum natflow_reason natflow_stream_put(struct natflow_inspection *in,
				       const struct natflow_segment *s, u32 from, u32 at)
{
	u32 len = min(s->len - from, NATFLOW_STREAM_MAX - at), done = 0, n;
	enum natflow_reason reason = NATFLOW_OK;
	struct skb_seq_state state;
	const u8 *data;

	skb_prepare_seq_read(s->skb, s->data + from, s->data + from + len, &state);
	while (!reason && (n = skb_seq_read(done, &data, &state))) {
		n = min(n, len - done);		/* a block may extend beyond the payload */
		reason = take(in, at + done, data, n);
		done += n;
	}
	skb_abort_seq_read(&state);
	return reason;
}
