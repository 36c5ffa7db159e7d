// SPDX-License-Identifier: GPL-2.0-only
/*
 * The back end for drivers with TC_SETUP_FT: mtk_eth_soc, airoha_eth, mlx5 representors.
 *
 * Each device is bound with a block of its own, so that the only callback in it is the
 * device's. Callbacks of one SoC share a table: a second one would refuse the cookie.
 * UNBIND forgets no rule of the driver's: del() all before.
 */
#include <linux/ethtool.h>
#include <linux/of.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/flow_offload.h>
#include <net/pkt_cls.h>
#include "limits.h"
#include "rule.h"

#define DELETE_TRIES 3

static void drop_callbacks(struct list_head *list)
{
	struct flow_block_cb *callback, *next;

	list_for_each_entry_safe(callback, next, list, list) {
		list_del(&callback->list);
		flow_block_cb_free(callback);
	}
}

/* The driver puts callbacks on @callbacks, or moves them there out of the block. */
static int command(struct natflow_hwnat_port *port, struct flow_block *block,
		   enum flow_block_command command, struct list_head *callbacks)
{
	struct netlink_ext_ack extack = {};
	struct flow_block_offload offload = {
		.command = command,
		.binder_type = FLOW_BLOCK_BINDER_TYPE_CLSACT_INGRESS,
		.net = dev_net(port->dev),
		.block = block,		/* drivers look into it */
		.cb_list_head = &block->cb_list,
		.extack = &extack,
	};
	int err;

	ASSERT_RTNL();
	INIT_LIST_HEAD(&offload.cb_list);
	err = port->dev->netdev_ops->ndo_setup_tc(port->dev, TC_SETUP_FT, &offload);
	list_splice_init(&offload.cb_list, callbacks);
	return err;
}

/*
 * natflow_hwnat/patches/ P12 exports the first: mtk_ppe deletes what it says that it deletes.
 * P05c exports the other: 6.1's counts, too. There is nothing to read; symbol_get() finds
 * them in a module and in the kernel.
 */
extern const bool mtk_ppe_tracks_entries, mtk_ppe_tells_counts;

#define EXPORTS(symbol) ({ \
	const bool *found = symbol_get(symbol); \
	if (found) \
		symbol_put(symbol); \
	found; })

/* As `ethtool -i` finds it. */
static void find_limits(struct natflow_hwnat_port *port)
{
	const struct device *parent = port->dev->dev.parent;
	struct ethtool_drvinfo info = {};
	const char *kind = "";

	if (port->dev->ethtool_ops && port->dev->ethtool_ops->get_drvinfo)
		port->dev->ethtool_ops->get_drvinfo(port->dev, &info);
	else if (parent && parent->driver)
		strscpy(info.driver, parent->driver->name, sizeof(info.driver));
	if (parent && of_device_is_compatible(parent->of_node, "mediatek,mt7621-eth"))
		kind = " mt7621";
	else if (parent && of_device_is_compatible(parent->of_node, "mediatek,mt7623-eth"))
		kind = " mt7623";
	strlcat(info.driver, kind, sizeof(info.driver));
	port->limits = natflow_hwnat_limits_find(info.driver);
	port->sticky = port->limits->sticky && !EXPORTS(mtk_ppe_tracks_entries);
	port->counts = port->limits->counts || (port->limits->sticky && !*kind &&
						EXPORTS(mtk_ppe_tells_counts));
}

static enum natflow_hwnat_reason bind(struct natflow_hwnat_port *port)
{
	struct flow_block *block;
	LIST_HEAD(unbound);
	int err;

	find_limits(port);
	if (!port->dev->netdev_ops->ndo_setup_tc)
		return NATFLOW_HWNAT_NO_FT;
	block = kzalloc(sizeof(*block), GFP_KERNEL);
	if (!block)
		return NATFLOW_HWNAT_MEMORY;
	flow_block_init(block);
	err = command(port, block, FLOW_BLOCK_BIND, &block->cb_list);
	if (!err && !list_empty(&block->cb_list)) {
		port->priv = block;
		return NATFLOW_HWNAT_OK;
	}
	/* netdevsim says that it has bound, and adds no callback. */
	if (!err)
		command(port, block, FLOW_BLOCK_UNBIND, &unbound);
	kfree(block);
	return err == -EBUSY ? NATFLOW_HWNAT_BUSY :
	       err == -ENOMEM ? NATFLOW_HWNAT_MEMORY : NATFLOW_HWNAT_NO_FT;
}

