/* SPDX-License-Identifier: GPL-2.0-only */
/* The buffered beginning of a stream; the memory counts against its client's share. */
#ifndef _NATFLOW_NAMES_STREAM_H
#define _NATFLOW_NAMES_STREAM_H

#include "../core/base/stats.h"
#include "../lib/names/gather.h"
#include "places.h"

#define NATFLOW_STREAM_MAX	16384	/* bytes of a flow */

struct natflow_segment;

void *natflow_stream_alloc(struct natflow_place *place, u32 size);
enum natflow_reason natflow_stream_lack(const struct natflow_place *place);
void natflow_stream_give(struct natflow_place *place, const void *p, u32 size);
void natflow_stream_free(struct natflow_place *place, struct natflow_gather *g);
enum natflow_reason natflow_stream_take(struct natflow_place *place, struct natflow_gather *g,
					u32 at, const u8 *data, u32 len);
bool natflow_stream_copy(struct natflow_place *place, struct natflow_gather *to,
			 const struct natflow_gather *from);
void natflow_stream_cut(struct natflow_place *place, struct natflow_gather *g, u32 at);
enum natflow_reason natflow_stream_put(struct natflow_place *place, struct natflow_gather *g,
				       const struct natflow_segment *s, u32 from, u32 at);

#endif /* _NATFLOW_NAMES_STREAM_H */
