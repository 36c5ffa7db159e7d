// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users: who sent or received each packet, whether natflow forwarded it or the stack.
 *
 * The packet path counts in the flow; fold() adds to the users. For packets of the
 * stack there are hooks, each of which owns a kind of packet:
 *
 *   forwarded		FORWARD, last: addresses are as in the LAN, rules behind them
 *   to this host	LOCAL_IN, last
 *   by this host	POST_ROUTING, last
 *   to a group		PRE_ROUTING, first: it may have several receivers, or none
 *   bridged		the bridge's FORWARD; IP hooks that see it (br_netfilter) ignore it
 *
 * Locks: natflow_net.lock for on and off.
 */
#include <linux/inetdevice.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/route.h>
#include "core/base/attach.h"
#include "core/base/charge.h"
#include "core/base/ct.h"
#include "core/base/segment.h"
#include "core/flow/flow.h"
#include "natflow_user.h"
#include "policy/access.h"
#include "policy/cut.h"
#include "policy/event.h"
#include "policy/quota.h"
#include "policy/wire.h"
#include "policy/zone.h"

#define IDLE		1800	/* seconds */
#define HOOKS		9

/* One per namespace; lives as long as its struct natflow_net. */
struct room {
	struct natflow_net *nn;
	struct natflow_users *users;	/* allocated when first enabled */
	bool enabled;			/* written under natflow_net.lock */
	struct nf_hook_ops ops[HOOKS];
	struct delayed_work tick;	/* once a second */
	u32 zones;			/* natflow_zone_generation() at the last tick */
	atomic_t bound;			/* references of flows */
};

static struct room *room_of(const struct natflow_net *nn)
{
	return nn->room[NATFLOW_SLOT_USER];
}

/* -- who is it */

/* May the address be a host's in the LAN? Not one of this host, of a group or of nobody. */
static bool is_host(struct natflow_net *nn, const struct natflow_user_key *key)
{
	const struct in6_addr *addr = &key->addr.in6;

	if (key->family == NFPROTO_IPV4)
		return !ipv4_is_zeronet(key->addr.ip) &&
		       inet_addr_type(nn->net, key->addr.ip) == RTN_UNICAST;
	return ipv6_addr_type(addr) & IPV6_ADDR_UNICAST && !ipv6_addr_loopback(addr) &&
	       !ipv6_chk_addr(nn->net, addr, NULL, 0);
}

/* The user with this address behind a LAN device, or NULL. */
static struct natflow_user *see(struct natflow_net *nn, const struct net_device *dev,
				const void *addr, u8 family, struct natflow_user_seen *seen)
{
	struct natflow_users *users = room_of(nn)->users;
	struct natflow_zone zone = natflow_zone_of(nn, dev);
	struct natflow_user *user;

	if (!zone.lan)
		return NULL;
	natflow_user_key_set(&seen->key, addr, family);
	seen->key.zone = zone.id;
	seen->ifindex = dev->ifindex;
	user = natflow_users_find(users, &seen->key);
	if (!user && !is_host(nn, &seen->key))
		return NULL;
	return natflow_users_see(users, user, seen);
}

/* One end of a packet. */
struct end {
	struct natflow_user *user;
	struct natflow_mac *device;	/* that sent with the address of another, if it is known */
	bool is_user;			/* one or the other, even if it has no record */
};

/* The device whose MAC a packet bears, and not its address. */
static struct natflow_mac *bearer(struct natflow_net *nn, const struct natflow_user_seen *seen)
{
	struct natflow_mac_key key = { .zone = seen->key.zone };

	if (!seen->mac)
		return NULL;
	memcpy(key.mac, seen->mac, sizeof(key.mac));
	return natflow_macs_find(&room_of(nn)->users->macs, &key);
}

/* Who sent a packet that came in by @dev. */
static struct end sender(struct natflow_net *nn, const struct net_device *dev,
			 const struct sk_buff *skb, u8 family)
{
	struct natflow_user_seen seen = { .sends = true, .mac = natflow_segment_mac(skb) };
	struct end e = { .user = see(nn, dev, natflow_segment_address(skb, family, true),
				   family, &seen) };

	if (seen.conflict)
		e.device = bearer(nn, &seen);
	e.is_user = e.user || seen.conflict;
	return e;
}

