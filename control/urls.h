/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/natflow_urls */
#ifndef _NATFLOW_CONTROL_URLS_H
#define _NATFLOW_CONTROL_URLS_H

#include <linux/seq_file.h>

extern const struct seq_operations natflow_urls_ops;

#endif /* _NATFLOW_CONTROL_URLS_H */
