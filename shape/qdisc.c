// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queueing discipline "natflow": `tc qdisc replace dev DEV root natflow`. It has no
 * classes, and no options of tc. Its rates are those of the link lines.
 *
 * Packets wait in lanes. Lane 0 has the rate of the device's own line, if it has one. Each
 * line with rx= has a lane on the devices of users, for what comes from its link; the lanes
 * of one link share a clock. A lane books time on the clock for the packet that it sends,
 * and sends the next one at the end of what was booked by then. So lanes of several
 * devices send in turn, and all together at the link's rate.
 *
 * Locks: the qdisc's root lock, but for init(), destroy() and the functions of link.h
 * (RTNL). Clocks are atomic.
 */
#include <linux/module.h>
#include <linux/random.h>
#include <net/pkt_sched.h>
#include "../core/base/netns.h"
#include "../core/doubt.h"
#include "link.h"
#include "qdisc.h"
#include "drr.h"
#include "who.h"

/* While packets wait, a timer that was late is made up for, up to this. */
#define LATE_MAX	(250 * NSEC_PER_MSEC)
/* A super-packet that lasts longer than this is sent as its segments. */
#define LONG		NSEC_PER_MSEC
#define LANES		(1 + NATFLOW_RX_MAX)

/* Of a qdisc that natflow attached: "6e66:". Others' begin at 8001:. */
#define HANDLE		TC_H_MAKE(0x6e66 << 16, 0)

struct lane {
	struct natflow_drr queue;	/* without records until the lane is needed */
	struct psched_ratecfg rate;	/* without overhead; rate_bytes_ps 0: no limit */
	struct natflow_link link;	/* its overhead */
	int ifindex;			/* of the link's device; 0: lane 0, or not in use */
	atomic64_t *clock;		/* ns of ktime_get_ns(): all that was booked has left */
	u64 slot;			/* the next packet leaves then */
	u64 since;			/* packets wait since then */
};

struct shaper {
	struct lane lane[LANES];
	hsiphash_key_t key;		/* of flows' hashes */
	unsigned int lanes;		/* that have records */
	unsigned int turn;		/* lane that is asked first */
	atomic64_t clock;		/* of lane 0 */
	struct qdisc_watchdog watchdog;
};

static bool is_limited(const struct lane *lane)
{
	return lane->rate.rate_bytes_ps;
}

/* -- time */

/* ns that a packet takes on the link; a super-packet has each header and overhead often. */
static u64 duration(const struct lane *lane, const struct sk_buff *skb)
{
	const u32 n = skb_is_gso(skb) ? max_t(u32, skb_shinfo(skb)->gso_segs, 1) : 1;
	u32 len = qdisc_pkt_len(skb);

	if (lane->link.has_overhead)
		len += n * (lane->link.overhead - skb_network_offset(skb));
	return psched_l2t_ns(&lane->rate, max_t(u32, len, n * lane->link.mpu));
}

static void book(struct lane *lane, const struct sk_buff *skb, u64 now)
{
	const u64 from = max(lane->since, now - LATE_MAX), lasts = duration(lane, skb);
	s64 old = atomic64_read(lane->clock);

	do {
		lane->slot = max_t(u64, old, from) + lasts;
	} while (!atomic64_try_cmpxchg(lane->clock, &old, lane->slot));
}

/* Lane 0's rate is the device's: it holds for all lanes. */
static u64 ready(const struct shaper *s, const struct lane *lane)
{
	u64 own = is_limited(lane) ? lane->slot : 0;

	return is_limited(&s->lane[0]) ? max(own, s->lane[0].slot) : own;
}

/* -- in */

/* Cells are counted for each segment, so it must be one. */
static bool is_long(const struct lane *lane, const struct sk_buff *skb)
{
	return is_limited(lane) && (lane->link.atm || duration(lane, skb) > LONG);
}

