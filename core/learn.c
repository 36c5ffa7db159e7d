// SPDX-License-Identifier: GPL-2.0-only
/*
 * Learning: natflow records what the stack did, and guesses nothing. The hook is the
 * last at POST_ROUTING. A packet teaches its own direction: its fields at arrival
 * (core/base/note.c), and the route, mark, priority and fields with which it leaves.
 */
#include <linux/inetdevice.h>
#include <linux/netfilter_ipv4.h>
#include <net/dst.h>
#include <net/dst_metadata.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <net/xfrm.h>
#include "../lib/pkt.h"
#include "base/attach.h"
#include "base/clock.h"
#include "base/ct.h"
#include "topo/device.h"
#include "topo/egress.h"
#include "flow/flow.h"
#include "learn.h"
#include "base/log.h"
#include "base/note.h"
#include "doubt.h"
#include "topo/port.h"
#include "base/trace.h"
#include "topo/path_in.h"
#include "topo/route.h"

/* One packet at POST_ROUTING, and its lesson. */
struct ctx {
	struct natflow_net *nn;
	struct sk_buff *skb;
	struct nf_conn *ct;
	struct natflow_flow *flow;
	struct net_device *out;
	struct natflow_note in;		/* the packet's fields at arrival */
	bool noted;			/* @in is known */
	struct natflow_painted painted;	/* zero: it was not */
	bool deferred;			/* see is_deferred() */
	unsigned int dir;
	u8 family;
	struct natflow_lesson lesson;
};

/**
 * natflow_learn_select() - choose the flow of a forwarded packet
 * @nn: namespace
 * @skb: packet in FORWARD or POST_ROUTING
 * @hw: hardware was asked for
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK or the learn reason.
 */
enum natflow_reason natflow_learn_select(struct natflow_net *nn, struct sk_buff *skb, bool hw)
{
	enum ip_conntrack_info info;
	struct nf_conn *ct = nf_ct_get(skb, &info);
	enum natflow_reason reason = NATFLOW_LEARN_NO_CONNTRACK;
	struct natflow_flow *flow;

	if (ct && !nf_ct_is_template(ct)) {
		reason = natflow_flow_select(nn, ct, hw, &flow);
		if (natflow_ct_answered(ct))
			natflow_stats_reached(nn->pcpu);
		if (reason && !natflow_ct_eligible(ct))
			this_cpu_write(nn->pcpu->refused_of, skb);
	}
	if (reason)
		trace_learn(ct, CTINFO2DIR(info), reason);
	return reason;
}

/* Does a setting select this packet's flow without a rule? */
static bool selected_by_setting(const struct natflow_net *nn, const struct nf_conn *ct)
{
	const struct natflow_config *c = &nn->config;

	switch (READ_ONCE(c->select)) {
	case NATFLOW_SELECT_ALL:
		return true;
	case NATFLOW_SELECT_AUTO:
		return READ_ONCE(c->enabled_once) && !atomic_read(&nn->rules);
	case NATFLOW_SELECT_MARK:
		return (READ_ONCE(ct->mark) & READ_ONCE(c->mark_mask)) == READ_ONCE(c->mark);
	default:
		return false;
	}
}

/*
 * No rule and no setting selected the packet. This is counted if the flow could be
 * fast. A packet that a rule selected and natflow refused has another reason.
 */
static enum natflow_reason check_unselected(struct natflow_net *nn, const struct sk_buff *skb,
					    const struct nf_conn *ct)
{
	if (this_cpu_read(nn->pcpu->refused_of) == skb) {
		this_cpu_write(nn->pcpu->refused_of, NULL);
		return NATFLOW_OK;
	}
	if (natflow_ct_eligible(ct) || skb_dst(skb)->flags & DST_FAKE_RTABLE ||
	    natflow_compat_is_ipvs(skb))
		return NATFLOW_OK;
	return NATFLOW_LEARN_UNSELECTED;
}

