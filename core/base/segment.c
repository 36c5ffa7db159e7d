// SPDX-License-Identifier: GPL-2.0-only
/* A TCP segment or UDP datagram of a tracked flow. */
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include "segment.h"

/* RFC 2385, RFC 5925, RFC 7323 */
#define OPTION_MD5 19
#define OPTION_AO 29

static void read_options(struct natflow_segment *s, const u8 *opt, int len)
{
	while (len > 0) {
		int n = 1;

		if (*opt == TCPOPT_EOL)
			return;
		if (*opt != TCPOPT_NOP) {
			n = len > 1 ? opt[1] : 0;
			if (n < 2 || n > len)
				return;
			if (*opt == OPTION_MD5 || *opt == OPTION_AO)
				s->is_signed = true;
			if (*opt == TCPOPT_TIMESTAMP && n == TCPOLEN_TIMESTAMP) {
				__be32 stamp[2];

				memcpy(stamp, opt + 2, sizeof(stamp));
				s->stamped = true;
				s->stamp = ntohl(stamp[0]);
				s->echo = ntohl(stamp[1]);
			}
		}
		opt += n;
		len -= n;
	}
}

/* @end: of the IP packet. */
static bool read_tcp(struct natflow_segment *s, u32 end)
{
	u8 buffer[60];
	const struct tcphdr *th = skb_header_pointer(s->skb, s->l4, sizeof(*th), buffer);
	unsigned int len;

	if (!th)
		return false;
	len = th->doff * 4;
	if (len < sizeof(*th) || s->l4 + len > end)
		return false;
	th = skb_header_pointer(s->skb, s->l4, len, buffer);
	if (!th)
		return false;
	s->seq = ntohl(th->seq);
	s->ack = ntohl(th->ack_seq);
	s->flags = tcp_flag_byte(th);
	s->urgent = ntohs(th->urg_ptr);
	s->is_signed = false;
	s->stamped = false;
	s->echo = 0;
	read_options(s, (const u8 *)(th + 1), len - sizeof(*th));
	s->data = s->l4 + len;
	s->len = end - s->data;
	return true;
}

static bool read_udp(struct natflow_segment *s, u32 end)
{
	struct udphdr buffer;
	const struct udphdr *uh = skb_header_pointer(s->skb, s->l4, sizeof(*uh), &buffer);

	if (!uh || s->l4 + sizeof(*uh) > end)
		return false;
	s->flags = 0;
	s->data = s->l4 + sizeof(*uh);
	s->len = end - s->data;
	/* The header of a super-packet does not have its length. */
	if (!skb_is_gso(s->skb)) {
		unsigned int len = ntohs(uh->len);

		if (len < sizeof(*uh) || len > end - s->l4)
			return false;
		s->len = len - sizeof(*uh);
	}
	return true;
}

/* Return: where the IP packet ends, 0 if it is none for us. */
static u32 read_ip(struct natflow_segment *s)
{
	struct sk_buff *skb = s->skb;
	bool whole;
	u32 len;

	if (s->family == NFPROTO_IPV4) {
		const struct iphdr *iph = ip_hdr(skb);

		s->proto = iph->protocol;
		s->ttl = iph->ttl;
		s->l4 = iph->ihl * 4;
		s->extended = iph->ihl > 5;
		whole = !ip_is_fragment(iph);
		len = ntohs(iph->tot_len);
	} else {
		const struct ipv6hdr *iph = ipv6_hdr(skb);
		__be16 fragment = 0;
		int l4;

		s->proto = iph->nexthdr;
		s->ttl = iph->hop_limit;
		l4 = ipv6_skip_exthdr(skb, sizeof(*iph), &s->proto, &fragment);
		s->l4 = l4;
		s->extended = l4 != sizeof(*iph);
		whole = l4 >= 0 && !(fragment & htons(IP6_OFFSET));
		len = sizeof(*iph) + ntohs(iph->payload_len);
	}
	/* The length of a super-packet may not fit into its header. */
	if (skb_is_gso(skb))
		len = skb->len;
	return whole ? min(len, skb->len) : 0;
}

