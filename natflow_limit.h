/* SPDX-License-Identifier: GPL-2.0-only */
/* Rates: rules of natflow_qos_ctl and limits of users, in force. */
#ifndef _NATFLOW_LIMIT_H
#define _NATFLOW_LIMIT_H

#include <linux/types.h>

struct natflow_limits;
struct natflow_net;
struct natflow_token_args;

const struct natflow_limits *natflow_limit_rules(const struct natflow_net *nn);
int natflow_limit_start(struct natflow_net *nn);
void natflow_limit_set_rules(struct natflow_net *nn, struct natflow_limits *limits);
int natflow_limit_set_user(struct natflow_net *nn, const struct natflow_token_args *args);
void natflow_limit_review(struct natflow_net *nn);

int natflow_limit_net_init(struct natflow_net *nn);
void natflow_limit_net_stop(struct natflow_net *nn);
void natflow_limit_net_exit(struct natflow_net *nn);

#endif /* _NATFLOW_LIMIT_H */
