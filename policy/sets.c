// SPDX-License-Identifier: GPL-2.0-only
/*
 * ipset's sets, by their names: looked up each time, so that nobody is kept from
 * destroying, swapping or creating one, or from unloading ipset. ipset reads
 * packets: it is given one with the addresses that matter.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter/ipset/ip_set.h>
#include "../lib/site.h"
#include "sets.h"

#if IS_ENABLED(CONFIG_IP_SET)

/* ip_set_test() or ip_set_add(). */
typedef int set_fn(ip_set_id_t id, const struct sk_buff *skb, const struct xt_action_param *par,
		   struct ip_set_adt_opt *opt);

/* From @addr and @mac, to nobody. */
static struct sk_buff *make_packet(u8 family, const u8 *addr, const u8 *mac,
				   struct net_device *dev)
{
	struct sk_buff *skb = alloc_skb(ETH_HLEN + sizeof(struct ipv6hdr), GFP_ATOMIC);

	if (!skb)
		return NULL;
	skb->dev = dev;
	skb_reset_mac_header(skb);
	ether_addr_copy(((struct ethhdr *)skb_put_zero(skb, ETH_HLEN))->h_source, mac);
	skb_pull(skb, ETH_HLEN);
	skb_reset_network_header(skb);
	if (family == NFPROTO_IPV4) {
		struct iphdr *iph = skb_put_zero(skb, sizeof(*iph));

		iph->version = 4;
		iph->ihl = 5;
		memcpy(&iph->saddr, addr, sizeof(iph->saddr));
	} else {
		struct ipv6hdr *ip6h = skb_put_zero(skb, sizeof(*ip6h));

		ip6h->version = 6;
		ip6h->nexthdr = IPPROTO_NONE;
		memcpy(&ip6h->saddr, addr, sizeof(ip6h->saddr));
	}
	return skb;
}

/* Return: what @fn says of the set, or -ENOENT if there is none. */
static int ask(struct net *net, const char *name, set_fn *fn, u8 family, const u8 *addr,
	       const u8 *mac, struct net_device *dev)
{
	typeof(ip_set_get_byname) *get = symbol_get(ip_set_get_byname);
	typeof(ip_set_put_byindex) *put = symbol_get(ip_set_put_byindex);
	const struct nf_hook_state state = {
		.hook = NF_INET_FORWARD, .pf = family, .in = dev, .net = net,
	};
	const struct xt_action_param par = { .state = &state };
	struct ip_set_adt_opt opt = {
		.family = family, .dim = IPSET_DIM_TWO,
		.flags = IPSET_DIM_ONE_SRC | IPSET_DIM_TWO_SRC,
		.ext.timeout = UINT_MAX,	/* the set's own */
	};
	struct {
		struct nlattr head;
		char text[NATFLOW_SET_NAME_MAX];
	} attr = { .head.nla_len = NLA_HDRLEN + strlen(name) + 1 };
	ip_set_id_t id = IPSET_INVALID_ID;
	struct sk_buff *skb;
	struct ip_set *set;
	int ret = -ENOENT;

	strscpy(attr.text, name, sizeof(attr.text));
	if (get && put)
		id = get(net, &attr.head, &set);
	if (id != IPSET_INVALID_ID) {
		skb = make_packet(family, addr, mac, dev);
		ret = skb ? fn(id, skb, &par, &opt) : -ENOMEM;
		kfree_skb(skb);
		put(net, id);
	}
	if (put)
		symbol_put(ip_set_put_byindex);
	if (get)
		symbol_put(ip_set_get_byname);
	return ret;
}

/**
 * natflow_set_test() - is a client in a set
 * @client: by address, MAC or device, whichever the set is of
 * @name: of the set
 *
 * Context: RCU read side, BH disabled.
 * Return: 1 or 0, -ENOENT if there is no such set, -ENOMEM.
 */
int natflow_set_test(const struct natflow_site_client *client, const char *name)
{
	typeof(ip_set_test) *test = symbol_get(ip_set_test);
	int ret;

	if (!test)
		return -ENOENT;
	ret = ask(client->net, name, test, client->family, client->addr, client->mac,
		  dev_get_by_name_rcu(client->net, client->dev));
	symbol_put(ip_set_test);
	return ret < 0 ? ret : ret > 0;
}

/**
 * natflow_set_add() - one address more, for as long as the set says
 * @net: namespace
 * @name: of the set; nothing happens if there is none, or it is of the other family
 * @family: NFPROTO_*
 * @addr: network order
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_set_add(struct net *net, const char *name, u8 family, const u8 *addr)
{
	static const u8 no_mac[ETH_ALEN] __aligned(2);
	typeof(ip_set_add) *add = symbol_get(ip_set_add);

	if (!add)
		return;
	ask(net, name, add, family, addr, no_mac, NULL);
	symbol_put(ip_set_add);
}

#else

int natflow_set_test(const struct natflow_site_client *client, const char *name)
{
	return -ENOENT;
}

void natflow_set_add(struct net *net, const char *name, u8 family, const u8 *addr)
{
}

#endif
