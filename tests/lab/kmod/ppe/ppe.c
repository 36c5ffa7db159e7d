// SPDX-License-Identifier: GPL-2.0-only
/*
 * natppe.ko: SoCs, devices and registers. See ppe.h.
 *
 *   soc=mt7621|mt7622|mt7986|mt7988	parameter; 7986 is the 7981 too
 */
#include <linux/debugfs.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/platform_device.h>
#include <net/flow_offload.h>
#include "ppe.h"
#include "mtk_wed.h"

char *ppe_soc = "mt7622";
module_param_named(soc, ppe_soc, charp, 0400);
MODULE_PARM_DESC(soc, "mt7621, mt7622, mt7986 or mt7988");

static unsigned int ppes;
module_param(ppes, uint, 0400);
MODULE_PARM_DESC(ppes, "PPEs, at most; the driver finds those of init_net's devices alone");

struct natppe natppe = { .wcid = 0x123, .bss = 5 };

struct profile {
	const char *name;
	u8 version, offload_version, ways;
	u16 entry_size;
	bool accounting;
	u8 ppes;
	u32 base[3];
};

/* As mtk_eth_soc.c describes them. */
static const struct profile profiles[] = {
	{ "mt7621", 1, 1, 2, 80, false, 1, { 0xc00 } },
	{ "mt7622", 1, 2, 2, 80, true, 1, { 0xc00 } },
	{ "mt7986", 2, 2, 4, 96, true, 2, { 0x2000, 0x2400 } },
#if PPE_NEW
	{ "mt7988", 3, 2, 4, 128, true, 3, { 0x2000, 0x2400, 0x2c00 } },
#endif
};

u32 mtk_r32(struct mtk_eth *eth, unsigned int offset)
{
	return READ_ONCE(natppe.fe[offset / 4]);
}

u32 ppe_read(const void __iomem *addr)
{
	return READ_ONCE(*(const u32 __force *)addr);
}

void ppe_write(u32 value, void __iomem *addr)
{
	u32 offset = (u8 __force *)addr - (u8 *)natppe.fe;
	unsigned int i;

	for (i = 0; i < natppe.ppes; i++) {
		if (offset - natppe.base[i] < PPE_REGS && natppe.started[i]) {
			ppe_emulate_write(&natppe.ppe[i], offset - natppe.base[i], value);
			return;
		}
	}
	WRITE_ONCE(natppe.fe[offset / 4], value);
}

int mtk_wed_flow_add(int index)
{
	natppe.wed_flows++;
	return 0;
}

void mtk_wed_flow_remove(int index)
{
	natppe.wed_flows--;
}

static void count(enum ppe_counter which)
{
	atomic64_inc(&natppe.counter[which]);
}

static unsigned int ppe_of(const struct net_device *gmac)
{
#if PPE_NEW
	return ((struct mtk_mac *)netdev_priv(gmac))->ppe_idx;
#else
	return 0;
#endif
}

/* A frame for a device, as its driver hands it up. */
static void receive(struct net_device *dev, struct sk_buff *skb)
{
	if (!netif_running(dev)) {
		count(PPE_DROPPED);
		kfree_skb(skb);
		return;
	}
	skb->protocol = eth_type_trans(skb, dev);
	netif_rx(skb);
}

/* What mtk_poll_rx() does with a frame. */
static void poll(struct net_device *gmac, struct sk_buff *skb, const struct ppe_result *result)
{
	count(PPE_CPU);
	atomic64_inc(&natppe.reason[result->reason & 31]);
	if (!netif_running(gmac)) {
		count(PPE_DROPPED);
		kfree_skb(skb);
		return;
	}
	if (result->index != PPE_NO_INDEX)
		skb_set_hash(skb, jhash_1word(result->index, 0), PKT_HASH_TYPE_L4);
	skb->protocol = eth_type_trans(skb, gmac);
	if (result->reason == PPE_HIT_RATE)
		mtk_ppe_check_skb(natppe.eth.ppe[ppe_of(gmac)], skb, result->index);
	netif_rx(skb);
}

static void leave(struct sk_buff *skb, const struct ppe_result *result)
{
	unsigned int port = result->port - PPE_GDM1;

	if (port < PPE_GMACS) {
		count(PPE_HARD);
		receive(natppe.wire[port], skb);
		return;
	}
	/* Anything else is of the wlan: WED's DMA engines. */
	count(PPE_WED);
	memcpy(natppe.wed_words, result->word, sizeof(natppe.wed_words));
	kfree_skb(skb);
}

static unsigned int wire_number(const struct net_device *wire)
{
	return *(unsigned int *)netdev_priv(wire);
}

