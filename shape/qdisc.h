/* SPDX-License-Identifier: GPL-2.0-only */
/* The queueing discipline "natflow". */
#ifndef _NATFLOW_SHAPE_QDISC_H
#define _NATFLOW_SHAPE_QDISC_H

int natflow_qdisc_init(void);
void natflow_qdisc_exit(void);

#endif /* _NATFLOW_SHAPE_QDISC_H */
