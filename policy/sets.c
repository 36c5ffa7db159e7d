// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of ipset, by name. Each test looks the set up, so that users can destroy, swap
 * and create sets at any time. ipset is optional; once found, its module is pinned
 * until this one is unloaded. ipset tests packets, so a test builds a packet with the
 * client's addresses.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter/ipset/ip_set.h>
#include "../lib/text/whom.h"
#include "sets.h"

#if IS_ENABLED(CONFIG_IP_SET)

/* ip_set_test() or ip_set_add(). */
typedef int set_fn(ip_set_id_t id, const struct sk_buff *skb, const struct xt_action_param *par,
		   struct ip_set_adt_opt *opt);

/* Functions of ipset. Written once, before @found; @mutex serializes writers. */
static struct {
	typeof(ip_set_get_byname) *get;
	typeof(ip_set_put_byindex) *put;
	set_fn *test, *add;
} ipset;
static bool found;
static DEFINE_MUTEX(mutex);

static void let_go(void)
{
	if (ipset.get)
		symbol_put(ip_set_get_byname);
	if (ipset.put)
		symbol_put(ip_set_put_byindex);
	if (ipset.test)
		symbol_put(ip_set_test);
	if (ipset.add)
		symbol_put(ip_set_add);
}

static void look_for_ipset(void)
{
	mutex_lock(&mutex);
	if (!found) {
		ipset.get = symbol_get(ip_set_get_byname);
		ipset.put = symbol_get(ip_set_put_byindex);
		ipset.test = symbol_get(ip_set_test);
		ipset.add = symbol_get(ip_set_add);
		if (ipset.get && ipset.put && ipset.test && ipset.add)
			smp_store_release(&found, true);	/* after @ipset */
		else
			let_go();
	}
	mutex_unlock(&mutex);
}

static int module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	const struct module *module = data;

	if (event == MODULE_STATE_LIVE && !strcmp(module->name, "ip_set"))
		look_for_ipset();
	return NOTIFY_DONE;
}

static struct notifier_block modules = { .notifier_call = module_event };

/**
 * natflow_sets_init() - use ipset now, or as soon as its module is loaded
 *
 * Return: 0 or an errno.
 */
int __init natflow_sets_init(void)
{
	int err = register_module_notifier(&modules);

	if (!err)
		look_for_ipset();
	return err;
}

/**
 * natflow_sets_exit() - unpin ipset; no set is tested any more
 */
void natflow_sets_exit(void)
{
	unregister_module_notifier(&modules);
	if (found)
		let_go();
}

/* Build a packet from @addr and @mac, without a destination. */
static struct sk_buff *make_packet(u8 family, const u8 *addr, const u8 *mac,
				   struct net_device *dev)
{
	struct sk_buff *skb = alloc_skb(NET_IP_ALIGN + ETH_HLEN + sizeof(struct ipv6hdr),
					GFP_ATOMIC | __GFP_NOWARN);

	if (!skb)
		return NULL;
	skb->dev = dev;
	skb_reserve(skb, NET_IP_ALIGN);
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

/*
 * Return: the result of @fn, or -ENOENT if there is no such set. A dying namespace has
 * no sets: one grace period after its death they may be freed.
 */
static int ask(struct net *net, const char *name, set_fn *fn, u8 family, const u8 *addr,
	       const u8 *mac, struct net_device *dev)
{
	const struct nf_hook_state state = {
		.hook = NF_INET_FORWARD, .pf = family, .in = dev, .net = net,
	};
	const struct xt_action_param par = { .state = &state };
	struct ip_set_adt_opt opt = {
		.family = family, .dim = IPSET_DIM_TWO,
		.flags = IPSET_DIM_ONE_SRC | IPSET_DIM_TWO_SRC,
		.cmdflags = IPSET_FLAG_EXIST,	/* an existing entry's timeout starts anew */
		.ext.timeout = UINT_MAX,	/* the set's default */
	};
	struct {
		struct nlattr head;
		char text[NATFLOW_SET_NAME_MAX];
	} attr = { .head.nla_len = NLA_HDRLEN + strlen(name) + 1 };
	struct sk_buff *skb;
	struct ip_set *set;
	ip_set_id_t id;
	int ret;

	if (!check_net(net))
		return -ENOENT;
	strscpy(attr.text, name, sizeof(attr.text));
	id = ipset.get(net, &attr.head, &set);
	if (id == IPSET_INVALID_ID)
		return -ENOENT;
	skb = make_packet(family, addr, mac, dev);
	ret = skb ? fn(id, skb, &par, &opt) : -ENOMEM;
	consume_skb(skb);
	ipset.put(net, id);
	return ret;
}

/**
 * natflow_set_test() - is a client in a set
 * @client: matched by address, MAC or device, by the type of the set
 * @name: of the set
 *
 * Context: RCU read side, BH disabled.
 * Return: 1 or 0, -ENOENT if there is no such set, -ENOMEM.
 */
int natflow_set_test(const struct natflow_site_client *client, const char *name)
{
	int ret = -ENOENT;

	if (smp_load_acquire(&found))	/* pairs with look_for_ipset() */
		ret = ask(client->net, name, ipset.test, client->family, client->addr,
			  client->mac, dev_get_by_name_rcu(client->net, client->dev));
	return ret < 0 ? ret : ret > 0;
}

/**
 * natflow_set_add() - add an address, with the set's default timeout
 * @net: namespace
 * @name: of the set; no effect if it does not exist or has the other family
 * @family: NFPROTO_*
 * @addr: network order
 *
 * Context: RCU read side, BH disabled.
 */
void natflow_set_add(struct net *net, const char *name, u8 family, const u8 *addr)
{
	static const u8 no_mac[ETH_ALEN] __aligned(2);

	if (smp_load_acquire(&found))	/* pairs with look_for_ipset() */
		ask(net, name, ipset.add, family, addr, no_mac, NULL);
}

#else

int __init natflow_sets_init(void)
{
	return 0;
}

void natflow_sets_exit(void)
{
}

int natflow_set_test(const struct natflow_site_client *client, const char *name)
{
	return -ENOENT;
}

void natflow_set_add(struct net *net, const char *name, u8 family, const u8 *addr)
{
}

#endif
