/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's notifications, turned into changes of ports, egresses and clocks. */
#ifndef _NATFLOW_CORE_EVENTS_H
#define _NATFLOW_CORE_EVENTS_H

int natflow_events_init(void);
void natflow_events_exit(void);

#endif /* _NATFLOW_CORE_EVENTS_H */
