// SPDX-License-Identifier: GPL-2.0-only
/* Days of the week and a time of the day. */
#include "schedule.h"
#include "words.h"

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
