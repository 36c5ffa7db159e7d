// SPDX-License-Identifier: GPL-2.0-only
/* The beginning of a stream, gathered within what a namespace may have for that. */
#include <linux/slab.h>
#include "../core/base/segment.h"
#include "names.h"
#include "stream.h"

#define BYTES_MAX	(16 << 20)	/* at any time in a namespace */
#define STREAM_MIN	2048

/**
 * natflow_stream_alloc() - memory on account of a namespace
 * @ul: its settings
 * @size: bytes, zeroed
 *
 * Context: any.
 * Return: NULL if there is none, or too much is held already.
 */
void *natflow_stream_alloc(struct natflow_urllogger *ul, u32 size)
{
	void *p;

	if (atomic_add_return(size, &ul->bytes) > BYTES_MAX) {
		atomic_sub(size, &ul->bytes);
		return NULL;
	}
	p = kzalloc(size, GFP_ATOMIC | __GFP_NOWARN);
	if (!p)
		atomic_sub(size, &ul->bytes);
	return p;
}

/**
 * natflow_stream_give() - give it back
 * @ul: whose it was
 * @p: memory, or NULL
 * @size: its bytes
 */
void natflow_stream_give(struct natflow_urllogger *ul, const void *p, u32 size)
{
	if (p)
		atomic_sub(size, &ul->bytes);
	kfree(p);
}

/**
 * natflow_stream_free() - forget what was gathered
 * @ul: on whose account
 * @g: empty afterwards
 */
void natflow_stream_free(struct natflow_urllogger *ul, struct natflow_gather *g)
{
	natflow_stream_give(ul, g->first, g->size);
	natflow_stream_give(ul, g->last, g->size);
	natflow_stream_give(ul, g->have, natflow_gather_bits(g->size));
	*g = (struct natflow_gather){};
}

/**
 * natflow_stream_grow() - room for what natflow_gather_put() could not take
 * @ul: on whose account
 * @g: what is gathered so far
 *
 * Return: NATFLOW_OK, NATFLOW_NAME_BUDGET or NATFLOW_NAME_MEMORY.
 */
enum natflow_reason natflow_stream_grow(struct natflow_urllogger *ul, struct natflow_gather *g)
{
	struct natflow_gather more = { .prefix = g->prefix };
	u32 size;

	if (g->want > NATFLOW_STREAM_MAX)
		return NATFLOW_NAME_BUDGET;
	if (g->want == g->size && g->size) {
		g->last = natflow_stream_alloc(ul, g->size);
		if (!g->last)
			return NATFLOW_NAME_MEMORY;
		memcpy(g->last, g->first, g->size);
		return NATFLOW_OK;
	}
	size = max_t(u32, roundup_pow_of_two(g->want), STREAM_MIN);
	more.size = size;
	more.first = natflow_stream_alloc(ul, size);
	more.have = natflow_stream_alloc(ul, natflow_gather_bits(size));
	more.last = g->last ? natflow_stream_alloc(ul, size) : NULL;
	if (!more.first || !more.have || (g->last && !more.last)) {
		natflow_stream_give(ul, more.first, size);
		natflow_stream_give(ul, more.have, natflow_gather_bits(size));
		natflow_stream_give(ul, more.last, size);
		return NATFLOW_NAME_MEMORY;
	}
	memcpy(more.first, g->first, g->size);
	memcpy(more.have, g->have, natflow_gather_bits(g->size));
	if (g->last)
		memcpy(more.last, g->last, g->size);
	natflow_stream_free(ul, g);
	*g = more;
	return NATFLOW_OK;
}

static enum natflow_reason put(struct natflow_urllogger *ul, struct natflow_gather *g, u32 at,
			       const u8 *data, u32 len)
{
	enum natflow_reason reason = NATFLOW_OK;

	while (!reason && natflow_gather_put(g, at, data, len))
		reason = natflow_stream_grow(ul, g);
	return reason;
}

/**
 * natflow_stream_put() - gather a packet's payload
 * @ul: on whose account
 * @g: what is gathered so far
 * @s: packet
 * @from: less than its payload; what is before it is left out
 * @at: where in the stream that goes, less than NATFLOW_STREAM_MAX; what is behind
 *	that is left out
 *
 * Return: NATFLOW_OK, NATFLOW_NAME_BUDGET or NATFLOW_NAME_MEMORY.
 */
enum natflow_reason natflow_stream_put(struct natflow_urllogger *ul, struct natflow_gather *g,
				       const struct natflow_segment *s, u32 from, u32 at)
{
	u32 len = min(s->len - from, NATFLOW_STREAM_MAX - at), done = 0, n;
	enum natflow_reason reason = NATFLOW_OK;
	struct skb_seq_state state;
	const u8 *data;

	skb_prepare_seq_read(s->skb, s->data + from, s->data + from + len, &state);
	while (!reason && (n = skb_seq_read(done, &data, &state))) {
		n = min(n, len - done);		/* a block may go on behind the end */
		reason = put(ul, g, at + done, data, n);
		done += n;
	}
	skb_abort_seq_read(&state);
	return reason;
}
