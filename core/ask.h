/* SPDX-License-Identifier: GPL-2.0-only */
/* Would the stack still send packets of a direction to its egress? */
#ifndef _NATFLOW_CORE_ASK_H
#define _NATFLOW_CORE_ASK_H

#include "flow/dir.h"

struct natflow_flow;
struct natflow_way;
struct sk_buff;

enum natflow_reason natflow_ask(struct natflow_dir *dir, struct sk_buff *skb, u64 look,
				const struct natflow_way *way);
bool natflow_ask_unseen(struct natflow_flow *flow, unsigned int d);

#endif /* _NATFLOW_CORE_ASK_H */
