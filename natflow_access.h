/* SPDX-License-Identifier: GPL-2.0-only */
/* Internet access: on and off, and what /dev/natflow_user_ctl and others ask of it. */
#ifndef _NATFLOW_ACCESS_H
#define _NATFLOW_ACCESS_H

#include <linux/types.h>

struct natflow_access_rules;
struct natflow_net;
struct natflow_policies;
struct natflow_user;

int natflow_access_net_init(struct natflow_net *nn);
void natflow_access_net_stop(struct natflow_net *nn);
void natflow_access_net_exit(struct natflow_net *nn);
const struct natflow_access_rules *natflow_access_rules(const struct natflow_net *nn);
int natflow_access_prepare(struct natflow_net *nn, const struct natflow_access_rules *rules);
void natflow_access_set_rules(struct natflow_net *nn, struct natflow_access_rules *rules);
const struct natflow_policies *natflow_access_policies(const struct natflow_net *nn);
int natflow_access_ready(struct natflow_net *nn, const struct natflow_policies *policies);
void natflow_access_set_policies(struct natflow_net *nn, struct natflow_policies *policies);
void natflow_access_renamed(struct natflow_net *nn);
void natflow_access_review(struct natflow_net *nn);
void natflow_access_reconsider(struct natflow_net *nn);
const char *natflow_access_shown(const struct natflow_net *nn, const struct natflow_user *user,
				 const char **policy);
void natflow_access_abandon(struct natflow_net *nn);
void natflow_access_set_status(struct natflow_net *nn, u8 family, const void *addr, u8 status);
void natflow_access_forget(struct natflow_net *nn);
void natflow_access_counts(const struct natflow_net *nn, u64 *refused, u64 *redirected,
			   u64 *unanswered, u64 *cut);

#endif /* _NATFLOW_ACCESS_H */
