/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the stack did with the packets of one direction: their fields at arrival and
 * at POST_ROUTING. Only packets that arrive like these are fast.
 */
#ifndef _NATFLOW_CORE_FLOW_SEEN_H
#define _NATFLOW_CORE_FLOW_SEEN_H

#include "object.h"

/*
 * If rules classify packets, a direction becomes fast after so many packets that were
 * treated alike. Limits of iptables and nftables let 5 packets pass at once by default.
 */
#define NATFLOW_ALIKE 8

/* A consistent copy of what was learned about a direction. */
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
