// SPDX-License-Identifier: GPL-2.0-only
/* The only file that transmits. */
#include <linux/netdevice.h>
#include <net/dst.h>
#include "egress.h"
#include "xmit.h"

/**
 * natflow_xmit_make_private() - make headers writable and room for L2
 * @skb: packet at its L3 header; replaced by a copy if somebody else holds it
 * @len: bytes from the L3 header on that will be written, all linear
 * @headroom: bytes wanted in front of the L3 header
 *
 * Context: BH disabled.
 * Return: false if there is no memory; the packet is then as it was.
 */
bool natflow_xmit_make_private(struct sk_buff **skb, unsigned int len, unsigned int headroom)
{
	unsigned int room = skb_headroom(*skb), missing = headroom > room ? headroom - room : 0;

	if (unlikely(skb_shared(*skb))) {
		/* Linear, so that nothing done to the copy later can fail. */
		struct sk_buff *copy = skb_copy_expand(*skb, room + missing, 0, GFP_ATOMIC);

		if (!copy)
			return false;
		consume_skb(*skb);
		*skb = copy;
		return true;
	}
	if (likely(!missing && (!skb_cloned(*skb) || skb_clone_writable(*skb, len))))
		return true;
	return !pskb_expand_head(*skb, SKB_DATA_ALIGN(missing), 0, GFP_ATOMIC);
}

/**
 * natflow_xmit() - send a packet to a next hop
 * @skb: private, at its rewritten L3 header, with mark and priority set
 * @eg: egress, seen alive in this RCU section
 *
 * What the RX side left on the skb and the stack would have taken off on its
 * way through is taken off here: nothing of it reaches the next device.
 *
 * Context: RCU read side, BH disabled. Consumes @skb.
 */
void natflow_xmit(struct sk_buff *skb, const struct natflow_egress *eg)
{
	skb_clear_tstamp(skb);
	skb_forward_csum(skb);
	skb_ext_reset(skb);
	nf_reset_trace(skb);
#ifdef CONFIG_NET_SWITCHDEV
	skb->offload_fwd_mark = 0;
	skb->offload_l3_fwd_mark = 0;
#endif
	natflow_egress_header(eg, skb);
	skb->dev = eg->dev;
	dev_queue_xmit(skb);
}