/* Select the flow if a setting says so. c->flow stays NULL if not, or if it is not possible. */
static enum natflow_reason select_flow(struct ctx *c)
{
	if (!READ_ONCE(c->nn->learning))
		return NATFLOW_OK;
	if (selected_by_setting(c->nn, c->ct))
		return natflow_flow_select(c->nn, c->ct, false, &c->flow);
	return check_unselected(c->nn, c->skb, c->ct);
}

/* What natflow_limit_paint() gave the packet, it gives those of the fast path, too. */
static void note_paint(struct ctx *c)
{
	preempt_disable_nested();
	c->painted = *this_cpu_ptr(&c->nn->pcpu->painted);
	preempt_enable_nested();
	if (c->painted.of != c->skb)
		memset(&c->painted, 0, sizeof(c->painted));
}

static u64 look_now(const struct ctx *c)
{
	return c->family == NFPROTO_IPV4 ? natflow_look_ip4(ip_hdr(c->skb)) :
					   natflow_look_ip6(ipv6_hdr(c->skb));
}

/* The fields as they are without a rule of natflow's own. */
static u64 look_of(const struct ctx *c)
{
	u64 look = look_now(c);

	if (unlikely(c->painted.of) && natflow_look_dscp(look) == c->painted.to)
		look ^= (u64)(c->painted.from ^ c->painted.to) << 30;
	return look;
}

/* The priority that a packet has without rules (net/ipv4/ip_forward.c:ip_forward()). */
static bool is_usual_priority(const struct ctx *c)
{
	const u32 priority = c->painted.of ? c->painted.priority : c->skb->priority;

	return priority == c->in.priority ||
	       (c->family == NFPROTO_IPV4 &&
		priority == rt_tos2priority(natflow_look_tos(c->in.look)));
}

/*
 * Did rules classify this packet by a property that differs between packets of a flow?
 * A mark equal to the conntrack's belongs to the flow (CONNMARK --restore-mark).
 */
static bool is_classified(const struct ctx *c)
{
	const u32 mark = c->skb->mark;

	return (mark != c->in.mark && (!mark || mark & ~READ_ONCE(c->ct->mark))) ||
	       !is_usual_priority(c) || (look_of(c) ^ c->in.look) & NATFLOW_LOOK_TOS;
}

/* There are classifying rules: lessons without lengths become invalid. */
static void become_strict(struct natflow_net *nn)
{
	if (xchg(&nn->strict, true))
		return;
	/* xchg() is a barrier: a CPU that samples the new clock sees natflow_net.strict. */
	natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_CLASSIFY);
	natflow_log(nn, NATFLOW_LOG_INFO, "rules classify packets: their lengths are compared");
}

/*
 * True if the route may be older than this CPU's clock sample. It is not older if the
 * sample belongs to this packet. It is not older if the dst has no reference: the
 * route was then looked up in this RCU section, behind the RX hook. SNAT takes a
 * reference (net/netfilter/nf_nat_proto.c:nf_xfrm_me_harder()). Only a verdict from
 * user space delays packets between route lookup and this hook, and it never comes
 * in a softirq. Where packets of one CPU interleave, only the packet's own sample counts.
 */
static bool is_deferred(const struct natflow_net *nn, const struct sk_buff *skb)
{
	if (this_cpu_read(nn->pcpu->clock_of) == skb)
		return false;
	return NATFLOW_COMPAT_INTERLEAVES || (!skb_dst_is_noref(skb) && !in_serving_softirq());
}

/* Whose sample it is, and the sample. */
static void note_clock(struct ctx *c)
{
	preempt_disable_nested();
	c->deferred = is_deferred(c->nn, c->skb);
	c->lesson.clock = natflow_clock_sampled(c->nn, c->family);
	c->lesson.edition = natflow_edition_sampled(c->nn, c->family);
	preempt_enable_nested();
}

