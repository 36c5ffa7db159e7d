// SPDX-License-Identifier: GPL-2.0-only
/* The log of names: records of events, merged where they repeat within a window. */
#include <linux/jhash.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "log.h"

#define SLOTS	16384
#define WINDOW_DEFAULT 10

static bool is_open(const struct natflow_names_log *log, const struct natflow_event *e)
{
	return !e->closed && log->window && time_before(jiffies, e->born + log->window * HZ);
}

static void close_oldest(struct work_struct *work)
{
	struct natflow_names_log *log = container_of(to_delayed_work(work),
						     struct natflow_names_log, closing);

	spin_lock_bh(&log->ring.lock);
	natflow_ring_wake(&log->ring);
	spin_unlock_bh(&log->ring.lock);
}

/* Wake readers after @delay, instead of when it was planned before. */
static void wake_in(struct natflow_names_log *log, unsigned long delay)
{
	cancel_delayed_work(&log->closing);
	schedule_delayed_work(&log->closing, delay);
}

/**
 * natflow_names_log_init() - a log without memory
 * @log: zeroed; natflow_ring_start() gives it memory, natflow_ring_free() takes it
 */
void natflow_names_log_init(struct natflow_names_log *log)
{
	/* The ring frees an event by its record. */
	BUILD_BUG_ON(offsetof(struct natflow_event, record));
	natflow_ring_init(&log->ring, SLOTS);
	INIT_DELAYED_WORK(&log->closing, close_oldest);
	log->window = WINDOW_DEFAULT;
}

/**
 * natflow_names_log_stop() - stop the timer that wakes readers
 * @log: log to which no event is added any more
 *
 * Context: process, may sleep.
 */
void natflow_names_log_stop(struct natflow_names_log *log)
{
	cancel_delayed_work_sync(&log->closing);
}

/* Addresses count, ports do not: a page is fetched by many connections. */
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
static struct natflow_event *find_open(const struct natflow_names_log *log,
				       const struct natflow_event *e, const char *host,
				       const char *uri)
{
	u64 number = log->recent[e->hash % NATFLOW_NAMES_RECENT];
	struct natflow_event *old = natflow_event(natflow_ring_at(&log->ring, number));

	return old && is_open(log, old) && is_same(old, e, host, uri) ? old : NULL;
}

static bool store(struct natflow_names_log *log, const struct natflow_event *event,
		  const char *host, const char *uri, const char *alpn)
{
	size_t text = event->host_len + event->uri_len + event->alpn_len;
	struct natflow_event *e = kmalloc(sizeof(*e) + text, GFP_ATOMIC | __GFP_NOWARN);

	if (!e)
		return false;
	*e = *event;
	memcpy(e->text, host, e->host_len);
	memcpy(e->text + e->host_len, uri, e->uri_len);
	memcpy(e->text + e->host_len + e->uri_len, alpn, e->alpn_len);
	e->record.events = 1;
	e->born = jiffies;
	e->when = ktime_get_real_ns();
	e->uptime = ktime_get_boottime_seconds();
	natflow_ring_add(&log->ring, &e->record);
	log->recent[e->hash % NATFLOW_NAMES_RECENT] = e->record.number;
	return true;
}

/**
 * natflow_names_log_put() - log an event
 * @log: log
 * @event: all but record and times; its @text is not read
 * @host: of @event->host_len bytes
 * @uri: of @event->uri_len bytes, NATFLOW_EVENT_URI_MAX at most
 * @alpn: of @event->alpn_len bytes
 *
 * Context: any but hard interrupts.
 */
void natflow_names_log_put(struct natflow_names_log *log, const struct natflow_event *event,
			   const char *host, const char *uri, const char *alpn)
{
	struct natflow_event e = *event, *old = NULL;

	e.hash = hash_of(&e, host, uri);
	spin_lock_bh(&log->ring.lock);
	log->produced++;
	if (log->ring.slot)
		old = find_open(log, &e, host, uri);
	if (old) {
		old->record.events++;
		log->merged++;
	} else if (!log->ring.slot || !store(log, &e, host, uri, alpn)) {
		log->limited++;
	} else if (!log->window) {
		natflow_ring_wake(&log->ring);
	} else {
		/* No effect while it is queued, which means for an older record. */
		schedule_delayed_work(&log->closing, log->window * HZ + 1);
	}
	spin_unlock_bh(&log->ring.lock);
}

/**
 * natflow_names_log_set_window() - set how long a record is open
 * @log: log
 * @seconds: 0: events are not merged, records can be read at once
 */
void natflow_names_log_set_window(struct natflow_names_log *log, int seconds)
{
	spin_lock_bh(&log->ring.lock);
	log->window = seconds;
	spin_unlock_bh(&log->ring.lock);
	wake_in(log, 0);
}

/**
 * natflow_names_log_begin() - place a new reader
 * @log: log
 * @c: the reader's place
 * @oldest: in front of the oldest record, not behind the last one that is closed
 */
void natflow_names_log_begin(struct natflow_names_log *log, struct natflow_ring_cursor *c,
			     bool oldest)
{
	const struct natflow_event *e;

	spin_lock_bh(&log->ring.lock);
	natflow_ring_begin(&log->ring, c);
	while (!oldest && (e = natflow_event(natflow_ring_peek(&log->ring, c))) &&
	       !is_open(log, e))
		natflow_ring_pass(c, &e->record);
	spin_unlock_bh(&log->ring.lock);
}

/**
 * natflow_names_log_peek() - the next record for a reader
 * @log: log
 * @c: the reader's place
 *
 * Context: the ring's lock held, which is how long the result is valid.
 * Return: the record, or NULL if there is none that is closed.
 */
const struct natflow_event *natflow_names_log_peek(struct natflow_names_log *log,
						   struct natflow_ring_cursor *c)
{
	struct natflow_event *e = natflow_event(natflow_ring_peek(&log->ring, c));

	if (e && is_open(log, e)) {
		wake_in(log, e->born + log->window * HZ - jiffies + 1);
		return NULL;
	}
	if (e)
		e->closed = true;
	return e;
}