static struct lane *lane_of(struct shaper *s, int ifindex)
{
	unsigned int i;

	for (i = 1; ifindex && i < s->lanes; i++)
		if (s->lane[i].ifindex == ifindex)
			return &s->lane[i];
	return &s->lane[0];
}

/* The record that a packet waits in, and its lane. */
static struct natflow_drr_flow *flow_of(struct Qdisc *sch, struct sk_buff *skb, struct lane **lane)
{
	struct shaper *s = qdisc_priv(sch);
	const u32 hash = natflow_hash_of(skb, &s->key);
	struct natflow_drr_flow *flow;
	struct natflow_who who;
	unsigned int i;

	for (i = 0; i < s->lanes; i++) {
		*lane = &s->lane[i];
		flow = natflow_drr_find(&s->lane[i].queue, hash);
		if (likely(flow))
			return flow;
	}
	natflow_who(skb, qdisc_dev(sch), s->lanes > 1, &who);
	*lane = lane_of(s, who.ifindex);
	return natflow_drr_join(&(*lane)->queue, hash, &who.client, natflow_tin_of(skb));
}

/* A super-packet waits as its segments; false: it cannot be cut. */
static bool add_segments(struct lane *lane, struct natflow_drr_flow *flow, struct sk_buff *skb,
			 u64 now)
{
	const netdev_features_t features = netif_skb_features(skb) & ~NETIF_F_GSO_MASK;
	struct sk_buff *segs = skb_gso_segment(skb, features), *next;

	if (IS_ERR_OR_NULL(segs))
		return false;
	skb_list_walk_safe(segs, segs, next) {
		skb_mark_not_on_list(segs);
		qdisc_skb_cb(segs)->pkt_len = segs->len;
		natflow_compat_set_pkt_segs(segs, 1);
		natflow_drr_add(&lane->queue, flow, segs, now);
	}
	consume_skb(skb);
	return true;
}

/* Packets give way until the queue is within its memory. Return: bytes of @flow among them. */
static u32 spill(struct Qdisc *sch, struct natflow_drr *queue, const struct natflow_drr_flow *flow,
		 struct sk_buff **to_free)
{
	const u32 before = flow->bytes;

	while (queue->memory > queue->memory_max) {
		__qdisc_drop(natflow_drr_spill(queue), to_free);
		qdisc_qstats_drop(sch);
	}
	return before - flow->bytes;
}

static int enqueue(struct sk_buff *skb, struct Qdisc *sch, struct sk_buff **to_free)
{
	struct shaper *s = qdisc_priv(sch);
	const u64 now = ktime_get_ns();
	struct natflow_drr_flow *flow;
	struct lane *lane;

	flow = flow_of(sch, skb, &lane);
	if (!lane->queue.memory)
		lane->since = now;
	if (!skb_is_gso(skb) || (!is_long(lane, skb) && !is_long(&s->lane[0], skb)) ||
	    !add_segments(lane, flow, skb, now))
		natflow_drr_add(&lane->queue, flow, skb, now);
	if (likely(lane->queue.memory <= lane->queue.memory_max))
		return NET_XMIT_SUCCESS;
	return spill(sch, &lane->queue, flow, to_free) ? NET_XMIT_CN : NET_XMIT_SUCCESS;
}

/* -- out */

/* The next packet of a lane that may send now; @later: when one may that may not. */
static struct sk_buff *next_of_lane(struct shaper *s, struct lane *lane, u64 now, u64 *later)
{
	const u64 at = ready(s, lane);
	struct sk_buff *skb;

	if (!lane->queue.memory)
		return NULL;
	if (at > now) {
		*later = min(*later, at);
		return NULL;
	}
	skb = natflow_drr_next(&lane->queue);
	if (skb && is_limited(lane))
		book(lane, skb, now);
	if (skb && lane != &s->lane[0] && is_limited(&s->lane[0])) {
		s->lane[0].since = lane->since;
		book(&s->lane[0], skb, now);
	}
	return skb;
}

