/* SPDX-License-Identifier: GPL-2.0-only */
/* The flows of a namespace, one by one, and what is shown of each. */
#ifndef _NATFLOW_CONTROL_FLOWS_H
#define _NATFLOW_CONTROL_FLOWS_H

#include "../core/flow/flow.h"
#include "../include/uapi/linux/natflow.h"

struct natflow_flow *natflow_flows_from(struct natflow_net *nn, struct natflow_flow *before,
					loff_t *pos, unsigned int *looks);
void natflow_flows_traffic(struct natflow_flow *flow, unsigned int d, u64 *packets, u64 *bytes);
enum natflow_flow_state natflow_flows_state(const struct natflow_flow *flow);
enum natflow_flow_hw natflow_flows_hw(const struct natflow_flow *flow);
bool natflow_flows_match(struct natflow_flow *flow, const void *filter);

#endif /* _NATFLOW_CONTROL_FLOWS_H */
