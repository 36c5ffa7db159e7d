/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A flow: one conntrack, two directions. The object, the table and its life.
 *
 *   SELECTED ── a rule or a setting chose it; nothing learned yet
 *      │ a packet of one direction left the stack          } "half": on
 *   HALF    ── one direction is known                      } natflow_net.flows.halves
 *      │ the other direction too
 *   PUBLISHED ── both directions are in the table; hits happen
 *      │ conntrack gone, FIN, flush, eviction, ...
 *   DEAD    ── not reachable; freed after the last reference and a grace period
 *
 * Readers of the table hold rcu_read_lock(). Code that changes which objects are
 * reachable holds natflow_net.flows.lock. The key and the rewrite of a published
 * direction never change; learning writes the other fields, see write_dir().
 *
 * Memory (v4, 64-bit): 256 cold + 64 for TCP + 2 * 64 hot + its share of the table.
 */
#ifndef _NATFLOW_CORE_FLOW_OBJECT_H
#define _NATFLOW_CORE_FLOW_OBJECT_H

#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include "../base/netns.h"
#include "../base/note.h"
#include "../base/window.h"
#include "dir.h"

struct nf_conn;

#define NATFLOW_HALVES_MAX	8192U	/* unpublished flows; they last a round trip */

enum natflow_flow_bit {
	NATFLOW_FLOW_V6,
	NATFLOW_FLOW_HW,		/* --hw was asked for */
	NATFLOW_FLOW_LEARNED0,		/* direction 0 is learned */
	NATFLOW_FLOW_LEARNED1,
	NATFLOW_FLOW_PUBLISHED,
	NATFLOW_FLOW_DEAD,
	NATFLOW_FLOW_CURRENT0,		/* direction 0 was learned in @edition */
	NATFLOW_FLOW_CURRENT1,
	NATFLOW_FLOW_AMBIGUOUS,		/* another zone's flow has the same key */
	NATFLOW_FLOW_ACTIVE,		/* on a CPU's active list */
	NATFLOW_FLOW_SECOND_CHANCE,	/* had traffic since the clock hand last passed */
};

/* Which packets of a fast flow's TCP client a feature wants to see. */
struct natflow_watch {
	u32 from;		/* sequence number, host order */
	bool on;		/* packets with payload from there on take the stack */
};

struct natflow_flow {
	struct rhash_head node;		/* natflow_net.flows.by_ct */
	struct nf_conn *ct;		/* key of @node; one reference */
	struct natflow_net *nn;
	unsigned long bits;		/* enum natflow_flow_bit, atomic */
	refcount_t ref;			/* reachable: 1; on an active list: 1 */
	u32 seq;			/* odd while @meta is written, see core/flow/seen.c */
	u32 slow_pkts;			/* packets seen by learn, for delay_pkts; racy by design */
	u32 edition;			/* natflow_net.edition of the last lesson */
	unsigned long used;		/* jiffies of the last folded traffic */
	struct llist_node link;		/* a CPU's active list, or natflow_net.flows.dead */
	struct list_head half;		/* natflow_net.flows.halves, by @number */
	u64 number;			/* in order of birth, for a listing in pieces */
	atomic64_t packets[2], bytes[2];	/* folded so far; packets are skbs */
	/* What the stack did with packets whose fields were natflow_dir.look. */
	struct natflow_meta {
		u32 in_mark, in_priority;	/* at arrival */
		u32 mark, priority;		/* at POST_ROUTING */
		u32 ct_mark;		/* the conntrack's at that time */
		u32 watch_from;		/* natflow_watch.from */
		u16 min, max;		/* lengths */
		u16 seen;		/* natflow_tick_now() when the stack last had a packet */
		u8 alike;		/* packets that were treated alike, up to NATFLOW_ALIKE */
		u8 ecn:4;		/* bit n: codepoint n was among them */
		u8 strict:1;		/* lengths are compared */
		u8 watched:1;		/* natflow_watch.on; never of replies */
		u8 linked:1;		/* packets get the DSCP of the other direction's */
	} meta[2];
	int iif[2];			/* ingress ifindex, for display */
	int l3[2];			/* ifindex of the L3 device that received the packets */
	/* Of super-packets since the last fold: the wire's further packets << 40 | headers. */
	atomic64_t extra[2];
	void *user[2];			/* of NATFLOW_SLOT_USER, see struct natflow_attach */
	struct natflow_hw_mark hw;	/* of NATFLOW_SLOT_HW */
	struct natflow_limit *limit;	/* of NATFLOW_SLOT_QOS, from bind() to gone() */
	/* TCP only. Right before the directions, whose packets use it. */
	struct natflow_window window ____cacheline_aligned;
} ____cacheline_aligned;

/* What one packet taught about a direction. */
struct natflow_lesson {
	union natflow_key key;		/* as packets arrive */
	union natflow_key after;	/* as they leave; ports and addresses count */
	struct natflow_egress *egress;	/* one reference, taken over by the flow */
	struct natflow_note in;		/* its fields at arrival */
	u64 look;			/* and at POST_ROUTING */
	u32 mark, priority;
	u32 ct_mark;
	u8 dscp;			/* it leaves with */
	bool linked;			/* that is natflow_painted.to, of a link line */
	bool strict;			/* natflow_net.strict */
	struct natflow_watch watch;
	u32 clock, edition;
	int iif, l3;
};

static inline u8 natflow_flow_family(const struct natflow_flow *flow)
{
	return test_bit(NATFLOW_FLOW_V6, &flow->bits) ? NFPROTO_IPV6 : NFPROTO_IPV4;
}

static __always_inline struct natflow_dir *
natflow_flow_dir(struct natflow_flow *flow, unsigned int dir, const u8 family)
{
	return (void *)(flow + 1) + dir * natflow_dir_size(family);
}

static __always_inline struct natflow_flow *
natflow_dir_flow(struct natflow_dir *dir, const u8 family)
{
	size_t before = (dir->flags & NATFLOW_DIR_REPLY) * natflow_dir_size(family);

	return (struct natflow_flow *)((void *)dir - before) - 1;
}

/* The same if the family is unknown, off the hit path. */
static inline struct natflow_flow *natflow_dir_owner(struct natflow_dir *dir)
{
	return natflow_dir_is(dir, NFPROTO_IPV4) ? natflow_dir_flow(dir, NFPROTO_IPV4) :
						   natflow_dir_flow(dir, NFPROTO_IPV6);
}

/* Was @dir learned in this edition? Only under flows.lock the answer lasts. */
static inline bool natflow_flow_is_of(const struct natflow_flow *flow,
				      const struct natflow_dir *dir, u32 edition)
{
	return READ_ONCE(flow->edition) == edition &&
	       test_bit(NATFLOW_FLOW_CURRENT0 + (dir->flags & NATFLOW_DIR_REPLY), &flow->bits);
}

static inline bool natflow_flow_learned(const struct natflow_flow *flow, unsigned int dir)
{
	return test_bit(NATFLOW_FLOW_LEARNED0 + dir, &flow->bits);
}

#endif /* _NATFLOW_CORE_FLOW_OBJECT_H */