/*
 * IPVS updates its timers, states and counters from the packets it sees. It deletes
 * the conntrack of a connection without packets
 * (net/netfilter/ipvs/ip_vs_conn.c:ip_vs_conn_expire(), 6.1 to 7.3). Its forwarding
 * methods mark each packet before they send it, and its FORWARD hook marks answers
 * (ip_vs_xmit.c:ip_vs_nat_send_or_cont(), ip_vs_send_or_cont(),
 * ip_vs_tunnel_xmit_prepare(); ip_vs_core.c:handle_response()).
 */
static enum natflow_reason check_owner(struct ctx *c)
{
	if (likely(!natflow_compat_is_ipvs(c->skb)))
		return NATFLOW_OK;
	if (test_bit(NATFLOW_FLOW_PUBLISHED, &c->flow->bits))
		natflow_flow_end(c->flow, NATFLOW_END_IPVS);
	return NATFLOW_LEARN_IPVS;
}

/* natflow imitates only plain unicast forwarding. */
static enum natflow_reason check_route(struct ctx *c)
{
	const struct dst_entry *dst = skb_dst(c->skb);

	if (c->deferred)
		return NATFLOW_LEARN_DEFERRED;
	if (this_cpu_read(c->nn->pcpu->marked_of) == c->skb) {
		this_cpu_write(c->nn->pcpu->marked_of, NULL);
		return NATFLOW_LEARN_MARKED;
	}
	if (secpath_exists(c->skb))
		return NATFLOW_LEARN_SECPATH;
	if (dst_xfrm(dst))
		return NATFLOW_LEARN_XFRM;
	if (dst->lwtstate || skb_metadata_dst(c->skb))
		return NATFLOW_LEARN_LWTUNNEL;
	if (dst->flags & DST_FAKE_RTABLE)
		return NATFLOW_LEARN_BRIDGED;
	if (c->family == NFPROTO_IPV4) {
		if (skb_rtable(c->skb)->rt_type != RTN_UNICAST)
			return NATFLOW_LEARN_ROUTE_TYPE;
		if (ip_hdr(c->skb)->ihl != 5)
			return NATFLOW_LEARN_OPTIONS;
		if (natflow_route_has_pmtu(c->nn->net, skb_rtable(c->skb)))
			return NATFLOW_LEARN_PMTU;
	} else {
		if (ipv6_addr_is_multicast(&ipv6_hdr(c->skb)->daddr))
			return NATFLOW_LEARN_ROUTE_TYPE;
		if (ipv6_hdr(c->skb)->nexthdr != nf_ct_protonum(c->ct))
			return NATFLOW_LEARN_OPTIONS;
	}
	return NATFLOW_OK;
}

static bool group_excludes(const struct natflow_net *nn, const struct natflow_port *in,
			   const struct natflow_port *out)
{
	bool both = READ_ONCE(in->in_group) && out && READ_ONCE(out->in_group);

	switch (READ_ONCE(nn->config.group_type)) {
	case NATFLOW_GROUP_ONLY:
		return !both;
	case NATFLOW_GROUP_EXCEPT:
		return both;
	default:
		return false;
	}
}

/* The ingress port; a VRF overwrites skb->skb_iif (drivers/net/vrf.c:vrf_ip_rcv()). */
static struct natflow_port *port_of(const struct ctx *c)
{
	struct natflow_port *port = natflow_port_find(c->nn, c->skb->skb_iif);

	if (port)
		return port;
	return natflow_port_find(c->nn, c->family == NFPROTO_IPV4 ? IPCB(c->skb)->iif :
								    IP6CB(c->skb)->iif);
}

/* The ingress port and the egress device. */
static enum natflow_reason check_ports(struct ctx *c)
{
	struct natflow_port *in = port_of(c);
	const struct natflow_way *way;

