// SPDX-License-Identifier: GPL-2.0-only
/*
 * The RX hook: parse, find, check, rewrite, send. Every step either goes on or
 * says why not, and then the packet goes up the stack as it came.
 */
#include <linux/if_ether.h>
#include <linux/skbuff.h>
#include <net/dst.h>
#include <net/xfrm.h>
#include "core/ageing.h"
#include "core/clock.h"
#include "core/ct.h"
#include "core/egress.h"
#include "core/flow.h"
#include "core/port.h"
#include "core/trace.h"
#include "core/xmit.h"
#include "lib/pkt.h"
#include "natflow_path.h"

/* One packet on its way through. */
struct ctx {
	struct natflow_net *nn;
	struct sk_buff *skb;
	struct natflow_dir *dir;
	struct natflow_egress *egress;
	u32 mark, priority;
	bool new_tick;		/* first hit of this direction in this tick */
	struct natflow_pkt pkt;
};

/* What is on the skb beside bytes: only a plain packet for this router will do. */
static __always_inline enum natflow_reason check_skb(const struct sk_buff *skb)
{
	if (unlikely(skb->pkt_type != PACKET_HOST))
		return NATFLOW_NOT_FOR_US;
	if (unlikely(skb_vlan_tag_present(skb)))
		return NATFLOW_VLAN_TAG;
	if (unlikely(skb->_nfct))
		return NATFLOW_CONNTRACKED;
	if (unlikely(skb->_skb_refdst))
		return NATFLOW_DST_ATTACHED;
	if (unlikely(secpath_exists(skb)))
		return NATFLOW_SECPATH;
	if (unlikely(skb->encapsulation))
		return NATFLOW_ENCAPSULATED;
	return NATFLOW_OK;
}

static __always_inline enum natflow_reason
parse(struct ctx *c, const struct natflow_port *port, const u8 family)
{
	struct sk_buff *skb = c->skb;
	enum natflow_reason reason = check_skb(skb);
	u32 want = natflow_pkt_pull_len(skb->len, family);

	if (unlikely(reason))
		return reason;
	/* Nobody may pull what others hold; and a pull that fails leaves the skb alone. */
	if (unlikely(skb_headlen(skb) < want) &&
	    (skb_shared(skb) || !pskb_may_pull(skb, want)))
		return NATFLOW_TRUNCATED;
	return natflow_pkt_parse(skb->data, skb_headlen(skb), skb->len, port->id, &c->pkt, family);
}

/* The flow, and whether what was learned still holds. */
static __always_inline enum natflow_reason find(struct ctx *c, const u8 family)
{
	c->dir = natflow_flow_find(c->nn, &c->pkt.key, family);
	if (!c->dir)
		return NATFLOW_MISS;
	/* Pairs with write_dir(): the clock before the egress. */
	if (unlikely(smp_load_acquire(&c->dir->clock) != natflow_clock(c->nn, family)))
		return test_bit(NATFLOW_FLOW_AMBIGUOUS, &natflow_dir_flow(c->dir, family)->bits) ?
			NATFLOW_AMBIGUOUS : NATFLOW_CLOCK;
	c->egress = rcu_dereference(c->dir->egress);
	if (unlikely(!READ_ONCE(c->egress->alive)))
		return NATFLOW_EGRESS;
	return NATFLOW_OK;
}

/* Super-packets we understand: TCP, and UDP segments that are one L4 datagram each. */
#define GSO_TYPES (SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_TCP_ECN | SKB_GSO_TCP_FIXEDID | \
		   SKB_GSO_DODGY | SKB_GSO_UDP_L4)

/* Would each packet on the wire fit, and can checksum offload stay as it is? */
static __always_inline enum natflow_reason check_size(const struct ctx *c)
{
	const struct sk_buff *skb = c->skb;
	u32 len = c->pkt.len;

	if (skb_is_gso(skb)) {
		if (unlikely(skb_shinfo(skb)->gso_type & ~GSO_TYPES))
			return NATFLOW_GSO_TYPE;
		if (unlikely(len != skb->len))
			return NATFLOW_IP_LENGTH;
		len = c->pkt.payload + skb_shinfo(skb)->gso_size;
	}
	if (unlikely(len > c->egress->mtu))
		return NATFLOW_MTU;
	if (skb->ip_summed == CHECKSUM_PARTIAL &&
	    unlikely(skb_checksum_start_offset(skb) != c->pkt.l4))
		return NATFLOW_CSUM_START;
	return NATFLOW_OK;
}

/* Mark, priority and a TTL that the stack sets: they are behind the hot line. */
static __always_inline enum natflow_reason check_meta(struct ctx *c, const u8 family)
{
	u8 ttl = READ_ONCE(c->dir->ttl);

	c->mark = 0;
	c->priority = 0;
	if (unlikely(!ttl)) {
		const struct natflow_flow *flow = natflow_dir_flow(c->dir, family);
		const struct natflow_meta *meta = &flow->meta[c->dir->tag & NATFLOW_DIR_REPLY];

		ttl = READ_ONCE(meta->ttl);
		c->mark = READ_ONCE(meta->mark);
		c->priority = READ_ONCE(meta->priority);
	}
	if (unlikely(c->pkt.ttl - 1 != ttl))
		return NATFLOW_TTL_DIFFERS;
	if (unlikely((c->pkt.tos ^ c->dir->tag) & NATFLOW_DSCP_MASK))
		return NATFLOW_DSCP_DIFFERS;
	return NATFLOW_OK;
}

