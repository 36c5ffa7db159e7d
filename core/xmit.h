/* SPDX-License-Identifier: GPL-2.0-only */
/* The last step: a rewritten packet leaves by its egress. */
#ifndef _NATFLOW_CORE_XMIT_H
#define _NATFLOW_CORE_XMIT_H

#include <linux/skbuff.h>

struct natflow_egress;

bool natflow_xmit_make_private(struct sk_buff **skb, unsigned int len, unsigned int headroom);
void natflow_xmit(struct sk_buff *skb, const struct natflow_egress *eg);

#endif /* _NATFLOW_CORE_XMIT_H */
