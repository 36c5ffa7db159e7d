// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frame engine of an mt7621 or mt7622, for the kernel's own mtk_eth.ko: its registers
 * are memory that the device tree reserves (tests/lab/real/fe.dtsi).
 *
 * What is sent on wire0 arrives at the first GMAC, and what that one sends comes out of
 * wire0; wire1 is the second one's. Between them is the PPE (ppe_emulate.c), with the table
 * that the driver gave it. A thread on the last CPU, where nobody else runs, is the DMA
 * engine for what the driver sends, the clock, and the answer to reads of counters.
 *
 * /sys/kernel/debug/natreal/counters: see enum fe_count. clock: seconds that pass at once.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/of_irq.h>
#include "natreal.h"

#define ENTRY_SIZE	80	/* bytes of an entry of NETSYS v1 */

static struct fe fe;
static struct device_node *node;
static struct task_struct *engine;
static struct dentry *dir;
static DEFINE_MUTEX(moving);	/* start and stop, against the engine */
static unsigned int ups;	/* GMACs that are up */
static bool manual;
module_param(manual, bool, 0644);
MODULE_PARM_DESC(manual, "time passes only by writes to clock");

/* -- the wires */

/* To the port of a PPE's entry; a frame that was rewritten. */
static void forward(unsigned int port, struct sk_buff *skb, unsigned int len)
{
	if (port != PPE_GDM1 && port != PPE_GDM2) {
		fe_add(&fe, FE_LOST, 1);
		kfree_skb(skb);
		return;
	}
	skb_put(skb, len);
	fe_add(&fe, FE_FORWARDED, 1);
	fe_add(&fe, FE_FORWARDED_BYTES, len);
	fe_to_wire(&fe, port - PPE_GDM1, skb);
}

static void arrive(unsigned int mac, const u8 *frame, unsigned int len)
{
	u32 gdm = fe_read(&fe, FE_GDM(mac));
	struct ppe_result result;
	struct sk_buff *skb;
	unsigned int out;

	if (!READ_ONCE(fe.running) || (gdm & 0xffff) == GDM_DROP) {
		fe_add(&fe, FE_DOWN, 1);
		return;
	}
	skb = alloc_skb(len + PPE_GROWTH, GFP_ATOMIC);
	if (!skb || (gdm & 0xffff) != GDM_TO_PPE) {
		fe_add(&fe, FE_LOST, 1);
		kfree_skb(skb);
		return;
	}
	out = ppe_emulate_frame(&fe.ppe, frame, len, gdm & GDM_DSA, skb->data, &result);
	if (result.verdict == PPE_TO_PORT) {
		forward(result.port, skb, out);
		return;
	}
	if (result.verdict == PPE_LOST)
		fe_add(&fe, FE_LOST, 1);
	else
		fe_to_cpu(&fe, mac, out ? skb->data : frame, out ? out : len, result.reason,
			  result.index);
	consume_skb(skb);
}

static netdev_tx_t wire_xmit(struct sk_buff *skb, struct net_device *dev)
{
	unsigned int mac = dev == fe.wire[1];

	if (skb_put_padto(skb, ETH_ZLEN))
		return NETDEV_TX_OK;
	fe_add(&fe, FE_FROM_WIRE + mac, 1);
	dev_sw_netstats_tx_add(dev, 1, skb->len);
	if (!skb_linearize(skb))
		arrive(mac, skb->data, skb->len);
	consume_skb(skb);
	return NETDEV_TX_OK;
}

/**
 * fe_to_wire() - a frame leaves a port
 * @fe: the engine
 * @mac: the port
 * @skb: the frame, consumed
 *
 * Context: any but hard interrupts.
 */
void fe_to_wire(struct fe *fe, unsigned int mac, struct sk_buff *skb)
{
	fe_add(fe, FE_TO_WIRE + mac, 1);
	if (!netif_running(fe->wire[mac])) {
		kfree_skb(skb);
		return;
	}
	dev_sw_netstats_rx_add(fe->wire[mac], skb->len);
	skb->ip_summed = CHECKSUM_NONE;
	skb->protocol = eth_type_trans(skb, fe->wire[mac]);
	netif_rx(skb);
}

