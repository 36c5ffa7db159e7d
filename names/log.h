/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of names: records of events, merged where they repeat within a window.
 *
 * An event is produced. It is merged into an open record, becomes a record, or is
 * limited (no memory). A record is open, and hidden from readers, for the window. If
 * more than half of the log is open, the oldest open record is closed at once:
 * produced = hits delivered + dropped + limited, for a reader that was there from
 * the beginning and has read the last record.
 */
#ifndef _NATFLOW_NAMES_LOG_H
#define _NATFLOW_NAMES_LOG_H

#include <linux/workqueue.h>
#include "../core/base/ring.h"
#include "../lib/key.h"

#define NATFLOW_EVENT_URI_MAX 1024	/* bytes kept of a URI */

/* @text holds host, URI and ALPN, without NULs. */
struct natflow_event {
	struct natflow_ring_record record;	/* its events are the hits */
	u64 when;		/* ns since 1970 */
	u64 born;		/* jiffies_64 */
	u32 uptime;		/* seconds since boot */
	u32 hash;		/* of what makes events equal */
	u8 family, proto, source, method, action, rule;
	u16 flags;
	u8 mac[6];
	char list[16];		/* of the list that decided, "": none */
	u8 host_len, alpn_len;
	u16 uri_len;
	union natflow_key tuple[2];	/* of the conntrack, both directions */
	char text[];
};

struct natflow_names_log {
	struct natflow_ring ring;	/* of struct natflow_event; its lock covers all below */
	u64 *recent;			/* numbers of records, by hash; NULL until switched on */
	u64 produced, merged, limited;	/* events */
	u64 early;		/* records that were closed before their window was over */
	int window;		/* seconds; 0: events are not merged */
	struct delayed_work closing;	/* queued while there are open records */
};

static inline struct natflow_event *natflow_event(struct natflow_ring_record *record)
{
	return record ? container_of(record, struct natflow_event, record) : NULL;
}

void natflow_names_log_init(struct natflow_names_log *log);
int natflow_names_log_start(struct natflow_names_log *log);
void natflow_names_log_free(struct natflow_names_log *log);
size_t natflow_names_log_bytes(const struct natflow_names_log *log);
void natflow_names_log_stop(struct natflow_names_log *log);
void natflow_names_log_put(struct natflow_names_log *log, const struct natflow_event *event,
			   const struct natflow_sharer *who, const char *host, const char *uri,
			   const char *alpn);
void natflow_names_log_begin(struct natflow_names_log *log, struct natflow_ring_cursor *c,
			     bool oldest);
struct natflow_event *natflow_names_log_peek(struct natflow_names_log *log,
					     struct natflow_ring_cursor *c);
void natflow_names_log_set_window(struct natflow_names_log *log, int seconds);

#endif /* _NATFLOW_NAMES_LOG_H */
