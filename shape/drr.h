/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The queue of a device: who waits, who is next, who gives way.
 *
 * Packets wait by user (a client of the gateway: its MAC, or its address), and there by
 * flow. Two rounds of deficit round robin (DRR++) decide who is next: users in turn, and
 * within a user its tins by weight, and in a tin its flows in turn. A flow that had no
 * packet waiting is sparse: it goes before all rounds for one quantum, on its user's
 * account. A user who has used up its account that way waits for its turn.
 *
 * Each flow has CoDel (RFC 8289) on the time that its packets waited. All together hold
 * at most @memory bytes: beyond, the fattest user's fattest flow loses its oldest packet.
 *
 * Records of flows and users are a fixed number. A flow without a record shares one with
 * all others of its user that have none, so a user who opens too many hurts itself.
 *
 * A flow's packets leave in their order: it keeps its record and its tin while one waits.
 *
 * Only flows with packets are in rounds. One that has none any more is sparse again when
 * the round that it was in has passed, or the queue was empty. A user's debt ends likewise.
 *
 * All calls: the qdisc's root lock is held, BH disabled.
 */
#ifndef _NATFLOW_SHAPE_DRR_H
#define _NATFLOW_SHAPE_DRR_H

#include <linux/list.h>
#include <linux/skbuff.h>
#include <net/codel.h>
#include <net/sch_generic.h>

#define NATFLOW_DRR_FLOWS	16384U
#define NATFLOW_DRR_USERS	1024U
#define NATFLOW_DRR_MEMORY	(16U << 20)	/* bytes of memory, as skb->truesize counts */
#define NATFLOW_DRR_LEVELS	32U		/* of fatness: powers of 2 bytes */

/* From the least important on; DSCP chooses (RFC 8622, RFC 4594). */
enum natflow_tin {
	NATFLOW_TIN_BULK,	/* LE, CS1 */
	NATFLOW_TIN_BEST,	/* all others */
	NATFLOW_TIN_VIDEO,	/* CS2 to CS4, AF2x to AF4x */
	NATFLOW_TIN_VOICE,	/* CS5 to CS7, EF, VA */
	NATFLOW_TINS
};

/* Who a packet is for, or from: compared as a whole, unused bytes are zero. */
struct natflow_client {
	u8 addr[16];		/* MAC, IPv4 or IPv6 address */
	u8 kind;		/* 0: nobody's; ETH_ALEN, 4 or 16: bytes of @addr */
	u8 zero[3];
};

enum natflow_place {
	NATFLOW_PLACE_IDLE,	/* natflow_drr.idle: nothing waits */
	NATFLOW_PLACE_SPARSE,	/* natflow_drr.sparse */
	NATFLOW_PLACE_TIN,	/* natflow_drr_user.tin[].flows */
	NATFLOW_PLACE_FREE,	/* natflow_drr.free: nobody's */
};

/* When a flow, or a user, had no packet any more. */
struct natflow_pause {
	u64 since;			/* natflow_drr.sent */
	u64 round;			/* bytes that others may send first, for a quantum */
};

struct natflow_drr_user;

struct natflow_drr_flow {
	struct hlist_node node;		/* natflow_drr.flow_hash */
	struct list_head list;		/* by @place */
	struct list_head waiting;	/* natflow_drr_user.waiting, while packets wait */
	struct natflow_drr_user *user;	/* NULL: free */
	struct sk_buff *head, *tail;
	u32 hash;
	u32 asked;			/* jiffies: its user and tin were found */
	s32 deficit;			/* bytes */
	u32 bytes;			/* that wait, on the wire */
	u8 tin, place;
	struct natflow_pause pause;
	struct codel_vars codel;
};

struct natflow_drr_user {
	struct hlist_node node;		/* natflow_drr.user_hash */
	struct list_head list;		/* natflow_drr.busy, or .free_users */
	struct list_head fat;		/* natflow_drr.fat[level], while packets wait */
	struct list_head waiting;	/* flows with packets */
	struct natflow_client client;
	s32 deficit;			/* bytes */
	u32 bytes;			/* that wait */
	u32 flows;			/* records, without @rest */
	u32 turns;			/* flows in @tin */
	u8 level;
	struct natflow_pause pause;
	struct {
		struct list_head flows;
		u32 count;
		s32 deficit;
	} tin[NATFLOW_TINS];
	struct natflow_drr_flow rest;	/* all its flows without a record */
};

struct natflow_drr {
	struct Qdisc *sch;
	struct list_head sparse, busy, idle, free, free_users;
	struct list_head fat[NATFLOW_DRR_LEVELS];
	u32 levels;			/* bit n: fat[n] is not empty */
	u32 memory, memory_max;		/* bytes */
	u32 bytes;			/* that wait, on the wire */
	u32 turns;			/* users in @busy */
	u64 sent, emptied;		/* bytes that have left: by now, and when nothing waited */
	u32 seed;			/* of @user_hash */
	u32 drops;			/* that CoDel may still do in this call */
	u32 quantum;			/* bytes: a frame */
	struct codel_params codel;
	struct codel_stats codel_stats;
	struct hlist_head *flow_hash, *user_hash;
	struct natflow_drr_flow *flows;
	struct natflow_drr_user *users;	/* the last one is nobody's and everybody's */
};

void natflow_drr_set_target(struct natflow_drr *q, u64 target);
int natflow_drr_init(struct natflow_drr *q, struct Qdisc *sch);
void natflow_drr_free(struct natflow_drr *q);
struct natflow_drr_flow *natflow_drr_find(struct natflow_drr *q, u32 hash);
struct natflow_drr_flow *natflow_drr_join(struct natflow_drr *q, u32 hash,
					  const struct natflow_client *client,
					  enum natflow_tin tin);
void natflow_drr_add(struct natflow_drr *q, struct natflow_drr_flow *flow, struct sk_buff *skb,
		     u64 now);
struct sk_buff *natflow_drr_next(struct natflow_drr *q);
struct sk_buff *natflow_drr_spill(struct natflow_drr *q);

#endif /* _NATFLOW_SHAPE_DRR_H */
