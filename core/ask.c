// SPDX-License-Identifier: GPL-2.0-only
/*
 * The route clock moved, perhaps for nothing: a Packet Too Big about one destination
 * moves IPv6's for all (net/ipv6/route.c:rt6_insert_exception(), 6.1 to 7.3), and so
 * does each route that a router advertisement adds. A flow asks for its own route
 * before it leaves the fast path. It stays if the answer is its egress.
 *
 * The lookup is the stack's for a forwarded packet, with the key that the stack has
 * then: destination NAT is done, source NAT is not. If natflow does not know a part of
 * the key, or if the answer depends on more than the key, the stack has the packet:
 *   - policy rules that look at marks: rules may set a mark for the route alone
 *   - VRFs; IPsec policies; IPv4's multipath routes and rules that look at ports
 *   - changes that no lookup shows, see natflow_net.edition
 *
 * Rules of the user may look up the source address (rpfilter, fib). So the route back
 * must be the same, too. A dead egress of the other direction is a change: then a
 * bridge may have forgotten the station that sends, see natflow_doubt_station().
 */
#include <linux/inetdevice.h>
#include <linux/udp.h>
#include <net/addrconf.h>
#include <net/fib_rules.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/l3mdev.h>
#include <net/sock.h>
#include <net/xfrm.h>
#include "ask.h"
#include "base/clock.h"
#include "flow/flow.h"
#include "topo/egress.h"
#include "topo/route.h"
#include "topo/way.h"

/* One direction whose route is asked for. */
struct ctx {
	struct net *net;
	struct natflow_dir *dir;
	struct natflow_egress *egress;
	struct net_device *in;
	u64 look;
};

static bool has_policies(const struct net *net)
{
	unsigned int dir;

	for (dir = 0; dir < XFRM_POLICY_MAX; dir++)
		if (natflow_compat_has_policy(net, dir))
			return true;
	return false;
}

static bool look_at_marks(const struct fib_rules_ops *ops)
{
	const struct fib_rule *rule;

	list_for_each_entry_rcu(rule, &ops->rules_list, list)
		if (rule->mark_mask)
			return true;
	return false;
}

/* May policy rules look at something that is not known here? */
static bool rules_hide(const struct net *net, bool v4)
{
	const struct fib_rules_ops *ops = v4 ? natflow_compat_rules4(net) :
					       natflow_compat_rules6(net);

	return ops && ((v4 && natflow_compat_rules4_by_ports(net)) || look_at_marks(ops));
}

/* The only next hop for a destination, or NULL. */
static const struct fib_nh_common *hop_to(const struct ctx *c, __be32 saddr, __be32 daddr,
					  struct fib_result *res)
{
	struct flowi4 fl4 = {
		.flowi4_iif = c->in->ifindex, .flowi4_scope = RT_SCOPE_UNIVERSE,
		.flowi4_uid = sock_net_uid(c->net, NULL),
		.saddr = saddr, .daddr = daddr,
	};

	natflow_compat_set_tos(&fl4, natflow_look_tos(c->look));
	if (fib_lookup(c->net, &fl4, res, 0) || res->type != RTN_UNICAST ||
	    fib_info_num_path(res->fi) != 1)
		return NULL;
	return FIB_RES_NHC(*res);
}

/* The addresses that the stack routes by. */
static void addresses4(const struct ctx *c, __be32 *saddr, __be32 *daddr)
{
	const struct natflow_key4 *key = (const void *)natflow_dir_key(c->dir);
	const struct natflow_rewrite4 *rw = natflow_dir_rewrite(c->dir, NFPROTO_IPV4);

	*saddr = key->addrs.saddr;
	*daddr = rw->addrs.daddr;
}

/* The packet's own route, with the kernel's checks of its source. */
static bool same4(const struct ctx *c, struct sk_buff *skb)
{
	const struct dst_entry *dst;
	struct fib_result res;
	__be32 saddr, daddr;
	bool same = false;

	addresses4(c, &saddr, &daddr);
	/* Another tap or handler may hold the skb; it would see the route. */
	if (skb_shared(skb) || !hop_to(c, saddr, daddr, &res))
		return false;
	if (natflow_compat_route_input(skb, daddr, saddr, natflow_look_tos(c->look), c->in))
		return false;
	dst = skb_dst(skb);
	if (skb_rtable(skb)->rt_type == RTN_UNICAST && !dst->error && !dst->lwtstate &&
	    !natflow_route_has_pmtu(c->net, skb_rtable(skb)))
		same = natflow_egress_still(c->egress, skb_dst(skb), &daddr,
					    ip_dst_mtu_maybe_forward(dst, true));
	skb_dst_drop(skb);
	return same;
}

