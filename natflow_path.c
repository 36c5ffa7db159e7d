// SPDX-License-Identifier: GPL-2.0-only
/*
 * The RX hook: parse, find, check, rewrite, send. Each step either continues or
 * returns a reason; then the packet goes up the stack unchanged.
 */
#include <linux/if_ether.h>
#include <linux/netfilter_bridge.h>
#include <linux/skbuff.h>
#include <net/dst.h>
#include <net/xfrm.h>
#include "core/ageing.h"
#include "core/ask.h"
#include "core/base/attach.h"
#include "core/base/clock.h"
#include "core/base/ct.h"
#include "core/base/segment.h"
#include "core/doubt.h"
#include "core/limit.h"
#include "core/topo/egress.h"
#include "core/flow/flow.h"
#include "core/base/note.h"
#include "core/topo/port.h"
#include "core/rules.h"
#include "core/dscp.h"
#include "core/flow/seen.h"
#include "core/topo/path_in.h"
#include "core/topo/pppoe.h"
#include "core/base/trace.h"
#include "core/xmit.h"
#include "lib/pkt.h"
#include "lib/pppoe.h"
#include "natflow_path.h"

/* One packet in the hook. The struct is not zeroed: each field is set before it is read. */
struct ctx {
	struct natflow_net *nn;
	struct sk_buff *skb;
	const struct natflow_way *way;
	struct natflow_dir *dir;
	struct natflow_egress *egress;
	u32 mark, priority;	/* as the packet leaves */
	u64 extra;		/* of a super-packet, as in natflow_flow.extra */
	bool new_tick;		/* first hit of this direction in this tick */
	enum natflow_reason reason;	/* beside NATFLOW_REFUSE */
	struct natflow_pkt pkt;
};

/* Metadata of the skb: only a plain packet for this router qualifies. */
static __always_inline enum natflow_reason
check_skb(const struct sk_buff *skb, const struct natflow_way *way)
{
	/* For bypassed devices natflow_way_find() has compared the destination MAC. */
	if (unlikely(skb->pkt_type != PACKET_HOST && !way->bypass.count))
		return NATFLOW_NOT_FOR_US;
	if (unlikely(skb->_nfct | skb->_skb_refdst))
		return skb->_nfct ? NATFLOW_CONNTRACKED : NATFLOW_DST_ATTACHED;
	if (unlikely(secpath_exists(skb)))
		return NATFLOW_SECPATH;
	if (unlikely(skb->encapsulation))
		return NATFLOW_ENCAPSULATED;
	return NATFLOW_OK;
}

/* A shared skb must not be pulled. A pull that fails leaves the skb unchanged. */
static noinline bool pull(struct sk_buff *skb, unsigned int len)
{
	return !skb_shared(skb) && pskb_may_pull(skb, min(skb->len, len));
}

static __always_inline enum natflow_reason parse(struct ctx *c, const u8 family)
{
	struct sk_buff *skb = c->skb;
	enum natflow_reason reason = check_skb(skb, c->way);

	if (unlikely(reason))
		return reason;
	if (unlikely(skb_headlen(skb) < natflow_pkt_pull_len(family)) && skb_is_nonlinear(skb) &&
	    !pull(skb, natflow_pkt_pull_len(family)))
		return NATFLOW_TRUNCATED;
	return natflow_pkt_parse(skb->data, skb_headlen(skb), skb->len, c->way->id, &c->pkt,
				 family);
}

/* Find the flow, and compare its route generation with the present one. */
static __always_inline enum natflow_reason find(struct ctx *c, const u8 family)
{
	if (unlikely(READ_ONCE(c->nn->config.revalidate)))
		natflow_rules_look(c->nn);
	c->dir = natflow_flow_find(c->nn, &c->pkt.key, family);
	if (!c->dir)
		return NATFLOW_MISS;
	/* If conntrack accepts it, natflow_learn() ends the flow. */
	if (unlikely((c->pkt.tcp_flags & NATFLOW_TCP_STATE) != NATFLOW_TCP_ACK))
		return NATFLOW_TCP_FLAGS;
	/* Pairs with write_dir(): read the clock before the egress. */
	if (unlikely(smp_load_acquire(&c->dir->clock) != natflow_clock(c->nn, family))) {
		enum natflow_reason reason = natflow_ask(c->dir, c->skb, c->pkt.look,
							 c->way);

		if (reason)
			return reason;
	}
	c->egress = rcu_dereference(c->dir->egress);
	return NATFLOW_OK;
}

