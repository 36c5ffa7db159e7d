/* SPDX-License-Identifier: GPL-2.0-only */
/* Local time, by the TZ string of POSIX: "CET-1CEST,M3.5.0,M10.5.0/3". */
#ifndef _NATFLOW_LIB_TEXT_TIMEZONE_H
#define _NATFLOW_LIB_TEXT_TIMEZONE_H

#include "grammar.h"
#include "schedule.h"

#define NATFLOW_TIMEZONE_MAX 64	/* a TZ string with its NUL */

/* A day of each year, and the second of it, in the local time that ends there. */
struct natflow_timezone_change {
	u8 kind;		/* 'M', 'J', or 0: the plain number of the day */
	u8 month, week;		/* of 'M': 1 to 12; 1 to 5, 5 is the last */
	u16 day;		/* of 'M': of the week, Sunday is 0; else of the year */
	s32 second;		/* may be of another day */
};

struct natflow_timezone {
	s32 east[2];		/* seconds; without and with daylight saving */
	bool saves;		/* there is daylight saving */
	struct natflow_timezone_change to[2];	/* when the clock changes to @east[] */
};

struct natflow_local {
	u16 minute;		/* of the week, which begins on Monday */
	u8 second;		/* of the minute */
	u32 day, week, month;	/* since 1970; others differ */
};

bool natflow_timezone_read(const char *text, struct natflow_timezone *tz);
int natflow_timezone_parse(char *value, const struct natflow_verb *verb,
			   struct natflow_command *cmd);
s32 natflow_timezone_east(const struct natflow_timezone *tz, u64 seconds);
void natflow_local_set(struct natflow_local *local, u64 seconds, s32 east);

#endif /* _NATFLOW_LIB_TEXT_TIMEZONE_H */
