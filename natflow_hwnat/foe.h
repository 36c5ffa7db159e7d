/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries of MediaTek's PPE ("FOE": flow offload engine): slots, words, and what they mean.
 * Pure: the kernel, the host's tests and natflow-ppe have the same code.
 *
 * A table has 1024 << n slots in buckets of 2 or 4 ways. A word is the value that the SoC's
 * CPU, which is little-endian, reads; the same values arise on a big-endian host.
 */
#ifndef _NATFLOW_HWNAT_FOE_H
#define _NATFLOW_HWNAT_FOE_H

#include "../lib/host.h"

#define NATFLOW_FOE_WORDS 32		/* of the longest entry */
#define NATFLOW_FOE_VLANS 2
#define NATFLOW_FOE_DSA_PORTS 6		/* bits of MediaTek's switch tag */

enum natflow_foe_state {		/* mtk_ppe.h: MTK_FOE_STATE_* */
	NATFLOW_FOE_INVALID,
	NATFLOW_FOE_UNBIND,		/* counted, forwarded by the CPU */
	NATFLOW_FOE_BIND,		/* forwarded by hardware */
	NATFLOW_FOE_FIN,		/* was bound, saw FIN or RST */
};

enum natflow_foe_type {			/* mtk_ppe.h: MTK_PPE_PKT_TYPE_* */
	NATFLOW_FOE_IPV4_5T = 0,
	NATFLOW_FOE_IPV4_3T = 1,
	NATFLOW_FOE_BRIDGE = 2,
	NATFLOW_FOE_DSLITE = 3,
	NATFLOW_FOE_IPV6_3T = 4,
	NATFLOW_FOE_IPV6_5T = 5,
	NATFLOW_FOE_6RD = 7,
};

enum natflow_foe_port {			/* mtk_eth_soc.h: PSE_*_PORT */
	NATFLOW_FOE_CPU = 0,
	NATFLOW_FOE_GDM1 = 1,
	NATFLOW_FOE_GDM2 = 2,
	NATFLOW_FOE_V1_WDMA = 3,
	NATFLOW_FOE_DROP = 7,
	NATFLOW_FOE_WDMA0 = 8,
	NATFLOW_FOE_WDMA1 = 9,
	NATFLOW_FOE_WDMA2 = 13,
	NATFLOW_FOE_GDM3 = 15,
};

struct natflow_foe_soc {
	const char *name;
	u8 version;			/* of the words: 1, 2, 3 */
	u8 words;			/* of an entry */
	u8 ways;			/* of a bucket */
	u8 mg, group;			/* PORT_MG and PORT_AG as the kernel's driver sets them */
	u8 wdmas;			/* wlans that it reaches by WED */
	bool mib;			/* counts packets and bytes of an entry */
	bool straddles;			/* cannot use an entry that crosses 1024 bytes */
};

/* Host order. IPv4 is in the first word. A 3T entry has no ports. */
struct natflow_foe_tuple {
	u32 src[4], dst[4];
	u16 sport, dport;
};

struct natflow_foe {
	u8 state, type;
	bool udp, permanent;		/* @permanent: not aged, never replaced (STATIC) */
	u16 time;			/* seconds of the PPE's clock at the last packet */
	u16 packets;			/* UNBIND: in this second */
	bool prebind;			/* UNBIND; layout v1 */
	u8 proto;			/* 3T: IPPROTO_* */
	struct natflow_foe_tuple orig, new;	/* @new: as it leaves */

	/* Of a bound entry alone: */
	bool keepalive, cache, ttl;	/* @ttl: decremented */
	u8 dst[6], src[6];
	u8 vlans;
	u16 vlan[NATFLOW_FOE_VLANS];	/* TCI of tags that are inserted, outermost first */
	bool pppoe;
	u16 sid;
	bool dsa;
	u8 dsa_port;
	u8 port;			/* enum natflow_foe_port */
	bool multicast, mib, queued;	/* @queued: through QDMA, by @queue */
	u8 queue, mg, group, dscp;

	bool wed;
	u8 wdma, ring, bss;
	u16 wcid;
	bool amsdu;			/* v3 */
};

const struct natflow_foe_soc *natflow_foe_soc(const char *name);
u32 natflow_foe_time(const struct natflow_foe_soc *soc, u32 clock);
int natflow_foe_wdma_port(const struct natflow_foe_soc *soc, unsigned int wdma);
void natflow_foe_init(const struct natflow_foe_soc *soc, struct natflow_foe *foe);
int natflow_foe_bucket(const struct natflow_foe_soc *soc, u32 entries,
		       const struct natflow_foe *foe);
bool natflow_foe_usable(const struct natflow_foe_soc *soc, u32 slot);
int natflow_foe_encode(const struct natflow_foe_soc *soc, const struct natflow_foe *foe,
		       u32 *words);
int natflow_foe_decode(const struct natflow_foe_soc *soc, const u32 *words,
		       struct natflow_foe *foe);

#endif /* _NATFLOW_HWNAT_FOE_H */
