/* SPDX-License-Identifier: GPL-2.0-only */
/* Per-CPU counters: one per reason, and what was forwarded. */
#ifndef _NATFLOW_CORE_BASE_STATS_H
#define _NATFLOW_CORE_BASE_STATS_H

#include <linux/llist.h>
#include <linux/percpu.h>
#include <linux/u64_stats_sync.h>
#include "note.h"
#include "../../include/uapi/linux/natflow_reason.h"

/* Families by index, for the two clocks. */
#define NATFLOW_FAMILIES 2

/* The hooks that the packet last seen on this CPU met, lowest first; see core/topo/way.c. */
struct natflow_trail {
	const struct sk_buff *of;	/* may be gone, only compared */
	u32 tags;			/* at the first hook */
	unsigned int count;
	int ifindex[4];
};

struct natflow_pcpu {
	struct u64_stats_sync syncp;
	u64_stats_t hits;	/* packets (skbs) forwarded */
	u64_stats_t bytes;	/* their L3 bytes */
	u64_stats_t reached;	/* packets of answered connections at a FLOWOFFLOAD rule */
	u64_stats_t reason[NATFLOW_REASON_MAX + 1];
	/* A packet that a rule selected in vain; may be gone, only compared; see core/learn.c. */
	const struct sk_buff *refused_of;
	/* The route clock when a packet last went up the stack on this CPU; see core/base/clock.h. */
	u32 clock[NATFLOW_FAMILIES];
	const struct sk_buff *clock_of;	/* that packet; may be gone, only compared */
	struct natflow_trail trail;
	struct natflow_note note[1 << NATFLOW_NOTES_SHIFT];
	/* Flows with unfolded traffic that this CPU saw first; see core/ageing.c. */
	struct llist_head active;
};

/* All of one namespace's counters, summed. */
struct natflow_stats {
	u64 hits;
	u64 bytes;
	u64 reached;
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

struct natflow_pcpu __percpu *natflow_stats_alloc(void);
void natflow_stats_sum(struct natflow_pcpu __percpu *pcpu, struct natflow_stats *sum);

/* "group" and "key" of a reason, as printed in /proc/natflow. */
const char *natflow_reason_group(enum natflow_reason reason);
const char *natflow_reason_key(enum natflow_reason reason);
const char *natflow_reason_text(enum natflow_reason reason);

#endif /* _NATFLOW_CORE_BASE_STATS_H */
