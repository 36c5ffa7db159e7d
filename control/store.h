/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/sys/urllogger_store */
#ifndef _NATFLOW_CONTROL_STORE_H
#define _NATFLOW_CONTROL_STORE_H

struct natflow_net;

int natflow_store_net_init(struct natflow_net *nn);
void natflow_store_net_exit(struct natflow_net *nn);

#endif /* _NATFLOW_CONTROL_STORE_H */
