/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines are prepared, then committed or aborted, all of them. */
#ifndef _NATFLOW_CONTROL_TRANSACTION_H
#define _NATFLOW_CONTROL_TRANSACTION_H

#include <linux/list.h>
#include "verb.h"

#define NATFLOW_HELD_MAX 2048	/* lines between begin and commit */

/* Lines between begin and commit, as text. Initialised by natflow_held_init(). */
struct natflow_held {
	struct list_head lines;
	unsigned int count;
};

void natflow_held_init(struct natflow_held *held);
int natflow_held_add(struct natflow_held *held, const char *text, u32 number);
void natflow_held_drop(struct natflow_held *held);
int natflow_held_run(struct natflow_held *held, const struct natflow_grammar *grammar,
		     struct natflow_net *nn, struct natflow_command *cmd);
int natflow_command_run(struct natflow_net *nn, struct natflow_command *cmd);

#endif /* _NATFLOW_CONTROL_TRANSACTION_H */
