/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/natflow_urllogger_queue */
#ifndef _NATFLOW_CONTROL_QUEUE_H
#define _NATFLOW_CONTROL_QUEUE_H

struct natflow_net;

int natflow_queue_net_init(struct natflow_net *nn);
void natflow_queue_net_exit(struct natflow_net *nn);

#ifndef NATFLOW_WITHOUT_NAMES
int natflow_queue_init(void);
void natflow_queue_exit(void);
#else
static inline int natflow_queue_init(void)
{
	return 0;
}

static inline void natflow_queue_exit(void)
{
}
#endif

#endif /* _NATFLOW_CONTROL_QUEUE_H */
