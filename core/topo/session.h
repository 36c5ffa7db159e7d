/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PPPoE session whose packets are looked up at the device below PPP. core/topo/pppoe.c
 * finds out about them.
 */
#ifndef _NATFLOW_CORE_TOPO_SESSION_H
#define _NATFLOW_CORE_TOPO_SESSION_H

#include <linux/etherdevice.h>
#include "../base/clock.h"
#include "bypass.h"
#include "way.h"

#define NATFLOW_SESSION_BUCKETS	8
#define NATFLOW_SESSIONS_MAX	64	/* per port; packets of further ones pass PPP */

struct natflow_session {
	/*
	 * The path of PPP's own port, id included: a packet that PPP had is found by the
	 * same key at the port of the PPP device.
	 */
	struct natflow_way way;
	struct natflow_bypassed ppp;	/* the device, which is skipped, and its counters */
	u16 number;
	u8 peer[ETH_ALEN] __aligned(2);
	bool closed;			/* PPP compresses: it must see every packet */
	bool up;			/* packets pass PPP now, see natflow_pppoe_look() */
	u16 tick;			/* when the session was last seen to hold */
	u32 passed;			/* jiffies when packets last passed PPP on purpose */
	struct hlist_node node;
	struct rcu_head rcu;
};

/*
 * The session of a frame from @peer.
 * Context: RCU read side. Return: the session or NULL.
 */
static inline struct natflow_session *
natflow_session_find(const struct hlist_head *sessions, u16 number, const u8 *peer)
{
	struct natflow_session *s;

	hlist_for_each_entry_rcu(s, &sessions[number % NATFLOW_SESSION_BUCKETS], node)
		if (s->number == number && ether_addr_equal(s->peer, peer))
			return s;
	return NULL;
}

#endif /* _NATFLOW_CORE_TOPO_SESSION_H */
