/* SPDX-License-Identifier: GPL-2.0-only */
/* Host names from packets, normalised. */
#ifndef _NATFLOW_LIB_NAMES_HOSTNAME_H
#define _NATFLOW_LIB_NAMES_HOSTNAME_H

#include "../host.h"

#define NATFLOW_HOSTNAME_MAX 253	/* characters, RFC 1035 section 2.3.4 in text form */

/* Result of a parser of untrusted bytes. */
enum natflow_parsed {
	NATFLOW_PARSED,			/* complete */
	NATFLOW_PARSE_MORE,		/* correct but cut off: call again with more bytes */
	NATFLOW_PARSE_OTHER,		/* not this protocol */
	NATFLOW_PARSE_MALFORMED,	/* this protocol, but malformed */
	NATFLOW_PARSE_UNTRUSTED,	/* sender not authentic */
	NATFLOW_PARSE_ROOM,		/* call again with more memory */
};

/* Lower case, no final dot, NUL-terminated; empty: none. */
struct natflow_hostname {
	u8 len;
	bool odd;			/* has characters other than letters, digits, "-", "." */
	char text[NATFLOW_HOSTNAME_MAX + 1];
};

bool natflow_hostname_set(struct natflow_hostname *host, const u8 *text, unsigned int len);
bool natflow_hostname_pattern(struct natflow_hostname *host, const char *text, unsigned int len);
const char *natflow_hostname_domain(const struct natflow_hostname *host);

#endif /* _NATFLOW_LIB_NAMES_HOSTNAME_H */
