/* SPDX-License-Identifier: GPL-2.0-only */
/* What natflow_hwnat.ko keeps of a network namespace, and of a flow in hardware. */
#ifndef _NATFLOW_HWNAT_ROOM_H
#define _NATFLOW_HWNAT_ROOM_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>
#include <net/netns/generic.h>
#include "../core/base/holder.h"
#include "../core/base/netns.h"
#include "hwnat.h"

/* A flow is offered at so many packets a second of one direction, counted each half second. */
#define NATFLOW_HWNAT_PACKETS		30
#define NATFLOW_HWNAT_LIMIT		16384
#define NATFLOW_HWNAT_OFFERS		1024U	/* that wait for the worker */
#define NATFLOW_HWNAT_DEFAULT		1	/* of hwnat= */
/* An array of such words is indexed by the enum of the same list. */
#define NATFLOW_HWNAT_WORD(name, key)	key,
/* So many flows are asked about each tenth of a second, more if they are many. */
#define NATFLOW_HWNAT_POLLS		128U
#define NATFLOW_HWNAT_PAIRS		8	/* of ports that are suspected */

/* Events about devices that are told apart; after more, flows do not stay in hardware. */
#define NATFLOW_HWNAT_GONE		8

#define NATFLOW_HWNAT_LEAVES	256	/* lists of directions, by a hash of their egress */

#define NATFLOW_HWNAT_STATES(X) \
	X(OFFERED, "offered") \
	X(INSTALLING, "installing") \
	X(INSTALLED, "installed") \
	X(BOUND, "bound") \
	X(REMOVING, "removing")

#define NATFLOW_HWNAT_STATE_ENUM(name, key) NATFLOW_HWNAT_##name,
enum natflow_hwnat_state {
	NATFLOW_HWNAT_STATES(NATFLOW_HWNAT_STATE_ENUM)
	NATFLOW_HWNAT_STATE_COUNT
};

/* Ports between which hardware may lose packets. See silent.c. */
struct natflow_hwnat_pair {
	int port[2];		/* ifindexes, the smaller first; 0: none */
	u8 silent;		/* flows in a row that no packet has come back of */
	unsigned long heard;	/* jiffies of the last of them */
};

/* Words of natflow_ctl. */
struct natflow_hwnat_config {
	u32 hwnat;		/* 0: nothing is offered, 2: also flows that may stay bound */
	u32 wed_disabled;
	u32 limit;
};

struct natflow_hwnat_room {
	struct net *net;
	struct natflow_hwnat_config config;
	bool closed;		/* nothing is offered any more */

	/* Lists, states and counts. Innermost; interrupts are off. */
	spinlock_t lock;
	struct list_head offered, installing, live, doubted, removing;
	struct list_head kept;		/* being removed, when the driver takes it */
	struct list_head polled;	/* live or doubted, by the time of the last poll */
	struct list_head leaves[NATFLOW_HWNAT_LEAVES], struck;
	u32 emptied;			/* times that all had to leave */
	u32 events;			/* after each, all that is live is doubted */
	int gone[NATFLOW_HWNAT_GONE];	/* ifindexes of the last events about a device */
	u32 gones;
	u8 epoch;		/* changes of settings: what was refused may be offered again */
	u32 count[NATFLOW_HWNAT_STATE_COUNT], total;
	u64 installs, removals, errors, undeleted;
	u64 refused[NATFLOW_HWNAT_REASON_COUNT];	/* offers */

	/* Calls of back ends, and @ports. RTNL is taken outside of it. */
	struct mutex drivers;
	struct list_head ports;
	u64 packets, bytes;	/* that hardware counted */
	struct natflow_holders holders;	/* of places */
	struct natflow_hwnat_pair pair[NATFLOW_HWNAT_PAIRS];

	struct work_struct install;
	struct delayed_work poll;
};

/* One direction of a flow in hardware. Under natflow_hwnat_room.drivers. */
struct natflow_hwnat_entry {
	struct natflow_hwnat_port *port;	/* that its packets arrive by; NULL: no entry */
	bool bound;
	u64 packets;			/* that the last answer counted */
	unsigned long used;		/* jiffies of its last packet in hardware */
	unsigned long reported;		/* natflow_hwnat_stats.used at the last question */
};

