/* SPDX-License-Identifier: GPL-2.0-only */
/* The DSCP of packets that come by a link with rx=. */
#ifndef _NATFLOW_SHAPE_DSCP_H
#define _NATFLOW_SHAPE_DSCP_H

struct natflow_net;
struct nf_hook_state;
struct sk_buff;

void natflow_dscp_restore(struct natflow_net *nn, struct sk_buff *skb,
			  const struct nf_hook_state *state);

#endif /* _NATFLOW_SHAPE_DSCP_H */
