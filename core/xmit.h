/* SPDX-License-Identifier: GPL-2.0-only */
/* The last step: send a rewritten packet by its egress. No other code transmits. */
#ifndef _NATFLOW_CORE_XMIT_H
#define _NATFLOW_CORE_XMIT_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include "topo/egress.h"

/* What became of a packet at the ingress hook. */
enum natflow_verdict {
	NATFLOW_GO,		/* it was sent */
	NATFLOW_REFUSE,		/* it goes up the stack, untouched; a reason is beside */
	NATFLOW_HELD,		/* a feature keeps it, and sends or frees it later */
};

struct sk_buff *natflow_xmit_copy_headers(struct sk_buff *skb, unsigned int headroom);

void natflow_xmit_init(void);
int natflow_xmit_send(struct sk_buff *skb);
void natflow_xmit_flat(struct sk_buff *skb, const struct natflow_egress *eg);

/**
 * natflow_xmit_make_private() - make headers writable and room for L2
 * @skb: packet at its L3 header; consumed if a copy is returned
 * @len: bytes from the L3 header on that may be written
 * @headroom: bytes wanted in front of the L3 header
 *
 * Context: BH disabled.
 * Return: @skb, or a copy if @skb is shared; NULL without memory, @skb unchanged.
 */
static __always_inline struct sk_buff *
natflow_xmit_make_private(struct sk_buff *skb, unsigned int len, unsigned int headroom)
{
	if (likely(skb_headroom(skb) >= headroom && !skb_shared(skb) &&
		   (!skb_cloned(skb) || skb_clone_writable(skb, len))))
		return skb;
	return natflow_xmit_copy_headers(skb, headroom);
}

/**
 * natflow_xmit() - send a packet to a next hop
 * @skb: private, at its rewritten L3 header, with mark and priority set
 * @eg: egress, seen alive in this RCU section
 *
 * Clears the skb state from the receive side that the stack's forwarding would
 * clear, so that the next device does not see it.
 *
 * Context: RCU read side, BH disabled. Consumes @skb.
 */
static __always_inline void natflow_xmit(struct sk_buff *skb, const struct natflow_egress *eg)
{
	if (unlikely(skb->destructor))
		skb_orphan(skb);	/* a sender on this host, behind a veth */
	skb_clear_tstamp(skb);
	skb_forward_csum(skb);
	skb_ext_reset(skb);
	skb_reset_redirect(skb);	/* set by tc at ingress */
	/* These bits share a byte: adjacent stores compile to one instruction. */
	nf_reset_trace(skb);
#ifdef CONFIG_NET_SWITCHDEV
	skb->offload_fwd_mark = 0;
	skb->offload_l3_fwd_mark = 0;
#endif
	skb->dev = eg->dev;
	if (unlikely(eg->bypassing)) {
		natflow_xmit_flat(skb, eg);
		return;
	}
	natflow_egress_header(eg, skb);
	natflow_xmit_send(skb);
}

#endif /* _NATFLOW_CORE_XMIT_H */
