/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A packet's look: the IP header fields that may differ between packets of one
 * flow and that rules or routes may match. They are packed in one word, so that
 * one comparison covers all.
 */
#ifndef _NATFLOW_LIB_LOOK_H
#define _NATFLOW_LIB_LOOK_H

#include "host.h"

#define NATFLOW_LOOK_TTL	0xffULL			/* or hop limit */
#define NATFLOW_LOOK_LABEL	(0xfffffULL << 8)	/* IPv6 flow label */
#define NATFLOW_LOOK_ECN	(0x3ULL << 28)
#define NATFLOW_LOOK_DSCP	(0x3fULL << 30)		/* behind it: IPv6's version */
#define NATFLOW_LOOK_TOS	(NATFLOW_LOOK_ECN | NATFLOW_LOOK_DSCP)
#define NATFLOW_LOOK_FLAGS	(0xffULL << 56)		/* no header field: set by others */
#define NATFLOW_LOOK_QUIC	BIT_ULL(63)		/* may hold QUIC's natflow_quic_is_long() */

static __always_inline u64 natflow_look_ip4(const struct iphdr *iph)
{
	return (u64)iph->tos << 28 | iph->ttl;
}

static __always_inline u64 natflow_look_ip6(const struct ipv6hdr *iph)
{
	__be32 first;

	memcpy(&first, iph, sizeof(first));
	return (u64)ntohl(first) << 8 | iph->hop_limit;
}

/* True if two looks differ at most in the ECN codepoint, which may change within a flow. */
static __always_inline bool natflow_look_alike(u64 a, u64 b)
{
	return !((a ^ b) & ~(NATFLOW_LOOK_FLAGS | NATFLOW_LOOK_ECN));
}

static __always_inline u8 natflow_look_ttl(u64 look)
{
	return look;
}

static __always_inline u8 natflow_look_ecn(u64 look)
{
	return look >> 28 & 3;
}

static __always_inline u8 natflow_look_tos(u64 look)
{
	return look >> 28;
}

static __always_inline u8 natflow_look_dscp(u64 look)
{
	return look >> 30 & 0x3f;
}

#endif /* _NATFLOW_LIB_LOOK_H */
