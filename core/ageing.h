/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens to flows by the clock, and the packet path's part of it. */
#ifndef _NATFLOW_CORE_AGEING_H
#define _NATFLOW_CORE_AGEING_H

#include "base/clock.h"
#include "flow/flow.h"

void natflow_ageing_join(struct natflow_flow *flow);
void natflow_ageing_tick(struct work_struct *work);
void natflow_ageing_start(struct natflow_net *nn);
void natflow_ageing_stop(struct natflow_net *nn);

#endif /* _NATFLOW_CORE_AGEING_H */
