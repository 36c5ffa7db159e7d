/* SPDX-License-Identifier: GPL-2.0-only */
/* What each CPU keeps for a namespace. */
#ifndef _NATFLOW_CORE_BASE_PCPU_H
#define _NATFLOW_CORE_BASE_PCPU_H

#include <linux/llist.h>
#include <linux/skbuff.h>
#include <linux/u64_stats_sync.h>
#include "../../include/uapi/linux/natflow_reason.h"

/* Families by index, for the two clocks. */
#define NATFLOW_FAMILIES 2

/* Lengths from here on count as one: rules by length tell small packets from others. */
#define NATFLOW_LENGTH_MAX	1280

struct natflow_note {
	const struct sk_buff *of;	/* may be gone, only compared */
	u64 look;			/* natflow_look_ip4(), natflow_look_ip6() */
	u32 mark, priority;
	u16 len;			/* L3 bytes, at most NATFLOW_LENGTH_MAX */
};

/* The hooks that the packet last seen on this CPU met, lowest first; see core/topo/path_in.c. */
struct natflow_trail {
	const struct sk_buff *of;	/* may be gone, only compared */
	u32 tags;			/* at the first hook */
	unsigned int count;
	int ifindex[4];
};

/* What a rule or a link line gave a packet, which may be gone: it is only compared. */
struct natflow_painted {
	const struct sk_buff *of;
	u32 priority;		/* that it had before */
	u8 from, to;		/* DSCP */
	bool ruled;		/* @to is a rule's */
	bool linked;		/* @to is that of a link line, see shape/dscp.c */
};

/*
 * Written and read with BH disabled. On PREEMPT_RT packets of one CPU may interleave
 * nevertheless (NATFLOW_COMPAT_INTERLEAVES), so fields that belong together are written,
 * and copied, between preempt_disable_nested() and preempt_enable_nested().
 */
struct natflow_pcpu {
	struct u64_stats_sync syncp;
	u64_stats_t hits;	/* packets (skbs) forwarded */
	u64_stats_t bytes;	/* their L3 bytes */
	u64_stats_t reached;	/* packets of answered connections at a FLOWOFFLOAD rule */
	u64_stats_t confirmed;	/* packets whose flow asked its route and stayed fast */
	u64_stats_t reason[NATFLOW_REASON_MAX + 1];
	/* The monotonic clock when jiffies last moved here; see core/limit.c. */
	u64 now;
	unsigned long now_of;
	/* A packet whose fields a limit has changed; may be gone, only compared. */
	const struct sk_buff *marked_of;
	struct natflow_painted painted;
	/* A packet that a rule selected in vain; may be gone, only compared; see core/learn.c. */
	const struct sk_buff *refused_of;
	/* The route clock when a packet last went up the stack here; see core/base/clock.h. */
	u32 clock[NATFLOW_FAMILIES];
	u32 edition[NATFLOW_FAMILIES];
	const struct sk_buff *clock_of;	/* that packet; may be gone, only compared */
	struct natflow_trail trail;
	/* Flows with unfolded traffic that this CPU saw first; see core/ageing.c. */
	struct llist_head active;
};

#endif /* _NATFLOW_CORE_BASE_PCPU_H */
