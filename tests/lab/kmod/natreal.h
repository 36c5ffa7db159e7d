/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frame engine of an mt7621 or mt7622, played for the kernel's own mtk_eth.ko: see
 * natreal_main.c.
 */
#ifndef _NATREAL_H
#define _NATREAL_H

#include <linux/netdevice.h>
#include <linux/spinlock.h>
#include "ppe_emulate.h"

#define MACS		2

/* Registers of the frame engine, NETSYS v1. */
#define FE_CLOCK	0x0010
#define FE_GDM(mac)	(0x0500 + 0x1000 * (mac))
#define FE_RX_BASE	0x0900
#define FE_RX_COUNT	0x0904
#define FE_RX_FREED	0x0908
#define FE_RX_STATUS	0x0a20
#define FE_RX_MASK	0x0a28
#define FE_PPE		0x0c00
#define FE_TX_STATUS	0x1a18
#define FE_TX_MASK	0x1a1c
#define FE_TX_CPU	0x1b00
#define FE_TX_FREED	0x1b10
#define FE_TX_DONE	0x1b14
#define FE_RX_INT	BIT(30)
#define FE_TX_INT	BIT(28)
#define PPE_TB_BASE	0x220

#define GDM_TO_PPE	0x4444
#define GDM_DROP	0x7777
#define GDM_DSA		BIT(24)

enum fe_count {
	FE_FROM_WIRE,		/* and fe_count + 1 of the other wire */
	FE_FROM_WIRE1,
	FE_TO_WIRE,
	FE_TO_WIRE1,
	FE_TO_CPU,		/* frames in the RX ring */
	FE_FROM_CPU,		/* frames from the TX ring, as sent */
	FE_FORWARDED,		/* by the PPE */
	FE_FORWARDED_BYTES,
	FE_FULL,		/* dropped: no RX descriptor */
	FE_DOWN,		/* dropped: the driver has the ports stopped */
	FE_LOST,		/* entries or descriptors that make no sense */
	FE_COUNTS
};

struct fe {
	u32 *regs;
	int tx_irq, rx_irq;
	struct net_device *wire[MACS];

	spinlock_t lock;	/* rings, and what follows */
	bool running;
	u32 rx_next;		/* index of the descriptor that the next frame gets */
	u32 tx_next;		/* address of the descriptor that is sent next */

	struct ppe_emulate ppe;	/* while running */
	atomic64_t count[FE_COUNTS];
	atomic64_t reason[32];	/* frames in the RX ring, by CPU reason */
};

static inline u32 fe_read(const struct fe *fe, u32 reg)
{
	return READ_ONCE(fe->regs[reg / 4]);
}

static inline void fe_write(struct fe *fe, u32 reg, u32 value)
{
	WRITE_ONCE(fe->regs[reg / 4], value);
}

static inline void fe_add(struct fe *fe, enum fe_count what, u64 n)
{
	atomic64_add(n, &fe->count[what]);
}

void fe_to_cpu(struct fe *fe, unsigned int mac, const u8 *frame, unsigned int len, u32 reason,
	       u32 index);
struct sk_buff *fe_from_cpu(struct fe *fe, u32 *flags);
void fe_interrupts(struct fe *fe);
void fe_send(struct fe *fe, struct sk_buff *skb, u32 flags);
void fe_to_wire(struct fe *fe, unsigned int mac, struct sk_buff *skb);

#endif /* _NATREAL_H */
