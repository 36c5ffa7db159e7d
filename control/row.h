/* SPDX-License-Identifier: GPL-2.0-only */
/* A row of a long list, written with lib/text/put.h into the buffer of its seq_file. */
#ifndef _NATFLOW_CONTROL_ROW_H
#define _NATFLOW_CONTROL_ROW_H

#include <linux/seq_file.h>

#define NATFLOW_ROW_MAX	1024	/* bytes; more than any row has */
#define NATFLOW_ROW_BUFFER 8192	/* bytes that one read() of many rows fills, at least */

/*
 * Return: where the row begins, NATFLOW_ROW_MAX bytes; or NULL: seq_file asks for it again
 * with more room. Nothing else is written to @m until natflow_row_end().
 */
static inline char *natflow_row_begin(struct seq_file *m)
{
	char *at;

	if (m->size >= NATFLOW_ROW_BUFFER && seq_get_buf(m, &at) >= NATFLOW_ROW_MAX)
		return at;
	seq_commit(m, -1);
	return NULL;
}

static inline void natflow_row_end(struct seq_file *m, const char *begin, const char *end)
{
	seq_commit(m, end - begin);
}

#endif /* _NATFLOW_CONTROL_ROW_H */
