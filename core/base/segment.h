/* SPDX-License-Identifier: GPL-2.0-only */
/* A TCP segment or UDP datagram of a tracked flow, as netfilter's hooks see it. */
#ifndef _NATFLOW_CORE_BASE_SEGMENT_H
#define _NATFLOW_CORE_BASE_SEGMENT_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <net/dst.h>
#include "ct.h"

/* Offsets count from skb->data, which is the IP header. Host byte order. */
struct natflow_segment {
	struct sk_buff *skb;
	struct nf_conn *ct;
	u8 dir;			/* IP_CT_DIR_* */
	u8 family;		/* NFPROTO_* */
	u8 proto;		/* IPPROTO_TCP or IPPROTO_UDP */
	u8 ttl;
	bool extended;		/* IPv4 options or IPv6 extension headers are in front */
	u32 l4;
	u32 data, len;		/* the payload */
	/* TCP only: */
	u32 seq, ack;
	u8 flags;		/* as on the wire: 1 FIN, 2 SYN, 4 RST, 8 PSH, 16 ACK, 32 URG */
	u16 urgent;		/* urgent pointer, of use with URG */
	bool is_signed;		/* has an MD5 or AO option */
	bool stamped;
	u32 stamp, echo;	/* TSval, TSecr */
};

#define NATFLOW_TCP_FIN 0x01
#define NATFLOW_TCP_SYN 0x02
#define NATFLOW_TCP_RST 0x04
#define NATFLOW_TCP_PSH 0x08
#define NATFLOW_TCP_ACK 0x10
#define NATFLOW_TCP_URG 0x20

bool natflow_segment_parse(struct natflow_segment *s, struct sk_buff *skb, u8 family);
bool natflow_segment_read(struct natflow_segment *s, struct sk_buff *skb, u8 family);
bool natflow_segment_sound(const struct natflow_segment *s);
void natflow_segment_set_end(const struct natflow_segment *s, unsigned int end);
const u8 *natflow_segment_mac(const struct sk_buff *skb);

/*
 * How many packets of the wire a super-packet stands for: @len bytes, of which @headers
 * are in front of the payload. An untrusted sender does not say it (SKB_GSO_DODGY).
 */
static __always_inline u32 natflow_segment_count(const struct sk_buff *skb, u32 len, u32 headers)
{
	const struct skb_shared_info *info = skb_shinfo(skb);
	u32 n = info->gso_segs;

	if (!n && len > headers)
		n = DIV_ROUND_UP(len - headers, info->gso_size);
	return max(n, 1U);
}

/* Is it bridged, and shown to IP's hooks by bridge netfilter only? */
static inline bool natflow_segment_bridged(const struct sk_buff *skb)
{
	return skb_dst(skb) && skb_dst(skb)->flags & DST_FAKE_RTABLE;
}

/* The address of the sender, or of the receiver: 4 or 16 bytes. @family: NFPROTO_* */
static inline const void *natflow_segment_address(const struct sk_buff *skb, u8 family,
						  bool source)
{
	if (family == NFPROTO_IPV4)
		return source ? &ip_hdr(skb)->saddr : &ip_hdr(skb)->daddr;
	return source ? &ipv6_hdr(skb)->saddr : &ipv6_hdr(skb)->daddr;
}

#endif /* _NATFLOW_CORE_BASE_SEGMENT_H */
