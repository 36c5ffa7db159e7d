/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text for long lists: snprintf() takes some 300 instructions a number, and a list of
 * 65,536 users has a million numbers. Each function writes at @at, where there is room,
 * and returns the end. Nothing is terminated.
 */
#ifndef _NATFLOW_LIB_PUT_H
#define _NATFLOW_LIB_PUT_H

#include "../host.h"

#define NATFLOW_PUT_SLACK	10	/* bytes behind the end of a number that may be written */

char *natflow_put_digits(char *at, u64 n);
char *natflow_put_mac(char *at, const u8 *mac);
char *natflow_put_address(char *at, u8 family, const u8 *addr);
char *natflow_put_long_address(char *at, u8 family, const u8 *addr);

/* @text: a literal. Inlined, so that its length is a constant. */
static __always_inline char *natflow_put_text(char *at, const char *text)
{
	const size_t len = strlen(text);

	memcpy(at, text, len);
	return at + len;
}

/* The same with any text, of which at most @max - 1 bytes are written. It should be short. */
static inline char *natflow_put_word(char *at, const char *text, size_t max)
{
	for (; max > 1 && *text; max--)
		*at++ = *text++;
	return at;
}

static __always_inline char *natflow_put_number(char *at, const char *before, u64 n)
{
	at = natflow_put_text(at, before);
	if (n > 9)
		return natflow_put_digits(at, n);
	*at = '0' + n;
	return at + 1;
}

#endif /* _NATFLOW_LIB_PUT_H */
