/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What MediaTek's driver exports with natflow_hwnat/patches P13 and P14, found with
 * symbol_get(). The lab's natppe_patched.ko compares each line with the driver's own.
 *
 * A device that mtk_ppe_entry_describe() accepts keeps the functions until it is
 * unregistered: they are its driver's. All are called in process context; a table is that of
 * the frames that arrive at the device.
 */
#ifndef _NATFLOW_HWNAT_PPE_ABI_H
#define _NATFLOW_HWNAT_PPE_ABI_H

#include <linux/netdevice.h>

/* What words have to be like. */
struct natflow_ppe_info {
	const void *chip;	/* GMACs that have the same one forward to each other */
	u8 version;		/* of the words: 1, 2, 3 */
	u8 words;		/* of an entry */
	u8 port;		/* DEST_PORT of what leaves by the device */
	u8 port_mg;		/* PORT_MG of what does not leave by a wlan */
	bool queues;		/* packets leave by queues of QDMA */
	bool counts;		/* entries have counters */
};

struct natflow_ppe_stats {
	u64 packets, bytes;	/* since the last reading; of frames as they arrived */
	u16 idle;		/* seconds since the last packet, if @bound */
	bool bound;		/* else it aged out, or had a FIN */
};

/* 0; -EOPNOTSUPP if it is no GMAC with a PPE; -EINVAL for another @size of the answer. */
int mtk_ppe_entry_describe(struct net_device *dev, struct natflow_ppe_info *info, size_t size);
/*
 * The slot; -ENOSPC: no way is free; -EEXIST: bound already, or a flow of the driver's;
 * -ENETDOWN: the PPE is off. An entry ages out after some seconds without packets, and goes
 * when the PPE is switched off.
 */
int mtk_ppe_entry_set(struct net_device *dev, const u32 *words);
/* Nothing, if the entry is gone. */
void mtk_ppe_entry_clear(struct net_device *dev, u32 slot, const u32 *words);
/* 0; -ENOENT if the slot is another flow's. May sleep. */
int mtk_ppe_entry_read(struct net_device *dev, u32 slot, const u32 *words,
		       struct natflow_ppe_stats *stats);

#endif /* _NATFLOW_HWNAT_PPE_ABI_H */