static noinline struct sk_buff *next_packet(struct Qdisc *sch)
{
	struct shaper *s = qdisc_priv(sch);
	u64 now = ktime_get_ns(), later = U64_MAX;
	struct sk_buff *skb;
	unsigned int i;

	for (i = 0; i < s->lanes; i++) {
		const unsigned int turn = s->turn;

		s->turn = turn + 1 < s->lanes ? turn + 1 : 0;
		skb = next_of_lane(s, &s->lane[turn], now, &later);
		if (skb) {
			qdisc_bstats_update(sch, skb);
			return skb;
		}
	}
	if (later != U64_MAX) {
		qdisc_watchdog_schedule_ns(&s->watchdog, later);
		qdisc_qstats_overlimit(sch);
	}
	return NULL;
}

/* The kernel asks behind each packet that it sends by itself, too. */
static struct sk_buff *dequeue(struct Qdisc *sch)
{
	return sch->q.qlen ? next_packet(sch) : NULL;
}

/* -- up and down */

static void reset(struct Qdisc *sch)
{
	struct shaper *s = qdisc_priv(sch);
	struct sk_buff *skb;
	unsigned int i;

	qdisc_watchdog_cancel(&s->watchdog);
	for (i = 0; i < s->lanes; i++)
		while ((skb = natflow_drr_spill(&s->lane[i].queue))) {
			rtnl_kfree_skbs(skb, skb);
			qdisc_qstats_drop(sch);	/* as a device that goes down does not say */
		}
}

static void set_rate(struct lane *lane, const struct natflow_link *link, u64 bits)
{
	struct tc_ratespec spec = {};
	u64 frame;

	lane->rate.rate_bytes_ps = 0;
	if (!bits)
		return;
	lane->link = *link;
	spec.linklayer = link->atm ? TC_LINKLAYER_ATM : TC_LINKLAYER_ETHERNET;
	psched_ratecfg_precompute(&lane->rate, &spec, div_u64(bits, 8));
	/* CoDel must let a frame and a half wait, however long one lasts. */
	frame = psched_l2t_ns(&lane->rate, lane->queue.quantum);
	natflow_drr_set_target(&lane->queue, frame + frame / 2);
	/* What was booked at a lower rate is worth less; never more than a frame at once. */
	frame += ktime_get_ns();
	lane->slot = min(lane->slot, frame);
	if (atomic64_read(lane->clock) > frame)
		atomic64_set(lane->clock, frame);
}

/* Records for one more lane. Context: RTNL. */
static int add_lane(struct Qdisc *sch)
{
	struct shaper *s = qdisc_priv(sch);
	struct lane *lane = &s->lane[s->lanes];
	int err = natflow_drr_init(&lane->queue, sch);

	if (err) {
		natflow_drr_free(&lane->queue);
		memset(lane, 0, sizeof(*lane));
		return err;
	}
	lane->clock = &s->clock;
	spin_lock_bh(qdisc_lock(sch));
	s->lanes++;
	spin_unlock_bh(qdisc_lock(sch));
	return 0;
}

/* The lines whose link's packets may leave by @dev, and the clocks of these. */
static unsigned int find_rx(struct natflow_net *nn, const struct net_device *dev,
			    const struct natflow_link **rx, atomic64_t **clock)
{
	const struct natflow_links *links = nn ? natflow_links(nn) : NULL;
	unsigned int i, n = 0, count = 0;

	for (i = 0; links && i < links->count; i++) {
		const struct natflow_link *link = &links->link[i];

		if (!link->rx)
			continue;
		if (strcmp(link->dev, dev->name)) {
			rx[count] = link;
			clock[count++] = &nn->rx_clock[n];
		}
		n++;
	}
	return count;
}

