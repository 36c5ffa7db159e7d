// SPDX-License-Identifier: GPL-2.0-only
/*
 * PPPoE sessions, learned when a packet from a PPP device teaches a flow. The PPP device
 * says which session it is (ndo_fill_forward_path), and what is left of the PPPoE header
 * before the packet says whether PPP has filters.
 */
#include <linux/if_arp.h>
#include <linux/slab.h>
#include "../../lib/pppoe.h"
#include "../base/charge.h"
#include "descend.h"
#include "pppoe.h"

/* Where frames of a session come from. */
struct source {
	const struct net_device *below;
	u16 number;
	u8 peer[ETH_ALEN];
};

/*
 * Which session @dev is. Multilink, and channels other than PPPoE's, are refused by
 * drivers/net/ppp/ppp_generic.c:ppp_fill_forward_path().
 */
static bool find_source(const struct net_device *dev, struct source *from)
{
	struct net_device_path_ctx ctx = { .dev = dev };
	struct net_device_path path = {};

	if (dev->type != ARPHRD_PPP || !dev->netdev_ops->ndo_fill_forward_path ||
	    dev->netdev_ops->ndo_fill_forward_path(&ctx, &path) < 0 ||
	    path.type != DEV_PATH_PPPOE || !ctx.dev || !net_eq(dev_net(ctx.dev), dev_net(dev)))
		return false;
	from->below = ctx.dev;
	from->number = path.encap.id;
	ether_addr_copy(from->peer, path.encap.h_dest);
	return true;
}

/* Is @s still the session of its PPP device, and does nobody look at that device's packets? */
static bool holds(const struct natflow_port *port, const struct natflow_session *s)
{
	struct source from;

	return READ_ONCE(port->nn->config.pppoe) && natflow_receives_plainly(s->ppp.dev) &&
	       find_source(s->ppp.dev, &from) && from.below == port->dev &&
	       from.number == s->number && ether_addr_equal(from.peer, s->peer);
}

/* Send this packet through PPP, or none any more, once those that were sent have arrived. */
static enum natflow_reason send_up(struct natflow_session *s, struct natflow_port *ppp, bool first)
{
	if (first && ppp)
		atomic_set(&ppp->above, 0);
	if (!ppp || (!first && !atomic_read(&ppp->above))) {
		WRITE_ONCE(s->up, false);
		return NATFLOW_OK;
	}
	WRITE_ONCE(s->up, true);
	atomic_inc(&ppp->above);
	return NATFLOW_IDLE;
}

/**
 * natflow_pppoe_look() - may an IP packet of a session skip PPP
 * @s: session of @port; asked once a tick, and while it is up
 * @port: the port below PPP
 *
 * PPP measures the time without traffic from the packets that it sees, in seconds: it
 * gets one a second. That one waits in the CPU's backlog. Packets that come meanwhile
 * must not overtake it, and pass PPP, too; for a tick at most.
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK; NATFLOW_IDLE if PPP gets the packet; NATFLOW_PATH if the session
 * does not hold, and the caller is to doubt it.
 */
enum natflow_reason natflow_pppoe_look(struct natflow_session *s, const struct natflow_port *port)
{
	const u32 now = (u32)jiffies;
	bool first = false;

	if (READ_ONCE(s->tick) != natflow_tick_now()) {
		if (!holds(port, s))
			return NATFLOW_PATH;
		WRITE_ONCE(s->tick, natflow_tick_now());
		WRITE_ONCE(s->up, false);
		first = now - READ_ONCE(s->passed) >= HZ;
		if (first)
			WRITE_ONCE(s->passed, now);
	}
	if (!first && !READ_ONCE(s->up))
		return NATFLOW_OK;
	return send_up(s, natflow_port_find(port->nn, s->way.l3_ifindex), first);
}

/* What the bytes before a packet that came through PPP say. */
enum trace {
	NOTHING,	/* it is no session packet as it came, or of another session */
	FILTERED,
	PLAIN,
};

/*
 * PPP removes the headers, and does not touch them: except that it writes the direction
 * over PPPoE's length, which cannot be 0, if it has a pass-filter or an active-filter
 * (drivers/net/ppp/ppp_generic.c:ppp_receive_nonmp_frame(), 6.1 to 7.3). What it has
 * decompressed is in other memory.
 */
