// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets that natflow sends or rewrites in place of the other side's. Each carries
 * the conntrack of the packet it answers, so that NAT is undone.
 *
 * The source of a packet may be forged. So nobody is sent much more than it sent, and
 * no more packets than its share.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/tcp.h>
#include <net/udp.h>
#include "answer.h"

static __be16 port_at(const struct sk_buff *skb, unsigned int at)
{
	__be16 buffer, *port = skb_header_pointer(skb, at, sizeof(buffer), &buffer);

	return port ? *port : 0;
}

static void put_ip4(struct sk_buff *skb, const struct net *net, const struct natflow_addrs4 *addrs,
		    u8 proto, unsigned int len)
{
	struct iphdr *iph;

	skb_reset_network_header(skb);
	iph = skb_put_zero(skb, sizeof(*iph));
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tot_len = htons(sizeof(*iph) + len);
	iph->frag_off = htons(IP_DF);
	iph->ttl = READ_ONCE(net->ipv4.sysctl_ip_default_ttl);
	iph->protocol = proto;
	iph->saddr = addrs->saddr;
	iph->daddr = addrs->daddr;
	skb->protocol = htons(ETH_P_IP);
}

static void put_ip6(struct sk_buff *skb, const struct net *net, const struct natflow_addrs6 *addrs,
		    u8 proto, unsigned int len)
{
	struct ipv6hdr *iph;

	skb_reset_network_header(skb);
	iph = skb_put_zero(skb, sizeof(*iph));
	iph->version = 6;
	iph->payload_len = htons(len);
	iph->nexthdr = proto;
	iph->hop_limit = READ_ONCE(net->ipv6.devconf_all->hop_limit);
	iph->saddr = addrs->saddr;
	iph->daddr = addrs->daddr;
	skb->protocol = htons(ETH_P_IPV6);
}

static void put_tcp(struct sk_buff *skb, const struct natflow_segment *s, u8 flags,
		    const void *text, unsigned int len)
{
	struct tcphdr *th;
	u32 ends = s->seq + s->len + !!(s->flags & (NATFLOW_TCP_SYN | NATFLOW_TCP_FIN));

	skb_set_transport_header(skb, skb->len);
	th = skb_put_zero(skb, sizeof(*th));
	th->source = port_at(s->skb, s->l4 + 2);
	th->dest = port_at(s->skb, s->l4);
	th->doff = sizeof(*th) / 4;
	th->seq = s->flags & NATFLOW_TCP_ACK ? htonl(s->ack) : 0;
	th->ack_seq = htonl(ends);
	((u8 *)th)[13] = flags;
	th->window = len ? htons(1024) : 0;
	skb_put_data(skb, text, len);
}

/* Set the checksum of what follows the IP header; its field is at @at. */
static void sum(struct sk_buff *skb, u8 family, u8 proto, __sum16 *at)
{
	unsigned int len = skb_tail_pointer(skb) - skb_transport_header(skb);
	__wsum bytes;

	*at = 0;
	bytes = csum_partial(skb_transport_header(skb), len, 0);
	if (family == NFPROTO_IPV4)
		*at = csum_tcpudp_magic(ip_hdr(skb)->saddr, ip_hdr(skb)->daddr, len, proto, bytes);
	else
		*at = csum_ipv6_magic(&ipv6_hdr(skb)->saddr, &ipv6_hdr(skb)->daddr, len, proto,
				      bytes);
	if (proto == IPPROTO_UDP && !*at)
		*at = CSUM_MANGLED_0;
	skb->ip_summed = CHECKSUM_NONE;
}

/* For a packet with @len bytes behind the IP header. */
static struct sk_buff *alloc(unsigned int len)
{
	struct sk_buff *skb = alloc_skb(LL_MAX_HEADER + sizeof(struct ipv6hdr) + len,
					GFP_ATOMIC | __GFP_NOWARN);

	if (skb)
		skb_reserve(skb, LL_MAX_HEADER);
	return skb;
}

/* Build a packet to the sender of @s, with room for @len bytes behind the IP header. */
static struct sk_buff *begin(const struct natflow_segment *s, unsigned int len)
{
	const struct net *net = dev_net(skb_dst(s->skb)->dev);
	struct sk_buff *skb = alloc(len);

