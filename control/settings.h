/* SPDX-License-Identifier: GPL-2.0-only */
/* The settings as replayable lines, and the commands that change them. */
#ifndef _NATFLOW_CONTROL_SETTINGS_H
#define _NATFLOW_CONTROL_SETTINGS_H

struct natflow_command;
struct natflow_net;
struct seq_file;

#define NATFLOW_VERSION "0.1"

int natflow_settings_apply(struct natflow_net *nn, struct natflow_command *cmd,
			   unsigned int count);
void natflow_settings_show(struct natflow_net *nn, struct seq_file *m);
const char *natflow_settings_select(const struct natflow_net *nn, char *text, unsigned int size);

#endif /* _NATFLOW_CONTROL_SETTINGS_H */
