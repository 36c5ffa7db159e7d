/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bypassed devices: VLAN and bridge devices on a forwarding path that natflow
 * resolves at learn time and does not call afterwards. natflow counts the
 * packets in their statistics. core/topo/descend.c decides which devices may
 * be bypassed.
 */
#ifndef _NATFLOW_CORE_TOPO_BYPASS_H
#define _NATFLOW_CORE_TOPO_BYPASS_H

#include <linux/if_vlan.h>
#include <linux/netdevice.h>

#define NATFLOW_BYPASS_MAX 3	/* bypassed devices per direction */

/* A VLAN tag. Both 0: none. */
struct natflow_tag {
	__be16 proto;		/* ETH_P_8021Q or ETH_P_8021AD */
	u16 tci;		/* host byte order */
};

/* A bypassed device. Valid under RCU while its egress or way is. */
struct natflow_bypassed {
	struct net_device *dev;
	void __percpu *stats;	/* struct vlan_pcpu_stats or struct pcpu_sw_netstats */
	bool vlan;
	u8 extra;		/* bytes per packet that it counts beyond L3 */
};

struct natflow_bypass {
	u8 count;
	struct natflow_bypassed dev[NATFLOW_BYPASS_MAX];
};

static __always_inline void
natflow_bypassed_count(const struct natflow_bypassed *b, unsigned int bytes, const bool tx)
{
	if (b->vlan) {
		struct vlan_pcpu_stats __percpu *all = b->stats;
		struct vlan_pcpu_stats *s = this_cpu_ptr(all);

		u64_stats_update_begin(&s->syncp);
		u64_stats_inc(tx ? &s->tx_packets : &s->rx_packets);
		u64_stats_add(tx ? &s->tx_bytes : &s->rx_bytes, bytes);
		u64_stats_update_end(&s->syncp);
	} else {
		struct pcpu_sw_netstats __percpu *all = b->stats;
		struct pcpu_sw_netstats *s = this_cpu_ptr(all);

		u64_stats_update_begin(&s->syncp);
		u64_stats_inc(tx ? &s->tx_packets : &s->rx_packets);
		u64_stats_add(tx ? &s->tx_bytes : &s->rx_bytes, bytes);
		u64_stats_update_end(&s->syncp);
	}
}

/* Count one packet of @l3 bytes in all devices of @bypass. Context: BH disabled. */
static __always_inline void
natflow_bypass_count(const struct natflow_bypass *bypass, unsigned int l3, const bool tx)
{
	unsigned int i;

	for (i = 0; i < bypass->count; i++)
		natflow_bypassed_count(&bypass->dev[i], l3 + bypass->dev[i].extra, tx);
}

/* Return: true if @dev is in @bypass. */
static inline bool natflow_bypass_has(const struct natflow_bypass *bypass,
				      const struct net_device *dev)
{
	unsigned int i;

	for (i = 0; i < bypass->count; i++)
		if (bypass->dev[i].dev == dev)
			return true;
	return false;
}

#endif /* _NATFLOW_CORE_TOPO_BYPASS_H */
