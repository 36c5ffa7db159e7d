// SPDX-License-Identifier: GPL-2.0-only
/* Days of the week and a time of the day. */
#include "schedule.h"
#include "words.h"

#define EVERY_DAY 0x7f

static const char * const days[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

/**
 * natflow_days_parse() - read "mon-fri", "sat,sun" or both forms separated by commas
 * @text: NUL-terminated; a range may pass the end of the week
 * @s: zeroed; gets the days
 *
 * Return: true if @text names at least one day.
 */
bool natflow_days_parse(const char *text, struct natflow_schedule *s)
{
	while (*text) {
		size_t len = strcspn(text, ","), dash = strcspn(text, "-,");
		int from = natflow_word_index(days, ARRAY_SIZE(days), text, dash), to = from;

		if (dash < len)
			to = natflow_word_index(days, ARRAY_SIZE(days), text + dash + 1,
						len - dash - 1);
		if (from < 0 || to < 0)
			return false;
		for (; from != to; from = (from + 1) % 7)
			s->days |= 1 << from;
		s->days |= 1 << to;
		text += len + (text[len] == ',');
	}
	return s->days;
}

static bool parse_minute(const char *text, u16 *minute)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		if (i == 2 ? text[i] != ':' : !isdigit((unsigned char)text[i]))
			return false;
	*minute = (text[0] - '0') * 600 + (text[1] - '0') * 60 + (text[3] - '0') * 10 +
		  text[4] - '0';
	return text[3] < '6' && *minute <= NATFLOW_DAY;
}

/**
 * natflow_time_parse() - read "HH:MM-HH:MM"
 * @text: NUL-terminated; a time may pass midnight
 * @s: gets the time
 *
 * Return: true if @text is a time.
 */
bool natflow_time_parse(const char *text, struct natflow_schedule *s)
{
	return strlen(text) == 11 && text[5] == '-' && parse_minute(text, &s->from) &&
	       parse_minute(text + 6, &s->to) && s->from != s->to && s->from < NATFLOW_DAY;
}

/**
 * natflow_schedule_parse() - read "mon-fri 21:00-07:00", or the time alone: every day
 * @text: NUL-terminated; is taken apart
 * @s: zeroed; gets days and time
 *
 * Return: true if @text is both.
 */
bool natflow_schedule_parse(char *text, struct natflow_schedule *s)
{
	char *time = strchr(text, ' ');

	if (!time) {
		s->days = EVERY_DAY;
		return natflow_time_parse(text, s);
	}
	*time++ = '\0';
	return natflow_days_parse(text, s) && natflow_time_parse(time, s);
}

/* Days as runs, one of which may pass the end of the week. Return: characters. */
static int print_days(u8 set, char *text, size_t size)
{
	unsigned int first = 0, i, run;
	int len = 0;

	while (set & 1 << (first + 6) % 7)
		first++;
	for (i = 0; i < 7; i += run + !run) {
		unsigned int day = (first + i) % 7;

		for (run = 0; i + run < 7 && set & 1 << (day + run) % 7; run++)
			;
		if (run)
			len += snprintf(text + len, size - len, "%s%s", len ? "," : "", days[day]);
		if (run > 1)
			len += snprintf(text + len, size - len, "-%s", days[(day + run - 1) % 7]);
	}
	return len;
}

/**
 * natflow_schedule_print() - days and a time as natflow_schedule_parse() reads them
 * @s: with days
 * @text: where to
 * @size: of @text, at least NATFLOW_SCHEDULE_TEXT_MAX
 *
 * Return: characters, never more than were read.
 */
int natflow_schedule_print(const struct natflow_schedule *s, char *text, size_t size)
{
	int len = 0;

	if (s->days != EVERY_DAY) {
		len = print_days(s->days, text, size);
		text[len++] = ' ';
	}
	return len + snprintf(text + len, size - len, "%02u:%02u-%02u:%02u", s->from / 60,
			      s->from % 60, s->to / 60, s->to % 60);
}

/**
 * natflow_schedule_includes() - is a minute in the schedule
 * @s: schedule; without days it always is
 * @minute: of the week, which begins on Monday
 *
 * If a time passes midnight, the hours after midnight belong to the day before.
 */
bool natflow_schedule_includes(const struct natflow_schedule *s, unsigned int minute)
{
	unsigned int day = minute / NATFLOW_DAY, of_day = minute % NATFLOW_DAY;
	unsigned int before = (day + 6) % 7;

	if (!s->days)
		return true;
	if (s->from < s->to)
		return s->days >> day & 1 && of_day >= s->from && of_day < s->to;
	return (s->days >> day & 1 && of_day >= s->from) ||
	       (s->days >> before & 1 && of_day < s->to);
}
