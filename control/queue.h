/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/natflow_urllogger_queue */
#ifndef _NATFLOW_CONTROL_QUEUE_H
#define _NATFLOW_CONTROL_QUEUE_H

int natflow_queue_init(void);
void natflow_queue_exit(void);

#endif /* _NATFLOW_CONTROL_QUEUE_H */
