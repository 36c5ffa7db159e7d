/* SPDX-License-Identifier: GPL-2.0-only */
/* What one flow's client says, put together until it is a name or the budget is spent. */
#ifndef _NATFLOW_NAMES_INSPECTION_H
#define _NATFLOW_NAMES_INSPECTION_H

#include <linux/rhashtable-types.h>
#include <linux/spinlock.h>
#include "../core/base/stats.h"
#include "../lib/names/gather.h"
#include "../lib/names/quic.h"
#include "../lib/text/whom.h"
#include "../policy/acl.h"
#include "names.h"

struct natflow_segment;
struct nf_conn;

/*
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
 * GATHERING goes to DECIDED or WATCHED directly if the budget is spent, if the bytes
 * cannot hold a name, or for blank lines behind a request. Any state goes back to
 * GATHERING when another connection begins on the same conntrack.
 */
enum natflow_inspection_state {
	NATFLOW_INSPECTION_GATHERING,
	NATFLOW_INSPECTION_COMPLETE,	/* parsed; the server has not acknowledged the bytes */
	NATFLOW_INSPECTION_DECIDED,
	NATFLOW_INSPECTION_WATCHED,
};

struct natflow_inspection {
	struct rhash_head node;		/* natflow_urllogger.flows */
	struct nf_conn *ct;		/* key of @node; one reference */
	struct natflow_urllogger *ul;
	struct rcu_head rcu;
	spinlock_t lock;		/* all below; BH disabled */
	u8 state;			/* enum natflow_inspection_state; learning reads it bare */
	bool based;			/* @base is known */
	bool early;			/* what is gathered came in a SYN */
	bool answered;			/* @answer is known */
	bool chunks;			/* a chunk of the last request's body is what begins */
	bool judged_chunks;		/* the same behind @judged */
	bool losing;			/* @lost is set */
	bool stamped;			/* @stamp is known */
	u8 action;			/* enum natflow_url_action, from DECIDED on; likewise */
	u8 source;			/* enum natflow_url_source, of @host */
	u8 ttl;				/* the highest of the client's so far */
	u16 packets;			/* of the client's, with payload */
	u16 doubts;			/* of these, not believed */
	u32 base;			/* sequence number of the first byte that is gathered */
	u32 end;			/* bytes of the stream that hold the name that was heard */
	u32 at;				/* bytes of it that belong to requests before this one */
	u32 judged;			/* requests up to here do not block */
	u32 from;			/* WATCHED: sequence number of the next request */
	u32 body;			/* bytes of a body in chunks so far */
	u32 most;			/* sequence number behind all that is believed */
	u32 lost;			/* from here to @most not all was gathered, if @losing */
	u32 isn;			/* where the connection began, plus one */
	u32 answer;			/* where the server's side began */
	u32 stamp;			/* TSval of the client's last segment in order */
	unsigned long born;		/* jiffies; of the client's first payload, if any */
	struct natflow_gather gather;
	struct natflow_quic *quic;	/* UDP only */
	char *host;			/* once named: for rules that come later */
	struct natflow_site_client client;	/* for these, too; from the first payload on */
};

static inline bool natflow_inspection_decided(const struct natflow_inspection *in)
{
	return in->state >= NATFLOW_INSPECTION_DECIDED;
}

static inline bool natflow_inspection_complete(const struct natflow_inspection *in)
{
	return in->state == NATFLOW_INSPECTION_COMPLETE;
}

bool natflow_inspection_sync(struct natflow_inspection *in, const struct natflow_segment *s,
			     u8 ttl);
bool natflow_inspection_again(struct natflow_inspection *in, const struct natflow_segment *s);
bool natflow_inspection_seek(struct natflow_inspection *in, const struct natflow_segment *s);
void natflow_inspection_pass(struct natflow_inspection *in);
void natflow_inspection_age(struct natflow_inspection *in);
bool natflow_inspection_review(struct natflow_inspection *in);
void natflow_inspection_free(struct rcu_head *rcu);

#endif /* _NATFLOW_NAMES_INSPECTION_H */
