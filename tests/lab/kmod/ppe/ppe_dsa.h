/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * In front of mainline's mtk_ppe_offload.c: kernels for amd64 have no DSA, so its code for a
 * switch's ports would be left out. Headers come first: what they say of devices is the
 * kernel's. See ppe_switch.c.
 */
#ifndef _PPE_DSA_H
#define _PPE_DSA_H

#include <net/dsa.h>
#include <net/flow_offload.h>
#include <net/pkt_cls.h>
#include "mtk_eth_soc.h"
#include "mtk_wed.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0) && !IS_ENABLED(CONFIG_NET_DSA)
#define CONFIG_NET_DSA 1
#endif

#endif /* _PPE_DSA_H */
