/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of natflow_hwnat.ko share.
 *
 *   offload.c   flow objects, their states, the worker     poll.c      counters, watchdog
 *   path.c      devices and encapsulation below a route    port.c      devices that are bound
 *   flowblk.c, ppe.c, null.c   back ends                   rule.c      flow_rule of a direction
 *   foe.c       words of the PPE's entries, pure           ppe_words.c the entry of a direction
 *   limits.c    what each driver takes                     silent.c    hardware that loses packets
 *   reason.h    why a flow is refused                      place.c     who has a place in hardware
 */
#ifndef _NATFLOW_HWNAT_H
#define _NATFLOW_HWNAT_H

#include <linux/netdevice.h>
#include "../core/hw.h"
#include "reason.h"

#define NATFLOW_HWNAT_ENCAPS 3

/* One header between Ethernet and IP. */
struct natflow_hwnat_encap {
	__be16 proto;			/* ETH_P_8021Q, ETH_P_8021AD or ETH_P_PPP_SES */
	u16 id;				/* VLAN id or PPPoE session id, host order */
};

/* One side of a flow: the wire that packets of one direction leave by. */
struct natflow_hwnat_side {
	int port;			/* ifindex, REDIRECT to it: GMAC, DSA port, wlan */
	int conduit;			/* ifindex of the GMAC below a DSA user port, else @port */
	u8 src[ETH_ALEN], dst[ETH_ALEN];	/* of frames that leave */
	u8 own[ETH_ALEN];		/* the GMAC's address */
	u8 encaps;
	/* Outermost first. */
	struct natflow_hwnat_encap encap[NATFLOW_HWNAT_ENCAPS];
	u8 dsa_proto;			/* enum dsa_tag_protocol, if the port is DSA's */
	u8 dsa_port;			/* and its number */
	bool wed;			/* DEV_PATH_MTK_WDMA: a wlan that the PPE reaches */
};

/*
 * All that a rule of one direction needs. It arrives by @in, whose @encap the packet
 * carries, and leaves by @out.
 */
struct natflow_hwnat_way {
	const struct natflow_hw_flow *flow;
	unsigned int dir;		/* IP_CT_DIR_* */
	const struct natflow_hwnat_side *in, *out;
};

/* What hardware knows of an entry. Counts are differences since the last question. */
struct natflow_hwnat_stats {
	u64 packets, bytes;		/* of frames as they arrived, without FCS */
	unsigned long used;		/* jiffies of the last packet; 0: not known */
	bool counted;			/* hardware counts: @packets and @bytes mean something */
};

/* A device that is bound: the conduit of DSA user ports, else the lowest device. */
struct natflow_hwnat_port {
	struct net_device *dev;		/* referenced */
	const struct natflow_hwnat_backend *backend;
	const struct natflow_hwnat_limits *limits;	/* set by bind() */
	bool counts;			/* the same: STATS has packets and bytes */
	bool sticky;			/* the same: a deleted entry may stay in hardware */
	void *priv;			/* the back end's, from bind() to unbind() */
	enum natflow_hwnat_reason refused;	/* what bind() said */
	unsigned long asked;		/* jiffies of that */
	u8 epoch;			/* natflow_hwnat_room.epoch at that time */
	netdevice_tracker tracker;
	struct list_head list;		/* of its namespace */
	u32 flows;			/* directions that have an entry by this port */
};

/*
 * A back end. All calls may sleep. No two calls of one namespace run at a time. Entries
 * are deleted before their port is unbound.
 */
struct natflow_hwnat_backend {
	const char *name;
	/* RTNL is held, here only. NATFLOW_HWNAT_OK, or why the device is not served. */
	enum natflow_hwnat_reason (*bind)(struct natflow_hwnat_port *port);
	void (*unbind)(struct natflow_hwnat_port *port);
	/* Would it take the direction? Pure. */
	enum natflow_hwnat_reason (*check)(const struct natflow_hwnat_port *port,
					   const struct natflow_hwnat_way *way);
	/*
	 * @port is bound, and packets of the way arrive by it. @cookie is unique per flow
	 * and direction, and stays until del(). 0 or -errno of the driver.
	 */
	int (*add)(struct natflow_hwnat_port *port, unsigned long cookie,
		   const struct natflow_hwnat_way *way);
	int (*del)(struct natflow_hwnat_port *port, unsigned long cookie);
	int (*stats)(struct natflow_hwnat_port *port, unsigned long cookie,
		     struct natflow_hwnat_stats *stats);
};

/* What a driver's rules may contain; one per kind of driver, in limits.c. */
struct natflow_hwnat_limits {
	const char *driver;		/* as ethtool -i says, or the name in the list */
	u8 encaps;			/* VLAN tags and PPPoE sessions together */
	bool pppoe, qinq, ipv6_nat;
	bool stag;			/* 802.1ad, not only 802.1Q in 802.1Q */
	bool hairpin;			/* out of the port that it came in by */
	bool wed;			/* to a wlan */
	bool conduit_meta;		/* META is the conduit of a DSA port */
	bool own_smac6;			/* IPv6 frames leave with the port's own address */
	bool counts;			/* STATS has packets and bytes */
	bool by_rate;			/* binds a flow at 30 packets a second of the CPU path */
	bool dry_run;			/* entries forward nothing */
	bool sticky;			/* a bound entry may not be removable (unpatched mtk) */
	u32 dsa_protos;			/* bits of enum dsa_tag_protocol */
};

extern const struct natflow_hwnat_backend natflow_hwnat_null;
extern const struct natflow_hwnat_backend natflow_hwnat_flowblk;
extern const struct natflow_hwnat_backend natflow_hwnat_ppe;

#endif /* _NATFLOW_HWNAT_H */