static enum trace read_trace(const struct sk_buff *skb, u16 number)
{
	const u8 *data = skb_network_header(skb) - NATFLOW_PPPOE_LEN;
	u8 family;

	if (data < skb->head || data[0] != 0x11 || data[1] || natflow_pppoe_session(data) != number)
		return NOTHING;
	family = natflow_pppoe_family(data);
	if (!family || skb->protocol != (family == NFPROTO_IPV4 ? htons(ETH_P_IP) :
								  htons(ETH_P_IPV6)))
		return NOTHING;
	if (!natflow_pppoe_length(data))
		return FILTERED;
	return natflow_pppoe_length(data) - NATFLOW_PPPOE_PROTOCOL ==
	       natflow_pppoe_ip_length(data, family) ? PLAIN : NOTHING;
}

static void add(struct natflow_port *port, const struct source *from,
		const struct natflow_port *in)
{
	struct mem_cgroup *before = natflow_charge_begin(port->nn);
	struct natflow_session *s = kzalloc(sizeof(*s), NATFLOW_GFP_PACKET);

	natflow_charge_end(before);
	lockdep_assert_held(&port->nn->topo.egress_lock);
	if (!s)
		return;
	s->way.id = in->own.id;
	s->way.l3_ifindex = in->ifindex;
	s->ppp.dev = in->dev;
	s->ppp.stats = (void __percpu *)in->dev->tstats;
	s->number = from->number;
	ether_addr_copy(s->peer, from->peer);
	s->tick = natflow_tick_now() - 1;
	s->passed = (u32)jiffies;
	if (port->session_count == NATFLOW_SESSIONS_MAX || !s->ppp.stats || !holds(port, s)) {
		kfree(s);
		return;
	}
	WRITE_ONCE(port->session_count, port->session_count + 1);
	hlist_add_head_rcu(&s->node, &port->sessions[s->number % NATFLOW_SESSION_BUCKETS]);
}

static bool is_of(const struct natflow_session *s, const struct natflow_port *in)
{
	return s && s->ppp.dev == in->dev && s->way.id == in->own.id;
}

/* A session number that another PPP device had is this one's now. */
static void replace(struct natflow_port *port, const struct source *from,
		    const struct natflow_port *in)
{
	struct natflow_session *s;

	spin_lock(&port->nn->topo.egress_lock);
	s = natflow_session_find(port->sessions, from->number, from->peer);
	if (s && !is_of(s, in))
		natflow_port_session_del(port, s);
	if (!port->gone && !is_of(s, in))
		add(port, from, in);
	spin_unlock(&port->nn->topo.egress_lock);
}

/**
 * natflow_pppoe_learn() - a packet from a PPP device teaches a flow
 * @nn: namespace
 * @skb: packet about to leave
 * @in: port of the device that received it
 *
 * Later packets of its session are looked up at the device below, unless PPP has filters.
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_pppoe_learn(struct natflow_net *nn, const struct sk_buff *skb,
			 const struct natflow_port *in)
{
	struct natflow_port *port;
	struct source from;

	if (!READ_ONCE(nn->config.pppoe) || !find_source(in->dev, &from))
		return;
	port = natflow_port_find(nn, from.below->ifindex);
	if (!port || port->dev != from.below)
		return;
	switch (read_trace(skb, from.number)) {
	case NOTHING:
		break;
	case FILTERED:
		spin_lock(&nn->topo.egress_lock);
		natflow_pppoe_prune(port, in->dev);
		spin_unlock(&nn->topo.egress_lock);
		break;
	case PLAIN:
		if (!is_of(natflow_session_find(port->sessions, from.number, from.peer), in))
			replace(port, &from, in);
	}
}

/**
 * natflow_pppoe_prune() - forget sessions
 * @port: the port below PPP
 * @dev: of the PPP device, or of @port; NULL: those that do not hold
 *
 * Context: RCU read side, natflow_net.topo.egress_lock held.
 */
void natflow_pppoe_prune(struct natflow_port *port, const struct net_device *dev)
{
	struct natflow_session *s;
	struct hlist_node *tmp;
	unsigned int b;

	for (b = 0; port->session_count && b < NATFLOW_SESSION_BUCKETS; b++)
		hlist_for_each_entry_safe(s, tmp, &port->sessions[b], node)
			if (dev ? port->dev == dev || s->ppp.dev == dev : !holds(port, s))
				natflow_port_session_del(port, s);
}
