// SPDX-License-Identifier: GPL-2.0-only
/* The first memory of a namespace that uses natflow, and who pays for the rest. */
#include "charge.h"

/**
 * natflow_charge_start() - counters for a namespace, and who pays for its packets
 * @nn: namespace
 *
 * The first caller's memory cgroup pays. Later calls have no effect.
 *
 * Context: process, may sleep; before what counts can be seen by a packet.
 * Return: 0 or -ENOMEM.
 */
int natflow_charge_start(struct natflow_net *nn)
{
	struct natflow_pcpu __percpu *pcpu;
	struct mem_cgroup *payer = NULL;

	if (READ_ONCE(nn->pcpu))
		return 0;
	pcpu = natflow_stats_alloc();
	if (!pcpu)
		return -ENOMEM;
	if (current->mm && !net_eq(nn->net, &init_net))
		payer = get_mem_cgroup_from_mm(current->mm);
	spin_lock_bh(&nn->flows.lock);
	if (!nn->pcpu) {
		WRITE_ONCE(nn->payer, payer);
		WRITE_ONCE(nn->pcpu, pcpu);
		payer = NULL;
		pcpu = NULL;
	}
	spin_unlock_bh(&nn->flows.lock);
	mem_cgroup_put(payer);
	free_percpu(pcpu);
	return 0;
}

/**
 * natflow_charge_stop() - the reverse
 * @nn: namespace without packets and readers
 */
void natflow_charge_stop(struct natflow_net *nn)
{
	free_percpu(nn->pcpu);
	mem_cgroup_put(nn->payer);
}
