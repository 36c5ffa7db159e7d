/* SPDX-License-Identifier: GPL-2.0-only */
/* Users, as control/ and natflow_main.c see them: on, off, who there is, cut. */
#ifndef _NATFLOW_USER_H
#define _NATFLOW_USER_H

#include "include/uapi/linux/natflow_reason.h"
#include "policy/users.h"

int natflow_user_net_init(struct natflow_net *nn);
void natflow_user_net_stop(struct natflow_net *nn);
void natflow_user_net_exit(struct natflow_net *nn);
int natflow_user_start(struct natflow_net *nn);
int natflow_user_enable(struct natflow_net *nn, bool on);
bool natflow_user_enabled(const struct natflow_net *nn);
struct natflow_user *natflow_user_at(struct natflow_net *nn, const struct sk_buff *skb, u8 family,
				     const struct net_device *dev, bool source);
struct natflow_user *natflow_user_next(struct natflow_net *nn, u8 family, const void *addr,
				       unsigned int *zone);
struct natflow_user *natflow_user_from(const struct natflow_net *nn, loff_t *pos);
struct natflow_users *natflow_user_table(const struct natflow_net *nn);
bool natflow_user_known(struct natflow_net *nn, u8 family, const void *addr);
void natflow_user_kick(struct natflow_net *nn, u8 family, const void *addr);
void natflow_user_cut(struct natflow_net *nn, const struct natflow_user *user,
		      enum natflow_reason reason);

#endif /* _NATFLOW_USER_H */
