/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A number in 16 bits: exact up to 4,095, beyond that rounded to 12 binary digits, 1 in
 * 4,096 at most. 5 bits of exponent, 11 of mantissa; the largest is 4,095 * 2^30.
 */
#ifndef _NATFLOW_LIB_ROUNDED_H
#define _NATFLOW_LIB_ROUNDED_H

#include "host.h"

#define NATFLOW_ROUNDED_BITS	11

/* @n: below 2^42 */
static inline u16 natflow_rounded(u64 n)
{
	unsigned int shift = 0;

	while (n >> shift > 2 * (1 << NATFLOW_ROUNDED_BITS) - 1)
		shift++;
	/* The first digit, which every number with an exponent has, adds one to it. */
	return (shift << NATFLOW_ROUNDED_BITS) + ((n + (1ULL << shift) / 2) >> shift);
}

static inline u64 natflow_rounded_value(u16 r)
{
	const unsigned int exponent = r >> NATFLOW_ROUNDED_BITS;
	const u64 digits = r & ((1 << NATFLOW_ROUNDED_BITS) - 1);

	return exponent ? (digits | 1 << NATFLOW_ROUNDED_BITS) << (exponent - 1) : digits;
}

#endif /* _NATFLOW_LIB_ROUNDED_H */