/* The wire sent a frame: it arrives at the GMAC, where the PPE is first. */
static netdev_tx_t wire_xmit(struct sk_buff *skb, struct net_device *wire)
{
	struct net_device *gmac = natppe.eth.netdev[wire_number(wire)];
	struct sk_buff *new = NULL;
	struct ppe_result result;
	unsigned int len;

	count(PPE_WIRE);
	if (!skb_linearize(skb))
		new = alloc_skb(NET_SKB_PAD + NET_IP_ALIGN + skb->len + PPE_GROWTH, GFP_ATOMIC);
	if (!new) {
		count(PPE_DROPPED);
		kfree_skb(skb);
		return NETDEV_TX_OK;
	}
	skb_reserve(new, NET_SKB_PAD + NET_IP_ALIGN);
	len = ppe_emulate_frame(&natppe.ppe[ppe_of(gmac)], skb->data, skb->len, false, new->data,
				&result);
	if (len)
		skb_put(new, len);
	else
		skb_put_data(new, skb->data, skb->len);
	consume_skb(skb);
	if (result.verdict == PPE_TO_CPU)
		poll(gmac, new, &result);
	else if (result.verdict == PPE_TO_PORT)
		leave(new, &result);
	else
		kfree_skb(new);
	return NETDEV_TX_OK;
}

static netdev_tx_t gmac_xmit(struct sk_buff *skb, struct net_device *gmac)
{
	struct mtk_mac *mac = netdev_priv(gmac);

	count(PPE_SENT);
	dev_forward_skb(natppe.wire[mac->id], skb);
	return NETDEV_TX_OK;
}

static netdev_tx_t wlan_xmit(struct sk_buff *skb, struct net_device *wlan)
{
	consume_skb(skb);
	return NETDEV_TX_OK;
}

/* Every station is the same one. */
static int wlan_path(struct net_device_path_ctx *ctx, struct net_device_path *path)
{
	path->type = DEV_PATH_MTK_WDMA;
	path->dev = ctx->dev;
	ctx->dev = NULL;
	path->mtk_wdma.wdma_idx = 1;
	path->mtk_wdma.queue = 2;
	path->mtk_wdma.wcid = natppe.wcid;
	path->mtk_wdma.bss = natppe.bss;
#if PPE_NEW
	path->mtk_wdma.amsdu = 1;
#endif
	return 0;
}

static const struct net_device_ops wire_ops = { .ndo_start_xmit = wire_xmit };

static const struct net_device_ops gmac_ops = {
	.ndo_start_xmit = gmac_xmit, .ndo_setup_tc = mtk_eth_setup_tc,
	.ndo_set_mac_address = eth_mac_addr,
};

static const struct net_device_ops wlan_ops = {
	.ndo_start_xmit = wlan_xmit, .ndo_fill_forward_path = wlan_path,
};

static void get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "mtk_soc_eth", sizeof(info->driver));
}

static const struct ethtool_ops gmac_ethtool_ops = { .get_drvinfo = get_drvinfo };

static struct net_device *device(const char *name, const struct net_device_ops *ops,
				 unsigned int priv, unsigned int number)
{
	struct net_device *dev = alloc_etherdev(priv);

	if (!dev)
		return NULL;
	snprintf(dev->name, IFNAMSIZ, "%s%u", name, number);
	dev->netdev_ops = ops;
	dev_net_set(dev, current->nsproxy->net_ns);
	eth_hw_addr_random(dev);
	dev->max_mtu = 2000;
	if (ops == &gmac_ops) {
		dev->ethtool_ops = &gmac_ethtool_ops;
		dev->hw_features |= NETIF_F_HW_TC;
		dev->features |= NETIF_F_HW_TC;
	}
	return dev;
}

static int make_devices(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < PPE_GMACS; i++) {
		struct net_device *gmac = device("gmac", &gmac_ops, sizeof(struct mtk_mac), i + 1);
		struct mtk_mac *mac;

		if (!gmac)
			return -ENOMEM;
		mac = netdev_priv(gmac);
		mac->id = i;
		mac->hw = &natppe.eth;
#if PPE_NEW
		mac->ppe_idx = min(i, natppe.ppes - 1);
#endif
		natppe.eth.netdev[i] = gmac;
		natppe.eth.mac[i] = mac;
		natppe.wire[i] = device("wire", &wire_ops, sizeof(unsigned int), i + 1);
		if (!natppe.wire[i])
			return -ENOMEM;
		*(unsigned int *)netdev_priv(natppe.wire[i]) = i;
	}
	natppe.wlan = device("wlan", &wlan_ops, 0, 0);
	if (!natppe.wlan)
		return -ENOMEM;
	for (i = 0; i < PPE_GMACS; i++) {
		err = register_netdev(natppe.eth.netdev[i]);
		err = err ?: register_netdev(natppe.wire[i]);
		if (err)
			return err;
	}
	return register_netdev(natppe.wlan) ?: ppe_switch_make();
}

static void remove_device(struct net_device *dev)
{
	if (!dev)
		return;
	if (dev->reg_state == NETREG_REGISTERED)
		unregister_netdev(dev);
	free_netdev(dev);
}

/* All sides stop before any goes: one sends into the other. */
static void remove_devices(void)
{
	unsigned int i;

	ppe_switch_remove();
	for (i = 0; i < PPE_GMACS; i++) {
		if (natppe.wire[i] && natppe.wire[i]->reg_state == NETREG_REGISTERED)
			unregister_netdev(natppe.wire[i]);
		if (natppe.eth.netdev[i] && natppe.eth.netdev[i]->reg_state == NETREG_REGISTERED)
			unregister_netdev(natppe.eth.netdev[i]);
	}
	remove_device(natppe.wlan);
	for (i = 0; i < PPE_GMACS; i++) {
		remove_device(natppe.wire[i]);
		remove_device(natppe.eth.netdev[i]);
	}
}

