// SPDX-License-Identifier: GPL-2.0-only
/* A ring of numbered records, for any number of readers at their own pace. */
#include <linux/poll.h>
#include <linux/slab.h>
#include "ring.h"

/**
 * natflow_ring_init() - a ring without memory
 * @ring: zeroed
 * @slots: records it will hold
 */
void natflow_ring_init(struct natflow_ring *ring, u32 slots)
{
	spin_lock_init(&ring->lock);
	ring->slots = slots;
	ring->head = 1;
	ring->tail = 1;
}

/**
 * natflow_ring_start() - allocate the slots, unless that was done before
 * @ring: ring
 *
 * Context: process, may sleep; callers exclude each other.
 * Return: 0 or -ENOMEM.
 */
int natflow_ring_start(struct natflow_ring *ring)
{
	struct natflow_ring_record **slot;

	if (ring->slot)
		return 0;
	slot = kvcalloc(ring->slots, sizeof(*slot), GFP_KERNEL);
	if (!slot)
		return -ENOMEM;
	spin_lock_bh(&ring->lock);
	ring->slot = slot;
	spin_unlock_bh(&ring->lock);
	return 0;
}

static void drop_oldest(struct natflow_ring *ring)
{
	struct natflow_ring_record **slot = natflow_ring_slot(ring, ring->tail);

	lockdep_assert_held(&ring->lock);
	ring->gone += (*slot)->events;
	kfree(*slot);
	*slot = NULL;
	ring->tail++;
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
		for (n = 0; n < 256 && ring->tail < ring->head; n++)
			drop_oldest(ring);
		more = ring->tail < ring->head;
		spin_unlock_bh(&ring->lock);
	}
}

/**
 * natflow_ring_free() - free all memory
 * @ring: ring without readers
 */
void natflow_ring_free(struct natflow_ring *ring)
{
	natflow_ring_clear(ring);
	kvfree(ring->slot);
	ring->slot = NULL;
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
 * natflow_ring_add() - add a record; a full ring drops its oldest one
 * @ring: started
 * @record: taken over; its number is assigned here
 *
 * Context: natflow_ring.lock held.
 */
void natflow_ring_add(struct natflow_ring *ring, struct natflow_ring_record *record)
{
	lockdep_assert_held(&ring->lock);
	if (ring->head - ring->tail == ring->slots)
		drop_oldest(ring);
	record->number = ring->head;
	*natflow_ring_slot(ring, ring->head++) = record;
}

/**
 * natflow_ring_begin() - place a reader in front of the oldest record
 * @ring: ring
 * @c: the reader's place
 *
 * Context: natflow_ring.lock held.
 */
void natflow_ring_begin(const struct natflow_ring *ring, struct natflow_ring_cursor *c)
{
	lockdep_assert_held(&ring->lock);
	c->next = ring->tail;
	c->passed = ring->gone;
	c->dropped = 0;
}

/**
 * natflow_ring_peek() - the next record for a reader
 * @ring: ring
 * @c: the reader's place; events of records that were freed unread are counted
 *
 * Context: natflow_ring.lock held, which is how long the result is valid.
 * Return: the record, or NULL if the reader has passed the last one.
 */
struct natflow_ring_record *natflow_ring_peek(const struct natflow_ring *ring,
					      struct natflow_ring_cursor *c)
{
	lockdep_assert_held(&ring->lock);
	if (c->next < ring->tail) {
		c->dropped += ring->gone - c->passed;
		c->passed = ring->gone;
		c->next = ring->tail;
	}
	return natflow_ring_at(ring, c->next);
}

/**
 * natflow_ring_pass() - move a reader behind a record
 * @c: the reader's place
 * @record: the record there, under the same lock
 */
void natflow_ring_pass(struct natflow_ring_cursor *c, const struct natflow_ring_record *record)
{
	c->passed += record->events;
	c->next++;
}
