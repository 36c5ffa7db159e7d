/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DNS messages, as in UDP datagrams and in TCP streams: the question, the
 * answers, the response code. All offsets count from the start of the message.
 */
#ifndef _NATFLOW_LIB_NAMES_DNS_H
#define _NATFLOW_LIB_NAMES_DNS_H

#include "hostname.h"

#define NATFLOW_DNS_QUESTIONS_MAX 4	/* in one message; RFC 9619 allows one */

/* Offset of the question's name, which is also the owner of most answers. */
#define NATFLOW_DNS_QUESTION 12

/*
 * Work limit of one cursor. Each byte of a name that is read costs one, and so
 * does each pointer. Two skipped bytes of owner and fixed part cost one. Honest
 * answers stay below the limit: 1232 bytes of UDP hold at most 70 addresses if
 * their name has 80 characters.
 */
#define NATFLOW_DNS_BUDGET 8192

enum natflow_dns_type {
	NATFLOW_DNS_A = 1,
	NATFLOW_DNS_CNAME = 5,
	NATFLOW_DNS_AAAA = 28,
	NATFLOW_DNS_SVCB = 64,
	NATFLOW_DNS_HTTPS = 65,
};

/* RFC 9460 section 14.3.2 */
enum natflow_dns_key {
	NATFLOW_DNS_MANDATORY,
	NATFLOW_DNS_ALPN,
	NATFLOW_DNS_NO_DEFAULT_ALPN,
	NATFLOW_DNS_PORT,
	NATFLOW_DNS_IPV4HINT,
	NATFLOW_DNS_ECH,
	NATFLOW_DNS_IPV6HINT,
};

/* Host byte order. */
struct natflow_dns {
	u16 id;
	bool response;
	bool truncated;			/* the TC bit */
	bool edns;			/* has an OPT record */
	u8 opcode;
	u16 rcode;			/* with the upper bits of OPT */
	u16 questions, answers, authorities, additionals;
	u16 type, class;		/* of the first question */
	unsigned int question_end;	/* offset right behind the first question */
	struct natflow_hostname question;
};

/* A walk over the answers; valid as long as the message's buffer is. Zeroed before first use. */
struct natflow_dns_cursor {
	const u8 *msg;
	unsigned int len, at, left;
	unsigned int spent;		/* of NATFLOW_DNS_BUDGET */
};

/* Host byte order, except addresses. Names are offsets for natflow_dns_name_read(). */
struct natflow_dns_record {
	u16 type, class;
	u32 ttl;			/* seconds */
	unsigned int owner;		/* equal offsets: equal names; not vice versa */
	unsigned int target;		/* of CNAME, SVCB, HTTPS */
	unsigned int data, end;		/* offsets: RDATA; of SVCB, HTTPS its SvcParams */
	u16 priority;			/* of SVCB, HTTPS; 0: an alias */
	u8 addr[16];			/* of A (4 bytes), AAAA (16) */
};

struct natflow_dns_param {
	u16 key;			/* enum natflow_dns_key, or any other */
	unsigned int at, len;		/* the value */
};

/* A message in a stream; offsets from the start of the stream. Zeroed before first use. */
struct natflow_dns_frame {
	unsigned int at, len;
};

enum natflow_parsed natflow_dns_parse(const u8 *msg, unsigned int len, struct natflow_dns *dns);
void natflow_dns_begin(struct natflow_dns_cursor *c, const struct natflow_dns *dns, const u8 *msg,
		       unsigned int len);
bool natflow_dns_next(struct natflow_dns_cursor *c, struct natflow_dns_record *r);
bool natflow_dns_question_next(struct natflow_dns_cursor *c, struct natflow_hostname *host);
unsigned int natflow_dns_name_at(struct natflow_dns_cursor *c, unsigned int at);
bool natflow_dns_name_read(struct natflow_dns_cursor *c, unsigned int at,
			   struct natflow_hostname *host);
bool natflow_dns_param_next(const struct natflow_dns_cursor *c, struct natflow_dns_record *r,
			    struct natflow_dns_param *p);
enum natflow_parsed natflow_dns_frame_next(const u8 *stream, unsigned int len,
					   struct natflow_dns_frame *f);

#endif /* _NATFLOW_LIB_NAMES_DNS_H */
