// SPDX-License-Identifier: GPL-2.0-only
/* What packets look like before any rule. */
#include <linux/hash.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include "../../lib/look.h"
#include "netns.h"
#include "note.h"

/* This CPU's note for an skb at that address. Context: BH disabled. */
static struct natflow_note *note_of(const struct natflow_net *nn, const struct sk_buff *skb)
{
	return this_cpu_ptr(&nn->pcpu->note[hash_ptr(skb, NATFLOW_NOTES_SHIFT)]);
}

/**
 * natflow_note_arrival() - note a packet at PRE_ROUTING, before any other hook
 * @nn: namespace
 * @skb: received packet, its IP header linear and checked
 * @state: family and device
 *
 * The note is taken here and not in the RX hook: ip_rcv() replaces a shared skb by
 * a clone (net/ipv4/ip_input.c:ip_rcv_core(), net/ipv6/ip6_input.c:ip6_rcv_core()).
 * Between the two hooks only bridge netfilter changes the noted fields. Such a
 * packet counts as rewritten and stays with the stack.
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_note_arrival(struct natflow_net *nn, const struct sk_buff *skb,
			  const struct nf_hook_state *state)
{
	struct natflow_note *note;

	/* A VRF's second PRE_ROUTING, behind rules (drivers/net/vrf.c:vrf_rcv_nfhook()). */
	if (unlikely(netif_is_l3_master(state->in)))
		return;
	note = note_of(nn, skb);
	note->of = skb;
	note->look = state->pf == NFPROTO_IPV4 ? natflow_look_ip4(ip_hdr(skb)) :
						 natflow_look_ip6(ipv6_hdr(skb));
	note->mark = skb->mark;
	note->priority = skb->priority;
	note->len = natflow_note_length(skb->len);
}

/**
 * natflow_note_find() - how a packet looked when it came in
 * @nn: namespace
 * @skb: packet about to leave
 *
 * Context: BH disabled, until the result was used.
 * Return: the note, or NULL: another packet's note took its place, or the packet
 * has another length, as a datagram that was reassembled from fragments.
 */
const struct natflow_note *natflow_note_find(const struct natflow_net *nn,
					     const struct sk_buff *skb)
{
	const struct natflow_note *note = note_of(nn, skb);

	if (note->of != skb || note->len != natflow_note_length(skb->len))
		return NULL;
	return note;
}
