/* SPDX-License-Identifier: GPL-2.0-only */
/* The steps of a flow's end, for core/flow only. */
#ifndef _NATFLOW_CORE_FLOW_LIFE_H
#define _NATFLOW_CORE_FLOW_LIFE_H

#include "object.h"

void natflow_flow_half_del(struct natflow_flow *flow);
bool natflow_flow_unlink(struct natflow_flow *flow);
void natflow_flow_retire(struct natflow_flow *flow, enum natflow_reason reason);

#endif /* _NATFLOW_CORE_FLOW_LIFE_H */
