/* SPDX-License-Identifier: GPL-2.0-only */
/* QUIC's long headers (RFC 8999), as a packet path can tell them. */
#ifndef _NATFLOW_LIB_LONGHEAD_H
#define _NATFLOW_LIB_LONGHEAD_H

#include "host.h"

/* RFC 9000 section 14.1: servers drop Initial packets in smaller datagrams. */
#define NATFLOW_QUIC_DATAGRAM_MIN 1200

#define NATFLOW_QUIC_HEAD 5		/* bytes for natflow_quic_is_long() */
#define NATFLOW_QUIC_LONG 0x80		/* in the first byte */

#define NATFLOW_QUIC_V1 1U
#define NATFLOW_QUIC_V2 0x6b3343cfU
#define NATFLOW_QUIC_DRAFT 0xff00001dU	/* the last draft, used by captures and old clients */

static __always_inline u32 natflow_quic_version(const u8 *head)
{
	return (u32)head[1] << 24 | (u32)head[2] << 16 | (u32)head[3] << 8 | head[4];
}

/*
 * Is this the long header of a version whose Initial packets can be read? @head:
 * NATFLOW_QUIC_HEAD bytes. Questions of DNS do not look like that: they would ask
 * more than 200 questions at once.
 */
static __always_inline bool natflow_quic_is_long(const u8 *head)
{
	u32 version;

	if (!(head[0] & NATFLOW_QUIC_LONG))
		return false;
	version = natflow_quic_version(head);
	return version == NATFLOW_QUIC_V1 || version == NATFLOW_QUIC_V2 ||
	       version == NATFLOW_QUIC_DRAFT;
}

/* Is this such a header of a Retry (RFC 9000 section 17.2.5, RFC 9369 section 3.2)? */
static inline bool natflow_quic_is_retry(const u8 *head)
{
	return natflow_quic_is_long(head) &&
	       (head[0] >> 4 & 3) == (natflow_quic_version(head) == NATFLOW_QUIC_V2 ? 0 : 3);
}

#endif /* _NATFLOW_LIB_LONGHEAD_H */
