/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose packet is it that a device is about to send? */
#ifndef _NATFLOW_SHAPE_WHO_H
#define _NATFLOW_SHAPE_WHO_H

#include "drr.h"

void natflow_who(const struct sk_buff *skb, const struct net_device *dev,
		 struct natflow_client *client);
enum natflow_tin natflow_tin_of(struct sk_buff *skb);

#endif /* _NATFLOW_SHAPE_WHO_H */