/* Rates and lanes as the lines say. Return: 0 or -ENOMEM: some lanes are missing. */
static int configure(struct Qdisc *sch)
{
	struct net_device *from, *dev = qdisc_dev(sch);
	struct natflow_net *nn = natflow_net(dev_net(dev));
	const struct natflow_link *own = nn ? natflow_link_of(nn, dev) : NULL;
	const struct natflow_link *rx[NATFLOW_RX_MAX];
	atomic64_t *clock[NATFLOW_RX_MAX];
	struct shaper *s = qdisc_priv(sch);
	unsigned int i, count = find_rx(nn, dev, rx, clock);
	int err = 0;

	while (!err && s->lanes < 1 + count)
		err = add_lane(sch);
	spin_lock_bh(qdisc_lock(sch));
	set_rate(&s->lane[0], own, own ? own->tx : 0);
	for (i = 0; i + 1 < s->lanes; i++) {
		struct lane *lane = &s->lane[i + 1];

		from = i < count ? __dev_get_by_name(dev_net(dev), rx[i]->dev) : NULL;
		lane->ifindex = from ? from->ifindex : 0;
		lane->clock = i < count ? clock[i] : &s->clock;
		set_rate(lane, from ? rx[i] : NULL, from ? rx[i]->rx : 0);
	}
	if (s->lanes == 1 && !is_limited(&s->lane[0]))
		sch->flags |= TCQ_F_CAN_BYPASS;
	else
		sch->flags &= ~TCQ_F_CAN_BYPASS;
	spin_unlock_bh(qdisc_lock(sch));
	return err;
}

static int init(struct Qdisc *sch, struct nlattr *opt, struct netlink_ext_ack *extack)
{
	struct shaper *s = qdisc_priv(sch);
	int err;

	qdisc_watchdog_init(&s->watchdog, sch);
	get_random_bytes(&s->key, sizeof(s->key));
	if (opt) {
		NL_SET_ERR_MSG(extack, "natflow has no options; see /dev/natflow_qos_ctl");
		return -EINVAL;
	}
	if (sch->parent != TC_H_ROOT) {
		NL_SET_ERR_MSG(extack, "natflow is a root qdisc");
		return -EOPNOTSUPP;
	}
	err = add_lane(sch);
	return err ?: configure(sch);
}

static void destroy(struct Qdisc *sch)
{
	struct shaper *s = qdisc_priv(sch);
	unsigned int i;

	qdisc_watchdog_cancel(&s->watchdog);
	for (i = 0; i < s->lanes; i++)
		natflow_drr_free(&s->lane[i].queue);
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
	if (up)
		dev_activate(dev);
	natflow_compat_unlock_device(dev);
	/* What tc's message would do. */
	natflow_doubt(natflow_net(dev_net(dev)), NATFLOW_DOUBT_PATHS, NATFLOW_CAUSE_DEVICE, dev);
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
 * @others: also if tc attached it
 *
 * Context: RTNL.
 */
void natflow_qdisc_detach(struct net_device *dev, bool others)
{
	if (natflow_qdisc_is_on(dev) && (others || rtnl_dereference(dev->qdisc)->handle == HANDLE))
		graft(dev, NULL);
}

/**
 * natflow_qdisc_configure() - lines were written, or a device that they name has come
 * @dev: device that has the qdisc
 *
 * Context: RTNL. Return: 0 or -ENOMEM: not all links with rx= are held.
 */
int natflow_qdisc_configure(struct net_device *dev)
{
	struct Qdisc *sch = rtnl_dereference(dev->qdisc);
	struct shaper *s = qdisc_priv(sch);
	int err = configure(sch);

	/* Packets may wait for a time of the old rate. */
	qdisc_watchdog_schedule_ns(&s->watchdog, 0);
	return err;
}

int natflow_qdisc_init(void)
{
	return register_qdisc(&qdisc_ops);
}

void natflow_qdisc_exit(void)
{
	unregister_qdisc(&qdisc_ops);
}
