/* SPDX-License-Identifier: GPL-2.0-only */
/* The character devices that take commands. */
#ifndef _NATFLOW_CONTROL_CTL_H
#define _NATFLOW_CONTROL_CTL_H

#include <linux/fs.h>

struct natflow_command;
struct natflow_device;
struct natflow_net;
struct seq_file;

/* Of every struct natflow_device's misc. */
extern const struct file_operations natflow_ctl_fops;

struct natflow_net *natflow_ctl_enter(struct seq_file *m);
struct natflow_net *natflow_ctl_net(const struct seq_file *m);
void natflow_ctl_leave(struct seq_file *m);
const struct natflow_device *natflow_ctl_device_named(const char *name);
void natflow_ctl_complain(struct natflow_net *nn, const struct natflow_device *device,
			  const struct natflow_command *cmd);
int natflow_ctl_init(void);
void natflow_ctl_exit(void);

#endif /* _NATFLOW_CONTROL_CTL_H */
