// SPDX-License-Identifier: GPL-2.0-only
/* What inspections hold, and who gives way. */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/string.h>
#include "places.h"

#define BYTES_EACH	256	/* of memory for each inspection that flow_limit= allows */
#define BYTES_LEAST	BIT(20)
#define LOOK_AT		16	/* places from which the one to give way is chosen */
#define EVICT_AT_ONCE	4

/**
 * natflow_places_init() - no places
 * @all: places of a namespace
 * @evict: see there
 */
void natflow_places_init(struct natflow_places *all, void (*evict)(struct natflow_place *place))
{
	spin_lock_init(&all->lock);
	INIT_LIST_HEAD(&all->queue);
	all->evict = evict;
}

/**
 * natflow_places_start() - allocate the pools; natflow_places_resize() gives them a size
 * @all: places of a namespace
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM; natflow_places_exit() frees them.
 */
int natflow_places_start(struct natflow_places *all)
{
	bool complete = true;
	unsigned int i;

	for (i = 0; i < NATFLOW_PLACES_POOLS; i++) {
		if (!all->count[i])
			all->count[i] = natflow_share_alloc(0);
		if (!all->bytes[i])
			all->bytes[i] = natflow_share_alloc(0);
		complete &= all->count[i] && all->bytes[i];
	}
	return complete ? 0 : -ENOMEM;
}

/**
 * natflow_places_exit() - free the pools
 * @all: places of a namespace, all given back
 */
void natflow_places_exit(struct natflow_places *all)
{
	unsigned int i;

	for (i = 0; i < NATFLOW_PLACES_POOLS; i++) {
		kvfree(all->count[i]);
		kvfree(all->bytes[i]);
	}
}

/**
 * natflow_places_bytes() - memory of natflow_places_start()
 * @all: places of a namespace
 *
 * Context: any.
 */
size_t natflow_places_bytes(const struct natflow_places *all)
{
	unsigned int i, pools = 0;

	for (i = 0; i < NATFLOW_PLACES_POOLS; i++)
		pools += !!READ_ONCE(all->count[i]) + !!READ_ONCE(all->bytes[i]);
	return pools * sizeof(struct natflow_share);
}

/* A quarter is for those that wait. */
static void divide(struct natflow_share **pool, u32 units)
{
	WRITE_ONCE(pool[NATFLOW_PLACES_WAITING]->limit, units / 4);
	WRITE_ONCE(pool[NATFLOW_PLACES_ANSWERED]->limit, units - units / 4);
}

/**
 * natflow_places_resize() - the pools follow flow_limit=
 * @all: places of a namespace
 * @limit: the value in force
 *
 * Places and bytes beyond the new size are not taken away; no more are given then.
 *
 * Context: BH disabled.
 */
void natflow_places_resize(struct natflow_places *all, u32 limit)
{
	if (READ_ONCE(all->limit) == limit)
		return;
	spin_lock(&all->lock);
	WRITE_ONCE(all->limit, limit);
	divide(all->count, limit);
	divide(all->bytes, max_t(u32, limit * BYTES_EACH, BYTES_LEAST));
	spin_unlock(&all->lock);
}

static bool same_entry(const struct natflow_sharer *a, const struct natflow_sharer *b)
{
	return !memcmp(a->slot[NATFLOW_SHARE_BY_ENTRY], b->slot[NATFLOW_SHARE_BY_ENTRY],
		       sizeof(a->slot[0]));
}

/*
 * Of the oldest that wait, the one that gives way to @place: of the same entry, and of
 * the address that holds most. If the pool is used up and there is none, the oldest.
 * Never one whose address holds less than that of @place: what others had is free only
 * after a grace period, so that a client may take in vain until it has no other place.
 */
static struct natflow_place *find_victim(const struct natflow_place *place,
					 const struct natflow_share *share, bool full)
{
	const int own = natflow_share_held(share, &place->who, NATFLOW_SHARE_BY_ADDRESS);
	struct natflow_place *other, *victim = NULL, *oldest = NULL;
	unsigned int n = 0;
	int most = own - 1;

	lockdep_assert_held(&place->all->lock);
	list_for_each_entry(other, &place->all->queue, queue) {
		int held = natflow_share_held(share, &other->who, NATFLOW_SHARE_BY_ADDRESS);

		if (other == place)
			continue;
		if (!oldest && held >= own)
			oldest = other;
		if (held > most && same_entry(&other->who, &place->who)) {
			victim = other;
			most = held;
		}
		if (++n == LOOK_AT)
			break;
	}
	if (!victim && full)
		victim = oldest;
	return victim;
}

