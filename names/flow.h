/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The inspection of one flow: what its client sent, buffered until it yields a name.
 *
 *     GATHERING <--+    payload is buffered; it is not a whole request yet
 *         |        |
 *         v        |    the client's TTL rises: the buffered bytes did not reach
 *     COMPLETE ----+    the server; or the next request is in the buffer already
 *         |
 *         +--> DECIDED  one outcome was counted, and one action holds for the rest
 *         |             of the connection
 *         +--> WATCHED  as DECIDED, but payload at or beyond @from opens the next
 *                       request: back to GATHERING
 *
 * GATHERING goes to DECIDED directly if the budget is spent or if the bytes cannot hold
 * a name, and to WATCHED while only the server speaks or for blank lines. Any state goes back to
 * GATHERING when another connection begins on the same conntrack. flow.c has all
 * transitions. "Request" stands for a TLS hello and a DNS question, too.
 *
 * The action is kept beside the state: rules that change block and unblock an
 * inspection that is DECIDED or WATCHED. @part says that not a request but a chunk
 * of the last request's body, or a frame of HTTP/2, begins at @at; these pass through
 * the same states.
 */
#ifndef _NATFLOW_NAMES_FLOW_H
#define _NATFLOW_NAMES_FLOW_H

#include <linux/rhashtable-types.h>
#include <linux/spinlock.h>
#include "../core/base/stats.h"
#include "../lib/names/gather.h"
#include "../lib/names/hpack.h"
#include "../lib/names/quic.h"
#include "../lib/text/whom.h"
#include "names.h"
#include "places.h"

/* In this order: all from DECIDED on have an action. */
#define NATFLOW_URGENT_MAX 4

enum natflow_inspection_state {
	NATFLOW_INSPECTION_GATHERING,
	NATFLOW_INSPECTION_COMPLETE,	/* parsed; the server has not acknowledged the bytes */
	NATFLOW_INSPECTION_DECIDED,
	NATFLOW_INSPECTION_WATCHED,
};

/* The QUIC connections of a flow: they may begin at the same time. */
struct natflow_flow_quic {
	struct natflow_quic keys;
	struct natflow_gather begun[NATFLOW_QUIC_CONNS];	/* their hellos, but of @at */
	u8 action[NATFLOW_QUIC_CONNS];	/* for their packets, enum natflow_url_action */
	u8 at;				/* the connection of natflow_inspection.gather */
};

struct natflow_inspection {
	struct rhash_head node;		/* natflow_urllogger.flows */
	struct nf_conn *ct;		/* key of @node; one reference */
	struct natflow_urllogger *ul;
	struct natflow_place place;
	spinlock_t lock;		/* all below; BH disabled */
	u8 state;			/* enum natflow_inspection_state; the tick reads it bare */
	u8 action;			/* enum natflow_url_action, from DECIDED on */
	u8 source;			/* enum natflow_url_source, of @host */
	u8 ttl;				/* highest TTL of the client's packets so far */
	bool based;			/* @base is known */
	bool early;			/* the buffer holds data of a SYN */
	bool answered;			/* @answer is known */
	bool upgrade;			/* the last request asked for HTTP/2 */
	u8 part;			/* what begins at @at: enum natflow_part */
	u8 judged_part;			/* what begins at @judged */
	bool losing;			/* @lost is set */
	bool paused;			/* the client took its time over this request */
	u8 urgents;			/* entries of @urgent */
	bool silent;			/* WATCHED: only the server has spoken, since @born */
	bool stamped;			/* @stamp is known */
	u16 packets;			/* client packets with payload */
	u16 doubts;			/* client packets that the server may not accept */
	bool doubtful;			/* this packet is one of them */
	u32 base;			/* sequence number of the buffer's first byte */
	u32 end;			/* buffered bytes when the state became COMPLETE */
	u32 at;				/* where this request begins in the buffer */
	u32 judged;			/* requests before this offset do not block */
	u32 from;			/* WATCHED: sequence number of the next request */
	u32 body;			/* bytes of a chunked body so far */
	u32 most;			/* sequence number behind all trusted payload */
	u32 lost;			/* payload from here to @most is incomplete, if @losing */
	u32 isn;			/* client's initial sequence number plus one */
	u32 answer;			/* server's initial sequence number */
	u32 stamp;			/* TSval of the client's last segment in order */
	u32 acked;			/* the server has all before this sequence number */
	u32 urgent[NATFLOW_URGENT_MAX];	/* sequence numbers of urgent bytes, the last one first */
	unsigned long born;		/* jiffies; of the first payload of this request, if any */
	struct natflow_gather gather;	/* what the server accepts */
	struct natflow_gather any;	/* as @gather, and what it may not accept; empty: nothing */
	struct natflow_flow_quic *quic;	/* UDP only */
	struct natflow_hpack_table *table;	/* of HTTP/2, in front of @at; NULL: empty */
	struct natflow_hpack_table *judged_table;	/* in front of @judged; NULL: none */
	char *host;			/* the name, for rules that come later; or NULL */
	struct natflow_site_client client;	/* for these rules; from the first payload on */
};

static inline bool natflow_inspection_is_decided(const struct natflow_inspection *in)
{
	return in->state >= NATFLOW_INSPECTION_DECIDED;
}

static inline bool natflow_inspection_is_complete(const struct natflow_inspection *in)
{
	return in->state == NATFLOW_INSPECTION_COMPLETE;
}

/* The server may not accept this packet of the client. */
static inline void natflow_inspection_doubt(struct natflow_inspection *in)
{
	in->doubts++;
	in->doubtful = true;
}

/* transitions */
void natflow_inspection_complete(struct natflow_inspection *in);
void natflow_inspection_distrust(struct natflow_inspection *in);
void natflow_inspection_reopen(struct natflow_inspection *in, u32 at, u16 packets);
void natflow_inspection_conclude(struct natflow_inspection *in, enum natflow_reason outcome,
				 u8 action);
void natflow_inspection_watch(struct natflow_inspection *in, u32 next,
			      enum natflow_reason outcome);
void natflow_inspection_pause(struct natflow_inspection *in);
void natflow_inspection_resume(struct natflow_inspection *in);

/* buffer, outcome, budget */
void natflow_inspection_discard(struct natflow_inspection *in);
void natflow_inspection_unname(struct natflow_inspection *in);
void natflow_inspection_count(struct natflow_inspection *in, enum natflow_reason outcome);
enum natflow_reason natflow_inspection_give_up(const struct natflow_inspection *in);
bool natflow_inspection_is_late(const struct natflow_inspection *in);
u32 natflow_inspection_settled(const struct natflow_inspection *in);
bool natflow_inspection_has_urgent(const struct natflow_inspection *in);
bool natflow_inspection_is_silent(const struct natflow_inspection *in);
bool natflow_inspection_is_spent(const struct natflow_inspection *in);

#endif /* _NATFLOW_NAMES_FLOW_H */
