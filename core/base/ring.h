/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of names: the newest events of a namespace, merged where they repeat
 * within a window, for any number of readers at their own pace.
 *
 * An event is produced. It is merged into an open record, becomes a record, or
 * is limited (no memory). A record is open, and not shown, for the window; when
 * the ring is full the oldest goes, and readers that had not read it count its
 * events as dropped: produced = delivered hits + dropped + limited, for a reader
 * that was there from the beginning and has come to the end.
 */
#ifndef _NATFLOW_CORE_BASE_RING_H
#define _NATFLOW_CORE_BASE_RING_H

#include <linux/ktime.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "../../lib/key.h"

#define NATFLOW_RING_SLOTS 16384	/* records */
#define NATFLOW_RING_RECENT 1024	/* places where repeated events look for their record */
#define NATFLOW_RING_URI_MAX 1024	/* bytes kept of a URI */

/* What is said about an event; @text holds host, URI and ALPN, without NULs. */
struct natflow_event {
	u64 number;		/* of the record, from 1 */
	u64 when;		/* ns since 1970 */
	unsigned long born;	/* jiffies */
	u32 uptime;		/* seconds since boot */
	u32 hash;		/* of what makes events equal */
	u64 hits;
	bool closed;		/* somebody was shown it: nothing is merged into it any more */
	u8 family, proto, source, method, action, rule;
	u16 flags;
	u8 mac[6];
	char list[16];		/* of the list that decided, "": none */
	u8 host_len, alpn_len;
	u16 uri_len;
	union natflow_key tuple[2];	/* of the conntrack, both directions */
	char text[];
};

struct natflow_ring {
	spinlock_t lock;		/* all below, BH disabled */
	struct natflow_event **slot;	/* NATFLOW_RING_SLOTS; NULL until first used */
	u64 head, tail;			/* numbers: next to be given, oldest that is there */
	u64 recent[NATFLOW_RING_RECENT];
	u64 produced, merged, limited;	/* events */
	u64 gone;			/* events of the records before @tail */
	int window;			/* seconds; 0: nothing is merged */
	wait_queue_head_t *wait;	/* whom to wake when a record can be read, or NULL */
	struct delayed_work closing;	/* the oldest open record becomes readable */
};

/* A reader's place. */
struct natflow_ring_cursor {
	u64 next;		/* record */
	u64 passed;		/* events of the records before it, delivered or not */
	u64 dropped;
};

void natflow_ring_init(struct natflow_ring *ring);
void natflow_ring_wake(struct natflow_ring *ring, wait_queue_head_t *wait);
int natflow_ring_start(struct natflow_ring *ring);
void natflow_ring_stop(struct natflow_ring *ring);
void natflow_ring_free(struct natflow_ring *ring);
void natflow_ring_clear(struct natflow_ring *ring);
void natflow_ring_put(struct natflow_ring *ring, const struct natflow_event *event,
		      const char *host, const char *uri, const char *alpn);
void natflow_ring_begin(struct natflow_ring *ring, struct natflow_ring_cursor *c, bool oldest);
const struct natflow_event *natflow_ring_peek(struct natflow_ring *ring,
					      struct natflow_ring_cursor *c);
void natflow_ring_pass(struct natflow_ring_cursor *c, const struct natflow_event *event);
void natflow_ring_set_window(struct natflow_ring *ring, int seconds);

#endif /* _NATFLOW_CORE_BASE_RING_H */
