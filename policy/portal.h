/* SPDX-License-Identifier: GPL-2.0-only */
/* What a user who is refused the line may still do, and what its packets are answered with. */
#ifndef _NATFLOW_POLICY_PORTAL_H
#define _NATFLOW_POLICY_PORTAL_H

#include "../core/base/segment.h"
#include "access.h"

/* A packet from or to such a user. */
struct natflow_portal_packet {
	struct natflow_segment s;	/* as far as it is TCP or UDP */
	bool parsed;			/* it is, and whole */
	bool sent;			/* by the user */
	bool inside;			/* the other end is a user who is not refused */
	u8 status;			/* of the user, enum natflow_access_status */
	u16 rule;			/* by which it has this status */
	const struct natflow_user_key *user;
	const u8 *mac;
};

void natflow_portal_read(struct natflow_portal_packet *p, struct sk_buff *skb, u8 family);
bool natflow_portal_passes(const struct natflow_access *access,
			   const struct natflow_portal_packet *p);
unsigned int natflow_portal_refuse(struct natflow_access *access,
				   struct natflow_portal_packet *p);

#endif /* _NATFLOW_POLICY_PORTAL_H */