	if (!in)
		return NATFLOW_LEARN_IN_DEVICE;
	if (!natflow_device_ok(c->out))
		return NATFLOW_LEARN_OUT_DEVICE;
	if (group_excludes(c->nn, in, natflow_port_find(c->nn, c->out->ifindex)))
		return NATFLOW_LEARN_GROUP;
	way = natflow_way_learn(c->nn, c->skb, in);
	c->lesson.iif = in->ifindex;
	c->lesson.l3 = way->l3_ifindex;
	natflow_ct_key(c->ct, c->dir, way->id, &c->lesson.key);
	return NATFLOW_OK;
}

/* Addresses and ports must be those of conntrack's NAT. */
static enum natflow_reason note_headers(struct ctx *c)
{
	struct natflow_lesson *l = &c->lesson;
	struct natflow_ports _ports, *ports;

	natflow_ct_after(c->ct, c->dir, &l->after);
	if (c->family == NFPROTO_IPV4) {
		const struct iphdr *iph = ip_hdr(c->skb);

		ports = skb_header_pointer(c->skb, sizeof(*iph), sizeof(_ports), &_ports);
		if (!ports || memcmp(&iph->addrs, &l->after.v4.addrs, sizeof(iph->addrs)) ||
		    memcmp(ports, &l->after.v4.tail.ports, sizeof(_ports)))
			return NATFLOW_LEARN_NAT;
	} else {
		const struct ipv6hdr *iph = ipv6_hdr(c->skb);

		ports = skb_header_pointer(c->skb, sizeof(*iph), sizeof(_ports), &_ports);
		if (!ports || memcmp(&iph->addrs, &l->after.v6.addrs, sizeof(iph->addrs)) ||
		    memcmp(ports, &l->after.v6.tail.ports, sizeof(_ports)))
			return NATFLOW_LEARN_NAT;
	}
	return NATFLOW_OK;
}

/* The fields at arrival and now. */
static enum natflow_reason note_fields(struct ctx *c)
{
	struct natflow_lesson *l = &c->lesson;

	if (!c->noted)
		return NATFLOW_LEARN_UNNOTED;
	l->in = c->in;
	l->look = look_of(c);
	l->dscp = natflow_look_dscp(look_now(c));
	l->linked = c->painted.linked;
	l->mark = c->skb->mark;
	l->priority = c->skb->priority;
	l->ct_mark = READ_ONCE(c->ct->mark);
	smp_rmb();	/* the clock was sampled before; pairs with become_strict() */
	l->strict = READ_ONCE(c->nn->strict);
	return NATFLOW_OK;
}

/* The shared egress of the next hop. */
static enum natflow_reason note_egress(struct ctx *c)
{
	struct dst_entry *dst = skb_dst(c->skb);
	const bool v4 = c->family == NFPROTO_IPV4;
	u32 mtu = v4 ? ip_dst_mtu_maybe_forward(dst, true) : ip6_dst_mtu_maybe_forward(dst, true);
	struct neighbour *neigh;

	neigh = dst_neigh_lookup(dst, v4 ? (void *)&ip_hdr(c->skb)->daddr :
					   (void *)&ipv6_hdr(c->skb)->daddr);
	if (!neigh)
		return NATFLOW_LEARN_NEIGHBOUR;
	/* The neighbour is not valid yet: this packet makes the stack resolve it. */
	if (READ_ONCE(neigh->nud_state) & NUD_VALID)
		c->lesson.egress = natflow_egress_get(c->nn, neigh, mtu, c->skb->priority,
						      htons(v4 ? ETH_P_IP : ETH_P_IPV6));
	neigh_release(neigh);
	return c->lesson.egress ? NATFLOW_OK : NATFLOW_LEARN_NEIGHBOUR;
}

static const struct tcphdr *tcp_of(const struct ctx *c, struct tcphdr *buffer)
{
	return skb_header_pointer(c->skb, skb_transport_offset(c->skb), sizeof(*buffer), buffer);
}

