/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet parser of the ingress hook: it makes a flow key from bytes.
 *
 * It reads only bytes that its caller made linear. It stores offsets, never
 * pointers. It refuses every packet that needs the stack.
 */
#ifndef _NATFLOW_LIB_PKT_H
#define _NATFLOW_LIB_PKT_H

#include "key.h"
#include "longhead.h"
#include "look.h"
#include "../include/uapi/linux/natflow_reason.h"

/* RFC 9293 3.1, low bits of byte 13: SYN, FIN, RST and ACK; a segment within a connection. */
#define NATFLOW_TCP_STATE	0x17
#define NATFLOW_TCP_ACK		0x10

struct natflow_pkt {
	union natflow_key key;
	u64 look;		/* TTL, TOS, flow label as they are on the wire */
	u32 len;		/* bytes the IP header claims, header included */
	u16 l4;			/* offset of the L4 header from the IP header */
	u16 payload;		/* offset of the L4 payload from the IP header */
	u8 proto;		/* IPPROTO_TCP or IPPROTO_UDP */
	u8 tcp_flags;		/* byte 13 of TCP, NATFLOW_TCP_ACK for UDP */
};

/* Bytes that must be linear before natflow_pkt_parse() looks: IP plus the fixed TCP header... */
static __always_inline u32 natflow_pkt_pull_len(const u8 family)
{
	return (family == NFPROTO_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) +
	       sizeof(struct tcphdr);
}

/* ...or all bytes of the packet, if these hold an IP header. */
static __always_inline bool natflow_pkt_linear(u32 linear, u32 len, const u8 family)
{
	return likely(linear >= natflow_pkt_pull_len(family)) ||
	       (linear == len && len >= (family == NFPROTO_IPV4 ? sizeof(struct iphdr) :
								   sizeof(struct ipv6hdr)));
}

static __always_inline enum natflow_reason
natflow_pkt_parse_ip4(const u8 *data, u32 linear, u32 len, struct natflow_pkt *pkt)
{
	const struct iphdr *iph = (const struct iphdr *)data;

	if (unlikely(!natflow_pkt_linear(linear, len, NFPROTO_IPV4)))
		return NATFLOW_TRUNCATED;
	if (unlikely(data[0] != 0x45))	/* version 4, five words */
		return data[0] > 0x45 && data[0] <= 0x4f ? NATFLOW_IP_OPTIONS : NATFLOW_IP_HEADER;
	if (unlikely(iph->frag_off & htons(IP_MF | IP_OFFSET)))
		return NATFLOW_FRAGMENT;
	pkt->len = ntohs(iph->tot_len);
	if (unlikely(pkt->len < sizeof(*iph) || pkt->len > len))
		return NATFLOW_IP_LENGTH;
	if (unlikely(ip_fast_csum(data, sizeof(*iph) / 4)))
		return NATFLOW_IP_CHECKSUM;
	pkt->l4 = sizeof(*iph);
	pkt->look = natflow_look_ip4(iph);
	memcpy(&pkt->key.word[0], &iph->addrs, sizeof(u64));
	pkt->proto = iph->protocol;
	return NATFLOW_OK;
}

static __always_inline enum natflow_reason
natflow_pkt_parse_ip6(const u8 *data, u32 linear, u32 len, struct natflow_pkt *pkt)
{
	const struct ipv6hdr *iph = (const struct ipv6hdr *)data;

	if (unlikely(!natflow_pkt_linear(linear, len, NFPROTO_IPV6)))
		return NATFLOW_TRUNCATED;
	if (unlikely(data[0] >> 4 != 6))
		return NATFLOW_IP_HEADER;
	pkt->len = sizeof(*iph) + ntohs(iph->payload_len);
	if (unlikely(!iph->payload_len || pkt->len > len))
		return NATFLOW_IP_LENGTH;
	pkt->l4 = sizeof(*iph);
	pkt->look = natflow_look_ip6(iph);
	memcpy(&pkt->key.word[0], &iph->saddr.s6_addr[0], sizeof(u64));
	memcpy(&pkt->key.word[1], &iph->saddr.s6_addr[8], sizeof(u64));
	memcpy(&pkt->key.word[2], &iph->daddr.s6_addr[0], sizeof(u64));
	memcpy(&pkt->key.word[3], &iph->daddr.s6_addr[8], sizeof(u64));
	pkt->proto = iph->nexthdr;
	return NATFLOW_OK;
}