static const struct net_device_ops wire_ops = {
	.ndo_start_xmit = wire_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static void wire_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &wire_ops;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->max_mtu = 1600;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	eth_hw_addr_random(dev);
}

static void wires_gone(void)
{
	unsigned int i;

	for (i = 0; i < MACS; i++) {
		if (!fe.wire[i])
			continue;
		unregister_netdev(fe.wire[i]);
		free_netdev(fe.wire[i]);
	}
}

static int wires(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < MACS; i++) {
		struct net_device *dev = alloc_netdev(0, "wire%d", NET_NAME_ENUM, wire_setup);

		if (!dev)
			return -ENOMEM;
		err = register_netdev(dev);
		if (err) {
			free_netdev(dev);
			return err;
		}
		fe.wire[i] = dev;
	}
	return 0;
}

/* -- the engine */

/* The driver has set its rings and its table. */
static void start(void)
{
	struct ppe_emulate *ppe = &fe.ppe;

	memset(ppe, 0, sizeof(*ppe));
	ppe->version = 1;
	ppe->ways = 2;
	ppe->entry_size = ENTRY_SIZE;
	ppe->regs = fe.regs + FE_PPE / 4;
	ppe->entries = 1024 << (fe_read(&fe, FE_PPE + PPE_TB_CFG) & 7);
	ppe->table = phys_to_virt(fe_read(&fe, FE_PPE + PPE_TB_BASE));
	ppe->clock = fe.regs + FE_CLOCK / 4;
	if (ppe_emulate_init(ppe)) {
		pr_err("natreal: no memory\n");
		return;
	}
	spin_lock_bh(&fe.lock);
	fe.rx_next = (fe_read(&fe, FE_RX_FREED) + 1) % fe_read(&fe, FE_RX_COUNT);
	fe.tx_next = fe_read(&fe, FE_TX_CPU);
	fe.running = true;
	spin_unlock_bh(&fe.lock);
}

/* The driver is about to free its rings. */
static void stop(void)
{
	spin_lock_bh(&fe.lock);
	if (!fe.running) {
		spin_unlock_bh(&fe.lock);
		return;
	}
	fe.running = false;
	fe_write(&fe, FE_RX_STATUS, 0);
	fe_write(&fe, FE_TX_STATUS, 0);
	spin_unlock_bh(&fe.lock);
	synchronize_net();		/* frames on their way through the PPE */
	ppe_emulate_exit(&fe.ppe);
}

static int event(struct notifier_block *nb, unsigned long what, void *data)
{
	struct net_device *dev = netdev_notifier_info_to_dev(data);
	unsigned int before = ups;

	if (!dev->dev.parent || dev->dev.parent->of_node != node)
		return NOTIFY_DONE;
	if (what == NETDEV_UP)
		ups++;
	else if (what == NETDEV_GOING_DOWN)
		ups--;
	else
		return NOTIFY_DONE;
	mutex_lock(&moving);
	if (!before && ups)
		start();
	else if (before && !ups)
		stop();
	mutex_unlock(&moving);
	return NOTIFY_DONE;
}

static struct notifier_block events = { .notifier_call = event };

static void pass(unsigned int seconds)
{
	while (seconds--) {
		fe_write(&fe, FE_CLOCK, fe_read(&fe, FE_CLOCK) + 1);
		if (READ_ONCE(fe.running))
			ppe_emulate_tick(&fe.ppe);
	}
}

static void answer_mib(void)
{
	u32 word = fe_read(&fe, FE_PPE + PPE_MIB_SER_CR);

	if (word & BIT(16))
		ppe_emulate_write(&fe.ppe, PPE_MIB_SER_CR, word);
}

/* What the driver has sent; whether there was something. */
static bool transmit(void)
{
	unsigned int n = 0;
	struct sk_buff *skb;
	u32 flags;

	for (; n < 64; n++) {
		skb = fe_from_cpu(&fe, &flags);
		if (!skb)
			break;
		fe_send(&fe, skb, flags);
	}
	return n;
}

