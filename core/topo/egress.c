// SPDX-License-Identifier: GPL-2.0-only
/* Shared next hops. Neighbour events rewrite or kill them. */
#include <linux/etherdevice.h>
#include <linux/hash.h>
#include <linux/if_vlan.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/dst.h>
#include <net/netns/hash.h>
#include <net/sch_generic.h>
#include "../base/attach.h"
#include "../base/charge.h"
#include "../base/clock.h"
#include "egress.h"

static u32 mtu6_of(const struct net_device *dev)
{
	const struct inet6_dev *idev = __in6_dev_get(dev);

	return idev ? READ_ONCE(idev->cnf.mtu6) : 0;
}

/**
 * natflow_egress_mtu_holds() - does the stack still use the MTU of this egress
 * @eg: egress, seen alive in this RCU section
 *
 * The kernel sends no event when net.ipv4.ip_forward_use_pmtu or
 * net.ipv6.conf.DEV.mtu is written. While the former is set, a route's learned MTU
 * may change at any time, see core/topo/route.h.
 *
 * Context: RCU read side.
 */
bool natflow_egress_mtu_holds(const struct natflow_egress *eg)
{
	if (eg->ethertype == htons(ETH_P_IP))
		return !READ_ONCE(eg->nn->net->ipv4.sysctl_ip_fwd_use_pmtu);
	return mtu6_of(eg->out) == eg->mtu6;
}

static bool resolved(const struct natflow_egress *eg)
{
	return !eg->neigh->dead && READ_ONCE(eg->neigh->nud_state) & NUD_VALID;
}

/* Insert the in-band tags between addresses and ethertype, the outer tag first. */
static void push_tags(const struct natflow_egress *eg, struct sk_buff *skb)
{
	__be16 type = eg->ethertype;
	unsigned int i;

	for (i = 0; i < eg->down.inband; i++) {
		const struct natflow_tag *tag = &eg->down.tag[i];
		__be16 words[2] = { htons(tag->tci), type };

		skb_push(skb, VLAN_HLEN);
		memmove(skb->data, skb->data + VLAN_HLEN, 2 * ETH_ALEN);
		memcpy(skb->data + ETH_HLEN, words, sizeof(words));
		type = tag->proto;
	}
	memcpy(skb->data + 2 * ETH_ALEN, &type, sizeof(type));
}

/*
 * Build the L2 header that the device would write now. The header goes to a scratch
 * skb, because header_ops of a VLAN device without REORDER_HDR also push a tag.
 * Return: the skb, or NULL without memory.
 */
static struct sk_buff *header_of(const struct natflow_egress *eg)
{
	char ha[ALIGN(MAX_ADDR_LEN, sizeof(unsigned long))];
	struct net_device *dev = eg->out;
	struct sk_buff *skb;

	skb = alloc_skb(LL_RESERVED_SPACE(dev) + NATFLOW_L2_MAX, GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, LL_RESERVED_SPACE(dev) + NATFLOW_L2_MAX);
	neigh_ha_snapshot(ha, eg->neigh, dev);
	if (dev_hard_header(skb, dev, ntohs(eg->ethertype), ha, NULL, 0) >= 0 &&
	    skb->len + eg->down.tags * VLAN_HLEN <= NATFLOW_L2_MAX) {
		if (eg->down.inband)
			push_tags(eg, skb);
		return skb;
	}
	kfree_skb(skb);
	return NULL;
}

/* A random part: stations choose their addresses. */
static u32 hash_station(const struct natflow_net *nn, const u8 *mac)
{
	return jhash(mac, ETH_ALEN, net_hash_mix(nn->net));
}

/* The bridge below a route's device, by VLAN devices or without. */
static int bridge_below(const struct net_device *dev)
{
	while (is_vlan_dev(dev))
		dev = vlan_dev_priv(dev)->real_dev;
	return netif_is_bridge_master(dev) ? dev->ifindex : 0;
}

