// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queueing discipline "natflow": `tc qdisc replace dev DEV root natflow`. It has no
 * classes, and no options of tc. Its rate is that of the device's link line.
 *
 * Locks: the qdisc's root lock, but for init() and destroy() (RTNL).
 */
#include <linux/module.h>
#include <net/pkt_sched.h>
#include "link.h"
#include "qdisc.h"
#include "drr.h"
#include "who.h"

/* A timer that was late is made up for, up to this. */
#define LATE_MAX	(2 * NSEC_PER_MSEC)
/* A super-packet that lasts longer than this is sent as its segments. */
#define LONG		NSEC_PER_MSEC

/* Of a qdisc that natflow attached: "6e66:". Others' begin at 8001:. */
#define HANDLE		TC_H_MAKE(0x6e66 << 16, 0)

struct shaper {
	struct natflow_drr queue;
	struct qdisc_watchdog watchdog;
	struct psched_ratecfg rate;	/* without overhead; rate_bytes_ps 0: no limit */
	struct natflow_link link;
	u64 free;			/* ns of the monotonic clock: the link is free again */
};

/* ns that a packet takes on the link; a super-packet has each header and overhead often. */
static u64 duration(const struct shaper *s, const struct sk_buff *skb)
{
	const u32 n = skb_is_gso(skb) ? max_t(u32, skb_shinfo(skb)->gso_segs, 1) : 1;
	u32 len = qdisc_pkt_len(skb);

	if (s->link.has_overhead)
		len += n * (s->link.overhead - skb_network_offset(skb));
	return psched_l2t_ns(&s->rate, max_t(u32, len, n * s->link.mpu));
}

/* Cells are counted for each segment, so it must be one. */
static bool must_split(const struct shaper *s, const struct sk_buff *skb)
{
	return s->rate.rate_bytes_ps && skb_is_gso(skb) &&
	       (s->link.atm || duration(s, skb) > LONG);
}

static struct natflow_drr_flow *flow_of(struct Qdisc *sch, struct sk_buff *skb)
{
	struct shaper *s = qdisc_priv(sch);
	const u32 hash = skb_get_hash(skb);
	struct natflow_drr_flow *flow = natflow_drr_find(&s->queue, hash);
	struct natflow_client client;

	if (likely(flow))
		return flow;
	natflow_who(skb, qdisc_dev(sch), &client);
	return natflow_drr_join(&s->queue, hash, &client, natflow_tin_of(skb));
}

/* A super-packet waits as its segments. */
static int add_segments(struct Qdisc *sch, struct natflow_drr_flow *flow, struct sk_buff *skb,
			struct sk_buff **to_free)
{
	const netdev_features_t features = netif_skb_features(skb) & ~NETIF_F_GSO_MASK;
	struct sk_buff *segs = skb_gso_segment(skb, features), *next;
	const unsigned int whole = qdisc_pkt_len(skb);
	struct shaper *s = qdisc_priv(sch);
	unsigned int n = 0, len = 0;

	if (IS_ERR_OR_NULL(segs))
		return qdisc_drop(skb, sch, to_free);
	skb_list_walk_safe(segs, segs, next) {
		skb_mark_not_on_list(segs);
		qdisc_skb_cb(segs)->pkt_len = segs->len;
		natflow_compat_set_pkt_segs(segs, 1);
		natflow_drr_add(&s->queue, flow, segs);
		len += segs->len;
		n++;
	}
	qdisc_tree_reduce_backlog(sch, 1 - n, whole - len);
	consume_skb(skb);
	return NET_XMIT_SUCCESS;
}

/* Packets give way until the queue is within its memory. Return: bytes of @flow among them. */
static u32 spill(struct Qdisc *sch, const struct natflow_drr_flow *flow, struct sk_buff **to_free)
{
	struct shaper *s = qdisc_priv(sch);
	const u32 before = flow->bytes;
	struct sk_buff *skb;

	while (s->queue.memory > s->queue.memory_max) {
		skb = natflow_drr_spill(&s->queue);
		__qdisc_drop(skb, to_free);
		qdisc_qstats_drop(sch);
	}
	return before - flow->bytes;
}

static int enqueue(struct sk_buff *skb, struct Qdisc *sch, struct sk_buff **to_free)
{
	struct shaper *s = qdisc_priv(sch);
	struct natflow_drr_flow *flow = flow_of(sch, skb);
	const unsigned int len = qdisc_pkt_len(skb);
	unsigned int packets, bytes;
	bool own;

	if (must_split(s, skb)) {
		if (add_segments(sch, flow, skb, to_free) != NET_XMIT_SUCCESS)
			return NET_XMIT_DROP;
	} else {
		natflow_drr_add(&s->queue, flow, skb);
	}
	if (likely(s->queue.memory <= s->queue.memory_max))
		return NET_XMIT_SUCCESS;
	packets = sch->q.qlen;
	bytes = sch->qstats.backlog;
	own = spill(sch, flow, to_free);
	packets -= sch->q.qlen;
	bytes -= sch->qstats.backlog;
	/* A packet that the parent hears was not taken, it has not counted. */
	qdisc_tree_reduce_backlog(sch, packets - own, bytes - own * len);
	return own ? NET_XMIT_CN : NET_XMIT_SUCCESS;
}

static struct sk_buff *dequeue(struct Qdisc *sch)
{
	struct shaper *s = qdisc_priv(sch);
	const bool limited = s->rate.rate_bytes_ps;
	const u64 now = limited ? ktime_get_ns() : 0;
	struct sk_buff *skb;