/* Once a tick: is the conntrack still there? */
static noinline enum natflow_reason look_behind(struct ctx *c, struct natflow_flow *flow)
{
	if (!natflow_ct_alive(flow->ct)) {
		natflow_flow_end(flow, NATFLOW_END_CT_GONE);
		return NATFLOW_CT_GONE;
	}
	WRITE_ONCE(c->dir->tick, natflow_tick_now());
	WRITE_ONCE(c->egress->used, natflow_tick_now());
	c->new_tick = true;
	return NATFLOW_OK;
}

static __always_inline enum natflow_reason admit(struct ctx *c, const u8 family)
{
	enum natflow_reason reason;

	if (unlikely(c->pkt.tcp_flags & NATFLOW_TCP_SYN_FIN_RST)) {
		natflow_flow_end(natflow_dir_flow(c->dir, family), NATFLOW_END_TCP);
		return NATFLOW_TCP_FLAGS;
	}
	reason = check_size(c);
	if (likely(!reason))
		reason = check_meta(c, family);
	if (likely(!reason) && unlikely(READ_ONCE(c->dir->tick) != natflow_tick_now()))
		reason = look_behind(c, natflow_dir_flow(c->dir, family));
	return reason;
}

/* The last step that may refuse is its first: from the trim on the packet is ours. */
static __always_inline enum natflow_reason rewrite(struct ctx *c, const u8 family)
{
	const bool udp = natflow_key_tail(&c->pkt.key, family)->proto == IPPROTO_UDP;
	const unsigned int len = c->pkt.l4 + (udp ? sizeof(struct udphdr) : sizeof(struct tcphdr));
	struct sk_buff *skb;

	if (unlikely(!natflow_xmit_make_private(&c->skb, len, c->egress->headroom)))
		return NATFLOW_NO_MEMORY;
	skb = c->skb;
	if (skb->len > c->pkt.len && unlikely(pskb_trim_rcsum(skb, c->pkt.len)))
		return NATFLOW_NO_MEMORY;
	natflow_nat_rewrite(skb->data, natflow_dir_rewrite(c->dir, family), c->pkt.l4, udp,
			    skb->ip_summed == CHECKSUM_PARTIAL, family);
	skb_set_transport_header(skb, c->pkt.l4);
	skb->mark = c->mark;
	skb->priority = c->priority;
	return NATFLOW_OK;
}

static __always_inline void count(struct ctx *c, const u8 family)
{
	unsigned int len = c->skb->len;

	atomic64_add(BIT_ULL(40) | len, &c->dir->count);
	natflow_stats_hit(c->nn->pcpu, len);
	if (unlikely(c->new_tick))
		natflow_ageing_join(natflow_dir_flow(c->dir, family));
}

static noinline unsigned int refuse(const struct ctx *c, const struct natflow_port *port,
				    enum natflow_reason reason, const u8 family)
{
	if (family != NFPROTO_UNSPEC)
		natflow_clock_sample(c->nn, family);
	natflow_stats_reason(c->nn->pcpu, reason);
	trace_refuse(port->ifindex, c->skb, reason);
	return NF_ACCEPT;
}

static __always_inline unsigned int
forward(const struct natflow_port *port, struct sk_buff *skb, const u8 family)
{
	struct ctx c = { .nn = port->nn, .skb = skb };
	enum natflow_reason reason;

	reason = parse(&c, port, family);
	if (likely(!reason))
		reason = find(&c, family);
	if (likely(!reason))
		reason = admit(&c, family);
	if (likely(!reason))
		reason = rewrite(&c, family);
	if (unlikely(reason))
		return refuse(&c, port, reason, family);
	count(&c, family);
	natflow_xmit(c.skb, c.egress);
	return NF_STOLEN;
}

/**
 * natflow_path_ingress() - the netdev ingress hook of a port
 * @priv: struct natflow_port
 * @skb: received packet, at its L3 header
 * @state: not used; the port knows it all
 *
 * Context: RCU read side, BH disabled.
 * Return: NF_STOLEN if the packet was forwarded, else NF_ACCEPT with the
 * packet as it came.
 */
unsigned int natflow_path_ingress(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	const struct natflow_port *port = priv;
	const struct ctx other = { .nn = port->nn, .skb = skb };

	if (unlikely(!READ_ONCE(port->nn->forwarding)))
		return NF_ACCEPT;
	if (likely(skb->protocol == htons(ETH_P_IP)))
		return forward(port, skb, NFPROTO_IPV4);
	if (likely(skb->protocol == htons(ETH_P_IPV6)))
		return forward(port, skb, NFPROTO_IPV6);
	return refuse(&other, port, NATFLOW_NOT_IP, NFPROTO_UNSPEC);
}
