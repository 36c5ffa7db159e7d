/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/natflow, natflow_flows and natflow_log. */
#ifndef _NATFLOW_CONTROL_PROC_H
#define _NATFLOW_CONTROL_PROC_H

struct natflow_net;

int natflow_proc_net_init(struct natflow_net *nn);
void natflow_proc_net_exit(struct natflow_net *nn);
int natflow_proc_init(void);
void natflow_proc_exit(void);

#endif /* _NATFLOW_CONTROL_PROC_H */
