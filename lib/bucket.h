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
#define NATFLOW_RATE_BURST	(250 * 1000000ULL)	/* at least, and two super-packets */
#define NATFLOW_RATE_SUPER	65536U			/* bytes of a super-packet */
#define NATFLOW_RATE_FULL	1514U			/* bytes */
#define NATFLOW_RATE_INTERVAL	(100 * 1000000ULL)	/* of CoDel */
#define NATFLOW_RATE_APART	4U			/* packets from a signal to the next one */

/* A rate: a byte takes @mult / 2^@shift nanoseconds. */
struct natflow_pace {
	u64 bytes;		/* a second */
	u64 depth;		/* of the virtual queue: the burst */
	u64 target, high;	/* its growth is signalled from there on; CoDel's law holds */
	u64 step;		/* growth that is worth a signal */
	u32 burst;		/* bytes, as it was asked for; 0: by default */
	u32 mult;
	u8 shift;
};

static __always_inline u64 natflow_pace_max(u64 a, u64 b)
{
	return a > b ? a : b;
}

/* Time of @bytes at a rate. */
static __always_inline u64 natflow_pace_cost(const struct natflow_pace *rate, u32 bytes)
{
	return (u64)bytes * rate->mult >> rate->shift;
}

/**
 * natflow_pace_set() - precompute a rate
 * @rate: the result; its error is below 1 in 4 million
 * @bytes: a second, 1 to NATFLOW_RATE_MAX
 * @burst: bytes, 0: 250 ms or two super-packets, whichever is more
 */
static inline void natflow_pace_set(struct natflow_pace *rate, u64 bytes, u32 burst)
{
	u8 shift = 32;
	u64 mult, full;

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
	full = natflow_pace_cost(rate, NATFLOW_RATE_FULL);
	rate->target = natflow_pace_max(full, rate->depth / 2);
	rate->high = natflow_pace_max(full, rate->depth / 4 * 3);
	rate->step = natflow_pace_max(2 * full, rate->depth / 8);
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

/* What a bucket knows of its virtual queue. */
struct natflow_ladder {
	struct natflow_codel codel;
	u64 rung;		/* a queue that is longer gets a signal; 0: it is short */
	u32 since;		/* packets since the last signal, while the queue was not short */
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

/**
 * natflow_ladder_signal() - does a packet have to be marked or dropped
 * @l: state
 * @now: time, not 0
 * @queue: virtual queue that the packet finds
 * @rate: of the bucket
 *
 * Nobody waits in a virtual queue, so it may be long. But a sender that has no sign before
 * the burst is used up loses all that it has on the way, and then its retransmission
 * timer's time. So growth is signalled, a step at a time, from half of the burst on: the
 * faster it grows the more often. A queue that stays long has CoDel's law. Signals are some
 * packets apart: what a window of few packets loses is repaired by those that follow.
 */
static inline bool natflow_ladder_signal(struct natflow_ladder *l, u64 now, u64 queue,
					 const struct natflow_pace *rate)
{
	bool signal = natflow_codel_signal(&l->codel, now, queue, rate->high);

	if (queue <= rate->target) {
		l->rung = 0;
		return false;
	}
	/* Behind a queue that shrinks the rungs follow. */
	if (!l->rung)
		l->rung = rate->target;
	else if (l->rung > queue + 2 * rate->step)
		l->rung = queue + 2 * rate->step;
	l->since += l->since < NATFLOW_RATE_APART;
	if ((!signal && queue <= l->rung) || l->since < NATFLOW_RATE_APART)
		return false;
	l->since = 0;
	l->rung = queue + rate->step;
	return true;
}

#endif /* _NATFLOW_LIB_BUCKET_H */
