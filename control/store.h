/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/sys/urllogger_store */
#ifndef _NATFLOW_CONTROL_STORE_H
#define _NATFLOW_CONTROL_STORE_H

#ifndef NATFLOW_WITHOUT_NAMES
int natflow_store_init(void);
void natflow_store_exit(void);
#else
static inline int natflow_store_init(void)
{
	return 0;
}

static inline void natflow_store_exit(void)
{
}
#endif

#endif /* _NATFLOW_CONTROL_STORE_H */
