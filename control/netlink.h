/* SPDX-License-Identifier: GPL-2.0-only */
/* The generic netlink family "natflow". */
#ifndef _NATFLOW_CONTROL_NETLINK_H
#define _NATFLOW_CONTROL_NETLINK_H

int natflow_netlink_init(void);
void natflow_netlink_exit(void);

#endif /* _NATFLOW_CONTROL_NETLINK_H */
