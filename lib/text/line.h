/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes written to a control device become lines. */
#ifndef _NATFLOW_LIB_TEXT_LINE_H
#define _NATFLOW_LIB_TEXT_LINE_H

#include "../host.h"

#define NATFLOW_LINE_MAX 256	/* bytes, newline included */

/* Collects the bytes of one line; one per open file. */
struct natflow_line {
	char text[NATFLOW_LINE_MAX];
	unsigned int len;
	unsigned int number;	/* of the line being collected, from 1 */
	bool bad;		/* too long or with a control character: skipped to its end */
};

int natflow_line_push(struct natflow_line *line, char c);

#endif /* _NATFLOW_LIB_TEXT_LINE_H */
