/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/natflow_users, and the lines of /proc/natflow about users. */
#ifndef _NATFLOW_CONTROL_USERS_H
#define _NATFLOW_CONTROL_USERS_H

struct natflow_net;
struct seq_file;

void natflow_users_summary(const struct natflow_net *nn, struct seq_file *m);
int natflow_users_net_init(struct natflow_net *nn);
void natflow_users_net_exit(struct natflow_net *nn);

#endif /* _NATFLOW_CONTROL_USERS_H */