/* Whom a packet that leaves by @dev is for. */
static struct end receiver(struct natflow_net *nn, const struct net_device *dev,
			   const struct sk_buff *skb, u8 family)
{
	struct natflow_user_seen seen = { .sends = false };
	struct end e = { .user = see(nn, dev, natflow_segment_address(skb, family, false),
				   family, &seen) };

	e.is_user = e.user;
	return e;
}

static bool is_to_group(const struct sk_buff *skb, u8 family)
{
	if (family == NFPROTO_IPV6)
		return ipv6_addr_is_multicast(&ipv6_hdr(skb)->daddr);
	return ipv4_is_multicast(ip_hdr(skb)->daddr) || skb->pkt_type == PACKET_BROADCAST;
}

static void count(struct natflow_net *nn, struct end e, enum natflow_user_far far,
		  enum natflow_user_dir dir, struct natflow_wire wire)
{
	if (e.user)
		natflow_users_count(room_of(nn)->users, e.user, far, dir, wire.packets,
				    wire.bytes);
	else if (e.device)
		natflow_mac_count(e.device, far, dir, wire.packets, wire.bytes);
}

/**
 * natflow_user_at() - the user at one end of a routed packet
 * @nn: namespace in which users are counted
 * @skb: packet in FORWARD
 * @family: NFPROTO_*
 * @dev: the device at that end
 * @source: the end that sent it
 *
 * Context: RCU read side, BH disabled.
 * Return: the record, made if there is room for it, or NULL: @dev does not lead to users,
 * or another device sends with the address.
 */
struct natflow_user *natflow_user_at(struct natflow_net *nn, const struct sk_buff *skb, u8 family,
				     const struct net_device *dev, bool source)
{
	return (source ? sender(nn, dev, skb, family) : receiver(nn, dev, skb, family)).user;
}

/* -- packets of the stack */

static unsigned int forward(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct natflow_net *nn = priv;
	struct end from, to;
	enum natflow_user_far far;

	if (natflow_segment_bridged(skb) || is_to_group(skb, state->pf))
		return NF_ACCEPT;
	local_bh_disable();
	from = sender(nn, state->in, skb, state->pf);
	to = receiver(nn, state->out, skb, state->pf);
	far = from.is_user && to.is_user ? NATFLOW_USER_LAN : NATFLOW_USER_WAN;
	count(nn, from, far, NATFLOW_USER_TX, natflow_wire_arrived(skb, state->pf));
	count(nn, to, far, NATFLOW_USER_RX, natflow_wire_leaving(skb, state->pf));
	local_bh_enable();
	return NF_ACCEPT;
}

static unsigned int receive(struct natflow_net *nn, struct sk_buff *skb,
			    const struct nf_hook_state *state)
{
	struct end from;

	local_bh_disable();
	from = sender(nn, state->in, skb, state->pf);
	count(nn, from, NATFLOW_USER_LAN, NATFLOW_USER_TX, natflow_wire_arrived(skb, state->pf));
	local_bh_enable();
	return NF_ACCEPT;
}

static unsigned int local_in(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return is_to_group(skb, state->pf) ? NF_ACCEPT : receive(priv, skb, state);
}

/* Fragments arrive one by one: nothing has joined them yet. */
static unsigned int to_group(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return is_to_group(skb, state->pf) ? receive(priv, skb, state) : NF_ACCEPT;
}

/* Does a packet leave by @dev with an address of @dev as its source? */
static bool is_address_of(const struct net_device *dev, const struct sk_buff *skb, u8 family)
{
	const struct in_device *in_dev = __in_dev_get_rcu(dev);
	const struct in_ifaddr *ifa;

	if (family == NFPROTO_IPV6)
		return ipv6_chk_addr(dev_net(dev), &ipv6_hdr(skb)->saddr, dev, 1);
	if (in_dev)
		in_dev_for_each_ifa_rcu(ifa, in_dev)
			if (ifa->ifa_local == ip_hdr(skb)->saddr)
				return true;
	return false;
}

static unsigned int local_out(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct end to;

	/* A packet that a device received is FORWARD's. */
	if (skb->skb_iif) {
		if (natflow_ct_hides(skb) && is_address_of(state->out, skb, state->pf))
			natflow_zone_masqueraded(priv, state->out);
		return NF_ACCEPT;
	}
	if (!skb_dst(skb) || is_to_group(skb, state->pf))
		return NF_ACCEPT;
	local_bh_disable();
	to = receiver(priv, state->out, skb, state->pf);
	count(priv, to, NATFLOW_USER_LAN, NATFLOW_USER_RX,
	      natflow_wire_leaving(skb, state->pf));
	local_bh_enable();
	return NF_ACCEPT;
}

