/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holders: which client holds how many items of a full store, so that the largest
 * gives way. Clients are told apart as by natflow_sharer_set(): by address and by
 * entry. An entry counts as large as an address that holds a third of it.
 */
#ifndef _NATFLOW_CORE_BASE_HOLDER_H
#define _NATFLOW_CORE_BASE_HOLDER_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include "share.h"

#define NATFLOW_HOLDER_LOTS 2	/* an item is in one of them; the owner gives them a meaning */

struct natflow_holder;

/* Member of an item. */
struct natflow_held {
	struct natflow_held_link {
		struct list_head list;		/* of the holder's items in the lot */
		struct natflow_holder *holder;
	} by[NATFLOW_SHARE_BYS];
	u8 lot;
};

/* Zeroed: nobody holds anything. The owner's lock covers it and all items. */
struct natflow_holders {
	struct rb_root by_key[NATFLOW_SHARE_BYS];
	struct {
		struct rb_root_cached by_count[NATFLOW_SHARE_BYS];	/* the largest first */
		u32 count;
	} lot[NATFLOW_HOLDER_LOTS];
};

bool natflow_holders_add(struct natflow_holders *h, struct natflow_held *item,
			 const struct natflow_sharer *who);
void natflow_holders_remove(struct natflow_holders *h, struct natflow_held *item);
void natflow_holders_move(struct natflow_holders *h, struct natflow_held *item, u8 lot);
struct natflow_held *natflow_holders_victim(const struct natflow_holders *h, u8 lot);
struct natflow_held *natflow_holders_rival(const struct natflow_holders *h,
					   const struct natflow_held *item);

#endif /* _NATFLOW_CORE_BASE_HOLDER_H */
