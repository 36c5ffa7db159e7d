// SPDX-License-Identifier: GPL-2.0-only
/* Host names from packets, normalised. */
#include "hostname.h"

#define LABEL_MAX 63	/* characters, RFC 1035 section 2.3.4 */

static bool is_ldh(u8 c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/**
 * natflow_hostname_set() - normalise a name from the wire
 * @host: the result
 * @text: its characters, not terminated
 * @len: number of characters
 *
 * Return: false, with @host empty, if @text cannot be a name: empty, longer than
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

/* The last label of an address is a number; that of other patterns may end with "-". */
static bool is_last_label(const char *text, unsigned int len)
{
	return text[0] != '-' && text[len - 1] != '-' && strspn(text, "0123456789") < len;
}

/* True if this can be the DNS name of a site. */
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
 * natflow_hostname_pattern() - normalise a name from a rule or list
 * @host: the result
 * @text: a name, which includes the names below it; "*." or "." in front is ignored
 * @len: its characters
 *
 * Return: false, with @host empty, for an address, for characters other than letters,
 * digits, "-" and "_", and for a label that is empty or has more than 63 characters.
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

/* True if names are registered below this second level of a country, [@text, @end). */
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
 * natflow_hostname_domain() - find the registered domain of a name
 * @host: name
 *
 * The result has two labels, or three below a common second level of a country, as
 * in example.co.uk. The public suffix list is more exact, but larger than this
 * module. An address stays whole.
 *
 * Return: offset in @host's text.
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
