/* SPDX-License-Identifier: GPL-2.0-only */
/* Replies to DNS questions for blocked names. */
#ifndef _NATFLOW_LIB_NAMES_DNS_REPLY_H
#define _NATFLOW_LIB_NAMES_DNS_REPLY_H

#include "dns.h"

enum natflow_dns_answer {
	NATFLOW_DNS_NONE,	/* questions pass; they are only logged */
	NATFLOW_DNS_NXDOMAIN,
	NATFLOW_DNS_NODATA,
	NATFLOW_DNS_REFUSED,
	NATFLOW_DNS_SINKHOLE,	/* an address; for other types NODATA */
};

struct natflow_dns_policy {
	u8 answer;		/* enum natflow_dns_answer */
	bool no_https;		/* questions for HTTPS and SVCB get NODATA: no ECH, no hints */
	u8 sink4[4], sink6[16];	/* network order */
};

extern const char * const natflow_dns_answer_words[5];	/* by enum natflow_dns_answer */

#define NATFLOW_DNS_REPLY_MAX 320	/* header, question, one address, OPT */

unsigned int natflow_dns_reply(u8 *to, unsigned int room, const u8 *msg,
			       const struct natflow_dns *dns,
			       const struct natflow_dns_policy *policy,
			       enum natflow_dns_answer answer);

#endif /* _NATFLOW_LIB_NAMES_DNS_REPLY_H */
