/* SPDX-License-Identifier: GPL-2.0-only */
/* Host names as parsers find them in packets, brought into one form. */
#ifndef _NATFLOW_LIB_NAMES_HOSTNAME_H
#define _NATFLOW_LIB_NAMES_HOSTNAME_H

#include "../host.h"

#define NATFLOW_HOSTNAME_MAX 253	/* characters, RFC 1035 section 2.3.4 in text form */

/* What a parser of untrusted bytes says. */
enum natflow_parsed {
	NATFLOW_PARSED,			/* all there */
	NATFLOW_PARSE_MORE,		/* right so far, but cut off: try again with more bytes */
	NATFLOW_PARSE_OTHER,		/* not this protocol */
	NATFLOW_PARSE_MALFORMED,	/* this protocol, and wrong */
	NATFLOW_PARSE_UNTRUSTED,	/* not from whom it says it is */
	NATFLOW_PARSE_ROOM,		/* try again with more memory */
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
