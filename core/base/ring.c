// SPDX-License-Identifier: GPL-2.0-only
/* A log of numbered records, for any number of readers at their own pace. */
#include <linux/poll.h>
#include <linux/slab.h>
#include "ring.h"

/* Lots of the holders. */
enum { FRESH, SEEN };

/**
 * natflow_ring_init() - an empty ring
 * @ring: zeroed
 * @slots: records it will hold
 */
void natflow_ring_init(struct natflow_ring *ring, u32 slots)
{
	spin_lock_init(&ring->lock);
	ring->slots = slots;
	ring->head = 1;
	ring->closed = 1;
}

static struct natflow_ring_record *record_of(struct rb_node *node)
{
	return rb_entry_safe(node, struct natflow_ring_record, node);
}

static void drop(struct natflow_ring *ring, struct natflow_ring_record *record)
{
	lockdep_assert_held(&ring->lock);
	if (record->number >= ring->closed) {
		ring->passed += record->events;
		ring->open--;
	}
	if (record->held.lot == FRESH)
		ring->unread += record->events;
	natflow_holders_remove(&ring->holders[record->class], &record->held);
	rb_erase_cached(&record->node, &ring->records);
	ring->count--;
	kfree(record);
}

static u32 count_in(const struct natflow_ring *ring, unsigned int class, u8 lot)
{
	return ring->holders[class].lot[lot].count;
}

static void make_room(struct natflow_ring *ring)
{
	u8 lot = count_in(ring, 0, SEEN) || count_in(ring, 1, SEEN) ? SEEN : FRESH;
	unsigned int class = count_in(ring, 1, lot) > count_in(ring, 0, lot);
	struct natflow_held *held = natflow_holders_victim(&ring->holders[class], lot);

	BUILD_BUG_ON(NATFLOW_RING_CLASSES != 2);
	drop(ring, container_of(held, struct natflow_ring_record, held));
}

/**
 * natflow_ring_clear() - free all records; readers count them as dropped
 * @ring: ring
 *
 * Context: process, BH enabled.
 */
void natflow_ring_clear(struct natflow_ring *ring)
{
	bool more = true;

	while (more) {
		unsigned int n;

		spin_lock_bh(&ring->lock);
		for (n = 0; n < 256 && ring->count; n++)
			drop(ring, record_of(rb_first_cached(&ring->records)));
		more = ring->count;
		spin_unlock_bh(&ring->lock);
	}
}

/**
 * natflow_ring_set_wait() - choose the wait queue of the readers
 * @ring: ring
 * @wait: wait queue, or NULL: after this returned no reader is woken
 */
void natflow_ring_set_wait(struct natflow_ring *ring, wait_queue_head_t *wait)
{
	spin_lock_bh(&ring->lock);
	ring->wait = wait;
	spin_unlock_bh(&ring->lock);
}

/**
 * natflow_ring_wake() - wake the readers
 * @ring: ring
 *
 * Context: natflow_ring.lock held.
 */
void natflow_ring_wake(const struct natflow_ring *ring)
{
	lockdep_assert_held(&ring->lock);
	if (ring->wait)
		wake_up_interruptible_poll(ring->wait, EPOLLIN | EPOLLRDNORM);
}

/**
 * natflow_ring_add() - add an open record; if the ring is full, another gives way
 * @ring: ring
 * @record: with class and events; taken over, and numbered
 * @who: client that holds it
 *
 * Context: natflow_ring.lock held.
 * Return: false if there is no memory to count it; @record stays the caller's.
 */
bool natflow_ring_add(struct natflow_ring *ring, struct natflow_ring_record *record,
		      const struct natflow_sharer *who)
{
	struct rb_root_cached *all = &ring->records;
	struct rb_node *newest;

	lockdep_assert_held(&ring->lock);
	if (ring->count == ring->slots)
		make_room(ring);
	if (!natflow_holders_add(&ring->holders[record->class], &record->held, who))
		return false;
	newest = rb_first_cached(all);
	rb_link_node(&record->node, newest, newest ? &newest->rb_left : &all->rb_root.rb_node);
	rb_insert_color_cached(&record->node, all, true);
	record->number = ring->head++;
	ring->count++;
	ring->open++;
	return true;
}

/**
 * natflow_ring_from() - find a record by its number
 * @ring: ring
 * @number: of the record
 *
 * Context: natflow_ring.lock held, which is how long the result is valid.
 * Return: that record, or the next one if it gave way, or NULL if there is none.
 */
struct natflow_ring_record *natflow_ring_from(const struct natflow_ring *ring, u64 number)
{
	struct rb_node *node = ring->records.rb_root.rb_node;
	struct natflow_ring_record *found = NULL;

	lockdep_assert_held(&ring->lock);
	while (node) {
		struct natflow_ring_record *record = record_of(node);

		if (record->number >= number) {
			found = record;
			node = node->rb_right;
		} else {
			node = node->rb_left;
		}
	}
	return found;
}

/**
 * natflow_ring_close() - readers may read a record from now on
 * @ring: ring
 * @record: the first one that is open: natflow_ring_from(ring, ring->closed)
 *
 * Context: natflow_ring.lock held.
 */
void natflow_ring_close(struct natflow_ring *ring, struct natflow_ring_record *record)
{
	lockdep_assert_held(&ring->lock);
	record->before = ring->passed;
	ring->passed += record->events;
	ring->closed = record->number + 1;
	ring->open--;
}

/**
 * natflow_ring_begin() - place a new reader
 * @ring: ring
 * @c: the reader's place
 * @oldest: in front of the oldest record, not behind the last one that is closed
 *
 * Context: natflow_ring.lock held.
 */
void natflow_ring_begin(const struct natflow_ring *ring, struct natflow_ring_cursor *c,
			bool oldest)
{
	const struct natflow_ring_record *first = natflow_ring_from(ring, 0);

	*c = (struct natflow_ring_cursor){ .next = ring->closed, .passed = ring->passed };
	if (oldest && first && first->number < ring->closed) {
		c->next = first->number;
		c->passed = first->before;
	}
}

/**
 * natflow_ring_peek() - the next record for a reader
 * @ring: ring
 * @c: the reader's place; events of records that gave way unread are counted
 *
 * Context: natflow_ring.lock held, which is how long the result is valid.
 * Return: the record, or NULL if the reader has passed the last one that is closed.
 */
struct natflow_ring_record *natflow_ring_peek(const struct natflow_ring *ring,
					      struct natflow_ring_cursor *c)
{
	struct natflow_ring_record *record = natflow_ring_from(ring, c->next);

	if (!record || record->number >= ring->closed)
		return NULL;
	c->dropped += record->before - c->passed;
	c->passed = record->before;
	return record;
}

/**
 * natflow_ring_pass() - move a reader behind a record
 * @ring: ring
 * @c: the reader's place
 * @record: the record there, under the same lock
 */
void natflow_ring_pass(struct natflow_ring *ring, struct natflow_ring_cursor *c,
		       struct natflow_ring_record *record)
{
	c->passed += record->events;
	c->next = record->number + 1;
	if (record->held.lot == FRESH)
		natflow_holders_move(&ring->holders[record->class], &record->held, SEEN);
}
