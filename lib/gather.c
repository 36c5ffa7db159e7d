// SPDX-License-Identifier: GPL-2.0-only
/* The beginning of a byte stream, gathered from pieces in any order. */
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
 * natflow_gather_put() - one more piece
 * @g: what there is
 * @at: where in the stream the piece begins
 * @data: its bytes
 * @len: how many
 *
 * Return: 0; or, with nothing changed, -ENOSPC if it ends behind @g->size and
 * -ENOBUFS if it differs from what there is and @g->last is NULL. Then the
 * caller gives room, a copy of @g->first for @g->last, and puts it again.
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
