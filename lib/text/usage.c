// SPDX-License-Identifier: GPL-2.0-only
/* Usage: what a device has used in the present day, week and month. */
#include "usage.h"

/**
 * natflow_usage_begin() - nothing is used yet
 * @u: zeroed
 * @now: local time
 * @bytes: of the device until now
 */
void natflow_usage_begin(struct natflow_usage *u, const struct natflow_usage_time *now,
			 u64 bytes)
{
	unsigned int p;

	for (p = 0; p < NATFLOW_USAGE_PERIODS; p++) {
		u->period[p] = now->period[p];
		u->base[p] = bytes;
	}
	u->minute = now->minute - 1;	/* any other one */
}

/* So far ahead was the clock wrong, not back now. */
static const u32 year[NATFLOW_USAGE_PERIODS] = { 366, 53, 12 };

/**
 * natflow_usage_roll() - begin the periods that have begun
 * @u: usage
 * @now: local time
 * @bytes: of the device until now
 *
 * Nothing begins before the clock is set. A clock that is set back refills nothing, not
 * even when it is right again: a router without a clock of its own boots with an old time.
 *
 * Return: has one begun?
 */
bool natflow_usage_roll(struct natflow_usage *u, const struct natflow_usage_time *now, u64 bytes)
{
	bool begun = false;
	unsigned int p;

	for (p = 0; p < NATFLOW_USAGE_PERIODS && now->set; p++) {
		if (now->period[p] > u->period[p]) {
			u->base[p] = bytes;
			u->minutes[p] = 0;
			begun = true;
		} else if (u->period[p] - now->period[p] <= year[p]) {
			continue;
		}
		u->period[p] = now->period[p];
	}
	return begun;
}

/**
 * natflow_usage_touch() - there was traffic in a minute
 * @u: usage
 * @minute: local time
 */
void natflow_usage_touch(struct natflow_usage *u, u32 minute)
{
	unsigned int p;

	if (u->minute == minute)
		return;
	u->minute = minute;
	for (p = 0; p < NATFLOW_USAGE_PERIODS; p++)
		u->minutes[p]++;
}

/**
 * natflow_usage_volume() - bytes in a period
 * @u: usage
 * @period: index
 * @bytes: of the device until now
 */
u64 natflow_usage_volume(const struct natflow_usage *u, unsigned int period, u64 bytes)
{
	return bytes - u->base[period];
}

/**
 * natflow_usage_late() - are the minutes of a period used up
 * @u: usage
 * @period: index
 * @minute: now, local time
 * @most: minutes that may be used
 *
 * The last one may be used to its end.
 */
bool natflow_usage_late(const struct natflow_usage *u, unsigned int period, u32 minute, u32 most)
{
	return u->minutes[period] > most ||
	       (u->minutes[period] == most && u->minute != minute);
}

/**
 * natflow_usage_restore() - at least so much was used in a period
 * @u: usage
 * @period: index
 * @bytes: of the device until now
 * @volume: bytes in the period
 * @minutes: minutes with traffic
 */
void natflow_usage_restore(struct natflow_usage *u, unsigned int period, u64 bytes, u64 volume,
			   u32 minutes)
{
	if (natflow_usage_volume(u, period, bytes) < volume)
		u->base[period] = bytes - volume;
	if (u->minutes[period] < minutes)
		u->minutes[period] = minutes;
}