/*
 * Accepted GSO types: TCP, and UDP segments of one L4 datagram each. In a frag list
 * only the head is rewritten, as by the stack: segmentation copies the head's
 * addresses and ports to the rest (net/ipv4/udp_offload.c:__udp_gso_segment_list()
 * and its TCP counterpart).
 */
#define GSO_TYPES (SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID | \
		   SKB_GSO_DODGY | SKB_GSO_UDP_L4 | SKB_GSO_FRAGLIST | NATFLOW_COMPAT_GSO_ACCECN)

/* Check the size of each packet on the wire, and the start of an unfinished checksum. */
static __always_inline enum natflow_reason check_size(struct ctx *c)
{
	const struct sk_buff *skb = c->skb;
	u32 len = c->pkt.len;

	c->extra = 0;
	if (skb_is_gso(skb)) {
		if (unlikely(!skb_shinfo(skb)->gso_type || skb_shinfo(skb)->gso_type & ~GSO_TYPES))
			return NATFLOW_GSO_TYPE;
		if (unlikely(len != skb->len))
			return NATFLOW_IP_LENGTH;
		if (c->pkt.proto == IPPROTO_UDP && READ_ONCE(c->nn->quic))
			c->pkt.look |= NATFLOW_LOOK_QUIC;
		/* What the wire has besides: more packets, a header each. */
		c->extra = (natflow_segment_count(skb, len, c->pkt.payload) - 1) *
			   (BIT_ULL(40) | c->pkt.payload);
		len = c->pkt.payload + skb_shinfo(skb)->gso_size;
	}
	/* A killed egress has MTU 0. */
	if (unlikely(len > READ_ONCE(c->egress->mtu)))
		return READ_ONCE(c->egress->alive) ? NATFLOW_MTU : NATFLOW_EGRESS;
	/* An unfinished checksum covers padding, so padding could not be trimmed. */
	if (skb->ip_summed == CHECKSUM_PARTIAL &&
	    unlikely(skb_checksum_start_offset(skb) != c->pkt.l4 || c->pkt.len != skb->len))
		return NATFLOW_CSUM_START;
	return NATFLOW_OK;
}

/*
 * Does this segment carry payload at or beyond @from, where the next request may start,
 * or say that a byte there is urgent?
 */
static bool is_watched(const struct natflow_dir *dir, const struct sk_buff *skb, u32 len, u32 from)
{
	const unsigned int l4 = natflow_dir_is(dir, NFPROTO_IPV4) ? sizeof(struct iphdr) :
								    sizeof(struct ipv6hdr);
	const struct tcphdr *tcp = (const void *)(skb->data + l4);

	len -= l4 + tcp->doff * 4;

	return tcp->urg || (len && (s32)(ntohl(tcp->seq) + len - from) > 0);
}

