/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where features above the engine plug in. The engine knows this and nothing
 * else of them; nobody pays while nothing is attached.
 */
#ifndef _NATFLOW_CORE_BASE_ATTACH_H
#define _NATFLOW_CORE_BASE_ATTACH_H

#include <linux/jump_label.h>
#include "netns.h"

struct natflow_watch;
struct nf_conn;

/* True while a namespace has something attached. */
DECLARE_STATIC_KEY_FALSE(natflow_attached);

/* Written under natflow_net.lock, read under RCU. */
struct natflow_attach {
	/*
	 * May a packet of this conntrack be learned from? NATFLOW_OK or the
	 * learn reason that speaks against it now, and whether the client's
	 * packets are watched nevertheless.
	 * Context: RCU, BH disabled.
	 */
	enum natflow_reason (*check)(struct natflow_net *nn, const struct nf_conn *ct,
				     struct natflow_watch *watch);
};

static __always_inline enum natflow_reason
natflow_attach_check(struct natflow_net *nn, const struct nf_conn *ct,
		     struct natflow_watch *watch)
{
	const struct natflow_attach *attach;

	if (!static_branch_unlikely(&natflow_attached))
		return NATFLOW_OK;
	attach = READ_ONCE(nn->attach);
	return attach ? attach->check(nn, ct, watch) : NATFLOW_OK;
}

void natflow_attach_set(struct natflow_net *nn, const struct natflow_attach *attach);

#endif /* _NATFLOW_CORE_BASE_ATTACH_H */
