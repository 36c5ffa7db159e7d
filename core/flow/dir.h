/* SPDX-License-Identifier: GPL-2.0-only */
/* One direction of a flow: all that the packet path reads of it, in one or two cache lines. */
#ifndef _NATFLOW_CORE_FLOW_DIR_H
#define _NATFLOW_CORE_FLOW_DIR_H

#include <linux/cache.h>
#include <linux/netfilter.h>
#include <linux/rcupdate.h>
#include "../../lib/key.h"
#include "../../lib/look.h"
#include "../../lib/nat.h"

struct natflow_egress;

/*
 * One direction, as the packet path reads it: 64 bytes for IPv4, 128 for IPv6.
 * Behind this head follow the key and the rewrite of its family.
 */
struct natflow_dir {
	struct natflow_egress __rcu *egress __aligned(8);	/* NULL: see natflow_flow.bits */
	atomic64_t count __aligned(8);	/* packets << 40 | bytes since the last fold */
	u64 look __aligned(8);		/* of the stack's last packet, | NATFLOW_DIR_COLD ... */
	u32 clock;			/* route clock it was learned at */
	u16 tick;			/* natflow_tick_now() of its last look at the cold part */
	u8 flags;			/* NATFLOW_DIR_REPLY, NATFLOW_DIR_V6; never change */
	u8 treat;			/* DSCP of packets that leave << 2 | NATFLOW_DIR_... */
};

/*
 * In natflow_dir.look, beside the fields of a packet: no packet has the same, and
 * then check_cold() in natflow_path.c looks into natflow_flow.meta.
 */
#define NATFLOW_DIR_COLD	BIT_ULL(56)	/* a mark, a priority, a watch, lengths */
#define NATFLOW_DIR_REWRITTEN	BIT_ULL(57)	/* the stack changes what natflow would not */
#define NATFLOW_DIR_VARIES	BIT_ULL(58)	/* it treats packets that look alike differently */

/* In natflow_dir.treat, which is written under flows.lock. */
#define NATFLOW_DIR_PLAIN	0x01	/* natflow_flow.limit is one bucket for it, and no more */
#define NATFLOW_DIR_MORE	0x02	/* packets get the DSCP, and what natflow_flow.limit has */
#define NATFLOW_DIR_TREATED	(NATFLOW_DIR_PLAIN | NATFLOW_DIR_MORE)

#define NATFLOW_DIR_REPLY	0x01	/* the direction, IP_CT_DIR_* */
/* NATFLOW_DIR_V6 keeps a lookup of one family from taking the other's words for its own. */
#define NATFLOW_DIR_V6		0x02

struct natflow_dir4 {
	struct natflow_dir head;
	struct natflow_key4 key;
	struct natflow_rewrite4 rewrite;
};

struct natflow_dir6 {
	struct natflow_dir head;
	struct natflow_key6 key;
	struct natflow_rewrite6 rewrite;
	u8 pad[16];
};

static __always_inline size_t natflow_dir_size(const u8 family)
{
	return family == NFPROTO_IPV4 ? sizeof(struct natflow_dir4) : sizeof(struct natflow_dir6);
}

static __always_inline bool natflow_dir_is(const struct natflow_dir *dir, const u8 family)
{
	return (dir->flags & NATFLOW_DIR_V6) == (family == NFPROTO_IPV6 ? NATFLOW_DIR_V6 : 0);
}

static __always_inline const u64 *natflow_dir_key(const struct natflow_dir *dir)
{
	return (const u64 *)(dir + 1);
}

static __always_inline void *natflow_dir_rewrite(struct natflow_dir *dir, const u8 family)
{
	return (u64 *)(dir + 1) + natflow_key_words(family);
}

#endif /* _NATFLOW_CORE_FLOW_DIR_H */
