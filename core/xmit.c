// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transmission: the parts that are not inlined.
 *
 * A device without a queue gets a packet at once, from natflow_xmit_send(), where nobody
 * can tell that from dev_queue_xmit(): no queue, tap, tracepoint or hook at its egress, one
 * transmit queue, and a packet that needs nothing done. All of it is asked for each packet.
 */
#include <linux/tracepoint.h>
#include <net/busy_poll.h>
#include <net/sch_generic.h>
#include "xmit.h"

/* -- headers */

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

/* -- the last step */

/* What of the kernel's tracepoints dev_queue_xmit() passes. They are not exported by name. */
static struct tracepoint untraced;
static struct tracepoint *traced[] = { &untraced, &untraced, &untraced };

static void find_traced(struct tracepoint *point, void *unused)
{
	static const char * const names[ARRAY_SIZE(traced)] = {
		"net_dev_queue", "net_dev_start_xmit", "net_dev_xmit",
	};
	int i = match_string(names, ARRAY_SIZE(names), point->name);

	if (i >= 0)
		traced[i] = point;
}

/** natflow_xmit_init() - before anything is sent */
void __init natflow_xmit_init(void)
{
	if (IS_ENABLED(CONFIG_TRACEPOINTS))
		for_each_kernel_tracepoint(find_traced, NULL);
}

/* Does nobody look at what this device sends? */
static __always_inline bool is_unseen(struct net_device *dev)
{
	return !natflow_compat_has_egress(dev) && !natflow_compat_is_tapped(dev) &&
	       !rcu_access_pointer(traced[0]->funcs) && !rcu_access_pointer(traced[1]->funcs) &&
	       !rcu_access_pointer(traced[2]->funcs);
}

static bool finishes_sums(const struct net_device *dev)
{
	const struct net_device_ops *ops = dev->netdev_ops;

	return dev->features & NETIF_F_HW_CSUM &&
	       (!ops->ndo_features_check || ops->ndo_features_check == passthru_features_check);
}

/* As validate_xmit_skb() in net/core/dev.c: is there nothing to do for the driver? */
static __always_inline bool is_ready(const struct sk_buff *skb, const struct net_device *dev)
{
	if (skb->ip_summed == CHECKSUM_PARTIAL && !finishes_sums(dev))
		return false;
	return !skb->data_len && !skb_vlan_tag_present(skb) && !skb_is_gso(skb) && !skb_dst(skb);
}

/**
 * natflow_xmit_send() - dev_queue_xmit(), and shorter for a device without a queue
 * @skb: at its L2 header, its device set; without a socket and extensions
 *
 * Context: RCU read side, BH disabled. Consumes @skb.
 * Return: as dev_queue_xmit().
 */
int natflow_xmit_send(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	struct netdev_queue *txq = netdev_get_tx_queue(dev, 0);
	const int cpu = smp_processor_id();
	int sent = NETDEV_TX_BUSY;

	if (rcu_dereference_bh(txq->qdisc)->enqueue || READ_ONCE(dev->real_num_tx_queues) != 1 ||
	    !is_ready(skb, dev) || !is_unseen(dev) || !(READ_ONCE(dev->flags) & IFF_UP) ||
	    READ_ONCE(txq->xmit_lock_owner) == cpu || dev_xmit_recursion())
		return dev_queue_xmit(skb);
	skb_reset_mac_header(skb);
	natflow_compat_leave_ingress(skb);
	natflow_compat_set_sender(skb, cpu);
	skb_set_queue_mapping(skb, 0);
	HARD_TX_LOCK(dev, txq, cpu);
	if (likely(!netif_xmit_stopped(txq))) {
		dev_xmit_recursion_inc();
		sent = netdev_start_xmit(skb, dev, txq, false);
		dev_xmit_recursion_dec();
	}
	HARD_TX_UNLOCK(dev, txq);
	return likely(dev_xmit_complete(sent)) ? sent : dev_queue_xmit(skb);
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
	sent = natflow_xmit_send(skb);
	if (likely(sent == NET_XMIT_SUCCESS || sent == NET_XMIT_CN))
		natflow_bypass_count(&eg->down.bypass, l3, true);
}