	if (!skb)
		return NULL;
	skb->mark = s->skb->mark;
	if (s->family == NFPROTO_IPV4) {
		const struct natflow_addrs4 addrs = { ip_hdr(s->skb)->daddr,
						      ip_hdr(s->skb)->saddr };

		put_ip4(skb, net, &addrs, s->proto, len);
	} else {
		const struct natflow_addrs6 addrs = { ipv6_hdr(s->skb)->daddr,
						      ipv6_hdr(s->skb)->saddr };

		put_ip6(skb, net, &addrs, s->proto, len);
	}
	return skb;
}

/* Send it as if the other side were this host. */
static void send(struct sk_buff *skb, const struct natflow_segment *s)
{
	struct net *net = dev_net(skb_dst(s->skb)->dev);
	int err;

	skb_dst_set_noref(skb, skb_dst(s->skb));
	err = s->family == NFPROTO_IPV4 ? ip_route_me_harder(net, NULL, skb, RTN_UNSPEC) :
					  ip6_route_me_harder(net, NULL, skb);
	if (err) {
		kfree_skb(skb);
		return;
	}
	nf_ct_attach(skb, s->skb);
	if (s->family == NFPROTO_IPV4)
		ip_local_out(net, NULL, skb);
	else
		ip6_local_out(net, NULL, skb);
}

/**
 * natflow_answer_tcp() - send a segment back to a sender
 * @s: its segment, routed; a RST is not answered
 * @flags: NATFLOW_TCP_* of the answer; it acknowledges @s
 * @text: payload
 * @len: of @text
 *
 * Context: a netfilter hook, BH disabled.
 * Return: false if there is no memory.
 */
bool natflow_answer_tcp(const struct natflow_segment *s, u8 flags, const char *text,
			unsigned int len)
{
	unsigned int l4 = sizeof(struct tcphdr) + len;
	struct sk_buff *skb;

	if (s->flags & NATFLOW_TCP_RST)
		return true;
	skb = begin(s, l4);
	if (!skb)
		return false;
	put_tcp(skb, s, flags, text, len);
	sum(skb, s->family, IPPROTO_TCP, &tcp_hdr(skb)->check);
	send(skb, s);
	return true;
}

/**
 * natflow_answer_reset() - tell one end of a connection that it is over
 * @net: namespace
 * @dst: the way to that end
 * @reset: what is sent; conntrack and NAT do not see it
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_answer_reset(struct net *net, struct dst_entry *dst,
			  const struct natflow_reset *reset)
{
	struct sk_buff *skb = alloc(sizeof(struct tcphdr));
	union natflow_key key = reset->key;
	struct tcphdr *th;

	if (!skb)
		return;
	if (reset->family == NFPROTO_IPV4)
		put_ip4(skb, net, &key.v4.addrs, IPPROTO_TCP, sizeof(*th));
	else
		put_ip6(skb, net, &key.v6.addrs, IPPROTO_TCP, sizeof(*th));
	skb_set_transport_header(skb, skb->len);
	th = skb_put_zero(skb, sizeof(*th));
	th->source = natflow_key_tail(&key, reset->family)->ports.sport;
	th->dest = natflow_key_tail(&key, reset->family)->ports.dport;
	th->doff = sizeof(*th) / 4;
	th->seq = htonl(reset->seq);
	th->ack_seq = htonl(reset->ack);
	((u8 *)th)[13] = NATFLOW_TCP_RST | NATFLOW_TCP_ACK;
	sum(skb, reset->family, IPPROTO_TCP, &th->check);
	skb->mark = reset->mark;
	skb_dst_set(skb, dst_clone(dst));
	nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
	if (reset->family == NFPROTO_IPV4)
		ip_local_out(net, NULL, skb);
	else
		ip6_local_out(net, NULL, skb);
}

/**
 * natflow_answer_syn() - accept a connection in place of its server
 * @s: the client's SYN, routed
 * @seq: sequence number of the answer
 *
 * Context: a netfilter hook, BH disabled.
 */
void natflow_answer_syn(const struct natflow_segment *s, u32 seq)
{
	/* What Ethernet carries: the client's own MTU and its routers make it less. */
	const u16 mss = s->family == NFPROTO_IPV4 ? 1460 : 1440;
	const u8 option[] = { TCPOPT_MSS, TCPOLEN_MSS, mss >> 8, mss & 0xff };
	struct sk_buff *skb = begin(s, sizeof(struct tcphdr) + sizeof(option));
	struct tcphdr *th;

	if (!skb)
		return;
	put_tcp(skb, s, NATFLOW_TCP_SYN | NATFLOW_TCP_ACK, option, sizeof(option));
	th = tcp_hdr(skb);
	th->seq = htonl(seq);
	th->ack_seq = htonl(s->seq + 1);	/* the client sends data again that came with it */
	th->doff += sizeof(option) / 4;
	th->window = htons(U16_MAX);
	sum(skb, s->family, IPPROTO_TCP, &th->check);
	send(skb, s);
}

