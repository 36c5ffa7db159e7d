/* SPDX-License-Identifier: GPL-2.0-only */
/* The flow table: two buckets for a key, read under RCU. */
#ifndef _NATFLOW_CORE_FLOW_TABLE_H
#define _NATFLOW_CORE_FLOW_TABLE_H

#include "../base/netns.h"
#include "dir.h"

#define NATFLOW_FLOW_LIMIT_MIN		16
#define NATFLOW_FLOW_LIMIT_MAX		(4U << 20)

/* One hash bucket is one cache line: a byte of hash per slot, then the slots. */
#define NATFLOW_BUCKET_SLOTS 7

struct natflow_bucket {
	u64 tags;	/* slot i in bits 8i..8i+7, 0 = free; top byte: entries that overflowed */
	struct natflow_dir __rcu *slot[NATFLOW_BUCKET_SLOTS];
} ____cacheline_aligned;

struct natflow_table {
	u32 mask;			/* buckets - 1 */
	u32 limit;			/* flows */
	size_t bytes;			/* of the allocation */
	u64 seed[4];
	struct natflow_bucket bucket[] ____cacheline_aligned;
};

#define NATFLOW_BYTES(x) ((x) * 0x0101010101010101ULL)

static __always_inline struct natflow_dir *
natflow_bucket_find(const struct natflow_bucket *b, u64 tags, u64 hash, const u64 *key,
		    const u8 family)
{
	u64 x = tags ^ NATFLOW_BYTES((hash >> 56) | 1);
	u64 match = (x - NATFLOW_BYTES(1)) & ~x & (NATFLOW_BYTES(0x80) >> 8);

	for (; match; match &= match - 1) {
		struct natflow_dir *dir = rcu_dereference(b->slot[__ffs64(match) / 8]);

		if (dir && likely(natflow_dir_is(dir, family)) &&
		    natflow_key_equal(natflow_dir_key(dir), key, family))
			return dir;
	}
	return NULL;
}

/**
 * natflow_flow_find() - the direction a packet belongs to
 * @nn: namespace
 * @key: from natflow_pkt_parse()
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6, a compile-time constant
 *
 * At most two buckets are looked at, 14 keys, whatever an attacker inserts.
 *
 * Context: RCU read side.
 * Return: the direction, valid until the end of the RCU section, or NULL.
 */
static __always_inline struct natflow_dir *
natflow_flow_find(const struct natflow_net *nn, const union natflow_key *key, const u8 family)
{
	const struct natflow_table *table = rcu_dereference(nn->flows.table);
	u64 hash = natflow_key_hash(key->word, table->seed, family);
	const struct natflow_bucket *b = &table->bucket[hash & table->mask];
	u64 tags = READ_ONCE(b->tags);
	struct natflow_dir *dir;

	dir = natflow_bucket_find(b, tags, hash, key->word, family);
	if (likely(dir) || likely(!(tags >> 56)))
		return dir;
	b = &table->bucket[(hash >> 24) & table->mask];
	return natflow_bucket_find(b, READ_ONCE(b->tags), hash, key->word, family);
}

/* -- the writers' side, under natflow_net.flows.lock */

static inline struct natflow_table *natflow_table_locked(struct natflow_net *nn)
{
	return rcu_dereference_protected(nn->flows.table, lockdep_is_held(&nn->flows.lock));
}

struct natflow_table *natflow_table_alloc(u32 limit);
void natflow_table_free(struct natflow_table *table);
bool natflow_table_offer(struct natflow_net *nn, struct natflow_table *table);
struct natflow_table *natflow_table_replace(struct natflow_net *nn, struct natflow_table *table);
struct natflow_dir *natflow_table_find(struct natflow_net *nn, struct natflow_table *table,
				       const u64 *key, u8 family);
bool natflow_table_insert(struct natflow_net *nn, struct natflow_table *table,
			  struct natflow_dir *dir, u8 family);
void natflow_table_remove(struct natflow_net *nn, struct natflow_table *table,
			  struct natflow_dir *dir, u8 family);

#endif /* _NATFLOW_CORE_FLOW_TABLE_H */
