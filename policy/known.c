// SPDX-License-Identifier: GPL-2.0-only
/* The table of known devices. */
#include <linux/etherdevice.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>
#include "known.h"

/**
 * natflow_knowns_init() - an empty table
 * @k: zeroed
 * @nn: its namespace
 */
void natflow_knowns_init(struct natflow_knowns *k, struct natflow_net *nn)
{
	k->nn = nn;
	INIT_LIST_HEAD(&k->all);
	k->seed = get_random_u32();
}

/**
 * natflow_knowns_exit() - free the table
 * @k: table that nobody reads
 */
void natflow_knowns_exit(struct natflow_knowns *k)
{
	struct natflow_known *known, *next;

	list_for_each_entry_safe(known, next, &k->all, list) {
		natflow_known_set_name(known, NULL);
		natflow_knowns_remove(k, known);
	}
}

static unsigned int hash(const struct natflow_knowns *k, const u8 *mac)
{
	return jhash(mac, ETH_ALEN, k->seed) % NATFLOW_KNOWN_BUCKETS;
}

/**
 * natflow_knowns_find() - what is known of a MAC
 * @k: table
 * @mac: 6 bytes
 *
 * Context: RCU read side, which is also how long the result is valid; or lock.
 * Return: NULL if nothing is.
 */
struct natflow_known *natflow_knowns_find(const struct natflow_knowns *k, const u8 *mac)
{
	struct natflow_known *known;

	hlist_for_each_entry_rcu(known, &k->bucket[hash(k, mac)], node, true)
		if (!memcmp(known->mac, mac, ETH_ALEN))
			return known;
	return NULL;
}

/**
 * natflow_knowns_add() - a device is known
 * @k: table without this MAC
 * @known: zeroed, but for its MAC, zero if it has none; taken over
 *
 * Context: lock.
 */
void natflow_knowns_add(struct natflow_knowns *k, struct natflow_known *known)
{
	known->of = k;
	known->stop = U64_MAX;
	known->near = U64_MAX;
	if (!is_zero_ether_addr(known->mac))
		hlist_add_head_rcu(&known->node, &k->bucket[hash(k, known->mac)]);
	list_add_tail_rcu(&known->list, &k->all);
	k->count++;
}

/**
 * natflow_knowns_remove() - nothing is known of a device any more
 * @k: table
 * @known: device without a name, to which nobody points; it is freed
 *
 * Context: lock.
 */
void natflow_knowns_remove(struct natflow_knowns *k, struct natflow_known *known)
{
	hlist_del_init_rcu(&known->node);
	list_del_rcu(&known->list);
	k->count--;
	kfree_rcu(known, rcu);
}

/**
 * natflow_known_set_name() - name a device
 * @known: device
 * @name: taken over; NULL: it has none
 *
 * Context: lock.
 */
void natflow_known_set_name(struct natflow_known *known, struct natflow_known_name *name)
{
	struct natflow_known_name *old = rcu_replace_pointer(known->name, name, true);

	if (old)
		kfree_rcu(old, rcu);
}

/**
 * natflow_known_name() - the name of a device
 * @known: device, or NULL
 *
 * Context: RCU read side, which is also how long the result is valid.
 * Return: NULL if it has none.
 */
const char *natflow_known_name(const struct natflow_known *known)
{
	const struct natflow_known_name *name = known ? rcu_dereference(known->name) : NULL;

	return name ? name->text : NULL;
}

/**
 * natflow_known_needed() - has somebody said something of a device
 * @known: device
 *
 * Context: lock.
 */
bool natflow_known_needed(const struct natflow_known *known)
{
	return rcu_access_pointer(known->name) || known->grant || known->kept;
}

/**
 * natflow_known_alarm() - a quota is used up, or will be soon
 * @known: device
 * @wan: its bytes
 *
 * Context: any.
 */
void natflow_known_alarm(struct natflow_known *known, u64 wan)
{
	if (!READ_ONCE(known->of->nn->flows.urgent))
		WRITE_ONCE(known->of->nn->flows.urgent, true);
	if (wan < READ_ONCE(known->stop))
		return;
	WRITE_ONCE(known->near, U64_MAX);
	WRITE_ONCE(known->stop, U64_MAX);
	schedule_work(known->of->stopped);
}