/*
 * Anybody may send a packet with a flow's addresses and ports. Conntrack lets pass some
 * that are not in the window, and a SYN. They do not teach how the flow's own packets
 * look.
 */
static bool is_foreign(const struct ctx *c)
{
	const struct tcphdr *tcp;
	struct tcphdr buffer;
	unsigned int len;

	if (natflow_ct_proto(c->ct) != IPPROTO_TCP)
		return false;
	tcp = tcp_of(c, &buffer);
	if (!tcp || tcp->syn || tcp->fin || tcp->rst)
		return true;
	len = c->skb->len - skb_transport_offset(c->skb) - tcp->doff * 4;
	return !natflow_window_fits(&c->flow->window, c->dir, tcp, len) &&
	       !natflow_ct_is_liberal(c->ct, c->dir);
}

/*
 * Conntrack believes a RST that has the number which the other side expects. Of a liberal
 * connection, as one that was in hardware, nobody knows that number. The flow ends, and
 * conntrack keeps the connection for minutes instead of days, unless a packet follows.
 */
static void end_if_reset(const struct ctx *c)
{
	struct tcphdr buffer;
	const struct tcphdr *tcp = tcp_of(c, &buffer);

	if (!tcp || !tcp->rst || !natflow_ct_is_liberal(c->ct, c->dir))
		return;
	natflow_flow_end(c->flow, NATFLOW_END_TCP);
	natflow_ct_suspect(c->ct);
}

/* A packet of a published flow: it may have ended its connection. */
static enum natflow_reason check_published(struct ctx *c, enum natflow_reason reason)
{
	if (!test_bit(NATFLOW_FLOW_PUBLISHED, &c->flow->bits))
		return reason;
	if (reason == NATFLOW_LEARN_TCP_STATE)
		natflow_flow_end(c->flow, NATFLOW_END_TCP);
	else if (!reason)
		natflow_ct_merge(c->ct, &c->flow->window);
	return reason;
}

static enum natflow_reason learn(struct ctx *c)
{
	enum natflow_reason reason;

	reason = check_published(c, natflow_ct_eligible(c->ct));
	if (!reason && test_bit(NATFLOW_FLOW_PUBLISHED, &c->flow->bits) && is_foreign(c)) {
		end_if_reset(c);
		return NATFLOW_OK;
	}
	if (!reason)
		reason = check_owner(c);
	if (!reason)
		reason = natflow_attach_check(c->nn, c->ct, &c->lesson.watch);
	if (!reason)
		reason = check_route(c);
	if (!reason)
		reason = check_ports(c);
	if (!reason)
		reason = note_headers(c);
	if (!reason)
		reason = note_fields(c);
	if (!reason)
		reason = note_egress(c);
	if (!reason)
		reason = natflow_flow_learn(c->flow, c->dir, &c->lesson);
	return reason;
}

/**
 * natflow_learn_window() - the PRE_ROUTING hook right before conntrack's
 * @priv: struct natflow_net
 * @skb: received packet, defragmented
 * @state: family
 *
 * Conntrack is about to judge a TCP packet, by whichever device it came: tell conntrack
 * first what passed natflow. A flow whose connection is closing ends here.
 *
 * Context: RCU read side, BH disabled.
 * Return: NF_ACCEPT, always; the packet is not changed.
 */
unsigned int natflow_learn_window(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	struct natflow_net *nn = priv;
	struct natflow_flow *flow;
	struct nf_conn *ct;

	if (!READ_ONCE(nn->flows.tcp))
		return NF_ACCEPT;
	ct = natflow_ct_find_tcp(nn->net, skb, state->pf);
	if (!ct)
		return NF_ACCEPT;
	flow = natflow_flow_by_ct(nn, ct);
	if (flow && test_bit(NATFLOW_FLOW_PUBLISHED, &flow->bits) &&
	    !natflow_ct_merge(ct, &flow->window))
		natflow_flow_end(flow, NATFLOW_END_TCP);
	natflow_ct_put(ct);
	return NF_ACCEPT;
}

