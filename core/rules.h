/* SPDX-License-Identifier: GPL-2.0-only */
/* revalidate=1 and the tables of iptables-legacy, whose changes nothing announces. */
#ifndef _NATFLOW_CORE_RULES_H
#define _NATFLOW_CORE_RULES_H

#include "base/netns.h"

#define NATFLOW_RULES_TABLES 4	/* of a family that can see packets of established flows */

/* The functions that run tables, nf_hookfn each; NULL: that table was not seen yet. */
struct natflow_rules_hooks {
	void *hook[NATFLOW_FAMILIES][NATFLOW_RULES_TABLES];
};

/*
 * What the module that knows x_tables does: it returns a sum of the contents of
 * a namespace's tables, and notes the hook of each table it finds.
 * Context: process, may sleep.
 */
typedef u32 natflow_rules_sum(struct net *net, struct natflow_rules_hooks *hooks);

void natflow_rules_reader(natflow_rules_sum *sum);
void natflow_rules_forget(void);
void natflow_rules_close(struct natflow_net *nn);
void natflow_rules_tick(struct natflow_net *nn, bool full);
void natflow_rules_look(struct natflow_net *nn);

#endif /* _NATFLOW_CORE_RULES_H */
