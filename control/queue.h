/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/natflow_urllogger_queue */
#ifndef _NATFLOW_CONTROL_QUEUE_H
#define _NATFLOW_CONTROL_QUEUE_H

struct natflow_net;

int natflow_queue_net_init(struct natflow_net *nn);
void natflow_queue_net_exit(struct natflow_net *nn);
int natflow_queue_init(void);
void natflow_queue_exit(void);

#endif /* _NATFLOW_CONTROL_QUEUE_H */