/* The header begins with the station that the egress sends to. */
static void hash_by_station(struct natflow_egress *eg)
{
	if (!eg->bridge)
		return;
	hash_del(&eg->by_station);
	hash_add(eg->nn->topo.stations, &eg->by_station, hash_station(eg->nn, eg->header));
}

static bool build_header(struct natflow_egress *eg)
{
	struct sk_buff *skb = resolved(eg) ? header_of(eg) : NULL;

	lockdep_assert_held(&eg->nn->topo.egress_lock);
	if (!skb)
		return false;
	write_seqcount_begin(&eg->seq);
	memcpy(eg->header, skb->data, skb->len);
	WRITE_ONCE(eg->header_len, skb->len);
	write_seqcount_end(&eg->seq);
	hash_by_station(eg);
	kfree_skb(skb);
	return true;
}

/* Build the header of an egress in use; report it if it differs. */
static bool rebuild_header(struct natflow_egress *eg)
{
	const u8 len = eg->header_len;
	u8 header[NATFLOW_L2_MAX];

	memcpy(header, eg->header, len);
	if (!build_header(eg))
		return false;
	if (eg->header_len != len || memcmp(header, eg->header, len))
		natflow_attach_egress_changed(eg->nn, eg);
	return true;
}

static void free_rcu(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct natflow_egress, rcu));
}

/*
 * Its station is in use while a flow points to the egress, killed or not.
 * call_rcu(): a reader may have loaded the pointer before the last put.
 */
static void drop(struct natflow_egress *eg)
{
	lockdep_assert_held(&eg->nn->topo.egress_lock);
	if (!refcount_dec_and_test(&eg->ref))
		return;
	hash_del(&eg->by_station);
	call_rcu(&eg->rcu, free_rcu);
}

static void killed_rcu(struct rcu_head *rcu)
{
	struct natflow_egress *eg = container_of(rcu, struct natflow_egress, rcu);

	neigh_release(eg->neigh);
	netdev_put(eg->out, &eg->out_tracker);
	netdev_put(eg->dev, &eg->tracker);
	spin_lock_bh(&eg->nn->topo.egress_lock);
	drop(eg);
	spin_unlock_bh(&eg->nn->topo.egress_lock);
}

/*
 * End an egress: no later packet leaves by it. The RCU callback drops the hash's
 * reference after all readers that saw @eg->alive are done.
 */
static void kill(struct natflow_egress *eg)
{
	lockdep_assert_held(&eg->nn->topo.egress_lock);
	WRITE_ONCE(eg->alive, false);
	WRITE_ONCE(eg->mtu, 0);
	hash_del(&eg->node);
	natflow_attach_egress_changed(eg->nn, eg);
	call_rcu(&eg->rcu, killed_rcu);
}

static bool is_same_down(const struct natflow_down *a, const struct natflow_down *b)
{
	/* Without bypassed devices all the rest is zero. */
	return a->dev == b->dev && a->bypass.count == b->bypass.count &&
	       (!a->bypass.count || !memcmp(a, b, sizeof(*a)));
}

/* An egress may keep sending at an upper device after a lower one became usable. */
static bool same_path(const struct natflow_egress *eg)
{
	const struct natflow_bypass *bypass = &eg->down.bypass;
	struct natflow_down now;

	natflow_descend(eg->nn, eg->neigh, eg->priority, &now);
	if (now.bypass.count > bypass->count)
		return !memcmp(now.bypass.dev, bypass->dev, bypass->count * sizeof(bypass->dev[0]));
	return !memcmp(&now, &eg->down, sizeof(now));
}

/*
 * True if a qdisc that somebody chose, or a tc filter, sees what @dev sends. It may ask for
 * the conntrack, as cake's nat does: with a packet that has been rewritten, and carries
 * none, it finds no connection (net/sched/sch_cake.c:cake_update_flowkeys()).
 */
