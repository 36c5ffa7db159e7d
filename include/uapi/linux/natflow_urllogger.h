/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What /dev/natflow_urllogger_queue gives: whole records, as many as fit into
 * the buffer, in the machine's byte order unless said otherwise. A read returns
 * 0 when there is none, poll() waits for one.
 *
 * A file begins with records of version 2, which the original natflow had. After
 * "records=3\n" is written to it, it gives records of version 3. Every open file
 * has its own place in the log.
 */
#ifndef _UAPI_LINUX_NATFLOW_URLLOGGER_H
#define _UAPI_LINUX_NATFLOW_URLLOGGER_H

#include <linux/types.h>

enum natflow_url_source {
	NATFLOW_URL_HTTP = 1,
	NATFLOW_URL_TLS = 2,
	NATFLOW_URL_QUIC = 3,
	NATFLOW_URL_DNS = 4,		/* a question; from here on not in version 2 */
	NATFLOW_URL_ANSWER = 5,		/* of the DNS */
	NATFLOW_URL_HINT = 6,		/* no name was said; the address was this one's */
};

enum natflow_url_method {
	NATFLOW_URL_NONE,
	NATFLOW_URL_GET,
	NATFLOW_URL_POST,
	NATFLOW_URL_HEAD,
	NATFLOW_URL_OTHER,		/* NATFLOW_URL_NONE in version 2 */
};

enum natflow_url_action {
	NATFLOW_URL_RECORD,		/* let through */
	NATFLOW_URL_DROP,
	NATFLOW_URL_RESET,
	NATFLOW_URL_REDIRECT,
};

#define NATFLOW_URL_NO_RULE 64		/* acl_idx: no rule matched */

/* Version 2: followed by host and URI, together, without a NUL. */
struct natflow_url_v2 {
	__u16 version;		/* 2 */
	__u16 header_len;	/* 62 */
	__u16 record_len;	/* header, host and URI */
	__u16 family;		/* AF_INET or AF_INET6 */
	__u32 timestamp;	/* seconds since boot */
	__u16 sport, dport;
	__u8 sip[16], dip[16];	/* network byte order; IPv4 in the first four */
	__u8 mac[6];		/* the client's, 0 if it has none */
	__u16 hits;		/* how often within the merge window */
	__u16 host_len;
	__u8 method;		/* enum natflow_url_method */
	__u8 source;		/* enum natflow_url_source */
	__u8 acl_idx;		/* rule, or NATFLOW_URL_NO_RULE */
	__u8 acl_action;	/* enum natflow_url_action */
} __attribute__((packed));

/*
 * Version 3: a header, then attributes up to record_len. What is not known is
 * left out; readers skip attributes they do not know.
 *
 * Of what was produced while a file was open, it either got it, or can tell what
 * became of it: produced = sum of hits + limited + dropped.
 */
struct natflow_url_v3 {
	__u16 version;		/* 3 */
	__u16 header_len;	/* attributes begin there; may grow */
	__u32 record_len;	/* a multiple of 8 */
	__u64 sequence;		/* of the record, from 1; gaps are records this file lost */
	__u64 time;		/* ns since 1970, of the first event in it */
	__u64 hits;		/* events merged into it, 1 or more */
	__u64 dropped;		/* events this file lost in front of it: its reader was slow */
	__u64 limited;		/* events that were never stored, for want of memory */
	__u8 family;		/* AF_INET or AF_INET6 */
	__u8 protocol;		/* IPPROTO_TCP or IPPROTO_UDP */
	__u8 source;		/* enum natflow_url_source */
	__u8 method;		/* enum natflow_url_method */
	__u8 action;		/* enum natflow_url_action */
	__u8 rule;		/* or NATFLOW_URL_NO_RULE */
	__u16 flags;		/* enum natflow_url_flag */
};

enum natflow_url_flag {
	NATFLOW_URL_ECH = 1,		/* TLS: has an encrypted_client_hello, real or not */
	NATFLOW_URL_DIFFERS = 2,	/* said more than once, differently */
	NATFLOW_URL_ODD = 4,		/* not only letters, digits, "-" and "." in the name */
	NATFLOW_URL_CUT = 8,		/* the URI is longer than what is kept */
	NATFLOW_URL_MALFORMED = 16,	/* TLS: wrong behind the name, which may not count */
};

/* Padded to a multiple of 8; the next attribute begins there. */
struct natflow_url_attr {
	__u16 len;		/* of the value, without this header and padding */
	__u16 type;		/* enum natflow_url_attr_type */
};

enum natflow_url_attr_type {
	NATFLOW_URL_A_MAC = 1,		/* 6 bytes, the client's */
	NATFLOW_URL_A_TUPLE,		/* struct natflow_url_tuple, before NAT */
	NATFLOW_URL_A_NAT,		/* struct natflow_url_tuple, as the server sees it */
	NATFLOW_URL_A_HOST,		/* text without a NUL, as are the next ones */
	NATFLOW_URL_A_URI,
	NATFLOW_URL_A_ALPN,
	NATFLOW_URL_A_LIST,		/* name of the list that decided */
	NATFLOW_URL_A_ANSWER,		/* "rcode=0 ttl=60 cname=a.example addr=192.0.2.1 ..." */
};

struct natflow_url_tuple {
	__u8 src[16], dst[16];		/* network byte order; IPv4 in the first four */
	__u16 sport, dport;
};

#endif /* _UAPI_LINUX_NATFLOW_URLLOGGER_H */