/* The route back, by its device: that is what rules can compare. */
static bool back4(const struct ctx *c)
{
	const struct fib_nh_common *hop;
	struct fib_result res;
	__be32 saddr, daddr;

	addresses4(c, &saddr, &daddr);
	hop = hop_to(c, saddr, daddr, &res);
	return hop && hop->nhc_dev == c->egress->out;
}

/* Does this namespace forward IPv6 packets of the device? A route lookup does not ask. */
static bool forwards6(const struct ctx *c)
{
	const struct inet6_dev *in6 = __in6_dev_get(c->in);

	return in6 && !READ_ONCE(in6->cnf.disable_ipv6) &&
	       (READ_ONCE(c->net->ipv6.devconf_all->forwarding) ||
		natflow_compat_force_forwarding(&in6->cnf));
}

/* With all fields set, net/ipv6/route.c:rt6_multipath_hash() needs no packet for policies 0, 1. */
static bool same6(const struct ctx *c)
{
	const struct natflow_key6 *key = (const void *)natflow_dir_key(c->dir);
	const struct natflow_rewrite6 *rw = natflow_dir_rewrite(c->dir, NFPROTO_IPV6);
	struct flowi6 fl6 = {
		.flowi6_iif = c->in->ifindex,
		.flowi6_proto = key->tail.way & NATFLOW_KEY_TCP ? IPPROTO_TCP : IPPROTO_UDP,
		.flowlabel = htonl(c->look >> 8) & IPV6_FLOWINFO_MASK,
		.saddr = key->addrs.saddr, .daddr = rw->addrs.daddr,
		.fl6_sport = key->tail.ports.sport, .fl6_dport = rw->ports.dport,
	};
	const int flags = RT6_LOOKUP_F_HAS_SADDR | RT6_LOOKUP_F_DST_NOREF;
	struct dst_entry *dst;

	if (!forwards6(c) || READ_ONCE(c->net->ipv6.sysctl.multipath_hash_policy) > 1)
		return false;
	dst = ip6_route_input_lookup(c->net, c->in, &fl6, NULL, flags);
	if (dst->error || dst->lwtstate ||
	    container_of(dst, struct rt6_info, dst)->rt6i_flags & (RTF_LOCAL | RTF_ANYCAST))
		return false;
	return natflow_egress_still(c->egress, dst, &fl6.daddr,
				    ip6_dst_mtu_maybe_forward(dst, true));
}

static void prepare(struct ctx *c, struct natflow_dir *dir, int ifindex, u64 look)
{
	c->dir = dir;
	c->look = look;
	c->in = dev_get_by_index_rcu(c->net, ifindex);
	c->egress = rcu_dereference(dir->egress);
}

static bool is_alive(const struct ctx *c)
{
	return c->egress && READ_ONCE(c->egress->alive);
}

/* Can the stack's lookup be repeated here? */
static bool can_ask(const struct ctx *c, bool v4)
{
	return c->in && !netif_is_l3_slave(c->in) && !has_policies(c->net) &&
	       !rules_hide(c->net, v4);
}

/* Compare the routes of both directions with their egresses. */
static enum natflow_reason compare(const struct ctx *there, const struct ctx *back,
				   bool bridged, struct sk_buff *skb)
{
	const bool v4 = natflow_dir_is(there->dir, NFPROTO_IPV4);
	bool same;

	if (!is_alive(there))
		return NATFLOW_EGRESS;
	if (!is_alive(back))
		return bridged ? NATFLOW_STATION : NATFLOW_CLOCK;
	if (!can_ask(there, v4) || !can_ask(back, v4))
		return NATFLOW_CLOCK;
	same = v4 ? same4(there, skb) && back4(back) : same6(there) && same6(back);
	return same ? NATFLOW_OK : NATFLOW_CLOCK;
}