static bool is_tracked(const struct net_device *dev)
{
	for (; dev; dev = is_vlan_dev(dev) ? vlan_dev_priv(dev)->real_dev : NULL) {
		const struct Qdisc *root = rcu_dereference(dev->qdisc);

		/* The kernel's own default ones have no handle. natflow's asks by itself. */
		if ((root->handle && root->ops->owner != THIS_MODULE) ||
		    natflow_compat_has_tc(dev))
			return true;
	}
	return false;
}

/*
 * Backstop for missed events. An event may be in progress on another CPU, so an
 * egress is killed only if it differs in two checks, a second apart.
 */
static void check(struct natflow_egress *eg)
{
	struct sk_buff *skb = header_of(eg);
	bool same = !skb || (skb->len == eg->header_len &&
			     !memcmp(skb->data, eg->header, skb->len));
	bool right = same && resolved(eg) && netif_running(eg->dev) && same_path(eg);

	lockdep_assert_held(&eg->nn->topo.egress_lock);
	kfree_skb(skb);
	if (!right && eg->suspect) {
		atomic_inc(&eg->nn->missed_events);
		kill(eg);
		return;
	}
	eg->suspect = !right;
}

/* The egress is hashed before its header is built, so a concurrent neighbour update finds it. */
static struct natflow_egress *create(struct natflow_net *nn, struct neighbour *neigh, u32 mtu,
				     u32 mtu6, u32 priority, __be16 ethertype,
				     const struct natflow_down *down)
{
	struct mem_cgroup *before = natflow_charge_begin(nn);
	struct natflow_egress *eg = kzalloc(sizeof(*eg), NATFLOW_GFP_PACKET);

	natflow_charge_end(before);
	lockdep_assert_held(&nn->topo.egress_lock);
	if (!eg)
		return NULL;
	eg->nn = nn;
	eg->out = neigh->dev;
	eg->neigh = neigh_clone(neigh);
	eg->mtu = mtu;
	eg->mtu6 = mtu6;
	eg->priority = priority;
	eg->ethertype = ethertype;
	memcpy(&eg->down, down, sizeof(*down));
	eg->dev = down->dev;
	eg->headroom = LL_RESERVED_SPACE(eg->dev) + down->inband * VLAN_HLEN;
	eg->bypassing = down->bypass.count;
	eg->tracked = is_tracked(eg->dev);
	eg->bridge = bridge_below(eg->out);
	eg->alive = true;
	seqcount_spinlock_init(&eg->seq, &nn->topo.egress_lock);
	refcount_set(&eg->ref, 2);	/* the hash, the caller */
	netdev_hold(eg->dev, &eg->tracker, GFP_ATOMIC);
	netdev_hold(eg->out, &eg->out_tracker, GFP_ATOMIC);
	hash_add(nn->topo.egresses, &eg->node, hash_ptr(neigh, 32));
	if (build_header(eg))
		return eg;
	kill(eg);
	drop(eg);
	return NULL;
}

/**
 * natflow_egress_get() - find or make the egress of a next hop
 * @nn: namespace
 * @neigh: resolved next hop on a natflow_device_ok(); a new egress takes a
 *	reference
 * @mtu: largest L3 packet in bytes
 * @priority: of its packets, for egress maps of VLAN devices
 * @ethertype: ETH_P_IP or ETH_P_IPV6
 *
 * Context: RCU read side, BH disabled.
 * Return: an egress with a reference for the caller, or NULL if there is no
 * memory or the neighbour is not valid any more.
 */
