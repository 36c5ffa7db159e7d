/* SPDX-License-Identifier: GPL-2.0-only */
/* The buffered beginning of a stream; the memory counts against a namespace's limit. */
#ifndef _NATFLOW_NAMES_STREAM_H
#define _NATFLOW_NAMES_STREAM_H

#include "../core/base/stats.h"

#define NATFLOW_STREAM_MAX	16384	/* bytes of a flow */

struct natflow_inspection;
struct natflow_segment;

void *natflow_stream_alloc(struct natflow_inspection *in, u32 size);
void natflow_stream_give(struct natflow_inspection *in, const void *p, u32 size);
void natflow_stream_free(struct natflow_inspection *in);
enum natflow_reason natflow_stream_grow(struct natflow_inspection *in);
enum natflow_reason natflow_stream_put(struct natflow_inspection *in,
				       const struct natflow_segment *s, u32 from, u32 at);

#endif /* _NATFLOW_NAMES_STREAM_H */
