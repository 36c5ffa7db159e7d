/* SPDX-License-Identifier: GPL-2.0-only */
/* Changes of routes and firewall rules that the kernel's own counters do not show. */
#ifndef _NATFLOW_CORE_WATCH_H
#define _NATFLOW_CORE_WATCH_H

#include "base/netns.h"

bool natflow_watch_start(struct natflow_net *nn);
void natflow_watch_stop(struct natflow_net *nn);

#endif /* _NATFLOW_CORE_WATCH_H */
