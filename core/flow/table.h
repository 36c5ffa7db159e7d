/* SPDX-License-Identifier: GPL-2.0-only */
/* The writers' side of the flow table; core/flow/flow.c and core/ageing.c only. */
#ifndef _NATFLOW_CORE_FLOW_TABLE_H
#define _NATFLOW_CORE_FLOW_TABLE_H

#include "flow.h"

static inline struct natflow_table *natflow_table_locked(struct natflow_net *nn)
{
	return rcu_dereference_protected(nn->table, lockdep_is_held(&nn->flow_lock));
}

struct natflow_table *natflow_table_alloc(u32 limit);
void natflow_table_replace(struct natflow_net *nn, struct natflow_table *table);
struct natflow_dir *natflow_table_find(struct natflow_net *nn, struct natflow_table *table,
				       const u64 *key, u8 family);
bool natflow_table_insert(struct natflow_net *nn, struct natflow_table *table,
			  struct natflow_dir *dir, u8 family);
void natflow_table_remove(struct natflow_net *nn, struct natflow_table *table,
			  struct natflow_dir *dir, u8 family);

#endif /* _NATFLOW_CORE_FLOW_TABLE_H */
