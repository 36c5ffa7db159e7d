// SPDX-License-Identifier: GPL-2.0-only
/* Buckets of devices whose policy has a rate. */
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "../core/base/charge.h"
#include "paced.h"

#define SWEPT_AT_ONCE	64

static const struct rhashtable_params by_key_params = {
	.key_len = sizeof(struct natflow_paced_key),
	.key_offset = offsetof(struct natflow_paced, key),
	.head_offset = offsetof(struct natflow_paced, node),
	.automatic_shrinking = true,
};

/**
 * natflow_paceds_init() - no device has a bucket
 * @p: table
 *
 * Return: 0 or -ENOMEM.
 */
int natflow_paceds_init(struct natflow_paceds *p)
{
	spin_lock_init(&p->lock);
	return rhashtable_init(&p->by_key, &by_key_params);
}

static void free_paced(void *paced, void *unused)
{
	natflow_meters_put(((struct natflow_paced *)paced)->meters);
	kfree(paced);
}

/**
 * natflow_paceds_exit() - free all
 * @p: table that no packet reads
 *
 * Context: process, may sleep.
 */
void natflow_paceds_exit(struct natflow_paceds *p)
{
	rhashtable_free_and_destroy(&p->by_key, free_paced, NULL);
}

/**
 * natflow_paceds_none() - has no device a bucket
 * @p: table
 *
 * Context: any.
 */
bool natflow_paceds_none(const struct natflow_paceds *p)
{
	return !atomic_read(&p->by_key.nelems);
}

/* Context: lock. Return: NULL without memory. */
static struct natflow_paced *add(struct natflow_paceds *p, const struct natflow_paced_key *key)
{
	struct natflow_paced *paced = kzalloc(sizeof(*paced), NATFLOW_GFP_PACKET);

	if (!paced)
		return NULL;
	paced->key = *key;
	paced->meters = natflow_meters_alloc(key->rx, key->tx, 0, NATFLOW_GFP_PACKET);
	if (paced->meters && !rhashtable_insert_fast(&p->by_key, &paced->node, by_key_params))
		return paced;
	if (paced->meters)
		natflow_meters_put(paced->meters);
	kfree(paced);
	return NULL;
}

/* Beyond the bound, devices of a policy share the bucket of those without a record. */
static struct natflow_paced *find_or_add(struct natflow_paceds *p, struct natflow_paced_key key)
{
	struct natflow_paced *paced = rhashtable_lookup(&p->by_key, &key, by_key_params);

	if (!paced && atomic_read(&p->by_key.nelems) >= NATFLOW_PACED_MAX) {
		memset(&key.device, 0, sizeof(key.device));
		paced = rhashtable_lookup(&p->by_key, &key, by_key_params);
	}
	return paced ?: add(p, &key);
}

/**
 * natflow_paceds_get() - the bucket of a device, made if it has none
 * @p: table
 * @key: device, policy and rates
 *
 * Context: RCU read side, which is also how long the result is valid without a reference;
 * BH disabled; the caller lets the namespace pay.
 * Return: NULL without memory.
 */
struct natflow_meters *natflow_paceds_get(struct natflow_paceds *p,
					  const struct natflow_paced_key *key)
{
	struct natflow_paced *paced = rhashtable_lookup(&p->by_key, key, by_key_params);

	if (paced && likely(refcount_read(&paced->meters->ref)))
		return paced->meters;
	spin_lock(&p->lock);
	paced = find_or_add(p, *key);
	spin_unlock(&p->lock);
	return paced ? paced->meters : NULL;
}

static void retire(struct natflow_paceds *p, struct natflow_paced *paced)
{
	spin_lock_bh(&p->lock);
	if (natflow_meters_retire(paced->meters)) {
		rhashtable_remove_fast(&p->by_key, &paced->node, by_key_params);
		kfree_rcu(paced, rcu);
	}
	spin_unlock_bh(&p->lock);
}

/**
 * natflow_paceds_sweep() - forget buckets that are as good as new
 * @p: table
 *
 * Context: process, may sleep, one at a time.
 */
void natflow_paceds_sweep(struct natflow_paceds *p)
{
	struct rhashtable_iter iter;
	struct natflow_paced *paced;
	unsigned int n = 0;

	rhashtable_walk_enter(&p->by_key, &iter);
	rhashtable_walk_start(&iter);
	while ((paced = rhashtable_walk_next(&iter))) {
		if (!IS_ERR(paced))
			retire(p, paced);
		if (++n % SWEPT_AT_ONCE)
			continue;
		rhashtable_walk_stop(&iter);
		cond_resched();
		rhashtable_walk_start(&iter);
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
}
