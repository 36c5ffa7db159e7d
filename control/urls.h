/* SPDX-License-Identifier: GPL-2.0-only */
/* /proc/natflow_urls */
#ifndef _NATFLOW_CONTROL_URLS_H
#define _NATFLOW_CONTROL_URLS_H

#include <linux/seq_file.h>

struct natflow_net;

#ifndef NATFLOW_WITHOUT_NAMES
void natflow_urls_summary(struct natflow_net *nn, struct seq_file *m);
int natflow_urls_net_init(struct natflow_net *nn);
void natflow_urls_net_exit(struct natflow_net *nn);
#else
static inline void natflow_urls_summary(struct natflow_net *nn, struct seq_file *m)
{
}
#endif

#endif /* _NATFLOW_CONTROL_URLS_H */