struct natflow_egress *natflow_egress_get(struct natflow_net *nn, struct neighbour *neigh,
					  u32 mtu, u32 priority, __be16 ethertype)
{
	const u32 mtu6 = ethertype == htons(ETH_P_IPV6) ? mtu6_of(neigh->dev) : 0;
	struct natflow_egress *eg;
	struct natflow_down down;

	spin_lock_bh(&nn->topo.egress_lock);
	natflow_descend(nn, neigh, priority, &down);
	mtu = min(mtu, down.dev->mtu);
	if (ethertype == htons(ETH_P_IPV6))
		mtu = min(mtu, mtu6);	/* it may have shrunk since the caller looked */
	hash_for_each_possible(nn->topo.egresses, eg, node, hash_ptr(neigh, 32)) {
		if (eg->neigh == neigh && eg->mtu == mtu && eg->mtu6 == mtu6 &&
		    eg->ethertype == ethertype &&
		    (eg->priority == priority || !down.tags) &&
		    is_same_down(&eg->down, &down)) {
			refcount_inc(&eg->ref);
			goto out;
		}
	}
	eg = create(nn, neigh, mtu, mtu6, priority, ethertype, &down);
out:
	spin_unlock_bh(&nn->topo.egress_lock);
	return eg;
}

/**
 * natflow_egress_put() - drop a reference
 * @eg: egress; killed if only the hash still holds it
 *
 * Context: BH disabled or process.
 */
void natflow_egress_put(struct natflow_egress *eg)
{
	struct natflow_net *nn = eg->nn;

	spin_lock_bh(&nn->topo.egress_lock);
	if (eg->alive && refcount_read(&eg->ref) == 2)
		kill(eg);
	drop(eg);
	spin_unlock_bh(&nn->topo.egress_lock);
}

/**
 * natflow_egress_neigh_update() - a neighbour changed its address or its state
 * @nn: namespace of the neighbour's device
 * @neigh: the neighbour
 *
 * Context: any; called from the netevent chain. When it returns, the next
 * packet carries the new address or takes the stack.
 */
void natflow_egress_neigh_update(struct natflow_net *nn, struct neighbour *neigh)
{
	struct natflow_egress *eg;
	struct hlist_node *tmp;

	rcu_read_lock();
	spin_lock_bh(&nn->topo.egress_lock);
	hash_for_each_possible_safe(nn->topo.egresses, eg, tmp, node, hash_ptr(neigh, 32))
		if (eg->neigh == neigh && !(rebuild_header(eg) && same_path(eg)))
			kill(eg);
	spin_unlock_bh(&nn->topo.egress_lock);
	rcu_read_unlock();
}

/**
 * natflow_egress_station_moved() - a bridge learned, moved or forgot a station
 * @nn: namespace
 * @bridge: its ifindex, 0 if unknown
 * @mac: the station
 * @gone: it was forgotten: kill its egresses, so that its packets refresh the FDB
 *
 * Only egresses of this station are looked at.
 *
 * Context: any, interrupts on. When it returns, no packet leaves by a port that
 * is no longer the station's.
 * Return: true if a flow sends to this station, or did before its egress was killed.
 */
bool natflow_egress_station_moved(struct natflow_net *nn, int bridge, const u8 *mac, bool gone)
{
	struct natflow_egress *eg;
	struct hlist_node *tmp;
	bool used = false;

	rcu_read_lock();
	spin_lock_bh(&nn->topo.egress_lock);
	hash_for_each_possible_safe(nn->topo.stations, eg, tmp, by_station,
				    hash_station(nn, mac)) {
		if (!ether_addr_equal(eg->header, mac) || (bridge && eg->bridge != bridge))
			continue;
		used = true;
		if (eg->alive && (gone || !same_path(eg)))
			kill(eg);
	}
	spin_unlock_bh(&nn->topo.egress_lock);
	rcu_read_unlock();
	return used;
}

/**
 * natflow_egress_still() - does a route lead to the next hop of an egress
 * @eg: egress, seen alive in this RCU section
 * @dst: answer of a route lookup
 * @daddr: destination of the packet, struct in_addr or struct in6_addr
 * @mtu: with which the stack would forward
 *
 * Context: RCU read side.
 */
