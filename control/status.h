/* SPDX-License-Identifier: GPL-2.0-only */
/* The first lines of /proc/natflow: is anything accelerated, and if not, why. */
#ifndef _NATFLOW_CONTROL_STATUS_H
#define _NATFLOW_CONTROL_STATUS_H

struct natflow_net;
struct natflow_stats;
struct seq_file;

void natflow_status_show(struct natflow_net *nn, const struct natflow_stats *sum,
			 struct seq_file *m);
void natflow_status_bumps(const struct natflow_net *nn, const struct natflow_stats *sum,
			  struct seq_file *m);

#endif /* _NATFLOW_CONTROL_STATUS_H */
