// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hash table: keyed hash, two buckets of seven slots per key, no chains, no
 * moves. Readers are in table.h. All functions here except the allocation run under
 * natflow_net.flows.lock.
 */
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "table.h"

#define OVERFLOW_SHIFT 56
#define OVERFLOW_MAX 0xffULL	/* saturated: readers look at the second bucket forever */

/*
 * With so many entries in the first bucket, a new one goes to an emptier second
 * bucket. Below that, all entries are where readers look first. Above it, the choice
 * keeps buckets even, so none is full before the table is at its limit.
 */
#define CROWDED 3

/**
 * natflow_table_alloc() - a table for a number of flows
 * @limit: flows, two directions each
 *
 * Sized for at most two thirds of all slots in use when @limit is reached. kvmalloc()
 * would double it: the header makes it larger than a power of two.
 *
 * Context: process, may sleep.
 * Return: an empty table with fresh hash secrets, or NULL.
 */
struct natflow_table *natflow_table_alloc(u32 limit)
{
	u32 buckets = roundup_pow_of_two(max(limit * 3 / NATFLOW_BUCKET_SLOTS, 4U));
	const gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN;
	struct natflow_table *table;
	const size_t bytes = PAGE_ALIGN(struct_size(table, bucket, buckets));

	table = alloc_pages_exact(bytes, gfp | __GFP_NORETRY);
	if (!table)
		table = __vmalloc(bytes, gfp);
	if (!table)
		return NULL;
	table->bytes = bytes;
	table->mask = buckets - 1;
	table->limit = limit;
	get_random_bytes(table->seed, sizeof(table->seed));
	return table;
}

/**
 * natflow_table_free() - free a table
 * @table: table without readers, or NULL
 *
 * Context: process.
 */
void natflow_table_free(struct natflow_table *table)
{
	if (is_vmalloc_addr(table))
		vfree(table);
	else if (table)
		free_pages_exact(table, table->bytes);
}

static u64 tag_byte(u64 hash)
{
	return (hash >> 56) | 1;
}

static struct natflow_bucket *bucket_of(struct natflow_table *table, u64 hash, bool second)
{
	return &table->bucket[(second ? hash >> 24 : hash) & table->mask];
}

static u64 hash_of(const struct natflow_table *table, const u64 *key, u8 family)
{
	return family == NFPROTO_IPV4 ? natflow_key_hash(key, table->seed, NFPROTO_IPV4) :
					natflow_key_hash(key, table->seed, NFPROTO_IPV6);
}

static int slot_of(struct natflow_net *nn, struct natflow_bucket *b, const struct natflow_dir *dir)
{
	int i;

	for (i = 0; i < NATFLOW_BUCKET_SLOTS; i++)
		if (rcu_dereference_protected(b->slot[i], lockdep_is_held(&nn->flows.lock)) == dir)
			return i;
	return -1;
}

static unsigned int used(struct natflow_net *nn, struct natflow_bucket *b)
{
	lockdep_assert_held(&nn->flows.lock);
	return hweight64(b->tags & (NATFLOW_BYTES(1) >> 8));	/* tag_byte() is odd */
}

static void overflow_add(struct natflow_bucket *b, int n)
{
	u64 count = b->tags >> OVERFLOW_SHIFT;

	if (count != OVERFLOW_MAX)
		WRITE_ONCE(b->tags, b->tags + ((u64)n << OVERFLOW_SHIFT));
}

/**
 * natflow_table_find() - the direction that has a key
 * @nn: namespace, flows.lock held
 * @table: its table
 * @key: words of a union natflow_key
 * @family: of the key
 *
 * Return: the direction or NULL.
 */
