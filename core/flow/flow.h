/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A flow: one conntrack, two directions. The object, the table and its life.
 *
 *   SELECTED ── a rule or a setting chose it; nothing learned yet
 *      │ a packet of one direction left the stack          } "half": on
 *   HALF    ── one direction is known                      } natflow_net.halves
 *      │ the other direction too
 *   PUBLISHED ── both directions are in the table; hits happen
 *      │ conntrack gone, FIN, flush, eviction, ...
 *   DEAD    ── nobody finds it; freed when the last reference and a grace period end
 *
 * Readers of the table hold rcu_read_lock(). Everything that changes which
 * objects are reachable holds natflow_net.flow_lock. A published direction's
 * key and rewrite never change; all else is re-written by learning, see write_dir().
 *
 * Memory (v4, 64-bit): 192 cold + 2 * 64 hot + its share of the table.
 */
#ifndef _NATFLOW_CORE_FLOW_FLOW_H
#define _NATFLOW_CORE_FLOW_FLOW_H

#include <linux/cache.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include "../../lib/key.h"
#include "../../lib/look.h"
#include "../../lib/nat.h"
#include "../base/netns.h"
#include "../base/note.h"

struct natflow_egress;
struct nf_conn;

#define NATFLOW_FLOW_LIMIT_DEFAULT	65536
#define NATFLOW_FLOW_LIMIT_MIN		16
#define NATFLOW_FLOW_LIMIT_MAX		(4U << 20)
#define NATFLOW_HALVES_MAX		8192U	/* unpublished ones; they live for a round trip */

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
	u8 tag;				/* NATFLOW_DIR_REPLY, NATFLOW_DIR_V6; never changes */
};

/*
 * In natflow_dir.look, beside the fields of a packet: no packet has the same, and
 * then check_cold() in natflow_path.c looks into natflow_flow.meta.
 */
#define NATFLOW_DIR_COLD	BIT_ULL(56)	/* a mark, a priority, a watch, lengths */
#define NATFLOW_DIR_REWRITTEN	BIT_ULL(57)	/* the stack changes what natflow would not */
#define NATFLOW_DIR_VARIES	BIT_ULL(58)	/* it treats packets that look alike differently */

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

enum natflow_flow_bit {
	NATFLOW_FLOW_V6,
	NATFLOW_FLOW_HW,		/* --hw was asked for */
	NATFLOW_FLOW_LEARNED0,		/* direction 0 is learned */
	NATFLOW_FLOW_LEARNED1,
	NATFLOW_FLOW_PUBLISHED,
	NATFLOW_FLOW_DEAD,
	NATFLOW_FLOW_AMBIGUOUS,		/* another zone's flow has the same key */
	NATFLOW_FLOW_ACTIVE,		/* on a CPU's active list */
	NATFLOW_FLOW_SECOND_CHANCE,	/* had traffic since the clock hand last passed */
};

/* What a feature above wants to see of a TCP client whose flow is fast. */
struct natflow_watch {
	u32 from;		/* sequence number, host order */
	bool on;		/* packets with payload from there on take the stack */
};

struct natflow_flow {
	struct rhash_head node;		/* natflow_net.by_ct */
	struct nf_conn *ct;		/* key of @node; one reference */
	struct natflow_net *nn;
	unsigned long bits;		/* enum natflow_flow_bit, atomic */
	refcount_t ref;			/* reachable: 1; on an active list: 1 */
	u32 seq;			/* odd while @meta is written, see core/flow/seen.c */
	u32 slow_pkts;			/* packets seen by learn, for delay_pkts; racy by design */
	unsigned long used;		/* jiffies of the last folded traffic */
	struct llist_node link;		/* a CPU's active list, or natflow_net.dead_flows */
	struct list_head half;		/* natflow_net.halves, by @number */
	u64 number;			/* in order of birth, for a listing in pieces */
	atomic64_t packets[2], bytes[2];	/* folded so far; packets are skbs */
	/* What the stack did with packets that looked like natflow_dir.look. */
	struct natflow_meta {
		u32 in_mark, in_priority;	/* as they came in */
		u32 mark, priority;		/* as they left */
		u32 ct_mark;		/* the conntrack's, meanwhile */
		u32 watch_from;		/* natflow_watch.from */
		u16 min, max;		/* lengths */
		u16 seen;		/* natflow_tick_now() when the stack last had a packet */
		u8 alike;		/* packets that were treated alike, up to NATFLOW_ALIKE */
		u8 ecn:4;		/* bit n: codepoint n was among them */
		u8 strict:1;		/* lengths are compared */
		u8 watched:1;		/* natflow_watch.on; never of replies */
	} meta[2];
	int iif[2];			/* ingress ifindex, for display */
} ____cacheline_aligned;

/* What learning found out about one direction. */
struct natflow_lesson {
	union natflow_key key;		/* as packets arrive */
	union natflow_key after;	/* as they leave; ports and addresses count */
	struct natflow_egress *egress;	/* one reference, taken over by the flow */
	struct natflow_note in;		/* how it came in... */
	u64 look;			/* ...and how it left */
	u32 mark, priority;
	u32 ct_mark;
	bool strict;			/* natflow_net.strict */
	struct natflow_watch watch;
	u32 clock;
	int iif;
};

/* One hash bucket is one cache line: a byte of hash per slot, then the slots. */
#define NATFLOW_BUCKET_SLOTS 7