	if (limited && s->free > now) {
		if (sch->q.qlen) {
			qdisc_watchdog_schedule_ns(&s->watchdog, s->free);
			qdisc_qstats_overlimit(sch);
		}
		return NULL;
	}
	skb = natflow_drr_next(&s->queue);
	if (!skb)
		return NULL;
	qdisc_bstats_update(sch, skb);
	if (limited)
		s->free = max(s->free, now - LATE_MAX) + duration(s, skb);
	return skb;
}

static void reset(struct Qdisc *sch)
{
	struct shaper *s = qdisc_priv(sch);
	struct sk_buff *skb;

	qdisc_watchdog_cancel(&s->watchdog);
	if (!s->queue.users)	/* init() failed */
		return;
	while ((skb = natflow_drr_any(&s->queue)))
		rtnl_kfree_skbs(skb, skb);
}

static void set_rate(struct shaper *s, const struct natflow_link *link)
{
	struct tc_ratespec spec = {};

	s->rate.rate_bytes_ps = 0;
	if (!link)
		return;
	s->link = *link;
	spec.linklayer = link->atm ? TC_LINKLAYER_ATM : TC_LINKLAYER_ETHERNET;
	psched_ratecfg_precompute(&s->rate, &spec, div_u64(link->tx, 8));
}

static int init(struct Qdisc *sch, struct nlattr *opt, struct netlink_ext_ack *extack)
{
	struct shaper *s = qdisc_priv(sch);
	struct natflow_link link;

	qdisc_watchdog_init(&s->watchdog, sch);
	if (opt) {
		NL_SET_ERR_MSG(extack, "natflow has no options; see /dev/natflow_qos_ctl");
		return -EINVAL;
	}
	if (sch->parent != TC_H_ROOT) {
		NL_SET_ERR_MSG(extack, "natflow is a root qdisc");
		return -EOPNOTSUPP;
	}
	sch->flags &= ~TCQ_F_CAN_BYPASS;
	set_rate(s, natflow_link_of(qdisc_dev(sch), &link) ? &link : NULL);
	return natflow_drr_init(&s->queue, sch);
}

static void destroy(struct Qdisc *sch)
{
	struct shaper *s = qdisc_priv(sch);

	qdisc_watchdog_cancel(&s->watchdog);
	natflow_drr_free(&s->queue);
}

static int dump(struct Qdisc *sch, struct sk_buff *skb)
{
	return skb->len;
}

static struct Qdisc_ops qdisc_ops __read_mostly = {
	.id		= "natflow",
	.priv_size	= sizeof(struct shaper),
	.enqueue	= enqueue,
	.dequeue	= dequeue,
	.peek		= qdisc_peek_dequeued,
	.init		= init,
	.reset		= reset,
	.destroy	= destroy,
	.dump		= dump,
	.owner		= THIS_MODULE,
};

/* Is it the device's root? Context: RTNL. */
bool natflow_qdisc_is_on(const struct net_device *dev)
{
	return rtnl_dereference(dev->qdisc)->ops == &qdisc_ops;
}

/* Make @sch, or the kernel's default, the root of a device: what `tc qdisc replace` does. */
static void graft(struct net_device *dev, struct Qdisc *sch)
{
	struct Qdisc *old = rtnl_dereference(dev->qdisc);
	const bool up = dev->flags & IFF_UP;
	unsigned int i;

	natflow_compat_lock_device(dev);
	if (up)
		natflow_compat_deactivate(dev);
	for (i = 0; i < dev->num_tx_queues; i++) {
		if (sch && i)
			qdisc_refcount_inc(sch);
		qdisc_put(dev_graft_qdisc(netdev_get_tx_queue(dev, i), sch));
	}
	if (sch)
		qdisc_refcount_inc(sch);
	rcu_assign_pointer(dev->qdisc, sch ?: &noop_qdisc);
	qdisc_put(old);
	if (sch)
		qdisc_hash_add(sch, false);
	if (up)
		dev_activate(dev);
	natflow_compat_unlock_device(dev);
}

/**
 * natflow_qdisc_attach() - a device gets the qdisc, unless somebody gave it another one
 * @dev: device
 *
 * Context: RTNL. Return: 0, -EBUSY, -ENOMEM.
 */
int natflow_qdisc_attach(struct net_device *dev)
{
	struct Qdisc *sch;

	/* The kernel's own default ones have no handle. */
	if (rtnl_dereference(dev->qdisc)->handle)
		return -EBUSY;
	sch = qdisc_create_dflt(netdev_get_tx_queue(dev, 0), &qdisc_ops, TC_H_ROOT, NULL);
	if (!sch)
		return -ENOMEM;
	sch->handle = HANDLE;
	graft(dev, sch);
	return 0;
}

/**
 * natflow_qdisc_detach() - a device gets the kernel's default qdisc back
 * @dev: device
 *
 * Context: RTNL.
 */
void natflow_qdisc_detach(struct net_device *dev)
{
	if (natflow_qdisc_is_on(dev))
		graft(dev, NULL);
}

/**
 * natflow_qdisc_set_link() - a device's link line was written, or is gone
 * @dev: device that has the qdisc
 * @link: line, or NULL
 *
 * Context: RTNL.
 */
void natflow_qdisc_set_link(struct net_device *dev, const struct natflow_link *link)
{
	struct Qdisc *sch = rtnl_dereference(dev->qdisc);
	struct shaper *s = qdisc_priv(sch);

	sch_tree_lock(sch);
	set_rate(s, link);
	s->free = 0;
	sch_tree_unlock(sch);
	/* Packets may wait for a time of the old rate. */
	qdisc_watchdog_schedule_ns(&s->watchdog, 0);
}

int natflow_qdisc_init(void)
{
	return register_qdisc(&qdisc_ops);
}

void natflow_qdisc_exit(void)
{
	unregister_qdisc(&qdisc_ops);
}
