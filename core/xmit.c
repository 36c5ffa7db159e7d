// SPDX-License-Identifier: GPL-2.0-only
/* Out of line parts of the last step. */
#include "xmit.h"

/**
 * natflow_xmit_copy_headers() - the slow half of natflow_xmit_make_private()
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
		return pskb_expand_head(skb, SKB_DATA_ALIGN(missing), 0, GFP_ATOMIC) ? NULL : skb;
	/* Linear, so that nothing done to the copy later can fail. */
	copy = skb_copy_expand(skb, room + missing, 0, GFP_ATOMIC);
	if (copy)
		consume_skb(skb);
	return copy;
}
