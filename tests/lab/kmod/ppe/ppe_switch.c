// SPDX-License-Identifier: GPL-2.0-only
/*
 * lan1: a port of a switch behind gmac2. Frames come and leave by gmac2's wire, without the
 * switch's tag.
 */
#include <linux/etherdevice.h>
#include <linux/nsproxy.h>
#include <net/dsa.h>
#include "ppe.h"

#if PPE_NEW

static const struct dsa_device_ops tag = { .name = "mtk", .proto = DSA_TAG_PROTO_MTK };
static struct dsa_port cpu = { .tag_ops = &tag };
static struct dsa_port user = { .index = 1, .cpu_dp = &cpu };

/* The kernel's, without DSA in it. */
struct dsa_port *dsa_port_from_netdev(struct net_device *dev)
{
	return dev && dev == natppe.lan ? &user : ERR_PTR(-ENODEV);
}

static netdev_tx_t lan_xmit(struct sk_buff *skb, struct net_device *lan)
{
	consume_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops lan_ops = { .ndo_start_xmit = lan_xmit };

int ppe_switch_make(void)
{
	struct net_device *lan = alloc_etherdev(0);
	int err;

	if (!lan)
		return -ENOMEM;
	strscpy(lan->name, "lan1", IFNAMSIZ);
	lan->netdev_ops = &lan_ops;
	dev_net_set(lan, current->nsproxy->net_ns);
	eth_hw_addr_random(lan);
	err = register_netdev(lan);
	if (err) {
		free_netdev(lan);
		return err;
	}
	cpu.conduit = natppe.eth.netdev[1];
	natppe.lan = lan;
	return 0;
}

void ppe_switch_remove(void)
{
	if (!natppe.lan)
		return;
	unregister_netdev(natppe.lan);
	free_netdev(natppe.lan);
}

#else

int ppe_switch_make(void)
{
	return 0;
}

void ppe_switch_remove(void)
{
}

#endif
