// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose packet is it that a device is about to send? Asked once for a record of a flow,
 * so it may cost what a lookup of a connection costs.
 *
 * Towards users (zone LAN) the frame's destination is the user. Towards the Internet the
 * user is the address that sent the packet before NAT changed it, as conntrack knows. Its
 * MAC stands for it where the neighbour table has it: then IPv4 and IPv6 of a client are
 * one user. On an ifb to which tc ingress redirected the packet it is the same, backwards.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <net/arp.h>
#include <net/ip.h>
#include <net/ndisc.h>
#include "../core/base/ct.h"
#include "../core/flow/flow.h"
#include "../core/flow/object.h"
#include "../policy/zone.h"
#include "who.h"

/* The address that a packet has come from. */
struct origin {
	union nf_inet_addr addr;
	u8 family;		/* NFPROTO_* */
	int ifindex;		/* of the L3 device that received it, 0: not known */
};

static u8 family_of(const struct sk_buff *skb)
{
	switch (skb_protocol(skb, true)) {
	case htons(ETH_P_IP):
		return NFPROTO_IPV4;
	case htons(ETH_P_IPV6):
		return NFPROTO_IPV6;
	default:
		return NFPROTO_UNSPEC;
	}
}

static void client_set(struct natflow_client *client, const void *addr, u8 len)
{
	memset(client, 0, sizeof(*client));
	memcpy(client->addr, addr, len);
	client->kind = len;
}

/* What the packet itself says; false: its header is not at hand. */
static bool read_source(const struct sk_buff *skb, struct origin *from)
{
	union {
		struct iphdr v4;
		struct ipv6hdr v6;
	} buf;
	const void *h;

	memset(from, 0, sizeof(*from));
	from->family = family_of(skb);
	from->ifindex = skb->skb_iif;
	if (from->family == NFPROTO_IPV4) {
		h = skb_header_pointer(skb, skb_network_offset(skb), sizeof(buf.v4), &buf);
		if (h)
			from->addr.ip = ((const struct iphdr *)h)->saddr;
		return h;
	}
	if (from->family != NFPROTO_IPV6)
		return false;
	h = skb_header_pointer(skb, skb_network_offset(skb), sizeof(buf.v6), &buf);
	if (h)
		from->addr.in6 = ((const struct ipv6hdr *)h)->saddr;
	return h;
}

/* Before source NAT; the packet's direction @dir of @ct. */
static void ask_conntrack(struct natflow_net *nn, const struct nf_conn *ct, unsigned int dir,
			  struct origin *from)
{
	const struct natflow_flow *flow = natflow_flow_by_ct(nn, ct);

	from->addr = *natflow_ct_source(ct, dir);
	if (flow && natflow_flow_learned(flow, dir))
		from->ifindex = READ_ONCE(flow->l3[dir]);
}

/*
 * A fast packet carries no conntrack. @arrives: tc ingress has redirected the packet to this
 * device. Then it was not changed, and the user is who its connection's other direction
 * comes from.
 */
static void find_conntrack(struct natflow_net *nn, const struct sk_buff *skb, bool arrives,
			   struct origin *from)
{
	unsigned int dir;
	struct nf_conn *ct = natflow_ct_find_bare(nn->net, skb, from->family, !arrives, &dir);

	if (!ct)
		return;
	ask_conntrack(nn, ct, arrives ? !dir : dir, from);
	natflow_ct_put(ct);
}

static bool find_mac(struct net *net, const struct origin *from, u8 *mac)
{
	struct net_device *dev = dev_get_by_index_rcu(net, from->ifindex);
	struct neighbour *n;

	if (!dev || dev->type != ARPHRD_ETHER)
		return false;
	if (from->family == NFPROTO_IPV4)
		n = __ipv4_neigh_lookup_noref(dev, (__force u32)from->addr.ip);
	else
		n = __ipv6_neigh_lookup_noref(dev, &from->addr.in6);
	if (!n || !(READ_ONCE(n->nud_state) & NUD_VALID))
		return false;
	neigh_ha_snapshot(mac, n, dev);
	return true;
}

/* Where the packet came from, before NAT; false: it is not of IP. */
static bool find_origin(struct natflow_net *nn, const struct sk_buff *skb, bool arrives,
			struct origin *from)
{
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct = nf_ct_get(skb, &ctinfo);

	if (!read_source(skb, from))
		return false;
	if (ct)
		ask_conntrack(nn, ct, CTINFO2DIR(ctinfo), from);
	else
		find_conntrack(nn, skb, arrives, from);
	return true;
}

