/* SPDX-License-Identifier: GPL-2.0-only */
/* Which hooks are in place, by settings, rules and flows. */
#ifndef _NATFLOW_CORE_HOOKS_H
#define _NATFLOW_CORE_HOOKS_H

#include "base/netns.h"

void natflow_hooks_update(struct natflow_net *nn);
void natflow_hooks_work(struct work_struct *work);
void natflow_hooks_exit(struct natflow_net *nn);

#endif /* _NATFLOW_CORE_HOOKS_H */
