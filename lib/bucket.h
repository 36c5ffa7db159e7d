/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arithmetic of a bucket. A bucket is a virtual clock: the time at which a line of its
 * rate would have sent everything that was charged. What is ahead of the real clock is the
 * virtual queue. A packet passes while the queue is not deeper than the burst, and adds
 * its own time, so that one packet of any size passes an empty bucket.
 */
#ifndef _NATFLOW_LIB_BUCKET_H
#define _NATFLOW_LIB_BUCKET_H

#include "host.h"

#define NATFLOW_RATE_MAX	1000000000000ULL	/* bytes a second */
#define NATFLOW_RATE_SECOND	1000000000ULL		/* in nanoseconds, the unit of all times */
#define NATFLOW_RATE_BURST	(100 * 1000000ULL)	/* at least, and two super-packets */
#define NATFLOW_RATE_SUPER	65536U			/* bytes of a super-packet */
#define NATFLOW_RATE_TARGET	(5 * 1000000ULL)	/* of CoDel, and at least a full packet */
#define NATFLOW_RATE_FULL	1514U			/* bytes */
#define NATFLOW_RATE_INTERVAL	(100 * 1000000ULL)	/* of CoDel */

/* A rate: a byte takes @mult / 2^@shift nanoseconds. */
struct natflow_pace {
	u64 bytes;		/* a second */
	u64 depth, target;	/* of the virtual queue */
	u32 burst;		/* bytes, as it was asked for; 0: by default */
	u32 mult;
	u8 shift;
};

/* Time of @bytes at a rate. */
static __always_inline u64 natflow_pace_cost(const struct natflow_pace *rate, u32 bytes)
{
	return (u64)bytes * rate->mult >> rate->shift;
}

/**
 * natflow_pace_set() - precompute a rate
 * @rate: the result; its error is below 1 in 4 million
 * @bytes: a second, 1 to NATFLOW_RATE_MAX
 * @burst: bytes, 0: 100 ms or two super-packets, whichever is more
 */
static inline void natflow_pace_set(struct natflow_pace *rate, u64 bytes, u32 burst)
{
	u8 shift = 32;
	u64 mult;

	/* 10^9 * 2^shift / bytes in 32 bits; 10^9 is below 2^30, so 2^34 is the largest factor. */
	do
		mult = div64_u64(NATFLOW_RATE_SECOND << shift, bytes);
	while (mult > 0xffffffff && shift--);
	rate->bytes = bytes;
	rate->burst = burst;
	rate->shift = shift;
	rate->mult = mult;
	rate->depth = natflow_pace_cost(rate, burst ?: 2 * NATFLOW_RATE_SUPER);
	if (!burst && rate->depth < NATFLOW_RATE_BURST)
		rate->depth = NATFLOW_RATE_BURST;
	rate->target = natflow_pace_cost(rate, NATFLOW_RATE_FULL);
	if (rate->target < NATFLOW_RATE_TARGET)
		rate->target = NATFLOW_RATE_TARGET;
}

/**
 * natflow_pace_again() - the virtual queue when the rate changes: the same bytes
 * @queue: at the old rate
 * @from: old rate
 * @to: new rate
 *
 * Return: the queue at the new rate, not deeper than its burst.
 */
static inline u64 natflow_pace_again(u64 queue, const struct natflow_pace *from,
				     const struct natflow_pace *to)
{
	/* In microseconds there is room for the product: a queue of a day has 2^37 of them. */
	u64 most = div64_u64(to->depth, 1000), n = div64_u64(queue, 1000);

	if (n && from->bytes > div64_u64(~0ULL, n))
		return to->depth;
	n = div64_u64(n * from->bytes, to->bytes);
	return n < most ? n * 1000 : to->depth;
}

/* CoDel's law (RFC 8289) on the virtual queue. */
struct natflow_codel {
	u64 above;		/* since when the queue is above the target; 0: it is not */
	u64 next;		/* when the next packet is signalled */
	u32 count;		/* signals since the queue is too long */
	bool dropping;
};

static inline u32 natflow_root(u64 n)
{
	u64 root = 0, bit = 1ULL << 62;

	for (; bit; bit >>= 2) {
		const bool fits = n >= root + bit;

		if (fits)
			n -= root + bit;
		root = (root >> 1) + (fits ? bit : 0);
	}
	return root;
}

/* The interval divided by the square root of @count. */
static inline u64 natflow_codel_step(u32 count)
{
	return div64_u64(NATFLOW_RATE_INTERVAL << 8, natflow_root((u64)count << 16));
}

/**
 * natflow_codel_signal() - does a packet have to be marked or dropped
 * @c: state
 * @now: time, not 0
 * @queue: virtual queue that the packet finds
 * @target: of that
 */
static inline bool natflow_codel_signal(struct natflow_codel *c, u64 now, u64 queue, u64 target)
{
	if (queue <= target) {
		c->above = 0;
		c->dropping = false;
		return false;
	}
	if (!c->above)
		c->above = now;
	if (now - c->above < NATFLOW_RATE_INTERVAL)
		return false;
	if (c->dropping) {
		if ((s64)(now - c->next) < 0)
			return false;
		c->count += c->count < 0xffff;
		c->next += natflow_codel_step(c->count);
		return true;
	}
	/* A queue that was too long a moment ago needs about as many signals again. */
	c->count = c->count > 2 && (s64)(now - c->next) < (s64)(16 * NATFLOW_RATE_INTERVAL) ?
		   c->count - 2 : 1;
	c->dropping = true;
	c->next = now + natflow_codel_step(c->count);
	return true;
}

#endif /* _NATFLOW_LIB_BUCKET_H */
