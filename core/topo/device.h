/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _NATFLOW_CORE_TOPO_DEVICE_H
#define _NATFLOW_CORE_TOPO_DEVICE_H

#include <linux/types.h>

struct net_device;

bool natflow_device_ok(const struct net_device *dev);

#endif /* _NATFLOW_CORE_TOPO_DEVICE_H */
