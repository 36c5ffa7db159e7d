/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stack was seen to do with the packets of one direction: how they
 * came in, how they left. Only packets that came in alike are fast.
 */
#ifndef _NATFLOW_CORE_FLOW_SEEN_H
#define _NATFLOW_CORE_FLOW_SEEN_H

#include "object.h"

/*
 * Where rules classify packets, so many that were treated alike make a direction
 * fast: more than the 5 that limits of iptables and nftables let pass at once if
 * not told otherwise.
 */
#define NATFLOW_ALIKE 8

/* What was learned of a direction, as it was at one moment. */
struct natflow_seen {
	u64 look;
	struct natflow_meta meta;
};

static inline struct natflow_meta *natflow_dir_meta(struct natflow_flow *flow,
						    const struct natflow_dir *dir)
{
	return &flow->meta[dir->flags & NATFLOW_DIR_REPLY];
}

void natflow_seen_write(struct natflow_flow *flow, unsigned int d, const struct natflow_lesson *l);
void natflow_seen_read(struct natflow_flow *flow, const struct natflow_dir *dir,
		       struct natflow_seen *seen);
enum natflow_reason natflow_seen_verdict(const struct natflow_seen *seen,
					 const struct natflow_note *in);

#endif /* _NATFLOW_CORE_FLOW_SEEN_H */
