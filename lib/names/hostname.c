// SPDX-License-Identifier: GPL-2.0-only
/* Host names as parsers find them in packets, brought into one form. */
#include "hostname.h"

#define LABEL_MAX 63	/* characters, RFC 1035 section 2.3.4 */

static bool is_ldh(u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/**
 * natflow_hostname_set() - take a name as it was on the wire
 * @host: where to
 * @text: its characters, not terminated
 * @len: how many
 *
 * Return: false, with @host empty, if this cannot be a name: empty, longer than
 * NATFLOW_HOSTNAME_MAX, or with characters outside of printable ASCII.
 */
bool natflow_hostname_set(struct natflow_hostname *host, const u8 *text, unsigned int len)
{
	unsigned int i;

	memset(host, 0, sizeof(*host));
	if (len && text[len - 1] == '.')
		len--;
	if (!len || len > NATFLOW_HOSTNAME_MAX || text[len - 1] == '.')
		return false;
	for (i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return false;
	for (i = 0; i < len; i++) {
		u8 c = text[i];

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		host->odd |= !is_ldh(c);
		host->text[i] = c;
	}
	host->len = len;
	return true;
}

static bool is_label(const char *text, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		if (!is_ldh(text[i]) && text[i] != '_')
			return false;
	return len && len <= LABEL_MAX;
}

/* Addresses end with a number, and patterns of other kinds with a "-". */
static bool is_last_label(const char *text, unsigned int len)
{
	return text[0] != '-' && text[len - 1] != '-' && strspn(text, "0123456789") < len;
}

/* Can this be a name in the DNS that somebody visits? */
static bool is_name(const struct natflow_hostname *host)
{
	const char *text = host->text;
	unsigned int len = strcspn(text, ".");

	while (is_label(text, len) && text[len]) {
		text += len + 1;
		len = strcspn(text, ".");
	}
	return is_label(text, len) && !text[len] && is_last_label(text, len);
}

/**
 * natflow_hostname_pattern() - take a name as people write it in rules and lists
 * @host: where to
 * @text: a name that stands for what is below it, too, with or without "*." or "." in front
 * @len: its characters
 *
 * Return: false, with @host empty, if this is no name: with other characters
 * than letters, digits, "-" and "_", a label of none or more than 63, or an address.
 */
bool natflow_hostname_pattern(struct natflow_hostname *host, const char *text, unsigned int len)
{
	unsigned int skip = 0;

	if (len && text[0] == '.')
		skip = 1;
	else if (len > 1 && !strncmp(text, "*.", 2))
		skip = 2;
	if (!natflow_hostname_set(host, (const u8 *)text + skip, len - skip))
		return false;
	if (is_name(host))
		return true;
	memset(host, 0, sizeof(*host));
	return false;
}

/* Is a country's second level, [@text, @end), one below which names are registered? */
static bool is_registry(const char *text, const char *end)
{
	static const char * const words[] = {
		"ac", "co", "com", "edu", "go", "gob", "gouv", "gov", "gv", "ltd", "mil", "ne",
		"net", "nom", "or", "org", "plc", "sch",
	};
	size_t len = end - text;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i]) == len && !strncmp(words[i], text, len))
			return true;
	return false;
}

/**
 * natflow_hostname_domain() - the part that somebody registered
 * @host: name
 *
 * The last two labels; three where the last is a country's and the one before a
 * usual second level, as in example.co.uk. The public suffix list knows more, and
 * is larger than all of this module. An address stays whole.
 *
 * Return: where in @host's text it begins.
 */
const char *natflow_hostname_domain(const struct natflow_hostname *host)
{
	const char *text = host->text, *at = text + host->len, *last = NULL;

	while (at > text && at[-1] != '.')
		at--;
	if (*at >= '0' && *at <= '9')
		return text;
	last = at;
	while (at > text && (at == last || at[-1] != '.'))
		at--;
	if (at > text && strlen(last) == 2 && is_registry(at, last - 1))
		for (at--; at > text && at[-1] != '.';)
			at--;
	return at;
}
