// SPDX-License-Identifier: GPL-2.0-only
/* Words of a command line: names, marks, prefixes, MAC addresses. */
#include "words.h"

/**
 * natflow_word_index() - find a word in a table of words
 * @words: table
 * @count: of @words
 * @text: word, not NUL-terminated
 * @len: bytes of @text
 *
 * Return: index in @words, or -1.
 */
int natflow_word_index(const char * const *words, int count, const char *text, size_t len)
{
	int i;

	for (i = 0; i < count; i++)
		if (strlen(words[i]) == len && !strncmp(words[i], text, len))
			return i;
	return -1;
}

/**
 * natflow_field_index() - find the field that a text begins with
 * @fields: table
 * @count: of @fields
 * @text: "word=..."
 *
 * Return: index in @fields, or -1.
 */
int natflow_field_index(const struct natflow_field *fields, int count, const char *text)
{
	int i;

	for (i = 0; i < count; i++)
		if (!strncmp(text, fields[i].word, strlen(fields[i].word)))
			return i;
	return -1;
}

/**
 * natflow_name_valid() - can a device, or a list, be called so
 * @name: as the kernel takes them (net/core/dev.c:dev_valid_name())
 */
bool natflow_name_valid(const char *name)
{
	size_t len = strlen(name);

	return len && len < NATFLOW_NAME_MAX && !strpbrk(name, "/: ,") &&
	       strcmp(name, ".") && strcmp(name, "..");
}

/**
 * natflow_set_name_copy() - copy the name of an ipset
 * @name: NUL-terminated
 * @to: NATFLOW_SET_NAME_MAX bytes
 *
 * Return: false if ipset accepts no such name.
 */
bool natflow_set_name_copy(const char *name, char *to)
{
	size_t len = strlen(name);

	if (!len || len >= NATFLOW_SET_NAME_MAX)
		return false;
	strcpy(to, name);
	return true;
}

/**
 * natflow_mac_parse() - read XX:XX:XX:XX:XX:XX
 * @text: NUL-terminated
 * @mac: zeroed; the 6 bytes
 *
 * Return: true if @text is a MAC address.
 */
bool natflow_mac_parse(const char *text, u8 *mac)
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

/**
 * natflow_mark_parse() - read VALUE[/MASK], VALUE inside MASK
 * @text: is taken apart
 * @mark: VALUE
 * @mask: MASK, all bits if there is none
 * @word: what is not understood, on error
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_mark_parse(char *text, u32 *mark, u32 *mask, const char **word)
{
	char *slash = strchr(text, '/');
	int err;

	*mask = 0xffffffff;
	if (slash) {
		*slash = '\0';
		*word = slash + 1;
		err = kstrtou32(slash + 1, 0, mask);
		if (err || !*mask)
			return err ?: -EINVAL;
	}
	*word = text;
	err = kstrtou32(text, 0, mark);
	return !err && *mark & ~*mask ? -EINVAL : err;
}

/**
 * natflow_prefix_parse() - read ADDR[/BITS], of either family
 * @text: is taken apart
 * @addr: where to; 16 bytes
 * @family: NFPROTO_IPV4 or NFPROTO_IPV6
 * @len: bits
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int natflow_prefix_parse(char *text, u8 *addr, u8 *family, u8 *len)
{
	char *slash = strchr(text, '/');
	u32 bits, most;
	int err;

	if (slash)
		*slash = '\0';
	if (in4_pton(text, -1, addr, -1, NULL) == 1)
		*family = NFPROTO_IPV4;
	else if (in6_pton(text, -1, addr, -1, NULL) == 1)
		*family = NFPROTO_IPV6;
	else
		return -EINVAL;
	most = *family == NFPROTO_IPV4 ? 32 : 128;
	bits = most;
	err = slash ? kstrtou32(slash + 1, 10, &bits) : 0;
	if (!err && bits > most)
		err = -ERANGE;
	if (!err)
		*len = bits;
	return err;
}

/**
 * natflow_prefix_match() - is an address inside a prefix
 * @addr: network order
 * @prefix: network order
 * @bits: prefix length
 */
bool natflow_prefix_match(const u8 *addr, const u8 *prefix, unsigned int bits)
{
	unsigned int bytes = bits / 8, rest = bits % 8;

	if (memcmp(addr, prefix, bytes))
		return false;
	return !rest || !((addr[bytes] ^ prefix[bytes]) >> (8 - rest));
}
