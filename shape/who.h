/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose packet is it that a device is about to send? */
#ifndef _NATFLOW_SHAPE_WHO_H
#define _NATFLOW_SHAPE_WHO_H

#include <linux/siphash.h>
#include "drr.h"

struct natflow_who {
	struct natflow_client client;	/* the packet's user; kind 0: nobody's */
	int ifindex;		/* of the L3 device that received it; 0: none, or not asked */
};

void natflow_who(const struct sk_buff *skb, const struct net_device *dev, bool origin,
		 struct natflow_who *who);
u32 natflow_hash_of(struct sk_buff *skb, const hsiphash_key_t *key);
enum natflow_tin natflow_tin_of(const struct sk_buff *skb);

#endif /* _NATFLOW_SHAPE_WHO_H */