/* The family of a bridged packet whose header is linear and long enough, or 0. */
static u8 family_of(struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		return pskb_may_pull(skb, sizeof(struct iphdr)) && ip_hdr(skb)->version == 4 ?
			NFPROTO_IPV4 : 0;
	if (skb->protocol == htons(ETH_P_IPV6))
		return pskb_may_pull(skb, sizeof(struct ipv6hdr)) ? NFPROTO_IPV6 : 0;
	return 0;
}

/* From one port of a bridge to another. A flooded frame passes once for each port. */
static unsigned int bridged(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct natflow_wire wire;
	struct end from, to;
	u8 family;

	if (skb->pkt_type == PACKET_MULTICAST || skb->pkt_type == PACKET_BROADCAST)
		return NF_ACCEPT;
	skb_reset_network_header(skb);
	family = family_of(skb);
	if (!family)
		return NF_ACCEPT;
	local_bh_disable();
	from = sender(priv, state->in, skb, family);
	to = receiver(priv, state->out, skb, family);
	wire = skb_is_gso(skb) || nf_bridge_info_exists(skb) ?
		natflow_wire_arrived(skb, family) :
		(struct natflow_wire){ .packets = 1, .bytes = skb->len };
	count(priv, from, NATFLOW_USER_LAN, NATFLOW_USER_TX, wire);
	count(priv, to, NATFLOW_USER_LAN, NATFLOW_USER_RX, wire);
	local_bh_enable();
	return NF_ACCEPT;
}

/* -- flows */

/* The user who has the source address of direction @d, with a reference; or NULL. */
static struct natflow_user *user_of_flow(struct natflow_net *nn, struct natflow_flow *flow,
					 unsigned int d)
{
	const struct net_device *dev = dev_get_by_index_rcu(nn->net, flow->l3[d]);
	struct natflow_users *users = room_of(nn)->users;
	u8 family = natflow_flow_family(flow);
	struct natflow_user_seen seen = {};
	struct natflow_user *user = NULL;
	unsigned int tries;

	/* The record may have given way, or the zone changed, since the packet was counted. */
	for (tries = 0; dev && tries < 2; tries++) {
		user = see(nn, dev, natflow_dir_key(natflow_flow_dir(flow, d, family)), family,
			   &seen);
		if (!user || natflow_users_bind(users, user))
			return user;
	}
	return NULL;
}

static void bind(struct natflow_net *nn, struct natflow_flow *flow)
{
	struct room *room = room_of(nn);
	unsigned int d;

	if (!READ_ONCE(room->enabled))
		return;
	for (d = 0; d < 2; d++) {
		flow->user[d] = user_of_flow(nn, flow, d);
		if (flow->user[d])
			atomic_inc(&room->bound);
	}
}

static void end(struct natflow_net *nn, struct natflow_flow *flow, enum natflow_reason reason)
{
	unsigned int d;

	for (d = 0; d < 2; d++)
		if (flow->user[d])
			natflow_users_unbind(room_of(nn)->users, flow->user[d]);
}

static void fold(struct natflow_net *nn, struct natflow_flow *flow, unsigned int d,
		 const struct natflow_folded *f)
{
	struct natflow_user *from = flow->user[d], *to = flow->user[!d];
	enum natflow_user_far far = from && to ? NATFLOW_USER_LAN : NATFLOW_USER_WAN;
	struct natflow_users *users = room_of(nn)->users;

	if (from) {
		natflow_users_count(users, from, far, NATFLOW_USER_TX, f->wire_packets,
				    f->wire_bytes);
		if (f->packets)
			natflow_users_spoke(from);
	}
	if (to)
		natflow_users_count(users, to, far, NATFLOW_USER_RX, f->wire_packets,
				    f->wire_bytes);
}

static void dropped(struct natflow_net *nn, struct natflow_flow *flow, unsigned int d, u64 packets,
		    u64 bytes)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (flow->user[i])
			natflow_users_dropped(flow->user[i], packets, bytes);
}

static bool urgent(struct natflow_net *nn, struct natflow_flow *flow)
{
	return natflow_quota_near(flow->user[0]) || natflow_quota_near(flow->user[1]);
}

