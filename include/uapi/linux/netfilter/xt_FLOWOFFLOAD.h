/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The rule payload of `-j FLOWOFFLOAD [--hw]`, revision 0.
 *
 * The layout equals that of OpenWrt's target, so its rules load unchanged. Bits
 * outside XT_FLOWOFFLOAD_MASK are refused with EINVAL.
 */
#ifndef _UAPI_XT_FLOWOFFLOAD_H
#define _UAPI_XT_FLOWOFFLOAD_H

#include <linux/types.h>

enum {
	XT_FLOWOFFLOAD_HW = 1 << 0,	/* offer the flow to hardware too */
	XT_FLOWOFFLOAD_MASK = XT_FLOWOFFLOAD_HW,
};

struct xt_flowoffload_target_info {
	__u32 flags;			/* host order, XT_FLOWOFFLOAD_* */
};

#endif /* _UAPI_XT_FLOWOFFLOAD_H */
