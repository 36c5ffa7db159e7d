/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The beginning of a byte stream, assembled from pieces in any order. If pieces
 * overlap and differ, the first and the last version of each byte are kept. The
 * receiver may have assembled a mix of both. So if @last is set, neither version
 * alone shows for certain what the receiver read.
 *
 * A piece that is far ahead may wait outside of the buffer until enough bytes have
 * arrived to justify a buffer of that size. The caller decides which pieces wait.
 */
#ifndef _NATFLOW_LIB_NAMES_GATHER_H
#define _NATFLOW_LIB_NAMES_GATHER_H

#include "../host.h"

/* A piece that waits. */
struct natflow_gather_piece {
	struct natflow_gather_piece *next;
	u32 at;		/* offset in the stream */
	u32 len;
	u32 done;	/* bytes of @data that are in the buffer already */
	u8 data[];
};

/* The caller allocates the memory. All zero: empty, and without room. */
struct natflow_gather {
	u8 *first;	/* first version of each byte */
	u8 *last;	/* last version; NULL while no pieces differed */
	u8 *have;	/* one bit for each byte of @first that is present */
	u32 size;	/* bytes that @first, and @last, can hold: a multiple of 8 */
	u32 prefix;	/* contiguous bytes from the beginning */
	u32 want;	/* after an error: the size needed, to be rounded up to 8 */
	u32 arrived;	/* bytes of all pieces so far, less those that were discarded */
	u32 waiting;	/* number of @ahead */
	struct natflow_gather_piece *ahead;	/* pieces that wait, oldest first */
};

/* Size of the bitmap for @size bytes. */
static inline u32 natflow_gather_bits(u32 size)
{
	return size / 8;
}

bool natflow_gather_has(const struct natflow_gather *g, u32 from);
void natflow_gather_cut(struct natflow_gather *g, u32 at);
void natflow_gather_drop(struct natflow_gather *g, u32 bytes);
int natflow_gather_put(struct natflow_gather *g, u32 at, const u8 *data, u32 len);

#endif /* _NATFLOW_LIB_NAMES_GATHER_H */
