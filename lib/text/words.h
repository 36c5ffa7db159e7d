/* SPDX-License-Identifier: GPL-2.0-only */
/* Words of a command line: names, marks, prefixes, MAC addresses. */
#ifndef _NATFLOW_LIB_TEXT_WORDS_H
#define _NATFLOW_LIB_TEXT_WORDS_H

#include "../host.h"

#define NATFLOW_NAME_MAX 16	/* an interface name with its NUL */
#define NATFLOW_SET_NAME_MAX 32	/* the name of an ipset with its NUL */

/* A word of a line, "id=", and what is expected behind it. */
struct natflow_field {
	const char *word, *expected;
};

int natflow_field_index(const struct natflow_field *fields, int count, const char *text);
int natflow_word_index(const char * const *words, int count, const char *text, size_t len);
bool natflow_name_valid(const char *name);
bool natflow_set_name_copy(const char *name, char *to);
bool natflow_mac_parse(const char *text, u8 *mac);
int natflow_mark_parse(char *text, u32 *mark, u32 *mask, const char **word);
int natflow_prefix_parse(char *text, u8 *addr, u8 *family, u8 *len);
bool natflow_prefix_match(const u8 *addr, const u8 *prefix, unsigned int bits);

#endif /* _NATFLOW_LIB_TEXT_WORDS_H */
