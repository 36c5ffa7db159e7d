// SPDX-License-Identifier: GPL-2.0-only
/* Local time, by the TZ string of POSIX. */
#include "timezone.h"

#define HOUR		3600
#define DAY		86400
#define YEAR_MAX	9999
#define DAYS_MAX	2932896		/* from 1970 to the end of that year */

/* -- the string */

static bool is_alpha(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* "CET", or "<+03>". Return: what follows, or NULL. */
static const char *skip_name(const char *text)
{
	const char *from = text;

	if (*text != '<') {
		while (is_alpha(*text))
			text++;
		return text - from >= 3 ? text : NULL;
	}
	for (text++; is_alpha(*text) || isdigit((unsigned char)*text) || *text == '+' ||
	     *text == '-'; text++)
		;
	return *text == '>' && text - from > 3 ? text + 1 : NULL;
}

static const char *read_number(const char *text, unsigned int most, unsigned int *number)
{
	const char *from = text;

	for (*number = 0; isdigit((unsigned char)*text) && text - from < 3; text++)
		*number = *number * 10 + *text - '0';
	return text > from && *number <= most ? text : NULL;
}

/* "[+-]hh[:mm[:ss]]". Return: what follows, or NULL. */
static const char *read_time(const char *text, unsigned int hours, s32 *seconds)
{
	bool minus = *text == '-';
	unsigned int part, unit;

	text = read_number(text + (minus || *text == '+'), hours, &part);
	*seconds = part * HOUR;
	for (unit = 60; text && *text == ':' && unit; unit /= 60) {
		text = read_number(text + 1, 59, &part);
		*seconds += part * unit;
	}
	if (minus)
		*seconds = -*seconds;
	return text;
}

/* "m.w.d" behind the "M". */
static const char *read_month(const char *text, struct natflow_timezone_change *c)
{
	unsigned int month, week = 0, day = 0;

	text = read_number(text, 12, &month);
	if (text)
		text = *text == '.' ? read_number(text + 1, 5, &week) : NULL;
	if (text)
		text = *text == '.' ? read_number(text + 1, 6, &day) : NULL;
	c->month = month;
	c->week = week;
	c->day = day;
	return month && week ? text : NULL;
}

/* "M3.5.0/2", "J60", "59". */
static const char *read_change(const char *text, struct natflow_timezone_change *c)
{
	unsigned int day = 0;

	c->kind = *text == 'M' || *text == 'J' ? *text++ : 0;
	c->second = 2 * HOUR;
	if (c->kind == 'M') {
		text = read_month(text, c);
	} else {
		text = read_number(text, 365, &day);
		c->day = day;
		if (c->kind && !day)
			return NULL;
	}
	/* Up to a week, as zones at the edge of a day need it (RFC 8536, 3.3.1). */
	return text && *text == '/' ? read_time(text + 1, 167, &c->second) : text;
}

/**
 * natflow_timezone_read() - read a TZ string
 * @text: NUL-terminated: std offset [dst [offset] , change , change]
 * @tz: the result
 *
 * Daylight saving without its changes is refused: nothing says when it begins.
 *
 * Return: true if @text is a TZ string, of less than NATFLOW_TIMEZONE_MAX characters.
 */
bool natflow_timezone_read(const char *text, struct natflow_timezone *tz)
{
	unsigned int i;
	s32 west;

	memset(tz, 0, sizeof(*tz));
	if (strlen(text) >= NATFLOW_TIMEZONE_MAX)
		return false;
	text = skip_name(text);
	text = text ? read_time(text, 24, &west) : NULL;
	if (!text)
		return false;
	tz->east[0] = -west;
	if (!*text)
		return true;
	tz->saves = true;
	text = skip_name(text);
	west -= HOUR;
	if (text && *text != ',')
		text = read_time(text, 24, &west);
	tz->east[1] = -west;
	/* The string has the change to daylight saving first. */
	for (i = 2; text && i--;)
		text = *text == ',' ? read_change(text + 1, &tz->to[i]) : NULL;
	return text && !*text;
}

/**
 * natflow_timezone_parse() - a TZ string, or nothing
 * @value: argument
 * @verb: verb
 * @cmd: gets the string in ->args, NUL-terminated
 *
 * Return: 0 or -EINVAL.
 */
int natflow_timezone_parse(char *value, const struct natflow_verb *verb,
			   struct natflow_command *cmd)
{
	struct natflow_timezone tz;

	if (*value && !natflow_timezone_read(value, &tz))
		return natflow_command_fail(cmd, value, verb->expected, -EINVAL);
	strcpy(NATFLOW_ARGS(cmd, char), value);
	return 0;
}

/* -- the calendar */

static bool is_leap(u32 year)
{
	return !(year % 4) && (year % 100 || !(year % 400));
}

static u32 days_before_year(u32 year)
{
	u32 y = year - 1;

	return 365 * (year - 1970) + y / 4 - y / 100 + y / 400 - 477;
}

static u32 year_of(u32 day)
{
	u32 year = 1970 + day / 366;

	while (day >= days_before_year(year + 1))
		year++;
	return year;
}

static u32 days_of_month(u32 year, u32 month)
{
	if (month == 2)
		return 28 + is_leap(year);
	return 30 + ((month + month / 8) & 1);
}

static u32 days_before_month(u32 year, u32 month)
{
	u32 days = 0;

	while (--month)
		days += days_of_month(year, month);
	return days;
}

/* The day of @year, from 0. */
static u32 day_of_change(const struct natflow_timezone_change *c, u32 year)
{
	u32 first, day;

	if (c->kind == 'J')
		return c->day - 1 + (is_leap(year) && c->day >= 60);
	if (c->kind != 'M')
		return c->day;
	first = days_before_month(year, c->month);
	/* 1970 began on a Thursday, the day 4. */
	day = (c->day + 7 - (days_before_year(year) + first + 4) % 7) % 7 + (c->week - 1) * 7;
	if (day >= days_of_month(year, c->month))
		day -= 7;
	return first + day;
}

static s64 time_of_change(const struct natflow_timezone *tz, unsigned int to, u32 year)
{
	const struct natflow_timezone_change *c = &tz->to[to];

	return (s64)DAY * (days_before_year(year) + day_of_change(c, year)) + c->second -
	       tz->east[!to];
}

static u32 day_at(s64 seconds)
{
	u32 rest;
	u64 day = seconds < 0 ? 0 : div_u64_rem(seconds, DAY, &rest);

	return day < DAYS_MAX ? day : DAYS_MAX;
}

/**
 * natflow_timezone_east() - how far local time is ahead
 * @tz: timezone
 * @seconds: since 1970, UTC
 *
 * Return: seconds; negative west of Greenwich.
 */
s32 natflow_timezone_east(const struct natflow_timezone *tz, u64 seconds)
{
	s64 on, off, now = seconds;
	bool saves;
	u32 year;

	if (!tz->saves)
		return tz->east[0];
	year = year_of(day_at(now + tz->east[0]));
	on = time_of_change(tz, 1, year);
	off = time_of_change(tz, 0, year);
	/* South of the equator the year begins and ends with daylight saving. */
	saves = on < off ? now >= on && now < off : now >= on || now < off;
	return tz->east[saves];
}

/**
 * natflow_local_set() - where in the week and calendar a moment is
 * @local: the result
 * @seconds: since 1970, UTC
 * @east: how far local time is ahead, seconds
 *
 * Local times before 1970 count as its begin.
 */
void natflow_local_set(struct natflow_local *local, u64 seconds, s32 east)
{
	s64 now = (s64)seconds + east;
	u32 day = day_at(now), year = year_of(day), of_day = 0, month = 1;

	if (now > 0)
		div_u64_rem(now, DAY, &of_day);
	local->day = day;
	local->week = (day + 3) / 7;
	local->minute = (day + 3) % 7 * NATFLOW_DAY + of_day / 60;
	local->second = of_day % 60;
	while (month < 12 && day - days_before_year(year) >= days_before_month(year, month + 1))
		month++;
	local->month = (year - 1970) * 12 + month - 1;
}
