/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _NATFLOW_HWNAT_RULE_H
#define _NATFLOW_HWNAT_RULE_H

#include "hwnat.h"

struct flow_rule;
struct natflow_hwnat_rule;

struct natflow_hwnat_rule *natflow_hwnat_rule_make(struct net *net,
						   const struct natflow_hwnat_way *way,
						   bool conduit_meta);
void natflow_hwnat_rule_free(struct natflow_hwnat_rule *rule);
struct flow_rule *natflow_hwnat_rule_get(struct natflow_hwnat_rule *rule);

#endif /* _NATFLOW_HWNAT_RULE_H */
