/* SPDX-License-Identifier: GPL-2.0-only */
/* Netlink messages about changes that the kernel's own counters do not show. */
#ifndef _NATFLOW_CORE_LISTEN_H
#define _NATFLOW_CORE_LISTEN_H

#include "base/netns.h"

bool natflow_listen_start(struct natflow_net *nn);
void natflow_listen_stop(struct natflow_net *nn);

#endif /* _NATFLOW_CORE_LISTEN_H */
