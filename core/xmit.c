// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transmission: the parts that are not inlined.
 *
 * A device without a queue, or with an empty one that packets may pass by, gets a packet at
 * once, from natflow_xmit_send(), where nobody can tell that from dev_queue_xmit(): no tap,
 * tracepoint or hook at its egress, one transmit queue, and a packet that needs nothing
 * done. All of it is asked for each packet.
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

/* What is done to a packet in front of the driver. */
static __always_inline void prepare(struct sk_buff *skb, int cpu)
{
	skb_reset_mac_header(skb);
	natflow_compat_leave_ingress(skb);
	natflow_compat_set_sender(skb, cpu);
	skb_set_queue_mapping(skb, 0);
}

/* Does a queueing discipline say that packets may pass by while it is empty? */
static __always_inline bool may_pass(const struct Qdisc *q)
{
	const u32 without = TCQ_F_NOLOCK | TCQ_F_CPUSTATS;

	return (READ_ONCE(q->flags) & (TCQ_F_CAN_BYPASS | without)) == TCQ_F_CAN_BYPASS &&
	       !rcu_access_pointer(q->stab) && !IS_ENABLED(CONFIG_PREEMPT_RT);
}

/* As dev_requeue_skb(): the driver's queue is full, and the packet stays the first one. */
static void put_back(struct sk_buff *skb, struct Qdisc *q)
{
	__skb_queue_head(&q->gso_skb, skb);
	q->qstats.requeues++;
	qdisc_qstats_backlog_inc(q, skb);
	q->q.qlen++;
}

/*
 * As __dev_xmit_skb() and sch_direct_xmit() do: nobody is sending, no packet waits, so this
 * one passes by. What came meanwhile is left to the softirq of transmission.
 *
 * Return: false: something is different, and @skb is as before.
 */
static bool pass_by(struct sk_buff *skb, struct Qdisc *q, struct netdev_queue *txq, int cpu)
{
	struct net_device *dev = skb->dev;
	spinlock_t *lock = qdisc_lock(q);
	int sent = NETDEV_TX_BUSY;

	if (!spin_trylock(lock))
		return false;
	if (test_bit(__QDISC_STATE_DEACTIVATED, &q->state) || !may_pass(q) || qdisc_qlen(q) ||
	    natflow_compat_others_come(q) || !natflow_compat_run_begin(q)) {
		spin_unlock(lock);
		return false;
	}
	qdisc_skb_cb(skb)->pkt_len = skb->len;
	natflow_compat_set_pkt_segs(skb, 1);
	qdisc_bstats_update(q, skb);
	spin_unlock(lock);
	prepare(skb, cpu);
	HARD_TX_LOCK(dev, txq, cpu);
	if (likely(!netif_xmit_frozen_or_stopped(txq)))
		sent = netdev_start_xmit(skb, dev, txq, false);
	HARD_TX_UNLOCK(dev, txq);
	spin_lock(lock);
	if (unlikely(!dev_xmit_complete(sent)))
		put_back(skb, q);
	natflow_compat_run_end(q);
	if (unlikely(qdisc_qlen(q)))
		__netif_schedule(q);
	spin_unlock(lock);
	return true;
}

/**
 * natflow_xmit_send() - dev_queue_xmit(), and shorter for a device whose queue is empty
 * @skb: at its L2 header, its device set; without a socket and extensions
 *
 * Context: RCU read side, BH disabled. Consumes @skb.
 * Return: as dev_queue_xmit().
 */
int natflow_xmit_send(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	struct netdev_queue *txq = netdev_get_tx_queue(dev, 0);
	struct Qdisc *q = rcu_dereference_bh(txq->qdisc);
	const int cpu = smp_processor_id();
	int sent = NETDEV_TX_BUSY;

	if ((q->enqueue && !may_pass(q)) || READ_ONCE(dev->real_num_tx_queues) != 1 ||
	    !is_ready(skb, dev) || !is_unseen(dev) || !(READ_ONCE(dev->flags) & IFF_UP) ||
	    READ_ONCE(txq->xmit_lock_owner) == cpu || dev_xmit_recursion())
		return dev_queue_xmit(skb);
	if (q->enqueue)
		return pass_by(skb, q, txq, cpu) ? NET_XMIT_SUCCESS : dev_queue_xmit(skb);
	prepare(skb, cpu);
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
