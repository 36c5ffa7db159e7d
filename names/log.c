// SPDX-License-Identifier: GPL-2.0-only
/* The log of names: records of events, merged where they repeat within a window. */
#include <linux/jhash.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include "../include/uapi/linux/natflow_urllogger.h"
#include "log.h"

#define SLOTS	16384
#define OPEN_MAX	(SLOTS / 2)	/* the other half is for records that can be read */
#define RECENT	1024			/* slots in which repeated events look for their record */
#define BATCH	256			/* records closed in one section under the lock */
#define WINDOW_DEFAULT 10

static struct natflow_event *first_open(const struct natflow_names_log *log)
{
	return natflow_event(natflow_ring_from(&log->ring, log->ring.closed));
}

/* When the window of a record is over, in jiffies_64. */
static u64 end_of(const struct natflow_names_log *log, const struct natflow_event *e)
{
	return e->born + (u64)log->window * HZ;
}

static bool is_over(const struct natflow_names_log *log, const struct natflow_event *e)
{
	return time_after_eq64(get_jiffies_64(), end_of(log, e));
}

/* Close records whose window is over, @max at most. Return: how many. */
static unsigned int close_some(struct natflow_names_log *log, unsigned int max)
{
	struct natflow_event *e;
	unsigned int n;

	for (n = 0; n < max && (e = first_open(log)) && is_over(log, e); n++)
		natflow_ring_close(&log->ring, &e->record);
	if (n)
		natflow_ring_wake(&log->ring);
	return n;
}

/* Context: process, BH enabled. */
static void close_all(struct natflow_names_log *log)
{
	unsigned int n;

	do {
		spin_lock_bh(&log->ring.lock);
		n = close_some(log, BATCH);
		spin_unlock_bh(&log->ring.lock);
	} while (n == BATCH);
}

static void close_oldest(struct work_struct *work)
{
	struct natflow_names_log *log = container_of(to_delayed_work(work),
						     struct natflow_names_log, closing);
	const struct natflow_event *e;

	close_all(log);
	spin_lock_bh(&log->ring.lock);
	e = first_open(log);
	if (e)
		schedule_delayed_work(&log->closing, is_over(log, e) ? 0 :
				      end_of(log, e) - get_jiffies_64());
	spin_unlock_bh(&log->ring.lock);
}

/**
 * natflow_names_log_init() - an empty log
 * @log: zeroed; natflow_names_log_start() follows before the first event
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
 * natflow_names_log_start() - allocate what events need, unless that was done before
 * @log: log
 *
 * Context: process, may sleep; callers exclude each other.
 * Return: 0 or -ENOMEM; natflow_names_log_free() frees it.
 */
int natflow_names_log_start(struct natflow_names_log *log)
{
	u64 *recent;

	if (log->recent)
		return 0;
	recent = kvcalloc(RECENT, sizeof(*recent), GFP_KERNEL_ACCOUNT);
	if (!recent)
		return -ENOMEM;
	WRITE_ONCE(log->recent, recent);
	return 0;
}

/**
 * natflow_names_log_free() - free all memory
 * @log: log that was stopped, without readers
 */
void natflow_names_log_free(struct natflow_names_log *log)
{
	natflow_ring_clear(&log->ring);
	kvfree(log->recent);
}

/**
 * natflow_names_log_bytes() - memory of a log beside its records
 * @log: log
 *
 * Context: any.
 */
size_t natflow_names_log_bytes(const struct natflow_names_log *log)
{
	return READ_ONCE(log->recent) ? RECENT * sizeof(*log->recent) : 0;
}

/**
 * natflow_names_log_stop() - stop the timer that closes records
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
	u64 number = log->recent[e->hash % RECENT];
	struct natflow_event *old;

	if (number < log->ring.closed)
		return NULL;
	old = natflow_event(natflow_ring_from(&log->ring, number));
	return old && !is_over(log, old) && is_same(old, e, host, uri) ? old : NULL;
}

static bool store(struct natflow_names_log *log, const struct natflow_event *event,
		  const struct natflow_sharer *who, const char *host, const char *uri,
		  const char *alpn)
{
	size_t text = event->host_len + event->uri_len + event->alpn_len;
	struct natflow_event *e = kmalloc(sizeof(*e) + text,
					  GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);

	if (!e)
		return false;
	*e = *event;
	memcpy(e->text, host, e->host_len);
	memcpy(e->text + e->host_len, uri, e->uri_len);
	memcpy(e->text + e->host_len + e->uri_len, alpn, e->alpn_len);
	e->record.events = 1;
	e->record.class = e->source == NATFLOW_URL_DNS || e->source == NATFLOW_URL_ANSWER;
	e->born = get_jiffies_64();
	e->when = ktime_get_real_ns();
	e->uptime = ktime_get_boottime_seconds();
	if (!natflow_ring_add(&log->ring, &e->record, who)) {
		kfree(e);
		return false;
	}
	log->recent[e->hash % RECENT] = e->record.number;
	return true;
}

/* A record was added: close older ones, so that there are not too many open ones. */
static void close_older(struct natflow_names_log *log)
{
	close_some(log, 2);
	if (log->ring.open > OPEN_MAX) {
		natflow_ring_close(&log->ring, &first_open(log)->record);
		natflow_ring_wake(&log->ring);
		log->early++;
	}
	/* No effect while it is queued, which means for an older record. */
	if (log->ring.open)
		schedule_delayed_work(&log->closing, log->window * HZ);
}

/**
 * natflow_names_log_put() - log an event
 * @log: log
 * @event: all but record and times; its @text is not read
 * @who: client that caused it
 * @host: of @event->host_len bytes
 * @uri: of @event->uri_len bytes, NATFLOW_EVENT_URI_MAX at most
 * @alpn: of @event->alpn_len bytes
 *
 * Context: any but hard interrupts.
 */
void natflow_names_log_put(struct natflow_names_log *log, const struct natflow_event *event,
			   const struct natflow_sharer *who, const char *host, const char *uri,
			   const char *alpn)
{
	struct natflow_event e = *event, *old;

	e.hash = hash_of(&e, host, uri);
	spin_lock_bh(&log->ring.lock);
	log->produced++;
	old = find_open(log, &e, host, uri);
	if (old) {
		old->record.events++;
		log->merged++;
	} else if (store(log, &e, who, host, uri, alpn)) {
		close_older(log);
	} else {
		log->limited++;
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
	cancel_delayed_work(&log->closing);	/* it may be due much later */
	schedule_delayed_work(&log->closing, 0);
}

/**
 * natflow_names_log_begin() - place a new reader
 * @log: log
 * @c: the reader's place
 * @oldest: in front of the oldest record, not behind the last one that is closed
 *
 * Context: process, BH enabled.
 */
void natflow_names_log_begin(struct natflow_names_log *log, struct natflow_ring_cursor *c,
			     bool oldest)
{
	close_all(log);
	spin_lock_bh(&log->ring.lock);
	natflow_ring_begin(&log->ring, c, oldest);
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
struct natflow_event *natflow_names_log_peek(struct natflow_names_log *log,
					     struct natflow_ring_cursor *c)
{
	if (c->next >= log->ring.closed)
		close_some(log, 1);
	return natflow_event(natflow_ring_peek(&log->ring, c));
}
