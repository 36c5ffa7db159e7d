/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Usage: what a device has used in the present day, week and month. It is of the device,
 * not of a policy, so that no change of rules refills a quota.
 */
#ifndef _NATFLOW_LIB_TEXT_USAGE_H
#define _NATFLOW_LIB_TEXT_USAGE_H

#include "../host.h"

#define NATFLOW_USAGE_PERIODS 3	/* day, week, month */

/* Local time. */
struct natflow_usage_time {
	u32 period[NATFLOW_USAGE_PERIODS];	/* numbers that only grow */
	u32 minute;		/* others differ */
	bool set;		/* the clock is right; else it may be decades behind */
};

struct natflow_usage {
	u32 period[NATFLOW_USAGE_PERIODS];
	u32 minutes[NATFLOW_USAGE_PERIODS];	/* with traffic */
	u32 minute;		/* the last one of these */
	u64 base[NATFLOW_USAGE_PERIODS];	/* all bytes when the period began, modulo 2^64 */
};

void natflow_usage_begin(struct natflow_usage *u, const struct natflow_usage_time *now,
			 u64 bytes);
bool natflow_usage_roll(struct natflow_usage *u, const struct natflow_usage_time *now, u64 bytes);
void natflow_usage_touch(struct natflow_usage *u, u32 minute);
u64 natflow_usage_volume(const struct natflow_usage *u, unsigned int period, u64 bytes);
bool natflow_usage_late(const struct natflow_usage *u, unsigned int period, u32 minute, u32 most);
void natflow_usage_restore(struct natflow_usage *u, unsigned int period, u64 bytes, u64 volume,
			   u32 minutes);

#endif /* _NATFLOW_LIB_TEXT_USAGE_H */