/* IPv6 next headers that are extension headers (RFC 8200, RFC 4302, RFC 6275), not protocols. */
static __always_inline bool natflow_is_extension(u8 nexthdr)
{
	return nexthdr == 0 || nexthdr == 43 || nexthdr == 44 || nexthdr == 51 ||
	       nexthdr == 60 || nexthdr == 135;
}

/* Headers that fit in the packet are linear: natflow_pkt_parse() requires it. */
static __always_inline enum natflow_reason
natflow_pkt_parse_l4(const u8 *data, u32 way, struct natflow_pkt *pkt, const u8 family)
{
	u32 ports, room = pkt->len - pkt->l4;
	const u8 *l4 = data + pkt->l4;

	if (pkt->proto == IPPROTO_TCP) {
		u32 hlen;

		if (unlikely(room < sizeof(struct tcphdr)))
			return NATFLOW_TRUNCATED;
		hlen = (l4[12] >> 4) * 4;
		if (unlikely(hlen < sizeof(struct tcphdr) || hlen > room))
			return NATFLOW_L4_HEADER;
		pkt->payload = pkt->l4 + hlen;
		pkt->tcp_flags = l4[13];
		way |= NATFLOW_KEY_TCP;
	} else if (pkt->proto == IPPROTO_UDP) {
		u32 ulen;

		if (unlikely(room < sizeof(struct udphdr)))
			return NATFLOW_TRUNCATED;
		ulen = l4[4] << 8 | l4[5];
		if (unlikely(ulen < sizeof(struct udphdr) || ulen > room))
			return NATFLOW_L4_HEADER;
		if (unlikely(ulen >= sizeof(struct udphdr) + NATFLOW_QUIC_DATAGRAM_MIN) &&
		    unlikely(natflow_quic_is_long(l4 + sizeof(struct udphdr))))
			pkt->look |= NATFLOW_LOOK_QUIC;
		pkt->payload = pkt->l4 + sizeof(struct udphdr);
		pkt->tcp_flags = NATFLOW_TCP_ACK;
	} else if (family == NFPROTO_IPV6 && natflow_is_extension(pkt->proto)) {
		return NATFLOW_EXTENSION;
	} else {
		return NATFLOW_PROTOCOL;
	}
	/* One word at once: two halves could not be forwarded to the hash's load. */
	memcpy(&ports, l4, sizeof(ports));
	pkt->key.word[natflow_key_words(family) - 1] = natflow_key_tail_word(ports, way);
	return NATFLOW_OK;
}

/**
 * natflow_pkt_parse() - read one IP packet
 * @data: the IP header
 * @linear: bytes readable at @data; refused unless natflow_pkt_linear()
 * @len: bytes of the whole packet from the IP header on, padding included
 * @way: natflow_way.id of the ingress path, for the key
 * @pkt: filled in; only meaningful when NATFLOW_OK is returned
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6, a compile-time constant
 *
 * Context: any; touches nothing but its arguments.
 * Return: NATFLOW_OK, or why the stack must take the packet.
 */
static __always_inline enum natflow_reason
natflow_pkt_parse(const u8 *data, u32 linear, u32 len, u32 way,
		  struct natflow_pkt *pkt, const u8 family)
{
	enum natflow_reason reason;

	reason = family == NFPROTO_IPV4 ? natflow_pkt_parse_ip4(data, linear, len, pkt) :
					  natflow_pkt_parse_ip6(data, linear, len, pkt);
	if (unlikely(reason))
		return reason;
	reason = natflow_pkt_parse_l4(data, way, pkt, family);
	if (unlikely(reason))
		return reason;
	if (unlikely(natflow_look_ttl(pkt->look) <= 1))
		return NATFLOW_TTL;
	return NATFLOW_OK;
}

#endif /* _NATFLOW_LIB_PKT_H */