/* A packet of a flow, or of one that a setting may select, or one that rules classify. */
static noinline void teach(struct natflow_net *nn, struct sk_buff *skb, struct natflow_flow *flow,
			   const struct nf_hook_state *state)
{
	struct ctx c natflow_uninitialized;
	enum natflow_reason reason = NATFLOW_OK;
	enum ip_conntrack_info info;

	c.nn = nn;
	c.skb = skb;
	c.ct = nf_ct_get(skb, &info);
	c.flow = flow;
	c.out = state->out;
	c.dir = CTINFO2DIR(info);
	c.family = state->pf;
	c.lesson.egress = NULL;
	memset(&c.lesson.watch, 0, sizeof(c.lesson.watch));
	note_clock(&c);
	note_paint(&c);
	c.noted = !c.deferred && natflow_note_find(skb, &c.in);
	if (c.noted && !READ_ONCE(nn->strict) && is_classified(&c))
		become_strict(nn);
	if (!c.flow)
		reason = select_flow(&c);
	if (c.flow) {
		c.flow->slow_pkts++;
		reason = learn(&c);
	}
	if (reason)
		natflow_stats_reason(nn->pcpu, reason);
	if (c.flow || reason)
		trace_learn(c.ct, c.dir, reason);
}

/* Nobody selects the packet's flow, and no rule has changed it. */
static bool is_ordinary(struct natflow_net *nn, const struct sk_buff *skb,
			const struct nf_conn *ct, u8 family)
{
	if (READ_ONCE(nn->learning) && selected_by_setting(nn, ct))
		return false;
	return READ_ONCE(nn->strict) || (this_cpu_read(nn->pcpu->painted.of) != skb &&
					 natflow_note_is_kept(skb, family));
}

/* Context: BH disabled. */
static __always_inline void look_at(struct natflow_net *nn, struct sk_buff *skb, struct nf_conn *ct,
				    enum ip_conntrack_info info,
				    const struct nf_hook_state *state)
{
	struct natflow_flow *flow = NULL;

	/* A flow that another CPU makes at this moment learns from its next packet. */
	if (READ_ONCE(nn->flows.count))
		flow = natflow_flow_by_ct(nn, ct);
	if (unlikely(flow) || unlikely(!is_ordinary(nn, skb, ct, state->pf))) {
		teach(nn, skb, flow, state);
		return;
	}
	if (READ_ONCE(nn->learning) && check_unselected(nn, skb, ct)) {
		natflow_stats_reason(nn->pcpu, NATFLOW_LEARN_UNSELECTED);
		trace_learn(ct, CTINFO2DIR(info), NATFLOW_LEARN_UNSELECTED);
	}
}

/**
 * natflow_learn() - the POST_ROUTING hook, both families
 * @priv: struct natflow_net
 * @skb: packet about to leave, all rules behind it
 * @state: family and devices
 *
 * Context: RCU read side.
 * Return: NF_ACCEPT, always; the packet is not changed.
 */
unsigned int natflow_learn(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	const bool outside = !softirq_count();	/* a verdict of user space, for example */
	struct natflow_net *nn = priv;
	enum ip_conntrack_info info;
	struct nf_conn *ct;

	/* Only a packet that a device received and the stack routed teaches. */
	if (!READ_ONCE(nn->forwarding) || !skb->skb_iif || skb->sk || !skb_dst(skb))
		return NF_ACCEPT;
	ct = nf_ct_get(skb, &info);
	if (!ct || nf_ct_is_template(ct))
		return NF_ACCEPT;
	if (outside)
		local_bh_disable();
	look_at(nn, skb, ct, info, state);
	if (outside)
		local_bh_enable();
	return NF_ACCEPT;
}
