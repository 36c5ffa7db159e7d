// SPDX-License-Identifier: GPL-2.0-only
/* Host names as parsers find them in packets, brought into one form. */
#include "hostname.h"

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
