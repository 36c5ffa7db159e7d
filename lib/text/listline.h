/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines of block lists as they are published: bytes to lines, a line to names.
 * The kernel's loader and natflow-list both read lists with this.
 */
#ifndef _NATFLOW_LIB_TEXT_LISTLINE_H
#define _NATFLOW_LIB_TEXT_LISTLINE_H

#include "../names/hostname.h"

#define NATFLOW_LISTLINE_MAX 4096	/* bytes, with a NUL; longer comments are fine */

/* Collects the bytes of one line, then gives its names. Zeroed before first use. */
struct natflow_listline {
	char text[NATFLOW_LISTLINE_MAX];	/* NUL-terminated when the line is whole */
	unsigned int len;
	unsigned int number;	/* of this line, from 1 */
	bool open;		/* some of it is here; else the next byte begins another line */
	bool cr;		/* the last one ended with CR: an LF belongs to it */
	bool cut;		/* was longer than @text */
	bool control;		/* has control characters other than tabs; "?" in @text */
	/* After natflow_listline_begin(): */
	bool allow;		/* its names are exempt from blocking */
	char separator;		/* between names; 0: there is only one */
	unsigned int at, end;	/* what is left of @text to be read */
	const char *expected;	/* what should have been there, on error */
};

bool natflow_listline_push(struct natflow_listline *line, char c);
bool natflow_listline_is(const struct natflow_listline *line, const char *word);
int natflow_listline_begin(struct natflow_listline *line);
int natflow_listline_next(struct natflow_listline *line, struct natflow_hostname *host);

#endif /* _NATFLOW_LIB_TEXT_LISTLINE_H */