static bool parse(struct natflow_segment *s)
{
	u32 end = read_ip(s);

	if (!end)
		return false;
	if (s->proto == IPPROTO_TCP)
		return read_tcp(s, end);
	return s->proto == IPPROTO_UDP && read_udp(s, end);
}

/**
 * natflow_segment_parse() - parse a packet that may have no conntrack
 * @s: the result; ->ct is NULL, and ->dir the original one
 * @skb: packet; skb->data is the IP header
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Return: false if it is not whole and TCP or UDP.
 */
bool natflow_segment_parse(struct natflow_segment *s, struct sk_buff *skb, u8 family)
{
	s->skb = skb;
	s->family = family;
	s->ct = NULL;
	s->dir = IP_CT_DIR_ORIGINAL;
	return parse(s);
}

/**
 * natflow_segment_read() - parse a packet in a netfilter hook
 * @s: the result
 * @skb: packet, defragmented by conntrack; skb->data is the IP header
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Return: false if it has no conntrack, or is not whole and TCP or UDP.
 */
bool natflow_segment_read(struct natflow_segment *s, struct sk_buff *skb, u8 family)
{
	enum ip_conntrack_info info;

	s->skb = skb;
	s->family = family;
	s->ct = nf_ct_get(skb, &info);
	if (!s->ct || nf_ct_is_template(s->ct) || info % IP_CT_IS_REPLY == IP_CT_RELATED)
		return false;
	s->dir = CTINFO2DIR(info);
	return parse(s) && s->proto == nf_ct_protonum(s->ct);
}

/**
 * natflow_segment_sound() - is its checksum right
 * @s: from natflow_segment_read()
 *
 * Conntrack looks at it only if nf_conntrack_checksum says so.
 */
bool natflow_segment_sound(const struct natflow_segment *s)
{
	const struct sk_buff *skb = s->skb;
	unsigned int len = s->data + s->len - s->l4;
	__wsum sum;

	if (skb->ip_summed == CHECKSUM_PARTIAL || skb_csum_unnecessary(skb))
		return true;
	if (s->proto == IPPROTO_UDP) {
		struct udphdr buffer;
		const struct udphdr *uh = skb_header_pointer(skb, s->l4, sizeof(*uh), &buffer);

		if (!uh->check)
			return s->family == NFPROTO_IPV4;
	}
	sum = skb_checksum(skb, s->l4, len, 0);
	if (s->family == NFPROTO_IPV4)
		return !csum_tcpudp_magic(ip_hdr(skb)->saddr, ip_hdr(skb)->daddr, len, s->proto,
					  sum);
	return !csum_ipv6_magic(&ipv6_hdr(skb)->saddr, &ipv6_hdr(skb)->daddr, len, s->proto, sum);
}

/**
 * natflow_segment_mac() - who sent it on its last link
 * @skb: packet
 *
 * Return: 6 bytes, or NULL if that link has no Ethernet addresses.
 */
const u8 *natflow_segment_mac(const struct sk_buff *skb)
{
	if (!skb->dev || skb->dev->type != ARPHRD_ETHER || !skb_mac_header_was_set(skb) ||
	    skb_mac_header_len(skb) < ETH_HLEN)
		return NULL;
	return eth_hdr(skb)->h_source;
}

/**
 * natflow_segment_set_end() - write the length of an IP packet whose payload changed
 * @s: its segment or datagram; the IP header is writable
 * @end: where the packet ends, counted from its IP header
 */
void natflow_segment_set_end(const struct natflow_segment *s, unsigned int end)
{
	if (s->family == NFPROTO_IPV4) {
		ip_hdr(s->skb)->tot_len = htons(end);
		ip_send_check(ip_hdr(s->skb));
	} else {
		ipv6_hdr(s->skb)->payload_len = htons(end - sizeof(struct ipv6hdr));
	}
}
