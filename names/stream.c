// SPDX-License-Identifier: GPL-2.0-only
/* The buffered beginning of a stream; the memory counts against a namespace's limit. */
#include <linux/slab.h>
#include "../core/base/segment.h"
#include "names.h"
#include "stream.h"

#define BYTES_MAX	(16 << 20)	/* buffered in a namespace at any time */
#define STREAM_MIN	2048

/**
 * natflow_stream_alloc() - allocate memory that counts against a namespace's limit
 * @ul: the namespace's state
 * @size: bytes, zeroed
 *
 * Context: any.
 * Return: NULL if there is no memory, or the limit is reached.
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
 * natflow_stream_give() - free memory of natflow_stream_alloc()
 * @ul: the namespace's state
 * @p: memory, or NULL
 * @size: of @p
 */
void natflow_stream_give(struct natflow_urllogger *ul, const void *p, u32 size)
{
	if (p)
		atomic_sub(size, &ul->bytes);
	kfree(p);
}

/**
 * natflow_stream_free() - free a buffer
 * @ul: the namespace's state
 * @g: buffer; empty afterwards
 */
void natflow_stream_free(struct natflow_urllogger *ul, struct natflow_gather *g)
{
	natflow_stream_give(ul, g->first, g->size);
	natflow_stream_give(ul, g->last, g->size);
	natflow_stream_give(ul, g->have, natflow_gather_bits(g->size));
	*g = (struct natflow_gather){};
}

/**
 * natflow_stream_grow() - make room for what natflow_gather_put() could not take
 * @ul: the namespace's state
 * @g: buffer
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
 * natflow_stream_put() - buffer a packet's payload
 * @ul: the namespace's state
 * @g: buffer
 * @s: packet
 * @from: first byte of the payload to take; less than its length
 * @at: where it goes in the buffer, less than NATFLOW_STREAM_MAX; payload beyond that
 *	limit is left out
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
		n = min(n, len - done);		/* a block may extend beyond the payload */
		reason = put(ul, g, at + done, data, n);
		done += n;
	}
	skb_abort_seq_read(&state);
	return reason;
}