/* One of those that wait gives way. Context: RCU read side, BH disabled. Return: did one? */
static bool make_room(struct natflow_place *place, const struct natflow_share *share, bool full)
{
	struct natflow_places *all = place->all;
	struct natflow_place *other;

	spin_lock(&all->lock);
	other = find_victim(place, share, full);
	if (!other) {
		spin_unlock(&all->lock);
		return false;
	}
	list_del_init(&other->queue);
	spin_unlock(&all->lock);
	all->evict(other);
	return true;
}

/* Take units; of the places that wait some may give way for it. */
static bool take(struct natflow_place *place, struct natflow_share *share, u32 units)
{
	unsigned int n;

	for (n = 0; !natflow_share_take(share, &place->who, units); n++) {
		bool full = atomic_read(&share->used) + units > READ_ONCE(share->limit);

		if (place->pool != NATFLOW_PLACES_WAITING || n == EVICT_AT_ONCE ||
		    !make_room(place, share, full))
			return false;
	}
	return true;
}

/**
 * natflow_place_take() - take a place for a new inspection
 * @place: all zero
 * @all: places of a namespace
 * @who: the flow's client
 * @pool: is the flow answered
 *
 * Context: RCU read side, BH disabled.
 * Return: false if there is none for this client; else natflow_place_leave() gives it back.
 */
bool natflow_place_take(struct natflow_place *place, struct natflow_places *all,
			const struct natflow_sharer *who, enum natflow_places_pool pool)
{
	place->all = all;
	place->who = *who;
	place->pool = pool;
	INIT_LIST_HEAD(&place->queue);
	return take(place, all->count[pool], 1);
}

/**
 * natflow_place_queue() - from here on the place may have to give way
 * @place: of an inspection that others can find now
 *
 * Context: BH disabled.
 */
void natflow_place_queue(struct natflow_place *place)
{
	struct natflow_places *all = place->all;

	spin_lock(&all->lock);
	if (place->pool == NATFLOW_PLACES_WAITING && !place->left)
		list_add_tail(&place->queue, &all->queue);
	spin_unlock(&all->lock);
}

/**
 * natflow_place_settle() - the flow was answered: it does not wait any more
 * @place: place that waits, its inspection's lock held
 * @who: the flow's client
 *
 * Context: BH disabled.
 * Return: false if the client's share does not allow it; the place goes on waiting.
 */
bool natflow_place_settle(struct natflow_place *place, const struct natflow_sharer *who)
{
	struct natflow_places *all = place->all;
	struct natflow_share **count = all->count, **bytes = all->bytes;
	enum natflow_places_pool from = NATFLOW_PLACES_ANSWERED;
	struct natflow_sharer was = *who;

	if (!natflow_share_take(count[from], who, 1))
		return false;
	if (!natflow_share_take(bytes[from], who, place->bytes)) {
		natflow_share_give(count[from], who, 1);
		return false;
	}
	/* Given back below: the new place if the old one has been left, else the old one. */
	spin_lock(&all->lock);
	if (!place->left) {
		swap(place->who, was);
		place->pool = NATFLOW_PLACES_ANSWERED;
		from = NATFLOW_PLACES_WAITING;
		list_del_init(&place->queue);
	}
	spin_unlock(&all->lock);
	natflow_share_give(count[from], &was, 1);
	natflow_share_give(bytes[from], &was, place->bytes);
	return true;
}

/**
 * natflow_place_leave() - give a place back
 * @place: place, once
 *
 * Bytes that are still held are given back later.
 */
void natflow_place_leave(struct natflow_place *place)
{
	struct natflow_places *all = place->all;

	spin_lock_bh(&all->lock);
	list_del_init(&place->queue);
	place->left = true;
	spin_unlock_bh(&all->lock);
	natflow_share_give(all->count[place->pool], &place->who, 1);
}

/**
 * natflow_place_take_bytes() - take memory of the client's share
 * @place: place, its inspection's lock held
 * @bytes: how many
 *
 * Context: RCU read side, BH disabled.
 * Return: false if there is none for this client; @place->refused tells so, too.
 */
bool natflow_place_take_bytes(struct natflow_place *place, u32 bytes)
{
	place->refused = !take(place, place->all->bytes[place->pool], bytes);
	if (!place->refused)
		place->bytes += bytes;
	return !place->refused;
}

/**
 * natflow_place_give_bytes() - give memory back
 * @place: place, its inspection's lock held, or nobody else uses it
 * @bytes: how many
 */
void natflow_place_give_bytes(struct natflow_place *place, u32 bytes)
{
	natflow_share_give(place->all->bytes[place->pool], &place->who, bytes);
	place->bytes -= bytes;
}
