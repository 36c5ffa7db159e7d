/* SPDX-License-Identifier: GPL-2.0-only */
/* The DSCP of a packet at its L3 header, which is linear. Context: any. */
#ifndef _NATFLOW_CORE_DSCP_H
#define _NATFLOW_CORE_DSCP_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/dsfield.h>
#include <net/inet_ecn.h>

static inline u8 natflow_dscp_of(const struct sk_buff *skb)
{
	return (skb->protocol == htons(ETH_P_IP) ? ipv4_get_dsfield(ip_hdr(skb)) :
						   ipv6_get_dsfield(ipv6_hdr(skb))) >> 2;
}

/* ECN stays. No checksum of L4 covers a DSCP. @skb is private. */
static inline void natflow_dscp_set(struct sk_buff *skb, u8 dscp)
{
	if (skb->protocol == htons(ETH_P_IP))
		ipv4_change_dsfield(ip_hdr(skb), INET_ECN_MASK, dscp << 2);
	else
		ipv6_change_dsfield(ipv6_hdr(skb), INET_ECN_MASK, dscp << 2);
}

#endif /* _NATFLOW_CORE_DSCP_H */
