// SPDX-License-Identifier: GPL-2.0-only
/* The beginning of a byte stream, assembled from pieces in any order. */
#include "gather.h"

static bool has(const struct natflow_gather *g, u32 at)
{
	return g->have[at / 8] >> (at % 8) & 1;
}

static bool differs(const struct natflow_gather *g, u32 at, const u8 *data, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		if (has(g, at + i) && g->first[at + i] != data[i])
			return true;
	return false;
}

/**
 * natflow_gather_put() - add a piece
 * @g: stream
 * @at: offset of the piece in the stream
 * @data: its bytes
 * @len: number of bytes
 *
 * Return: 0, or an error with @g unchanged: -ENOSPC if the piece ends behind
 * @g->size, -ENOBUFS if it differs from earlier bytes and @g->last is NULL. The
 * caller then allocates room, or @g->last as a copy of @g->first, and repeats.
 */
int natflow_gather_put(struct natflow_gather *g, u32 at, const u8 *data, u32 len)
{
	u32 i;

	if (len > ~at || at + len > g->size) {
		g->want = len > ~at ? ~0U : at + len;
		return -ENOSPC;
	}
	if (!g->last && differs(g, at, data, len)) {
		g->want = g->size;
		return -ENOBUFS;
	}
	if (g->last)
		memcpy(g->last + at, data, len);
	for (i = at; i < at + len; i++) {
		if (!has(g, i))
			g->first[i] = data[i - at];
		g->have[i / 8] |= 1 << i % 8;
	}
	while (g->prefix < g->size && has(g, g->prefix))
		g->prefix++;
	return 0;
}

/**
 * natflow_gather_has() - true if any byte at or behind an offset is present, or waits
 * @g: stream
 * @from: offset
 */
bool natflow_gather_has(const struct natflow_gather *g, u32 from)
{
	const struct natflow_gather_piece *piece;

	for (piece = g->ahead; piece; piece = piece->next)
		if (piece->at + piece->len > from)
			return true;
	while (from < g->size && !has(g, from))
		from += from % 8 || g->have[from / 8] ? 1 : 8;
	return from < g->size;
}

/**
 * natflow_gather_cut() - discard all bytes from an offset on
 * @g: stream
 * @at: offset
 */
void natflow_gather_cut(struct natflow_gather *g, u32 at)
{
	u32 from = at / 8 + !!(at % 8);

	if (at >= g->size)
		return;
	if (at % 8)
		g->have[at / 8] &= (1 << at % 8) - 1;
	memset(g->have + from, 0, natflow_gather_bits(g->size) - from);
	if (g->prefix > at)
		g->prefix = at;
}

/**
 * natflow_gather_drop() - discard the first bytes and move the others down
 * @g: stream
 * @bytes: number of bytes, a multiple of 8, at most @g->prefix; pieces that wait are
 *	behind them
 */
void natflow_gather_drop(struct natflow_gather *g, u32 bytes)
{
	struct natflow_gather_piece *piece;
	u32 rest = g->size - bytes;

	for (piece = g->ahead; piece; piece = piece->next)
		piece->at -= bytes;
	g->arrived -= bytes < g->arrived ? bytes : g->arrived;
	memmove(g->first, g->first + bytes, rest);
	if (g->last)
		memmove(g->last, g->last + bytes, rest);
	memmove(g->have, g->have + bytes / 8, rest / 8);
	memset(g->have + rest / 8, 0, bytes / 8);
	g->prefix -= bytes;
}
