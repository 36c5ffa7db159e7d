// SPDX-License-Identifier: GPL-2.0-only
/* Selectors: which clients a rule or a list is for. */
#include "whom.h"

/**
 * natflow_source_parse() - read "src=ADDR[/LEN]", "mac=MAC", "dev=NAME" or "match_set=NAME"
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
		return natflow_mac_parse(word + 4, s->addr);
	}
	if (!strncmp(word, "dev=", 4) && natflow_name_valid(word + 4)) {
		s->kind = NATFLOW_SOURCE_DEV;
		strcpy(s->name, word + 4);
		return true;
	}
	s->kind = NATFLOW_SOURCE_SET;
	return !strncmp(word, "match_set=", 10) && natflow_set_name_copy(word + 10, s->name);
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
