/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who pays for memory. What a process causes is charged to its memory cgroup
 * (GFP_KERNEL_ACCOUNT). What packets and workers cause is charged to natflow_net.payer,
 * the cgroup of the process that first selected flows or inspected names in the
 * namespace. The machine's own namespace has no payer: its packets are nobody's.
 *
 * PREEMPT_RT: softirqs of one CPU may preempt each other, and the kernel keeps their
 * cgroup by CPU (mm/memcontrol.c:int_active_memcg). There packets charge nobody.
 */
#ifndef _NATFLOW_CORE_BASE_CHARGE_H
#define _NATFLOW_CORE_BASE_CHARGE_H

#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include "netns.h"

/* Within the limit of the payer, without a warning and without the machine's reserves. */
#define NATFLOW_GFP_PACKET (GFP_NOWAIT | __GFP_NOWARN | __GFP_ACCOUNT)

int natflow_charge_start(struct natflow_net *nn);
void natflow_charge_stop(struct natflow_net *nn);

static inline bool natflow_charge_works(void)
{
	return !IS_ENABLED(CONFIG_PREEMPT_RT) || in_task();
}

/*
 * From here on allocations with __GFP_ACCOUNT are the payer's, on this CPU and in this
 * context. Context: any; does not move to another CPU before natflow_charge_end().
 */
static inline struct mem_cgroup *natflow_charge_begin(const struct natflow_net *nn)
{
	return natflow_charge_works() ? set_active_memcg(READ_ONCE(nn->payer)) : NULL;
}

/* @before: what natflow_charge_begin() returned, in the same context. */
static inline void natflow_charge_end(struct mem_cgroup *before)
{
	if (natflow_charge_works())
		set_active_memcg(before);
}

#endif /* _NATFLOW_CORE_BASE_CHARGE_H */