/* May a datagram of this packet open a QUIC connection, whose name the stack reads? */
static bool opens_quic(const struct natflow_dir *dir, const struct sk_buff *skb)
{
	const unsigned int head = sizeof(struct udphdr) + (natflow_dir_is(dir, NFPROTO_IPV4) ?
				  sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	const unsigned int step = skb_is_gso(skb) ? skb_shinfo(skb)->gso_size : skb->len;
	u8 buffer[NATFLOW_QUIC_HEAD];
	unsigned int at;

	if (dir->flags & NATFLOW_DIR_REPLY || step < NATFLOW_QUIC_DATAGRAM_MIN)
		return false;
	for (at = head; at < skb->len; at += step) {
		const u8 *data = skb_header_pointer(skb, at, sizeof(buffer), buffer);

		if (data && natflow_quic_is_long(data))
			return true;
	}
	return false;
}

/* Returned by value, in registers: its address would force struct ctx into memory. */
struct sent {
	u32 mark, priority;		/* as the packet must leave */
	enum natflow_reason reason;
};

/* The fields differ from the stack's last packet, or the cold part has more to compare. */
static noinline struct sent check_cold(const struct natflow_dir *dir, struct natflow_flow *flow,
				       const struct sk_buff *skb, u64 look, u32 len)
{
	const struct natflow_note in = {
		.look = look, .mark = skb->mark, .priority = skb->priority,
		.len = natflow_note_length(len),
	};
	struct natflow_seen seen;

	if (look & NATFLOW_LOOK_QUIC && READ_ONCE(flow->nn->quic) && opens_quic(dir, skb))
		return (struct sent){ .reason = NATFLOW_WATCHED };
	natflow_seen_read(flow, dir, &seen);
	if (seen.meta.watched && is_watched(dir, skb, len, seen.meta.watch_from))
		return (struct sent){ .reason = NATFLOW_WATCHED };
	return (struct sent){
		.mark = seen.meta.mark, .priority = seen.meta.priority,
		.reason = natflow_seen_verdict(&seen, &in),
	};
}

/* Would the stack treat this packet like the one natflow learned from? */
static __always_inline enum natflow_reason check_fields(struct ctx *c, const u8 family)
{
	struct sent sent;

	c->mark = 0;
	c->priority = 0;
	if (likely(READ_ONCE(c->dir->look) == c->pkt.look && !(c->skb->mark | c->skb->priority)))
		return NATFLOW_OK;
	sent = check_cold(c->dir, natflow_dir_flow(c->dir, family), c->skb, c->pkt.look,
			  c->pkt.len);
	c->mark = sent.mark;
	c->priority = sent.priority;
	return sent.reason;
}

/* The stack sees a sample: a bridge learns its station's port; rules may classify anew. */
static enum natflow_reason glance(const struct natflow_way *way, const struct natflow_meta *meta)
{
	if ((u16)(natflow_tick_now() - READ_ONCE(meta->seen)) <= NATFLOW_STATION_TICKS)
		return NATFLOW_OK;
	if (way->bridged)
		return NATFLOW_STATION;
	/* data_race(): a concurrent write is seen at the next tick. */
	return data_race(!!meta->strict) ? NATFLOW_SAMPLED : NATFLOW_OK;
}

/*
 * Once a tick: check the conntrack, the path MTU, the features and the bypassed
 * devices. ctnetlink changes a conntrack's TCP state, mark and status bits
 * (conntrack -U) without an event that a holder of the conntrack receives.
 */
static noinline enum natflow_reason
look_behind(const struct natflow_way *way, struct natflow_flow *flow, struct natflow_dir *dir,
	    struct natflow_egress *eg)
{
	const struct natflow_meta *meta = natflow_dir_meta(flow, dir);
	enum natflow_reason reason;

	if (!natflow_ct_alive(flow->ct)) {
		natflow_flow_end(flow, NATFLOW_END_CT_GONE);
		return NATFLOW_CT_GONE;
	}
	if (natflow_ct_eligible(flow->ct)) {
		natflow_flow_end(flow, NATFLOW_END_CT_STATE);
		return NATFLOW_CT_STATE;
	}
	if (READ_ONCE(flow->ct->mark) != READ_ONCE(meta->ct_mark))
		return NATFLOW_CT_MARK;
	if (!natflow_egress_mtu_holds(eg))
		return NATFLOW_PMTU;
	reason = glance(way, meta);
	if (!reason)
		reason = natflow_attach_recheck(flow->nn, flow);
	if (reason)
		return reason;
	if (!natflow_bypass_holds(&way->bypass) || !natflow_bypass_holds(&eg->down.bypass)) {
		natflow_doubt(flow->nn, NATFLOW_DOUBT_PATHS, NATFLOW_CAUSE_DEVICE, NULL);
		return NATFLOW_PATH;
	}
	WRITE_ONCE(dir->tick, natflow_tick_now());
	WRITE_ONCE(eg->used, natflow_tick_now());
	return NATFLOW_OK;
}

/* A segment that the window does not have, as it is noted now. */
static noinline enum natflow_reason
check_edge(struct natflow_flow *flow, unsigned int d, const struct tcphdr *tcp, u32 len)
{
	struct natflow_window *w = &flow->window;

	if (natflow_window_fits(w, d, tcp, len)) {
		natflow_ct_widen(flow->ct, w, d, (u32)ntohs(tcp->window) << w->scale[d]);
		if (natflow_window_pass(w, d, tcp, len))
			return NATFLOW_OK;
	}
	return natflow_ct_is_liberal(flow->ct, d) ? NATFLOW_OK : NATFLOW_TCP_WINDOW;
}

/* Last of all: what passes is noted as sent. Out of line, UDP does not need its registers. */
static noinline enum natflow_reason
check_window(struct natflow_flow *flow, unsigned int d, const struct tcphdr *tcp, u32 len)
{
	if (likely(natflow_window_pass(&flow->window, d, tcp, len)))
		return NATFLOW_OK;
	return check_edge(flow, d, tcp, len);
}

static __always_inline enum natflow_reason admit(struct ctx *c, const u8 family)
{
	enum natflow_reason reason = check_size(c);

	if (likely(!reason))
		reason = check_fields(c, family);
	c->new_tick = READ_ONCE(c->dir->tick) != natflow_tick_now();
	if (likely(!reason) && unlikely(c->new_tick))
		reason = look_behind(c->way, natflow_dir_flow(c->dir, family), c->dir, c->egress);
	if (likely(!reason) && c->pkt.proto == IPPROTO_TCP)
		reason = check_window(natflow_dir_flow(c->dir, family),
				      c->dir->flags & NATFLOW_DIR_REPLY,
				      (const void *)(c->skb->data + c->pkt.l4),
				      c->pkt.len - c->pkt.payload);
	return reason;
}

/* Do to the packet what the bypassed ingress devices would have done. */
static noinline void surface(struct sk_buff *skb, unsigned int len, const struct natflow_way *way,
			     const u8 family)
{
	natflow_bypass_count(&way->bypass, len, false);
	__vlan_hwaccel_clear_tag(skb);
	skb->protocol = family == NFPROTO_IPV4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	skb->pkt_type = PACKET_HOST;
	skb->skb_iif = way->l3_ifindex;
}

/* Only the private copy and the trim may fail; the packet is changed after them. */
static __always_inline enum natflow_reason rewrite(struct ctx *c, const u8 family)
{
	const bool udp = c->pkt.proto == IPPROTO_UDP;
	const unsigned int came = c->skb->len;
	struct sk_buff *skb = natflow_xmit_make_private(c->skb, natflow_pkt_pull_len(family),
							c->egress->headroom);

	if (unlikely(!skb))
		return NATFLOW_NO_MEMORY;
	c->skb = skb;
	if (skb->len > c->pkt.len && unlikely(pskb_trim_rcsum(skb, c->pkt.len)))
		return NATFLOW_NO_MEMORY;
	if (unlikely(c->way->bypass.count))
		surface(skb, came, c->way, family);
	natflow_nat_rewrite(skb->data, natflow_dir_rewrite(c->dir, family), c->pkt.l4, udp,
			    skb->ip_summed == CHECKSUM_PARTIAL, family);
	skb->transport_header = skb->network_header + c->pkt.l4;
	skb->mark = c->mark;
	skb->priority = c->priority;
	return NATFLOW_OK;
}

/* Paint and charge a packet. Return: false if it was dropped. */
static noinline bool charge(struct natflow_flow *flow, const struct natflow_limit *limit,
			    unsigned int d, struct sk_buff *skb, u64 extra)
{
	static const u8 counted[] = {
		[NATFLOW_LIMIT_MARKED] = NATFLOW_DROP_MARKED,
		[NATFLOW_LIMIT_EARLY] = NATFLOW_DROP_EARLY,
		[NATFLOW_LIMIT_OVER] = NATFLOW_DROP_OVER,
	};
	const u32 bytes = skb->len + (u32)extra;
	enum natflow_limit_verdict v = natflow_limit_charge(flow->nn, limit, d, skb, bytes);

	natflow_limit_paint(limit, skb);
	if (likely(v == NATFLOW_LIMIT_PASS))
		return true;
	natflow_stats_reason(flow->nn->pcpu, counted[v]);
	if (v == NATFLOW_LIMIT_MARKED)
		return true;
	natflow_attach_dropped(flow->nn, flow, d, 1 + (extra >> 40), bytes);
	kfree_skb(skb);
	return false;
}

/*
 * Give a packet the DSCP that its direction leaves with, and charge it, if its flow has
 * more than one bucket or anything else. Return: false if it was dropped.
 */
static noinline bool treat_more(struct natflow_flow *flow, u8 how, unsigned int d,
				struct sk_buff *skb, u64 extra)
{
	const struct natflow_limit *limit = READ_ONCE(flow->limit);

	natflow_dscp_set(skb, how >> 2);
	return IS_ERR_OR_NULL(limit) || charge(flow, limit, d, skb, extra);
}

/* What natflow_dir.treat says of a packet. Return: false if it was dropped. */
static __always_inline bool treat(struct ctx *c, u8 how, const u8 family)
{
	struct natflow_flow *flow = natflow_dir_flow(c->dir, family);
	const unsigned int d = c->dir->flags & NATFLOW_DIR_REPLY;
	const struct natflow_limit *limit;

	smp_rmb();	/* natflow_dir.treat before @limit; pairs with the release in bind() */
	if (unlikely(!(how & NATFLOW_DIR_PLAIN)))
		return treat_more(flow, how, d, c->skb, c->extra);
	limit = READ_ONCE(flow->limit);
	return likely(natflow_limit_fits(c->nn, limit, d, c->skb->len + (u32)c->extra)) ||
	       charge(flow, limit, d, c->skb, c->extra);
}

static __always_inline void count(struct ctx *c, const u8 family)
{
	unsigned int len = c->skb->len;

	if (c->extra)
		atomic64_add(c->extra, &natflow_dir_flow(c->dir, family)->extra
				       [c->dir->flags & NATFLOW_DIR_REPLY]);
	atomic64_add(BIT_ULL(40) | len, &c->dir->count);
	natflow_stats_hit(c->nn->pcpu, len);
	if (unlikely(c->new_tick))
		natflow_ageing_join(natflow_dir_flow(c->dir, family));
}

/* The packet goes up the stack unchanged: the @over bytes of an in-band tag are restored. */
static noinline unsigned int refuse(const struct natflow_port *port, struct sk_buff *skb,
				    unsigned int over, enum natflow_reason reason)
{
	__skb_push(skb, over);
	skb->network_header -= over;
	if (skb->protocol == htons(ETH_P_IP))
		natflow_clock_sample(port->nn, skb, NFPROTO_IPV4);
	else if (skb->protocol == htons(ETH_P_IPV6))
		natflow_clock_sample(port->nn, skb, NFPROTO_IPV6);
	natflow_stats_reason(port->nn->pcpu, reason);
	if (unlikely(READ_ONCE(port->nn->topo.uppers)))
		natflow_way_note(port, skb);
	natflow_way_seen(skb);
	trace_refuse(port->ifindex, skb, reason);
	return NF_ACCEPT;
}

static __always_inline enum natflow_verdict forward(struct ctx *c, const u8 family)
{
	u8 how;

	c->reason = parse(c, family);
	if (likely(!c->reason))
		c->reason = find(c, family);
	if (likely(!c->reason))
		c->reason = admit(c, family);
	if (likely(!c->reason))
		c->reason = rewrite(c, family);
	if (unlikely(c->reason))
		return NATFLOW_REFUSE;
	how = READ_ONCE(c->dir->treat);
	if (unlikely(how & NATFLOW_DIR_TREATED) && !treat(c, how, family))
		return NATFLOW_GO;
	count(c, family);
	if (unlikely(READ_ONCE(c->egress->tracked)))
		natflow_ct_attach(c->skb, natflow_dir_flow(c->dir, family)->ct,
				  c->dir->flags & NATFLOW_DIR_REPLY);
	natflow_xmit(c->skb, c->egress);
	return NATFLOW_GO;
}

/* natflow owns a packet that it sent or holds. */
static __always_inline unsigned int
receive(const struct natflow_port *port, const struct natflow_way *way, struct sk_buff *skb,
	unsigned int over, const u8 family)
{
	struct ctx c natflow_uninitialized;

	c.nn = port->nn;
	c.skb = skb;
	c.way = way;
	if (unlikely(forward(&c, family) == NATFLOW_REFUSE))
		return refuse(port, skb, over, c.reason);
	return NF_STOLEN;
}

/* One function for each family: the compiler folds the family's constants. */
static noinline unsigned int receive_ip4(const struct natflow_port *port,
					 const struct natflow_way *way, struct sk_buff *skb,
					 unsigned int over)
{
	return receive(port, way, skb, over, NFPROTO_IPV4);
}

static noinline unsigned int receive_ip6(const struct natflow_port *port,
					 const struct natflow_way *way, struct sk_buff *skb,
					 unsigned int over)
{
	return receive(port, way, skb, over, NFPROTO_IPV6);
}

/* The session of a frame, if PPP leaves its packets as they are. */
static struct natflow_session *find_session(const struct natflow_port *port,
					    const struct sk_buff *skb)
{
	struct natflow_session *s;

	s = natflow_session_find(port->sessions, natflow_pppoe_session(skb->data),
				 eth_hdr(skb)->h_source);
	if (!s || unlikely(READ_ONCE(s->closed)))
		return NULL;
	if (likely(!natflow_pppoe_compresses(natflow_pppoe_protocol(skb->data))))
		return s;
	WRITE_ONCE(s->closed, true);
	return NULL;
}

/* May this IP packet skip PPP? */
static __always_inline enum natflow_reason look_at_session(const struct natflow_port *port,
							   struct natflow_session *s)
{
	enum natflow_reason reason;

	if (likely(READ_ONCE(s->tick) == natflow_tick_now() && !READ_ONCE(s->up)))
		return NATFLOW_OK;
	reason = natflow_pppoe_look(s, port);
	if (reason == NATFLOW_PATH)
		natflow_doubt(port->nn, NATFLOW_DOUBT_PATHS, NATFLOW_CAUSE_DEVICE, NULL);
	return reason;
}

/* An IP packet of a session, at its PPPoE header; @room: bytes that PPP would count. */
static __always_inline unsigned int
forward_inner(const struct natflow_port *port, struct natflow_session *s, struct sk_buff *skb,
	      u32 room, const u8 family)
{
	const int iif = skb->skb_iif;
	unsigned int verdict;

	__skb_pull(skb, NATFLOW_PPPOE_LEN);
	skb->network_header += NATFLOW_PPPOE_LEN;
	skb->skb_iif = s->way.l3_ifindex;
	if (family == NFPROTO_IPV4) {
		skb->protocol = htons(ETH_P_IP);
		verdict = receive_ip4(port, &s->way, skb, NATFLOW_PPPOE_LEN);
	} else {
		skb->protocol = htons(ETH_P_IPV6);
		verdict = receive_ip6(port, &s->way, skb, NATFLOW_PPPOE_LEN);
	}
	if (likely(verdict == NF_STOLEN)) {
		natflow_bypassed_count(&s->ppp, room, false);
	} else {
		skb->protocol = htons(ETH_P_PPP_SES);
		skb->skb_iif = iif;
	}
	return verdict;
}

/* A PPPoE frame. What is refused here is looked up again at the PPP device. */
static noinline unsigned int forward_session(const struct natflow_port *port, struct sk_buff *skb)
{
	struct natflow_session *s;
	enum natflow_reason reason;
	u32 room;
	u8 family;

	if (unlikely(skb_headlen(skb) < NATFLOW_PPPOE_LEN) &&
	    (!pull(skb, NATFLOW_PPPOE_LEN) || skb_headlen(skb) < NATFLOW_PPPOE_LEN))
		return refuse(port, skb, 0, NATFLOW_TRUNCATED);
	s = find_session(port, skb);
	family = natflow_pppoe_family(skb->data);
	if (unlikely(!s || !family))
		return refuse(port, skb, 0, NATFLOW_NOT_IP);
	room = natflow_pppoe_room(skb->data, skb_headlen(skb), skb->len, family);
	if (unlikely(!room))
		return refuse(port, skb, 0, NATFLOW_IP_LENGTH);
	reason = look_at_session(port, s);
	if (unlikely(reason))
		return refuse(port, skb, 0, reason);
	return forward_inner(port, s, skb, room, family);
}

/* An IP packet belongs to @way; PPPoE has sessions of its own at the port. */
static noinline unsigned int
forward_other(const struct natflow_port *port, const struct natflow_way *way, struct sk_buff *skb,
	      unsigned int over, __be16 protocol)
{
	if (protocol == htons(ETH_P_PPP_SES) && way == &port->own && READ_ONCE(port->session_count))
		return forward_session(port, skb);
	return refuse(port, skb, over, NATFLOW_NOT_IP);
}

static __always_inline unsigned int
forward_ip(const struct natflow_port *port, const struct natflow_way *way, struct sk_buff *skb,
	   unsigned int over, __be16 protocol)
{
	if (likely(protocol == htons(ETH_P_IP)))
		return receive_ip4(port, way, skb, over);
	if (likely(protocol == htons(ETH_P_IPV6)))
		return receive_ip6(port, way, skb, over);
	return forward_other(port, way, skb, over, protocol);
}

/* The packet's L3 device is above this port. The inner of two VLAN tags is in-band. */
static noinline unsigned int forward_flat(const struct natflow_port *port, struct sk_buff *skb)
{
	__be16 protocol;
	const u32 tags = natflow_way_tags(skb, &protocol);
	const struct natflow_way *way = natflow_way_find(port, skb, tags);
	unsigned int over = 0;

	if (!way)
		return refuse(port, skb, 0, tags ? NATFLOW_VLAN_TAG : NATFLOW_MEMBER);
	if (unlikely(tags >> 16)) {
		if (unlikely(skb_headlen(skb) < VLAN_HLEN) && !pull(skb, VLAN_HLEN))
			return refuse(port, skb, 0, NATFLOW_TRUNCATED);
		over = VLAN_HLEN;
		__skb_pull(skb, over);
		skb->network_header += over;
	}
	return forward_ip(port, way, skb, over, protocol);
}

/**
 * natflow_path_ingress() - the netdev ingress hook of a port
 * @priv: struct natflow_port
 * @skb: received packet, at its L3 header
 * @state: not used; @priv has the device
 *
 * Context: RCU read side, BH disabled.
 * Return: NF_STOLEN if the packet was forwarded, else NF_ACCEPT with the
 * packet as it came.
 */
unsigned int natflow_path_ingress(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	const struct natflow_port *port = priv;

	if (unlikely(skb_vlan_tag_present(skb) || READ_ONCE(port->member)))
		return forward_flat(port, skb);
	return forward_ip(port, &port->own, skb, 0, skb->protocol);
}

/**
 * natflow_path_ppp() - the netdev ingress hook of a PPP device's port
 * @priv: struct natflow_port
 * @skb: received packet, at its L3 header
 * @state: not used; @priv has the device
 *
 * Context: RCU read side, BH disabled.
 * Return: as natflow_path_ingress().
 */
unsigned int natflow_path_ppp(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	natflow_pppoe_arrived(priv);
	return natflow_path_ingress(priv, skb, state);
}

/*
 * An ifb gives a packet back to the device it was redirected from, and there the
 * packet skips tc and netfilter ingress (drivers/net/ifb.c:ifb_ri_tasklet() sets
 * tc_skip_classify, net/core/dev.c:__netif_receive_skb_core() honours it). So the
 * port's own hook has not seen it.
 */
static noinline unsigned int forward_returned(struct natflow_net *nn, struct sk_buff *skb,
					      const struct net_device *dev)
{
	const struct natflow_port *port;

	/* Bridge netfilter shows packets before it is known whether they are routed. */
	if (nf_bridge_in_prerouting(skb))
		return NF_ACCEPT;
	port = natflow_port_find(nn, dev->ifindex);
	if (!port)
		return NF_ACCEPT;
	if (unlikely(skb_vlan_tag_present(skb)))
		return refuse(port, skb, 0, NATFLOW_VLAN_TAG);
	return forward_ip(port, &port->own, skb, 0, skb->protocol);
}

/**
 * natflow_path_arrival() - the PRE_ROUTING hook, both families, first of all
 * @priv: struct natflow_net
 * @skb: received packet, at its L3 header
 * @state: family and device
 *
 * Looks up packets that an ifb gave back. Notes the fields of all packets that
 * continue up the stack.
 *
 * Context: RCU read side, BH disabled.
 * Return: NF_STOLEN if the packet was forwarded, else NF_ACCEPT with the
 * packet as it came.
 */
unsigned int natflow_path_arrival(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	if (unlikely(natflow_way_unseen(skb)) &&
	    forward_returned(priv, skb, state->in) == NF_STOLEN)
		return NF_STOLEN;
	natflow_note_arrival(skb, state);
	return NF_ACCEPT;
}
