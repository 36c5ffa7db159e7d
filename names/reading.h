/* SPDX-License-Identifier: GPL-2.0-only */
/* The buffered payload, read as HTTP, TLS or DNS. */
#ifndef _NATFLOW_NAMES_READING_H
#define _NATFLOW_NAMES_READING_H

#include "../lib/names/name.h"
#include "flow.h"

#define NATFLOW_DATAGRAM_MAX	NATFLOW_QUIC_PACKET_MAX

/* Memory for one packet's inspection; TCP does without the members from @quic on. */
struct natflow_workspace {
	struct natflow_name name, other;
	struct natflow_quic_work quic;
	u8 datagram[NATFLOW_DATAGRAM_MAX];
};

/* Did the server acknowledge the bytes that were read? */
enum natflow_ack {
	NATFLOW_ACK_NO_NEWS,	/* as PENDING, and no payload came since the last reading */
	NATFLOW_ACK_PENDING,	/* no; the client may retransmit different bytes */
	NATFLOW_ACK_RECEIVED,
	NATFLOW_ACK_OVERDUE,	/* no, and the budget is spent */
};

bool natflow_reading_doubts(struct natflow_inspection *in, struct natflow_workspace *w);
enum natflow_reason natflow_reading_try(struct natflow_inspection *in,
					struct natflow_workspace *w, enum natflow_ack ack);

#endif /* _NATFLOW_NAMES_READING_H */
