/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The beginning of a byte stream, gathered from pieces in any order. Where
 * pieces say different things about a byte, the first and the last are kept.
 * The receiver may have put together a third reading from both: when there is
 * a @last, what is found in one of the two is not all that may have been said.
 */
#ifndef _NATFLOW_LIB_NAMES_GATHER_H
#define _NATFLOW_LIB_NAMES_GATHER_H

#include "../host.h"

/* Memory is the caller's; all zero is an empty one without room. */
struct natflow_gather {
	u8 *first;	/* what came first */
	u8 *last;	/* what came last; NULL while that never differed */
	u8 *have;	/* a bit for each byte of @first that came */
	u32 size;	/* bytes that @first, and @last, can hold: a multiple of 8 */
	u32 prefix;	/* bytes from the beginning on without a gap */
	u32 want;	/* after an error: the size that would do, to be rounded up to 8 */
};

/* Bytes that the bits for @size bytes take. */
static inline u32 natflow_gather_bits(u32 size)
{
	return size / 8;
}

bool natflow_gather_has(const struct natflow_gather *g, u32 from);
void natflow_gather_drop(struct natflow_gather *g, u32 bytes);
int natflow_gather_put(struct natflow_gather *g, u32 at, const u8 *data, u32 len);

#endif /* _NATFLOW_LIB_NAMES_GATHER_H */
