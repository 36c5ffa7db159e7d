/* SPDX-License-Identifier: GPL-2.0-only */
/* Input that ends where its memory does, so that ASan sees a byte too many read. */
#ifndef _NATFLOW_TEST_EXACT_H
#define _NATFLOW_TEST_EXACT_H

#include "../../lib/host.h"

/* To be freed. */
static inline u8 *exact_copy(const void *data, size_t len)
{
	u8 *copy = malloc(len ?: 1);

	memcpy(copy, data, len);
	return copy;
}

static inline void require(bool good)
{
	if (!good)
		abort();
}

#endif /* _NATFLOW_TEST_EXACT_H */
