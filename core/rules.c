// SPDX-License-Identifier: GPL-2.0-only
/*
 * Detect that a table of iptables-legacy was created or replaced. There is no event:
 * x_tables swaps xt_table.private (net/netfilter/x_tables.c:xt_replace_table(),
 * 6.1 to 7.3). Two ways, both only with revalidate=1:
 *
 *   Packets compare pointers, once a jiffy and namespace: the pointers to the lists
 *   of hooks, and xt_table.private of each table. A table is found by its hook. It
 *   stays allocated for an RCU grace period after its hook is gone. The object behind
 *   xt_table.private is not read here: it is freed without a grace period.
 *
 *   The tick compares contents once a second: after two changes between two
 *   comparisons a pointer may be the old one, because freed memory is reused.
 */
#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/netfilter/x_tables.h>
#include "doubt.h"
#include "rules.h"

static DEFINE_MUTEX(reader_lock);
static natflow_rules_sum *reader;		/* under @reader_lock */
static struct natflow_rules_hooks legacy;	/* written under @reader_lock */

static bool is_legacy(const struct nf_hook_entry *entry, unsigned int family)
{
	unsigned int i;

	for (i = 0; i < NATFLOW_RULES_TABLES; i++)
		if ((void *)entry->hook == READ_ONCE(legacy.hook[family][i]))
			return true;
	return false;
}

/* Context: RCU read side. */
static unsigned long fold(struct nf_hook_entries __rcu *const *hooks, unsigned int family)
{
	unsigned long sum = 0;
	unsigned int i, n;

	for (i = 0; i < NF_INET_NUMHOOKS; i++) {
		const struct nf_hook_entries *e = rcu_dereference(hooks[i]);

		sum = sum * 31 + (unsigned long)e;
		for (n = 0; e && n < e->num_hook_entries; n++) {
			const struct xt_table *table = e->hooks[n].priv;

			if (is_legacy(&e->hooks[n], family))
				sum = sum * 31 + (unsigned long)READ_ONCE(table->private);
		}
	}
	return sum;
}

/* Compare pointers. Return: their sum. */
static unsigned long compare(struct natflow_net *nn)
{
	unsigned long sum;

	rcu_read_lock();
	sum = fold(nn->net->nf.hooks_ipv4, 0) * 31 + fold(nn->net->nf.hooks_ipv6, 1);
	rcu_read_unlock();
	if (unlikely(READ_ONCE(nn->legacy.sum) != sum)) {
		WRITE_ONCE(nn->legacy.sum, sum);
		WRITE_ONCE(nn->legacy.changed, true);	/* perhaps a table whose hook is unknown */
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_RULESET);
	}
	return sum;
}

/**
 * natflow_rules_look() - was a table replaced since the last look
 * @nn: namespace with revalidate=1
 *
 * Compares once a jiffy. If a table changed, all lessons are invalid when this
 * function returns. Other CPUs may notice a jiffy later.
 *
 * Context: any.
 */
void natflow_rules_look(struct natflow_net *nn)
{
	const u32 now = (u32)jiffies;

	if (READ_ONCE(nn->legacy.seen) == now)
		return;
	WRITE_ONCE(nn->legacy.seen, now);
	compare(nn);
}

/**
 * natflow_rules_tick() - compare the contents of a namespace's tables
 * @nn: namespace
 * @full: even if no pointer changed
 *
 * Where pointers changed, flows were sent through the rules for that.
 *
 * Context: process, may sleep. Takes x_tables' locks.
 */
void natflow_rules_tick(struct natflow_net *nn, bool full)
{
	struct natflow_rules_hooks found = {};
	unsigned int f, i;
	u32 content = 0;

	if (!READ_ONCE(nn->config.revalidate) || !(full || READ_ONCE(nn->legacy.changed)))
		return;
	WRITE_ONCE(nn->legacy.changed, false);
	mutex_lock(&reader_lock);
	if (reader && !nn->legacy.closed)
		content = reader(nn->net, &found);
	for (f = 0; f < NATFLOW_FAMILIES; f++)
		for (i = 0; i < NATFLOW_RULES_TABLES; i++)
			if (found.hook[f][i])
				WRITE_ONCE(legacy.hook[f][i], found.hook[f][i]);
	if (compare(nn) == nn->legacy.content_at && content != nn->legacy.content)
		natflow_doubt_routes(nn, NATFLOW_DOUBT_ROUTES, NATFLOW_CAUSE_RULESET);
	nn->legacy.content_at = READ_ONCE(nn->legacy.sum);
	nn->legacy.content = content;
	mutex_unlock(&reader_lock);
}

/**
 * natflow_rules_reader() - register the function that reads the tables
 * @sum: reader, or NULL: when it returns, the last one is not called any more
 *
 * Context: process, may sleep.
 */
void natflow_rules_reader(natflow_rules_sum *sum)
{
	mutex_lock(&reader_lock);
	reader = sum;
	mutex_unlock(&reader_lock);
	if (!sum)
		natflow_rules_forget();
}
EXPORT_SYMBOL_GPL(natflow_rules_reader);

/**
 * natflow_rules_forget() - forget the hooks: a module is unloaded, its addresses are reused
 *
 * Context: process, may sleep; before the module's memory is freed.
 */
void natflow_rules_forget(void)
{
	unsigned int f, i;

	mutex_lock(&reader_lock);
	for (f = 0; f < NATFLOW_FAMILIES; f++)
		for (i = 0; i < NATFLOW_RULES_TABLES; i++)
			WRITE_ONCE(legacy.hook[f][i], NULL);
	mutex_unlock(&reader_lock);
}
EXPORT_SYMBOL_GPL(natflow_rules_forget);

/**
 * natflow_rules_close() - stop reading the tables of a namespace that exits
 * @nn: namespace
 *
 * Its tables are freed soon, in an unknown order. A lookup of a freed table would
 * create it again (net/netfilter/x_tables.c:xt_find_table_lock()).
 *
 * Context: process, may sleep; before any namespace operation's exit.
 */
void natflow_rules_close(struct natflow_net *nn)
{
	mutex_lock(&reader_lock);
	nn->legacy.closed = true;
	mutex_unlock(&reader_lock);
}
