/* SPDX-License-Identifier: GPL-2.0-only */
/* Days of the week and a time of the day. */
#ifndef _NATFLOW_LIB_TEXT_SCHEDULE_H
#define _NATFLOW_LIB_TEXT_SCHEDULE_H

#include "../host.h"

#define NATFLOW_DAY 1440	/* minutes */
#define NATFLOW_SCHEDULE_TEXT_MAX 48	/* days and a time, with a NUL */

struct natflow_schedule {
	u8 days;		/* bit 0 is Monday; 0: always */
	u16 from, to;		/* minutes of the day; @to is not in, and may be below @from */
};

bool natflow_days_parse(const char *text, struct natflow_schedule *s);
bool natflow_time_parse(const char *text, struct natflow_schedule *s);
bool natflow_schedule_parse(char *text, struct natflow_schedule *s);
int natflow_schedule_print(const struct natflow_schedule *s, char *text, size_t size);
bool natflow_schedule_includes(const struct natflow_schedule *s, unsigned int minute);

#endif /* _NATFLOW_LIB_TEXT_SCHEDULE_H */