static enum natflow_reason ask(struct natflow_dir *dir, struct sk_buff *skb, u64 look,
			       int l3_ifindex, bool bridged)
{
	struct natflow_flow *flow = natflow_dir_owner(dir);
	const u8 family = natflow_flow_family(flow);
	const unsigned int d = dir->flags & NATFLOW_DIR_REPLY;
	struct natflow_dir *other = natflow_flow_dir(flow, !d, family);
	struct ctx there = { .net = flow->nn->net }, back = there;
	const u32 clock = natflow_clock(flow->nn, family);
	enum natflow_reason reason;
	u32 edition;

	smp_rmb();	/* the clock before the edition and the routes; pairs with its bump */
	edition = natflow_edition(flow->nn, family);
	if (test_bit(NATFLOW_FLOW_AMBIGUOUS, &flow->bits))
		return NATFLOW_AMBIGUOUS;
	/* Changes that no lookup shows happened since this direction was learned. */
	if (!natflow_flow_is_of(flow, dir, edition))
		return NATFLOW_CLOCK;
	prepare(&there, dir, l3_ifindex, look);
	prepare(&back, other, READ_ONCE(flow->iif[!d]), READ_ONCE(other->look));
	reason = compare(&there, &back, bridged, skb);
	if (reason)
		return reason;
	if (!natflow_flow_confirm(flow, dir, there.egress, edition, clock))
		return NATFLOW_CLOCK;
	natflow_stats_confirmed(flow->nn->pcpu);
	return NATFLOW_OK;
}

/**
 * natflow_ask() - the clock moved: does the route of a flow still lead to its egress
 * @dir: direction of a published flow, found under RCU
 * @skb: packet of it, at its L3 header; unchanged on return
 * @look: its look
 * @way: by which it came
 *
 * The clock is sampled before the lookup. If the answer is the same, the direction
 * gets this stamp, and the next packet asks only if the clock moved again. A packet
 * asks once at most, for three lookups.
 *
 * Context: RCU read side, BH disabled.
 * Return: NATFLOW_OK, or why the packet takes the stack.
 */
enum natflow_reason natflow_ask(struct natflow_dir *dir, struct sk_buff *skb, u64 look,
				const struct natflow_way *way)
{
	return ask(dir, skb, look, way->l3_ifindex, way->bridged);
}

/* A packet of IPv4 as the direction's arrive, as far as a route lookup looks at it. */
static struct sk_buff *make_packet(const struct natflow_dir *dir, u64 look)
{
	const struct natflow_key4 *key = (const void *)natflow_dir_key(dir);
	const unsigned int size = sizeof(struct iphdr) + sizeof(struct udphdr);
	struct sk_buff *skb = alloc_skb(size, GFP_ATOMIC | __GFP_NOWARN);
	struct iphdr *ip;

	if (!skb)
		return NULL;
	skb_reset_network_header(skb);
	ip = skb_put_zero(skb, size);
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tos = natflow_look_tos(look);
	ip->ttl = IPDEFTTL;
	ip->protocol = key->tail.way & NATFLOW_KEY_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	ip->saddr = key->addrs.saddr;
	ip->daddr = key->addrs.daddr;
	skb->protocol = htons(ETH_P_IP);
	return skb;
}

/**
 * natflow_ask_unseen() - natflow_ask() for a flow whose packets hardware forwards
 * @flow: published flow
 * @d: which direction, IP_CT_DIR_*
 *
 * Context: RCU read side, BH disabled.
 * Return: true if the direction has the stamp of the route clock, before or now.
 */
bool natflow_ask_unseen(struct natflow_flow *flow, unsigned int d)
{
	const u8 family = natflow_flow_family(flow);
	struct natflow_dir *dir = natflow_flow_dir(flow, d, family);
	const u64 look = READ_ONCE(dir->look);
	struct sk_buff *skb = NULL;
	bool same;

	if (READ_ONCE(dir->clock) == natflow_clock(flow->nn, family))
		return true;
	if (family == NFPROTO_IPV4) {
		skb = make_packet(dir, look);
		if (!skb)
			return false;
	}
	same = !ask(dir, skb, look, READ_ONCE(flow->l3[d]), false);
	consume_skb(skb);
	return same;
}
