/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A ring of numbered records, for any number of readers at their own pace.
 *
 * A record stands for one event or several. When the ring is full, the oldest record
 * is freed. Readers that had not read it count its events as dropped. For a reader
 * that was there from the beginning and has read the last record:
 * events added = events of the records it read + events dropped.
 */
#ifndef _NATFLOW_CORE_BASE_RING_H
#define _NATFLOW_CORE_BASE_RING_H

#include <linux/math64.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

/* First member of what the owner of the ring allocates with kmalloc(). */
struct natflow_ring_record {
	u64 number;		/* from 1 */
	u64 events;		/* may grow under natflow_ring.lock until a reader passes it */
};

struct natflow_ring {
	spinlock_t lock;		/* all below and all records, BH disabled */
	struct natflow_ring_record **slot;	/* NULL until natflow_ring_start() */
	u32 slots;
	u64 head, tail;			/* numbers: of the next record, of the oldest one */
	u64 gone;			/* events of the records before @tail */
	wait_queue_head_t *wait;	/* readers to wake, or NULL */
};

/* A reader's place. */
struct natflow_ring_cursor {
	u64 next;		/* record */
	u64 passed;		/* events of the records before it, read or dropped */
	u64 dropped;
};

/* The place of a record. 32-bit machines have no u64 modulo. */
static inline struct natflow_ring_record **natflow_ring_slot(const struct natflow_ring *ring,
							     u64 number)
{
	u32 index;

	div_u64_rem(number, ring->slots, &index);
	return &ring->slot[index];
}

/* Context: natflow_ring.lock held. Return: NULL if there is no record of that number. */
static inline struct natflow_ring_record *natflow_ring_at(const struct natflow_ring *ring,
							  u64 number)
{
	lockdep_assert_held(&ring->lock);
	if (number < ring->tail || number >= ring->head)
		return NULL;
	return *natflow_ring_slot(ring, number);
}

void natflow_ring_init(struct natflow_ring *ring, u32 slots);
int natflow_ring_start(struct natflow_ring *ring);
void natflow_ring_free(struct natflow_ring *ring);
void natflow_ring_clear(struct natflow_ring *ring);
void natflow_ring_set_wait(struct natflow_ring *ring, wait_queue_head_t *wait);
void natflow_ring_wake(const struct natflow_ring *ring);
void natflow_ring_add(struct natflow_ring *ring, struct natflow_ring_record *record);
void natflow_ring_begin(const struct natflow_ring *ring, struct natflow_ring_cursor *c);
struct natflow_ring_record *natflow_ring_peek(const struct natflow_ring *ring,
					      struct natflow_ring_cursor *c);
void natflow_ring_pass(struct natflow_ring_cursor *c, const struct natflow_ring_record *record);

#endif /* _NATFLOW_CORE_BASE_RING_H */
