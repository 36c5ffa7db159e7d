/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices by which a default route leaves. */
#ifndef _NATFLOW_POLICY_UPLINK_H
#define _NATFLOW_POLICY_UPLINK_H

#include <linux/types.h>

struct net_device;

u8 natflow_uplink_family(const struct net_device *dev);

#endif /* _NATFLOW_POLICY_UPLINK_H */
