// SPDX-License-Identifier: GPL-2.0-only
/* The log of names: a ring of records, see ring.h. */
#include <linux/jhash.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "ring.h"

static struct natflow_event **slot_of(const struct natflow_ring *ring, u64 number)
{
	return &ring->slot[number % NATFLOW_RING_SLOTS];
}

static bool is_open(const struct natflow_ring *ring, const struct natflow_event *e)
{
	return !e->closed && ring->window && time_before(jiffies, e->born + ring->window * HZ);
}

static void wake(const struct natflow_ring *ring)
{
	lockdep_assert_held(&ring->lock);
	if (ring->wait)
		wake_up_interruptible_poll(ring->wait, EPOLLIN | EPOLLRDNORM);
}

static void close_oldest(struct work_struct *work)
{
	struct natflow_ring *ring = container_of(to_delayed_work(work), struct natflow_ring,
						 closing);

	spin_lock_bh(&ring->lock);
	wake(ring);
	spin_unlock_bh(&ring->lock);
}

/* Readers are to look again, then and not when was said before. */
static void wake_in(struct natflow_ring *ring, unsigned long delay)
{
	cancel_delayed_work(&ring->closing);
	schedule_delayed_work(&ring->closing, delay);
}

/**
 * natflow_ring_init() - a ring without memory
 * @ring: zeroed
 */
void natflow_ring_init(struct natflow_ring *ring)
{
	spin_lock_init(&ring->lock);
	INIT_DELAYED_WORK(&ring->closing, close_oldest);
	ring->window = 10;
	ring->head = 1;
	ring->tail = 1;
}

/**
 * natflow_ring_wake() - whom to wake when a record can be read
 * @ring: ring
 * @wait: where readers wait, or NULL: nobody is woken after this returned
 */
void natflow_ring_wake(struct natflow_ring *ring, wait_queue_head_t *wait)
{
	spin_lock_bh(&ring->lock);
	ring->wait = wait;
	spin_unlock_bh(&ring->lock);
}

/**
 * natflow_ring_start() - give it memory
 * @ring: ring; harmless if it has some
 *
 * Context: process, may sleep; callers exclude each other.
 * Return: 0 or -ENOMEM.
 */
int natflow_ring_start(struct natflow_ring *ring)
{
	struct natflow_event **slot;

	if (ring->slot)
		return 0;
	slot = kvcalloc(NATFLOW_RING_SLOTS, sizeof(*slot), GFP_KERNEL);
	if (!slot)
		return -ENOMEM;
	spin_lock_bh(&ring->lock);
	ring->slot = slot;
	spin_unlock_bh(&ring->lock);
	return 0;
}

static void drop_oldest(struct natflow_ring *ring)
{
	struct natflow_event **slot = slot_of(ring, ring->tail);

	lockdep_assert_held(&ring->lock);
	ring->gone += (*slot)->hits;
	kfree(*slot);
	*slot = NULL;
	ring->tail++;
}

/**
 * natflow_ring_clear() - forget all records
 * @ring: ring; for its readers they are dropped
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
 * natflow_ring_stop() - nobody is woken any more
 * @ring: ring that nobody puts anything into
 *
 * Context: process, may sleep.
 */
void natflow_ring_stop(struct natflow_ring *ring)
{
	cancel_delayed_work_sync(&ring->closing);
}

/**
 * natflow_ring_free() - give the memory back
 * @ring: stopped, without readers
 */
void natflow_ring_free(struct natflow_ring *ring)
{
	if (ring->slot)
		natflow_ring_clear(ring);
	kvfree(ring->slot);
	ring->slot = NULL;
}

/* Addresses of the client and the server, ports left out: a page is many connections. */
static u32 hash_of(const struct natflow_event *e, const char *host, const char *uri)
{
	u32 len = e->family == NFPROTO_IPV4 ? sizeof(e->tuple[0].v4.addrs) :
					      sizeof(e->tuple[0].v6.addrs);
	u32 hash = jhash(&e->tuple[0], len, e->source << 24 | e->method << 16 | e->action << 8 |
			 e->rule);

	return jhash(uri, e->uri_len, jhash(host, e->host_len, hash));
}

static bool is_same(const struct natflow_event *a, const struct natflow_event *b, const char *host,
		    const char *uri)
{
	u32 len = a->family == NFPROTO_IPV4 ? sizeof(a->tuple[0].v4.addrs) :
					      sizeof(a->tuple[0].v6.addrs);

	return a->hash == b->hash && a->family == b->family && a->source == b->source &&
	       a->method == b->method && a->action == b->action && a->rule == b->rule &&
	       a->flags == b->flags && a->host_len == b->host_len && a->uri_len == b->uri_len &&
	       !memcmp(&a->tuple[0], &b->tuple[0], len) &&
	       !memcmp(a->text, host, a->host_len) &&
	       !memcmp(a->text + a->host_len, uri, a->uri_len);
}

