/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _NATFLOW_PATH_H
#define _NATFLOW_PATH_H

#include <linux/netfilter.h>

unsigned int natflow_path_ingress(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state);
unsigned int natflow_path_ppp(void *priv, struct sk_buff *skb, const struct nf_hook_state *state);
unsigned int natflow_path_arrival(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state);

#endif /* _NATFLOW_PATH_H */
