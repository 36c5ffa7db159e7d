// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many packets on the wire an skb of the stack stands for: GRO and conntrack's
 * defragmentation have joined some, GSO and the output functions will part others.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include "../core/base/segment.h"
#include "wire.h"

static unsigned int ip_header(const struct sk_buff *skb, u8 family)
{
	return family == NFPROTO_IPV4 ? ip_hdrlen(skb) : sizeof(struct ipv6hdr);
}

/* Headers of each segment. */
static unsigned int segment_headers(const struct sk_buff *skb)
{
	const unsigned int l4 = skb_transport_offset(skb) - skb_network_offset(skb);
	const struct tcphdr *th;
	struct tcphdr space;

	if (!(skb_shinfo(skb)->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)))
		return l4 + sizeof(struct udphdr);
	th = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(space), &space);
	return l4 + (th ? th->doff * 4 : sizeof(*th));
}

static struct natflow_wire segments(const struct sk_buff *skb)
{
	const unsigned int headers = segment_headers(skb);
	const u32 n = natflow_segment_count(skb, skb->len, headers);

	return (struct natflow_wire){ .packets = n, .bytes = skb->len + (n - 1) * headers };
}

/* Fragments of at most @size bytes each, header included; 0: it is whole. */
static struct natflow_wire fragments(const struct sk_buff *skb, unsigned int size, u8 family)
{
	const unsigned int header = ip_header(skb, family);
	const unsigned int own = family == NFPROTO_IPV4 ? 0 : sizeof(struct frag_hdr);
	struct natflow_wire wire = { .packets = 1, .bytes = skb->len };
	unsigned int piece;

	if (!size || skb->len <= size || size < header + own + 8)
		return wire;
	piece = round_down(size - header - own, 8);
	wire.packets = DIV_ROUND_UP(skb->len - header, piece);
	wire.bytes += wire.packets * own + (wire.packets - 1) * header;
	return wire;
}

/* The size of the largest fragment of a packet that conntrack or the stack joined, or 0. */
static unsigned int largest_fragment(const struct sk_buff *skb, u8 family)
{
	return family == NFPROTO_IPV4 ? IPCB(skb)->frag_max_size : IP6CB(skb)->frag_max_size;
}

/**
 * natflow_wire_arrived() - packets that an skb of FORWARD or LOCAL_IN arrived as
 * @skb: at its L3 header
 * @family: NFPROTO_*
 *
 * Fragments are taken for equal in size but for the last, as every sender makes them.
 *
 * Context: any.
 */
struct natflow_wire natflow_wire_arrived(const struct sk_buff *skb, u8 family)
{
	/* Bridge netfilter joins before the stack receives (br_nf_pre_routing_finish()). */
	const unsigned int size = largest_fragment(skb, family) ?:
				  natflow_compat_bridged_fragment(skb);

	return skb_is_gso(skb) ? segments(skb) : fragments(skb, size, family);
}

/**
 * natflow_wire_leaving() - packets that an skb of FORWARD or POST_ROUTING leaves as
 * @skb: at its L3 header, with a route
 * @family: NFPROTO_*
 *
 * See net/ipv4/ip_output.c:ip_do_fragment(), net/ipv6/ip6_output.c:ip6_fragment().
 *
 * Context: RCU read side.
 */
struct natflow_wire natflow_wire_leaving(const struct sk_buff *skb, u8 family)
{
	unsigned int size = largest_fragment(skb, family), mtu;

	if (skb_is_gso(skb))
		return segments(skb);
	if (family == NFPROTO_IPV4) {
		mtu = ip_skb_dst_mtu(skb->sk, skb);
		size = size ? min(size, mtu) : mtu;
	} else {
		mtu = ip6_skb_dst_mtu(skb);
		size = size ? max_t(unsigned int, size, IPV6_MIN_MTU) : mtu;
	}
	return fragments(skb, size, family);
}
