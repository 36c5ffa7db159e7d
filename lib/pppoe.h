/* SPDX-License-Identifier: GPL-2.0-only */
/* The 8 bytes of PPPoE (RFC 2516) and PPP (RFC 1661) before an IP packet. */
#ifndef _NATFLOW_LIB_PPPOE_H
#define _NATFLOW_LIB_PPPOE_H

#include "host.h"

#define NATFLOW_PPPOE_LEN	8	/* version, type, code, session, length; protocol */
#define NATFLOW_PPPOE_HEAD	6	/* bytes that PPPoE's length does not count */
#define NATFLOW_PPPOE_PROTOCOL	2	/* bytes of PPP's protocol */

static __always_inline u32 natflow_pppoe_word(const u8 *at)
{
	return at[0] << 8 | at[1];
}

static __always_inline u16 natflow_pppoe_session(const u8 *data)
{
	return natflow_pppoe_word(data + 2);
}

static __always_inline u16 natflow_pppoe_length(const u8 *data)
{
	return natflow_pppoe_word(data + 4);
}

static __always_inline u16 natflow_pppoe_protocol(const u8 *data)
{
	return natflow_pppoe_word(data + NATFLOW_PPPOE_HEAD);
}

/* Do packets of @protocol show that PPP compresses, or is about to (RFC 1962)? */
static inline bool natflow_pppoe_compresses(u16 protocol)
{
	return protocol == 0xfd || protocol == 0xfb || protocol == 0x80fd || protocol == 0x80fb;
}

/* NFPROTO_IPV4, NFPROTO_IPV6, or 0: PPP itself must see the packet. */
static __always_inline u8 natflow_pppoe_family(const u8 *data)
{
	const u16 protocol = natflow_pppoe_protocol(data);

	if (protocol == 0x21)
		return NFPROTO_IPV4;
	return protocol == 0x57 ? NFPROTO_IPV6 : 0;
}

/* What the IP header behind claims, the header included. */
static inline u32 natflow_pppoe_ip_length(const u8 *data, u8 family)
{
	const u8 *ip = data + NATFLOW_PPPOE_LEN;

	return family == NFPROTO_IPV4 ? natflow_pppoe_word(ip + 2) :
					natflow_pppoe_word(ip + 4) + sizeof(struct ipv6hdr);
}

/**
 * natflow_pppoe_room() - bytes behind PPP's protocol
 * @data: the PPPoE header
 * @linear: bytes readable at @data, at least NATFLOW_PPPOE_LEN
 * @len: bytes of the frame from @data on, with the padding of short frames
 * @family: what natflow_pppoe_family() says of @data
 *
 * Context: any; touches nothing but its arguments.
 * Return: bytes, which PPP counts; 0 if it is no session packet, or if the IP packet
 * is cut off by PPPoE's length.
 */
static __always_inline u32
natflow_pppoe_room(const u8 *data, u32 linear, u32 len, const u8 family)
{
	const u32 length = natflow_pppoe_length(data);

	if (unlikely(data[0] != 0x11 || data[1] || length <= NATFLOW_PPPOE_PROTOCOL ||
		     length > len - NATFLOW_PPPOE_HEAD))
		return 0;
	/* Padding could pass for the end of the IP packet. */
	if (unlikely(length < len - NATFLOW_PPPOE_HEAD) &&
	    (linear < NATFLOW_PPPOE_LEN + sizeof(struct iphdr) ||
	     natflow_pppoe_ip_length(data, family) > length - NATFLOW_PPPOE_PROTOCOL))
		return 0;
	return length - NATFLOW_PPPOE_PROTOCOL;
}

#endif /* _NATFLOW_LIB_PPPOE_H */
