/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Records of /dev/natflow_urllogger_queue. A read returns as many whole records as
 * fit into the buffer. Byte order is the machine's unless a comment says otherwise.
 * A read returns 0 if there is no record; poll() waits for one.
 *
 * An open file starts with records of version 2, the format of the original natflow.
 * After a write of "records=3\n" it returns records of version 3. Every open file
 * has its own position in the log.
 */
#ifndef _UAPI_LINUX_NATFLOW_URLLOGGER_H
#define _UAPI_LINUX_NATFLOW_URLLOGGER_H

#include <linux/types.h>

enum natflow_url_source {
	NATFLOW_URL_HTTP = 1,
	NATFLOW_URL_TLS = 2,
	NATFLOW_URL_QUIC = 3,
	NATFLOW_URL_DNS = 4,		/* DNS question; this and later sources: version 3 only */
	NATFLOW_URL_ANSWER = 5,		/* DNS answer */
	NATFLOW_URL_HINT = 6,		/* no name was sent; DNS gave this name's address */
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

/* Version 2: host and URI follow, without a separator and without a NUL. */
struct natflow_url_v2 {
	__u16 version;		/* 2 */
	__u16 header_len;	/* 62 */
	__u16 record_len;	/* header, host and URI */
	__u16 family;		/* AF_INET or AF_INET6 */
	__u32 timestamp;	/* seconds since boot */
	__u16 sport, dport;
	__u8 sip[16], dip[16];	/* network byte order; IPv4 in the first four */
	__u8 mac[6];		/* the client's; 0: unknown */
	__u16 hits;		/* events within the merge window */
	__u16 host_len;
	__u8 method;		/* enum natflow_url_method */
	__u8 source;		/* enum natflow_url_source */
	__u8 acl_idx;		/* rule, or NATFLOW_URL_NO_RULE */
	__u8 acl_action;	/* enum natflow_url_action */
} __attribute__((packed));

/*
 * Version 3: a header, then attributes up to record_len. An unknown value has no
 * attribute. Readers skip attributes that they do not know.
 *
 * A reader can account for every event that was produced while its file was open:
 * produced = sum of hits + limited + dropped.
 */
struct natflow_url_v3 {
	__u16 version;		/* 3 */
	__u16 header_len;	/* offset of the attributes; may grow */
	__u32 record_len;	/* a multiple of 8 */
	__u64 sequence;		/* record number, from 1; gaps: records that this file lost */
	__u64 time;		/* ns since 1970, of the record's first event */
	__u64 hits;		/* events merged into it, 1 or more */
	__u64 dropped;		/* events lost before this record: the reader was too slow */
	__u64 limited;		/* events that were not stored because memory was short */
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
	NATFLOW_URL_DIFFERS = 2,	/* the client sent more than one name */
	NATFLOW_URL_ODD = 4,		/* the name has other characters than a-z, 0-9, "-", "." */
	NATFLOW_URL_CUT = 8,		/* the URI is truncated */
	NATFLOW_URL_MALFORMED = 16,	/* TLS: malformed behind the name; servers may refuse it */
};

/* An attribute is padded to a multiple of 8. */
struct natflow_url_attr {
	__u16 len;		/* of the value, without this header and padding */
	__u16 type;		/* enum natflow_url_attr_type */
};

enum natflow_url_attr_type {
	NATFLOW_URL_A_MAC = 1,		/* 6 bytes, the client's */
	NATFLOW_URL_A_TUPLE,		/* struct natflow_url_tuple, before NAT */
	NATFLOW_URL_A_NAT,		/* struct natflow_url_tuple, as the server sees it */
	NATFLOW_URL_A_HOST,		/* text without a NUL; so are the following types */
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
