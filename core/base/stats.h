/* SPDX-License-Identifier: GPL-2.0-only */
/* Per-CPU counters: one per reason, and what was forwarded. */
#ifndef _NATFLOW_CORE_BASE_STATS_H
#define _NATFLOW_CORE_BASE_STATS_H

#include <linux/percpu.h>
#include "pcpu.h"

/* All of one namespace's counters, summed. */
struct natflow_stats {
	u64 hits;
	u64 bytes;
	u64 reached;
	u64 confirmed;
	u64 reason[NATFLOW_REASON_MAX + 1];
};

/* Context: BH disabled, like every writer of these counters. */
static __always_inline void
natflow_stats_hit(struct natflow_pcpu __percpu *pcpu, unsigned int bytes)
{
	struct natflow_pcpu *c = this_cpu_ptr(pcpu);

	u64_stats_update_begin(&c->syncp);
	u64_stats_inc(&c->hits);
	u64_stats_add(&c->bytes, bytes);
	u64_stats_update_end(&c->syncp);
}

static inline void
natflow_stats_reason(struct natflow_pcpu __percpu *pcpu, enum natflow_reason reason)
{
	struct natflow_pcpu *c = this_cpu_ptr(pcpu);

	u64_stats_update_begin(&c->syncp);
	u64_stats_inc(&c->reason[reason]);
	u64_stats_update_end(&c->syncp);
}

static inline void natflow_stats_reached(struct natflow_pcpu __percpu *pcpu)
{
	struct natflow_pcpu *c = this_cpu_ptr(pcpu);

	u64_stats_update_begin(&c->syncp);
	u64_stats_inc(&c->reached);
	u64_stats_update_end(&c->syncp);
}

static inline void natflow_stats_confirmed(struct natflow_pcpu __percpu *pcpu)
{
	struct natflow_pcpu *c = this_cpu_ptr(pcpu);

	u64_stats_update_begin(&c->syncp);
	u64_stats_inc(&c->confirmed);
	u64_stats_update_end(&c->syncp);
}

struct natflow_pcpu __percpu *natflow_stats_alloc(void);
void natflow_stats_sum(struct natflow_pcpu __percpu *pcpu, struct natflow_stats *sum);

/* "group" and "key" of a reason, as printed in /proc/natflow. */
const char *natflow_reason_group(enum natflow_reason reason);
const char *natflow_reason_key(enum natflow_reason reason);
const char *natflow_reason_text(enum natflow_reason reason);

#endif /* _NATFLOW_CORE_BASE_STATS_H */
