/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/natflow_log: the last messages of a namespace. */
#ifndef _NATFLOW_CORE_BASE_LOG_H
#define _NATFLOW_CORE_BASE_LOG_H

#include <linux/compiler_attributes.h>

struct natflow_net;
struct seq_file;

/* The bits of debug=, natflow's own numbers. */
enum natflow_log_class {
	NATFLOW_LOG_ERROR = 1,
	NATFLOW_LOG_WARN = 2,
	NATFLOW_LOG_INFO = 4,
};

int natflow_log_init(struct natflow_net *nn);
void natflow_log_exit(struct natflow_net *nn);
__printf(3, 4) void natflow_log(struct natflow_net *nn, enum natflow_log_class class,
				const char *fmt, ...);
__printf(3, 4) void natflow_log_once(struct natflow_net *nn, enum natflow_log_class class,
				     const char *fmt, ...);
void natflow_log_show(struct natflow_net *nn, struct seq_file *m);

#endif /* _NATFLOW_CORE_BASE_LOG_H */
