// SPDX-License-Identifier: GPL-2.0-only
/*
 * The back end that writes MediaTek's PPE itself, through what patches P13 and P14 export
 * from the driver: an entry forwards from the moment that it is added, at any rate.
 *
 * Hardware ages an entry out after 7 s (TCP) or 12 s (UDP) without packets, and the driver
 * empties the table when the last GMAC goes down. stats() notices, and binds again: the
 * flow is in software until then. A slot that aged out may become another flow's, also one
 * of the driver's own; words and slot together name an entry.
 *
 * The driver's functions are looked up when a device is bound, and no reference to its
 * module is kept: the device is unbound before the driver goes.
 */
#include <linux/hashtable.h>
#include <linux/slab.h>
#include <net/pkt_cls.h>
#include "foe.h"
#include "limits.h"
#include "ppe_abi.h"
#include "ppe_words.h"

struct entry {
	struct hlist_node node;
	unsigned long cookie;
	u32 slot;
	u32 words[NATFLOW_FOE_WORDS];
};

struct table {
	typeof(mtk_ppe_entry_describe) *describe;
	typeof(mtk_ppe_entry_set) *set;
	typeof(mtk_ppe_entry_clear) *clear;
	typeof(mtk_ppe_entry_read) *read;
	struct natflow_ppe_info info;
	DECLARE_HASHTABLE(entries, 10);
};

#define LOOK_UP(table, member) ({ \
	(table)->member = symbol_get(mtk_ppe_entry_##member); \
	if ((table)->member) \
		symbol_put(mtk_ppe_entry_##member); \
	(table)->member; })

static bool is_served(struct natflow_hwnat_port *port, struct table *table)
{
	return LOOK_UP(table, describe) && LOOK_UP(table, set) && LOOK_UP(table, clear) &&
	       LOOK_UP(table, read) &&
	       !table->describe(port->dev, &table->info, sizeof(table->info));
}

static enum natflow_hwnat_reason bind(struct natflow_hwnat_port *port)
{
	struct table *table = kzalloc(sizeof(*table), GFP_KERNEL);

	if (!table)
		return NATFLOW_HWNAT_MEMORY;
	if (!is_served(port, table)) {
		kfree(table);
		return NATFLOW_HWNAT_NO_PPE;
	}
	hash_init(table->entries);
	port->limits = natflow_hwnat_limits_find("mtk_ppe");
	port->counts = table->info.counts;
	port->priv = table;
	return NATFLOW_HWNAT_OK;
}

static void unbind(struct natflow_hwnat_port *port)
{
	struct table *table = port->priv;

	port->priv = NULL;
	if (table)
		WARN_ON_ONCE(!hash_empty(table->entries));
	kfree(table);
}

/* Return: -ENODEV if packets leave by a device that the chip does not reach. */
static int encode(const struct natflow_hwnat_port *port, const struct natflow_hwnat_way *way,
		  u32 *words)
{
	const struct table *table = port->priv;
	struct natflow_ppe_info out;
	struct net_device *dev;
	int err = -ENODEV;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(dev_net(port->dev), way->out->conduit);
	if (dev && !table->describe(dev, &out, sizeof(out)) && out.chip == table->info.chip)
		err = 0;
	rcu_read_unlock();
	return err ?: natflow_hwnat_ppe_words(&table->info, &out, way, words);
}

static enum natflow_hwnat_reason check(const struct natflow_hwnat_port *port,
				       const struct natflow_hwnat_way *way)
{
	enum natflow_hwnat_reason reason = natflow_hwnat_limits_check(port->limits, way);
	u32 words[NATFLOW_FOE_WORDS];

	if (!tc_can_offload(port->dev))
		return NATFLOW_HWNAT_HW_TC_OFF;
	if (reason)
		return reason;
	switch (encode(port, way, words)) {
	case 0:
		return NATFLOW_HWNAT_OK;
	case -ENOSPC:
		return NATFLOW_HWNAT_ENCAP;
	default:
		return NATFLOW_HWNAT_PATH;
	}
}

static struct entry *entry_of(struct table *table, unsigned long cookie)
{
	struct entry *entry;

	hash_for_each_possible(table->entries, entry, node, cookie)
		if (entry->cookie == cookie)
			return entry;
	return NULL;
}

static int add(struct natflow_hwnat_port *port, unsigned long cookie,
	       const struct natflow_hwnat_way *way)
{
	struct entry *entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	struct table *table = port->priv;
	int slot;

	if (!entry)
		return -ENOMEM;
	slot = encode(port, way, entry->words);
	if (!slot)
		slot = table->set(port->dev, entry->words);
	if (slot < 0) {
		kfree(entry);
		return slot;
	}
	entry->slot = slot;
	entry->cookie = cookie;
	hash_add(table->entries, &entry->node, cookie);
	return 0;
}

static int del(struct natflow_hwnat_port *port, unsigned long cookie)
{
	struct table *table = port->priv;
	struct entry *entry = entry_of(table, cookie);

	if (!entry)
		return 0;
	table->clear(port->dev, entry->slot, entry->words);
	hash_del(&entry->node);
	kfree(entry);
	return 0;
}

/* What it counted until it aged out is the flow's. No way may be free now: the next question. */
static int stats(struct natflow_hwnat_port *port, unsigned long cookie,
		 struct natflow_hwnat_stats *stats)
{
	struct table *table = port->priv;
	struct entry *entry = entry_of(table, cookie);
	struct natflow_ppe_stats told = {};
	int slot;

	if (!entry)
		return -ENOENT;
	if (table->read(port->dev, entry->slot, entry->words, &told))
		told.bound = false;
	stats->packets = told.packets;
	stats->bytes = told.bytes;
	stats->counted = port->counts;
	if (told.bound) {
		stats->used = jiffies - told.idle * HZ;
		return 0;
	}
	slot = table->set(port->dev, entry->words);
	if (slot >= 0)
		entry->slot = slot;
	return 0;
}

const struct natflow_hwnat_backend natflow_hwnat_ppe = {
	.name = "ppe",
	.bind = bind, .unbind = unbind, .check = check, .add = add, .del = del, .stats = stats,
};
