/* SPDX-License-Identifier: GPL-2.0-only */
/* The head of an HTTP/1.0 or 1.1 request, as the client sends it. */
#ifndef _NATFLOW_LIB_NAMES_HTTP_H
#define _NATFLOW_LIB_NAMES_HTTP_H

#include "hostname.h"

#define NATFLOW_HTTP_MAX 16384	/* bytes of a head; near the limits of servers */

enum natflow_http_flag {
	NATFLOW_HTTP_NAMED = 1,		/* a name was given, maybe an empty one */
	NATFLOW_HTTP_DIFFERS = 2,	/* a second, different name was given */
	NATFLOW_HTTP_H2C = 4,		/* asks for an upgrade to h2c */
	NATFLOW_HTTP_V10 = 8,		/* HTTP/1.0: the connection closes by default */
	NATFLOW_HTTP_CUT = 16,		/* HTTP/2: method or path were truncated */
};

/* What follows the head: */
enum natflow_http_body {
	NATFLOW_HTTP_NO_BODY,		/* the next request */
	NATFLOW_HTTP_LENGTH,		/* @body_len bytes, then the next request */
	NATFLOW_HTTP_CHUNKED,		/* natflow_http_chunk_parse() finds the end */
	NATFLOW_HTTP_UNKNOWN,		/* a tunnel, or headers that contradict each other */
};

/* A part of the caller's bytes. */
struct natflow_span {
	u16 at, len;
};

struct natflow_http {
	struct natflow_hostname host;	/* of the target, else of the first Host */
	u16 port;			/* host order; 0: none given */
	u16 flags;			/* enum natflow_http_flag */
	u16 header_len;			/* to the first byte of the body */
	enum natflow_http_body body;
	u64 body_len;
	struct natflow_span method;
	struct natflow_span target;
	struct natflow_span user_agent;	/* the first; empty: none */
};

enum natflow_parsed natflow_http_parse(const u8 *data, unsigned int len,
				       struct natflow_http *http);
enum natflow_parsed natflow_http_chunk_parse(const u8 *data, unsigned int len, u64 *skip,
					     bool *last);
bool natflow_authority_set(struct natflow_hostname *host, u16 *port, const u8 *text,
			   unsigned int len);
bool natflow_authority_match(const struct natflow_hostname *host, const u8 *text,
			     unsigned int len);

#endif /* _NATFLOW_LIB_NAMES_HTTP_H */