/* The open record of an equal event, or NULL. */
static struct natflow_event *find_open(const struct natflow_ring *ring,
				       const struct natflow_event *e, const char *host,
				       const char *uri)
{
	u64 number = ring->recent[e->hash % NATFLOW_RING_RECENT];
	struct natflow_event *old;

	if (number < ring->tail || number >= ring->head)
		return NULL;
	old = *slot_of(ring, number);
	return is_open(ring, old) && is_same(old, e, host, uri) ? old : NULL;
}

static bool store(struct natflow_ring *ring, const struct natflow_event *event, const char *host,
		  const char *uri, const char *alpn)
{
	size_t text = event->host_len + event->uri_len + event->alpn_len;
	struct natflow_event *e = kmalloc(sizeof(*e) + text, GFP_ATOMIC | __GFP_NOWARN);

	if (!e)
		return false;
	*e = *event;
	memcpy(e->text, host, e->host_len);
	memcpy(e->text + e->host_len, uri, e->uri_len);
	memcpy(e->text + e->host_len + e->uri_len, alpn, e->alpn_len);
	e->hits = 1;
	e->number = ring->head;
	e->born = jiffies;
	e->when = ktime_get_real_ns();
	e->uptime = ktime_get_boottime_seconds();
	if (ring->head - ring->tail == NATFLOW_RING_SLOTS)
		drop_oldest(ring);
	*slot_of(ring, ring->head) = e;
	ring->recent[e->hash % NATFLOW_RING_RECENT] = ring->head++;
	return true;
}

/**
 * natflow_ring_put() - an event was produced
 * @ring: ring
 * @event: what is known but number, time and hits; its @text is not read
 * @host: of @event->host_len bytes
 * @uri: of @event->uri_len bytes, NATFLOW_RING_URI_MAX at most
 * @alpn: of @event->alpn_len bytes
 *
 * Context: any but hard interrupts.
 */
void natflow_ring_put(struct natflow_ring *ring, const struct natflow_event *event,
		      const char *host, const char *uri, const char *alpn)
{
	struct natflow_event e = *event, *old = NULL;

	e.hash = hash_of(&e, host, uri);
	spin_lock_bh(&ring->lock);
	ring->produced++;
	if (ring->slot)
		old = find_open(ring, &e, host, uri);
	if (old) {
		old->hits++;
		ring->merged++;
	} else if (!ring->slot || !store(ring, &e, host, uri, alpn)) {
		ring->limited++;
	} else if (!ring->window) {
		wake(ring);
	} else {
		/* Does nothing while it is queued: for an older record, that is. */
		schedule_delayed_work(&ring->closing, ring->window * HZ + 1);
	}
	spin_unlock_bh(&ring->lock);
}

/**
 * natflow_ring_set_window() - merge for so long
 * @ring: ring
 * @seconds: 0: nothing is merged, records can be read at once
 */
void natflow_ring_set_window(struct natflow_ring *ring, int seconds)
{
	spin_lock_bh(&ring->lock);
	ring->window = seconds;
	spin_unlock_bh(&ring->lock);
	wake_in(ring, 0);
}

/**
 * natflow_ring_begin() - where a new reader begins
 * @ring: ring
 * @c: its place
 * @oldest: with what is there, not with what comes
 */
void natflow_ring_begin(struct natflow_ring *ring, struct natflow_ring_cursor *c, bool oldest)
{
	u64 n;

	spin_lock_bh(&ring->lock);
	c->next = ring->tail;
	c->passed = ring->gone;
	c->dropped = 0;
	for (n = ring->tail; !oldest && n < ring->head && !is_open(ring, *slot_of(ring, n)); n++)
		natflow_ring_pass(c, *slot_of(ring, n));
	spin_unlock_bh(&ring->lock);
}

/* What was lost in front of the reader's place is counted. */
static void catch_up(const struct natflow_ring *ring, struct natflow_ring_cursor *c)
{
	lockdep_assert_held(&ring->lock);
	if (c->next >= ring->tail)
		return;
	c->dropped += ring->gone - c->passed;
	c->passed = ring->gone;
	c->next = ring->tail;
}

/**
 * natflow_ring_peek() - the next record for a reader
 * @ring: ring
 * @c: the reader's place
 *
 * Context: natflow_ring.lock held, which is how long the result is valid.
 * Return: the record, or NULL if there is none that is closed.
 */
const struct natflow_event *natflow_ring_peek(struct natflow_ring *ring,
					      struct natflow_ring_cursor *c)
{
	struct natflow_event *e;

	catch_up(ring, c);
	if (c->next == ring->head)
		return NULL;
	e = *slot_of(ring, c->next);
	if (is_open(ring, e)) {
		wake_in(ring, e->born + ring->window * HZ - jiffies + 1);
		return NULL;
	}
	e->closed = true;
	return e;
}

/**
 * natflow_ring_pass() - go on behind a record
 * @c: a reader's place
 * @event: from natflow_ring_peek(), under the same lock
 */
void natflow_ring_pass(struct natflow_ring_cursor *c, const struct natflow_event *event)
{
	c->passed += event->hits;
	c->next++;
}
