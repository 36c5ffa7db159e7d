/* SPDX-License-Identifier: GPL-2.0-only */
/* The inspections of a namespace: one a flow, from its birth to its end. */
#ifndef _NATFLOW_NAMES_INSPECTION_H
#define _NATFLOW_NAMES_INSPECTION_H

#include <linux/hash.h>
#include "names.h"

struct natflow_segment;
struct natflow_watch;
struct nf_conn;

/* What a packet's inspection asks for. */
struct natflow_inspection_verdict {
	enum natflow_reason end;	/* why the accelerated flow ends, or NATFLOW_OK */
	u8 action;			/* enum natflow_url_action */
	bool first;			/* this packet decided @action */
	bool doubtful;			/* drop the packet: the server may not accept it */
};

/*
 * The cache of conntracks whose inspection is finished. It is lossy: another
 * conntrack may take the slot. A slot is set under the inspection's lock. It is
 * cleared under that lock, and before the conntrack is put.
 */
static inline struct nf_conn **natflow_inspection_slot(const struct natflow_urllogger *ul,
						       const struct nf_conn *ct)
{
	return &ul->passing[hash_ptr(ct, ilog2(NATFLOW_URL_PASSING))];
}

/* FORWARD accepts packets of a cached conntrack without a lookup. Context: RCU read side. */
static inline bool natflow_inspection_passes(const struct natflow_urllogger *ul,
					     const struct nf_conn *ct)
{
	return READ_ONCE(*natflow_inspection_slot(ul, ct)) == ct && ct;
}

int natflow_inspection_init(struct natflow_urllogger *ul);
int natflow_inspection_start(struct natflow_urllogger *ul);
size_t natflow_inspection_bytes(const struct natflow_urllogger *ul);
void natflow_inspection_stop(struct natflow_urllogger *ul);
void natflow_inspection_exit(struct natflow_urllogger *ul);
struct natflow_inspection_verdict natflow_inspection_packet(struct natflow_urllogger *ul,
							    const struct natflow_segment *s);
bool natflow_inspection_exists(struct natflow_urllogger *ul, const struct nf_conn *ct);
enum natflow_reason natflow_inspection_learn(struct natflow_urllogger *ul,
					     const struct nf_conn *ct,
					     struct natflow_watch *watch);
void natflow_inspection_age(struct natflow_urllogger *ul);
void natflow_inspection_review(struct natflow_urllogger *ul);

#endif /* _NATFLOW_NAMES_INSPECTION_H */