static void gone(struct natflow_net *nn, struct natflow_flow *flow)
{
	unsigned int d;

	for (d = 0; d < 2; d++) {
		if (!flow->user[d])
			continue;
		natflow_users_put(flow->user[d]);
		atomic_dec(&room_of(nn)->bound);
	}
}

static enum natflow_reason recheck(struct natflow_net *nn, struct natflow_flow *flow)
{
	enum natflow_reason reason = NATFLOW_OK;
	unsigned int d;

	for (d = 0; d < 2 && !reason; d++) {
		struct natflow_user *user = flow->user[d];

		if (user)
			reason = READ_ONCE(user->disputed) ? NATFLOW_DISPUTED :
				 natflow_access_recheck(nn, user);
	}
	return reason;
}

static const struct natflow_attach attachment = {
	.bind = bind, .end = end, .fold = fold, .urgent = urgent, .gone = gone, .recheck = recheck,
	.dropped = dropped,
};

static bool is_of(struct natflow_flow *flow, const void *user)
{
	return flow->user[0] == user || flow->user[1] == user;
}

/**
 * natflow_user_cut() - end a user's accelerated flows; and its connections, if it is refused
 * @nn: namespace
 * @user: record, found under RCU
 * @reason: one of NATFLOW_END_*
 *
 * Context: process, may sleep. The record is not read.
 */
void natflow_user_cut(struct natflow_net *nn, const struct natflow_user *user,
		      enum natflow_reason reason)
{
	natflow_flow_flush(nn, reason, is_of, user);
	natflow_cut_soon(nn->access);
}

/**
 * natflow_user_next() - the next record of an address, in whichever zone
 * @nn: namespace
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @addr: 4 or 16 bytes
 * @zone: where to begin; moves behind the zone of the result
 *
 * Context: RCU read side.
 * Return: NULL if there is none any more.
 */
struct natflow_user *natflow_user_next(struct natflow_net *nn, u8 family, const void *addr,
				       unsigned int *zone)
{
	struct natflow_users *users = natflow_user_table(nn);
	struct natflow_user_key key;

	natflow_user_key_set(&key, addr, family);
	return users ? natflow_users_next(users, &key, zone) : NULL;
}

/**
 * natflow_user_known() - is there a record of an address
 * @nn: namespace
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @addr: 4 or 16 bytes
 *
 * Context: any.
 */
bool natflow_user_known(struct natflow_net *nn, u8 family, const void *addr)
{
	unsigned int zone = 0;
	bool known;

	rcu_read_lock();
	known = natflow_user_next(nn, family, addr, &zone);
	rcu_read_unlock();
	return known;
}

static bool is_anybodys(struct natflow_flow *flow, const void *unused)
{
	return flow->user[0] || flow->user[1];
}

/* Context: process, may sleep. */
static void tell_all(struct natflow_net *nn, const struct natflow_user_news *news)
{
	struct natflow_user *user;
	loff_t id;

	for (id = 0; natflow_userlog_wanted(nn); id++) {
		rcu_read_lock();
		user = natflow_user_from(nn, &id);
		if (user)
			natflow_user_event(nn, user, news);
		rcu_read_unlock();
		if (!user)
			return;
		cond_resched();
	}
}

/**
 * natflow_user_kick() - end the accelerated flows of an address, or of all users
 * @nn: namespace
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6; NFPROTO_UNSPEC: all users
 * @addr: 4 or 16 bytes
 *
 * Their next packets take the stack: when this returns, all that came before are sent.
 * The records and their counters stay.
 *
 * Context: process, may sleep.
 */
void natflow_user_kick(struct natflow_net *nn, u8 family, const void *addr)
{
	static const struct natflow_user_news news = {
		.kind = NATFLOW_USERINFO_KICK, .why = NATFLOW_USERINFO_HAND,
	};
	struct natflow_user *user;
	unsigned int zone = 0;

	if (family == NFPROTO_UNSPEC) {
		tell_all(nn, &news);
		natflow_flow_flush(nn, NATFLOW_END_KICK, is_anybodys, NULL);
	}
	while (family != NFPROTO_UNSPEC) {
		rcu_read_lock();
		user = natflow_user_next(nn, family, addr, &zone);
		if (user)
			natflow_user_event(nn, user, &news);
		rcu_read_unlock();
		/* Only the address of a record is compared, which may be freed meanwhile. */
		if (!user)
			break;
		natflow_user_cut(nn, user, NATFLOW_END_KICK);
	}
	synchronize_rcu_expedited();	/* packets that found a flow before are sent */
}

