// SPDX-License-Identifier: GPL-2.0-only
/* Frames of a rule: as they come to the PPE, and as they must leave it. */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/ppp_defs.h>
#include <net/checksum.h>
#include <net/ip6_checksum.h>
#include "ppe.h"

#define DATA 24

struct put {
	u8 *at;
	const struct ppe_rule *rule;
	bool leaves;
};

static void put16(struct put *p, u16 value)
{
	put_unaligned_be16(value, p->at);
	p->at += 2;
}

/* The header of a TCP segment or a datagram, and data; the sum is left 0. */
static u8 *put_l4(struct put *p, u8 *l4, u16 sport, u16 dport)
{
	unsigned int i, head = p->rule->proto == IPPROTO_TCP ? 20 : 8;

	memset(l4, 0, head);
	put_unaligned_be16(sport, l4);
	put_unaligned_be16(dport, l4 + 2);
	if (head == 20) {
		l4[12] = 0x50;
		l4[13] = 0x10;
	} else {
		put_unaligned_be16(head + DATA, l4 + 4);
	}
	for (i = 0; i < DATA; i++)
		l4[head + i] = i;
	return l4 + head + DATA;
}

static void put_sum(struct put *p, u8 *l4, __sum16 sum)
{
	if (p->rule->proto == IPPROTO_UDP && !sum)
		sum = CSUM_MANGLED_0;
	memcpy(l4 + (p->rule->proto == IPPROTO_TCP ? 16 : 6), &sum, sizeof(sum));
}

static void put_ipv4(struct put *p, const u8 *src, u16 sport, const u8 *dst, u16 dport)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .protocol = p->rule->proto };
	u8 *l4 = p->at + sizeof(ip), *end = put_l4(p, l4, sport, dport);

	ip.ttl = p->leaves ? 63 : 64;
	memcpy(&ip.saddr, src, 4);
	memcpy(&ip.daddr, dst, 4);
	ip.tot_len = htons(end - p->at);
	ip.check = ip_fast_csum(&ip, ip.ihl);
	put_sum(p, l4, csum_tcpudp_magic(ip.saddr, ip.daddr, end - l4, ip.protocol,
					 csum_partial(l4, end - l4, 0)));
	memcpy(p->at, &ip, sizeof(ip));
	p->at = end;
}

static void put_ipv6(struct put *p, const u8 *src, u16 sport, const u8 *dst, u16 dport)
{
	struct ipv6hdr ip = { .version = 6, .nexthdr = p->rule->proto };
	u8 *l4 = p->at + sizeof(ip), *end = put_l4(p, l4, sport, dport);

	ip.hop_limit = p->leaves ? 63 : 64;
	memcpy(&ip.saddr, src, 16);
	memcpy(&ip.daddr, dst, 16);
	ip.payload_len = htons(end - l4);
	put_sum(p, l4, csum_ipv6_magic(&ip.saddr, &ip.daddr, end - l4, ip.nexthdr,
				       csum_partial(l4, end - l4, 0)));
	memcpy(p->at, &ip, sizeof(ip));
	p->at = end;
}

/* MediaTek's tag: what VLAN tag it stands for, the port, and the VLAN tag's TCI. */
static void put_headers(struct put *p, int dsa_port)
{
	const struct ppe_rule *r = p->rule;
	u16 proto = r->v6 ? ETH_P_IPV6 : ETH_P_IP;
	unsigned int i = 0;

	if (dsa_port >= 0) {
		bool vlan = r->encaps && r->encap[0].proto == ETH_P_8021Q;

		put16(p, (vlan ? 0x100 : 0) | 1 << dsa_port);
		put16(p, vlan ? r->encap[i++].id : 0);
	}
	for (; i < r->encaps && r->encap[i].proto == ETH_P_8021Q; i++) {
		put16(p, ETH_P_8021Q);
		put16(p, r->encap[i].id);
	}
	if (i == r->encaps) {
		put16(p, proto);
		return;
	}
	put16(p, ETH_P_PPP_SES);
	put16(p, 0x1100);
	put16(p, r->encap[i].id);
	put16(p, 2 + (r->v6 ? 40 : 20) + (r->proto == IPPROTO_TCP ? 20 : 8) + DATA);
	put16(p, r->v6 ? PPP_IPV6 : PPP_IP);
}

/**
 * ppe_frame() - a frame of a rule
 * @r: the rule; routed
 * @leaves: as it leaves, not as it comes
 * @dsa_port: of the switch that it leaves to, or -1
 * @frame: result, PPE_FRAME bytes
 *
 * Return: its length.
 */
unsigned int ppe_frame(const struct ppe_rule *r, bool leaves, int dsa_port, u8 *frame)
{
	struct put p = { .at = frame + 2 * ETH_ALEN, .rule = r, .leaves = leaves };
	bool source = leaves && r->mangle & 1, dest = leaves && r->mangle & 2;
	const u8 *src = source ? r->new_src : r->src, *dst = dest ? r->new_dst : r->dst;
	u16 sport = source ? r->new_sport : r->sport, dport = dest ? r->new_dport : r->dport;

	memset(frame, 2, 2 * ETH_ALEN);
	if (leaves) {
		ether_addr_copy(frame, r->dmac);
		ether_addr_copy(frame + ETH_ALEN, r->smac);
		put_headers(&p, dsa_port);
	} else {
		put16(&p, r->v6 ? ETH_P_IPV6 : ETH_P_IP);
	}
	if (r->v6)
		put_ipv6(&p, src, sport, dst, dport);
	else
		put_ipv4(&p, src, sport, dst, dport);
	return p.at - frame;
}
