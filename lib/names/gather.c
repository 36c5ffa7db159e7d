// SPDX-License-Identifier: GPL-2.0-only
/* The beginning of a byte stream, assembled from pieces in any order. */
#include "gather.h"

static bool has(const struct natflow_gather *g, u32 at)
{
	return g->have[at / 8] >> (at % 8) & 1;
}

/* How many of the next 8 bytes at @at, or of the @len, are known to be new together. */
static u32 count_new(const struct natflow_gather *g, u32 at, u32 len)
{
	return at % 8 || len < 8 || g->have[at / 8] ? 0 : 8;
}

static bool differs(const struct natflow_gather *g, u32 at, const u8 *data, u32 len)
{
	u32 i = 0, n;

	while (i < len) {
		n = count_new(g, at + i, len - i);
		if (!n && has(g, at + i) && g->first[at + i] != data[i])
			return true;
		i += n ?: 1;
	}
	return false;
}

/* Fill the places that are free. */
static void fill(struct natflow_gather *g, u32 at, const u8 *data, u32 len)
{
	u32 n;

	for (; len; at += n, data += n, len -= n) {
		n = count_new(g, at, len);
		if (n) {
			memcpy(g->first + at, data, 8);
			g->have[at / 8] = 0xff;
			continue;
		}
		n = 1;
		if (!has(g, at))
			g->first[at] = *data;
		g->have[at / 8] |= 1 << at % 8;
	}
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
	fill(g, at, data, len);
	while (g->prefix < g->size && has(g, g->prefix))
		g->prefix += g->prefix % 8 || g->have[g->prefix / 8] != 0xff ? 1 : 8;
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