static int engine_run(void *unused)
{
	unsigned long second = jiffies + HZ, busy = jiffies;

	while (!kthread_should_stop()) {
		mutex_lock(&moving);
		if (fe.running) {
			if (transmit())
				busy = jiffies;
			answer_mib();
			spin_lock_bh(&fe.lock);
			fe_interrupts(&fe);
			spin_unlock_bh(&fe.lock);
		}
		if (time_after_eq(jiffies, second)) {
			second += HZ;
			if (!READ_ONCE(manual))
				pass(1);
		}
		mutex_unlock(&moving);
		if (time_before(jiffies, busy + HZ / 20))
			usleep_range(20, 40);
		else
			usleep_range(200, 400);
	}
	return 0;
}

/* -- debugfs */

static const char *const names[FE_COUNTS] = {
	"from_wire0", "from_wire1", "to_wire0", "to_wire1", "to_cpu", "from_cpu", "forwarded",
	"forwarded_bytes", "full", "down", "lost",
};

static const char *const states[] = { "invalid", "unbound", "bound", "fin" };

static int counters_show(struct seq_file *m, void *unused)
{
	unsigned int i;

	for (i = 0; i < FE_COUNTS; i++)
		seq_printf(m, "%s %lld\n", names[i], atomic64_read(&fe.count[i]));
	for (i = 0; i < ARRAY_SIZE(fe.reason); i++)
		seq_printf(m, "reason_%02x %lld\n", i, atomic64_read(&fe.reason[i]));
	mutex_lock(&moving);
	for (i = PPE_UNBOUND; fe.running && i <= PPE_FIN; i++)
		seq_printf(m, "%s %u\n", states[i], ppe_emulate_count(&fe.ppe, i));
	if (fe.running)
		seq_printf(m, "uncounted %llu\n", fe.ppe.uncounted);
	mutex_unlock(&moving);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

static int clock_set(void *unused, u64 seconds)
{
	mutex_lock(&moving);
	pass(min_t(u64, seconds, 100000));
	mutex_unlock(&moving);
	return 0;
}

static int clock_get(void *unused, u64 *seconds)
{
	*seconds = fe_read(&fe, FE_CLOCK);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(clock_fops, clock_get, clock_set, "%llu\n");

/* -- the module */

static int find(void)
{
	bool shared;

	node = of_find_compatible_node(NULL, NULL, "mediatek,mt7621-eth");
	shared = node;
	if (!node)
		node = of_find_compatible_node(NULL, NULL, "mediatek,mt7622-eth");
	if (!node)
		return -ENODEV;
	fe.regs = (__force u32 *)of_iomap(node, 0);
	fe.tx_irq = of_irq_get(node, shared ? 0 : 1);
	fe.rx_irq = of_irq_get(node, shared ? 0 : 2);
	return fe.regs && fe.tx_irq > 0 && fe.rx_irq > 0 ? 0 : -ENXIO;
}

static void undo(void)
{
	wires_gone();
	if (fe.regs)
		iounmap((__force void __iomem *)fe.regs);
	of_node_put(node);
}

static int __init natreal_init(void)
{
	int err;

	spin_lock_init(&fe.lock);
	err = find();
	if (!err)
		err = wires();
	if (err)
		goto fail;
	engine = kthread_create(engine_run, NULL, "natreal");
	if (IS_ERR(engine)) {
		err = PTR_ERR(engine);
		goto fail;
	}
	kthread_bind(engine, cpumask_last(cpu_online_mask));
	sched_set_fifo(engine);
	wake_up_process(engine);
	register_netdevice_notifier(&events);
	dir = debugfs_create_dir("natreal", NULL);
	debugfs_create_file("counters", 0400, dir, NULL, &counters_fops);
	debugfs_create_file_unsafe("clock", 0600, dir, NULL, &clock_fops);
	return 0;
fail:
	undo();
	return err;
}

static void __exit natreal_exit(void)
{
	debugfs_remove(dir);
	unregister_netdevice_notifier(&events);
	kthread_stop(engine);
	stop();
	undo();
}

module_init(natreal_init);
module_exit(natreal_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A MediaTek frame engine in memory");
