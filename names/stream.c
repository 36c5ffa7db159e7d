// SPDX-License-Identifier: GPL-2.0-only
/* The buffered beginning of a stream; the memory counts against its client's share. */
#include <linux/slab.h>
#include "../core/base/segment.h"
#include "stream.h"

#define STREAM_MIN	256	/* smallest buffer */
#define WAITING_MAX	16	/* pieces that wait: each piece that comes looks at all */

/**
 * natflow_stream_alloc() - allocate memory that counts against a client's share
 * @place: place of an inspection, whose lock is held
 * @size: bytes, zeroed
 *
 * Context: RCU read side, BH disabled.
 * Return: NULL if there is no memory, or no more for this client.
 */
void *natflow_stream_alloc(struct natflow_place *place, u32 size)
{
	void *p;

	if (!natflow_place_take_bytes(place, size))
		return NULL;
	p = kzalloc(size, GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!p)
		natflow_place_give_bytes(place, size);
	return p;
}

/**
 * natflow_stream_lack() - the outcome after natflow_stream_alloc() returned NULL
 * @place: as there
 */
enum natflow_reason natflow_stream_lack(const struct natflow_place *place)
{
	return place->refused ? NATFLOW_NAME_SHARE : NATFLOW_NAME_MEMORY;
}

/**
 * natflow_stream_give() - free memory of natflow_stream_alloc()
 * @place: place that it was allocated for
 * @p: memory, or NULL
 * @size: of @p
 */
void natflow_stream_give(struct natflow_place *place, const void *p, u32 size)
{
	if (p)
		natflow_place_give_bytes(place, size);
	kfree(p);
}

static void free_pieces(struct natflow_place *place, struct natflow_gather *g)
{
	struct natflow_gather_piece *piece;

	while ((piece = g->ahead)) {
		g->ahead = piece->next;
		natflow_stream_give(place, piece,
				    struct_size(piece, data, piece->done + piece->len));
	}
	g->waiting = 0;
}

/**
 * natflow_stream_free() - free a buffer
 * @place: place of its inspection, whose lock is held, or nobody else uses it
 * @g: buffer; empty afterwards
 */
void natflow_stream_free(struct natflow_place *place, struct natflow_gather *g)
{
	free_pieces(place, g);
	natflow_stream_give(place, g->first, g->size);
	natflow_stream_give(place, g->last, g->size);
	natflow_stream_give(place, g->have, natflow_gather_bits(g->size));
	*g = (struct natflow_gather){};
}

/* Copy all but the pieces to memory for @size bytes. Return: false, with @to empty: no memory. */
static bool clone(struct natflow_place *place, struct natflow_gather *to,
		  const struct natflow_gather *g, u32 size)
{
	const u32 bits = natflow_gather_bits(size);

	*to = *g;
	to->ahead = NULL;
	to->waiting = 0;
	to->size = size;
	to->first = natflow_stream_alloc(place, size);
	to->have = to->first ? natflow_stream_alloc(place, bits) : NULL;
	to->last = to->have && g->last ? natflow_stream_alloc(place, size) : NULL;
	if (!to->have || (g->last && !to->last)) {
		natflow_stream_free(place, to);
		return false;
	}
	memcpy(to->first, g->first, g->size);
	memcpy(to->have, g->have, natflow_gather_bits(g->size));
	if (g->last)
		memcpy(to->last, g->last, g->size);
	return true;
}

/* Move a buffer to memory for @size bytes. Return: NATFLOW_OK or the outcome. */
static enum natflow_reason move(struct natflow_place *place, struct natflow_gather *g, u32 size)
{
	struct natflow_gather more;

	if (!clone(place, &more, g, size))
		return natflow_stream_lack(place);
	more.ahead = g->ahead;
	more.waiting = g->waiting;
	g->ahead = NULL;
	natflow_stream_free(place, g);
	*g = more;
	return NATFLOW_OK;
}

/* Make room for what natflow_gather_put() could not take. */
static enum natflow_reason grow(struct natflow_place *place, struct natflow_gather *g)
{
	if (g->want > NATFLOW_STREAM_MAX)
		return NATFLOW_NAME_BUDGET;
	if (g->want != g->size || !g->size)
		return move(place, g, max_t(u32, roundup_pow_of_two(g->want), STREAM_MIN));
	g->last = natflow_stream_alloc(place, g->size);
	if (!g->last)
		return natflow_stream_lack(place);
	memcpy(g->last, g->first, g->size);
	return NATFLOW_OK;
}

/*
 * How far the buffer may extend: in proportion to what has arrived, so that a few bytes
 * far ahead do not cost a large buffer. All pieces that wait are behind this offset.
 */
static u32 reach(const struct natflow_gather *g)
{
	if (g->waiting >= WAITING_MAX)
		return NATFLOW_STREAM_MAX;
	return max(g->size, min_t(u32, STREAM_MIN + 4 * g->arrived, NATFLOW_STREAM_MAX));
}

static enum natflow_reason put(struct natflow_place *place, struct natflow_gather *g, u32 at,
			       const u8 *data, u32 len)
{
	enum natflow_reason reason = NATFLOW_OK;

	while (!reason && natflow_gather_put(g, at, data, len))
		reason = grow(place, g);
	return reason;
}

