/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets of ipset, by name. */
#ifndef _NATFLOW_POLICY_SETS_H
#define _NATFLOW_POLICY_SETS_H

#include <linux/types.h>

struct natflow_site_client;
struct net;

int natflow_sets_init(void);
void natflow_sets_exit(void);
int natflow_set_test(const struct natflow_site_client *client, const char *name);
void natflow_set_add(struct net *net, const char *name, u8 family, const u8 *addr);

#endif /* _NATFLOW_POLICY_SETS_H */