struct natflow_bucket {
	u64 tags;	/* slot i in bits 8i..8i+7, 0 = free; top byte: entries that overflowed */
	struct natflow_dir __rcu *slot[NATFLOW_BUCKET_SLOTS];
} ____cacheline_aligned;

struct natflow_table {
	u32 mask;			/* buckets - 1 */
	u32 limit;			/* flows */
	u64 seed[4];
	struct rcu_head rcu;
	struct natflow_bucket bucket[] ____cacheline_aligned;
};

static __always_inline size_t natflow_dir_size(const u8 family)
{
	return family == NFPROTO_IPV4 ? sizeof(struct natflow_dir4) : sizeof(struct natflow_dir6);
}

static __always_inline bool natflow_dir_is(const struct natflow_dir *dir, const u8 family)
{
	return (dir->tag & NATFLOW_DIR_V6) == (family == NFPROTO_IPV6 ? NATFLOW_DIR_V6 : 0);
}

static __always_inline const u64 *natflow_dir_key(const struct natflow_dir *dir)
{
	return (const u64 *)(dir + 1);
}

static __always_inline void *natflow_dir_rewrite(struct natflow_dir *dir, const u8 family)
{
	return (u64 *)(dir + 1) + natflow_key_words(family);
}

static inline u8 natflow_flow_family(const struct natflow_flow *flow)
{
	return test_bit(NATFLOW_FLOW_V6, &flow->bits) ? NFPROTO_IPV6 : NFPROTO_IPV4;
}

static __always_inline struct natflow_dir *
natflow_flow_dir(struct natflow_flow *flow, unsigned int dir, const u8 family)
{
	return (void *)(flow + 1) + dir * natflow_dir_size(family);
}

static __always_inline struct natflow_flow *
natflow_dir_flow(struct natflow_dir *dir, const u8 family)
{
	size_t before = (dir->tag & NATFLOW_DIR_REPLY) * natflow_dir_size(family);

	return (struct natflow_flow *)((void *)dir - before) - 1;
}

/* The same for whoever does not know the family, off the hot path. */
static inline struct natflow_flow *natflow_dir_owner(struct natflow_dir *dir)
{
	return natflow_dir_is(dir, NFPROTO_IPV4) ? natflow_dir_flow(dir, NFPROTO_IPV4) :
						   natflow_dir_flow(dir, NFPROTO_IPV6);
}

static inline bool natflow_flow_learned(const struct natflow_flow *flow, unsigned int dir)
{
	return test_bit(NATFLOW_FLOW_LEARNED0 + dir, &flow->bits);
}

#define NATFLOW_BYTES(x) ((x) * 0x0101010101010101ULL)

static __always_inline struct natflow_dir *
natflow_bucket_find(const struct natflow_bucket *b, u64 tags, u64 hash, const u64 *key,
		    const u8 family)
{
	u64 x = tags ^ NATFLOW_BYTES((hash >> 56) | 1);
	u64 match = (x - NATFLOW_BYTES(1)) & ~x & (NATFLOW_BYTES(0x80) >> 8);

	for (; match; match &= match - 1) {
		struct natflow_dir *dir = rcu_dereference(b->slot[__ffs64(match) / 8]);

		if (dir && likely(natflow_dir_is(dir, family)) &&
		    natflow_key_equal(natflow_dir_key(dir), key, family))
			return dir;
	}
	return NULL;
}

/**
 * natflow_flow_find() - the direction a packet belongs to
 * @nn: namespace
 * @key: from natflow_pkt_parse()
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6, a compile-time constant
 *
 * At most two buckets are looked at, 14 keys, whatever an attacker inserts.
 *
 * Context: RCU read side.
 * Return: the direction, valid until the end of the RCU section, or NULL.
 */
static __always_inline struct natflow_dir *
natflow_flow_find(const struct natflow_net *nn, const union natflow_key *key, const u8 family)
{
	const struct natflow_table *table = rcu_dereference(nn->table);
	u64 hash = natflow_key_hash(key->word, table->seed, family);
	const struct natflow_bucket *b = &table->bucket[hash & table->mask];
	u64 tags = READ_ONCE(b->tags);
	struct natflow_dir *dir;

	dir = natflow_bucket_find(b, tags, hash, key->word, family);
	if (likely(dir) || likely(!(tags >> 56)))
		return dir;
	b = &table->bucket[(hash >> 24) & table->mask];
	return natflow_bucket_find(b, READ_ONCE(b->tags), hash, key->word, family);
}

struct natflow_flow *natflow_flow_by_ct(struct natflow_net *nn, const struct nf_conn *ct);
enum natflow_reason natflow_flow_select(struct natflow_net *nn, struct nf_conn *ct, bool hw,
					struct natflow_flow **flow);
enum natflow_reason natflow_flow_learn(struct natflow_flow *flow, unsigned int dir,
				       struct natflow_lesson *lesson);
void natflow_flow_end(struct natflow_flow *flow, enum natflow_reason reason);
void natflow_flow_put(struct natflow_flow *flow);
void natflow_flow_fold(struct natflow_flow *flow);
void natflow_flow_flush(struct natflow_net *nn, enum natflow_reason reason,
			bool (*match)(struct natflow_flow *flow, const void *arg),
			const void *arg);
void natflow_flow_resize(struct natflow_net *nn, struct natflow_table *table);

int natflow_flow_net_init(struct natflow_net *nn);
void natflow_flow_net_exit(struct natflow_net *nn);
int natflow_flow_init(void);
void natflow_flow_exit(void);

#endif /* _NATFLOW_CORE_FLOW_FLOW_H */