/* Move what is within the buffer's reach now into it, in the order of arrival. */
static enum natflow_reason drain(struct natflow_place *place, struct natflow_gather *g)
{
	struct natflow_gather_piece **p = &g->ahead, *piece;
	const u32 limit = reach(g);
	enum natflow_reason reason = NATFLOW_OK;

	while (!reason && (piece = *p)) {
		u32 n = piece->at < limit ? min(piece->len, limit - piece->at) : 0;

		if (n)
			reason = put(place, g, piece->at, piece->data + piece->done, n);
		piece->at += n;
		piece->done += n;
		piece->len -= n;
		if (piece->len) {
			p = &piece->next;
		} else {
			*p = piece->next;
			g->waiting--;
			natflow_stream_give(place, piece, struct_size(piece, data, piece->done));
		}
	}
	return reason;
}

static enum natflow_reason wait(struct natflow_place *place, struct natflow_gather *g, u32 at,
				const u8 *data, u32 len)
{
	struct natflow_gather_piece **end = &g->ahead, *piece;

	piece = natflow_stream_alloc(place, struct_size(piece, data, len));
	if (!piece)
		return natflow_stream_lack(place);
	piece->at = at;
	piece->len = len;
	memcpy(piece->data, data, len);
	while (*end)
		end = &(*end)->next;
	*end = piece;
	g->waiting++;
	return NATFLOW_OK;
}

/**
 * natflow_stream_take() - buffer a piece of the stream
 * @place: place of an inspection, whose lock is held
 * @g: its buffer
 * @at: where it goes in the buffer
 * @data: its bytes
 * @len: number of bytes
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK, NATFLOW_NAME_BUDGET, NATFLOW_NAME_SHARE or NATFLOW_NAME_MEMORY.
 */
enum natflow_reason natflow_stream_take(struct natflow_place *place, struct natflow_gather *g,
					u32 at, const u8 *data, u32 len)
{
	enum natflow_reason reason = NATFLOW_OK;
	u32 limit, n;

	if (at > NATFLOW_STREAM_MAX - len)
		return NATFLOW_NAME_BUDGET;
	g->arrived += len;
	if (!g->ahead && at + len <= g->size)
		return put(place, g, at, data, len);
	if (g->ahead)
		reason = drain(place, g);
	limit = reach(g);
	n = at < limit ? min(len, limit - at) : 0;
	if (!reason && n)
		reason = put(place, g, at, data, n);
	if (!reason && n < len)
		reason = wait(place, g, at + n, data + n, len - n);
	return reason;
}

/**
 * natflow_stream_copy() - copy a buffer
 * @place: place of its inspection, whose lock is held
 * @to: an empty buffer of the same
 * @from: buffer
 *
 * Context: RCU read side, BH disabled.
 * Return: false, with @to empty, if there is no memory.
 */
bool natflow_stream_copy(struct natflow_place *place, struct natflow_gather *to,
			 const struct natflow_gather *from)
{
	const struct natflow_gather_piece *piece;
	enum natflow_reason reason = NATFLOW_OK;

	if (from->size && !clone(place, to, from, from->size))
		return false;
	to->arrived = from->arrived;
	for (piece = from->ahead; piece && !reason; piece = piece->next)
		reason = wait(place, to, piece->at, piece->data + piece->done, piece->len);
	if (reason)
		natflow_stream_free(place, to);
	return !reason;
}

/**
 * natflow_stream_cut() - discard all bytes from an offset on
 * @place: place of its inspection, whose lock is held
 * @g: buffer
 * @at: offset
 */
void natflow_stream_cut(struct natflow_place *place, struct natflow_gather *g, u32 at)
{
	free_pieces(place, g);
	natflow_stream_give(place, g->last, g->size);
	g->last = NULL;
	natflow_gather_cut(g, at);
	g->arrived = g->prefix;
}

/**
 * natflow_stream_put() - buffer a packet's payload
 * @place: place of an inspection, whose lock is held
 * @g: its buffer
 * @s: packet
 * @from: first byte of the payload to take; less than its length
 * @at: where it goes in the buffer, less than NATFLOW_STREAM_MAX; payload beyond that
 *	limit is left out
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK, NATFLOW_NAME_BUDGET, NATFLOW_NAME_SHARE or NATFLOW_NAME_MEMORY.
 */
enum natflow_reason natflow_stream_put(struct natflow_place *place, struct natflow_gather *g,
				       const struct natflow_segment *s, u32 from, u32 at)
{
	u32 len = min(s->len - from, NATFLOW_STREAM_MAX - at), done = 0, n;
	enum natflow_reason reason = NATFLOW_OK;
	struct skb_seq_state state;
	const u8 *data;

	skb_prepare_seq_read(s->skb, s->data + from, s->data + from + len, &state);
	while (!reason && (n = skb_seq_read(done, &data, &state))) {
		n = min(n, len - done);		/* a block may extend beyond the payload */
		reason = natflow_stream_take(place, g, at + done, data, n);
		done += n;
	}
	skb_abort_seq_read(&state);
	return reason;
}