struct natflow_dir *natflow_table_find(struct natflow_net *nn, struct natflow_table *table,
				       const u64 *key, u8 family)
{
	u64 hash = hash_of(table, key, family);
	unsigned int second, i;

	for (second = 0; second < 2; second++) {
		struct natflow_bucket *b = bucket_of(table, hash, second);

		for (i = 0; i < NATFLOW_BUCKET_SLOTS; i++) {
			struct natflow_dir *dir;

			if ((u8)(b->tags >> (8 * i)) != tag_byte(hash))
				continue;
			dir = rcu_dereference_protected(b->slot[i],
							lockdep_is_held(&nn->flows.lock));
			if (natflow_dir_is(dir, family) &&
			    !memcmp(natflow_dir_key(dir), key, natflow_key_words(family) * 8))
				return dir;
		}
		/* As readers do: nothing of this bucket went to the second one. */
		if (!(b->tags >> OVERFLOW_SHIFT))
			break;
	}
	return NULL;
}

/**
 * natflow_table_insert() - make one direction visible to readers
 * @nn: namespace, flows.lock held
 * @table: its table
 * @dir: complete direction whose key is not in the table
 * @family: of the direction
 *
 * Return: false if both buckets of the key are full.
 */
bool natflow_table_insert(struct natflow_net *nn, struct natflow_table *table,
			  struct natflow_dir *dir, u8 family)
{
	u64 hash = hash_of(table, natflow_dir_key(dir), family);
	struct natflow_bucket *first = bucket_of(table, hash, false);
	struct natflow_bucket *second = bucket_of(table, hash, true);
	struct natflow_bucket *b = first;
	int i;

	if (used(nn, first) >= CROWDED && used(nn, second) < used(nn, first))
		b = second;
	i = slot_of(nn, b, NULL);
	if (i < 0)
		return false;
	if (b != first)
		overflow_add(first, 1);
	/* The tag after the pointer: an early reader compares the key anyway. */
	rcu_assign_pointer(b->slot[i], dir);
	WRITE_ONCE(b->tags, b->tags | tag_byte(hash) << (8 * i));
	return true;
}

/**
 * natflow_table_remove() - hide one direction
 * @nn: namespace, flows.lock held
 * @table: its table
 * @dir: direction; need not be in the table
 * @family: of the direction
 *
 * Readers that found it before may use it until the end of their RCU section.
 */
void natflow_table_remove(struct natflow_net *nn, struct natflow_table *table,
			  struct natflow_dir *dir, u8 family)
{
	u64 hash = hash_of(table, natflow_dir_key(dir), family);
	unsigned int second;

	for (second = 0; second < 2; second++) {
		struct natflow_bucket *b = bucket_of(table, hash, second);
		int i = slot_of(nn, b, dir);

		if (i < 0)
			continue;
		WRITE_ONCE(b->tags, b->tags & ~(0xffULL << (8 * i)));
		RCU_INIT_POINTER(b->slot[i], NULL);
		if (second)
			overflow_add(bucket_of(table, hash, false), -1);
		return;
	}
}

/**
 * natflow_table_offer() - install a table if there is none
 * @nn: namespace
 * @table: new and empty
 *
 * Context: process.
 * Return: false if there is one.
 */
bool natflow_table_offer(struct natflow_net *nn, struct natflow_table *table)
{
	bool first;

	spin_lock_bh(&nn->flows.lock);
	first = !rcu_access_pointer(nn->flows.table);
	if (first)
		rcu_assign_pointer(nn->flows.table, table);
	spin_unlock_bh(&nn->flows.lock);
	return first;
}

/**
 * natflow_table_replace() - install a table, or remove the last one
 * @nn: namespace
 * @table: new and empty, or NULL when no hook can run any more
 *
 * Flows of the old table are not moved; see natflow_flow_resize().
 *
 * Context: process; natflow_net.lock held or no other user left.
 * Return: the old table or NULL. After a grace period the caller frees it, not in a
 * softirq: its pages are freed one by one.
 */
struct natflow_table *natflow_table_replace(struct natflow_net *nn, struct natflow_table *table)
{
	struct natflow_table *old;

	spin_lock_bh(&nn->flows.lock);
	old = rcu_replace_pointer(nn->flows.table, table, lockdep_is_held(&nn->flows.lock));
	nn->flows.clock_hand = 0;
	WRITE_ONCE(nn->flows.resizes, nn->flows.resizes + 1);
	spin_unlock_bh(&nn->flows.lock);
	return old;
}
