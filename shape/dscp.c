// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DSCP of packets that come by a link. Nobody can trust what the Internet sends, so
 * they get the one that the packets of their flow have which leave by the link: it is what
 * the user asked for. What natflow learned of that direction has it (natflow_dir.treat).
 *
 * This is the part of the stack's packets. Learning sees in natflow_painted that the link's
 * line gave the DSCP, and the packet path gives the same.
 */
#include <linux/ip.h>
#include <net/route.h>
#include "../core/base/ct.h"
#include "../core/base/note.h"
#include "../core/dscp.h"
#include "../core/flow/flow.h"
#include "dscp.h"

/* The link that a packet came by, or NULL. */
static const struct natflow_rx_dscp *link_of(const struct natflow_net *nn, int ifindex)
{
	unsigned int i;

	for (i = 0; i < NATFLOW_RX_MAX; i++)
		if (READ_ONCE(nn->rx_dscp[i].ifindex) == ifindex)
			return &nn->rx_dscp[i];
	return NULL;
}

/* The DSCP of the other direction; @has: nothing is known of it. */
static u8 asked_for(struct natflow_net *nn, const struct nf_conn *ct, unsigned int d, u8 has)
{
	struct natflow_flow *flow = natflow_flow_by_ct(nn, ct);

	if (!flow || !natflow_flow_learned(flow, !d))
		return has;
	return READ_ONCE(natflow_flow_dir(flow, !d, natflow_flow_family(flow))->treat) >> 2;
}

/*
 * With it goes the priority that IPv4 gives a forwarded packet (net/ipv4/ip_forward.c), if no
 * rule has chosen another one. IPv6 gives none.
 */
static void give(struct sk_buff *skb, u8 family, const struct natflow_painted *p)
{
	const bool usual = family == NFPROTO_IPV4 && skb->priority == p->priority &&
			   p->priority == rt_tos2priority(ip_hdr(skb)->tos);

	natflow_dscp_set(skb, p->to);
	if (usual)
		skb->priority = rt_tos2priority(ip_hdr(skb)->tos);
}

/* Did a rule of the firewall choose the packet's DSCP? Then it stays. */
static bool is_chosen(const struct sk_buff *skb, u8 dscp)
{
	struct natflow_note in;

	return natflow_note_find(skb, &in) && natflow_look_dscp(in.look) != dscp;
}

/**
 * natflow_dscp_restore() - give a packet of the stack the DSCP that its link's line wants
 * @nn: namespace
 * @skb: packet in FORWARD, behind the firewall's rules and natflow's: theirs come first
 * @state: family and devices
 *
 * Multicast, and what conntrack does not know, is left alone.
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_dscp_restore(struct natflow_net *nn, struct sk_buff *skb,
			  const struct nf_hook_state *state)
{
	const struct natflow_rx_dscp *link = link_of(nn, state->in->ifindex);
	struct natflow_painted p = {};
	enum ip_conntrack_info info;
	const struct nf_conn *ct;

	ct = link ? nf_ct_get(skb, &info) : NULL;
	if (!ct || nf_ct_is_template(ct) || skb->pkt_type == PACKET_MULTICAST)
		return;
	preempt_disable_nested();
	if (this_cpu_ptr(&nn->pcpu->painted)->of == skb)
		p = *this_cpu_ptr(&nn->pcpu->painted);
	preempt_enable_nested();
	if (!p.of) {
		p.of = skb;
		p.priority = skb->priority;
		p.from = natflow_dscp_of(skb);
	}
	if (p.ruled || is_chosen(skb, p.from))
		return;
	p.to = READ_ONCE(link->wash) ? 0 : asked_for(nn, ct, CTINFO2DIR(info), p.from);
	p.linked = true;
	if (p.to != p.from)
		give(skb, state->pf, &p);
	preempt_disable_nested();
	*this_cpu_ptr(&nn->pcpu->painted) = p;
	preempt_enable_nested();
}
