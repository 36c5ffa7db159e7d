// SPDX-License-Identifier: GPL-2.0-only
/* Holders: which client holds how many items of a full store, so that the largest gives way. */
#include <linux/export.h>
#include <linux/slab.h>
#include "holder.h"

struct holding {
	struct rb_node by_count;	/* in natflow_holders.lot[].by_count, unless empty */
	struct list_head items;		/* natflow_held_link, oldest first */
	u32 count;
};

/* A client that holds something. */
struct natflow_holder {
	struct rb_node by_key;
	u32 key;
	struct holding lot[NATFLOW_HOLDER_LOTS];
};

static bool is_larger(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct holding, by_count)->count >
	       rb_entry(b, struct holding, by_count)->count;
}

static struct natflow_holder *make(u32 key)
{
	struct natflow_holder *holder = kzalloc(sizeof(*holder),
						GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	unsigned int i;

	if (!holder)
		return NULL;
	holder->key = key;
	for (i = 0; i < NATFLOW_HOLDER_LOTS; i++)
		INIT_LIST_HEAD(&holder->lot[i].items);
	return holder;
}

/* The holder of a key; a new one if it has none. Return: NULL if there is no memory. */
static struct natflow_holder *find(struct rb_root *root, u32 key)
{
	struct rb_node **link = &root->rb_node, *parent = NULL;
	struct natflow_holder *holder;

	while (*link) {
		parent = *link;
		holder = rb_entry(parent, struct natflow_holder, by_key);
		if (holder->key == key)
			return holder;
		link = key < holder->key ? &parent->rb_left : &parent->rb_right;
	}
	holder = make(key);
	if (holder) {
		rb_link_node(&holder->by_key, parent, link);
		rb_insert_color(&holder->by_key, root);
	}
	return holder;
}

static void forget_empty(struct natflow_holders *h, struct natflow_holder *holder, unsigned int by)
{
	unsigned int i;

	for (i = 0; i < NATFLOW_HOLDER_LOTS; i++)
		if (holder->lot[i].count)
			return;
	rb_erase(&holder->by_key, &h->by_key[by]);
	kfree(holder);
}

/* Count @n more, or fewer, and sort the holding in again. */
static void count(struct rb_root_cached *root, struct holding *holding, int n)
{
	if (holding->count)
		rb_erase_cached(&holding->by_count, root);
	holding->count += n;
	if (holding->count)
		rb_add_cached(&holding->by_count, root, is_larger);
}

static void put_into(struct natflow_holders *h, struct natflow_held *item, u8 lot)
{
	unsigned int by;

	item->lot = lot;
	h->lot[lot].count++;
	for (by = 0; by < NATFLOW_SHARE_BYS; by++) {
		struct holding *holding = &item->by[by].holder->lot[lot];

		list_add_tail(&item->by[by].list, &holding->items);
		count(&h->lot[lot].by_count[by], holding, 1);
	}
}

static void take_out(struct natflow_holders *h, struct natflow_held *item)
{
	unsigned int by;

	h->lot[item->lot].count--;
	for (by = 0; by < NATFLOW_SHARE_BYS; by++) {
		list_del(&item->by[by].list);
		count(&h->lot[item->lot].by_count[by], &item->by[by].holder->lot[item->lot], -1);
	}
}

/**
 * natflow_holders_add() - count an item as held by a client
 * @h: holders
 * @item: item; it comes into lot 0
 * @who: client
 *
 * Context: the owner's lock, BH disabled.
 * Return: false if there is no memory; then nothing is counted.
 */
bool natflow_holders_add(struct natflow_holders *h, struct natflow_held *item,
			 const struct natflow_sharer *who)
{
	unsigned int by;

	for (by = 0; by < NATFLOW_SHARE_BYS; by++) {
		const u16 *slot = who->slot[by];

		item->by[by].holder = find(&h->by_key[by], slot[0] | slot[1] << 16);
		if (!item->by[by].holder)
			goto err;
	}
	put_into(h, item, 0);
	return true;

err:
	while (by--)
		forget_empty(h, item->by[by].holder, by);
	return false;
}
EXPORT_SYMBOL_GPL(natflow_holders_add);

/**
 * natflow_holders_remove() - an item is held no more
 * @h: holders
 * @item: item
 *
 * Context: the owner's lock.
 */
void natflow_holders_remove(struct natflow_holders *h, struct natflow_held *item)
{
	unsigned int by;

	take_out(h, item);
	for (by = 0; by < NATFLOW_SHARE_BYS; by++)
		forget_empty(h, item->by[by].holder, by);
}
EXPORT_SYMBOL_GPL(natflow_holders_remove);

/**
 * natflow_holders_move() - put an item into another lot, as its holder's newest
 * @h: holders
 * @item: item
 * @lot: lot
 *
 * Context: the owner's lock.
 */
void natflow_holders_move(struct natflow_holders *h, struct natflow_held *item, u8 lot)
{
	take_out(h, item);
	put_into(h, item, lot);
}

/* The largest holding of a lot that is not empty, and by what its client is counted. */
static struct holding *find_largest(const struct natflow_holders *h, u8 lot, unsigned int *by)
{
	struct holding *largest[NATFLOW_SHARE_BYS];

	for (*by = 0; *by < NATFLOW_SHARE_BYS; ++*by)
		largest[*by] = rb_entry(rb_first_cached(&h->lot[lot].by_count[*by]),
					struct holding, by_count);
	*by = NATFLOW_SHARE_BY_ADDRESS;
	if (largest[NATFLOW_SHARE_BY_ENTRY]->count >
	    NATFLOW_SHARE_ENTRY_WEIGHT * largest[*by]->count)
		*by = NATFLOW_SHARE_BY_ENTRY;
	return largest[*by];
}

static struct natflow_held *oldest(const struct holding *holding, unsigned int by)
{
	struct natflow_held_link *link = list_first_entry(&holding->items,
							  struct natflow_held_link, list);

	return container_of(link - by, struct natflow_held, by[0]);
}

/**
 * natflow_holders_victim() - the item that gives way if there is no room
 * @h: holders
 * @lot: of the item
 *
 * Context: the owner's lock.
 * Return: the oldest item of the largest holder, or NULL if the lot is empty.
 */
struct natflow_held *natflow_holders_victim(const struct natflow_holders *h, u8 lot)
{
	const struct holding *largest;
	unsigned int by;

	if (!h->lot[lot].count)
		return NULL;
	largest = find_largest(h, lot, &by);
	return oldest(largest, by);
}

/**
 * natflow_holders_rival() - the item that gives way to a new one
 * @h: holders
 * @item: new one, already added
 *
 * Context: the owner's lock.
 * Return: the oldest item of the largest holder, or NULL if that is @item's, or holds no more.
 */
struct natflow_held *natflow_holders_rival(const struct natflow_holders *h,
					   const struct natflow_held *item)
{
	const struct holding *largest, *own;
	unsigned int by;

	largest = find_largest(h, item->lot, &by);
	own = &item->by[by].holder->lot[item->lot];
	return largest->count > own->count ? oldest(largest, by) : NULL;
}
EXPORT_SYMBOL_GPL(natflow_holders_rival);
