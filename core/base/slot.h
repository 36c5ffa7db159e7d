/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slots for features: what the engine asks of a feature, and what it tells it.
 * Core names no single slot and no feature.
 *
 * Rules for all calls in struct natflow_attach:
 *   - They run in an RCU read-side section and must not sleep. BH is disabled,
 *     except in doubt(). Only settle() may sleep.
 *   - They are called in the order of the slots.
 *   - natflow_attach_remove() returns when no CPU is in a call any more.
 *   - Flow calls (bind, fold, end, gone) concern flows that were selected after the
 *     feature attached, or all flows with natflow_attach.earlier. A feature that must
 *     see the first packets of all flows calls natflow_flow_flush() once it is attached.
 *   - The hit path makes none of these calls. While no feature is attached in
 *     any namespace, a static key is all they cost elsewhere.
 */
#ifndef _NATFLOW_CORE_BASE_SLOT_H
#define _NATFLOW_CORE_BASE_SLOT_H

#include <linux/bits.h>
#include <linux/types.h>
#include "../../include/uapi/linux/natflow_reason.h"

struct natflow_egress;
struct natflow_flow;
struct natflow_net;
struct natflow_watch;
struct net_device;
struct nf_conn;

/* The only list of slots; one feature each. Calls go by this order. */
enum natflow_slot {
	NATFLOW_SLOT_NAMES,
	NATFLOW_SLOT_USER,
	NATFLOW_SLOT_QOS,
	NATFLOW_SLOT_HW,
	NATFLOW_SLOTS
};

/* What an event makes doubtful; bits. */
enum natflow_doubt {
	NATFLOW_DOUBT_IP4	= BIT(0),	/* IPv4 flows: routes, rules or settings */
	NATFLOW_DOUBT_IP6	= BIT(1),	/* IPv6 flows: the same */
	NATFLOW_DOUBT_ROUTES	= NATFLOW_DOUBT_IP4 | NATFLOW_DOUBT_IP6,
	NATFLOW_DOUBT_PATHS	= BIT(2),	/* bypassed devices, bridge stations */
	NATFLOW_DOUBT_BRIDGES	= BIT(3),	/* the L3 device behind bridge ports */
	NATFLOW_DOUBT_DEVICE	= BIT(4),	/* every path by one device */
	NATFLOW_DOUBT_CARRIER	= BIT(5),	/* egress by one device, if it has no carrier */
};

/*
 * Why route clocks move: X(name, key in /proc/natflow, a route lookup shows it).
 * Flows ask their own route first (core/ask.c) only if a lookup shows the change.
 */
#define NATFLOW_CAUSES_LIST(X) \
	X(ROUTE, "route", true)			/* IPv6's, and IPv4's while a feature listens */ \
	X(RULE, "rule", true)			/* the same of policy rules */ \
	X(NEXTHOP, "nexthop", true) \
	X(NETCONF, "netconf", false)		/* net.*.conf of devices that are up, likewise */ \
	X(ADDRESS, "address", true)		/* IPv6's */ \
	X(DEVICE, "device", true)		/* up, down, MTU, MAC address */ \
	X(CARRIER, "carrier", true) \
	X(STATION, "station", true)		/* a bridge forgot a station in use */ \
	X(RULESET, "ruleset", false)		/* with revalidate=1 */ \
	X(CLASSIFY, "classify", false)		/* rules were seen to classify packets */ \
	X(SETTING, "setting", false) \
	X(UNHEARD, "unheard", false)		/* messages were lost, or not received yet */

#define NATFLOW_CAUSE_ENUM(name, key, shown) NATFLOW_CAUSE_##name,
enum natflow_cause {
	NATFLOW_CAUSES_LIST(NATFLOW_CAUSE_ENUM)
	NATFLOW_CAUSES
};

/*
 * Hits of one direction. Bytes are of L3. A super-packet is one skb, and on the wire
 * several packets with a header each.
 */
