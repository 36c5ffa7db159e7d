/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A log of numbered records, for any number of readers at their own pace.
 *
 * A record stands for one event or several. It is open, and hidden from readers, until
 * it is closed; records are closed in the order of their numbers. If the log is full, a
 * record gives way: one that a reader has read, if there is any; of the class that has
 * more of these; of the client that holds most of them; its oldest.
 *
 * Readers that had not read it count its events as dropped. For a reader that was there
 * from the beginning and has read the last record:
 * events added = events of the records it read + events dropped.
 */
#ifndef _NATFLOW_CORE_BASE_RING_H
#define _NATFLOW_CORE_BASE_RING_H

#include <linux/spinlock.h>
#include <linux/wait.h>
#include "holder.h"

#define NATFLOW_RING_CLASSES 2

/* First member of what the owner of the ring allocates with kmalloc(). */
struct natflow_ring_record {
	struct rb_node node;		/* in natflow_ring.records */
	struct natflow_held held;
	u64 number;		/* from 1 */
	u64 events;		/* may grow under natflow_ring.lock while the record is open */
	u64 before;		/* of a closed one: natflow_ring.passed when it was closed */
	u8 class;
};

struct natflow_ring {
	spinlock_t lock;		/* all below and all records, BH disabled */
	struct rb_root_cached records;	/* the newest first, so that adding is cheap */
	struct natflow_holders holders[NATFLOW_RING_CLASSES];
	u32 slots, count, open;		/* records: most, all, those that are open */
	u64 head;			/* number of the next record */
	u64 closed;			/* records below this number are closed */
	u64 passed;			/* events of closed records and of those that gave way */
	u64 unread;			/* events of records that gave way before they were read */
	wait_queue_head_t *wait;	/* readers to wake, or NULL */
};

/* A reader's place. */
struct natflow_ring_cursor {
	u64 next;		/* record */
	u64 passed;		/* events of the records before it, read or dropped */
	u64 dropped;
};

void natflow_ring_init(struct natflow_ring *ring, u32 slots);
void natflow_ring_clear(struct natflow_ring *ring);
void natflow_ring_set_wait(struct natflow_ring *ring, wait_queue_head_t *wait);
void natflow_ring_wake(const struct natflow_ring *ring);
bool natflow_ring_add(struct natflow_ring *ring, struct natflow_ring_record *record,
		      const struct natflow_sharer *who);
struct natflow_ring_record *natflow_ring_from(const struct natflow_ring *ring, u64 number);
void natflow_ring_close(struct natflow_ring *ring, struct natflow_ring_record *record);
void natflow_ring_begin(const struct natflow_ring *ring, struct natflow_ring_cursor *c,
			bool oldest);
struct natflow_ring_record *natflow_ring_peek(const struct natflow_ring *ring,
					      struct natflow_ring_cursor *c);
void natflow_ring_pass(struct natflow_ring *ring, struct natflow_ring_cursor *c,
		       struct natflow_ring_record *record);

#endif /* _NATFLOW_CORE_BASE_RING_H */
