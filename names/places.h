/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What inspections hold: places, and bytes of memory for what they buffer. Each client
 * has a share of both.
 *
 * A flow that nobody answered has its place among those that wait: a quarter of all.
 * The sources of its packets may be forged. If there is no room, the oldest of them
 * gives way to a new one. An answered flow never gives way to another.
 */
#ifndef _NATFLOW_NAMES_PLACES_H
#define _NATFLOW_NAMES_PLACES_H

#include <linux/list.h>
#include <linux/types.h>
#include "../core/base/share.h"

/* Two pools for each resource. */
enum natflow_places_pool {
	NATFLOW_PLACES_ANSWERED,
	NATFLOW_PLACES_WAITING,
	NATFLOW_PLACES_POOLS
};

struct natflow_place;

/* Of a namespace. */
struct natflow_places {
	struct natflow_share *count[NATFLOW_PLACES_POOLS], *bytes[NATFLOW_PLACES_POOLS];
	u32 limit;			/* flow_limit= that the pools were sized by */
	spinlock_t lock;		/* BH disabled, innermost */
	struct list_head queue;		/* places that wait, oldest first; @lock */
	/* Ends the inspection of a place that was removed from @queue. RCU read side. */
	void (*evict)(struct natflow_place *place);
};

/* Of an inspection. */
struct natflow_place {
	struct natflow_places *all;
	union {
		struct list_head queue;	/* natflow_places.queue, or empty; natflow_places.lock */
		struct rcu_head rcu;	/* of the inspection, once @left is set */
	};
	/* Written under natflow_places.lock and the inspection's, read under either. */
	struct natflow_sharer who;
	u8 pool;			/* enum natflow_places_pool */
	bool left;			/* the place was given back; natflow_places.lock */
	bool refused;			/* the last request for bytes; the inspection's lock */
	u32 bytes;			/* held; the inspection's lock */
};

void natflow_places_init(struct natflow_places *all, void (*evict)(struct natflow_place *place));
int natflow_places_start(struct natflow_places *all);
void natflow_places_exit(struct natflow_places *all);
size_t natflow_places_bytes(const struct natflow_places *all);
void natflow_places_resize(struct natflow_places *all, u32 limit);

bool natflow_place_take(struct natflow_place *place, struct natflow_places *all,
			const struct natflow_sharer *who, enum natflow_places_pool pool);
void natflow_place_queue(struct natflow_place *place);
bool natflow_place_settle(struct natflow_place *place, const struct natflow_sharer *who);
void natflow_place_leave(struct natflow_place *place);
bool natflow_place_take_bytes(struct natflow_place *place, u32 bytes);
void natflow_place_give_bytes(struct natflow_place *place, u32 bytes);

#endif /* _NATFLOW_NAMES_PLACES_H */