bool natflow_egress_still(const struct natflow_egress *eg, struct dst_entry *dst,
			  const void *daddr, u32 mtu)
{
	struct neighbour *neigh;
	bool same;

	if (eg->ethertype == htons(ETH_P_IPV6))
		mtu = min(mtu, mtu6_of(eg->out));	/* as natflow_egress_get() does */
	/* A killed egress has MTU 0. */
	if (dst->dev != eg->out || min(mtu, READ_ONCE(eg->dev->mtu)) != READ_ONCE(eg->mtu))
		return false;
	neigh = dst_neigh_lookup(dst, daddr);
	same = neigh == eg->neigh;
	if (neigh)
		neigh_release(neigh);
	return same;
}

/**
 * natflow_egress_check_paths() - something about devices or bridges changed
 * @nn: namespace
 *
 * Context: any. When it returns, no packet bypasses a device that it must not
 * bypass, or leaves by a port that is no longer its station's.
 */
void natflow_egress_check_paths(struct natflow_net *nn)
{
	struct natflow_egress *eg;
	struct hlist_node *tmp;
	unsigned int i;

	rcu_read_lock();
	spin_lock_bh(&nn->topo.egress_lock);
	hash_for_each_safe(nn->topo.egresses, i, tmp, eg, node) {
		if (!same_path(eg))
			kill(eg);
		else
			WRITE_ONCE(eg->tracked, is_tracked(eg->dev));
	}
	spin_unlock_bh(&nn->topo.egress_lock);
	rcu_read_unlock();
}

/**
 * natflow_egress_dev_gone() - a device went down, changed or disappears
 * @nn: namespace
 * @dev: device, or NULL for all
 *
 * Context: any. References to @dev are dropped one grace period later.
 */
void natflow_egress_dev_gone(struct natflow_net *nn, const struct net_device *dev)
{
	struct natflow_egress *eg;
	struct hlist_node *tmp;
	unsigned int i;

	spin_lock_bh(&nn->topo.egress_lock);
	hash_for_each_safe(nn->topo.egresses, i, tmp, eg, node)
		if (!dev || eg->dev == dev || natflow_bypass_has(&eg->down.bypass, dev))
			kill(eg);
	spin_unlock_bh(&nn->topo.egress_lock);
}

/**
 * natflow_egress_keep_neighbours() - confirm neighbours as the stack's output does
 * @nn: namespace
 *
 * Accelerated packets do not call neigh_event_send(), so their neighbours would
 * go stale without a probe. Called once a second for egresses with traffic.
 *
 * Context: process.
 */
void natflow_egress_keep_neighbours(struct natflow_net *nn)
{
	const u16 second = HZ >> NATFLOW_TICK_SHIFT;
	struct neighbour *batch[16];
	struct natflow_egress *eg;
	struct hlist_node *tmp;
	unsigned int i, bucket, n;

	/* neigh_event_send() may call natflow_egress_neigh_update(), which takes the lock. */
	for (bucket = 0; bucket < HASH_SIZE(nn->topo.egresses); bucket += n < ARRAY_SIZE(batch)) {
		n = 0;
		rcu_read_lock();
		spin_lock_bh(&nn->topo.egress_lock);
		hlist_for_each_entry_safe(eg, tmp, &nn->topo.egresses[bucket], node) {
			if ((u16)(natflow_tick_now() - READ_ONCE(eg->used)) > second ||
			    n == ARRAY_SIZE(batch))
				continue;
			batch[n++] = neigh_clone(eg->neigh);
			WRITE_ONCE(eg->used, natflow_tick_now() - second - 1);
			check(eg);
		}
		spin_unlock_bh(&nn->topo.egress_lock);
		rcu_read_unlock();
		for (i = 0; i < n; i++) {
			neigh_event_send(batch[i], NULL);
			neigh_release(batch[i]);
		}
	}
}

/**
 * natflow_egress_exit() - the namespace goes away
 * @nn: namespace whose flows are all gone; follow with rcu_barrier()
 */
void natflow_egress_exit(struct natflow_net *nn)
{
	natflow_egress_dev_gone(nn, NULL);
}
