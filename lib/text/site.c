// SPDX-License-Identifier: GPL-2.0-only
/* Whom a list of sites is for, and when. */
#include "../../include/uapi/linux/natflow_urllogger.h"
#include "command.h"
#include "site.h"

const char * const natflow_action_words[4] = { "accept", "drop", "reset", "redirect" };
static const char * const days[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

static int index_of(const char * const *words, int count, const char *text, size_t len)
{
	int i;

	for (i = 0; i < count; i++)
		if (strlen(words[i]) == len && !strncmp(words[i], text, len))
			return i;
	return -1;
}

/* mon-fri, or sat,sun, or both kinds with commas; a range may pass the end of the week. */
static bool parse_days(const char *text, u8 *mask)
{
	while (*text) {
		size_t len = strcspn(text, ","), dash = strcspn(text, "-,");
		int from = index_of(days, ARRAY_SIZE(days), text, dash), to = from;

		if (dash < len)
			to = index_of(days, ARRAY_SIZE(days), text + dash + 1, len - dash - 1);
		if (from < 0 || to < 0)
			return false;
		for (; from != to; from = (from + 1) % 7)
			*mask |= 1 << from;
		*mask |= 1 << to;
		text += len + (text[len] == ',');
	}
	return *mask;
}

static bool parse_minute(const char *text, u16 *minute)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		if (i == 2 ? text[i] != ':' : !isdigit((unsigned char)text[i]))
			return false;
	*minute = (text[0] - '0') * 600 + (text[1] - '0') * 60 + (text[3] - '0') * 10 +
		  text[4] - '0';
	return text[3] < '6' && *minute <= NATFLOW_SITE_DAY;
}

/* HH:MM-HH:MM */
static bool parse_time(const char *text, struct natflow_site_policy *p)
{
	return strlen(text) == 11 && text[5] == '-' && parse_minute(text, &p->from) &&
	       parse_minute(text + 6, &p->to) && p->from != p->to && p->from < NATFLOW_SITE_DAY;
}

static bool parse_mac(const char *text, u8 *mac)
{
	unsigned int i;

	if (strlen(text) != 17)
		return false;
	for (i = 0; i < 17; i++, text++) {
		char c = *text | 0x20;

		if (i % 3 == 2 ? *text != ':' : !isxdigit((unsigned char)c))
			return false;
		if (i % 3 != 2)
			mac[i / 3] = mac[i / 3] << 4 | (isdigit((unsigned char)c) ? c - '0' :
								c - 'a' + 10);
	}
	return true;
}

static bool parse_set(const char *name, char *to)
{
	size_t len = strlen(name);

	if (!len || len >= NATFLOW_SET_NAME_MAX)
		return false;
	strcpy(to, name);
	return true;
}

/**
 * natflow_source_parse() - "src=ADDR[/LEN]", "mac=MAC", "dev=NAME" or "match_set=NAME"
 * @word: is taken apart
 * @s: the result
 */
bool natflow_source_parse(char *word, struct natflow_source *s)
{
	if (!strncmp(word, "src=", 4)) {
		s->kind = NATFLOW_SOURCE_PREFIX;
		return !natflow_prefix_parse(word + 4, s->addr, &s->family, &s->len);
	}
	if (!strncmp(word, "mac=", 4)) {
		s->kind = NATFLOW_SOURCE_MAC;
		return parse_mac(word + 4, s->addr);
	}
	if (!strncmp(word, "dev=", 4) && natflow_name_valid(word + 4)) {
		s->kind = NATFLOW_SOURCE_DEV;
		strcpy(s->name, word + 4);
		return true;
	}
	s->kind = NATFLOW_SOURCE_SET;
	return !strncmp(word, "match_set=", 10) && parse_set(word + 10, s->name);
}

static bool parse_condition(char *word, struct natflow_site_policy *p)
{
	const char *bad;
	int action;

	if (!strncmp(word, "action=", 7)) {
		action = index_of(natflow_action_words, ARRAY_SIZE(natflow_action_words),
				  word + 7, strlen(word + 7));
		p->action = action;
		return action >= 0;
	}
	if (!strncmp(word, "days=", 5))
		return parse_days(word + 5, &p->days);
	if (!strncmp(word, "time=", 5))
		return parse_time(word + 5, p);
	if (!strncmp(word, "mark=", 5))
		return !natflow_mark_parse(word + 5, &p->mark, &p->mask, &bad);
	if (!strncmp(word, "add_set=", 8))
		return parse_set(word + 8, p->add_set);
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
	p->to = NATFLOW_SITE_DAY;
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
	if (!p->days && (p->from || p->to != NATFLOW_SITE_DAY))
		p->days = 0x7f;
	return 0;
}

static bool is_from(const struct natflow_source *s, const struct natflow_site_client *client)
{
	switch (s->kind) {
	case NATFLOW_SOURCE_PREFIX:
		return s->family == client->family &&
		       natflow_prefix_match(client->addr, s->addr, s->len);
	case NATFLOW_SOURCE_MAC:
		return !memcmp(s->addr, client->mac, sizeof(client->mac));
	case NATFLOW_SOURCE_SET:
		return client->in_set && client->in_set(client, s->name) > 0;
	default:
		return !strcmp(s->name, client->dev);
	}
}

/**
 * natflow_sources_match() - is a client one of these
 * @s: sources
 * @count: of @s
 * @client: client
 */
bool natflow_sources_match(const struct natflow_source *s, unsigned int count,
			   const struct natflow_site_client *client)
{
	while (count--)
		if (is_from(s++, client))
			return true;
	return false;
}

/* The part behind midnight of a time that passes it belongs to the day it began. */
static bool is_now(const struct natflow_site_policy *p, unsigned int minute)
{
	unsigned int day = minute / NATFLOW_SITE_DAY, of_day = minute % NATFLOW_SITE_DAY;
	unsigned int before = (day + 6) % 7;

	if (p->from < p->to)
		return p->days >> day & 1 && of_day >= p->from && of_day < p->to;
	return (p->days >> day & 1 && of_day >= p->from) ||
	       (p->days >> before & 1 && of_day < p->to);
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
	if (p->days && !is_now(p, minute))
		return false;
	return !p->sources || natflow_sources_match(p->source, p->sources, client);
}
