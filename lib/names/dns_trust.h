/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose DNS answers are believed, and about which addresses. */
#ifndef _NATFLOW_LIB_NAMES_DNS_TRUST_H
#define _NATFLOW_LIB_NAMES_DNS_TRUST_H

#include "../host.h"

#define NATFLOW_DNS_RESOLVERS_MAX 6	/* so many of any length fit in a line */

/* The gateway's own resolver is always believed. */
struct natflow_dns_trust {
	bool any;		/* every server is believed */
	bool private;		/* private addresses are believed */
	u8 count;
	struct natflow_dns_resolver {
		u8 family;	/* NFPROTO_* */
		u8 addr[16];	/* network order, zero-padded */
	} resolver[NATFLOW_DNS_RESOLVERS_MAX];
};

bool natflow_dns_trust_server(const struct natflow_dns_trust *trust, u8 family, const u8 *addr);
bool natflow_dns_trust_address(const struct natflow_dns_trust *trust, u8 family, const u8 *addr);

#endif /* _NATFLOW_LIB_NAMES_DNS_TRUST_H */