/* A direction of a flow, by its egress. */
struct natflow_hwnat_leaf {
	struct list_head node;		/* natflow_hwnat_room.leaves[] or .struck */
	struct natflow_hwnat_offload *o;
	const void *egress;
};

/* A flow from its offer on. See offload.c for its states. */
struct natflow_hwnat_offload {
	struct natflow_flow *flow;	/* one reference */
	struct natflow_hwnat_room *room;
	struct list_head list;		/* by state; natflow_hwnat_room.lock */
	struct natflow_hwnat_leaf leaf[2];	/* the same lock */
	u32 emptied, events, gones;	/* of the room, when it was looked at; the same lock */
	u8 state;			/* the same lock */
	u8 reason;			/* why it is being removed; the same lock */
	unsigned long seen[2];		/* jiffies of the last packets in software */
	struct list_head turn;		/* in natflow_hwnat_room.polled, or empty; the same lock */
	unsigned long polled;		/* jiffies */
	unsigned long since;		/* jiffies when its entries were added */
	bool installed;			/* it is counted as that */
	unsigned long alone_since;	/* only direction @alone - 1, if not 0, had packets */
	u8 alone, alone_times;		/* in so many answers */
	bool proven;			/* answers have come back through hardware */
	struct natflow_hwnat_entry entry[2];
	struct natflow_held held;	/* a place, if @has_place */
	bool has_place;
	struct natflow_hw_flow d;
	struct natflow_hwnat_side side[2];	/* that packets of a direction leave by */
	struct rcu_head rcu;
};

extern unsigned int natflow_hwnat_id __read_mostly;
extern struct workqueue_struct *natflow_hwnat_wq;
extern const struct natflow_hwnat_backend *natflow_hwnat_backend;

static inline struct natflow_hwnat_room *natflow_hwnat_room(const struct natflow_net *nn)
{
	return net_generic(nn->net, natflow_hwnat_id);
}

/* offload.c */
extern const struct natflow_attach natflow_hwnat_attach;
void natflow_hwnat_install(struct work_struct *work);
void natflow_hwnat_withdraw(struct natflow_hwnat_offload *o, enum natflow_hwnat_reason reason);
bool natflow_hwnat_is_current(const struct natflow_hwnat_offload *o);
void natflow_hwnat_bound(struct natflow_hwnat_offload *o);
void natflow_hwnat_device_gone(struct natflow_hwnat_room *room, int ifindex);
void natflow_hwnat_withdraw_all(struct natflow_hwnat_room *room);
void natflow_hwnat_drain(struct natflow_hwnat_room *room);
void natflow_hwnat_reset(struct natflow_hwnat_room *room, u32 *setting, u32 value);

/* poll.c */
void natflow_hwnat_count(struct natflow_hwnat_offload *o);
void natflow_hwnat_poll(struct work_struct *work);

/* place.c */
enum natflow_hwnat_reason natflow_hwnat_place_take(struct natflow_hwnat_offload *o);
bool natflow_hwnat_place_make(struct natflow_hwnat_offload *o);
void natflow_hwnat_place_give(struct natflow_hwnat_offload *o);

/* silent.c */
bool natflow_hwnat_silent(struct natflow_hwnat_offload *o, unsigned long before);
bool natflow_hwnat_suspects(struct natflow_hwnat_room *room,
			    const struct natflow_hwnat_side side[2]);

/* port.c */
struct natflow_hwnat_port *natflow_hwnat_port_find(struct natflow_hwnat_room *room, int ifindex);
enum natflow_hwnat_reason natflow_hwnat_port_bind(struct natflow_hwnat_room *room, int ifindex);
void natflow_hwnat_ports_exit(struct natflow_hwnat_room *room);
int natflow_hwnat_ports_init(void);
void natflow_hwnat_ports_stop(void);

/* control.c */
int natflow_hwnat_control_net_init(struct natflow_hwnat_room *room);
void natflow_hwnat_control_net_exit(struct natflow_hwnat_room *room);
int natflow_hwnat_control_init(void);
void natflow_hwnat_control_exit(void);

#endif /* _NATFLOW_HWNAT_ROOM_H */
