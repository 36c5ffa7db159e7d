/* SPDX-License-Identifier: GPL-2.0-only */
/* The lines of /proc/natflow about internet access. */
#ifndef _NATFLOW_CONTROL_ACCESS_H
#define _NATFLOW_CONTROL_ACCESS_H

struct natflow_net;
struct seq_file;

void natflow_access_summary(const struct natflow_net *nn, struct seq_file *m);

#endif /* _NATFLOW_CONTROL_ACCESS_H */
