// SPDX-License-Identifier: GPL-2.0-only
/* Transmission: the parts that are not inlined. */
#include "xmit.h"

/**
 * natflow_xmit_copy_headers() - slow path of natflow_xmit_make_private()
 * @skb: packet at its L3 header
 * @headroom: bytes wanted in front of it
 *
 * Context: BH disabled.
 * Return: @skb or a copy, NULL if there is no memory.
 */
struct sk_buff *natflow_xmit_copy_headers(struct sk_buff *skb, unsigned int headroom)
{
	unsigned int room = skb_headroom(skb), missing = headroom > room ? headroom - room : 0;
	struct sk_buff *copy;

	if (!skb_shared(skb))
		return pskb_expand_head(skb, SKB_DATA_ALIGN(missing), 0,
					GFP_ATOMIC | __GFP_NOWARN) ? NULL : skb;
	/* A linear copy, so that later changes cannot fail. */
	copy = skb_copy_expand(skb, room + missing, 0, GFP_ATOMIC | __GFP_NOWARN);
	if (copy)
		consume_skb(skb);
	return copy;
}

/**
 * natflow_xmit_flat() - send by bypassed devices: add their tags, count the packet
 * @skb: packet at its L3 header, its device set
 * @eg: its egress
 *
 * Context: RCU read side, BH disabled. Consumes @skb.
 */
void natflow_xmit_flat(struct sk_buff *skb, const struct natflow_egress *eg)
{
	const struct natflow_tag *beside = &eg->down.tag[eg->down.inband];
	unsigned int l3 = skb->len;
	int sent;

	natflow_egress_header(eg, skb);
	if (eg->down.inband)
		skb->protocol = ((struct ethhdr *)skb->data)->h_proto;
	if (eg->down.tags > eg->down.inband)
		__vlan_hwaccel_put_tag(skb, beside->proto, beside->tci);
	sent = dev_queue_xmit(skb);
	if (likely(sent == NET_XMIT_SUCCESS || sent == NET_XMIT_CN))
		natflow_bypass_count(&eg->down.bypass, l3, true);
}
