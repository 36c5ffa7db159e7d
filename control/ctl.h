/* SPDX-License-Identifier: GPL-2.0-only */
/* The character devices that take commands. */
#ifndef _NATFLOW_CONTROL_CTL_H
#define _NATFLOW_CONTROL_CTL_H

int natflow_ctl_init(void);
void natflow_ctl_exit(void);

#endif /* _NATFLOW_CONTROL_CTL_H */
