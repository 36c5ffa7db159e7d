/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slots for features: what the engine asks of a feature, and what it tells it.
 * Core names no single slot and no feature.
 *
 * Rules for all calls in struct natflow_attach:
 *   - They run in an RCU read-side section with BH disabled, and must not sleep.
 *   - They are called in the order of the slots.
 *   - natflow_attach_remove() returns when no CPU is in a call any more.
 *   - Flow calls (bind, fold, end) concern flows that were selected after the
 *     feature attached. A feature that must see all flows calls
 *     natflow_flow_flush() once it is attached.
 *   - The hit path makes none of these calls. While no feature is attached in
 *     any namespace, a static key is all they cost elsewhere.
 */
#ifndef _NATFLOW_CORE_BASE_SLOT_H
#define _NATFLOW_CORE_BASE_SLOT_H

#include <linux/types.h>
#include "../../include/uapi/linux/natflow_reason.h"

struct natflow_egress;
struct natflow_flow;
struct natflow_net;
struct natflow_watch;
struct nf_conn;

/* The only list of slots; one feature each. Calls go by this order. */
enum natflow_slot {
	NATFLOW_SLOT_NAMES,
	NATFLOW_SLOT_USER,
	NATFLOW_SLOT_QOS,
	NATFLOW_SLOT_HW,
	NATFLOW_SLOTS
};

/* A feature's calls, all optional. Constant while attached. */
struct natflow_attach {
	/*
	 * The stack sent a packet of @ct: may its flow be learned? A learn
	 * reason other than NATFLOW_OK keeps the packet's direction on the
	 * stack; later slots are not asked then. @watch holds what earlier
	 * slots asked for; a feature may only watch more.
	 * Locks: none.
	 */
	enum natflow_reason (*check)(struct natflow_net *nn, const struct nf_conn *ct,
				     struct natflow_watch *watch);
	/*
	 * @flow was published, and packets may hit it already. Precedes its end().
	 * Locks: natflow_net.flow_lock; no natflow_flow_*() may be called.
	 */
	void (*bind)(struct natflow_net *nn, struct natflow_flow *flow);
	/*
	 * Hits were moved from the hot line: @packets skbs, @bytes of L3. Calls
	 * for one flow may run concurrently. Packets in flight when the flow
	 * ended are folded up to a grace period after end().
	 * Locks: none.
	 */
	void (*fold)(struct natflow_net *nn, struct natflow_flow *flow, unsigned int dir,
		     u64 packets, u64 bytes);
	/*
	 * @flow, which was published, was unlinked: no packet finds it. The
	 * call precedes the return of the command or event that ended the flow.
	 * Locks: none of natflow's, unless that event holds one (RTNL,
	 * natflow_net.lock).
	 */
	void (*end)(struct natflow_net *nn, struct natflow_flow *flow,
		    enum natflow_reason reason);
	/*
	 * Once a tick and direction, at a hit: does the feature still agree to
	 * the flow? Its generation of rules is compared here. A refuse reason
	 * other than NATFLOW_OK sends the packet to the stack, and the next
	 * packet asks again.
	 * Locks: none.
	 */
	enum natflow_reason (*recheck)(struct natflow_net *nn, struct natflow_flow *flow);
	/*
	 * @eg was killed, or its L2 header or device changed. The call precedes
	 * the return of the command or event that changed it.
	 * Locks: natflow_net.egress_lock.
	 */
	void (*egress_changed)(struct natflow_net *nn, struct natflow_egress *eg);
};

/* What a namespace keeps for each slot. */
struct natflow_attached {
	const struct natflow_attach __rcu *ops;	/* written under natflow_net.flow_lock */
	u64 since;		/* flows with higher numbers are the feature's; before @ops */
};

#endif /* _NATFLOW_CORE_BASE_SLOT_H */