/* -- the tick */

/* Another zone is another record: flows are bound anew. */
static void review_zones(struct room *room)
{
	u32 zones = natflow_zone_generation(room->nn);

	if (room->zones != zones) {
		natflow_flow_flush(room->nn, NATFLOW_END_FLUSH, NULL, NULL);
		natflow_cut_soon(room->nn->access);	/* and another rule is for it */
	}
	room->zones = zones;
}

static bool is_settling(struct natflow_flow *flow, const void *unused)
{
	const struct natflow_user *user;
	unsigned int d;

	for (d = 0; d < 2; d++) {
		user = flow->user[d];
		if (user && READ_ONCE(user->disputed) == 1)
			return true;
	}
	return false;
}

/*
 * While an address is disputed, recheck() keeps its flows off the fast path, where no MAC
 * is compared. Whose they are is not known, so that none survives it.
 */
static void settle(struct room *room)
{
	if (room->users->ending)
		natflow_flow_flush(room->nn, NATFLOW_END_DISPUTED, is_settling, NULL);
}

static void tick(struct work_struct *work)
{
	struct room *room = container_of(to_delayed_work(work), struct room, tick);

	natflow_users_age(room->users, max_t(u32, IDLE, natflow_access_idle(room->nn)));
	settle(room);
	review_zones(room);
	schedule_delayed_work(&room->tick, HZ);
}

/* -- on and off */

static int hook(struct room *room)
{
	static const struct {
		nf_hookfn *hook;
		u8 pf, number;
		int priority;
	} hooks[HOOKS] = {
		{ forward, NFPROTO_IPV4, NF_INET_FORWARD, INT_MAX },
		{ forward, NFPROTO_IPV6, NF_INET_FORWARD, INT_MAX },
		{ local_in, NFPROTO_IPV4, NF_INET_LOCAL_IN, INT_MAX },
		{ local_in, NFPROTO_IPV6, NF_INET_LOCAL_IN, INT_MAX },
		{ local_out, NFPROTO_IPV4, NF_INET_POST_ROUTING, INT_MAX },
		{ local_out, NFPROTO_IPV6, NF_INET_POST_ROUTING, INT_MAX },
		/* Behind ip_sabotage_in(), which hides a bridged packet's second pass. */
		{ to_group, NFPROTO_IPV4, NF_INET_PRE_ROUTING, INT_MIN + 1 },
		{ to_group, NFPROTO_IPV6, NF_INET_PRE_ROUTING, INT_MIN + 1 },
		{ bridged, NFPROTO_BRIDGE, NF_BR_FORWARD, INT_MAX },
	};
	unsigned int i, n = IS_ENABLED(CONFIG_NETFILTER_FAMILY_BRIDGE) ? HOOKS : HOOKS - 1;

	for (i = 0; i < n; i++) {
		room->ops[i].hook = hooks[i].hook;
		room->ops[i].priv = room->nn;
		room->ops[i].pf = hooks[i].pf;
		room->ops[i].hooknum = hooks[i].number;
		room->ops[i].priority = hooks[i].priority;
	}
	return nf_register_net_hooks(room->nn->net, room->ops, n);
}

static void unhook(struct room *room)
{
	unsigned int n = IS_ENABLED(CONFIG_NETFILTER_FAMILY_BRIDGE) ? HOOKS : HOOKS - 1;

	nf_unregister_net_hooks(room->nn->net, room->ops, n);
}

static int make_table(struct room *room)
{
	struct natflow_users *users;
	int err;

	if (room->users)
		return 0;
	users = kvzalloc(sizeof(*users), GFP_KERNEL_ACCOUNT);
	if (!users)
		return -ENOMEM;
	err = natflow_users_init(users, room->nn);
	if (err) {
		kvfree(users);
		return err;
	}
	WRITE_ONCE(room->users, users);
	return 0;
}

