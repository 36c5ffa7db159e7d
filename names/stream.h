/* SPDX-License-Identifier: GPL-2.0-only */
/* The buffered beginning of a stream; the memory counts against a namespace's limit. */
#ifndef _NATFLOW_NAMES_STREAM_H
#define _NATFLOW_NAMES_STREAM_H

#include "../core/base/stats.h"
#include "../lib/names/gather.h"

#define NATFLOW_STREAM_MAX	16384	/* bytes of a flow */

struct natflow_segment;
struct natflow_urllogger;

void *natflow_stream_alloc(struct natflow_urllogger *ul, u32 size);
void natflow_stream_give(struct natflow_urllogger *ul, const void *p, u32 size);
void natflow_stream_free(struct natflow_urllogger *ul, struct natflow_gather *g);
enum natflow_reason natflow_stream_grow(struct natflow_urllogger *ul, struct natflow_gather *g);
enum natflow_reason natflow_stream_put(struct natflow_urllogger *ul, struct natflow_gather *g,
				       const struct natflow_segment *s, u32 from, u32 at);

#endif /* _NATFLOW_NAMES_STREAM_H */
