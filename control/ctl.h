/* SPDX-License-Identifier: GPL-2.0-only */
/* The character devices. */
#ifndef _NATFLOW_CONTROL_CTL_H
#define _NATFLOW_CONTROL_CTL_H

struct natflow_net;

int natflow_ctl_net_init(struct natflow_net *nn);
void natflow_ctl_net_exit(struct natflow_net *nn);
int natflow_ctl_init(void);
void natflow_ctl_exit(void);

#endif /* _NATFLOW_CONTROL_CTL_H */
