// SPDX-License-Identifier: GPL-2.0-only
/* Super-packets: several UDP datagrams of equal length in one skb (UDP GRO, UDP_SEGMENT). */
#include <linux/bitmap.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/udp.h>
#include "datagrams.h"

/* Payload of each datagram but the last, which may be shorter. */
static unsigned int size_of(const struct natflow_segment *s)
{
	const struct skb_shared_info *shared = skb_shinfo(s->skb);

	/* With SKB_GSO_UDP it is one datagram, which will be fragmented. */
	return shared->gso_type & SKB_GSO_UDP_L4 && shared->gso_size ? shared->gso_size : s->len;
}

/**
 * natflow_datagrams_count() - how many datagrams a packet holds
 * @s: UDP packet
 */
unsigned int natflow_datagrams_count(const struct natflow_segment *s)
{
	return s->len ? DIV_ROUND_UP(s->len, size_of(s)) : 1;
}

/**
 * natflow_datagrams_get() - one datagram of a packet
 * @s: UDP packet
 * @i: below natflow_datagrams_count()
 */
struct natflow_segment natflow_datagrams_get(const struct natflow_segment *s, unsigned int i)
{
	unsigned int size = size_of(s);
	struct natflow_segment one = *s;

	one.data += i * size;
	one.len = min(size, s->len - i * size);
	return one;
}

/* Move the payload of the datagrams that stay together. Return: its length. */
static unsigned int pack(struct natflow_segment *s, const unsigned long *keep, unsigned int n)
{
	u8 *data = s->skb->data;
	unsigned int len = 0, i;

	for_each_set_bit(i, keep, n) {
		struct natflow_segment one = natflow_datagrams_get(s, i);

		memmove(data + s->data + len, data + one.data, one.len);
		len += one.len;
	}
	return len;
}

/* Write lengths, and a checksum that the device completes for each datagram. */
static void set_headers(const struct natflow_segment *s, unsigned int len)
{
	struct sk_buff *skb = s->skb;
	unsigned int l4 = sizeof(struct udphdr) + len;
	struct udphdr *uh;

	skb_set_transport_header(skb, s->l4);
	uh = udp_hdr(skb);
	uh->len = htons(l4);
	natflow_segment_set_end(s, s->l4 + l4);
	if (s->family == NFPROTO_IPV4)
		uh->check = ~udp_v4_check(l4, ip_hdr(skb)->saddr, ip_hdr(skb)->daddr, 0);
	else
		uh->check = ~udp_v6_check(l4, &ipv6_hdr(skb)->saddr, &ipv6_hdr(skb)->daddr, 0);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct udphdr, check);
}

/**
 * natflow_datagrams_keep() - take datagrams out of a super-packet
 * @s: super-packet of at most NATFLOW_DATAGRAMS_MAX datagrams
 * @keep: a bit for each datagram that stays
 *
 * A list of skbs (SKB_GSO_FRAGLIST) becomes linear, as in __udp_gso_segment().
 *
 * Return: false if nothing stays, or if there is no memory: drop the packet.
 */
bool natflow_datagrams_keep(struct natflow_segment *s, const unsigned long *keep)
{
	unsigned int n = natflow_datagrams_count(s), kept = bitmap_weight(keep, n);
	struct sk_buff *skb = s->skb;
	unsigned int end = s->data + s->len, len;

	if (!kept || pskb_trim(skb, end) || skb_ensure_writable(skb, end))
		return false;
	len = pack(s, keep, n);
	if (pskb_trim(skb, s->data + len))
		return false;
	if (kept == 1) {
		skb_gso_reset(skb);
	} else {
		skb_shinfo(skb)->gso_type &= ~SKB_GSO_FRAGLIST;
		skb_shinfo(skb)->gso_segs = kept;
	}
	set_headers(s, len);
	s->len = len;
	return true;
}