/**
 * natflow_who() - the user a packet is from, or for
 * @skb: packet at its L2 header, about to leave by @dev
 * @dev: device
 * @origin: find the device that it came by, too, where the user is known without
 * @who: set
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_who(const struct sk_buff *skb, const struct net_device *dev, bool origin,
		 struct natflow_who *who)
{
	struct natflow_net *nn = natflow_net(dev_net(dev));
	struct origin from;
	u8 mac[ETH_ALEN];
	bool lan, arrives = skb_is_redirected(skb) && skb->from_ingress;

	memset(who, 0, sizeof(*who));
	if (!nn)	/* natflow leaves the namespace */
		return;
	lan = !arrives && natflow_zone_of(nn, dev).lan && dev->type == ARPHRD_ETHER;
	if (lan && !is_multicast_ether_addr(eth_hdr(skb)->h_dest))
		client_set(&who->client, eth_hdr(skb)->h_dest, ETH_ALEN);
	if ((lan && !origin) || !find_origin(nn, skb, arrives, &from))
		return;
	if (!arrives)
		who->ifindex = from.ifindex;
	if (lan)
		return;
	if (find_mac(nn->net, &from, mac))
		client_set(&who->client, mac, ETH_ALEN);
	else
		client_set(&who->client, &from.addr, from.family == NFPROTO_IPV4 ? 4 : 16);
}

static bool has_ports(u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

/**
 * natflow_hash_of() - the number of a packet's flow
 * @skb: packet
 * @key: secret
 *
 * What a tunnel or a driver has found stays. Else addresses and ports of UDP and TCP are
 * enough, and a third of the cost of the kernel's dissector.
 *
 * Context: BH disabled.
 */
u32 natflow_hash_of(struct sk_buff *skb, const hsiphash_key_t *key)
{
	union {
		struct { struct iphdr h; u32 ports; } v4;
		struct { struct ipv6hdr h; u32 ports; } v6;
	} buf;
	const int at = skb_network_offset(skb);
	const void *h;

	if (skb->l4_hash || skb->sw_hash)
		return skb->hash;
	switch (family_of(skb)) {
	case NFPROTO_IPV4: {
		const typeof(buf.v4) *p = h = skb_header_pointer(skb, at, sizeof(buf.v4), &buf);

		if (h && p->h.ihl == 5 && !ip_is_fragment(&p->h) && has_ports(p->h.protocol))
			return hsiphash_3u32((__force u32)p->h.saddr, (__force u32)p->h.daddr,
					     p->ports, key);
		break;
	}
	case NFPROTO_IPV6: {
		const typeof(buf.v6) *p = h = skb_header_pointer(skb, at, sizeof(buf.v6), &buf);

		if (h && has_ports(p->h.nexthdr))
			return hsiphash((const u8 *)p + offsetof(struct ipv6hdr, saddr),
					sizeof(*p) - offsetof(struct ipv6hdr, saddr), key);
		break;
	}
	}
	return skb_get_hash(skb);
}

/**
 * natflow_tin_of() - a packet's importance, by its DSCP
 * @skb: packet
 *
 * Context: BH disabled.
 */
enum natflow_tin natflow_tin_of(const struct sk_buff *skb)
{
	const u8 family = family_of(skb);
	const u8 *h;
	u8 buf[2];

	h = skb_header_pointer(skb, skb_network_offset(skb), sizeof(buf), buf);
	if (!h || family == NFPROTO_UNSPEC)
		return NATFLOW_TIN_BEST;
	/* IPv6 has the field four bits further right. */
	switch (family == NFPROTO_IPV4 ? h[1] >> 2 : (h[0] & 0xf) << 2 | h[1] >> 6) {
	case 1: case 8:				/* LE, CS1 */
		return NATFLOW_TIN_BULK;
	case 16: case 24: case 32:		/* CS2, CS3, CS4 */
	case 18: case 20: case 22:		/* AF21 to AF23 */
	case 26: case 28: case 30:		/* AF31 to AF33 */
	case 34: case 36: case 38:		/* AF41 to AF43 */
		return NATFLOW_TIN_VIDEO;
	case 40: case 44: case 46:		/* CS5, VA, EF */
	case 48: case 56:			/* CS6, CS7 */
		return NATFLOW_TIN_VOICE;
	default:
		return NATFLOW_TIN_BEST;
	}
}
