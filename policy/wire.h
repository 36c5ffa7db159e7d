/* SPDX-License-Identifier: GPL-2.0-only */
/* How many packets on the wire an skb of the stack stands for. */
#ifndef _NATFLOW_POLICY_WIRE_H
#define _NATFLOW_POLICY_WIRE_H

#include <linux/types.h>

struct sk_buff;

/* Bytes are of L3. */
struct natflow_wire {
	u32 packets;
	u32 bytes;
};

struct natflow_wire natflow_wire_arrived(const struct sk_buff *skb, u8 family);
struct natflow_wire natflow_wire_leaving(const struct sk_buff *skb, u8 family);

#endif /* _NATFLOW_POLICY_WIRE_H */