/**
 * natflow_user_start() - the memory for counting users
 * @nn: namespace
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int natflow_user_start(struct natflow_net *nn)
{
	int err = natflow_charge_start(nn) ?: natflow_zone_start(nn);

	if (err)
		return err;
	mutex_lock(&nn->lock);
	err = make_table(room_of(nn));
	mutex_unlock(&nn->lock);
	return err;
}

static int switch_on(struct room *room)
{
	struct natflow_net *nn = room->nn;
	int err;

	room->zones = natflow_zone_generation(nn);
	err = natflow_attach_add(nn, NATFLOW_SLOT_USER, &attachment);
	if (err)
		return err;
	err = hook(room);
	if (err) {
		natflow_attach_remove(nn, NATFLOW_SLOT_USER);
		return err;
	}
	WRITE_ONCE(room->enabled, true);
	schedule_delayed_work(&room->tick, HZ);
	/* Flows that were there before belong to nobody: their packets see the stack once. */
	natflow_flow_flush(nn, NATFLOW_END_FLUSH, NULL, NULL);
	return 0;
}

static void switch_off(struct room *room)
{
	struct natflow_net *nn = room->nn;

	WRITE_ONCE(room->enabled, false);
	unhook(room);
	cancel_delayed_work_sync(&room->tick);
	synchronize_net();	/* a flow that is published from here on is nobody's */
	natflow_flow_flush(nn, NATFLOW_END_FLUSH, NULL, NULL);
	/* The engine's tick and its undertaker fold the last packets; neither takes the lock. */
	while (atomic_read(&room->bound))
		schedule_timeout_uninterruptible(1);
	natflow_attach_remove(nn, NATFLOW_SLOT_USER);
}

/**
 * natflow_user_enabled() - are users counted
 * @nn: namespace
 *
 * Context: any.
 */
bool natflow_user_enabled(const struct natflow_net *nn)
{
	return READ_ONCE(room_of(nn)->enabled);
}

/**
 * natflow_user_enable() - count users from here on, or no more
 * @nn: namespace
 * @on: which; behind natflow_user_start()
 *
 * The records stay when counting ends.
 *
 * Context: process, may sleep.
 * Return: 0 or an errno; then nothing has changed.
 */
int natflow_user_enable(struct natflow_net *nn, bool on)
{
	struct room *room = room_of(nn);
	int err = 0;

	mutex_lock(&nn->lock);
	if (on && !room->enabled)
		err = switch_on(room);
	else if (!on && room->enabled)
		switch_off(room);
	mutex_unlock(&nn->lock);
	return err;
}

/**
 * natflow_user_table() - the records
 * @nn: namespace
 *
 * Context: any. Return: NULL until users were counted; it lives as long as @nn.
 */
struct natflow_users *natflow_user_table(const struct natflow_net *nn)
{
	return READ_ONCE(room_of(nn)->users);
}

/**
 * natflow_user_from() - walk the records by id, for a listing in pieces
 * @nn: namespace
 * @pos: where to begin; set to the id of the result
 *
 * Records that come and go meanwhile do not disturb it.
 *
 * Context: RCU read side.
 * Return: the record with this or the next id, NULL at the end.
 */
struct natflow_user *natflow_user_from(const struct natflow_net *nn, loff_t *pos)
{
	struct natflow_users *users = natflow_user_table(nn);
	unsigned long id = *pos;
	struct natflow_user *user;

	if (!users || *pos > U32_MAX)
		return NULL;
	user = natflow_users_from(users, &id);
	*pos = id;
	return user;
}

/**
 * natflow_user_net_init() - the state of one namespace
 * @nn: namespace
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_user_net_init(struct natflow_net *nn)
{
	struct room *room = kzalloc(sizeof(*room), GFP_KERNEL_ACCOUNT);

	if (!room)
		return -ENOMEM;
	room->nn = nn;
	INIT_DELAYED_WORK(&room->tick, tick);
	nn->room[NATFLOW_SLOT_USER] = room;
	return 0;
}

/**
 * natflow_user_net_stop() - no packet and no worker uses it from here on
 * @nn: namespace that is dead, without doors
 *
 * Context: process, may sleep.
 */
void natflow_user_net_stop(struct natflow_net *nn)
{
	natflow_user_enable(nn, false);
	/* Those who ask for a sweep are gone: doors, and this tick. */
	if (nn->access)
		cancel_delayed_work_sync(&nn->access->sweep);
}

/**
 * natflow_user_net_exit() - free the rest
 * @nn: namespace, stopped
 *
 * Records are freed behind the next rcu_barrier().
 */
void natflow_user_net_exit(struct natflow_net *nn)
{
	struct room *room = room_of(nn);

	if (room->users)
		natflow_users_exit(room->users);
	kvfree(room->users);
	kfree(room);
}