static void unbind(struct natflow_hwnat_port *port)
{
	struct flow_block *block = port->priv;
	LIST_HEAD(unbound);

	if (!block)
		return;
	port->priv = NULL;
	command(port, block, FLOW_BLOCK_UNBIND, &unbound);
	drop_callbacks(&unbound);
	/* A driver that keeps its callback keeps pointers to it, too. */
	if (!WARN_ON_ONCE(!list_empty(&block->cb_list)))
		kfree(block);
}

static enum natflow_hwnat_reason check(const struct natflow_hwnat_port *port,
				       const struct natflow_hwnat_way *way)
{
	/* Drivers bind all the same, and refuse each rule. */
	if (!tc_can_offload(port->dev))
		return NATFLOW_HWNAT_HW_TC_OFF;
	return natflow_hwnat_limits_check(port->limits, way);
}

static int call(struct natflow_hwnat_port *port, unsigned long cookie,
		enum flow_cls_command command, struct natflow_hwnat_rule *rule,
		struct flow_stats *stats)
{
	struct flow_block *block = port->priv;
	struct netlink_ext_ack extack = {};
	struct flow_cls_offload cls = {
		/* As nf_flow_table_offload.c says it: not swapped. */
		.common.protocol = (__force __be16)ETH_P_ALL,
		.common.extack = &extack,
		.command = command,
		.cookie = cookie,
		.rule = rule ? natflow_hwnat_rule_get(rule) : NULL,
	};
	struct flow_block_cb *callback;
	int err;

	if (!block)
		return -ENODEV;
	callback = list_first_entry(&block->cb_list, struct flow_block_cb, list);
	err = callback->cb(TC_SETUP_CLSFLOWER, &cls, callback->cb_priv);
	if (stats)
		*stats = cls.stats;
	return err;
}

/* mtk and airoha do not know a cookie with -ENOENT, mlx5 with -EINVAL. */
static bool is_gone(int err)
{
	return err == -ENOENT || err == -EINVAL;
}

/* Nothing comes behind del(): what stays would go on forwarding. */
static int del(struct natflow_hwnat_port *port, unsigned long cookie)
{
	int err, tries = DELETE_TRIES;

	do {
		err = call(port, cookie, FLOW_CLS_DESTROY, NULL, NULL);
	} while (err && !is_gone(err) && --tries);
	return is_gone(err) ? 0 : err;
}

static int add(struct natflow_hwnat_port *port, unsigned long cookie,
	       const struct natflow_hwnat_way *way)
{
	struct natflow_hwnat_rule *rule;
	int err;

	rule = natflow_hwnat_rule_make(dev_net(port->dev), way, port->limits->conduit_meta);
	if (IS_ERR(rule))
		return PTR_ERR(rule);
	err = call(port, cookie, FLOW_CLS_REPLACE, rule, NULL);
	/* Cookies are ours alone: a rule of before that could not be deleted. */
	if (err == -EEXIST && !del(port, cookie))
		err = call(port, cookie, FLOW_CLS_REPLACE, rule, NULL);
	natflow_hwnat_rule_free(rule);
	return err;
}

static int stats(struct natflow_hwnat_port *port, unsigned long cookie,
		 struct natflow_hwnat_stats *stats)
{
	struct flow_stats told = {};
	int err = call(port, cookie, FLOW_CLS_STATS, NULL, &told);

	if (err)
		return is_gone(err) ? -ENOENT : err;
	stats->packets = told.pkts;
	stats->bytes = told.bytes;
	stats->used = told.lastused;
	stats->counted = port->counts;
	return 0;
}

const struct natflow_hwnat_backend natflow_hwnat_flowblk = {
	.name = "flowblk",
	.bind = bind,
	.unbind = unbind,
	.check = check,
	.add = add,
	.del = del,
	.stats = stats,
};
