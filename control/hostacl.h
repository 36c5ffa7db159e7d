/* SPDX-License-Identifier: GPL-2.0-only */
/* What the commands of hostacl_ctl do. */
#ifndef _NATFLOW_CONTROL_HOSTACL_H
#define _NATFLOW_CONTROL_HOSTACL_H

struct natflow_command;
struct natflow_net;
struct natflow_site_load;
struct seq_file;

int natflow_hostacl_apply(struct natflow_net *nn, struct natflow_command *cmd,
			  unsigned int count);
struct natflow_site_load *natflow_hostacl_load(struct natflow_net *nn,
					       struct natflow_command *cmd);
int natflow_hostacl_loaded(struct natflow_net *nn, struct natflow_site_load *load);
void natflow_hostacl_show(struct natflow_net *nn, struct seq_file *m);

#endif /* _NATFLOW_CONTROL_HOSTACL_H */