/**
 * natflow_answer_udp() - send a datagram back to a sender
 * @s: its datagram
 * @data: payload
 * @len: of @data
 *
 * Context: a netfilter hook, BH disabled.
 */
void natflow_answer_udp(const struct natflow_segment *s, const u8 *data, unsigned int len)
{
	unsigned int l4 = sizeof(struct udphdr) + len;
	struct sk_buff *skb = begin(s, l4);
	struct udphdr *uh;

	if (!skb)
		return;
	skb_set_transport_header(skb, skb->len);
	uh = skb_put_zero(skb, sizeof(*uh));
	uh->source = port_at(s->skb, s->l4 + 2);
	uh->dest = port_at(s->skb, s->l4);
	uh->len = htons(l4);
	skb_put_data(skb, data, len);
	sum(skb, s->family, IPPROTO_UDP, &uh->check);
	send(skb, s);
}

/**
 * natflow_answer_replace() - replace the payload of a forwarded datagram
 * @s: datagram
 * @data: payload
 * @len: of @data, at most the datagram's
 *
 * Return: false if it cannot be changed and must be dropped.
 */
bool natflow_answer_replace(struct natflow_segment *s, const u8 *data, unsigned int len)
{
	unsigned int end = s->data + len;
	struct sk_buff *skb = s->skb;
	struct udphdr *uh;

	if (pskb_trim(skb, end) || skb_ensure_writable(skb, end))
		return false;
	skb_gso_reset(skb);
	memcpy(skb->data + s->data, data, len);
	natflow_segment_set_end(s, end);
	skb_set_transport_header(skb, s->l4);
	uh = udp_hdr(skb);
	uh->len = htons(sizeof(*uh) + len);
	sum(skb, s->family, IPPROTO_UDP, &uh->check);
	return true;
}

/**
 * natflow_answer_turn() - turn a forwarded segment into a RST
 * @s: segment; the receiver accepts the RST
 *
 * Return: false if it cannot be changed and must be dropped.
 */
bool natflow_answer_turn(struct natflow_segment *s)
{
	unsigned int end = s->l4 + sizeof(struct tcphdr);
	struct sk_buff *skb = s->skb;
	struct tcphdr *th;

	if (pskb_trim(skb, s->data) || skb_ensure_writable(skb, s->data))
		return false;
	skb_gso_reset(skb);
	__skb_trim(skb, end);		/* options too */
	natflow_segment_set_end(s, end);
	skb_set_transport_header(skb, s->l4);
	th = tcp_hdr(skb);
	th->doff = sizeof(*th) / 4;
	th->window = 0;
	th->urg_ptr = 0;
	((u8 *)th)[13] = NATFLOW_TCP_RST | (s->flags & NATFLOW_TCP_ACK);
	sum(skb, s->family, IPPROTO_TCP, &th->check);
	return true;
}

/**
 * natflow_answer_forbidden() - send ICMP "administratively prohibited"
 * @s: packet of any protocol that is dropped; only ->skb and ->family need to be set
 *
 * RFC 1812 section 5.2.7.1, RFC 4443 section 3.1. The message may be larger than the
 * packet, by its headers at most.
 *
 * Context: a netfilter hook, BH disabled.
 */
void natflow_answer_forbidden(const struct natflow_segment *s)
{
	if (s->family == NFPROTO_IPV4)
		icmp_send(s->skb, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, 0);
	else
		icmpv6_send(s->skb, ICMPV6_DEST_UNREACH, ICMPV6_ADM_PROHIBITED, 0);
}

/**
 * natflow_answer_prohibited() - the same, where the source may be forged
 * @s: datagram that is dropped; it is trimmed
 *
 * The message quotes so much less of the datagram that it is not larger. A datagram
 * too small for that is not answered.
 *
 * Context: a netfilter hook, BH disabled.
 */
void natflow_answer_prohibited(const struct natflow_segment *s)
{
	const unsigned int head = s->family == NFPROTO_IPV4 ?
				  sizeof(struct iphdr) + sizeof(struct icmphdr) :
				  sizeof(struct ipv6hdr) + sizeof(struct icmp6hdr);

	if (s->skb->len < s->data + head || pskb_trim(s->skb, s->skb->len - head))
		return;
	natflow_answer_forbidden(s);
}
