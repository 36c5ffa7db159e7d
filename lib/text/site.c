// SPDX-License-Identifier: GPL-2.0-only
/* Whom a list of sites is for, and when. */
#include "../../include/uapi/linux/natflow_urllogger.h"
#include "site.h"

const char * const natflow_action_words[4] = { "accept", "drop", "reset", "redirect" };

static bool parse_condition(char *word, struct natflow_site_policy *p)
{
	const char *bad;
	int action;

	if (!strncmp(word, "action=", 7)) {
		action = natflow_word_index(natflow_action_words,
					    ARRAY_SIZE(natflow_action_words), word + 7,
					    strlen(word + 7));
		p->action = action;
		return action >= 0;
	}
	if (!strncmp(word, "days=", 5))
		return natflow_days_parse(word + 5, &p->schedule);
	if (!strncmp(word, "time=", 5))
		return natflow_time_parse(word + 5, &p->schedule);
	if (!strncmp(word, "mark=", 5))
		return !natflow_mark_parse(word + 5, &p->mark, &p->mask, &bad);
	if (!strncmp(word, "add_set=", 8))
		return natflow_set_name_copy(word + 8, p->add_set);
	if (!strncmp(word, "add_visited=", 12)) {
		p->add_visited = word[12] == '1';
		return !strcmp(word + 12, "0") || !strcmp(word + 12, "1");
	}
	return p->sources < NATFLOW_SITE_SOURCES_MAX &&
	       natflow_source_parse(word, &p->source[p->sources++]);
}

/**
 * natflow_site_policy_parse() - "action=drop src=10.0.1.0/24 days=mon-fri time=08:00-18:00"
 * @text: words separated by blanks; is taken apart
 * @p: the result
 * @word: the word that is not understood, on error
 *
 * Return: 0 or -EINVAL.
 */
int natflow_site_policy_parse(char *text, struct natflow_site_policy *p, const char **word)
{
	memset(p, 0, sizeof(*p));
	p->schedule.to = NATFLOW_DAY;
	while (*text) {
		char *next = text + strcspn(text, " ");

		if (*next)
			*next++ = '\0';
		next += strspn(next, " ");
		if (!parse_condition(text, p)) {
			*word = text;
			return -EINVAL;
		}
		text = next;
	}
	/* A time without days is a time of every day. */
	if (!p->schedule.days && (p->schedule.from || p->schedule.to != NATFLOW_DAY))
		p->schedule.days = 0x7f;
	return 0;
}

/**
 * natflow_site_applies() - is a list for this client, now
 * @p: the list's policy
 * @client: client
 * @minute: of the week, which begins on Monday
 */
bool natflow_site_applies(const struct natflow_site_policy *p,
			  const struct natflow_site_client *client, unsigned int minute)
{
	if (!natflow_schedule_includes(&p->schedule, minute))
		return false;
	return !p->sources || natflow_sources_match(p->source, p->sources, client);
}
