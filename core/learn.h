/* SPDX-License-Identifier: GPL-2.0-only */
/* Learning from packets that leave by the stack. */
#ifndef _NATFLOW_CORE_LEARN_H
#define _NATFLOW_CORE_LEARN_H

#include <linux/netfilter.h>
#include "base/netns.h"

enum natflow_reason natflow_learn_select(struct natflow_net *nn, struct sk_buff *skb, bool hw);
unsigned int natflow_learn_window(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state);
unsigned int natflow_learn(void *priv, struct sk_buff *skb, const struct nf_hook_state *state);

#endif /* _NATFLOW_CORE_LEARN_H */