struct natflow_folded {
	u64 packets, bytes;		/* skbs, as conntrack counts */
	u64 wire_packets, wire_bytes;
	bool hw;			/* hardware forwarded and counted them */
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
	 * Locks: natflow_net.flows.lock; no natflow_flow_*() may be called.
	 */
	void (*bind)(struct natflow_net *nn, struct natflow_flow *flow);
	/*
	 * Hits were moved from the hot line. Calls for one flow may run
	 * concurrently. Packets in flight when the flow ended are folded after
	 * end(), and before gone().
	 * Locks: none.
	 */
	void (*fold)(struct natflow_net *nn, struct natflow_flow *flow, unsigned int dir,
		     const struct natflow_folded *f);
	/*
	 * natflow dropped a packet of the flow over its rate, @packets on the wire.
	 * It is not folded.
	 * Locks: none.
	 */
	void (*dropped)(struct natflow_net *nn, struct natflow_flow *flow, unsigned int dir,
			u64 packets, u64 bytes);
	/*
	 * Each 50 ms while natflow_net.flows.urgent is set, for each active flow: must
	 * its hits be folded now?
	 * Locks: none.
	 */
	bool (*urgent)(struct natflow_net *nn, struct natflow_flow *flow);
	/*
	 * @flow, which was published, was unlinked: no packet finds it. The
	 * call precedes the return of the command or event that ended the flow.
	 * Locks: none of natflow's, unless that event holds one (RTNL,
	 * natflow_net.lock).
	 */
	void (*end)(struct natflow_net *nn, struct natflow_flow *flow,
		    enum natflow_reason reason);
	/*
	 * @flow, which was published, is about to be freed: no other call of it
	 * follows. What bind() took for it is given back.
	 * Locks: none.
	 */
	void (*gone)(struct natflow_net *nn, struct natflow_flow *flow);
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
	 * Locks: natflow_net.topo.egress_lock.
	 */
	void (*egress_changed)(struct natflow_net *nn, struct natflow_egress *eg);
	/*
	 * An event made learned flows doubtful: @what, bits of enum natflow_doubt;
	 * @dev only with _DEVICE or _CARRIER. The route clocks have moved, and
	 * egresses that the event killed have been told. The call precedes the
	 * return of the command that caused the event.
	 *
	 * A hardware back end withdraws all flows that enter or leave by @dev, and each
	 * flow that natflow_hw_describe() now describes otherwise, or whose devices
	 * below the route lead elsewhere. It may offer a flow again at its next fold().
	 *
	 * Changes that no message reports move the kernel's counter alone: XFRM
	 * policies, route/flush, route sysctls. The next tick reports these.
	 *
	 * BH may be enabled, and interrupts may be off: take spinlocks with irqsave.
	 * Locks: RTNL, the receive queue of a socket or those of the event's source.
	 */
	void (*doubt)(struct natflow_net *nn, unsigned int what, const struct net_device *dev);
	/*
	 * A command or a change of a device is about to return: finish what the calls
	 * above only began. It may sleep, and is not in an RCU read-side section.
	 * Locks: RTNL or a device's file, or none. natflow_net.lock and RTNL must not
	 * be taken.
	 */
	void (*settle)(struct natflow_net *nn);
	/* The calls concern flows that were selected earlier, too: of these not bind(). */
	bool earlier;
};

/* What a flow keeps for NATFLOW_SLOT_HW, see core/hw.h; zero when the flow is born. */
struct natflow_hw_mark {
	void *offload;			/* the feature's object */
	u32 again;			/* jiffies: not offered again before, if @refused */
	u8 refused;			/* times in a row, see natflow_hwnat/offload.c */
	u8 epoch;			/* of the feature's settings at that time */
	u8 state;			/* enum natflow_hw_state */
};

/* What a namespace keeps for each slot. */
struct natflow_attached {
	const struct natflow_attach __rcu *ops;	/* written under natflow_net.flows.lock */
	u64 since;		/* flows with higher numbers are the feature's; before @ops */
};

#endif /* _NATFLOW_CORE_BASE_SLOT_H */