static void describe(const struct profile *p)
{
	natppe.soc.offload_version = p->offload_version;
	natppe.soc.hash_offset = p->ways;
	natppe.soc.foe_entry_size = p->entry_size;
#if PPE_NEW
	natppe.soc.version = p->version;
	natppe.soc.ppe_num = p->ppes;
	natppe.soc.has_accounting = p->accounting;
	natppe.ppes = p->ppes;
#else
	natppe.soc.caps = p->version > 1 ? MTK_NETSYS_V2 : 0;
	natppe.soc.offload_version = 2;
#ifdef MTK_PPE_MIB	/* P05 */
	natppe.soc.caps |= p->accounting ? MTK_PPE_MIB : 0;
#endif
	natppe.ppes = 1;
#endif
	natppe.ppes = min(natppe.ppes, ppes ?: ARRAY_SIZE(natppe.ppe));
	memcpy(natppe.base, p->base, sizeof(p->base));
	natppe.eth.soc = &natppe.soc;
}

/* What mtk_probe() and mtk_open() do for a PPE. */
static int start(const struct profile *p, unsigned int i)
{
	void __iomem *base = natppe.eth.base + p->base[i];
	struct ppe_emulate *e = &natppe.ppe[i];
	struct mtk_ppe *ppe;
	int err;

#if PPE_NEW
	ppe = mtk_ppe_init(&natppe.eth, base, i);
#else
	ppe = mtk_ppe_init(&natppe.eth, base, natppe.soc.offload_version, i);
#endif
	if (!ppe)
		return -ENOMEM;
	natppe.eth.ppe[i] = ppe;
	*e = (struct ppe_emulate){
		.version = p->version, .ways = p->ways, .entry_size = p->entry_size,
		.entries = MTK_PPE_ENTRIES, .table = ppe->foe_table, .cached = true,
		.regs = natppe.fe + p->base[i] / 4, .clock = natppe.fe + 0x10 / 4,
	};
	err = ppe_emulate_init(e);
	if (err)
		return err;
	natppe.started[i] = true;
#if PPE_NEW
	err = mtk_eth_offload_init(&natppe.eth, i);
	if (err)
		return err;
	mtk_ppe_start(ppe);
	mtk_ppe_update_mtu(ppe, ETH_DATA_LEN);
#else
	err = mtk_eth_offload_init(&natppe.eth);
	if (err)
		return err;
	mtk_ppe_start(ppe);
#endif
	return 0;
}

static void stop(void)
{
	char name[16];
	unsigned int i;

	remove_devices();
	for (i = 0; i < natppe.ppes; i++) {
		if (!natppe.eth.ppe[i])
			continue;
		mtk_ppe_stop(natppe.eth.ppe[i]);
		snprintf(name, sizeof(name), "ppe%u", i);
		debugfs_lookup_and_remove(name, NULL);
		rhashtable_destroy(&natppe.eth.ppe[i]->l2_flows);
		if (natppe.started[i])
			ppe_emulate_exit(&natppe.ppe[i]);
		natppe.started[i] = false;
	}
	if (natppe.eth.ppe[0])
		rhashtable_destroy(&natppe.eth.flow_table);
	platform_device_unregister(natppe.pdev);
	kfree(natppe.fe);
}

static int __init natppe_init(void)
{
	const struct profile *p = profiles;
	unsigned int i;
	int err;

	while (p < profiles + ARRAY_SIZE(profiles) && strcmp(p->name, ppe_soc))
		p++;
	if (p == profiles + ARRAY_SIZE(profiles))
		return -EINVAL;
	natppe.fe = kzalloc(FE_BYTES, GFP_KERNEL);
	if (!natppe.fe)
		return -ENOMEM;
	natppe.fe[0x10 / 4] = 0x1234;
	natppe.pdev = platform_device_register_simple("natppe", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(natppe.pdev)) {
		kfree(natppe.fe);
		return PTR_ERR(natppe.pdev);
	}
	dma_coerce_mask_and_coherent(&natppe.pdev->dev, DMA_BIT_MASK(32));
	natppe.eth.dev = &natppe.pdev->dev;
	natppe.eth.base = (void __iomem __force *)natppe.fe;
	describe(p);
	err = make_devices();
	for (i = 0; !err && i < natppe.ppes; i++)
		err = start(p, i);
	err = err ?: ppe_rule_bind();
	if (err)
		goto err_stop;
	err = ppe_door_open();
	if (err)
		goto err_unbind;
	return 0;

err_unbind:
	ppe_rule_unbind();
err_stop:
	stop();
	return err;
}

static void __exit natppe_exit(void)
{
	ppe_door_close();
	ppe_rule_unbind();
	stop();
}

module_init(natppe_init);
module_exit(natppe_exit);
MODULE_DESCRIPTION("MediaTek's PPE driver on an emulated PPE, for natflow's lab");
MODULE_LICENSE("GPL");
