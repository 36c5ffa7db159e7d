// SPDX-License-Identifier: GPL-2.0-only
/* What packets look like before any rule. */
#include <linux/hash.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include "../../lib/look.h"
#include "note.h"

/*
 * Packets are handed up in lists: a hook sees all of a list before the next hook
 * sees its first (net/ipv4/ip_input.c:ip_sublist_rcv()). So there are many notes.
 */
#define NOTES_SHIFT	6

/* Of all namespaces: a packet that enters another one is noted anew. */
struct notes {
	struct natflow_note note[1 << NOTES_SHIFT];
};

static struct notes __percpu *notes __ro_after_init;

/**
 * natflow_note_init() - memory for the notes
 *
 * Return: 0 or -ENOMEM.
 */
int __init natflow_note_init(void)
{
	notes = alloc_percpu(struct notes);
	return notes ? 0 : -ENOMEM;
}

/**
 * natflow_note_exit() - free the notes; no hook is left
 */
void natflow_note_exit(void)
{
	free_percpu(notes);
}

/* This CPU's note for an skb at that address. Context: BH disabled. */
static struct natflow_note *note_of(const struct sk_buff *skb)
{
	return this_cpu_ptr(&notes->note[hash_ptr(skb, NOTES_SHIFT)]);
}

/**
 * natflow_note_arrival() - note a packet at PRE_ROUTING, before any other hook
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
void natflow_note_arrival(const struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct natflow_note *note;

	/* A VRF's second PRE_ROUTING, behind rules (drivers/net/vrf.c:vrf_rcv_nfhook()). */
	if (unlikely(netif_is_l3_master(state->in)))
		return;
	preempt_disable_nested();
	note = note_of(skb);
	note->of = skb;
	note->look = state->pf == NFPROTO_IPV4 ? natflow_look_ip4(ip_hdr(skb)) :
						 natflow_look_ip6(ipv6_hdr(skb));
	note->mark = skb->mark;
	note->priority = skb->priority;
	note->len = natflow_note_length(skb->len);
	preempt_enable_nested();
}

/**
 * natflow_note_is_kept() - has no rule changed the mark, priority or TOS of a packet?
 * @skb: packet about to leave
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 *
 * Context: BH disabled.
 * Return: false also if nothing is known of its arrival.
 */
bool natflow_note_is_kept(const struct sk_buff *skb, u8 family)
{
	const u64 look = family == NFPROTO_IPV4 ? natflow_look_ip4(ip_hdr(skb)) :
						  natflow_look_ip6(ipv6_hdr(skb));
	const struct natflow_note *note;
	bool same;

	preempt_disable_nested();
	note = note_of(skb);
	same = note->of == skb && note->len == natflow_note_length(skb->len) &&
	       note->mark == skb->mark && note->priority == skb->priority &&
	       !((note->look ^ look) & NATFLOW_LOOK_TOS);
	preempt_enable_nested();
	return same;
}

/**
 * natflow_note_find() - how a packet looked when it came in
 * @skb: packet about to leave
 * @copy: filled in
 *
 * Context: BH disabled.
 * Return: false: another packet's note took its place, or the packet has another
 * length, as a datagram that was reassembled from fragments.
 */
bool natflow_note_find(const struct sk_buff *skb, struct natflow_note *copy)
{
	preempt_disable_nested();
	*copy = *note_of(skb);
	preempt_enable_nested();
	return copy->of == skb && copy->len == natflow_note_length(skb->len);
}
