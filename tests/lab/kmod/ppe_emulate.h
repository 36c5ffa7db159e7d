/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MediaTek's packet processing engine, emulated: it searches the FOE table that a driver
 * wrote for the flow of each frame, rewrites and counts frames of bound entries, builds
 * unbound entries, and ages both.
 *
 * The caller owns the table, the registers and the FE's clock, all of them plain memory;
 * tells of every frame that arrives at a port (ppe_emulate_frame()), and steps the clock
 * (ppe_emulate_tick()). Who can trap register writes calls ppe_emulate_write() for each:
 * then the emulator has a cache of entries like the hardware's, which only a write to
 * CACHE_CTL clears, and answers reads of counters.
 */
#ifndef _PPE_EMULATE_H
#define _PPE_EMULATE_H

#include <linux/spinlock.h>
#include <linux/types.h>

#define PPE_WORDS	32	/* of the largest entry */
#define PPE_NO_INDEX	0xffff
#define PPE_GROWTH	24	/* bytes that a frame may grow by: two tags, PPPoE, and spare */

/* Register offsets from the base of a PPE. */
#define PPE_GLO_CFG	0x200
#define PPE_TB_CFG	0x21c
#define PPE_BIND_RATE	0x228
#define PPE_UNBIND_AGE	0x238
#define PPE_BIND_AGE0	0x23c
#define PPE_BIND_AGE1	0x240
#define PPE_VLAN_MTU0	0x30c
#define PPE_VLAN_MTU1	0x310
#define PPE_CACHE_CTL	0x320
#define PPE_MIB_CFG	0x334
#define PPE_MIB_SER_CR	0x33c
#define PPE_MIB_SER_R0	0x340
#define PPE_REGS	0x400	/* bytes */

enum ppe_state { PPE_INVALID, PPE_UNBOUND, PPE_BOUND, PPE_FIN };

/* CPU reasons, as in RX descriptors. */
enum ppe_reason {
	PPE_OPTION_HEADER = 0x03, PPE_NO_FLOW = 0x07, PPE_FRAGMENT = 0x08, PPE_SYN = 0x0c,
	PPE_UN_HIT = 0x0d, PPE_HIT_UNBOUND = 0x0e, PPE_HIT_RATE = 0x0f, PPE_HIT_FIN = 0x10,
	PPE_HIT_TTL = 0x11, PPE_FORCE_CPU = 0x16, PPE_EXCEED_MTU = 0x1c, PPE_BYPASS = 0x1e,
};

/* Ports of the switch inside, DEST_PORT of an entry. */
enum ppe_port { PPE_ADMA = 0, PPE_GDM1 = 1, PPE_GDM2 = 2, PPE_GDM3 = 15 };

enum ppe_verdict {
	PPE_TO_CPU,		/* unchanged, with @reason and @index in the descriptor */
	PPE_TO_PORT,		/* rewritten, to @port */
	PPE_LOST,		/* an entry that makes no sense: a test must fail */
};

struct ppe_result {
	enum ppe_verdict verdict;
	enum ppe_reason reason;
	u16 index;		/* entry, or PPE_NO_INDEX */
	u8 port;
	u32 word[PPE_WORDS];	/* of the entry that was hit */
};

struct ppe_count {
	u64 packets, bytes;	/* bytes of frames as they came, without FCS */
};

struct ppe_emulate {
	/* Set by the caller before ppe_emulate_init(). */
	u8 version;		/* NETSYS: 1, 2 or 3 */
	u8 ways;		/* 2 or 4 */
	u16 entry_size;		/* bytes */
	u32 entries;
	void *table;
	u32 *regs;		/* PPE_REGS bytes */
	const u32 *clock;	/* FE register 0x10: seconds */
	u32 *groups;		/* counters of account groups, FE register 0x2000, or NULL */
	bool cached;		/* register writes are told */

	/* The emulator's own. */
	spinlock_t lock;
	u8 *shadow;		/* the cache: an entry each, and if it is valid */
	bool *valid;
	struct ppe_rate { u32 tick, packets; } *rate;	/* of unbound entries */
	struct ppe_count *mib;
	u64 hits, misses, lost, aged;
	u64 uncounted;		/* hits of entries that do not want to be counted, or none is */
};

int ppe_emulate_init(struct ppe_emulate *e);
void ppe_emulate_exit(struct ppe_emulate *e);
unsigned int ppe_emulate_frame(struct ppe_emulate *e, const u8 *frame, unsigned int len, bool dsa,
			       u8 *out, struct ppe_result *result);
void ppe_emulate_tick(struct ppe_emulate *e);
void ppe_emulate_write(struct ppe_emulate *e, u32 offset, u32 value);
unsigned int ppe_emulate_stale(struct ppe_emulate *e);
unsigned int ppe_emulate_count(struct ppe_emulate *e, enum ppe_state state);

#endif /* _PPE_EMULATE_H */
