// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the tables of iptables-legacy for core/rules.c. It is in this module
 * because natflow.ko does not depend on x_tables.
 */
#include <linux/err.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/sched.h>
#include "../core/rules.h"
#include "legacy.h"

/* Without nat: nat tables see only the first packet of a connection, which is never fast. */
static const char *const names[NATFLOW_RULES_TABLES] = { "raw", "mangle", "filter", "security" };

/* One rule without its counters, which with one CPU are in the rule and change per packet. */
static u32 sum_rule(const u8 *rule, unsigned int counters, unsigned int rest, unsigned int size,
		    u32 sum)
{
	return jhash(rule + rest, size - rest, jhash(rule, counters, sum));
}

/* All rules of a table. Context: x_tables' lock of the family. */
static u32 sum_table(const struct xt_table_info *info, u8 family, u32 sum)
{
	unsigned int at, size;

	sum = jhash_2words(info->size, info->number, sum);
	for (at = 0; at < info->size; at += size) {
		const u8 *rule = info->entries + at;

		if (family == NFPROTO_IPV4) {
			size = ((const struct ipt_entry *)rule)->next_offset;
			sum = sum_rule(rule, offsetof(struct ipt_entry, counters),
				       offsetof(struct ipt_entry, elems), size, sum);
		} else {
			size = ((const struct ip6t_entry *)rule)->next_offset;
			sum = sum_rule(rule, offsetof(struct ip6t_entry, counters),
				       offsetof(struct ip6t_entry, elems), size, sum);
		}
		cond_resched();
	}
	return sum;
}

/* Look first: xt_find_table_lock() alone would create a missing table. */
static u32 sum_named(struct net *net, u8 family, const char *name, void **hook, u32 sum)
{
	struct xt_table *table = NULL;

	if (xt_find_table(net, family, name))
		table = xt_find_table_lock(net, family, name);
	if (IS_ERR_OR_NULL(table))
		return sum;
	sum = sum_table(table->private, family, sum);
	if (table->ops)
		*hook = (void *)table->ops->hook;
	module_put(table->me);
	xt_table_unlock(table);
	return sum;
}

static u32 sum(struct net *net, struct natflow_rules_hooks *hooks)
{
	static const u8 families[NATFLOW_FAMILIES] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	unsigned int i, n;
	u32 all = 0;

	for (i = 0; i < ARRAY_SIZE(families); i++)
		for (n = 0; n < ARRAY_SIZE(names); n++)
			all = sum_named(net, families[i], names[n], &hooks->hook[i][n],
					jhash_2words(i, n, all));
	return all;
}

/* The module of the table may own its hook. */
static int module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	if (event == MODULE_STATE_GOING)
		natflow_rules_forget();
	return NOTIFY_DONE;
}

static struct notifier_block module_nb = { .notifier_call = module_event };

/**
 * natflow_legacy_init() - register the reader of tables
 *
 * Return: 0 or an errno.
 */
int natflow_legacy_init(void)
{
	int err = register_module_notifier(&module_nb);

	if (!err)
		natflow_rules_reader(sum);
	return err;
}

/**
 * natflow_legacy_exit() - unregister it
 */
void natflow_legacy_exit(void)
{
	natflow_rules_reader(NULL);
	unregister_module_notifier(&module_nb);
}
