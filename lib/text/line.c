// SPDX-License-Identifier: GPL-2.0-only
/* Bytes written to a control device become lines. */
#include "line.h"

/**
 * natflow_line_push() - add one byte
 * @line: collector, zeroed before first use
 * @c: the byte
 *
 * Return: 1 when @line->text holds a whole line, NUL-terminated and without its
 * newline; 0 when more is needed; -EINVAL at the end of a line that was too
 * long or held a control character. After 1 or -EINVAL the next byte begins
 * the next line.
 */
int natflow_line_push(struct natflow_line *line, char c)
{
	bool bad = line->bad;

	if (!line->len && !bad)
		line->number++;
	if (c == '\n') {
		line->text[line->len] = '\0';
		line->len = 0;
		line->bad = false;
		return bad ? -EINVAL : 1;
	}
	if (c == '\t' || c == '\r')
		c = ' ';
	if (line->len == NATFLOW_LINE_MAX - 1 || (unsigned char)c < ' ' || c == 0x7f) {
		/* Not the first byte of the next line, so that it is counted once. */
		line->bad = true;
		return 0;
	}
	line->text[line->len++] = c;
	return 0;
}
